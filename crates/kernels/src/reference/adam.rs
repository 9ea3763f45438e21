//! The equations stand at [`AdamStep`].

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::array::Array;
use crate::adam::step::{AdamStep, VANISHED};
use crate::tensors::AdamTensors;

pub(crate) fn step<B: Backend>(
    tensors: AdamTensors<B>,
    gradient: FloatTensor<B>,
    step: AdamStep,
) -> AdamTensors<B> {
    let factors = step.factors();
    let gradient = Array::<B>(gradient);
    let squared = gradient.clone() * gradient.clone();
    let first_moment = Array::<B>(tensors.first_moment).times(factors.beta_1)
        + gradient.times(1.0 - factors.beta_1);
    let first_moment = first_moment.flushed_below(VANISHED);
    let second_moment = Array::<B>(tensors.second_moment).times(factors.beta_2)
        + squared.times(1.0 - factors.beta_2);
    let second_moment = second_moment.flushed_below(f32::MIN_POSITIVE);
    let root = B::float_add_scalar(
        B::float_sqrt(second_moment.0.clone()),
        factors.epsilon.into(),
    );
    let update = B::float_div(first_moment.clone().times(factors.rate).0, root);
    let parameter = Array::<B>(tensors.parameter);
    // A factor of 1 would cost a pass.
    let parameter = if factors.keep == 1.0 {
        parameter
    } else {
        parameter.times(factors.keep)
    };
    AdamTensors {
        parameter: (parameter - Array(update)).0,
        first_moment: first_moment.0,
        second_moment: second_moment.0,
    }
}
