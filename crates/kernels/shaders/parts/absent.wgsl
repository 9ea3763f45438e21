
// {{ buffer }}: not given.
fn {{ buffer }}_at(at: u32, there: bool) -> f32 {
    return 0.0;
}
