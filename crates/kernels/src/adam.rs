//! A step of Adam, fused where a backend has it so.

pub(crate) mod step;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::RecurrentBackend;
use crate::tensors::AdamTensors;

pub use step::AdamStep;

/// Adam's two moments of a parameter's gradient, each `[N]`.
#[derive(Clone, Debug)]
pub struct Moments {
    /// m.
    pub first: Tensor<1>,
    /// v.
    pub second: Tensor<1>,
}

/// The parameter `[N]` and its moments after a step; all of one size and type, on one device, and outside any
/// graph.
///
/// # Panics
/// If sizes, types or devices differ.
pub fn adam(
    parameter: Tensor<1>,
    moments: Moments,
    gradient: Tensor<1>,
    step: AdamStep,
) -> (Tensor<1>, Moments) {
    let Moments { first, second } = &moments;
    let alike = |other: &Tensor<1>| {
        other.dims() == parameter.dims()
            && other.dtype() == parameter.dtype()
            && other.device() == parameter.device()
    };
    assert!(
        [&gradient, first, second].into_iter().all(alike),
        "adam: parameter {:?}, gradient {:?} and moments {:?} and {:?} are not of one size, type and device",
        parameter.dims(),
        gradient.dims(),
        first.dims(),
        second.dims()
    );
    let tensors = AdamTensors {
        parameter: parameter.into_dispatch(),
        first_moment: moments.first.into_dispatch(),
        second_moment: moments.second.into_dispatch(),
    };
    let tensors = Dispatch::adam(tensors, gradient.into_dispatch(), step);
    let moments = Moments {
        first: Tensor::from_dispatch(tensors.first_moment),
        second: Tensor::from_dispatch(tensors.second_moment),
    };
    (Tensor::from_dispatch(tensors.parameter), moments)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn step(parameter: usize, gradient: usize, first: usize, second: usize) {
        let zeros = |count| Tensor::zeros([count], &Device::flex());
        let moments = Moments {
            first: zeros(first),
            second: zeros(second),
        };
        let step = AdamStep {
            learning_rate: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            weight_decay: 0.0,
            number: 1,
        };
        adam(zeros(parameter), moments, zeros(gradient), step);
    }

    #[test]
    fn sizes_that_differ_are_named() {
        step(3, 3, 3, 3);
        for [parameter, gradient, first, second] in
            [[4, 3, 3, 3], [3, 4, 3, 3], [3, 3, 4, 3], [3, 3, 3, 4]]
        {
            let panic = std::panic::catch_unwind(|| step(parameter, gradient, first, second));
            let panic = panic.expect_err("sizes that differ");
            let message = panic.downcast_ref::<String>().expect("a message");
            assert_eq!(
                *message,
                format!(
                    "adam: parameter [{parameter}], gradient [{gradient}] and moments [{first}] and [{second}] \
                     are not of one size, type and device"
                )
            );
        }
    }
}
