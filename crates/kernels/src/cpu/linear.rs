//! A linear layer over many rows.

use burn::backend::ops::FloatTensorOps;
use burn::backend::{Flex, TensorMetadata};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::aligned::Aligned;
use super::buffers;
use super::product::{Packed, columns, product};
use super::simd::arch;
use super::tensors::{Float, contiguous, slice, tensor, values};
use super::threads::chunks;
use super::walk::Pack;
use crate::tensors::{LinearGradients, LinearInputs};

/// Rows that a thread takes at once; also what a sum over rows is cut into, whatever the number of threads.
const ROWS: usize = 256;

/// Rows up to which packing the weights costs more than it saves.
const FEW: usize = 32;

/// `[N, M]`
pub(super) fn forward(inputs: LinearInputs<Flex>) -> Float {
    let [rows, size] = inputs.input.shape().dims();
    let bias = values(&inputs.bias);
    if rows <= FEW || size == 0 {
        let mut output = Flex::float_matmul(inputs.input, inputs.weight);
        for row in output.storage_mut::<f32>().chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(&bias) {
                *value += bias;
            }
        }
        return output;
    }
    let width = bias.len();
    let (input, weight) = (contiguous(inputs.input), contiguous(inputs.weight));
    let packed = arch().dispatch(Pack {
        rows: size,
        columns: width,
        panel: columns(slice(&weight), width),
    });
    let packed = &packed.with_bias(&bias);
    let mut output = buffers::take(rows * width);
    let input = slice(&input);
    let is_little = rows * size * width < LITTLE;
    chunks(&mut output, ROWS * width, is_little, |i, output| {
        arch().dispatch(Rows {
            input: &input[i * ROWS * size..][..output.len() / width * size],
            packed,
            output,
            sizes: [size, width],
        });
    });
    buffers::lend(output, [rows, width])
}

/// Multiply-adds that one thread makes alone.
const LITTLE: usize = 1 << 21;

/// Rows that are multiplied together.
const TOGETHER: usize = 16;

struct Rows<'a> {
    /// `[_, D]`
    input: &'a [f32],
    /// With the bias.
    packed: &'a Packed,
    /// `[_, M]`; whatever it held.
    output: &'a mut [f32],
    sizes: [usize; 2],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [size, width] = self.sizes;
        let mut products = Aligned::zeros(TOGETHER * self.packed.columns);
        let input = self.input.chunks(TOGETHER * size);
        let output = self.output.chunks_mut(TOGETHER * width);
        for (i, (input, output)) in input.zip(output).enumerate() {
            let mut left: [&[f32]; TOGETHER] = [&[]; TOGETHER];
            let count = input.len() / size;
            for (left, row) in left.iter_mut().zip(input.chunks_exact(size)) {
                *left = row;
            }
            product(simd, &left[..count], self.packed, &mut products, i % 2 == 1);
            let rows = output.chunks_exact_mut(width);
            for (row, product) in rows.zip(products.chunks_exact(self.packed.columns)) {
                row.copy_from_slice(&product[..width]);
            }
        }
    }
}

pub(super) fn backward(
    input: Float,
    weight: Float,
    output_gradient: Float,
) -> LinearGradients<Flex> {
    let output_gradient = contiguous(output_gradient);
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
