//! Simple RNN (Elman 1990): `h_t = tanh(x_t W + b + h_{t-1} U)`.

use burn::backend::Backend;

use super::array::Array;
use super::timeline::{Timeline, outer_product};
use crate::tensors::{
    Direction, HiddenOutputGradients, HiddenOutputs, SimpleRnnGradients, SimpleRnnInputs,
    SimpleRnnSaved,
};

pub(crate) fn forward<B: Backend>(
    inputs: SimpleRnnInputs<B>,
    direction: Direction,
) -> HiddenOutputs<B> {
    let projections = Array::<B>(inputs.projections.per_token());
    let weight = Array::<B>(inputs.recurrent_weight);
    let mut hidden = Array::<B>(inputs.initial_hidden);
    let [_, time, _] = projections.dims();
    let timeline = Timeline::new(time, inputs.lengths, direction);

    let mut hidden_states = Vec::new();
    for t in timeline.steps() {
        let padding = timeline.padding().at(t);
        let new_hidden =
            (timeline.at(&projections, t) + hidden.clone().matmul(weight.clone())).tanh();
        hidden = new_hidden.clone().replaced_where(&padding, hidden);
        hidden_states.push(new_hidden.zero_where(&padding));
    }
    HiddenOutputs {
        hidden_states: timeline.stack(hidden_states).0,
        final_hidden: hidden.0,
    }
}

/// The chain rule through the equation above, walked the other way. A step that is not valid passes
/// the gradient of its state on, unchanged.
pub(crate) fn backward<B: Backend>(
    saved: SimpleRnnSaved<B>,
    output_gradients: HiddenOutputGradients<B>,
    direction: Direction,
) -> SimpleRnnGradients<B> {
    let hidden_states = Array::<B>(saved.hidden_states);
    let weight = Array::<B>(saved.recurrent_weight).transpose();
    let [_, time, _] = hidden_states.dims();
    let timeline = Timeline::new(time, saved.lengths, direction);

    let d_hidden_states = Array::gradient(output_gradients.hidden_states, &hidden_states);
    let mut d_hidden = Array::<B>(output_gradients.final_hidden);
    let mut d_preactivations = Vec::new();

    let mut steps = timeline.steps();
    while let Some(t) = steps.pop() {
        let padding = timeline.padding().at(t);
        let d_new_hidden = d_hidden.clone() + timeline.at(&d_hidden_states, t);
        let d_z = d_new_hidden * timeline.at(&hidden_states, t).tanh_slope();
        let d_z = d_z.zero_where(&padding);
        let of_product = d_z.clone().matmul(weight.clone());
        d_hidden = of_product.replaced_where(&padding, d_hidden);
        d_preactivations.push(d_z);
    }

    d_preactivations.reverse();
    let d_preactivations = timeline.stack(d_preactivations);
    let previous_hidden = timeline.previous(&hidden_states, Array(saved.initial_hidden));
    SimpleRnnGradients {
        recurrent_weight: outer_product(previous_hidden, d_preactivations.clone()).0,
        projections: d_preactivations.0,
        initial_hidden: d_hidden.0,
    }
}
