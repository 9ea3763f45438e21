// The GRU's backward pass, in tiles and from the last step to the first as the LSTM's
// (lstm_backward.wgsl). The candidate's two halves have different gradients: that of h U_n + b_n is recorded
// behind those of x W + b.

@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
// saved: r, z, n and h_{t-1} U_n + b_n, [B, T, H] of four
// d_final_hidden: [B, H]; d_hidden_states: [B, T, H]

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
    if (last_part()) {
        d_hidden = read_d_final_hidden(state);
    } else {
        d_hidden = read_gradients(info.states + state);
    }

    for (var step = end_step; step > info.first_step;) {
        step--;
        let live = both(live_at(tile, step), unit < HIDDEN);
        let tokens = tokens_at(tile, step);
        // Read ahead of the product, which they don't wait for.
        let kept = kept_at(tokens * HIDDEN + place);
        let d_output = read_d_hidden_states(tokens * HIDDEN + place);
        var previous_hidden = read_hidden_states(tokens_at(tile, before(step)) * HIDDEN + place);
        if (step == 0u) {
            previous_hidden = initial_hidden(tile, place, local);
        }

        if (follows(step, end_step)) {
            d_hidden += hidden_gradient(tile, step + 1u, local, first_unit);
        }
        if (!APART) {
            workgroupBarrier();
        }
        var at_step: GruStep;
        at_step.reset_gate = kept[0];
        at_step.update_gate = kept[1];
        at_step.candidate = kept[2];
        at_step.recurrent_candidate = kept[3];
        let d = gru_step_backward(at_step, previous_hidden, d_hidden + d_output);
        d_hidden = select(d_hidden, d.previous_hidden, live);
        let d_r = select(Rows(), d.x[0], live);
        let d_z = select(Rows(), d.x[1], live);
        let d_n = select(Rows(), d.recurrent_candidate, live);
        publish_gradient(local, array<Rows, 4>(d_r, d_z, d_n, Rows()));

        let columns = tokens * (4u * HIDDEN) + place;
        write_gradients(columns, writes, d_r);
        write_gradients(columns + HIDDEN, writes, d_z);
        write_gradients(columns + 2u * HIDDEN, writes, select(Rows(), d.x[2], live));
        write_gradients(columns + 3u * HIDDEN, writes, d_n);
        workgroupBarrier();
    }

    if (ends(end_step)) {
        d_hidden += hidden_gradient(tile, info.first_step, local, first_unit);
    }
    write_gradients(info.states + state, writes, d_hidden);
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        let padded = (tile.rows * info.time + t) * (4u * HIDDEN) + place;
        for (var gate = 0u; gate < 4u; gate++) {
            write_gradients(padded + gate * HIDDEN, writes, Rows());
        }
    }
    beat(local);
}
