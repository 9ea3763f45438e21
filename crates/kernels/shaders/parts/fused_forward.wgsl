// h_{t-1} U of the tile. The hidden states are in workgroup memory twice, so that one barrier a step
// is enough; the recurrent weights come from the cache, neighbouring units side by side. A load of
// four weights and one of four rows serve sixteen multiply-adds (LSTM).

@group(0) @binding(1) var<storage, read_write> recurrent_weight: array<f32>; // U, [H, G·H]

fn publish_hidden(tile: Tile, step: u32, unit: u32, hidden: vec4f) {
    exchange[(step & 1u) * HIDDEN + unit] = hidden;
}

fn recurrent_product(tile: Tile, step: u32, unit: u32) -> array<vec4f, GATES> {
    var product: array<vec4f, GATES>;
    let published = (step & 1u) * HIDDEN;
    for (var k = 0u; k < HIDDEN; k++) {
        let hidden = exchange[published + k];
        let weights = k * GATES * HIDDEN + unit;
        for (var gate = 0u; gate < GATES; gate++) {
            product[gate] += recurrent_weight[weights + gate * HIDDEN] * hidden;
        }
    }
    return product;
}
