// The cell has no product with the hidden state.
fn hidden_before(token: Token, unit: u32) -> f32 {
    return 0.0;
}
