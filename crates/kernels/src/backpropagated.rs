//! A backward pass that begins with a gradient which is known.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::RecurrentBackend;

/// A number `[1]`, of no meaning itself, whose [`backward`](Tensor::backward) gives `gradient` to `output`, of the same
/// shape: for a loss whose gradient is simpler than its value.
///
/// # Panics
/// If the shapes differ.
pub fn backpropagated<const D: usize>(output: Tensor<D>, gradient: Tensor<D>) -> Tensor<1> {
    assert_eq!(
        output.dims(),
        gradient.dims(),
        "a gradient has its output's shape"
    );
    let (output, gradient) = (output.into_dispatch(), gradient.into_dispatch());
    Tensor::from_dispatch(Dispatch::backpropagated(output, gradient))
}
