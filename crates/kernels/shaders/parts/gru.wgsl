// One timestep of the GRU, reset after the product, forward and backward, for one hidden unit.

struct GruStep {
    reset_gate: Rows,
    update_gate: Rows,
    candidate: Rows,
    recurrent_candidate: Rows,
    hidden: Rows,
}

// x: the input's part of r, z, n; u: h_{t-1} U + b_r, the state's part.
//   r, z = σ(x_r + u_r), σ(x_z + u_z)    n = tanh(x_n + r · u_n)
//   h_t = (1 - z) · n + z · h_{t-1}
fn gru_step(x: array<Rows, 3>, u: array<Rows, 3>, previous_hidden: Rows) -> GruStep {
    var step: GruStep;
    step.reset_gate = sigmoid(x[0] + u[0]);
    step.update_gate = sigmoid(x[1] + u[1]);
    step.recurrent_candidate = u[2];
    step.candidate = hyperbolic_tangent(fma(step.reset_gate, u[2], x[2]));
    step.hidden = fma(step.update_gate, previous_hidden - step.candidate, step.candidate);
    return step;
}

struct GruStepGradients {
    // Of x_r, x_z, x_n; those of u_r and u_z are the same.
    x: array<Rows, 3>,
    recurrent_candidate: Rows,
    // What reaches h_{t-1} past the product.
    previous_hidden: Rows,
}

// The chain rule through the equations above.
fn gru_step_backward(step: GruStep, previous_hidden: Rows, d_hidden: Rows) -> GruStepGradients {
    let d_candidate = flush(d_hidden * (1.0 - step.update_gate) * tanh_slope(step.candidate));
    var gradients: GruStepGradients;
    gradients.x[0] = flush(d_candidate * step.recurrent_candidate * sigmoid_slope(step.reset_gate));
    gradients.x[1] = flush(d_hidden * (previous_hidden - step.candidate) * sigmoid_slope(step.update_gate));
    gradients.x[2] = d_candidate;
    gradients.recurrent_candidate = flush(d_candidate * step.reset_gate);
    gradients.previous_hidden = flush(d_hidden * step.update_gate);
    return gradients;
}
