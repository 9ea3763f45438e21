// One timestep of the simple RNN, forward and backward, for one hidden unit.

// h_t = tanh(x_t W + b + h_{t-1} U)
fn simple_rnn_step(z: Rows) -> Rows {
    return hyperbolic_tangent(z);
}

fn simple_rnn_step_backward(hidden: Rows, d_hidden: Rows) -> Rows {
    return flush(d_hidden * tanh_slope(hidden));
}
