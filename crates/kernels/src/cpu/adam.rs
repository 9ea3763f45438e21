//! A step of Adam in one pass and in place; the equations stand at [`AdamStep`].

use burn::backend::Flex;
use rayon::prelude::*;

use super::buffers;
use super::tensors::{Float, contiguous, slice};
use crate::adam::step::{AdamStep, VANISHED};
use crate::tensors::AdamTensors;

/// Values that a thread takes at once.
const VALUES: usize = 1 << 13;

pub(super) fn step(
    tensors: AdamTensors<Flex>,
    gradient: Float,
    step: AdamStep,
) -> AdamTensors<Flex> {
    let factors = step.factors();
    let [beta_1, beta_2] = [factors.beta_1 as f32, factors.beta_2 as f32];
    let [rest_1, rest_2] = [1.0 - factors.beta_1, 1.0 - factors.beta_2].map(|rest| rest as f32);
    let [keep, rate, epsilon] = [factors.keep, factors.rate, factors.epsilon].map(|f| f as f32);
    let gradient = contiguous(gradient);
    let [mut parameter, mut first_moment, mut second_moment] = [
        tensors.parameter,
        tensors.first_moment,
        tensors.second_moment,
    ]
    .map(|tensor| tensor.to_contiguous());
    parameter
        .storage_mut::<f32>()
        .par_chunks_mut(VALUES)
        .zip(first_moment.storage_mut::<f32>().par_chunks_mut(VALUES))
        .zip(second_moment.storage_mut::<f32>().par_chunks_mut(VALUES))
        .zip(slice(&gradient).par_chunks(VALUES))
        .for_each(|(((parameter, first), second), gradient)| {
            for i in 0..gradient.len() {
                let mean = beta_1 * first[i] + rest_1 * gradient[i];
                let square = beta_2 * second[i] + rest_2 * (gradient[i] * gradient[i]);
                first[i] = if mean.abs() < VANISHED { 0.0 } else { mean };
                second[i] = if square < f32::MIN_POSITIVE {
                    0.0
                } else {
                    square
                };
                parameter[i] = keep * parameter[i] - rate * first[i] / (second[i].sqrt() + epsilon);
            }
        });
    buffers::give(gradient);
    AdamTensors {
        parameter,
        first_moment,
        second_moment,
    }
}
