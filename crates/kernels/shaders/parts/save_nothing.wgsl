// Outside training nothing is kept for a backward pass.
fn save(at: u32, value: f32) {}
