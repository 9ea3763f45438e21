// Copies as a walk reads and writes: 32 workgroups, each with ten streams to read and ten to write, take a piece of
// 64 numbers from each and to each, step after step. Where pieces lie decides what a step of all workgroups touches:
// 640 places, or two.

struct Info {
    rounds: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> info: Info;

const PIECE = 64u;
const STEPS = {{ steps }}u;
const STREAM = {{ stream }}u; // from a stream's piece to the next stream's, in numbers
const STEP = {{ step }}u; // from a piece to the next of the same stream

@compute @workgroup_size(PIECE)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
    let first = workgroup.x * 10u * STREAM + local;
    for (var round = 0u; round < info.rounds; round++) {
        for (var step = 0u; step < STEPS; step++) {
            let at = first + step * STEP;
            let v0 = input[at];
            let v1 = input[at + STREAM];
            let v2 = input[at + 2u * STREAM];
            let v3 = input[at + 3u * STREAM];
            let v4 = input[at + 4u * STREAM];
            let v5 = input[at + 5u * STREAM];
            let v6 = input[at + 6u * STREAM];
            let v7 = input[at + 7u * STREAM];
            let v8 = input[at + 8u * STREAM];
            let v9 = input[at + 9u * STREAM];
            output[at] = v0;
            output[at + STREAM] = v1;
            output[at + 2u * STREAM] = v2;
            output[at + 3u * STREAM] = v3;
            output[at + 4u * STREAM] = v4;
            output[at + 5u * STREAM] = v5;
            output[at + 6u * STREAM] = v6;
            output[at + 7u * STREAM] = v7;
            output[at + 8u * STREAM] = v8;
            output[at + 9u * STREAM] = v9;
        }
    }
}
