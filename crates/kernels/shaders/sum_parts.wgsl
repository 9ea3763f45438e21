// The parts of weight_gradients.wgsl added, and each sum put where it belongs: an invocation a sum.

struct Info {
    parts: u32,
    weight: u32, // where dU begins
    input_weight: u32, // dW
    bias: u32, // db
    recurrent_bias: u32, // db_r
}

@group(0) @binding({{ next }}) var<storage, read_write> sums: array<f32>; // [parts, ROWS, COLUMNS]
@group(0) @binding({{ next }}) var<storage, read_write> gradients: array<f32>;
@group(0) @binding({{ next }}) var<uniform> info: Info;

const HIDDEN = {{ hidden }}u; // H
const RECURRENT = {{ recurrent }}u; // H, or 0
const INPUT = {{ input }}u; // D
const HAS_INPUT = INPUT > 0u;
const FIRST_INPUT = {{ first_input }}u; // RECURRENT, padded
const FIRST_ONE = {{ first_one }}u; // behind the input, padded
const ROWS = FIRST_ONE + 1u;
const COLUMNS = {{ columns }}u;
const PROJECTED = {{ projected }}u; // G·H
// Whether the last gate of the recurrent product has a gradient of its own, behind the projections'.
const SPLITS = COLUMNS > PROJECTED;

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * {{ workgroup }}u + local;
    if (at >= ROWS * COLUMNS) {
        return;
    }
    var sum = 0.0;
    for (var part = 0u; part < info.parts; part++) {
        sum += sums[part * ROWS * COLUMNS + at];
    }
    let row = at / COLUMNS;
    let column = at % COLUMNS;
    let of_input = column < PROJECTED;
    let of_product = !SPLITS || column < PROJECTED - HIDDEN || !of_input;
    let product_column = select(column, column - HIDDEN, !of_input);
    if (row < RECURRENT) {
        if (of_product) {
            gradients[info.weight + row * PROJECTED + product_column] = sum;
        }
    } else if (row >= FIRST_INPUT && row < FIRST_INPUT + INPUT) {
        if (of_input) {
            gradients[info.input_weight + (row - FIRST_INPUT) * PROJECTED + column] = sum;
        }
    } else if (row == FIRST_ONE) {
        if (HAS_INPUT && of_input) {
            gradients[info.bias + column] = sum;
        }
        if (SPLITS && of_product) {
            gradients[info.recurrent_bias + product_column] = sum;
        }
    }
}
