// The LSTM's backward pass: the same tiles, walked from the last step to the first over the saved gates.
//
// What a step leaves for the one before is dz_t Uᵀ, which needs dz of all units: it is published, and
// multiplied when the next step begins. The gradients of the weights are sums over all
// timesteps, made afterwards (weight_gradients.wgsl).

@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
// saved: i, f, o and the cell, [B, T, H] of four
// d_final_hidden, d_final_cell: [B, H]; d_hidden_states: [B, T, H]

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup, workgroups, local);
    let first_unit = workgroup.y * LANES;
    let unit = first_unit + lane_of(local);
    // Lanes past the last unit compute it too, and write nothing.
    let place = min(unit, HIDDEN - 1u);
    let writes = both(tile.present, unit < HIDDEN);
    let end_step = walk_end(tile, local);
    hold_weights(place, local);
    let state = state_at(tile, place);

    var d_hidden: Rows;
    var d_cell: Rows;
    if (last_part()) {
        d_hidden = read_d_final_hidden(state);
        d_cell = read_d_final_cell(state);
    } else {
        d_hidden = read_gradients(info.states + state);
        d_cell = read_gradients(info.states + info.second + state);
    }

    // A step is read while the one after it is computed: its cell state is what that one started from.
    var kept = kept_at(tokens_at(tile, before(end_step)) * HIDDEN + place);
    for (var step = end_step; step > info.first_step;) {
        step--;
        let live = both(live_at(tile, step), unit < HIDDEN);
        let tokens = tokens_at(tile, step);
        let earlier = kept_at(tokens_at(tile, before(step)) * HIDDEN + place);
        let d_output = read_d_hidden_states(tokens * HIDDEN + place);
        var previous_cell = earlier[3];
        if (step == 0u) {
            previous_cell = initial_cell(tile, place, local);
        }

        if (follows(step, end_step)) {
            d_hidden += hidden_gradient(tile, step + 1u, local, first_unit);
        }
        if (!APART) {
            workgroupBarrier();
        }
        let at_step = lstm_kept(kept[0], kept[1], kept[2], kept[3], previous_cell);
        let d = lstm_step_backward(at_step, previous_cell, d_hidden + d_output, d_cell);
        d_hidden = select(d_hidden, Rows(), live);
        d_cell = select(d_cell, d.previous_cell, live);
        let d_z = array<Rows, 4>(
            select(Rows(), d.z[0], live),
            select(Rows(), d.z[1], live),
            select(Rows(), d.z[2], live),
            select(Rows(), d.z[3], live),
        );
        publish_gradient(local, d_z);

        let columns = tokens * (4u * HIDDEN) + place;
        write_gradients(columns, writes, d_z[0]);
        write_gradients(columns + HIDDEN, writes, d_z[1]);
        write_gradients(columns + 2u * HIDDEN, writes, d_z[2]);
        write_gradients(columns + 3u * HIDDEN, writes, d_z[3]);
        kept = earlier;
        workgroupBarrier();
    }

    if (ends(end_step)) {
        d_hidden += hidden_gradient(tile, info.first_step, local, first_unit);
    }
    write_gradients(info.states + state, writes, d_hidden);
    write_gradients(info.states + info.second + state, writes, d_cell);
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        let padded = (tile.rows * info.time + t) * (4u * HIDDEN) + place;
        for (var gate = 0u; gate < 4u; gate++) {
            write_gradients(padded + gate * HIDDEN, writes, Rows());
        }
    }
    beat(local);
}
