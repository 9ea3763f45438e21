// The LSTM's backward pass: the same tiles, walked from the last step to the first over the saved gates.
//
// What a step leaves for the one before is dz_t Uᵀ, which needs dz of all units: it is published, and
// multiplied when the next step begins, between two barriers. The gradients of the weights are matrix
// products over all timesteps, made afterwards.

@group(0) @binding(0) var<storage, read_write> saved: array<f32>; // i, f, g, o and the cell, [B, T, 5H]
@group(0) @binding(2) var<storage, read_write> initial_cell: array<f32>; // [B, H]
@group(0) @binding(3) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(4) var<storage, read_write> d_final_hidden: array<f32>; // [B, H]
@group(0) @binding(5) var<storage, read_write> d_final_cell: array<f32>; // [B, H]
// Projections [B, T, 4H]; offsets.x: initial hidden state [B, H]; offsets.y: initial cell state [B, H]
@group(0) @binding(6) var<storage, read_write> gradients: array<f32>;

@compute @workgroup_size({{ workgroup }})
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    let tile = tile_of(workgroup.x);
    let unit = workgroup.y * {{ workgroup }}u + local;
    let owner = unit < HIDDEN;
    let end_step = walk_end(tile, unit);

    var d_hidden = vec4f();
    var d_cell = vec4f();
    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                d_hidden[i] = d_final_hidden[state_at(tile, i, unit)];
                d_cell[i] = d_final_cell[state_at(tile, i, unit)];
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
            var at_step: LstmStep;
            var previous_cell = vec4f();
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    let token = walked_token(tile, i, step);
                    let columns = token * 5u * HIDDEN + unit;
                    at_step.input_gate[i] = saved[columns];
                    at_step.forget_gate[i] = saved[columns + HIDDEN];
                    at_step.candidate[i] = saved[columns + 2u * HIDDEN];
                    at_step.output_gate[i] = saved[columns + 3u * HIDDEN];
                    at_step.cell[i] = saved[columns + 4u * HIDDEN];
                    if (step == 0u) {
                        previous_cell[i] = initial_cell[state_at(tile, i, unit)];
                    } else {
                        let before = walked_token(tile, i, step - 1u);
                        previous_cell[i] = saved[(before * 5u + 4u) * HIDDEN + unit];
                    }
                    d_hidden[i] += output_gradient(token * HIDDEN + unit);
                }
            }
            let d = lstm_step_backward(at_step, previous_cell, d_hidden, d_cell);
            var d_recurrent: array<vec4f, 4>;
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    d_hidden[i] = 0.0;
                    d_cell[i] = d.previous_cell[i];
                    let columns = walked_token(tile, i, step) * 4u * HIDDEN + unit;
                    for (var gate = 0u; gate < 4u; gate++) {
                        d_recurrent[gate][i] = d.z[gate][i];
                        gradients[columns + gate * HIDDEN] = d.z[gate][i];
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
                gradients[info.offsets.y + state_at(tile, i, unit)] = d_cell[i];
                for (var t = max(tile.lengths[i], info.first_step); t < info.end_step; t++) {
                    let columns = token_at(tile, i, t) * 4u * HIDDEN + unit;
                    for (var gate = 0u; gate < 4u; gate++) {
                        gradients[columns + gate * HIDDEN] = 0.0;
                    }
                }
            }
        }
    }
}
