@group(0) @binding({{ next }}) var<storage, read_write> input_weight: array<f32>; // W, [D, G·H]

// Four columns of a row, zero past the last.
fn input_weights(row: u32, column: u32) -> vec4f {
    return vec4f(
        input_weight_at(row, column),
        input_weight_at(row, column + 1u),
        input_weight_at(row, column + 2u),
        input_weight_at(row, column + 3u),
    );
}

fn input_weight_at(row: u32, column: u32) -> f32 {
    if (row < INPUT && column < PROJECTED) {
        return input_weight[row * PROJECTED + column];
    }
    return 0.0;
}
