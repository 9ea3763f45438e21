//! A linear layer, `y = x W + b`:
//!
//! ```text
//! dx = dy Wᵀ      dW = xᵀ dy      db = sum over rows of dy
//! ```

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::array::Array;
use crate::sums;
use crate::tensors::{LinearGradients, LinearInputs};

pub(crate) fn forward<B: Backend>(inputs: LinearInputs<B>) -> FloatTensor<B> {
    let bias = Array::<B>(inputs.bias);
    let [columns] = bias.dims();
    let product = Array::<B>(inputs.input).matmul(Array(inputs.weight));
    (product + bias.reshape([1, columns])).0
}

/// The gradients of weight and bias are sums over all rows, for few results: cut into parts, they keep a
/// GPU's cores busy.
pub(crate) fn backward<B: Backend>(
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    output_gradient: FloatTensor<B>,
) -> LinearGradients<B> {
    let input = Array::<B>(input);
    let weight = Array::<B>(weight);
    let output_gradient = Array::<B>(output_gradient);
    let [rows, size] = input.dims();
    let [_, columns] = weight.dims();
    let parts = sums::parts(rows, size * columns);
    let cut = |rows_of: Array<B>, width| rows_of.reshape([parts, rows / parts, width]);
    let gradient_parts = cut(output_gradient.clone(), columns);
    let products = cut(input, size).transpose().matmul(gradient_parts.clone());
    LinearGradients {
        input: output_gradient.matmul(weight.transpose()).0,
        weight: products.sum(0).reshape([size, columns]).0,
        bias: gradient_parts.sum(1).sum(0).reshape([columns]).0,
    }
}
