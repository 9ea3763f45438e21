// The gradients of a perceptron's values (perceptron_forward.wgsl), over four rows a workgroup:
//
//   d_hidden = (dy W_2ᵀ) where hidden is positive, else 0        dx = d_hidden W_1ᵀ

struct Info {
    rows: u32, // N
    input: u32, // where dx begins, behind d_hidden
}

@group(0) @binding({{ next }}) var<storage, read_write> d_output: array<f32>; // dy, [N, C]
@group(0) @binding({{ next }}) var<storage, read_write> hidden: array<f32>; // after ReLU, [N, M]
@group(0) @binding({{ next }}) var<storage, read_write> hidden_weight: array<f32>; // W_1, [D, M]
@group(0) @binding({{ next }}) var<storage, read_write> output_weight: array<f32>; // W_2, [M, C]
@group(0) @binding({{ next }}) var<storage, read_write> gradients: array<f32>; // d_hidden [N, M], then dx [N, D]
@group(0) @binding({{ next }}) var<uniform> info: Info;

const INPUT = {{ input }}u; // D
const HIDDEN = {{ hidden }}u; // M
const OUTPUT = {{ output }}u; // C

var<workgroup> d_outputs: array<vec4f, {{ output }}>;
var<workgroup> d_activated: array<vec4f, {{ hidden }}>;

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let first = (workgroup.y * workgroups.x + workgroup.x) * 4u + vec4u(0u, 1u, 2u, 3u);
    let present = first < vec4u(info.rows);
    let rows = min(first, vec4u(info.rows - 1u));
    for (var place = local; place < OUTPUT; place += {{ workgroup }}u) {
        d_outputs[place] = read_d_output(rows * OUTPUT + place);
    }
    workgroupBarrier();
    for (var unit = local; unit < HIDDEN; unit += {{ workgroup }}u) {
        var sum = vec4f();
        for (var place = 0u; place < OUTPUT; place++) {
            sum = fma(vec4f(output_weight[unit * OUTPUT + place]), d_outputs[place], sum);
        }
        let value = select(sum, vec4f(), read_hidden(rows * HIDDEN + unit) == vec4f());
        d_activated[unit] = value;
        write_gradients(rows * HIDDEN + unit, present, value);
    }
    workgroupBarrier();
    for (var i = local; i < INPUT; i += {{ workgroup }}u) {
        var sum = vec4f();
        for (var unit = 0u; unit < HIDDEN; unit++) {
            sum = fma(vec4f(hidden_weight[i * HIDDEN + unit]), d_activated[unit], sum);
        }
        write_gradients(info.input + rows * INPUT + i, present, sum);
    }
}
