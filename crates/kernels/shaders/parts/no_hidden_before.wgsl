// The cell has no product with the hidden state.
fn hidden_before(token: Token, unit: u32) -> vec4f {
    return vec4f();
}
