// The gradient of an embedding, [V, D]: for every word the sum over its positions in the batch.
//
// The host has sorted the positions by word, so a workgroup owns a block of a word's columns and no sum
// is shared: no atomics, the same bits every time. Neighbouring invocations own neighbouring columns.
// Each has four sums, so that four loads are under way at once; where columns are fewer than
// invocations, several lanes take the positions in turn, and their sums are added pairwise.

struct Info {
    words: u32, // V
    columns: u32, // D
}

@group(0) @binding(0) var<storage, read_write> d_output: array<f32>; // [N, D]
@group(0) @binding(1) var<storage, read_write> positions: array<i32>; // rows of d_output, sorted by word
@group(0) @binding(2) var<storage, read_write> starts: array<i32>; // where a word's positions begin, [V + 1]
@group(0) @binding(3) var<storage, read_write> d_weight: array<f32>; // [V, D]
@group(0) @binding(4) var<uniform> info: Info;

const COLUMNS = {{ columns }}u; // of a block, a power of two
const LANES = {{ workgroup }}u / COLUMNS;

var<workgroup> sums: array<f32, {{ workgroup }}>;

fn value(i: u32, column: u32) -> f32 {
    return d_output[u32(positions[i]) * info.columns + column];
}

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let word = workgroup.y * workgroups.x + workgroup.x;
    let column = workgroup.z * COLUMNS + local % COLUMNS;
    let lane = local / COLUMNS;
    let exists = word < info.words && column < info.columns;
    var sum = vec4f();
    if (exists) {
        let end = u32(starts[word + 1u]);
        var i = u32(starts[word]) + lane;
        for (; i + 3u * LANES < end; i += 4u * LANES) {
            sum += vec4f(
                value(i, column),
                value(i + LANES, column),
                value(i + 2u * LANES, column),
                value(i + 3u * LANES, column),
            );
        }
        for (; i < end; i += LANES) {
            sum.x += value(i, column);
        }
    }
    var total = (sum.x + sum.y) + (sum.z + sum.w);
    if (LANES > 1u) {
        sums[local] = total;
        workgroupBarrier();
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            if (lane < half) {
                sums[local] += sums[local + half * COLUMNS];
            }
            workgroupBarrier();
        }
        total = sums[local];
    }
    if (lane == 0u && exists) {
        d_weight[word * info.columns + column] = total;
    }
}
