// The gradient's way back through h_{t-1} U: dz_t Uᵀ of the tile, dz in workgroup memory, U transposed
// so that neighbouring units read side by side.

@group(0) @binding(1) var<storage, read_write> transposed_weight: array<f32>; // Uᵀ, [G·H, H]

fn publish_gradient(tile: Tile, unit: u32, d_recurrent: array<vec4f, GATES>) {
    for (var gate = 0u; gate < GATES; gate++) {
        exchange[gate * HIDDEN + unit] = d_recurrent[gate];
    }
}

fn hidden_gradient(tile: Tile, unit: u32) -> vec4f {
    var sum = vec4f();
    for (var column = 0u; column < GATES * HIDDEN; column++) {
        sum += transposed_weight[column * HIDDEN + unit] * exchange[column];
    }
    return sum;
}
