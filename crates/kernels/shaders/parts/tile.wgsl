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
    first_row: u32,
    lengths: vec4u, // 0 for a row that the batch doesn't have
}

fn tile_of(workgroup: u32) -> Tile {
    var tile: Tile;
    tile.first_row = workgroup * ROWS;
    for (var i = 0u; i < ROWS; i++) {
        if (present(tile, i)) {
            tile.lengths[i] = u32(clamp(lengths[tile.first_row + i], 0, i32(info.time)));
        }
    }
    return tile;
}

// Whether the batch has row i of the tile.
fn present(tile: Tile, i: u32) -> bool {
    return tile.first_row + i < info.batch;
}

// Where row i's unit stands in a [B, H].
fn state_at(tile: Tile, i: u32, unit: u32) -> u32 {
    return (tile.first_row + i) * HIDDEN + unit;
}

// The index b·T + t of timestep t of row i.
fn token_at(tile: Tile, i: u32, t: u32) -> u32 {
    return (tile.first_row + i) * info.time + t;
}

// The same for the timestep that row i has at this step of its walk.
fn walked_token(tile: Tile, i: u32, step: u32) -> u32 {
    return token_at(tile, i, select(step, tile.lengths[i] - 1u - step, info.reverse == 1u));
}
