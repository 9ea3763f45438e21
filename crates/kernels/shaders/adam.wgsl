// A step of Adam with the decoupled weight decay of AdamW, for the N numbers of one parameter or two: an invocation a number.
//
//   m = β₁ m + (1 - β₁) g      v = β₂ v + (1 - β₂) g²      p = keep · p - rate · m / (√v + ε)
//
// The corrections for the moments' first steps are in rate and ε, the decay in keep. A mean below VANISHED and a v
// below the normal range become 0.

struct Info {
    counts: vec2u, // N, of a second parameter too
    first: vec2u, // where a new m begins, beside the new p
    second: vec2u, // where a new v begins
    start: u32, // where the second parameter's new p begins
    beta_1: f32,
    rest_1: f32, // 1 - β₁
    beta_2: f32,
    rest_2: f32, // 1 - β₂
    keep: f32,
    rate: f32,
    epsilon: f32,
}

@group(0) @binding({{ next }}) var<storage, read_write> updated: array<f32>; // p, m and v
@group(0) @binding({{ next }}) var<storage, read_write> gradient: array<f32>; // g, [N]
@group(0) @binding({{ next }}) var<storage, read_write> parameter: array<f32>; // p, [N]
@group(0) @binding({{ next }}) var<storage, read_write> first_moment: array<f32>; // m, [N]
@group(0) @binding({{ next }}) var<storage, read_write> second_moment: array<f32>; // v, [N]
@group(0) @binding({{ next }}) var<uniform> info: Info;

const VANISHED = 1e-30f;
const LEAST_NORMAL = 1.17549435e-38f;

// p, m and v after the step.
fn updated_by(g: f32, parameter: f32, first_moment: f32, second_moment: f32) -> vec3f {
    let mean = info.beta_1 * first_moment + info.rest_1 * g;
    let square = info.beta_2 * second_moment + info.rest_2 * (g * g);
    let m = select(mean, 0.0, abs(mean) < VANISHED);
    let v = select(square, 0.0, square < LEAST_NORMAL);
    return vec3f(info.keep * parameter - info.rate * m / (sqrt(v) + info.epsilon), m, v);
}

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (workgroup.y * workgroups.x + workgroup.x) * {{ workgroup }}u + local;
    if (i < info.counts.x) {
        let after = updated_by(gradient[i], parameter[i], first_moment[i], second_moment[i]);
        updated[i] = after.x;
        updated[info.first.x + i] = after.y;
        updated[info.second.x + i] = after.z;
    } else if (i - info.counts.x < info.counts.y) {
        step_of_second(i - info.counts.x);
    }
}
