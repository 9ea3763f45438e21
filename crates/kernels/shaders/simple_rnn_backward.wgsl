// The simple RNN's backward pass, in tiles and from the last step to the first as the LSTM's
// (lstm_backward.wgsl).

@group(0) @binding(0) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(2) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(3) var<storage, read_write> d_final_hidden: array<f32>; // [B, H]
// Projections [B, T, H]; offsets.x: initial hidden state [B, H]
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>;

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
            var hidden = vec4f();
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    let at = walked_token(tile, i, step) * HIDDEN + unit;
                    hidden[i] = hidden_states[at];
                    d_hidden[i] += output_gradient(at);
                }
            }
            let d = simple_rnn_step_backward(hidden, d_hidden);
            var d_recurrent: array<vec4f, 1>;
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    d_hidden[i] = 0.0;
                    d_recurrent[0][i] = d[i];
                    gradients[walked_token(tile, i, step) * HIDDEN + unit] = d[i];
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
                    gradients[token_at(tile, i, t) * HIDDEN + unit] = 0.0;
                }
            }
        }
    }
}
