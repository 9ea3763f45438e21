// The LSTM, walked forward over the steps of a dispatch.
//
// One workgroup owns a tile of four rows for the whole walk, an invocation one hidden unit of them: its
// cell state never leaves registers, and only the hidden states are exchanged. Rows past their length
// are carried on, and the walk ends with the tile's longest row.

@group(0) @binding(0) var<storage, read_write> projections: array<f32>; // x W + b, [B, T, 4H]
@group(0) @binding(2) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(3) var<storage, read_write> initial_cell: array<f32>; // [B, H]
@group(0) @binding(4) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(5) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(6) var<storage, read_write> final_states: array<f32>; // hidden [B, H]; offsets.x: cell [B, H]
// saved: the gates i, f, g, o and the cell, [B, T, 5H]; no meaning past a row's length

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
    var cell = vec4f();
    if (owner) {
        hidden = read_initial_hidden(state_at(tile, unit), tile.present);
        cell = read_initial_cell(state_at(tile, unit), tile.present);
        publish_hidden(tile, info.first_step, unit, hidden);
    }
    workgroupBarrier();

    for (var step = info.first_step; step < end_step; step++) {
        if (owner) {
            let live = live_at(tile, step);
            let tokens = tokens_at(tile, step);
            let columns = tokens * 4u * HIDDEN + unit;
            // Read ahead of the product, which they don't wait for.
            let x_i = read_projections(columns, live);
            let x_f = read_projections(columns + HIDDEN, live);
            let x_g = read_projections(columns + 2u * HIDDEN, live);
            let x_o = read_projections(columns + 3u * HIDDEN, live);
            let u = recurrent_product(tile, step, unit);
            let z = array<vec4f, 4>(x_i + u[0], x_f + u[1], x_g + u[2], x_o + u[3]);
            let next = lstm_step(z, cell);
            hidden = select(hidden, next.hidden, live);
            cell = select(cell, next.cell, live);
            publish_hidden(tile, step + 1u, unit, hidden);

            write_hidden_states(tokens * HIDDEN + unit, live, hidden);
            let kept = tokens * 5u * HIDDEN + unit;
            save(kept, live, next.input_gate);
            save(kept + HIDDEN, live, next.forget_gate);
            save(kept + 2u * HIDDEN, live, next.candidate);
            save(kept + 3u * HIDDEN, live, next.output_gate);
            save(kept + 4u * HIDDEN, live, cell);
        }
        workgroupBarrier();
    }

    if (owner) {
        write_final_states(state_at(tile, unit), tile.present, hidden);
        write_final_states(info.offsets.x + state_at(tile, unit), tile.present, cell);
        for (var t = first_padded(tile); t < info.end_step; t++) {
            let padded = (tile.rows * info.time + t) * HIDDEN + unit;
            write_hidden_states(padded, padded_at(tile, t), vec4f());
        }
    }
    beat(local);
}
