//! The embedding: rows copied, and their gradients added word by word, each word's in the same order.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

use super::buffers;
use super::tensors::{as_i32, integers, slice, tensor};
use crate::tensors::TokenInputs;

/// Rows that a thread takes at once.
const ROWS: usize = 64;

/// `[B, T, D]` from `weight` `[V, D]`.
pub(super) fn forward(weight: FloatTensor<Flex>, tokens: TokenInputs<Flex>) -> FloatTensor<Flex> {
    let [batch, time] = tokens.ids.shape().dims();
    let [_, columns] = weight.shape().dims();
    let weight = weight.to_contiguous();
    let weight = slice(&weight);
    let ids = as_i32(tokens.ids);
    let mut rows = buffers::take(batch * time * columns);
    rows.par_chunks_mut(ROWS * columns)
        .zip(integers(&ids).par_chunks(ROWS))
        .for_each(|(rows, ids)| {
            for (row, &id) in rows.chunks_exact_mut(columns).zip(ids) {
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
    let output_gradient = output_gradient.to_contiguous();
    let of_output = slice(&output_gradient);
    let (positions, starts) = (as_i32(positions), as_i32(starts));
    let (positions, starts) = (integers(&positions), integers(&starts));
    let mut gradient = buffers::take(words * columns);
    gradient
        .par_chunks_mut(columns)
        .zip(starts.par_windows(2))
        .with_min_len(ROWS)
        .for_each(|(sum, range)| {
            sum.fill(0.0);
            for &position in &positions[range[0] as usize..range[1] as usize] {
                let row = &of_output[position as usize * columns..][..columns];
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        });
    buffers::give(output_gradient);
    tensor(gradient, [words, columns])
}
