// The simple RNN's backward pass, in tiles and from the last step to the first as the LSTM's
// (lstm_backward.wgsl).

@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
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
        let at = tokens_at(tile, step) * HIDDEN + place;
        // Read ahead of the product, which they don't wait for.
        let hidden = read_hidden_states(at);
        let d_output = read_d_hidden_states(at);

        if (follows(step, end_step)) {
            d_hidden += hidden_gradient(tile, step + 1u, local, first_unit);
        }
        if (!APART) {
            workgroupBarrier();
        }
        let d = select(Rows(), simple_rnn_step_backward(hidden, d_hidden + d_output), live);
        d_hidden = select(d_hidden, Rows(), live);
        publish_gradient(local, array<Rows, 4>(d, Rows(), Rows(), Rows()));
        write_gradients(at, writes, d);
        workgroupBarrier();
    }

    if (ends(end_step)) {
        d_hidden += hidden_gradient(tile, info.first_step, local, first_unit);
    }
    write_gradients(info.states + state, writes, d_hidden);
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        write_gradients((tile.rows * info.time + t) * HIDDEN + place, writes, Rows());
    }
    beat(local);
}
