// The simple RNN's backward pass, in tiles and from the last step to the first as the LSTM's
// (lstm_backward.wgsl).

@group(0) @binding(0) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(2) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(3) var<storage, read_write> d_final_hidden: array<f32>; // [B, H]
// Projections [B, T, H]; offsets.x: initial hidden state [B, H]
@group(0) @binding(4) var<storage, read_write> gradients: array<f32>;

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

    var d_hidden = vec4f();
    if (owner && last_part()) {
        d_hidden = read_d_final_hidden(state_at(tile, unit), tile.present);
    } else if (owner) {
        d_hidden = read_gradients(info.offsets.x + state_at(tile, unit), tile.present);
    }

    for (var step = end_step; step > info.first_step;) {
        step--;
        let live = select(vec4<bool>(), live_at(tile, step), vec4<bool>(owner));
        let at = tokens_at(tile, step) * HIDDEN + unit;
        // Read ahead of the product, which they don't wait for.
        let hidden = read_hidden_states(at, live);
        let d_output = output_gradient(at, live);
        if (!FUSED || step + 1u < end_step) {
            d_hidden += hidden_gradient(tile, unit);
        }
        workgroupBarrier();
        if (owner) {
            let d = select(vec4f(), simple_rnn_step_backward(hidden, d_hidden + d_output), live);
            d_hidden = select(d_hidden, vec4f(), live);
            publish_gradient(tile, unit, array<vec4f, 4>(d, vec4f(), vec4f(), vec4f()));
            write_gradients(at, live, d);
        }
        workgroupBarrier();
    }

    if (FUSED && info.first_step < end_step) {
        d_hidden += hidden_gradient(tile, unit);
    }
    if (owner) {
        write_gradients(info.offsets.x + state_at(tile, unit), tile.present, d_hidden);
        for (var t = first_padded(tile); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * HIDDEN + unit;
            write_gradients(padded, padded_at(tile, t), vec4f());
        }
    }
    beat(local);
}
