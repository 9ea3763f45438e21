// The state that each valid timestep started from, [B, T, H]: the left side of the product that gives
// the gradient of the recurrent weights. Past a row's length it is zero.
//
// An invocation a value.

struct Info {
    batch: u32, // B
    time: u32, // T
    reverse: u32, // 1: a row was walked from its last valid timestep to its first
}

@group(0) @binding(0) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
@group(0) @binding(1) var<storage, read_write> initial_hidden: array<f32>; // [B, H]
@group(0) @binding(2) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding(3) var<storage, read_write> previous_hidden: array<f32>; // [B, T, H]
@group(0) @binding(4) var<uniform> info: Info;

const HIDDEN = {{ hidden }}u; // H

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * {{ workgroup }}u + local;
    let row = at / (info.time * HIDDEN);
    if (row >= info.batch) {
        return;
    }
    let t = at / HIDDEN % info.time;
    let length = u32(clamp(lengths[row], 0, i32(info.time)));
    let first = select(t == 0u, t + 1u == length, info.reverse == 1u);
    var value = 0.0;
    if (t < length) {
        if (first) {
            value = initial_hidden[row * HIDDEN + at % HIDDEN];
        } else if (info.reverse == 1u) {
            value = hidden_states[at + HIDDEN];
        } else {
            value = hidden_states[at - HIDDEN];
        }
    }
    previous_hidden[at] = value;
}
