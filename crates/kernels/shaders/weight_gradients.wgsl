// The gradients of a layer's weights, and of its input, from those of its preactivations, which are read once:
//
//   dU, dW, db = sum over all timesteps of h_{t-1}, x_t and 1, times dz_t        dx_t = dz_t Wᵀ
//
// h_{t-1}, x_t and 1 stand side by side: ROWS numbers a timestep. A workgroup of the first blocks sums over a part
// of the timesteps for BLOCK of the rows and 64 columns; sum_parts.wgsl adds the parts, always in the same order. A
// workgroup of the blocks behind them makes 16 columns of dx for the timesteps of its part. A turn brings what is
// multiplied next into workgroup memory.

struct Info {
    batch: u32, // B
    time: u32, // T
    part: u32, // timesteps of a part
    reverse: u32, // 1: from a row's last valid timestep to its first
    given: u32, // 1: there is an initial state
    words: u32, // V, where the input is a word's vector
    input: u32, // where dx begins, behind the parts
    blocks: u32, // of columns and rows; those behind make dx
}

// dz, [B, T, COLUMNS]
@group(0) @binding({{ next }}) var<storage, read_write> gradients: array<{{ four_columns }}>;
@group(0) @binding({{ next }}) var<storage, read_write> lengths: array<i32>; // [B]
@group(0) @binding({{ next }}) var<storage, read_write> sums: array<f32>; // [parts, ROWS, COLUMNS], then dx [B, T, D]
@group(0) @binding({{ next }}) var<uniform> info: Info;

const HIDDEN = {{ hidden }}u; // H
const RECURRENT = {{ recurrent }}u; // H, or 0 where no hidden state is multiplied
const INPUT = {{ input }}u; // D
const ROWS = RECURRENT + INPUT + 1u;
const COLUMNS = {{ columns }}u; // gradients of a timestep
const PROJECTED = {{ projected }}u; // those that reach the input, G·H
const FOURS = {{ fours }}u; // fours of rows of an invocation, 1 to 3
const BLOCK = 32u * FOURS;
const TURN = 16u; // timesteps
const TIMESTEPS = 64u; // of dx at once

var<workgroup> left: array<vec4f, {{ shared }}>;
var<workgroup> right: array<vec4f, 256>;

// A timestep of the batch.
struct Token {
    at: u32, // b·T + t
    row: u32,
    t: u32,
    live: bool,
    first: bool, // the first one walked
}

fn token_at(at: u32, end: u32) -> Token {
    var token: Token;
    token.at = min(at, info.batch * info.time - 1u);
    token.row = token.at / info.time;
    token.t = token.at % info.time;
    let length = u32(clamp(lengths[token.row], 0, i32(info.time)));
    token.live = at < end && token.t < length;
    token.first = select(token.t == 0u, token.t + 1u == length, info.reverse == 1u);
    return token;
}

// A row of what is multiplied with dz.
fn row_of(token: Token, row: u32) -> f32 {
    var value = 0.0;
    if (!token.live) {
        return value;
    }
    if (row < RECURRENT) {
        value = hidden_before(token, row);
    } else if (row < RECURRENT + INPUT) {
        value = input_of(token.at, row - RECURRENT);
    } else if (row == RECURRENT + INPUT) {
        value = 1.0;
    }
    return value;
}

// Four columns of dz, zero past the last.
fn gradients_of(at: u32, column: u32, there: bool) -> vec4f {
    var values: vec4f;
    if (there && column < COLUMNS) {
        {{ read_columns }}
    }
    return values;
}

// Four rows of the result times four columns.
fn add_products(sum: mat4x4f, rows: vec4f, columns: vec4f) -> mat4x4f {
    return mat4x4f(
        fma(vec4f(rows.x), columns, sum[0]),
        fma(vec4f(rows.y), columns, sum[1]),
        fma(vec4f(rows.z), columns, sum[2]),
        fma(vec4f(rows.w), columns, sum[3]),
    );
}

fn store_rows(part: u32, row: u32, column: u32, sum: mat4x4f) {
    store_row(part, row, column, sum[0]);
    store_row(part, row + 1u, column, sum[1]);
    store_row(part, row + 2u, column, sum[2]);
    store_row(part, row + 3u, column, sum[3]);
}

fn store_row(part: u32, row: u32, column: u32, values: vec4f) {
    if (row >= ROWS) {
        return;
    }
    let at = (part * ROWS + row) * COLUMNS + column;
    if (column < COLUMNS) {
        sums[at] = values.x;
    }
    if (column + 1u < COLUMNS) {
        sums[at + 1u] = values.y;
    }
    if (column + 2u < COLUMNS) {
        sums[at + 2u] = values.z;
    }
    if (column + 3u < COLUMNS) {
        sums[at + 3u] = values.w;
    }
}

