// The loss reads no hidden state but the final one.
fn output_gradient(at: u32) -> f32 {
    return 0.0;
}
