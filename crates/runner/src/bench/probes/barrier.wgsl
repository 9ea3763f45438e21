// What two steps of a walk wait for: a number is written to workgroup memory, and after a barrier another
// invocation's number is read.

struct Info {
    rounds: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>; // the last number of each invocation
@group(0) @binding(2) var<uniform> info: Info;

const WORKGROUP = {{ workgroup }}u;

var<workgroup> exchange: array<f32, 2 * WORKGROUP>;

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    var number = input[local];
    // In another subgroup, if those have 32 invocations or fewer.
    let other = (local + 33u) % WORKGROUP;
    for (var round = 0u; round < info.rounds; round++) {
        let published = (round & 1u) * WORKGROUP;
        exchange[published + local] = number;
        workgroupBarrier();
        number = fma(exchange[published + other], 0.5, 0.25);
    }
    output[workgroup.x * WORKGROUP + local] = number;
}
