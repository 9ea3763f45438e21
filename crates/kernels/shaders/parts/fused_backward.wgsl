// The gradient's way back through h_{t-1} U: dz_t Uᵀ of the tile.
//
// An invocation sums for four units of four rows, over every fourth column: a load of four weights and
// one of four rows serve sixteen multiply-adds. The four partial sums of a unit are then added in
// workgroup memory.

@group(0) @binding(1) var<storage, read_write> transposed_weight: array<vec4f>; // Uᵀ, [G·H, H rounded up to fours]

const QUADS = (HIDDEN + 3u) / 4u; // fours of units
const SLICES = 4u;

// A gradient a gate, the first GATES of four.
fn publish_gradient(tile: Tile, unit: u32, d_recurrent: array<vec4f, 4>) {
    exchange[unit] = d_recurrent[0];
    if (GATES > 1u) {
        exchange[HIDDEN + unit] = d_recurrent[1];
        exchange[2u * HIDDEN + unit] = d_recurrent[2];
    }
    if (GATES > 3u) {
        exchange[3u * HIDDEN + unit] = d_recurrent[3];
    }
}

fn hidden_gradient(tile: Tile, unit: u32) -> vec4f {
    let quad = unit % QUADS;
    let slice = unit / QUADS;
    var sums: array<vec4f, 4>;
    if (slice < SLICES) {
        for (var column = slice; column < GATES * HIDDEN; column += SLICES) {
            let weights = transposed_weight[column * QUADS + quad];
            let d = exchange[column];
            sums[0] += weights.x * d;
            sums[1] += weights.y * d;
            sums[2] += weights.z * d;
            sums[3] += weights.w * d;
        }
    }
    workgroupBarrier();
    if (slice < SLICES) {
        let first = (slice * QUADS + quad) * 4u;
        exchange[first] = sums[0];
        exchange[first + 1u] = sums[1];
        exchange[first + 2u] = sums[2];
        exchange[first + 3u] = sums[3];
    }
    workgroupBarrier();
    var sum = vec4f();
    if (unit < HIDDEN) {
        for (var part = 0u; part < SLICES; part++) {
            sum += exchange[part * QUADS * 4u + unit];
        }
    }
    return sum;
}
