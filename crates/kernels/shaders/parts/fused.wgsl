// All steps in one dispatch: the invocations of a workgroup exchange what the product needs through
// workgroup memory.

const FUSED = true;

var<workgroup> exchange: array<vec4f, {{ exchange }}>;

// Where the walk ends: with the tile's longest row. Read back from workgroup memory, because barriers
// need a bound that is uniform beyond doubt; a float, because there is no room for another variable.
fn walk_end(tile: Tile, unit: u32) -> u32 {
    if (unit == 0u) {
        let pairs = max(tile.lengths.xy, tile.lengths.zw);
        exchange[0] = vec4f(f32(max(pairs.x, pairs.y)));
    }
    return min(info.end_step, u32(workgroupUniformLoad(&exchange[0]).x));
}
