// What a layer's walk reads again and again, in the order in which it reads it: an invocation four numbers.
//
// First the recurrent weights from four units to a gate of a unit, [H / 4, G, H]; then a unit's biases; then
// the initial states of a tile's four rows. H is padded with zeros, to whole eights or, where an invocation holds a
// quarter of a unit's weights, to whole sixteens.

struct Info {
    batch: u32, // B
    count: u32, // fours of numbers
}

// weight: U, [H, G·H]; bias: b, recurrent_bias: b_r, [G·H]; initial_hidden, initial_cell: [B, H]
@group(0) @binding({{ next }}) var<storage, read_write> packed: array<vec4f>;
@group(0) @binding({{ next }}) var<uniform> info: Info;

const HIDDEN = {{ hidden }}u; // H
const UNITS = {{ units }}u; // H, padded
const GATES = {{ gates }}u; // G
const ROWS = 4u;
const BIAS = {{ bias }}u;
const RECURRENT_BIAS = BIAS + UNITS;
const INITIAL = {{ initial }}u;

fn weights(at: u32) -> vec4f {
    let unit = at % UNITS;
    let gate = at / UNITS % GATES;
    let from_unit = at / (UNITS * GATES) * 4u;
    var values: vec4f;
    if (unit < HIDDEN && from_unit < HIDDEN) {
        let first = (from_unit * GATES + gate) * HIDDEN + unit;
        values.x = weight_at(first, true);
        values.y = weight_at(first + GATES * HIDDEN, from_unit + 1u < HIDDEN);
        values.z = weight_at(first + 2u * GATES * HIDDEN, from_unit + 2u < HIDDEN);
        values.w = weight_at(first + 3u * GATES * HIDDEN, from_unit + 3u < HIDDEN);
    }
    return values;
}

fn biases(unit: u32) -> vec4f {
    return vec4f(
        bias_at(unit, unit < HIDDEN),
        bias_at(HIDDEN + unit, unit < HIDDEN && GATES > 1u),
        bias_at(2u * HIDDEN + unit, unit < HIDDEN && GATES > 2u),
        bias_at(3u * HIDDEN + unit, unit < HIDDEN && GATES > 3u),
    );
}

fn recurrent_biases(unit: u32) -> vec4f {
    return vec4f(
        recurrent_bias_at(unit, unit < HIDDEN),
        recurrent_bias_at(HIDDEN + unit, unit < HIDDEN && GATES > 1u),
        recurrent_bias_at(2u * HIDDEN + unit, unit < HIDDEN && GATES > 2u),
        recurrent_bias_at(3u * HIDDEN + unit, unit < HIDDEN && GATES > 3u),
    );
}

fn state(is_cell: bool, row: u32, unit: u32) -> f32 {
    let there = row < info.batch && unit < HIDDEN;
    if (is_cell) {
        return initial_cell_at(row * HIDDEN + unit, there);
    }
    return initial_hidden_at(row * HIDDEN + unit, there);
}

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(num_workgroups) workgroups: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let at = (workgroup.y * workgroups.x + workgroup.x) * {{ workgroup }}u + local;
    if (at >= info.count) {
        return;
    }
    var values: vec4f;
    if (at < BIAS) {
        values = weights(at);
    } else if (at < RECURRENT_BIAS) {
        values = biases(at - BIAS);
    } else if (at < INITIAL) {
        values = recurrent_biases(at - RECURRENT_BIAS);
    } else {
        let tiles = (info.batch + ROWS - 1u) / ROWS;
        let unit = (at - INITIAL) % UNITS;
        let tile = (at - INITIAL) / UNITS;
        let row = tile % tiles * ROWS;
        let is_cell = tile >= tiles;
        values = vec4f(
            state(is_cell, row, unit),
            state(is_cell, row + 1u, unit),
            state(is_cell, row + 2u, unit),
            state(is_cell, row + 3u, unit),
        );
    }
    packed[at] = values;
}
