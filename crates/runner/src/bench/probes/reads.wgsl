// Reads into registers, 16 bytes an invocation at a time: from a buffer of 64 KiB, which stays in a cache, or from
// 8 KiB of workgroup memory. A round reads 64 KiB.

struct Info {
    rounds: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> output: array<vec4f>; // a sum an invocation
@group(0) @binding(2) var<uniform> info: Info;

const FROM_CACHE = {{ from_cache }};
const WORKGROUP = 64u;
const IN_CACHE = 4096u; // values of 16 bytes, a power of two
const IN_MEMORY = 512u;

var<workgroup> memory: array<vec4f, IN_MEMORY>;

fn value(i: u32) -> vec4f {
    if (FROM_CACHE) {
        return input[i & (IN_CACHE - 1u)];
    }
    return memory[i & (IN_MEMORY - 1u)];
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    if (!FROM_CACHE) {
        for (var i = local; i < IN_MEMORY; i += WORKGROUP) {
            memory[i] = input[i];
        }
        workgroupBarrier();
    }
    var sum = vec4f();
    var i = local;
    for (var part = 0u; part < info.rounds * 8u; part++) {
        sum += value(i);
        sum += value(i + WORKGROUP);
        sum += value(i + 2u * WORKGROUP);
        sum += value(i + 3u * WORKGROUP);
        sum += value(i + 4u * WORKGROUP);
        sum += value(i + 5u * WORKGROUP);
        sum += value(i + 6u * WORKGROUP);
        sum += value(i + 7u * WORKGROUP);
        // One further than was read: with a multiple of IN_MEMORY, a compiler could see that all parts read the same.
        i += 9u * WORKGROUP;
    }
    output[workgroup.x * WORKGROUP + local] = sum;
}
