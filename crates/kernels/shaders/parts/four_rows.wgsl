// An invocation owns a unit of all four rows.

alias Rows = vec4f;
alias Bits = vec4u;
alias Mask = vec4<bool>;

// `block`: which of the invocation's tiles.
fn tile_of(workgroup: vec3u, workgroups: vec3u, local: u32, block: u32) -> Tile {
    var tile: Tile;
    let group = (workgroup.z * workgroups.x + workgroup.x) * GROUPS + local / LANES;
    tile.index = group * BLOCKS + block;
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

// A unit's values in the rows.
fn of_rows(values: vec4f, local: u32) -> vec4f {
    return values;
}
