// The simple RNN, walked forward over the steps of a dispatch, in tiles as the LSTM
// (lstm_forward.wgsl). The backward pass needs nothing but the hidden states.

@group(0) @binding({{ next }}) var<storage, read_write> projections: array<f32>; // x W, a token or a word, [_, H]
@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding({{ next }}) var<storage, read_write> states: array<f32>; // before and after, [B, H]

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup, workgroups, local);
    let unit = workgroup.y * LANES + lane_of(local);
    // Lanes past the last unit compute it too, and write nothing.
    let place = min(unit, HIDDEN - 1u);
    let writes = both(tile.present, unit < HIDDEN);
    let end_step = walk_end(tile, local);
    hold_weights(place, local);

    var hidden = initial_hidden(tile, place, local);
    if (info.first_step > 0u) {
        hidden = read_states(state_at(tile, place));
    }
    let bias = packed[BIAS + place].x;
    workgroupBarrier();
    publish_hidden(info.first_step, local, select(Rows(), hidden, Mask(unit < HIDDEN)));
    publish_hidden(info.first_step + 1u, local, Rows());
    workgroupBarrier();

    var inputs = inputs_at(tokens_at(tile, info.first_step));
    for (var step = info.first_step; step < end_step; step++) {
        let live = live_at(tile, step);
        // Read ahead of the product, which it doesn't wait for.
        let x = read_projections(inputs * HIDDEN + place);
        let at = tokens_at(tile, step) * HIDDEN + place;
        inputs = inputs_at(tokens_at(tile, min(step + 1u, info.time - 1u)));
        let next = simple_rnn_step(x + bias + recurrent_product(tile, step, local, place)[0]);
        hidden = select(hidden, next, live);
        if (unit < HIDDEN) {
            publish_hidden(step + 1u, local, hidden);
        }
        write_hidden_states(at, writes, select(Rows(), hidden, live));
        workgroupBarrier();
    }

    write_states(state_at(tile, place), writes, hidden);
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        write_hidden_states((tile.rows * info.time + t) * HIDDEN + place, writes, Rows());
    }
    beat(local);
}
