
// The second parameter.

@group(0) @binding({{ next }}) var<storage, read_write> second_gradient: array<f32>;
@group(0) @binding({{ next }}) var<storage, read_write> second_parameter: array<f32>;
@group(0) @binding({{ next }}) var<storage, read_write> its_first_moment: array<f32>;
@group(0) @binding({{ next }}) var<storage, read_write> its_second_moment: array<f32>;

fn step_of_second(i: u32) {
    let after = updated_by(
        second_gradient[i],
        second_parameter[i],
        its_first_moment[i],
        its_second_moment[i],
    );
    updated[info.start + i] = after.x;
    updated[info.first.y + i] = after.y;
    updated[info.second.y + i] = after.z;
}
