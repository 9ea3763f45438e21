// Adds a column's part of dz Uᵀ for four units: its gradients of four rows, times four weights.
fn add_column(sums: ptr<function, array<Rows, 4>>, at: u32, exchanged: u32) {
    let weights = packed[at];
    let d = exchange[exchanged];
    (*sums)[0] = fma(vec4f(weights.x), d, (*sums)[0]);
    (*sums)[1] = fma(vec4f(weights.y), d, (*sums)[1]);
    (*sums)[2] = fma(vec4f(weights.z), d, (*sums)[2]);
    (*sums)[3] = fma(vec4f(weights.w), d, (*sums)[3]);
}

// The four slices' sums for a unit, added through workgroup memory: `four` names the invocation's units. Where they
// have memory of their own, nobody waits for the others to have read the gradients.
fn add_slices(sums: array<Rows, 4>, gradients: u32, four: u32, slice: u32, fours: u32, lane: u32) -> vec4f {
    let published = gradients + select(0u, 4u * UNITS, APART);
    if (!APART) {
        workgroupBarrier();
    }
    if (four < fours) {
        let first = published + (slice * fours + four) * 4u;
        exchange[first] = sums[0];
        exchange[first + 1u] = sums[1];
        exchange[first + 2u] = sums[2];
        exchange[first + 3u] = sums[3];
    }
    workgroupBarrier();
    var sum = vec4f();
    if (lane < fours * 4u) {
        for (var part = 0u; part < 4u; part++) {
            sum += exchange[published + part * fours * 4u + lane];
        }
    }
    return sum;
}
