// Uᵀ with its rows padded to whole fours, [G·H, H rounded up to fours] from [H, G·H]: as
// parts/fused_backward.wgsl reads it. An invocation a value.

@group(0) @binding(0) var<storage, read_write> weight: array<f32>; // U, [H, G·H]
@group(0) @binding(1) var<storage, read_write> transposed_weight: array<f32>;

const HIDDEN = {{ hidden }}u; // H
const COLUMNS = {{ columns }}u; // G·H
const PADDED = (HIDDEN + 3u) / 4u * 4u;

@compute @workgroup_size({{ workgroup }})
fn main(@builtin(global_invocation_id) invocation: vec3u) {
    let at = invocation.x;
    let column = at / PADDED;
    let unit = at % PADDED;
    if (column < COLUMNS) {
        var value = 0.0;
        if (unit < HIDDEN) {
            value = weight[unit * COLUMNS + column];
        }
        transposed_weight[at] = value;
    }
}
