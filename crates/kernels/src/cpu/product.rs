//! The product of a tile's rows with a small matrix, which one core makes at every step.

use pulp::Simd;

/// Rows that are multiplied at once: with two vectors of columns, twelve sums fit into the registers of
/// AVX2, and hide the latency of a multiply-add.
pub(super) const BLOCK: usize = 6;

/// A matrix `[K, N]` as the product reads it: panel after panel of two vectors of columns, each row by
/// row; N is padded with zeros to whole panels.
pub(super) struct Packed {
    values: Vec<f32>,
    /// K.
    rows: usize,
    /// N, padded.
    pub columns: usize,
}

impl Packed {
    /// `value(k, n)`: the matrix.
    pub fn new<S: Simd>(rows: usize, columns: usize, value: impl Fn(usize, usize) -> f32) -> Self {
        let width = 2 * S::F32_LANES;
        let panels = columns.div_ceil(width);
        let mut values = Vec::with_capacity(panels * rows * width);
        for panel in 0..panels {
            for k in 0..rows {
                for n in panel * width..(panel + 1) * width {
                    values.push(if n < columns { value(k, n) } else { 0.0 });
                }
            }
        }
        Self {
            values,
            rows,
            columns: panels * width,
        }
    }
}

/// `out = left · packed` for blocks of [`BLOCK`] rows: `left` holds every block as `[K, BLOCK]`, `out` every
/// row, `[rows, N]`.
#[inline(always)]
pub(super) fn product<S: Simd>(
    simd: S,
    blocks: usize,
    left: &[f32],
    packed: &Packed,
    out: &mut [f32],
) {
    let width = 2 * S::F32_LANES;
    let block_length = packed.rows * BLOCK;
    for (panel, values) in packed.values.chunks_exact(packed.rows * width).enumerate() {
        let (values, _) = S::as_simd_f32s(values);
        for block in 0..blocks {
            let left = &left[block * block_length..][..block_length];
            let mut sums = [[simd.splat_f32s(0.0); 2]; BLOCK];
            // Plain indices: iterators are not always inlined here, where they cost most.
            for k in 0..packed.rows {
                let weights = [values[2 * k], values[2 * k + 1]];
                let left = &left[k * BLOCK..][..BLOCK];
                for row in 0..BLOCK {
                    let value = simd.splat_f32s(left[row]);
                    sums[row][0] = simd.mul_add_e_f32s(value, weights[0], sums[row][0]);
                    sums[row][1] = simd.mul_add_e_f32s(value, weights[1], sums[row][1]);
                }
            }
            for (row, sums) in sums.iter().enumerate() {
                let at = (block * BLOCK + row) * packed.columns + panel * width;
                let (out, _) = S::as_mut_simd_f32s(&mut out[at..at + width]);
                out.copy_from_slice(sums);
            }
        }
    }
}
