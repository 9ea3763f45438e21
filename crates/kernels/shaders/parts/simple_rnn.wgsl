// One timestep of the simple RNN, forward and backward, for one hidden unit of four rows.

// h_t = tanh(x_t W + b + h_{t-1} U)
fn simple_rnn_step(z: vec4f) -> vec4f {
    return hyperbolic_tangent(z);
}

fn simple_rnn_step_backward(hidden: vec4f, d_hidden: vec4f) -> vec4f {
    return flush(d_hidden * tanh_slope(hidden));
}
