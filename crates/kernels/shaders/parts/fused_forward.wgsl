// h_{t-1} U of the tile. The hidden states are in workgroup memory twice, so that one barrier a step
// is enough; the recurrent weights come from the cache, neighbouring units side by side. For an LSTM
// four loads of a weight and one of four rows serve sixteen multiply-adds.

@group(0) @binding(1) var<storage, read_write> recurrent_weight: array<f32>; // U, [H, G·H]

fn publish_hidden(tile: Tile, step: u32, unit: u32, hidden: vec4f) {
    exchange[(step & 1u) * HIDDEN + unit] = hidden;
}

// A product a gate, the first GATES of four.
fn recurrent_product(tile: Tile, step: u32, unit: u32) -> array<vec4f, 4> {
    var product: array<vec4f, 4>;
    let published = (step & 1u) * HIDDEN;
    for (var k = 0u; k < HIDDEN; k++) {
        let hidden = exchange[published + k];
        let weights = k * GATES * HIDDEN + unit;
        product[0] += recurrent_weight[weights] * hidden;
        if (GATES > 1u) {
            product[1] += recurrent_weight[weights + HIDDEN] * hidden;
            product[2] += recurrent_weight[weights + 2u * HIDDEN] * hidden;
        }
        if (GATES > 3u) {
            product[3] += recurrent_weight[weights + 3u * HIDDEN] * hidden;
        }
    }
    return product;
}
