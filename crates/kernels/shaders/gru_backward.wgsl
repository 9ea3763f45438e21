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
        let tokens = tokens_at(tile, step);
        let kept = tokens * 4u * HIDDEN + unit;
        // Read ahead of the product, which they don't wait for.
        var at_step: GruStep;
        at_step.reset_gate = read_saved(kept, live);
        at_step.update_gate = read_saved(kept + HIDDEN, live);
        at_step.candidate = read_saved(kept + 2u * HIDDEN, live);
        at_step.recurrent_candidate = read_saved(kept + 3u * HIDDEN, live);
        var previous_hidden: vec4f;
        if (step == 0u) {
            previous_hidden = read_initial_hidden(state_at(tile, unit), live);
        } else {
            let before = tokens_at(tile, step - 1u);
            previous_hidden = read_hidden_states(before * HIDDEN + unit, live);
        }
        let d_output = output_gradient(tokens * HIDDEN + unit, live);

        if (!FUSED || step + 1u < end_step) {
            d_hidden += hidden_gradient(tile, unit);
        }
        workgroupBarrier();
        if (owner) {
            let d = gru_step_backward(at_step, previous_hidden, d_hidden + d_output);
            d_hidden = select(d_hidden, d.previous_hidden, live);
            let d_r = select(vec4f(), d.x[0], live);
            let d_z = select(vec4f(), d.x[1], live);
            let d_n = select(vec4f(), d.recurrent_candidate, live);
            publish_gradient(tile, unit, array<vec4f, 4>(d_r, d_z, d_n, vec4f()));

            let columns = tokens * 3u * HIDDEN + unit;
            write_gradients(columns, live, d_r);
            write_gradients(columns + HIDDEN, live, d_z);
            write_gradients(columns + 2u * HIDDEN, live, d.x[2]);
            write_gradients(info.offsets.y + columns, live, d_r);
            write_gradients(info.offsets.y + columns + HIDDEN, live, d_z);
            write_gradients(info.offsets.y + columns + 2u * HIDDEN, live, d_n);
        }
        workgroupBarrier();
    }

    if (FUSED && info.first_step < end_step) {
        d_hidden += hidden_gradient(tile, unit);
    }
    if (owner) {
        write_gradients(info.offsets.x + state_at(tile, unit), tile.present, d_hidden);
        for (var t = first_padded(tile); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * 3u * HIDDEN + unit;
            for (var gate = 0u; gate < 3u; gate++) {
                let at = padded + gate * HIDDEN;
                write_gradients(at, padded_at(tile, t), vec4f());
                write_gradients(info.offsets.y + at, padded_at(tile, t), vec4f());
            }
        }
    }
    beat(local);
}
