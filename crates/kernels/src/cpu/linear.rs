//! A linear layer over many rows.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, TensorMetadata};
use rayon::prelude::*;

use super::buffers;
use super::tensors::{Float, slice, tensor, values};
use crate::tensors::{LinearGradients, LinearInputs};

/// Rows that a thread takes at once; also what a sum over rows is cut into, whatever the number of threads.
const ROWS: usize = 256;

/// `[N, M]`
pub(super) fn forward(inputs: LinearInputs<Flex>) -> Float {
    let mut output = Flex::float_matmul(inputs.input, inputs.weight);
    let bias = values(&inputs.bias);
    let rows = output.storage_mut::<f32>();
    let add = |rows: &mut [f32]| {
        for row in rows.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(&bias) {
                *value += bias;
            }
        }
    };
    let chunk = ROWS * bias.len();
    // Another thread takes longer to wake than a few rows take.
    if rows.len() <= chunk {
        add(rows);
    } else {
        rows.par_chunks_mut(chunk).for_each(add);
    }
    output
}

pub(super) fn backward(
    input: Float,
    weight: Float,
    output_gradient: Float,
) -> LinearGradients<Flex> {
    let output_gradient = output_gradient.to_contiguous();
    let [_, columns] = output_gradient.shape().dims();
    let bias = sum_rows(slice(&output_gradient), columns);
    let gradients = LinearGradients {
        weight: Flex::float_matmul(Flex::float_transpose(input), output_gradient.clone()),
        input: Flex::float_matmul(output_gradient.clone(), Flex::float_transpose(weight)),
        bias: tensor(bias, [columns]),
    };
    buffers::give(output_gradient);
    gradients
}

/// The sum of all rows, in an order that doesn't depend on the number of threads.
fn sum_rows(rows: &[f32], columns: usize) -> Vec<f32> {
    let parts: Vec<Vec<f32>> = rows
        .par_chunks(ROWS * columns)
        .map(|rows| {
            let mut sum = vec![0.0; columns];
            add_rows(&mut sum, rows);
            sum
        })
        .collect();
    let mut sum = vec![0.0; columns];
    for part in parts {
        add_rows(&mut sum, &part);
    }
    sum
}

fn add_rows(sum: &mut [f32], rows: &[f32]) {
    for row in rows.chunks_exact(sum.len()) {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
}
