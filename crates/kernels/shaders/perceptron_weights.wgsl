// The gradients of a perceptron's weights (perceptron_forward.wgsl): an invocation a number, which sums over the rows in
// their order.

struct Info {
    rows: u32, // N
    hidden_bias: u32, // where the gradient of b_1 begins, behind that of W_1
    output_weight: u32, // of W_2
    output_bias: u32, // of b_2
}

@group(0) @binding({{ next }}) var<storage, read_write> input: array<f32>; // x, [N, D]
@group(0) @binding({{ next }}) var<storage, read_write> hidden: array<f32>; // after ReLU, [N, M]
@group(0) @binding({{ next }}) var<storage, read_write> d_hidden: array<f32>; // [N, M]
@group(0) @binding({{ next }}) var<storage, read_write> d_output: array<f32>; // [N, C]
@group(0) @binding({{ next }}) var<storage, read_write> gradients: array<f32>;
@group(0) @binding({{ next }}) var<uniform> info: Info;

const INPUT = {{ input }}u; // D
const HIDDEN = {{ hidden }}u; // M
const OUTPUT = {{ output }}u; // C
const HIDDEN_WEIGHTS = INPUT * HIDDEN;
const HIDDEN_LAYER = HIDDEN_WEIGHTS + HIDDEN;
const OUTPUT_WEIGHTS = HIDDEN_LAYER + HIDDEN * OUTPUT;
const ALL = OUTPUT_WEIGHTS + OUTPUT;

@compute @workgroup_size({{ workgroup }})
fn main(@builtin(global_invocation_id) invocation: vec3u) {
    let at = invocation.x;
    var sum = 0.0;
    if (at < HIDDEN_WEIGHTS) {
        for (var row = 0u; row < info.rows; row++) {
            sum = fma(input[row * INPUT + at / HIDDEN], d_hidden[row * HIDDEN + at % HIDDEN], sum);
        }
        gradients[at] = sum;
    } else if (at < HIDDEN_LAYER) {
        let unit = at - HIDDEN_WEIGHTS;
        for (var row = 0u; row < info.rows; row++) {
            sum += d_hidden[row * HIDDEN + unit];
        }
        gradients[info.hidden_bias + unit] = sum;
    } else if (at < OUTPUT_WEIGHTS) {
        let weight = at - HIDDEN_LAYER;
        for (var row = 0u; row < info.rows; row++) {
            sum = fma(hidden[row * HIDDEN + weight / OUTPUT], d_output[row * OUTPUT + weight % OUTPUT], sum);
        }
        gradients[info.output_weight + weight] = sum;
    } else if (at < ALL) {
        let place = at - OUTPUT_WEIGHTS;
        for (var row = 0u; row < info.rows; row++) {
            sum += d_output[row * OUTPUT + place];
        }
        gradients[info.output_bias + place] = sum;
    }
}
