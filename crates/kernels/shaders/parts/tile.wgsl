// A tile: four rows of the batch that walk through time together. An invocation owns one hidden unit, of all four rows
// or of one: Rows holds a value of each of its rows, Bits an index, Mask a yes or no.

const HIDDEN = {{ hidden }}u; // H
const UNITS = {{ units }}u; // H, padded
const GATES = {{ gates }}u; // G
const HAS_CELL = {{ has_cell }};
const GROUPS = {{ groups }}u; // groups of a workgroup's invocations that have tiles of their own
const BLOCKS = {{ blocks }}u; // tiles of an invocation, one or two
const LANES = {{ lanes }}u; // invocations of a group, or of a row
const ROWS = 4u;

struct Info {
    batch: u32, // B
    time: u32, // T
    first_step: u32, // this dispatch walks the steps first_step, …, end_step - 1
    end_step: u32,
    reverse: u32, // 1: from a row's last valid timestep to its first
    given: u32, // 1: there is an initial state
    words: u32, // V, where a word has a projection
    second: u32, // where the cell states begin behind the hidden ones, or their gradients
    states: u32, // where the gradients of the initial states begin
}

@group(0) @binding({{ next }}) var<uniform> info: Info;

struct Tile {
    index: u32,
    rows: Bits, // 0 for a row that the batch doesn't have
    present: Mask, // whether the batch has the row
    lengths: Bits,
}

// Of an invocation's tile, and of its second one where it has two.
struct Sums {
    first: array<Rows, 4>, // one a gate, the first GATES
    second: array<Rows, 4>,
}

struct Left {
    first: Rows,
    second: Rows,
}

// The invocation's place among those of its rows.
fn lane_of(local: u32) -> u32 {
    return local % LANES;
}

// Where a unit of each row stands in a [B, H].
fn state_at(tile: Tile, unit: u32) -> Bits {
    return tile.rows * HIDDEN + unit;
}

// The rows that are within their length at this step of the walk.
fn live_at(tile: Tile, step: u32) -> Mask {
    return Bits(step) < tile.lengths;
}

// The index b·T + t of the timestep that each live row has at this step of its walk. A row past its length
// stands at the padded timestep of that number, so that every timestep of a row is met once.
fn tokens_at(tile: Tile, step: u32) -> Bits {
    let reversed = both(live_at(tile, step), info.reverse == 1u);
    let timestep = select(Bits(step), tile.lengths - 1u - step, reversed);
    return tile.rows * info.time + timestep;
}

fn both(rows: Mask, all: bool) -> Mask {
    return select(Mask(), rows, Mask(all));
}

// The step before, or the first one.
fn before(step: u32) -> u32 {
    return max(step, 1u) - 1u;
}
