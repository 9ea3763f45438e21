// A cell with recurrent weights, walked forward over the steps of a dispatch.
//
// A workgroup owns its tiles, of four rows each, for the whole walk, an invocation one hidden unit of a tile, or of two:
// its state never leaves registers, and only the hidden states are exchanged. Rows past their length
// are carried on, and the walk ends with the longest row.

@group(0) @binding({{ next }}) var<storage, read_write> projections: array<f32>; // x W, a token or a word, [_, G·H]
@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
// The states before and after: hidden [B, H]; info.second: cell [B, H]
@group(0) @binding({{ next }}) var<storage, read_write> states: array<f32>;
// saved: what the cell keeps, [B, T, H]; no meaning past a row's length

// What an invocation carries through a tile's steps.
struct Walker {
    tile: Tile,
    hidden: Rows,
    cell: Rows, // of a cell that has one
    inputs: Bits, // where the next projections stand
    x: array<Rows, 4>, // the step's, the first GATES
}

// What a step makes of them.
struct Next {
    hidden: Rows,
    cell: Rows,
    kept: array<Rows, 4>, // for the backward pass
}

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let unit = workgroup.y * LANES + lane_of(local);
    // Lanes past the last unit compute it too, and write nothing.
    let place = min(unit, HIDDEN - 1u);
    let tile = tile_of(workgroup, workgroups, local, 0u);
    var second_tile: Tile;
    var length = longest(tile);
    if (BLOCKS > 1u) {
        second_tile = tile_of(workgroup, workgroups, local, 1u);
        length = max(length, longest(second_tile));
    }
    let end_step = walk_end(length, local);
    hold_weights(place, local);

    var first = walker_of(tile, place, local);
    var second: Walker;
    if (BLOCKS > 1u) {
        second = walker_of(second_tile, place, local);
    }
    let bias = packed[BIAS + place];
    let recurrent_bias = packed[RECURRENT_BIAS + place];
    workgroupBarrier();
    begin(first, 0u, unit, local);
    if (BLOCKS > 1u) {
        begin(second, 1u, unit, local);
    }
    workgroupBarrier();

    for (var step = info.first_step; step < end_step; step++) {
        // Ahead of the product, which doesn't wait for it; two tiles' would not fit into the registers.
        if (BLOCKS == 1u) {
            read_into(&first, step, place);
        }
        let product = recurrent_product(tile, step, local, place);
        if (BLOCKS > 1u) {
            read_into(&first, step, place);
            read_into(&second, step, place);
        }
        take_step(&first, 0u, step, unit, local, next_state(first, bias, recurrent_bias, product.first));
        if (BLOCKS > 1u) {
            take_step(&second, 1u, step, unit, local, next_state(second, bias, recurrent_bias, product.second));
        }
        workgroupBarrier();
    }

    finish(first, end_step, unit);
    if (BLOCKS > 1u) {
        finish(second, end_step, unit);
    }
    beat(local);
}

fn walker_of(tile: Tile, unit: u32, local: u32) -> Walker {
    let state = state_at(tile, unit);
    var walker: Walker;
    walker.tile = tile;
    walker.hidden = initial_hidden(tile, unit, local);
    if (info.first_step > 0u) {
        walker.hidden = read_states(state);
    }
    if (HAS_CELL) {
        walker.cell = initial_cell(tile, unit, local);
        if (info.first_step > 0u) {
            walker.cell = read_states(info.second + state);
        }
    }
    walker.inputs = inputs_at(tokens_at(tile, info.first_step));
    return walker;
}

fn begin(walker: Walker, block: u32, unit: u32, local: u32) {
    publish_hidden(block, info.first_step, local, select(Rows(), walker.hidden, Mask(unit < HIDDEN)));
    publish_hidden(block, info.first_step + 1u, local, Rows());
}

fn read_into(walker: ptr<function, Walker>, step: u32, unit: u32) {
    let columns = (*walker).inputs * (GATES * HIDDEN) + unit;
    (*walker).x[0] = read_projections(columns);
    if (GATES > 1u) {
        (*walker).x[1] = read_projections(columns + HIDDEN);
        (*walker).x[2] = read_projections(columns + 2u * HIDDEN);
    }
    if (GATES > 3u) {
        (*walker).x[3] = read_projections(columns + 3u * HIDDEN);
    }
    (*walker).inputs = inputs_at(tokens_at((*walker).tile, min(step + 1u, info.time - 1u)));
}

fn take_step(walker: ptr<function, Walker>, block: u32, step: u32, unit: u32, local: u32, next: Next) {
    let tile = (*walker).tile;
    let live = live_at(tile, step);
    let writes = both(tile.present, unit < HIDDEN);
    (*walker).hidden = select((*walker).hidden, next.hidden, live);
    (*walker).cell = select((*walker).cell, next.cell, live);
    if (unit < HIDDEN) {
        publish_hidden(block, step + 1u, local, (*walker).hidden);
    }
    let at = tokens_at(tile, step) * HIDDEN + min(unit, HIDDEN - 1u);
    write_hidden_states(at, writes, select(Rows(), (*walker).hidden, live));
    keep(at, writes, next.kept);
}

fn finish(walker: Walker, end_step: u32, unit: u32) {
    let place = min(unit, HIDDEN - 1u);
    let writes = both(walker.tile.present, unit < HIDDEN);
    let state = state_at(walker.tile, place);
    write_states(state, writes, walker.hidden);
    if (HAS_CELL) {
        write_states(info.second + state, writes, walker.cell);
    }
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        write_hidden_states((walker.tile.rows * info.time + t) * HIDDEN + place, writes, Rows());
    }
}
