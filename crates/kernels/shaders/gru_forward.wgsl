// The GRU, walked forward over the steps of a dispatch, in tiles as the LSTM (lstm_forward.wgsl).

@group(0) @binding(0) var<storage, read_write> projections: array<f32>; // x W + b, [B, T, 3H]
@group(0) @binding(2) var<storage, read_write> recurrent_bias: array<f32>; // b_r, [3H]
@group(0) @binding(3) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(4) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(5) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(6) var<storage, read_write> final_hidden: array<f32>; // [B, H]
// saved: the gates r, z, n and h_{t-1} U_n + b_n, [B, T, 4H]; no meaning past a row's length

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = tile_of(workgroup, workgroups);
    let unit = workgroup.y * {{ workgroup }}u + local;
    let owner = unit < HIDDEN;
    let end_step = walk_end(tile, unit);

    var hidden = vec4f();
    var bias: vec3f;
    if (owner) {
        hidden = read_initial_hidden(state_at(tile, unit), tile.present);
        bias = vec3f(
            recurrent_bias[unit],
            recurrent_bias[HIDDEN + unit],
            recurrent_bias[2u * HIDDEN + unit],
        );
        publish_hidden(tile, info.first_step, unit, hidden);
    }
    workgroupBarrier();

    for (var step = info.first_step; step < end_step; step++) {
        if (owner) {
            let live = live_at(tile, step);
            let tokens = tokens_at(tile, step);
            let columns = tokens * 3u * HIDDEN + unit;
            // Read ahead of the product, which they don't wait for.
            let x_r = read_projections(columns, live);
            let x_z = read_projections(columns + HIDDEN, live);
            let x_n = read_projections(columns + 2u * HIDDEN, live);
            let product = recurrent_product(tile, step, unit);
            let x = array<vec4f, 3>(x_r, x_z, x_n);
            let u = array<vec4f, 3>(product[0] + bias.x, product[1] + bias.y, product[2] + bias.z);
            let next = gru_step(x, u, hidden);
            hidden = select(hidden, next.hidden, live);
            publish_hidden(tile, step + 1u, unit, hidden);

            write_hidden_states(tokens * HIDDEN + unit, live, hidden);
            let kept = tokens * 4u * HIDDEN + unit;
            save(kept, live, next.reset_gate);
            save(kept + HIDDEN, live, next.update_gate);
            save(kept + 2u * HIDDEN, live, next.candidate);
            save(kept + 3u * HIDDEN, live, next.recurrent_candidate);
        }
        workgroupBarrier();
    }

    if (owner) {
        write_final_hidden(state_at(tile, unit), tile.present, hidden);
        for (var t = first_padded(tile); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * HIDDEN + unit;
            write_hidden_states(padded, padded_at(tile, t), vec4f());
        }
    }
    beat(local);
}
