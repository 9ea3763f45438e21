// What the forward pass kept.
fn kept_at(at: u32) -> array<Rows, 4> {
    let kept = vec4f(saved[at]{{ rest }});
    return array<Rows, 4>(kept.x, kept.y, kept.z, kept.w);
}
