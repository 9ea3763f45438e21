// dz_{t+1} Uᵀ of the tile, from the gradients in memory.

fn publish_gradient(block: u32, local: u32, d_recurrent: array<Rows, 4>) {}

// `step`: that of the gradients.
fn hidden_gradient(tile: Tile, step: u32, local: u32, first_unit: u32) -> Left {
    let lane = lane_of(local);
    let published = local / LANES * EXCHANGED;
    // Of the units of this workgroup.
    let four = lane / 4u;
    let of_layer = min(first_unit / 4u + four, UNITS / 4u - 1u);
    let slice = lane % 4u;
    let rows = tokens_at(tile, step) * (RECORDED * HIDDEN);
    var sums: Sums;
    for (var gate = 0u; gate < GATES; gate++) {
        // The recurrent product's own last gate stands last.
        let place = select(gate, RECORDED - 1u, gate + 1u == GATES);
        for (var first = 0u; first < UNITS; first += LANES) {
            let other = first + lane;
            var d = Rows();
            if (other < HIDDEN) {
                d = read_gradients(rows + place * HIDDEN + other);
            }
            workgroupBarrier();
            exchange[published + lane] = d;
            workgroupBarrier();
            let weights = weights_at(of_layer, gate, first);
            for (var unit = slice; unit < min(LANES, UNITS - first); unit += 8u) {
                add_column(&sums, weights + unit, published + unit);
                add_column(&sums, weights + unit + 4u, published + unit + 4u);
            }
        }
    }
    return add_slices(sums, published, four, slice, LANES / 4u, lane);
}
