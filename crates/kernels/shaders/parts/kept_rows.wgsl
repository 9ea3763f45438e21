// What the forward pass kept, a value's four rows side by side.
fn kept_at(at: vec4u) -> array<Rows, 4> {
    let kept = transpose(mat4x4f(
        vec4f(saved[at.x]{{ rest }}),
        vec4f(saved[at.y]{{ rest }}),
        vec4f(saved[at.z]{{ rest }}),
        vec4f(saved[at.w]{{ rest }}),
    ));
    return array<Rows, 4>(kept[0], kept[1], kept[2], kept[3]);
}
