// h_{t-1} U, given.

@group(0) @binding(1) var<storage, read_write> given_product: array<f32>; // [B, G·H]

fn publish_hidden(tile: Tile, step: u32, unit: u32, hidden: vec4f) {}

// A product a gate, the first GATES of four.
fn recurrent_product(tile: Tile, step: u32, unit: u32) -> array<vec4f, 4> {
    var product: array<vec4f, 4>;
    let columns = tile.rows * GATES * HIDDEN + unit;
    product[0] = read_given_product(columns, tile.present);
    if (GATES > 1u) {
        product[1] = read_given_product(columns + HIDDEN, tile.present);
        product[2] = read_given_product(columns + 2u * HIDDEN, tile.present);
    }
    if (GATES > 3u) {
        product[3] = read_given_product(columns + 3u * HIDDEN, tile.present);
    }
    return product;
}
