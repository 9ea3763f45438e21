// Adds a column's part of dz Uᵀ for four units: its gradients of four rows, times four weights.
fn add_column(sums: ptr<function, Sums>, at: u32, exchanged: u32) {
    let weights = packed[at];
    (*sums).first = add_units((*sums).first, weights, exchange[exchanged]);
    if (BLOCKS > 1u) {
        (*sums).second = add_units((*sums).second, weights, exchange[exchanged + EXCHANGED]);
    }
}

fn add_units(sums: array<Rows, 4>, weights: vec4f, d: vec4f) -> array<Rows, 4> {
    return array<Rows, 4>(
        fma(vec4f(weights.x), d, sums[0]),
        fma(vec4f(weights.y), d, sums[1]),
        fma(vec4f(weights.z), d, sums[2]),
        fma(vec4f(weights.w), d, sums[3]),
    );
}

// The four slices' sums for a unit, added through workgroup memory: `four` names the invocation's units. Where they
// have memory of their own, nobody waits for the others to have read the gradients.
fn add_slices(sums: Sums, gradients: u32, four: u32, slice: u32, fours: u32, lane: u32) -> Left {
    let published = gradients + select(0u, 4u * UNITS, APART);
    if (!APART) {
        workgroupBarrier();
    }
    if (four < fours) {
        let place = (slice * fours + four) * 4u;
        leave_slice(sums.first, published + place);
        if (BLOCKS > 1u) {
            leave_slice(sums.second, published + EXCHANGED + place);
        }
    }
    workgroupBarrier();
    var left: Left;
    if (lane < fours * 4u) {
        left.first = sum_of_slices(published + lane, fours * 4u);
        if (BLOCKS > 1u) {
            left.second = sum_of_slices(published + EXCHANGED + lane, fours * 4u);
        }
    }
    return left;
}

fn leave_slice(sums: array<Rows, 4>, at: u32) {
    exchange[at] = sums[0];
    exchange[at + 1u] = sums[1];
    exchange[at + 2u] = sums[2];
    exchange[at + 3u] = sums[3];
}

fn sum_of_slices(first: u32, apart: u32) -> vec4f {
    var sum = Rows();
    for (var slice = 0u; slice < 4u; slice++) {
        sum += exchange[first + slice * apart];
    }
    return sum;
}
