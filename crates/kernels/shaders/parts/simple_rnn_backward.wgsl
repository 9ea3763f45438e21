// The simple RNN's step in a walk back.

@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]

struct Read {
    hidden: Rows, // of the step itself
}

fn read_before(tile: Tile, step: u32, unit: u32) -> Read {
    return Read();
}

fn read_step(after: Read, tile: Tile, step: u32, unit: u32, local: u32) -> Read {
    return Read(read_hidden_states(tokens_at(tile, step) * HIDDEN + unit));
}

fn step_gradients(read: Read, d_hidden: Rows, d_cell: Rows) -> StepGradients {
    let d = simple_rnn_step_backward(read.hidden, d_hidden);
    return StepGradients(array<Rows, 4>(d, Rows(), Rows(), Rows()), Rows(), Rows());
}
