// Keeps values for the backward pass.
fn keep(at: u32, there: bool, v: array<Rows, 4>) {
    if (there) {
        saved[at] = {{ kept }}(vec4f(v[0], v[1], v[2], v[3]){{ components }});
    }
}
