//! A backward pass that begins with a gradient which is known.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::RecurrentBackend;

/// A number `[1]`, of no meaning itself, whose [`backward`](Tensor::backward) gives `gradient` to `output`, of the same
/// shape, type and device: for a loss whose gradient is simpler than its value. That is all that flows back: what the
/// number is multiplied with or added to changes nothing.
///
/// # Panics
/// If they are not of one shape, type and device.
pub fn backpropagated<const D: usize>(output: Tensor<D>, gradient: Tensor<D>) -> Tensor<1> {
    let of = |tensor: &Tensor<D>| (tensor.dims(), tensor.dtype(), tensor.device());
    assert_eq!(
        of(&output),
        of(&gradient),
        "a gradient has its output's shape, type and device"
    );
    let (output, gradient) = (output.into_dispatch(), gradient.into_dispatch());
    Tensor::from_dispatch(Dispatch::backpropagated(output, gradient))
}
