// h_{t-1} U of the tile. The hidden states are in workgroup memory twice, so that one barrier a step
// is enough; the recurrent weights come from the cache, neighbouring units side by side. Eight units a turn, because
// compilers leave a loop as it is written.

fn publish_hidden(block: u32, step: u32, local: u32, hidden: vec4f) {
    let lane = lane_of(local);
    if (lane < UNITS) {
        exchange[exchange_of(local, block) + (step & 1u) * UNITS + lane] = hidden;
    }
}

fn recurrent_product(tile: Tile, step: u32, local: u32, unit: u32) -> Sums {
    var product: Sums;
    let published = exchange_of(local, 0u) + (step & 1u) * UNITS;
    for (var four = 0u; four < UNITS / 4u; four += 2u) {
        add_product(&product, four, published + four * 4u, unit);
        add_product(&product, four + 1u, published + four * 4u + 4u, unit);
    }
    return product;
}
