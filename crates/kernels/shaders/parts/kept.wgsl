@group(0) @binding({{ next }}) var<storage, read_write> saved: array<{{ kept }}>; // [B, T, H]

// What the forward pass kept, a value's four rows side by side.
fn kept_at(at: vec4u) -> mat4x4f {
    return transpose(mat4x4f(
        vec4f(saved[at.x]{{ rest }}),
        vec4f(saved[at.y]{{ rest }}),
        vec4f(saved[at.z]{{ rest }}),
        vec4f(saved[at.w]{{ rest }}),
    ));
}
