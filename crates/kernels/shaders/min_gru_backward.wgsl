// The minGRU's backward pass, in tiles and from the last step to the first as the other cells' (walk_backward.wgsl).

@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
// saved: z and x_h, [B, T, H] of two
// initial_hidden, d_final_hidden: [B, H]; d_hidden_states: [B, T, H]

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup, workgroups, local, 0u);
    let unit = workgroup.y * LANES + lane_of(local);
    if (unit < HIDDEN) {
        let state = state_at(tile, unit);
        let end_step = walk_end(longest(tile), local);
        var d_hidden: Rows;
        if (last_part()) {
            d_hidden = read_d_final_hidden(state);
        } else {
            d_hidden = read_gradients(info.states + state);
        }
        // No product hides how long memory takes: it is read a step ahead.
        var next_kept = kept_at(tokens_at(tile, before(end_step)) * HIDDEN + unit);
        var next_hidden = read_hidden_states(tokens_at(tile, before(before(end_step))) * HIDDEN + unit);
        for (var step = end_step; step > info.first_step;) {
            step--;
            let live = live_at(tile, step);
            let tokens = tokens_at(tile, step);
            let kept = next_kept;
            var previous_hidden = next_hidden;
            next_kept = kept_at(tokens_at(tile, before(step)) * HIDDEN + unit);
            next_hidden = read_hidden_states(tokens_at(tile, before(before(step))) * HIDDEN + unit);
            if (step == 0u) {
                previous_hidden = read_initial_hidden(state);
            }
            let d_after = d_hidden + read_d_hidden_states(tokens * HIDDEN + unit);
            let d = min_gru_step_backward(kept[0], kept[1], previous_hidden, d_after);
            let columns = tokens * (2u * HIDDEN) + unit;
            write_gradients(columns, tile.present, select(Rows(), d.x_z, live));
            write_gradients(columns + HIDDEN, tile.present, select(Rows(), d.x_h, live));
            d_hidden = select(d_hidden, d.previous_hidden, live);
        }
        write_gradients(info.states + state, tile.present, d_hidden);
        for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * (2u * HIDDEN) + unit;
            write_gradients(padded, tile.present, Rows());
            write_gradients(padded + HIDDEN, tile.present, Rows());
        }
    }
    beat(local);
}
