// The LSTM's step in a walk forward. Kept: i, f, o and the cell.

fn next_state(walker: Walker, bias: vec4f, recurrent_bias: vec4f, u: array<Rows, 4>) -> Next {
    let z = array<Rows, 4>(
        walker.x[0] + bias.x + u[0],
        walker.x[1] + bias.y + u[1],
        walker.x[2] + bias.z + u[2],
        walker.x[3] + bias.w + u[3],
    );
    let next = lstm_step(z, walker.cell);
    let kept = array<Rows, 4>(next.input_gate, next.forget_gate, next.output_gate, next.cell);
    return Next(next.hidden, next.cell, kept);
}
