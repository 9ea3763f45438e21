// The gradients of a layer's weights, and of its input, from those of its preactivations, which are read once:
//
//   dU, dW, db = sum over all timesteps of h_{t-1}, x_t and 1, times dz_t        dx_t = dz_t Wᵀ
//
// h_{t-1}, x_t and 1 stand side by side, each padded to whole fours: ROWS numbers a timestep. A workgroup of the first blocks sums over a part
// of the timesteps for a block of rows and columns; sum_parts.wgsl adds the parts, always in the same order. A
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
const FIRST_INPUT = {{ first_input }}u; // RECURRENT, padded
const FIRST_ONE = {{ first_one }}u; // behind the input, padded
const ROWS = FIRST_ONE + 1u;
const COLUMNS = {{ columns }}u; // gradients of a timestep
const PROJECTED = {{ projected }}u; // those that reach the input, G·H
const GROUPS = {{ groups }}u; // of eight rows: an invocation's
const FOURS = 2u * GROUPS; // fours of rows of a workgroup
const WIDE = {{ wide }}u; // fours of columns of an invocation, 1 or 2
const BLOCK = 64u * WIDE; // columns of a workgroup
const TURN = 16u; // timesteps
const TIMESTEPS = 128u; // of dx at once

var<workgroup> left: array<vec4f, {{ shared }}>;
var<workgroup> right: array<vec4f, 512>;

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
    token.t = token.at - token.row * info.time;
    let length = u32(clamp(lengths[token.row], 0, i32(info.time)));
    token.live = at < end && token.t < length;
    token.first = select(token.t == 0u, token.t + 1u == length, info.reverse == 1u);
    return token;
}

// Four rows of what is multiplied with dz.
fn rows_of(token: Token, row: u32) -> vec4f {
    var values: vec4f;
    if (!token.live || row > FIRST_ONE) {
        return values;
    }
    if (row < FIRST_INPUT) {
        values = hidden_before(token, row);
    } else if (row < FIRST_ONE) {
        values = input_of(token.at, row - FIRST_INPUT);
    } else {
        values.x = 1.0;
    }
    return values;
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
    let column_blocks = (COLUMNS + BLOCK - 1u) / BLOCK;
    let first_column = block % column_blocks * BLOCK;
    let first_row = block / column_blocks * FOURS * 4u;
    let column = local % 16u;
    // An invocation behind the last group sums what the last one does, and writes nothing.
    let group = min(local / 16u, GROUPS - 1u);
    let first = part * info.part;
    let end = min(first + info.part, info.batch * info.time);
    // Of two fours of rows and WIDE of columns, sixteen of these apart.
    var sum_00: mat4x4f;
    var sum_10: mat4x4f;
    var sum_01: mat4x4f;
    var sum_11: mat4x4f;
    for (var turn = first; turn < end; turn += TURN) {
        workgroupBarrier();
        for (var i = local; i < TURN * FOURS; i += {{ workgroup }}u) {
            left[i] = rows_of(token_at(turn + i / FOURS, end), first_row + i % FOURS * 4u);
        }
        for (var i = local; i < TURN * 16u * WIDE; i += {{ workgroup }}u) {
            let at = turn + i / (16u * WIDE);
            right[i] = gradients_of(at, first_column + i % (16u * WIDE) * 4u, at < end);
        }
        workgroupBarrier();
        for (var i = 0u; i < TURN; i++) {
            let rows_0 = left[i * FOURS + group * 2u];
            let rows_1 = left[i * FOURS + group * 2u + 1u];
            let columns_0 = right[i * 16u * WIDE + column];
            sum_00 = add_products(sum_00, rows_0, columns_0);
            sum_10 = add_products(sum_10, rows_1, columns_0);
            if (WIDE > 1u) {
                let columns_1 = right[i * 16u * WIDE + 16u + column];
                sum_01 = add_products(sum_01, rows_0, columns_1);
                sum_11 = add_products(sum_11, rows_1, columns_1);
            }
        }
    }
    if (local / 16u >= GROUPS) {
        return;
    }
    let row = first_row + group * 8u;
    store_rows(part, row, first_column + column * 4u, sum_00);
    store_rows(part, row + 4u, first_column + column * 4u, sum_10);
    if (WIDE > 1u) {
        store_rows(part, row, first_column + 64u + column * 4u, sum_01);
        store_rows(part, row + 4u, first_column + 64u + column * 4u, sum_11);
    }
}

// An invocation makes four columns of dx for four timesteps, 128 of them all of a turn's.
fn input_gradients(part: u32, block: u32, local: u32) {
    let first = part * info.part;
    let end = min(first + info.part, info.batch * info.time);
    let place = min(local, 127u);
    let input = place % 4u * 4u;
    let timestep = place / 4u * 4u;
    for (var turn = first; turn < end; turn += TIMESTEPS) {
        var sums_of: mat4x4f; // a column's of dx, timesteps side by side
        for (var column = 0u; column < PROJECTED; column += 16u) {
            workgroupBarrier();
            for (var i = local; i < TIMESTEPS * 4u; i += {{ workgroup }}u) {
                let at = turn + i / 4u;
                let from_column = column + i % 4u * 4u;
                right[i] = gradients_of(at, from_column, at < end && from_column < PROJECTED);
            }
            if (local < 64u) {
                left[local] = input_weights(block * 16u + local / 4u, column + local % 4u * 4u);
            }
            workgroupBarrier();
            for (var i = 0u; i < 4u; i++) {
                let dz = mat4x4f(
                    right[timestep * 4u + i],
                    right[timestep * 4u + 4u + i],
                    right[timestep * 4u + 8u + i],
                    right[timestep * 4u + 12u + i],
                );
                sums_of += mat4x4f(
                    left[input * 4u + i] * dz,
                    left[input * 4u + 4u + i] * dz,
                    left[input * 4u + 8u + i] * dz,
                    left[input * 4u + 12u + i] * dz,
                );
            }
        }
        if (local < 128u) {
            let by_timestep = transpose(sums_of);
            store_input(turn + timestep, block * 16u + input, by_timestep[0], end);
            store_input(turn + timestep + 1u, block * 16u + input, by_timestep[1], end);
            store_input(turn + timestep + 2u, block * 16u + input, by_timestep[2], end);
            store_input(turn + timestep + 3u, block * 16u + input, by_timestep[3], end);
        }
    }
}

fn store_input(at: u32, column: u32, values: vec4f, end: u32) {
    if (at >= end) {
        return;
    }
    let to = info.input + at * INPUT + column;
    if (column < INPUT) {
        sums[to] = values.x;
    }
    if (column + 1u < INPUT) {
        sums[to + 1u] = values.y;
    }
    if (column + 2u < INPUT) {
        sums[to + 2u] = values.z;
    }
    if (column + 3u < INPUT) {
        sums[to + 3u] = values.w;
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
