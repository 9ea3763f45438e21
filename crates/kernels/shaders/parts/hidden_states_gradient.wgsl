@group(0) @binding({{ optional }}) var<storage, read_write> d_hidden_states: array<f32>; // [B, T, H]

fn output_gradient(at: u32) -> f32 {
    return d_hidden_states[at];
}
