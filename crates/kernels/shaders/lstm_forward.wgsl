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
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    let tile = tile_of(workgroup.x);
    let unit = workgroup.y * {{ workgroup }}u + local;
    let owner = unit < HIDDEN;
    let end_step = walk_end(tile, unit);

    var hidden = vec4f();
    var cell = vec4f();
    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                hidden[i] = initial_hidden[state_at(tile, i, unit)];
                cell[i] = initial_cell[state_at(tile, i, unit)];
            }
        }
        publish_hidden(tile, info.first_step, unit, hidden);
    }
    workgroupBarrier();

    for (var step = info.first_step; step < end_step; step++) {
        if (owner) {
            var z = recurrent_product(tile, step, unit);
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    let columns = walked_token(tile, i, step) * 4u * HIDDEN + unit;
                    z[0][i] += projections[columns];
                    z[1][i] += projections[columns + HIDDEN];
                    z[2][i] += projections[columns + 2u * HIDDEN];
                    z[3][i] += projections[columns + 3u * HIDDEN];
                }
            }
            let next = lstm_step(z, cell);
            for (var i = 0u; i < ROWS; i++) {
                if (step < tile.lengths[i]) {
                    hidden[i] = next.hidden[i];
                    cell[i] = next.cell[i];
                    let token = walked_token(tile, i, step);
                    hidden_states[token * HIDDEN + unit] = hidden[i];
                    let columns = token * 5u * HIDDEN + unit;
                    save(columns, next.input_gate[i]);
                    save(columns + HIDDEN, next.forget_gate[i]);
                    save(columns + 2u * HIDDEN, next.candidate[i]);
                    save(columns + 3u * HIDDEN, next.output_gate[i]);
                    save(columns + 4u * HIDDEN, cell[i]);
                }
            }
            publish_hidden(tile, step + 1u, unit, hidden);
        }
        workgroupBarrier();
    }

    if (owner) {
        for (var i = 0u; i < ROWS; i++) {
            if (present(tile, i)) {
                final_states[state_at(tile, i, unit)] = hidden[i];
                final_states[info.offsets.x + state_at(tile, i, unit)] = cell[i];
                for (var t = max(tile.lengths[i], info.first_step); t < info.end_step; t++) {
                    hidden_states[token_at(tile, i, t) * HIDDEN + unit] = 0.0;
                }
            }
        }
    }
}
