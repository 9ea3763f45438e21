// dz_{t+1} Uᵀ of the tile.

{{ weights }}
fn weight_to(unit: u32, gate: u32, column: u32) -> f32 {
    let weights = packed[weights_at(unit / 4u, gate, column)];
    return select(
        select(weights.x, weights.y, unit % 4u == 1u),
        select(weights.z, weights.w, unit % 4u == 3u),
        unit % 4u >= 2u,
    );
}

// A gradient a gate, the first GATES of four.
fn publish_gradient(block: u32, local: u32, d_recurrent: array<Rows, 4>) {
    let lane = lane_of(local);
    let at = lane * 4u + local / LANES;
    if (lane < UNITS) {
        exchange[at] = d_recurrent[0];
        if (GATES > 1u) {
            exchange[at + UNITS * 4u] = d_recurrent[1];
            exchange[at + UNITS * 8u] = d_recurrent[2];
        }
        if (GATES > 3u) {
            exchange[at + UNITS * 12u] = d_recurrent[3];
        }
    }
}

fn hidden_gradient(tile: Tile, step: u32, local: u32, first_unit: u32) -> Left {
    let first = local / LANES * QUARTER * 4u;
    var sums: array<vec4f, 4>;
{{ products }}
    let sum = ((sums[0] + sums[1]) + sums[2]) + sums[3];
    leave_part(0u, local, sum);
    workgroupBarrier();
    return Left(add_parts(0u, local, sum), 0.0);
}
