
// There is one parameter.
fn step_of_second(i: u32) {}