fn sum_part(part: u32, block: u32, local: u32) {
    let column_blocks = (COLUMNS + 63u) / 64u;
    let first_column = block % column_blocks * 64u;
    let first_row = block / column_blocks * BLOCK;
    let column = local % 16u;
    let four = local / 16u;
    let first = part * info.part;
    let end = min(first + info.part, info.batch * info.time);
    var sum_0: mat4x4f;
    var sum_1: mat4x4f;
    var sum_2: mat4x4f;
    for (var turn = first; turn < end; turn += TURN) {
        workgroupBarrier();
        // Sixteen timesteps of eight fours of rows at a time, and of sixteen fours of columns.
        for (var i = 0u; i < FOURS; i++) {
            let token = token_at(turn + local / 8u, end);
            let row = first_row + (i * 8u + local % 8u) * 4u;
            left[(local / 8u * FOURS + i) * 8u + local % 8u] = vec4f(
                row_of(token, row),
                row_of(token, row + 1u),
                row_of(token, row + 2u),
                row_of(token, row + 3u),
            );
        }
        for (var i = 0u; i < 2u; i++) {
            let at = turn + i * 8u + local / 16u;
            right[i * 128u + local] = gradients_of(at, first_column + column * 4u, at < end);
        }
        workgroupBarrier();
        for (var i = 0u; i < TURN; i++) {
            let columns = right[i * 16u + column];
            let rows = i * FOURS * 8u + four;
            sum_0 = add_products(sum_0, left[rows], columns);
            if (FOURS > 1u) {
                sum_1 = add_products(sum_1, left[rows + 8u], columns);
            }
            if (FOURS > 2u) {
                sum_2 = add_products(sum_2, left[rows + 16u], columns);
            }
        }
    }
    let row = first_row + four * 4u;
    store_rows(part, row, first_column + column * 4u, sum_0);
    if (FOURS > 1u) {
        store_rows(part, row + 32u, first_column + column * 4u, sum_1);
    }
    if (FOURS > 2u) {
        store_rows(part, row + 64u, first_column + column * 4u, sum_2);
    }
}

// An invocation makes two columns of dx for four timesteps.
fn input_gradients(part: u32, block: u32, local: u32) {
    let first = part * info.part;
    let end = min(first + info.part, info.batch * info.time);
    let input = local % 8u * 2u;
    let timestep = local / 8u * 4u;
    for (var turn = first; turn < end; turn += TIMESTEPS) {
        var sum_0: vec4f;
        var sum_1: vec4f;
        for (var column = 0u; column < PROJECTED; column += 16u) {
            workgroupBarrier();
            for (var i = 0u; i < 2u; i++) {
                let at = turn + i * 32u + local / 4u;
                let from_column = column + local % 4u * 4u;
                right[i * 128u + local] =
                    gradients_of(at, from_column, at < end && from_column < PROJECTED);
            }
            if (local < 64u) {
                let row = block * 16u + local / 4u;
                left[local] = input_weights(row, column + local % 4u * 4u);
            }
            workgroupBarrier();
            for (var i = 0u; i < 4u; i++) {
                let weights_0 = left[input * 4u + i];
                let weights_1 = left[input * 4u + 4u + i];
                let dz = mat4x4f(
                    right[timestep * 4u + i],
                    right[timestep * 4u + 4u + i],
                    right[timestep * 4u + 8u + i],
                    right[timestep * 4u + 12u + i],
                );
                sum_0 += weights_0 * dz;
                sum_1 += weights_1 * dz;
            }
        }
        let column = block * 16u + input;
        store_input(turn + timestep, column, sum_0, end);
        store_input(turn + timestep, column + 1u, sum_1, end);
    }
}

fn store_input(at: u32, column: u32, values: vec4f, end: u32) {
    if (column >= INPUT) {
        return;
    }
    let to = info.input + at * INPUT + column;
    if (at < end) {
        sums[to] = values.x;
    }
    if (at + 1u < end) {
        sums[to + INPUT] = values.y;
    }
    if (at + 2u < end) {
        sums[to + 2u * INPUT] = values.z;
    }
    if (at + 3u < end) {
        sums[to + 3u * INPUT] = values.w;
    }
}

@compute @workgroup_size({{ workgroup }})
fn main(
    @builtin(workgroup_id) workgroup: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    if (workgroup.x < info.blocks) {
        sum_part(workgroup.y, workgroup.x, local);
    } else {
        input_gradients(workgroup.y, workgroup.x - info.blocks, local);
    }
}
