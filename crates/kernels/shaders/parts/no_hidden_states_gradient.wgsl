// The loss reads no hidden state but the final one.
fn output_gradient(at: vec4u, live: vec4<bool>) -> vec4f {
    return vec4f();
}
