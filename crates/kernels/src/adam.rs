//! A step of Adam, fused where a backend has it so.

pub(crate) mod step;

use burn::backend::Dispatch;
use burn::backend::tensor::FloatTensor;
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

/// A parameter and what moves it, all of one size and type, on one device, and outside any graph.
#[derive(Clone, Debug)]
pub struct AdamParameter {
    /// `[N]`.
    pub value: Tensor<1>,
    /// Its moments so far.
    pub moments: Moments,
    /// `[N]`.
    pub gradient: Tensor<1>,
}

/// The parameters and their moments after a step, in the same order. On a GPU a dispatch serves two neighbours
/// of one type.
///
/// # Panics
/// If a parameter's sizes, types or devices differ.
pub fn adam(parameters: Vec<AdamParameter>, step: AdamStep) -> Vec<(Tensor<1>, Moments)> {
    let mut updated = Vec::with_capacity(parameters.len());
    let mut parameters = parameters.into_iter().peekable();
    while let Some(first) = parameters.next() {
        let (dtype, device) = (first.value.dtype(), first.value.device());
        let alike =
            |other: &AdamParameter| other.value.dtype() == dtype && other.value.device() == device;
        let (tensors, gradient) = first.into_tensors();
        let Some(second) = parameters.next_if(alike) else {
            updated.push(Dispatch::adam(tensors, gradient, step));
            continue;
        };
        let (second, second_gradient) = second.into_tensors();
        let pair = Dispatch::adam_pair(tensors, gradient, second, second_gradient, step);
        updated.extend([pair.first, pair.second]);
    }
    let tensors = |tensors: AdamTensors<Dispatch>| {
        let moments = Moments {
            first: Tensor::from_dispatch(tensors.first_moment),
            second: Tensor::from_dispatch(tensors.second_moment),
        };
        (Tensor::from_dispatch(tensors.parameter), moments)
    };
    updated.into_iter().map(tensors).collect()
}

impl AdamParameter {
    /// And the gradient.
    fn into_tensors(self) -> (AdamTensors<Dispatch>, FloatTensor<Dispatch>) {
        let Self {
            value,
            moments: Moments { first, second },
            gradient,
        } = self;
        let alike = |other: &Tensor<1>| {
            other.dims() == value.dims()
                && other.dtype() == value.dtype()
                && other.device() == value.device()
        };
        assert!(
            [&gradient, &first, &second].into_iter().all(alike),
            "adam: parameter {:?}, gradient {:?} and moments {:?} and {:?} are not of one size, type and device",
            value.dims(),
            gradient.dims(),
            first.dims(),
            second.dims()
        );
        let tensors = AdamTensors {
            parameter: value.into_dispatch(),
            first_moment: first.into_dispatch(),
            second_moment: second.into_dispatch(),
        };
        (tensors, gradient.into_dispatch())
    }
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
        let parameter = AdamParameter {
            value: zeros(parameter),
            moments,
            gradient: zeros(gradient),
        };
        adam(vec![parameter], step);
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
