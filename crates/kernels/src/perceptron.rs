//! A layer with ReLU and a linear one, over rows.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::RecurrentBackend;
use crate::error::Agreement;
use crate::tensors::PerceptronInputs;

/// The weights of a linear layer.
#[derive(Clone, Debug)]
pub struct LinearWeights {
    /// W, `[D, M]`.
    pub weight: Tensor<2>,
    /// b, `[M]`.
    pub bias: Tensor<1>,
}

/// `relu(x W_1 + b_1) W_2 + b_2`: `[N, C]` from `input` `[N, D]`, `hidden`'s `[D, M]` and `output`'s `[M, C]`.
///
/// # Panics
/// If shapes, types or devices don't fit together.
pub fn perceptron(input: Tensor<2>, hidden: LinearWeights, output: LinearWeights) -> Tensor<2> {
    let [_, size] = input.dims();
    let layer = |size, of: &LinearWeights| {
        let ([rows, columns], [biases]) = (of.weight.dims(), of.bias.dims());
        (size == rows && columns == biases).then_some(columns)
    };
    let fit = layer(size, &hidden).and_then(|size| layer(size, &output));
    assert!(
        fit.is_some(),
        "perceptron: input {:?}, weights {:?} and {:?} and biases {:?} and {:?} don't fit together",
        input.dims(),
        hidden.weight.dims(),
        output.weight.dims(),
        hidden.bias.dims(),
        output.bias.dims()
    );
    let check = Agreement {
        operation: "perceptron",
        other: "the input",
        dtype: input.dtype(),
        device: input.device(),
    };
    for layer in [&hidden, &output] {
        let LinearWeights { weight, bias } = layer;
        check
            .kind("weight", weight.dtype(), &weight.device())
            .and_then(|()| check.kind("bias", bias.dtype(), &bias.device()))
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let inputs = PerceptronInputs {
        input: input.into_dispatch(),
        hidden_weight: hidden.weight.into_dispatch(),
        hidden_bias: hidden.bias.into_dispatch(),
        output_weight: output.weight.into_dispatch(),
        output_bias: output.bias.into_dispatch(),
    };
    Tensor::from_dispatch(Dispatch::perceptron_forward(inputs).output)
}
