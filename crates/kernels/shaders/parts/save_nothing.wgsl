// Outside training nothing is kept for a backward pass.
fn save(at: vec4u, live: vec4<bool>, values: vec4f) {}
