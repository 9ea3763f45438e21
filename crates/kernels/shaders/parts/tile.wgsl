// A tile: four rows of the batch that walk through time together. An invocation owns one hidden unit
// of the four; a vec4 holds a value of each.

const HIDDEN = {{ hidden }}u; // H
const GATES = {{ gates }}u; // G
const ROWS = 4u;

struct Info {
    offsets: vec4u, // where an output that shares its buffer begins
    batch: u32, // B
    time: u32, // T
    first_step: u32, // this dispatch walks the steps first_step, …, end_step - 1
    end_step: u32,
    reverse: u32, // 1: from a row's last valid timestep to its first
}

@group(0) @binding({{ info }}) var<uniform> info: Info;

struct Tile {
    rows: vec4u,
    present: vec4<bool>, // whether the batch has the row
    lengths: vec4u, // 0 for a row that the batch doesn't have
}

fn tile_of(workgroup: vec3u, workgroups: vec3u) -> Tile {
    var tile: Tile;
    tile.rows = (workgroup.z * workgroups.x + workgroup.x) * ROWS + vec4u(0u, 1u, 2u, 3u);
    tile.present = tile.rows < vec4u(info.batch);
    let inside = select(vec4u(), tile.rows, tile.present);
    let found = vec4i(lengths[inside.x], lengths[inside.y], lengths[inside.z], lengths[inside.w]);
    let clamped = vec4u(clamp(found, vec4i(), vec4i(i32(info.time))));
    tile.lengths = select(vec4u(), clamped, tile.present);
    return tile;
}

// Where a unit of each row stands in a [B, H].
fn state_at(tile: Tile, unit: u32) -> vec4u {
    return tile.rows * HIDDEN + unit;
}

// The rows that are within their length at this step of the walk.
fn live_at(tile: Tile, step: u32) -> vec4<bool> {
    return vec4u(step) < tile.lengths;
}

// The index b·T + t of the timestep that each live row has at this step of its walk.
fn tokens_at(tile: Tile, step: u32) -> vec4u {
    let timestep = select(vec4u(step), tile.lengths - 1u - step, vec4<bool>(info.reverse == 1u));
    return tile.rows * info.time + timestep;
}

// Whether this dispatch walks the last steps, with which a walk back begins. The other dispatches of that
// walk find the states' gradients where the one before left them, and where they leave their own.
fn last_part() -> bool {
    return info.end_step == info.time;
}

// The first timestep past the shortest row's length that this dispatch fills with zeros.
fn first_padded(tile: Tile) -> u32 {
    let pairs = min(tile.lengths.xy, tile.lengths.zw);
    return max(min(pairs.x, pairs.y), info.first_step);
}

// The rows that are past their length at timestep t.
fn padded_at(tile: Tile, t: u32) -> vec4<bool> {
    return select(vec4<bool>(), tile.present, tile.lengths <= vec4u(t));
}
