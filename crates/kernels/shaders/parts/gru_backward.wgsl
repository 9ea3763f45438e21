// The GRU's step in a walk back. The candidate's two halves have different gradients: that of h U_n + b_n is recorded
// behind those of x W + b.

@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]

struct Read {
    kept: array<Rows, 4>, // r, z, n and h_{t-1} U_n + b_n
    previous_hidden: Rows,
}

fn read_before(tile: Tile, step: u32, unit: u32) -> Read {
    return Read();
}

fn read_step(after: Read, tile: Tile, step: u32, unit: u32, local: u32) -> Read {
    var read: Read;
    read.kept = kept_at(tokens_at(tile, step) * HIDDEN + unit);
    read.previous_hidden = read_hidden_states(tokens_at(tile, before(step)) * HIDDEN + unit);
    if (step == 0u) {
        read.previous_hidden = initial_hidden(tile, unit, local);
    }
    return read;
}

fn step_gradients(read: Read, d_hidden: Rows, d_cell: Rows) -> StepGradients {
    var step: GruStep;
    step.reset_gate = read.kept[0];
    step.update_gate = read.kept[1];
    step.candidate = read.kept[2];
    step.recurrent_candidate = read.kept[3];
    let d = gru_step_backward(step, read.previous_hidden, d_hidden);
    let d_z = array<Rows, 4>(d.x[0], d.x[1], d.x[2], d.recurrent_candidate);
    return StepGradients(d_z, d.previous_hidden, Rows());
}
