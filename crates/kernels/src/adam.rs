//! A step of Adam, fused where a backend has it so.

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::backend::{AdamTensors, RecurrentBackend};

/// The numbers of a step of Adam (Kingma and Ba 2015), with the decoupled weight decay of AdamW
/// (Loshchilov and Hutter 2019):
///
/// ```text
/// m = β₁ m + (1 - β₁) g      v = β₂ v + (1 - β₂) g²
/// p = (1 - η λ) p - η · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// η.
    pub learning_rate: f64,
    /// β₁.
    pub beta_1: f64,
    /// β₂.
    pub beta_2: f64,
    /// ε.
    pub epsilon: f64,
    /// λ.
    pub weight_decay: f64,
    /// t, from 1.
    pub number: u64,
}

/// What the equations come to for one step: `p = keep · p - rate · m / (√v + epsilon)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factors {
    pub beta_1: f64,
    pub beta_2: f64,
    pub keep: f64,
    pub rate: f64,
    pub epsilon: f64,
}

impl AdamStep {
    pub(crate) fn factors(&self) -> Factors {
        let t = self.number as f64;
        let root = (1.0 - self.beta_2.powf(t)).sqrt();
        Factors {
            beta_1: self.beta_1,
            beta_2: self.beta_2,
            keep: 1.0 - self.learning_rate * self.weight_decay,
            rate: self.learning_rate * root / (1.0 - self.beta_1.powf(t)),
            epsilon: self.epsilon * root,
        }
    }
}

/// Adam's two moments of a parameter's gradient, each `[N]`.
#[derive(Clone, Debug)]
pub struct Moments {
    /// m.
    pub first: Tensor<1>,
    /// v.
    pub second: Tensor<1>,
}

/// The parameter `[N]` and its moments after a step; all on one device, and outside any graph.
pub fn adam(
    parameter: Tensor<1>,
    moments: Moments,
    gradient: Tensor<1>,
    step: AdamStep,
) -> (Tensor<1>, Moments) {
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
