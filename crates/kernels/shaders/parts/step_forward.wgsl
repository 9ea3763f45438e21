// h_{t-1} U of the tile, from the hidden states in memory.

fn publish_hidden(block: u32, step: u32, local: u32, hidden: vec4f) {}

fn recurrent_product(tile: Tile, step: u32, local: u32, unit: u32) -> Sums {
    var product: Sums;
    let lane = lane_of(local);
    let published = local / LANES * EXCHANGED;
    let rows = tokens_at(tile, before(step)) * HIDDEN;
    for (var first = 0u; first < UNITS; first += LANES) {
        let other = first + lane;
        var hidden = Rows();
        if (other < HIDDEN && step == 0u) {
            hidden = initial_hidden(tile, other, local);
        } else if (other < HIDDEN) {
            hidden = read_hidden_states(rows + other);
        }
        workgroupBarrier();
        exchange[published + lane] = hidden;
        workgroupBarrier();
        for (var four = 0u; four < min(LANES, UNITS - first) / 4u; four += 2u) {
            add_product(&product, first / 4u + four, published + four * 4u, unit);
            add_product(&product, first / 4u + four + 1u, published + four * 4u + 4u, unit);
        }
    }
    return product;
}
