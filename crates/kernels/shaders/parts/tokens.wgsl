// A token has a projection.
fn inputs_at(tokens: Bits) -> Bits {
    return tokens;
}
