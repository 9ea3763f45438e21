// No product with the hidden state: a unit needs no other, and walks to its tile's longest row by itself.

const FUSED = false;

fn walk_end(tile: Tile, unit: u32) -> u32 {
    let pairs = max(tile.lengths.xy, tile.lengths.zw);
    return min(info.end_step, max(pairs.x, pairs.y));
}
