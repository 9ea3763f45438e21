@group(0) @binding({{ extra }}) var<storage, read_write> d_hidden_states: array<f32>; // [B, T, H]

fn output_gradient(at: vec4u, live: vec4<bool>) -> vec4f {
    return read_d_hidden_states(at, live);
}
