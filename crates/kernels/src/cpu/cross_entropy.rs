//! The cross-entropy of a right answer among candidates: a row at a time, while its logits are in the first cache.

use burn::backend::{Flex, TensorMetadata};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::activations::exp_of_negative;
use super::simd::arch;
use super::tensors::{as_i32, contiguous, integers, slice, tensor, values};
use crate::tensors::{CrossEntropyInputs, CrossEntropyOutputs};

/// Rows that a thread takes at once.
const ROWS: usize = 16;

pub(super) fn losses(inputs: CrossEntropyInputs<Flex>) -> CrossEntropyOutputs<Flex> {
    let [rows, width] = inputs.logits.shape().dims();
    let biases = &values(&inputs.biases);
    let places = as_i32(inputs.places);
    let places = integers(&places);
    let [lowered, mut right, weights] =
        [&inputs.lowered, &inputs.right, &inputs.weights].map(values);
    let mut losses = vec![0.0; rows];
    // Changed where they are, if nobody else holds them.
    let mut logits = contiguous(inputs.logits);
    let of_rows = logits.storage_mut::<f32>().par_chunks_mut(ROWS * width);
    let of_rows = of_rows
        .zip(losses.par_chunks_mut(ROWS))
        .zip(right.par_chunks_mut(ROWS));
    of_rows
        .enumerate()
        .for_each(|(i, ((logits, losses), right))| {
            let first = i * ROWS;
            arch().dispatch(Rows {
                logits,
                losses,
                right,
                biases,
                places: &places[first..],
                lowered: &lowered[first..],
                weights: &weights[first..],
            });
        });
    debug_assert_eq!(slice(&logits).len(), rows * width);
    CrossEntropyOutputs {
        losses: tensor(losses, [rows, 1]),
        logits,
        right: tensor(right, [rows, 1]),
    }
}

/// Some rows; `logits` and `right` become their gradients.
struct Rows<'a> {
    logits: &'a mut [f32],
    losses: &'a mut [f32],
    right: &'a mut [f32],
    biases: &'a [f32],
    places: &'a [i32],
    lowered: &'a [f32],
    weights: &'a [f32],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.logits.chunks_exact_mut(self.biases.len());
        for (i, row) in rows.enumerate() {
            row[self.places[i] as usize] += self.lowered[i];
            let (right, weight) = (self.right[i], self.weights[i]);
            let largest = with_biases(simd, row, self.biases).max(right);
            let of_right = (right - largest).exp();
            let sum = of_right + exponentials(simd, row, largest);
            let share = weight / sum;
            scale(simd, row, share);
            self.losses[i] = sum.ln() + largest - right;
            self.right[i] = of_right * share - weight;
        }
    }
}

/// Adds the biases to a row; the largest sum. What is no number stays in the row, and in the sum of its exponentials.
#[inline(always)]
fn with_biases<S: Simd>(simd: S, row: &mut [f32], biases: &[f32]) -> f32 {
    let (row, row_tail) = S::as_mut_simd_f32s(row);
    let (biases, biases_tail) = S::as_simd_f32s(biases);
    let mut largest = simd.splat_f32s(f32::NEG_INFINITY);
    for (value, bias) in row.iter_mut().zip(biases) {
        *value = simd.add_f32s(*value, *bias);
        largest = simd.max_f32s(largest, *value);
    }
    let mut most = simd.reduce_max_f32s(largest);
    for (value, bias) in row_tail.iter_mut().zip(biases_tail) {
        *value += bias;
        most = most.max(*value);
    }
    most
}

/// Makes a row's values their exponentials, over that of the `largest`; the sum.
#[inline(always)]
fn exponentials<S: Simd>(simd: S, row: &mut [f32], largest: f32) -> f32 {
    let (row, tail) = S::as_mut_simd_f32s(row);
    let shift = simd.splat_f32s(largest);
    let mut sum = simd.splat_f32s(0.0);
    for value in row {
        *value = exp_of_negative(simd, simd.sub_f32s(*value, shift));
        sum = simd.add_f32s(sum, *value);
    }
    let mut all = simd.reduce_sum_f32s(sum);
    for value in tail {
        *value = (*value - largest).exp();
        all += *value;
    }
    all
}

#[inline(always)]
fn scale<S: Simd>(simd: S, row: &mut [f32], by: f32) {
    let (row, tail) = S::as_mut_simd_f32s(row);
    let factor = simd.splat_f32s(by);
    for value in row {
        *value = simd.mul_f32s(*value, factor);
    }
    for value in tail {
        *value *= by;
    }
}
