// A tile: four rows of the batch that walk through time together. An invocation owns one hidden unit
// of the four; a vec4 holds a value of each. A workgroup has GROUPS tiles.

const HIDDEN = {{ hidden }}u; // H
const UNITS = {{ units }}u; // H, padded to whole eights
const GATES = {{ gates }}u; // G
const GROUPS = {{ groups }}u;
const LANES = {{ lanes }}u; // invocations of a tile
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
    rows: vec4u, // 0 for a row that the batch doesn't have
    present: vec4<bool>, // whether the batch has the row
    lengths: vec4u,
}

// The invocation's place in its tile.
fn lane_of(local: u32) -> u32 {
    return local % LANES;
}

fn tile_of(workgroup: vec3u, workgroups: vec3u, local: u32) -> Tile {
    var tile: Tile;
    tile.index = (workgroup.z * workgroups.x + workgroup.x) * GROUPS + local / LANES;
    let rows = tile.index * ROWS + vec4u(0u, 1u, 2u, 3u);
    tile.present = rows < vec4u(info.batch);
    tile.rows = select(vec4u(), rows, tile.present);
    let found = vec4i(
        lengths[tile.rows.x],
        lengths[tile.rows.y],
        lengths[tile.rows.z],
        lengths[tile.rows.w],
    );
    let clamped = vec4u(clamp(found, vec4i(), vec4i(i32(info.time))));
    tile.lengths = select(vec4u(), clamped, tile.present);
    return tile;
}

// The longest row's length.
fn longest(tile: Tile) -> u32 {
    let pairs = max(tile.lengths.xy, tile.lengths.zw);
    return max(pairs.x, pairs.y);
}

// Where a unit of each row stands in a [B, H].
fn state_at(tile: Tile, unit: u32) -> vec4u {
    return tile.rows * HIDDEN + unit;
}

// The rows that are within their length at this step of the walk.
fn live_at(tile: Tile, step: u32) -> vec4<bool> {
    return vec4u(step) < tile.lengths;
}

// The index b·T + t of the timestep that each live row has at this step of its walk. A row past its length
// stands at the padded timestep of that number, so that every timestep of a row is met once.
fn tokens_at(tile: Tile, step: u32) -> vec4u {
    let reversed = both(live_at(tile, step), info.reverse == 1u);
    let timestep = select(vec4u(step), tile.lengths - 1u - step, reversed);
    return tile.rows * info.time + timestep;
}

fn both(rows: vec4<bool>, all: bool) -> vec4<bool> {
    return select(vec4<bool>(), rows, vec4<bool>(all));
}

// The step before, or the first one.
fn before(step: u32) -> u32 {
    return max(step, 1u) - 1u;
}
