// The LSTM, walked forward over the steps of a dispatch.
//
// A workgroup owns its tiles, of four rows each, for the whole walk, an invocation one hidden unit of a tile: its
// cell state never leaves registers, and only the hidden states are exchanged. Rows past their length
// are carried on, and the walk ends with the longest row.

@group(0) @binding({{ next }}) var<storage, read_write> projections: array<f32>; // x W, a token or a word, [_, 4H]
@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
// The states before and after: hidden [B, H]; info.second: cell [B, H]
@group(0) @binding({{ next }}) var<storage, read_write> states: array<f32>;
// saved: the gates i, f, o and the cell, [B, T, H] of four; no meaning past a row's length

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
    var cell = initial_cell(tile, place, local);
    if (info.first_step > 0u) {
        hidden = read_states(state_at(tile, place));
        cell = read_states(info.second + state_at(tile, place));
    }
    let bias = packed[BIAS + place];
    workgroupBarrier();
    publish_hidden(info.first_step, local, select(Rows(), hidden, Mask(unit < HIDDEN)));
    publish_hidden(info.first_step + 1u, local, Rows());
    workgroupBarrier();

    var inputs = inputs_at(tokens_at(tile, info.first_step));
    for (var step = info.first_step; step < end_step; step++) {
        let live = live_at(tile, step);
        let tokens = tokens_at(tile, step);
        let columns = inputs * (4u * HIDDEN) + place;
        // Read ahead of the product, which they don't wait for.
        let x_i = read_projections(columns);
        let x_f = read_projections(columns + HIDDEN);
        let x_g = read_projections(columns + 2u * HIDDEN);
        let x_o = read_projections(columns + 3u * HIDDEN);
        inputs = inputs_at(tokens_at(tile, min(step + 1u, info.time - 1u)));
        let u = recurrent_product(tile, step, local, place);
        let z = array<Rows, 4>(
            x_i + bias.x + u[0],
            x_f + bias.y + u[1],
            x_g + bias.z + u[2],
            x_o + bias.w + u[3],
        );
        let next = lstm_step(z, cell);
        hidden = select(hidden, next.hidden, live);
        cell = select(cell, next.cell, live);
        if (unit < HIDDEN) {
            publish_hidden(step + 1u, local, hidden);
        }
        let at = tokens * HIDDEN + place;
        write_hidden_states(at, writes, select(Rows(), hidden, live));
        keep(at, writes, array<Rows, 4>(next.input_gate, next.forget_gate, next.output_gate, next.cell));
        workgroupBarrier();
    }

    write_states(state_at(tile, place), writes, hidden);
    write_states(info.second + state_at(tile, place), writes, cell);
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        write_hidden_states((tile.rows * info.time + t) * HIDDEN + place, writes, Rows());
    }
    beat(local);
}
