// The next number of a heartbeat, if all workgroups of the walks since the last one came to their end; else
// it stays behind for good. One invocation.

@group(0) @binding({{ next }}) var<storage, read_write> beats: atomic<u32>; // of parts/heartbeat.wgsl
@group(0) @binding({{ next }}) var<storage, read_write> number: array<f32>; // [1]
@group(0) @binding({{ next }}) var<storage, read_write> next_number: array<f32>; // [1]

struct Info {
    workgroups: u32, // launched since the last heartbeat
}

@group(0) @binding({{ next }}) var<uniform> info: Info;

@compute @workgroup_size({{ workgroup }})
fn main() {
    let complete = atomicExchange(&beats, 0u) == info.workgroups;
    next_number[0] = number[0] + select(0.0, 1.0, complete);
}
