//! The equations of Adam's step, and its numbers.

/// Below, gradients and their means have vanished, and are zero from there on: left alone they would shrink into
/// the numbers below the normal range and stay there, with which a processor computes a hundred times slower.
/// Means of squares, which are of another scale, are zero where they are no normal number.
pub(crate) const VANISHED: f32 = 1e-30;

/// The numbers of a step of Adam (Kingma and Ba 2015), with the decoupled weight decay of AdamW
/// (Loshchilov and Hutter 2019):
///
/// ```text
/// m = β₁ m + (1 - β₁) g      v = β₂ v + (1 - β₂) g²
/// p = (1 - η λ) p - η · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)
/// ```
///
/// A mean m below 1e-30, and a v below the normal range of 32-bit floats, becomes 0.
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
