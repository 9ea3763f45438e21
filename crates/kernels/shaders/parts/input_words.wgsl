// The layer's input, the vector of a timestep's word.
@group(0) @binding({{ next }}) var<storage, read_write> vectors: array<f32>; // [V, D]
@group(0) @binding({{ next }}) var<storage, read_write> ids: array<i32>; // [B, T]

fn input_of(token: u32, i: u32) -> f32 {
    return vectors[min(u32(ids[token]), info.words - 1u) * INPUT + i];
}
