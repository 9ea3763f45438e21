// h_{t-1} U of the tile. The hidden states are in workgroup memory twice, for odd and for even steps.

{{ weights }}
fn publish_hidden(block: u32, step: u32, local: u32, hidden: f32) {
    let lane = lane_of(local);
    if (lane < UNITS) {
        exchange[((step & 1u) * UNITS + lane) * 4u + local / LANES] = hidden;
    }
}

fn recurrent_product(tile: Tile, step: u32, local: u32, unit: u32) -> Sums {
    let first = ((step & 1u) * UNITS + local / LANES * QUARTER) * 4u;
    var sums: array<vec4f, 4>;
{{ products }}
    leave_part(0u, local, sums[0]);
    if (GATES > 1u) {
        leave_part(1u, local, sums[1]);
        leave_part(2u, local, sums[2]);
    }
    if (GATES > 3u) {
        leave_part(3u, local, sums[3]);
    }
    workgroupBarrier();
    var product: Sums;
    product.first[0] = add_parts(0u, local, sums[0]);
    if (GATES > 1u) {
        product.first[1] = add_parts(1u, local, sums[1]);
        product.first[2] = add_parts(2u, local, sums[2]);
    }
    if (GATES > 3u) {
        product.first[3] = add_parts(3u, local, sums[3]);
    }
    return product;
}
