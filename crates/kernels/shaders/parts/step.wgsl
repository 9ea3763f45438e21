// One step a dispatch, for large hidden sizes: a workgroup has LANES of the units, and reads what the product needs
// of the others from the memory that the dispatch before filled, as many at a time.

const FUSED = false;
const APART = false;
const EXCHANGED = {{ exchange }}u; // of a tile

var<workgroup> exchange: array<vec4f, EXCHANGED * GROUPS>;

fn walk_end(length: u32, local: u32) -> u32 {
    return info.end_step;
}

// They are read from the cache.
fn hold_weights(unit: u32, local: u32) {}
