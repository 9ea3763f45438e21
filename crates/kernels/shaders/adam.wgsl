// A step of Adam with the decoupled weight decay of AdamW, for N numbers: an invocation a number.
//
//   m = β₁ m + (1 - β₁) g      v = β₂ v + (1 - β₂) g²      p = keep · p - rate · m / (√v + ε)
//
// The corrections for the moments' first steps are in rate and ε, the decay in keep. A mean below VANISHED and a v
// below the normal range become 0.

struct Info {
    count: u32, // N
    first: u32, // where the new m begins, beside the new p
    second: u32, // where the new v begins
    beta_1: f32,
    rest_1: f32, // 1 - β₁
    beta_2: f32,
    rest_2: f32, // 1 - β₂
    keep: f32,
    rate: f32,
    epsilon: f32,
}

@group(0) @binding({{ next }}) var<storage, read_write> gradient: array<f32>; // g, [N]
@group(0) @binding({{ next }}) var<storage, read_write> parameter: array<f32>; // p, [N]
@group(0) @binding({{ next }}) var<storage, read_write> first_moment: array<f32>; // m, [N]
@group(0) @binding({{ next }}) var<storage, read_write> second_moment: array<f32>; // v, [N]
@group(0) @binding({{ next }}) var<storage, read_write> updated: array<f32>; // p, m and v
@group(0) @binding({{ next }}) var<uniform> info: Info;

const VANISHED = 1e-30f;
const LEAST_NORMAL = 1.17549435e-38f;

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let i = (workgroup.y * workgroups.x + workgroup.x) * {{ workgroup }}u + local;
    if (i < info.count) {
        let g = gradient[i];
        let mean = info.beta_1 * first_moment[i] + info.rest_1 * g;
        let square = info.beta_2 * second_moment[i] + info.rest_2 * (g * g);
        let m = select(mean, 0.0, abs(mean) < VANISHED);
        let v = select(square, 0.0, square < LEAST_NORMAL);
        updated[i] = info.keep * parameter[i] - info.rate * m / (sqrt(v) + info.epsilon);
        updated[info.first + i] = m;
        updated[info.second + i] = v;
    }
}
