// Nothing: there is at least one round.

struct Info {
    rounds: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
@group(0) @binding(2) var<uniform> info: Info;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
    if (info.rounds == 0u) {
        output[local] = input[local];
    }
}
