
// {{ buffer }}: not given, so zero.
fn read_{{ buffer }}(at: vec4u) -> vec4f {
    return vec4f();
}
