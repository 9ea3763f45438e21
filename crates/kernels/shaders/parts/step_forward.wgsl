// h_{t-1} U, given.

@group(0) @binding(1) var<storage, read_write> given_product: array<f32>; // [B, G·H]

fn publish_hidden(tile: Tile, step: u32, unit: u32, hidden: vec4f) {}

fn recurrent_product(tile: Tile, step: u32, unit: u32) -> array<vec4f, GATES> {
    var product: array<vec4f, GATES>;
    for (var i = 0u; i < ROWS; i++) {
        if (present(tile, i)) {
            let columns = (tile.first_row + i) * GATES * HIDDEN + unit;
            for (var gate = 0u; gate < GATES; gate++) {
                product[gate][i] = given_product[columns + gate * HIDDEN];
            }
        }
    }
    return product;
}
