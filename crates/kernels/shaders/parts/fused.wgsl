// All steps in one dispatch: the invocations of a tile exchange what the product needs through
// workgroup memory.

const FUSED = true;
const APART = {{ apart }}; // whether a walk back adds sums in memory of their own
const EXCHANGED = {{ exchange }}u; // of a tile

var<workgroup> exchange: array<vec4f, EXCHANGED * GROUPS * BLOCKS>;

// Where a tile's part of it begins.
fn exchange_of(local: u32, block: u32) -> u32 {
    return (local / LANES * BLOCKS + block) * EXCHANGED;
}

// Where the walk ends: with the longest row of the workgroup, `length` of the invocation's tiles. Read back from workgroup
// memory, because barriers need a bound that is uniform beyond doubt; a float, because there is no room for another
// variable.
fn walk_end(length: u32, local: u32) -> u32 {
    if (lane_of(local) == 0u) {
        exchange[local / LANES] = vec4f(f32(length));
    }
    var end = workgroupUniformLoad(&exchange[0]).x;
    for (var group = 1u; group < GROUPS; group++) {
        end = max(end, workgroupUniformLoad(&exchange[group]).x);
    }
    return min(info.end_step, u32(end));
}

// They are read from the cache.
fn hold_weights(unit: u32, local: u32) {}
