
// The adapter has no buffer left to count ends in.
fn beat(local: u32) {}
