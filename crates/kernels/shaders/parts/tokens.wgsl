// A token has a projection.
fn inputs_at(tokens: vec4u) -> vec4u {
    return tokens;
}
