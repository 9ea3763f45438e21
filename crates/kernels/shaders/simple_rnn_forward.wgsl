// The simple RNN, walked forward over the steps of a dispatch, in tiles as the LSTM
// (lstm_forward.wgsl). The backward pass needs nothing but the hidden states.

@group(0) @binding(0) var<storage, read_write> projections: array<f32>; // x W + b, [B, T, H]
@group(0) @binding(2) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(3) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(4) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(5) var<storage, read_write> final_hidden: array<f32>; // [B, H]

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
    if (owner) {
        hidden = read_initial_hidden(state_at(tile, unit), tile.present);
        publish_hidden(tile, info.first_step, unit, hidden);
    }
    workgroupBarrier();

    for (var step = info.first_step; step < end_step; step++) {
        if (owner) {
            let live = live_at(tile, step);
            let at = tokens_at(tile, step) * HIDDEN + unit;
            // Read ahead of the product, which it doesn't wait for.
            let x = read_projections(at, live);
            let next = simple_rnn_step(x + recurrent_product(tile, step, unit)[0]);
            hidden = select(hidden, next, live);
            publish_hidden(tile, step + 1u, unit, hidden);
            write_hidden_states(at, live, hidden);
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
