// dz_{t+1} Uᵀ, given; dz_t is left for the next product behind the last of the gradients.

@group(0) @binding(1) var<storage, read_write> given_product: array<f32>; // [B, H]

// A gradient a gate, the first GATES of four.
fn publish_gradient(tile: Tile, unit: u32, d_recurrent: array<vec4f, 4>) {
    let columns = info.offsets.z + tile.rows * GATES * HIDDEN + unit;
    write_gradients(columns, tile.present, d_recurrent[0]);
    if (GATES > 1u) {
        write_gradients(columns + HIDDEN, tile.present, d_recurrent[1]);
        write_gradients(columns + 2u * HIDDEN, tile.present, d_recurrent[2]);
    }
    if (GATES > 3u) {
        write_gradients(columns + 3u * HIDDEN, tile.present, d_recurrent[3]);
    }
}

fn hidden_gradient(tile: Tile, unit: u32) -> vec4f {
    let there = select(vec4<bool>(), tile.present, vec4<bool>(unit < HIDDEN));
    return read_given_product(state_at(tile, unit), there);
}
