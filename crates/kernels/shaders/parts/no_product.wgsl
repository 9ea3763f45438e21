// No product with the hidden state: a unit needs no other, and walks to its tile's longest row by itself.

const FUSED = true;

fn walk_end(length: u32, local: u32) -> u32 {
    return min(info.end_step, length);
}
