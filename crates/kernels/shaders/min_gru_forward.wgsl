// The minGRU, walked forward over the steps of a dispatch, in tiles as the other cells (walk_forward.wgsl). No unit reads
// another: nothing is exchanged, and no invocation waits.

@group(0) @binding({{ next }}) var<storage, read_write> projections: array<f32>; // x W, a token or a word, [_, 2H]
@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding({{ next }}) var<storage, read_write> states: array<f32>; // before and after, [B, H]
// saved: the gate z and x_h, [B, T, H] of two, since near 1/2 rounding hides on which side of 0 a candidate comes
// from; no meaning past a row's length

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup, workgroups, local, 0u);
    let unit = workgroup.y * LANES + lane_of(local);
    if (unit < HIDDEN) {
        let end_step = walk_end(longest(tile), local);
        var hidden = initial_hidden(tile, unit, local);
        if (info.first_step > 0u) {
            hidden = read_states(state_at(tile, unit));
        }
        let bias = packed[BIAS + unit];
        // No product hides how long memory takes: projections are read a step ahead, and where they stand two.
        var columns = columns_at(tile, info.first_step, unit);
        var next_z = read_projections(columns);
        var next_h = read_projections(columns + HIDDEN);
        columns = columns_at(tile, info.first_step + 1u, unit);
        for (var step = info.first_step; step < end_step; step++) {
            let live = live_at(tile, step);
            let tokens = tokens_at(tile, step);
            let x_z = next_z + bias.x;
            let x_h = next_h + bias.y;
            next_z = read_projections(columns);
            next_h = read_projections(columns + HIDDEN);
            columns = columns_at(tile, step + 2u, unit);
            let next = min_gru_step(x_z, x_h, hidden);
            hidden = select(hidden, next.hidden, live);

            let at = tokens * HIDDEN + unit;
            write_hidden_states(at, tile.present, select(Rows(), hidden, live));
            keep(at, tile.present, array<Rows, 4>(next.update_gate, x_h, Rows(), Rows()));
        }
        write_states(state_at(tile, unit), tile.present, hidden);
        for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
            write_hidden_states((tile.rows * info.time + t) * HIDDEN + unit, tile.present, Rows());
        }
    }
    beat(local);
}

// Where a step's projections stand; past the last one, any.
fn columns_at(tile: Tile, step: u32, unit: u32) -> Bits {
    return inputs_at(tokens_at(tile, min(step, info.time - 1u))) * (2u * HIDDEN) + unit;
}
