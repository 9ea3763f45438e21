// The minGRU, walked forward over the steps of a dispatch, in tiles as the LSTM (lstm_forward.wgsl). No unit reads
// another: nothing is exchanged, and no invocation waits.

@group(0) @binding(0) var<storage, read_write> projections: array<f32>; // x W + b, [B, T, 2H]
@group(0) @binding(1) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(2) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(3) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(4) var<storage, read_write> final_hidden: array<f32>; // [B, H]
// saved: the gate z and x_h, [B, T, 2H], since near 1/2 rounding hides on which side of 0 a candidate comes from; no
// meaning past a row's length

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup, workgroups);
    let unit = workgroup.y * {{ workgroup }}u + local;
    if (unit < HIDDEN) {
        let end_step = walk_end(tile, unit);
        var hidden = read_initial_hidden(state_at(tile, unit), tile.present);
        for (var step = info.first_step; step < end_step; step++) {
            let live = live_at(tile, step);
            let tokens = tokens_at(tile, step);
            let columns = tokens * 2u * HIDDEN + unit;
            let x_z = read_projections(columns, live);
            let x_h = read_projections(columns + HIDDEN, live);
            let next = min_gru_step(x_z, x_h, hidden);
            hidden = select(hidden, next.hidden, live);

            write_hidden_states(tokens * HIDDEN + unit, live, hidden);
            save(columns, live, next.update_gate);
            save(columns + HIDDEN, live, x_h);
        }
        write_final_hidden(state_at(tile, unit), tile.present, hidden);
        for (var t = first_padded(tile); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * HIDDEN + unit;
            write_hidden_states(padded, padded_at(tile, t), vec4f());
        }
    }
    beat(local);
}
