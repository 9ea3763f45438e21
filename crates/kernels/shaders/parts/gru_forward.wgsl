// The GRU's step in a walk forward. Kept: r, z, n and h_{t-1} U_n + b_n.

fn next_state(walker: Walker, bias: vec4f, recurrent_bias: vec4f, product: array<Rows, 4>) -> Next {
    let x = array<Rows, 3>(walker.x[0] + bias.x, walker.x[1] + bias.y, walker.x[2] + bias.z);
    let u = array<Rows, 3>(
        product[0] + recurrent_bias.x,
        product[1] + recurrent_bias.y,
        product[2] + recurrent_bias.z,
    );
    let next = gru_step(x, u, walker.hidden);
    let kept = array<Rows, 4>(next.reset_gate, next.update_gate, next.candidate, next.recurrent_candidate);
    return Next(next.hidden, Rows(), kept);
}
