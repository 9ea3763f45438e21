// The LSTM's backward pass: the same tiles, walked from the last step to the first over the saved gates.
//
// What a step leaves for the one before is dz_t Uᵀ, which needs dz of all units: it is published, and
// multiplied when the next step begins. The gradients of the weights are matrix
// products over all timesteps, made afterwards.

@group(0) @binding(0) var<storage, read_write> saved: array<f32>; // i, f, g, o and the cell, [B, T, 5H]
@group(0) @binding(2) var<storage, read_write> initial_cell: array<f32>; // [B, H]
@group(0) @binding(3) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(4) var<storage, read_write> d_final_hidden: array<f32>; // [B, H]
@group(0) @binding(5) var<storage, read_write> d_final_cell: array<f32>; // [B, H]
// Projections [B, T, 4H]; offsets.x: initial hidden state [B, H]; offsets.y: initial cell state [B, H]
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
    var d_cell = vec4f();
    if (owner && last_part()) {
        d_hidden = read_d_final_hidden(state_at(tile, unit), tile.present);
        d_cell = read_d_final_cell(state_at(tile, unit), tile.present);
    } else if (owner) {
        d_hidden = read_gradients(info.offsets.x + state_at(tile, unit), tile.present);
        d_cell = read_gradients(info.offsets.y + state_at(tile, unit), tile.present);
    }

    for (var step = end_step; step > info.first_step;) {
        step--;
        let live = select(vec4<bool>(), live_at(tile, step), vec4<bool>(owner));
        let tokens = tokens_at(tile, step);
        let kept = tokens * 5u * HIDDEN + unit;
        // Read ahead of the product, which they don't wait for.
        var at_step: LstmStep;
        at_step.input_gate = read_saved(kept, live);
        at_step.forget_gate = read_saved(kept + HIDDEN, live);
        at_step.candidate = read_saved(kept + 2u * HIDDEN, live);
        at_step.output_gate = read_saved(kept + 3u * HIDDEN, live);
        at_step.cell = read_saved(kept + 4u * HIDDEN, live);
        var previous_cell: vec4f;
        if (step == 0u) {
            previous_cell = read_initial_cell(state_at(tile, unit), live);
        } else {
            let before = tokens_at(tile, step - 1u) * 5u + 4u;
            previous_cell = read_saved(before * HIDDEN + unit, live);
        }
        let d_output = output_gradient(tokens * HIDDEN + unit, live);

        if (!FUSED || step + 1u < end_step) {
            d_hidden += hidden_gradient(tile, unit);
        }
        workgroupBarrier();
        if (owner) {
            let d = lstm_step_backward(at_step, previous_cell, d_hidden + d_output, d_cell);
            d_hidden = select(d_hidden, vec4f(), live);
            d_cell = select(d_cell, d.previous_cell, live);
            let d_z = array<vec4f, 4>(
                select(vec4f(), d.z[0], live),
                select(vec4f(), d.z[1], live),
                select(vec4f(), d.z[2], live),
                select(vec4f(), d.z[3], live),
            );
            publish_gradient(tile, unit, d_z);

            let columns = tokens * 4u * HIDDEN + unit;
            write_gradients(columns, live, d_z[0]);
            write_gradients(columns + HIDDEN, live, d_z[1]);
            write_gradients(columns + 2u * HIDDEN, live, d_z[2]);
            write_gradients(columns + 3u * HIDDEN, live, d_z[3]);
        }
        workgroupBarrier();
    }

    if (FUSED && info.first_step < end_step) {
        d_hidden += hidden_gradient(tile, unit);
    }
    if (owner) {
        write_gradients(info.offsets.x + state_at(tile, unit), tile.present, d_hidden);
        write_gradients(info.offsets.y + state_at(tile, unit), tile.present, d_cell);
        for (var t = first_padded(tile); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * 4u * HIDDEN + unit;
            for (var gate = 0u; gate < 4u; gate++) {
                write_gradients(padded + gate * HIDDEN, padded_at(tile, t), vec4f());
            }
        }
    }
    beat(local);
}
