// The backward pass of a cell with recurrent weights: the same tiles, walked from the last step to the first.
//
// What a step leaves for the one before is dz_t Uᵀ, which needs dz of all units: it is published, and
// multiplied when the next step begins. The gradients of the weights are sums over all
// timesteps, made afterwards (weight_gradients.wgsl).

@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
// hidden_states: [B, T, H], of a cell that keeps no cell states; saved: what the cell kept, [B, T, H]
// d_final_hidden, d_final_cell: [B, H]; d_hidden_states: [B, T, H]

// What an invocation carries back through a tile's steps.
struct Walker {
    tile: Tile,
    d_hidden: Rows,
    d_cell: Rows, // of a cell that has one
    d_output: Rows,
    read: Read, // what the cell reads of a step
}

// What a step makes of them.
struct StepGradients {
    z: array<Rows, 4>, // of the preactivations, as they are recorded
    hidden: Rows, // of the state before, past the product
    cell: Rows,
}

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let first_unit = workgroup.y * LANES;
    let unit = first_unit + lane_of(local);
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

    var first = walker_of(tile, end_step, place);
    var second: Walker;
    if (BLOCKS > 1u) {
        second = walker_of(second_tile, end_step, place);
    }
    for (var step = end_step; step > info.first_step;) {
        step--;
        // Ahead of the product, which doesn't wait for it; two tiles' would not fit into the registers.
        if (BLOCKS == 1u) {
            read_into(&first, step, place, local);
        }
        if (follows(step, end_step)) {
            let left = hidden_gradient(tile, step + 1u, local, first_unit);
            first.d_hidden += left.first;
            second.d_hidden += left.second;
        }
        if (!APART) {
            workgroupBarrier();
        }
        if (BLOCKS > 1u) {
            read_into(&first, step, place, local);
            read_into(&second, step, place, local);
        }
        take_step(&first, 0u, step, unit, local);
        if (BLOCKS > 1u) {
            take_step(&second, 1u, step, unit, local);
        }
        workgroupBarrier();
    }

    if (ends(end_step)) {
        let left = hidden_gradient(tile, info.first_step, local, first_unit);
        first.d_hidden += left.first;
        second.d_hidden += left.second;
    }
    finish(first, end_step, unit);
    if (BLOCKS > 1u) {
        finish(second, end_step, unit);
    }
    beat(local);
}

fn walker_of(tile: Tile, end_step: u32, unit: u32) -> Walker {
    let state = state_at(tile, unit);
    var walker: Walker;
    walker.tile = tile;
    if (last_part()) {
        walker.d_hidden = read_d_final_hidden(state);
        walker.d_cell = read_d_final_cell(state);
    } else {
        walker.d_hidden = read_gradients(info.states + state);
        if (HAS_CELL) {
            walker.d_cell = read_gradients(info.states + info.second + state);
        }
    }
    walker.read = read_before(tile, end_step, unit);
    return walker;
}

fn read_into(walker: ptr<function, Walker>, step: u32, unit: u32, local: u32) {
    let at = tokens_at((*walker).tile, step) * HIDDEN + unit;
    (*walker).d_output = read_d_hidden_states(at);
    (*walker).read = read_step((*walker).read, (*walker).tile, step, unit, local);
}

fn take_step(walker: ptr<function, Walker>, block: u32, step: u32, unit: u32, local: u32) {
    let tile = (*walker).tile;
    let live = both(live_at(tile, step), unit < HIDDEN);
    let writes = both(tile.present, unit < HIDDEN);
    let d = step_gradients((*walker).read, (*walker).d_hidden + (*walker).d_output, (*walker).d_cell);
    (*walker).d_hidden = select((*walker).d_hidden, d.hidden, live);
    (*walker).d_cell = select((*walker).d_cell, d.cell, live);
    let d_z = array<Rows, 4>(
        select(Rows(), d.z[0], live),
        select(Rows(), d.z[1], live),
        select(Rows(), d.z[2], live),
        select(Rows(), d.z[3], live),
    );
    // The recurrent product's own last gate stands last.
    let third = select(d_z[2], d_z[3], Mask(GATES == 3u));
    publish_gradient(block, local, array<Rows, 4>(d_z[0], d_z[1], third, d_z[3]));

    let columns = tokens_at(tile, step) * (RECORDED * HIDDEN) + min(unit, HIDDEN - 1u);
    write_gradients(columns, writes, d_z[0]);
    if (RECORDED > 1u) {
        write_gradients(columns + HIDDEN, writes, d_z[1]);
        write_gradients(columns + 2u * HIDDEN, writes, d_z[2]);
        write_gradients(columns + 3u * HIDDEN, writes, d_z[3]);
    }
}

fn finish(walker: Walker, end_step: u32, unit: u32) {
    let place = min(unit, HIDDEN - 1u);
    let writes = both(walker.tile.present, unit < HIDDEN);
    let state = info.states + state_at(walker.tile, place);
    write_gradients(state, writes, walker.d_hidden);
    if (HAS_CELL) {
        write_gradients(info.second + state, writes, walker.d_cell);
    }
    for (var t = max(end_step, info.first_step); t < info.end_step; t++) {
        let padded = (walker.tile.rows * info.time + t) * (RECORDED * HIDDEN) + place;
        for (var gate = 0u; gate < RECORDED; gate++) {
            write_gradients(padded + gate * HIDDEN, writes, Rows());
        }
    }
}
