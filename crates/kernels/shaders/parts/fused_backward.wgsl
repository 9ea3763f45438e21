// dz_{t+1} Uᵀ of the tile. An invocation serves four units, and takes every fourth column of each gate: neighbours
// read neighbouring weights, and each weight is read once by a tile.

// A gradient a gate, the first GATES of four.
fn publish_gradient(block: u32, local: u32, d_recurrent: array<Rows, 4>) {
    let lane = lane_of(local);
    let at = exchange_of(local, block) + lane;
    if (lane < UNITS) {
        exchange[at] = d_recurrent[0];
        if (GATES > 1u) {
            exchange[at + UNITS] = d_recurrent[1];
            exchange[at + 2u * UNITS] = d_recurrent[2];
        }
        if (GATES > 3u) {
            exchange[at + 3u * UNITS] = d_recurrent[3];
        }
    }
}

fn hidden_gradient(tile: Tile, step: u32, local: u32, first_unit: u32) -> Left {
    let lane = lane_of(local);
    let published = exchange_of(local, 0u);
    let four = lane / 4u;
    let slice = lane % 4u;
    var sums: Sums;
    if (four < UNITS / 4u) {
        for (var gate = 0u; gate < GATES; gate++) {
            let weights = weights_at(four, gate, 0u);
            let gradients = published + gate * UNITS;
            for (var unit = slice; unit < UNITS; unit += 8u) {
                add_column(&sums, weights + unit, gradients + unit);
                add_column(&sums, weights + unit + 4u, gradients + unit + 4u);
            }
        }
    }
    return add_slices(sums, published, four, slice, UNITS / 4u, lane);
}
