// The simple RNN, walked forward over the steps of a dispatch, in tiles as the LSTM
// (lstm_forward.wgsl). The backward pass needs nothing but the hidden states.

@group(0) @binding(0) var<storage, read_write> projections: array<f32>; // x W + b, [B, T, H]
@group(0) @binding(2) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(3) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(4) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(5) var<storage, read_write> final_hidden: array<f32>; // [B, H]

@compute @workgroup_size({{ workgroup }})
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    let tile = tile_of(workgroup.x);
    let unit = workgroup.y * {{ workgroup }}u + local;
    let owner = unit < HIDDEN;
    let end_step = walk_end(tile, unit);

    var hidden = vec4f();
    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                hidden[i] = initial_hidden[state_at(tile, i, unit)];
            }
        }
        publish_hidden(tile, info.first_step, unit, hidden);
    }
    workgroupBarrier();

    for (var step = info.first_step; step < end_step; step++) {
        if (owner) {
            var z = recurrent_product(tile, step, unit)[0];
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    z[i] += projections[walked_token(tile, i, step) * HIDDEN + unit];
                }
            }
            let next = simple_rnn_step(z);
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    hidden[i] = next[i];
                    hidden_states[walked_token(tile, i, step) * HIDDEN + unit] = hidden[i];
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
