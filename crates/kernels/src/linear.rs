//! A linear layer over rows.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::RecurrentBackend;
use crate::error::Agreement;
use crate::tensors::LinearInputs;

/// `x W + b`: `[N, M]` from `input` `[N, D]`, `weight` `[D, M]` and `bias` `[M]`.
///
/// # Panics
/// If shapes, types or devices don't fit together.
pub fn linear(input: Tensor<2>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<2> {
    let ([_, size], [rows, columns], [biases]) = (input.dims(), weight.dims(), bias.dims());
    assert!(
        size == rows && columns == biases,
        "linear: input {:?}, weight {:?} and bias {:?} don't fit together",
        input.dims(),
        weight.dims(),
        bias.dims()
    );
    let check = Agreement {
        operation: "linear",
        other: "the weight",
        dtype: weight.dtype(),
        device: weight.device(),
    };
    check
        .kind("input", input.dtype(), &input.device())
        .and_then(|()| check.kind("bias", bias.dtype(), &bias.device()))
        .unwrap_or_else(|error| panic!("{error}"));
    let inputs = LinearInputs {
        input: input.into_dispatch(),
        weight: weight.into_dispatch(),
        bias: bias.into_dispatch(),
    };
    Tensor::from_dispatch(Dispatch::linear_forward(inputs))
}
