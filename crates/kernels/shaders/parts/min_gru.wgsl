// One timestep of the minGRU, forward and backward, for one hidden unit.

struct MinGruStep {
    update_gate: Rows,
    hidden: Rows,
}

// g(x) = x + 1/2 where x ≥ 0, else σ(x)
fn min_gru_candidate(x: Rows) -> Rows {
    return select(x + 0.5, sigmoid(x), x < Rows());
}

//   z = σ(x_z)    h̃ = g(x_h)    h_t = (1 - z) · h_{t-1} + z · h̃
fn min_gru_step(x_z: Rows, x_h: Rows, previous_hidden: Rows) -> MinGruStep {
    var step: MinGruStep;
    step.update_gate = sigmoid(x_z);
    step.hidden = fma(step.update_gate, min_gru_candidate(x_h) - previous_hidden, previous_hidden);
    return step;
}

struct MinGruStepGradients {
    x_z: Rows,
    x_h: Rows,
    previous_hidden: Rows,
}

// The chain rule through the equations above, from the gate and the candidate's preactivation.
fn min_gru_step_backward(
    update_gate: Rows,
    x_h: Rows,
    previous_hidden: Rows,
    d_hidden: Rows,
) -> MinGruStepGradients {
    let candidate = min_gru_candidate(x_h);
    let slope = select(Rows(1.0), sigmoid_slope(candidate), x_h < Rows());
    var gradients: MinGruStepGradients;
    gradients.x_z = flush(d_hidden * (candidate - previous_hidden) * sigmoid_slope(update_gate));
    gradients.x_h = flush(d_hidden * update_gate * slope);
    gradients.previous_hidden = flush(d_hidden * (1.0 - update_gate));
    return gradients;
}
