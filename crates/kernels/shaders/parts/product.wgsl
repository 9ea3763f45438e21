// Adds four units' part of h_{t-1} U, a sum a gate: their hidden states are in workgroup memory one after the other. For an
// LSTM four loads of four weights and four of four rows serve 64 multiply-adds, and with a second tile four more rows
// as many again. Where there is none, nobody reads its sums, and compilers leave them out.
fn add_product(sums: ptr<function, Sums>, four: u32, exchanged: u32, unit: u32) {
    let h = exchanged_at(exchanged);
    var second: mat4x4f;
    if (BLOCKS > 1u) {
        second = exchanged_at(exchanged + EXCHANGED);
    }
    let first = weights_at(four, 0u, unit);
    let w_0 = packed[first];
    (*sums).first[0] = dot_rows(w_0, h, (*sums).first[0]);
    (*sums).second[0] = dot_rows(w_0, second, (*sums).second[0]);
    if (GATES > 1u) {
        let w_1 = packed[first + UNITS];
        let w_2 = packed[first + 2u * UNITS];
        (*sums).first[1] = dot_rows(w_1, h, (*sums).first[1]);
        (*sums).second[1] = dot_rows(w_1, second, (*sums).second[1]);
        (*sums).first[2] = dot_rows(w_2, h, (*sums).first[2]);
        (*sums).second[2] = dot_rows(w_2, second, (*sums).second[2]);
    }
    if (GATES > 3u) {
        let w_3 = packed[first + 3u * UNITS];
        (*sums).first[3] = dot_rows(w_3, h, (*sums).first[3]);
        (*sums).second[3] = dot_rows(w_3, second, (*sums).second[3]);
    }
}

fn exchanged_at(at: u32) -> mat4x4f {
    return mat4x4f(exchange[at], exchange[at + 1u], exchange[at + 2u], exchange[at + 3u]);
}

fn dot_rows(weights: vec4f, h: mat4x4f, sum: vec4f) -> vec4f {
    let first = fma(vec4f(weights.y), h[1], fma(vec4f(weights.x), h[0], sum));
    return fma(vec4f(weights.w), h[3], fma(vec4f(weights.z), h[2], first));
}
