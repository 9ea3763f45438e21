// One timestep of the LSTM, forward and backward, for one hidden unit.

struct LstmStep {
    input_gate: Rows,
    forget_gate: Rows,
    candidate: Rows,
    output_gate: Rows,
    cell: Rows,
    hidden: Rows,
}

// z: preactivations i, f, g, o.
//   i, f, o = σ(z_i), σ(z_f), σ(z_o)    g = tanh(z_g)
//   c_t = f · c_{t-1} + i · g           h_t = o · tanh(c_t)
fn lstm_step(z: array<Rows, 4>, previous_cell: Rows) -> LstmStep {
    var step: LstmStep;
    step.input_gate = sigmoid(z[0]);
    step.forget_gate = sigmoid(z[1]);
    step.candidate = hyperbolic_tangent(z[2]);
    step.output_gate = sigmoid(z[3]);
    step.cell = fma(step.forget_gate, previous_cell, step.input_gate * step.candidate);
    step.hidden = step.output_gate * hyperbolic_tangent(step.cell);
    return step;
}

// The step from what is kept of it. The candidate is what the cell state gained: c_t = f · c_{t-1} + i · g. Where
// i is tiny, g is lost in the rounding of c, and has no part in any gradient; but it lies within ±1.
fn lstm_kept(
    input_gate: Rows,
    forget_gate: Rows,
    output_gate: Rows,
    cell: Rows,
    previous_cell: Rows,
) -> LstmStep {
    var step: LstmStep;
    step.input_gate = input_gate;
    step.forget_gate = forget_gate;
    step.output_gate = output_gate;
    step.cell = cell;
    let gained = fma(-forget_gate, previous_cell, cell);
    step.candidate = clamp(gained / max(input_gate, Rows(1e-30)), Rows(-1.0), Rows(1.0));
    return step;
}

struct LstmStepGradients {
    z: array<Rows, 4>,
    previous_cell: Rows,
}

// The chain rule through the equations above; d_cell is what flows in from the timestep after.
fn lstm_step_backward(
    step: LstmStep,
    previous_cell: Rows,
    d_hidden: Rows,
    d_cell: Rows,
) -> LstmStepGradients {
    let tanh_cell = hyperbolic_tangent(step.cell);
    let d_new_cell = fma(d_hidden * step.output_gate, tanh_slope(tanh_cell), d_cell);
    var gradients: LstmStepGradients;
    gradients.z[0] = flush(d_new_cell * step.candidate * sigmoid_slope(step.input_gate));
    gradients.z[1] = flush(d_new_cell * previous_cell * sigmoid_slope(step.forget_gate));
    gradients.z[2] = flush(d_new_cell * step.input_gate * tanh_slope(step.candidate));
    gradients.z[3] = flush(d_hidden * tanh_cell * sigmoid_slope(step.output_gate));
    gradients.previous_cell = flush(d_new_cell * step.forget_gate);
    return gradients;
}
