// One step a dispatch: the pointwise part alone, the product made by a matrix multiplication between
// two dispatches.

const FUSED = false;

fn walk_end(tile: Tile, unit: u32) -> u32 {
    return info.end_step;
}
