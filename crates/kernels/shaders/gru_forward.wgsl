// The GRU, walked forward over the steps of a dispatch, in tiles as the LSTM (lstm_forward.wgsl).

@group(0) @binding({{ next }}) var<storage, read_write> projections: array<f32>; // x W, a token or a word, [_, 3H]
@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding({{ next }}) var<storage, read_write> states: array<f32>; // before and after, [B, H]
// saved: the gates r, z, n and h_{t-1} U_n + b_n, [B, T, H] of four; no meaning past a row's length

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
    let bias = packed[BIAS + place];
    let recurrent_bias = packed[RECURRENT_BIAS + place];
    workgroupBarrier();
    publish_hidden(info.first_step, local, select(Rows(), hidden, Mask(unit < HIDDEN)));
    publish_hidden(info.first_step + 1u, local, Rows());
    workgroupBarrier();

    var inputs = inputs_at(tokens_at(tile, info.first_step));
    for (var step = info.first_step; step < end_step; step++) {
        let live = live_at(tile, step);
        let tokens = tokens_at(tile, step);
        let columns = inputs * (3u * HIDDEN) + place;
        // Read ahead of the product, which they don't wait for.
        let x_r = read_projections(columns);
        let x_z = read_projections(columns + HIDDEN);
        let x_n = read_projections(columns + 2u * HIDDEN);
        inputs = inputs_at(tokens_at(tile, min(step + 1u, info.time - 1u)));
        let product = recurrent_product(tile, step, local, place);
        let x = array<Rows, 3>(x_r + bias.x, x_z + bias.y, x_n + bias.z);
        let u = array<Rows, 3>(
            product[0] + recurrent_bias.x,
            product[1] + recurrent_bias.y,
            product[2] + recurrent_bias.z,
        );
        let next = gru_step(x, u, hidden);
        hidden = select(hidden, next.hidden, live);
        if (unit < HIDDEN) {
            publish_hidden(step + 1u, local, hidden);
        }
        let at = tokens * HIDDEN + place;
        write_hidden_states(at, writes, select(Rows(), hidden, live));
        keep(
            at,
            writes,
            array<Rows, 4>(next.reset_gate, next.update_gate, next.candidate, next.recurrent_candidate),
        );
        workgroupBarrier();
    }

    write_states(state_at(tile, place), writes, hidden);
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        write_hidden_states((tile.rows * info.time + t) * HIDDEN + place, writes, Rows());
    }
    beat(local);
}
