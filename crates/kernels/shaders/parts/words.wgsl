// A word has a projection: where each row's stands.
@group(0) @binding({{ next }}) var<storage, read_write> ids: array<i32>; // [B, T]

fn inputs_at(tokens: vec4u) -> vec4u {
    let words = vec4i(ids[tokens.x], ids[tokens.y], ids[tokens.z], ids[tokens.w]);
    return min(vec4u(words), vec4u(info.words - 1u));
}
