// A layer with ReLU and a linear one, y = relu(x W_1 + b_1) W_2 + b_2, over four rows a workgroup: a vec4 holds a value
// of each.

struct Info {
    rows: u32, // N
}

@group(0) @binding({{ next }}) var<storage, read_write> input: array<f32>; // x, [N, D]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_weight: array<f32>; // W_1, [D, M]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_bias: array<f32>; // b_1, [M]
@group(0) @binding({{ next }}) var<storage, read_write> output_weight: array<f32>; // W_2, [M, C]
@group(0) @binding({{ next }}) var<storage, read_write> output_bias: array<f32>; // b_2, [C]
@group(0) @binding({{ next }}) var<storage, read_write> output: array<f32>; // y, [N, C]
@group(0) @binding({{ next }}) var<storage, read_write> hidden: array<f32>; // after ReLU, [N, M]
@group(0) @binding({{ next }}) var<uniform> info: Info;

const INPUT = {{ input }}u; // D
const HIDDEN = {{ hidden }}u; // M
const OUTPUT = {{ output }}u; // C

var<workgroup> inputs: array<vec4f, {{ input }}>;
var<workgroup> activated: array<vec4f, {{ hidden }}>;

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let first = (workgroup.y * workgroups.x + workgroup.x) * 4u + vec4u(0u, 1u, 2u, 3u);
    let present = first < vec4u(info.rows);
    let rows = min(first, vec4u(info.rows - 1u));
    for (var i = local; i < INPUT; i += {{ workgroup }}u) {
        inputs[i] = read_input(rows * INPUT + i);
    }
    workgroupBarrier();
    for (var unit = local; unit < HIDDEN; unit += {{ workgroup }}u) {
        var sum = vec4f(hidden_bias[unit]);
        for (var i = 0u; i < INPUT; i++) {
            sum = fma(vec4f(hidden_weight[i * HIDDEN + unit]), inputs[i], sum);
        }
        // Not by max, which may take NaN for 0.
        let value = select(sum, vec4f(), sum < vec4f());
        activated[unit] = value;
        write_hidden(rows * HIDDEN + unit, present, value);
    }
    workgroupBarrier();
    for (var place = local; place < OUTPUT; place += {{ workgroup }}u) {
        var sum = vec4f(output_bias[place]);
        for (var unit = 0u; unit < HIDDEN; unit++) {
            sum = fma(vec4f(output_weight[unit * OUTPUT + place]), activated[unit], sum);
        }
        write_output(rows * OUTPUT + place, present, sum);
    }
}
