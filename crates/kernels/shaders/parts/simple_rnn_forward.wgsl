// The simple RNN's step in a walk forward. The backward pass needs nothing but the hidden states.

fn next_state(walker: Walker, bias: vec4f, recurrent_bias: vec4f, u: array<Rows, 4>) -> Next {
    return Next(simple_rnn_step(walker.x[0] + bias.x + u[0]), Rows(), array<Rows, 4>());
}
