// The GRU, walked forward over the steps of a dispatch, in tiles as the LSTM (lstm_forward.wgsl).

@group(0) @binding(0) var<storage, read_write> projections: array<f32>; // x W + b, [B, T, 3H]
@group(0) @binding(2) var<storage, read_write> recurrent_bias: array<f32>; // b_r, [3H]
@group(0) @binding(3) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(4) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(5) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(6) var<storage, read_write> final_hidden: array<f32>; // [B, H]
// saved: the gates r, z, n and h_{t-1} U_n + b_n, [B, T, 4H]; no meaning past a row's length

@compute @workgroup_size({{ workgroup }})
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    let tile = tile_of(workgroup.x);
    let unit = workgroup.y * {{ workgroup }}u + local;
    let owner = unit < HIDDEN;
    let end_step = walk_end(tile, unit);

    var hidden = vec4f();
    var bias: array<f32, 3>;
    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                hidden[i] = initial_hidden[state_at(tile, i, unit)];
            }
        }
        for (var gate = 0u; gate < 3u; gate++) {
            bias[gate] = recurrent_bias[gate * HIDDEN + unit];
        }
        publish_hidden(tile, info.first_step, unit, hidden);
    }
    workgroupBarrier();

    for (var step = info.first_step; step < end_step; step++) {
        if (owner) {
            var u = recurrent_product(tile, step, unit);
            for (var gate = 0u; gate < 3u; gate++) {
                u[gate] += bias[gate];
            }
            var x: array<vec4f, 3>;
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    let columns = walked_token(tile, i, step) * 3u * HIDDEN + unit;
                    x[0][i] = projections[columns];
                    x[1][i] = projections[columns + HIDDEN];
                    x[2][i] = projections[columns + 2u * HIDDEN];
                }
            }
            let next = gru_step(x, u, hidden);
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    hidden[i] = next.hidden[i];
                    let token = walked_token(tile, i, step);
                    hidden_states[token * HIDDEN + unit] = hidden[i];
                    let columns = token * 4u * HIDDEN + unit;
                    save(columns, next.reset_gate[i]);
                    save(columns + HIDDEN, next.update_gate[i]);
                    save(columns + 2u * HIDDEN, next.candidate[i]);
                    save(columns + 3u * HIDDEN, next.recurrent_candidate[i]);
                }
            }
            publish_hidden(tile, step + 1u, unit, hidden);
        }
        workgroupBarrier();
    }

    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                final_hidden[state_at(tile, i, unit)] = hidden[i];
                for (var t = max(tile.lengths[i], info.first_step); t < info.end_step; t++) {
                    hidden_states[token_at(tile, i, t) * HIDDEN + unit] = 0.0;
                }
            }
        }
    }
}
