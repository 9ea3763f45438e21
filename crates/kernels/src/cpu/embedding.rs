//! The embedding: rows copied, and their gradients added word by word, each word's in the same order.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::buffers;
use super::prefetch::prefetch;
use super::simd::arch;
use super::tensors::{as_i32, contiguous, integers, slice, tensor};
use super::threads::chunks;
use crate::tensors::TokenInputs;

/// Rows that a thread takes at once.
const ROWS: usize = 64;

/// Values that one thread copies alone.
const LITTLE: usize = 1 << 17;

/// `[B, T, D]` from `weight` `[V, D]`.
pub(super) fn forward(weight: FloatTensor<Flex>, tokens: TokenInputs<Flex>) -> FloatTensor<Flex> {
    let [batch, time] = tokens.ids.shape().dims();
    let [_, columns] = weight.shape().dims();
    let weight = weight.to_contiguous();
    let weight = slice(&weight);
    let ids = as_i32(tokens.ids);
    let mut rows = buffers::take(batch * time * columns);
    let ids = integers(&ids);
    let is_little = rows.len() < LITTLE;
    chunks(&mut rows, ROWS * columns, is_little, |i, rows| {
        for (row, &id) in rows.chunks_exact_mut(columns).zip(&ids[i * ROWS..]) {
            row.copy_from_slice(&weight[id as usize * columns..][..columns]);
        }
    });
    tensor(rows, [batch, time, columns])
}

/// `[V, D]` from the output's gradient `[B, T, D]`. For the others see [`Places`](crate::tensors::Places).
pub(super) fn backward(
    positions: IntTensor<Flex>,
    starts: IntTensor<Flex>,
    words: usize,
    output_gradient: FloatTensor<Flex>,
) -> FloatTensor<Flex> {
    let [_, _, columns] = output_gradient.shape().dims();
    let output_gradient = contiguous(output_gradient);
    let of_output = slice(&output_gradient);
    let (positions, starts) = (as_i32(positions), as_i32(starts));
    let (positions, starts) = (integers(&positions), integers(&starts));
    let mut gradient = buffers::take(words * columns);
    gradient
        .par_chunks_mut(ROWS * columns)
        .enumerate()
        .for_each(|(chunk, sums)| {
            arch().dispatch(Sums {
                sums,
                starts: &starts[chunk * ROWS..],
                positions,
                rows: of_output,
                columns,
            })
        });
    buffers::give(output_gradient);
    tensor(gradient, [words, columns])
}

/// Words' sums of rows, `[_, D]`, of which nothing is known before.
struct Sums<'a> {
    sums: &'a mut [f32],
    /// Where each word's positions begin, and the end of the last.
    starts: &'a [i32],
    positions: &'a [i32],
    rows: &'a [f32],
    columns: usize,
}

/// Rows that are asked for ahead: they stand anywhere, which no processor foresees.
const AHEAD: usize = 4;

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            sums,
            starts,
            positions,
            rows,
            columns,
        } = self;
        let row = |i: usize| &rows[positions[i] as usize * columns..][..columns];
        let words = sums.len() / columns;
        let last = starts[words] as usize;
        for word in 0..words {
            let sum = &mut sums[word * columns..][..columns];
            sum.fill(0.0);
            let (sum, sum_tail) = S::as_mut_simd_f32s(sum);
            for i in starts[word] as usize..starts[word + 1] as usize {
                if i + AHEAD < last {
                    prefetch(row(i + AHEAD));
                }
                let (row, row_tail) = S::as_simd_f32s(row(i));
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum = simd.add_f32s(*sum, *value);
                }
                for (sum, value) in sum_tail.iter_mut().zip(row_tail) {
                    *sum += value;
                }
            }
        }
    }
}
