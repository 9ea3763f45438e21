// All steps in one dispatch, four invocations a unit: each holds a quarter of the unit's recurrent weights in registers,
// multiplies them for all four rows, and then goes on with one of the rows. The weights are read once a walk.

const FUSED = true;
const APART = true;
const QUARTER = UNITS / 4u;
const PARTS = {{ parts }}u; // where the quarters' sums begin in what is exchanged

var<workgroup> exchange: array<f32, {{ exchange }}>;

// Where the walk ends: with the longest row. Read back from workgroup memory, because barriers need a bound that is
// uniform beyond doubt.
fn walk_end(length: u32, local: u32) -> u32 {
    if (local == 0u) {
        exchange[0] = f32(length);
    }
    return min(info.end_step, u32(workgroupUniformLoad(&exchange[0])));
}

// Four rows' values side by side.
fn exchanged(at: u32) -> vec4f {
    return vec4f(exchange[at], exchange[at + 1u], exchange[at + 2u], exchange[at + 3u]);
}

// Leaves the sums of a quarter for the invocations that own the other rows.
fn leave_part(place: u32, local: u32, sum: vec4f) {
    let quarter = local / LANES;
    let at = PARTS + (place * 4u + quarter) * 3u * LANES + lane_of(local);
    if (quarter != 0u) {
        exchange[at] = sum.x;
    }
    if (quarter != 1u) {
        exchange[at + select(1u, 0u, quarter < 1u) * LANES] = sum.y;
    }
    if (quarter != 2u) {
        exchange[at + select(2u, 1u, quarter < 2u) * LANES] = sum.z;
    }
    if (quarter != 3u) {
        exchange[at + 2u * LANES] = sum.w;
    }
}

// The quarters' sums for this invocation's row, always in the same order.
fn add_parts(place: u32, local: u32, own: vec4f) -> f32 {
    let row = local / LANES;
    var sum = 0.0;
    for (var quarter = 0u; quarter < 4u; quarter++) {
        // A quarter leaves three rows: its own is not among them.
        let slot = min(select(row, row - 1u, row > quarter), 2u);
        let part = exchange[PARTS + ((place * 4u + quarter) * 3u + slot) * LANES + lane_of(local)];
        sum += select(part, of_rows(own, local), quarter == row);
    }
    return sum;
}
