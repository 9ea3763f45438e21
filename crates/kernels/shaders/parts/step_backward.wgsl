// dz_{t+1} Uᵀ, given; dz_t is left for the next product behind the last of the gradients.

@group(0) @binding(1) var<storage, read_write> given_product: array<f32>; // [B, H]

fn publish_gradient(tile: Tile, unit: u32, d_recurrent: array<vec4f, GATES>) {
    for (var i = 0u; i < ROWS; i++) {
        if (present(tile, i)) {
            let columns = info.offsets.w + (tile.first_row + i) * GATES * HIDDEN + unit;
            for (var gate = 0u; gate < GATES; gate++) {
                gradients[columns + gate * HIDDEN] = d_recurrent[gate][i];
            }
        }
    }
}

fn hidden_gradient(tile: Tile, unit: u32) -> vec4f {
    var product = vec4f();
    for (var i = 0u; i < ROWS; i++) {
        if (present(tile, i) && unit < HIDDEN) {
            product[i] = given_product[state_at(tile, i, unit)];
        }
    }
    return product;
}
