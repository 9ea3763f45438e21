// An invocation owns a unit of one of the four rows: the first LANES that of the first row, and so on.

alias Rows = f32;
alias Bits = u32;
alias Mask = bool;

fn tile_of(workgroup: vec3u, workgroups: vec3u, local: u32, block: u32) -> Tile {
    var tile: Tile;
    tile.index = workgroup.z * workgroups.x + workgroup.x;
    let row = tile.index * ROWS + local / LANES;
    tile.present = row < info.batch;
    tile.rows = select(0u, row, tile.present);
    tile.lengths = length_of(row);
    return tile;
}

fn length_of(row: u32) -> u32 {
    if (row < info.batch) {
        return u32(clamp(lengths[row], 0, i32(info.time)));
    }
    return 0u;
}

// The length of the longest of the four rows.
fn longest(tile: Tile) -> u32 {
    let first = tile.index * ROWS;
    return max(
        max(length_of(first), length_of(first + 1u)),
        max(length_of(first + 2u), length_of(first + 3u)),
    );
}

// A unit's value in the row, of the four rows'.
fn of_rows(values: vec4f, local: u32) -> f32 {
    let row = local / LANES;
    return select(
        select(values.x, values.y, row == 1u),
        select(values.z, values.w, row == 3u),
        row >= 2u,
    );
}
