// Adds four units' part of h_{t-1} U, a sum a gate, the first GATES of four: their hidden states are in workgroup
// memory one after the other. For an LSTM four loads of four weights and four of four rows serve 64 multiply-adds.
fn add_product(sums: ptr<function, array<Rows, 4>>, four: u32, exchanged: u32, unit: u32) {
    let h_0 = exchange[exchanged];
    let h_1 = exchange[exchanged + 1u];
    let h_2 = exchange[exchanged + 2u];
    let h_3 = exchange[exchanged + 3u];
    let first = weights_at(four, 0u, unit);
    (*sums)[0] = dot_rows(packed[first], h_0, h_1, h_2, h_3, (*sums)[0]);
    if (GATES > 1u) {
        (*sums)[1] = dot_rows(packed[first + UNITS], h_0, h_1, h_2, h_3, (*sums)[1]);
        (*sums)[2] = dot_rows(packed[first + 2u * UNITS], h_0, h_1, h_2, h_3, (*sums)[2]);
    }
    if (GATES > 3u) {
        (*sums)[3] = dot_rows(packed[first + 3u * UNITS], h_0, h_1, h_2, h_3, (*sums)[3]);
    }
}

// Written as fma: else one variant of a kernel might round a product, and another not.
fn dot_rows(weights: vec4f, h_0: vec4f, h_1: vec4f, h_2: vec4f, h_3: vec4f, sum: vec4f) -> vec4f {
    let first = fma(vec4f(weights.y), h_1, fma(vec4f(weights.x), h_0, sum));
    return fma(vec4f(weights.w), h_3, fma(vec4f(weights.z), h_2, first));
}
