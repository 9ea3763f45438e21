// The layer's input, a vector a timestep.
@group(0) @binding({{ next }}) var<storage, read_write> vectors: array<f32>; // [B, T, D]

fn input_of(token: u32, i: u32) -> f32 {
    return vectors[token * INPUT + i];
}
