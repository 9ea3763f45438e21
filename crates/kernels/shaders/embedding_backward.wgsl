// The gradient of an embedding, [V, D]: for every word the sum over its positions in the batch.
//
// The host has sorted the positions by word, so a workgroup owns a word and no sum is shared: no atomics,
// the same bits every time. Its lanes take the positions in turn, neighbouring invocations neighbouring
// columns, and their sums are added pairwise in workgroup memory.

struct Info {
    words: u32, // V
    columns: u32, // D
}

@group(0) @binding(0) var<storage, read_write> d_output: array<f32>; // [N, D]
@group(0) @binding(1) var<storage, read_write> positions: array<i32>; // rows of d_output, sorted by word
@group(0) @binding(2) var<storage, read_write> starts: array<i32>; // where a word's positions begin, [V + 1]
@group(0) @binding(3) var<storage, read_write> d_weight: array<f32>; // [V, D]
@group(0) @binding(4) var<uniform> info: Info;

const COLUMNS = {{ columns }}u; // at a time, a power of two
const LANES = {{ workgroup }}u / COLUMNS;

var<workgroup> sums: array<f32, {{ workgroup }}>;

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let word = workgroup.y * workgroups.x + workgroup.x;
    let lane = local / COLUMNS;
    var begin = 0u;
    var end = 0u;
    if (word < info.words) {
        begin = u32(starts[word]);
        end = u32(starts[word + 1u]);
    }
    for (var block = 0u; block < info.columns; block += COLUMNS) {
        let column = block + local % COLUMNS;
        var sum = 0.0;
        if (column < info.columns) {
            for (var i = begin + lane; i < end; i += LANES) {
                sum += d_output[u32(positions[i]) * info.columns + column];
            }
        }
        sums[local] = sum;
        workgroupBarrier();
        for (var half = LANES / 2u; half > 0u; half /= 2u) {
            if (lane < half) {
                sums[local] += sums[local + half * COLUMNS];
            }
            workgroupBarrier();
        }
        if (lane == 0u && column < info.columns && word < info.words) {
            d_weight[word * info.columns + column] = sums[local];
        }
        workgroupBarrier();
    }
}
