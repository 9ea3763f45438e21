// The layer's input, the vector of a timestep's word.
@group(0) @binding({{ next }}) var<storage, read_write> vectors: array<f32>; // [V, D]
@group(0) @binding({{ next }}) var<storage, read_write> ids: array<i32>; // [B, T]

// Four of its numbers, zero past the last.
fn input_of(token: u32, i: u32) -> vec4f {
    let last = INPUT - 1u - i;
    let others = min(vec3u(1u, 2u, 3u), vec3u(last));
    let at = min(u32(ids[token]), info.words - 1u) * INPUT + i;
    let values = vec4f(
        vectors[at],
        vectors[at + others.x],
        vectors[at + others.y],
        vectors[at + others.z],
    );
    return select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
}
