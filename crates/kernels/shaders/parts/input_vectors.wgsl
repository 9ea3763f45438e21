// The layer's input, a vector a timestep.
@group(0) @binding({{ next }}) var<storage, read_write> vectors: array<f32>; // [B, T, D]

// Four of its numbers, zero past the last.
fn input_of(token: u32, i: u32) -> vec4f {
    let last = INPUT - 1u - i;
    let others = min(vec3u(1u, 2u, 3u), vec3u(last));
    let at = token * INPUT + i;
    let values = vec4f(
        vectors[at],
        vectors[at + others.x],
        vectors[at + others.y],
        vectors[at + others.z],
    );
    return select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
}
