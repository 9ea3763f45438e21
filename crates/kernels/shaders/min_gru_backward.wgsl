// The minGRU's backward pass, in tiles and from the last step to the first as the LSTM's (lstm_backward.wgsl).

@group(0) @binding(0) var<storage, read_write> saved: array<f32>; // z and x_h, [B, T, 2H]
@group(0) @binding(1) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(2) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(3) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(4) var<storage, read_write> d_final_hidden: array<f32>; // [B, H]
// Projections [B, T, 2H]; offsets.x: initial hidden state [B, H]
@group(0) @binding(5) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup, workgroups);
    let unit = workgroup.y * {{ workgroup }}u + local;
    if (unit < HIDDEN) {
        var d_hidden: vec4f;
        if (last_part()) {
            d_hidden = read_d_final_hidden(state_at(tile, unit), tile.present);
        } else {
            d_hidden = read_gradients(info.offsets.x + state_at(tile, unit), tile.present);
        }
        for (var step = walk_end(tile, unit); step > info.first_step;) {
            step--;
            let live = live_at(tile, step);
            let tokens = tokens_at(tile, step);
            let columns = tokens * 2u * HIDDEN + unit;
            let update_gate = read_saved(columns, live);
            let x_h = read_saved(columns + HIDDEN, live);
            var previous_hidden: vec4f;
            if (step == 0u) {
                previous_hidden = read_initial_hidden(state_at(tile, unit), live);
            } else {
                let before = tokens_at(tile, step - 1u);
                previous_hidden = read_hidden_states(before * HIDDEN + unit, live);
            }
            d_hidden += output_gradient(tokens * HIDDEN + unit, live);
            let d = min_gru_step_backward(update_gate, x_h, previous_hidden, d_hidden);
            write_gradients(columns, live, d.x_z);
            write_gradients(columns + HIDDEN, live, d.x_h);
            d_hidden = select(d_hidden, d.previous_hidden, live);
        }
        write_gradients(info.offsets.x + state_at(tile, unit), tile.present, d_hidden);
        for (var t = first_padded(tile); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * 2u * HIDDEN + unit;
            write_gradients(padded, padded_at(tile, t), vec4f());
            write_gradients(padded + HIDDEN, padded_at(tile, t), vec4f());
        }
    }
    beat(local);
}
