// The product of a walk's step, h U of an LSTM with H 64, round after round: a workgroup has a tile of four rows, an
// invocation a unit, U comes from the cache, h is exchanged through workgroup memory, one barrier a round. In place of
// the gates stands a little arithmetic that keeps h between -1 and 1.

struct Info {
    rounds: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>; // U, [H, 4 H]
@group(0) @binding(1) var<storage, read_write> output: array<vec4f>; // the last h, [workgroups, H]
@group(0) @binding(2) var<uniform> info: Info;

const H = 64u;

var<workgroup> exchange: array<vec4f, 2 * H>;

@compute @workgroup_size(H)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) unit: u32) {
    var hidden = vec4f(input[unit], input[H + unit], input[2u * H + unit], input[3u * H + unit]);
    for (var round = 0u; round < info.rounds; round++) {
        let published = (round & 1u) * H;
        exchange[published + unit] = hidden;
        workgroupBarrier();
        var a = vec4f();
        var b = vec4f();
        var c = vec4f();
        var d = vec4f();
        for (var first = 0u; first < H; first += {{ terms }}u) {
            {{ body }}
        }
        let sum = a * b + c * d;
        hidden = sum / (1.0 + abs(sum));
    }
    output[workgroup.x * H + unit] = hidden;
}
