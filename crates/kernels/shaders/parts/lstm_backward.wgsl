// The LSTM's step in a walk back.

// What was kept of a step, i, f, o and the cell, and of the one before it, whose cell state it started from.
struct Read {
    kept: array<Rows, 4>,
    earlier: array<Rows, 4>,
    previous_cell: Rows,
}

fn read_before(tile: Tile, step: u32, unit: u32) -> Read {
    var read: Read;
    read.earlier = kept_at(tokens_at(tile, before(step)) * HIDDEN + unit);
    return read;
}

// A step is read while the one after it is computed.
fn read_step(after: Read, tile: Tile, step: u32, unit: u32, local: u32) -> Read {
    var read = read_before(tile, step, unit);
    read.kept = after.earlier;
    read.previous_cell = read.earlier[3];
    if (step == 0u) {
        read.previous_cell = initial_cell(tile, unit, local);
    }
    return read;
}

fn step_gradients(read: Read, d_hidden: Rows, d_cell: Rows) -> StepGradients {
    let kept = read.kept;
    let step = lstm_kept(kept[0], kept[1], kept[2], kept[3], read.previous_cell);
    let d = lstm_step_backward(step, read.previous_cell, d_hidden, d_cell);
    return StepGradients(d.z, Rows(), d.previous_cell);
}
