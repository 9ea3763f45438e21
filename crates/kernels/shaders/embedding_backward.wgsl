// The gradient of an embedding, [V, D]: for every word the sum over its positions in the batch.
//
// The host has sorted the positions by word, so an invocation owns a column of a word and no sum is shared: no
// atomics, the same bits every time. Neighbouring invocations own neighbouring columns. Each has eight sums, so that
// eight loads are under way at once.

struct Info {
    words: u32, // V
    columns: u32, // D
}

@group(0) @binding({{ next }}) var<storage, read_write> d_output: array<f32>; // [N, D]
@group(0) @binding({{ next }}) var<storage, read_write> positions: array<i32>; // rows of d_output, sorted by word
@group(0) @binding({{ next }}) var<storage, read_write> starts: array<i32>; // where a word's positions begin, [V + 1]
@group(0) @binding({{ next }}) var<storage, read_write> d_weight: array<f32>; // [V, D]
@group(0) @binding({{ next }}) var<uniform> info: Info;

fn value(i: u32, column: u32) -> f32 {
    return d_output[u32(positions[i]) * info.columns + column];
}

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * {{ workgroup }}u + local;
    let word = at / info.columns;
    let column = at % info.columns;
    if (word >= info.words) {
        return;
    }
    let end = u32(starts[word + 1u]);
    var i = u32(starts[word]);
    var sum_0: vec4f;
    var sum_1: vec4f;
    for (; i + 7u < end; i += 8u) {
        sum_0 += vec4f(
            value(i, column),
            value(i + 1u, column),
            value(i + 2u, column),
            value(i + 3u, column),
        );
        sum_1 += vec4f(
            value(i + 4u, column),
            value(i + 5u, column),
            value(i + 6u, column),
            value(i + 7u, column),
        );
    }
    let sum = sum_0 + sum_1;
    var total = (sum.x + sum.y) + (sum.z + sum.w);
    for (; i < end; i++) {
        total += value(i, column);
    }
    d_weight[at] = total;
}
