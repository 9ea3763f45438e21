// The GRU's backward pass, in tiles and from the last step to the first as the LSTM's
// (lstm_backward.wgsl). The candidate's two halves have different gradients, so those of x W + b and of
// h U + b_r are written apart.

@group(0) @binding(0) var<storage, read_write> saved: array<f32>; // r, z, n and h_{t-1} U_n + b_n, [B, T, 4H]
@group(0) @binding(2) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(3) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(4) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(5) var<storage, read_write> d_final_hidden: array<f32>; // [B, H]
// Projections [B, T, 3H]; offsets.x: initial hidden state [B, H]; offsets.y: h U + b_r, [B, T, 3H]
@group(0) @binding(6) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size({{ workgroup }})
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    let tile = tile_of(workgroup.x);
    let unit = workgroup.y * {{ workgroup }}u + local;
    let owner = unit < HIDDEN;
    let end_step = walk_end(tile, unit);

    var d_hidden = vec4f();
    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                d_hidden[i] = d_final_hidden[state_at(tile, i, unit)];
            }
        }
    }

    for (var step = end_step; step > info.first_step;) {
        step--;
        if (!FUSED || step + 1u < end_step) {
            d_hidden += hidden_gradient(tile, unit);
        }
        workgroupBarrier();
        if (owner) {
            var at_step: GruStep;
            var previous_hidden = vec4f();
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    let token = walked_token(tile, i, step);
                    let columns = token * 4u * HIDDEN + unit;
                    at_step.reset_gate[i] = saved[columns];
                    at_step.update_gate[i] = saved[columns + HIDDEN];
                    at_step.candidate[i] = saved[columns + 2u * HIDDEN];
                    at_step.recurrent_candidate[i] = saved[columns + 3u * HIDDEN];
                    if (step == 0u) {
                        previous_hidden[i] = initial_hidden[state_at(tile, i, unit)];
                    } else {
                        let before = walked_token(tile, i, step - 1u);
                        previous_hidden[i] = hidden_states[before * HIDDEN + unit];
                    }
                    d_hidden[i] += output_gradient(token * HIDDEN + unit);
                }
            }
            let d = gru_step_backward(at_step, previous_hidden, d_hidden);
            var d_recurrent: array<vec4f, 3>;
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    d_hidden[i] = d.previous_hidden[i];
                    d_recurrent[0][i] = d.x[0][i];
                    d_recurrent[1][i] = d.x[1][i];
                    d_recurrent[2][i] = d.recurrent_candidate[i];
                    let columns = walked_token(tile, i, step) * 3u * HIDDEN + unit;
                    for (var gate = 0u; gate < 3u; gate++) {
                        gradients[columns + gate * HIDDEN] = d.x[gate][i];
                        gradients[info.offsets.y + columns + gate * HIDDEN] = d_recurrent[gate][i];
                    }
                }
            }
            publish_gradient(tile, unit, d_recurrent);
        }
        workgroupBarrier();
    }

    if (FUSED && info.first_step < end_step) {
        d_hidden += hidden_gradient(tile, unit);
    }
    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                gradients[info.offsets.x + state_at(tile, i, unit)] = d_hidden[i];
                for (var t = max(tile.lengths[i], info.first_step); t < info.end_step; t++) {
                    let columns = token_at(tile, i, t) * 3u * HIDDEN + unit;
                    for (var gate = 0u; gate < 3u; gate++) {
                        gradients[columns + gate * HIDDEN] = 0.0;
                        gradients[info.offsets.y + columns + gate * HIDDEN] = 0.0;
                    }
                }
            }
        }
    }
}
