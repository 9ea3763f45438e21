// What pack.wgsl laid out for a walk.

@group(0) @binding({{ next }}) var<storage, read_write> packed: array<vec4f>;

const BIAS = {{ bias }}u; // b of a unit's gates, UNITS of them
const RECURRENT_BIAS = {{ recurrent_bias }}u; // b_r, of a cell that has one
const INITIAL = {{ initial }}u; // a unit's initial hidden state in the four rows of a tile, then its cell state

// The recurrent weights from four units, in whole fours, to a gate of a unit: UNITS · GATES · UNITS / 4 of them.
fn weights_at(four: u32, gate: u32, unit: u32) -> u32 {
    return (four * GATES + gate) * UNITS + unit;
}

fn initial_hidden(tile: Tile, unit: u32, local: u32) -> Rows {
    return of_rows(initial_state(packed_tile(tile), unit), local);
}

fn initial_cell(tile: Tile, unit: u32, local: u32) -> Rows {
    return of_rows(initial_state(tiles() + packed_tile(tile), unit), local);
}

// Of the batch.
fn tiles() -> u32 {
    return (info.batch + ROWS - 1u) / ROWS;
}

// A dispatch may have tiles that the batch has no rows for.
fn packed_tile(tile: Tile) -> u32 {
    return min(tile.index, tiles() - 1u);
}

fn initial_state(tile: u32, unit: u32) -> vec4f {
    if (info.given == 0u) {
        return vec4f(0.0);
    }
    return packed[INITIAL + tile * UNITS + unit];
}
