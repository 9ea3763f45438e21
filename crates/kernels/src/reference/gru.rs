//! GRU (Cho et al. 2014) in the reset-after form of cuDNN, Keras and PyTorch, σ the sigmoid:
//!
//! ```text
//! x_t W + b = x_r, x_z, x_n              [B, 3H]
//! h_{t-1} U + b_r = u_r, u_z, u_n        [B, 3H]
//! r, z = σ(x_r + u_r), σ(x_z + u_z)      n = tanh(x_n + r · u_n)
//! h_t = (1 - z) · n + z · h_{t-1}
//! ```

use burn::backend::Backend;

use super::array::Array;
use super::timeline::{Timeline, flatten, outer_product};
use crate::tensors::{
    Direction, GruGradients, GruInputs, GruSaved, GruTraining, HiddenOutputGradients, HiddenOutputs,
};

pub(crate) fn forward<B: Backend>(inputs: GruInputs<B>, direction: Direction) -> HiddenOutputs<B> {
    let (projections, timeline) = start(&inputs, direction);
    walk(inputs, projections, &timeline, |_| ())
}

pub(crate) fn forward_training<B: Backend>(
    inputs: GruInputs<B>,
    direction: Direction,
) -> GruTraining<B> {
    let (projections, timeline) = start(&inputs, direction);
    let mut saved = Vec::new();
    let outputs = walk(inputs, projections, &timeline, |gates_and_candidate| {
        saved.push(Array::concat(gates_and_candidate, 1));
    });
    GruTraining {
        outputs,
        gates_and_candidate: timeline.stack(saved).0,
    }
}

fn start<B: Backend>(inputs: &GruInputs<B>, direction: Direction) -> (Array<B>, Timeline<B>) {
    let projections = Array(inputs.projections.clone().per_token());
    let [_, time, _] = projections.dims();
    let timeline = Timeline::new(time, inputs.lengths.clone(), direction);
    (projections, timeline)
}

/// Calls `keep` with the gates r, z, n and with u_n of each step, in the order walked.
fn walk<B: Backend>(
    inputs: GruInputs<B>,
    projections: Array<B>,
    timeline: &Timeline<B>,
    mut keep: impl FnMut(Vec<Array<B>>),
) -> HiddenOutputs<B> {
    let weight = Array::<B>(inputs.recurrent_weight);
    let mut hidden = Array::<B>(inputs.initial_hidden);
    let [_, size] = hidden.dims();
    let bias = Array::<B>(inputs.recurrent_bias).reshape([1, 3 * size]);

    let mut hidden_states = Vec::new();
    for t in timeline.steps() {
        let padding = timeline.padding().at(t);
        let x = timeline.at(&projections, t);
        let u = hidden.clone().matmul(weight.clone()) + bias.clone();
        let recurrent_candidate = u.columns(2 * size..3 * size);
        let reset = (x.columns(0..size) + u.columns(0..size)).sigmoid();
        let update = (x.columns(size..2 * size) + u.columns(size..2 * size)).sigmoid();
        let candidate =
            (x.columns(2 * size..3 * size) + reset.clone() * recurrent_candidate.clone()).tanh();

        let new_hidden = candidate.clone() + update.clone() * (hidden.clone() - candidate.clone());
        hidden = new_hidden.clone().replaced_where(&padding, hidden);
        hidden_states.push(new_hidden.zero_where(&padding));
        keep(vec![reset, update, candidate, recurrent_candidate]);
    }
    HiddenOutputs {
        hidden_states: timeline.stack(hidden_states).0,
        final_hidden: hidden.0,
    }
}

/// The chain rule through the equations above, walked the other way. A step that is not valid passes
/// the gradient of its state on, unchanged.
pub(crate) fn backward<B: Backend>(
    saved: GruSaved<B>,
    output_gradients: HiddenOutputGradients<B>,
    direction: Direction,
) -> GruGradients<B> {
    let hidden_states = Array::<B>(saved.hidden_states);
    let gates_and_candidate = Array::<B>(saved.gates_and_candidate);
    let weight = Array::<B>(saved.recurrent_weight).transpose();
    let [_, time, size] = hidden_states.dims();
    let timeline = Timeline::new(time, saved.lengths, direction);
    let previous_hidden = timeline.previous(&hidden_states, Array(saved.initial_hidden));

    let d_hidden_states = Array::gradient(output_gradients.hidden_states, &hidden_states);
    let mut d_hidden = Array::<B>(output_gradients.final_hidden);
    let (mut d_projections, mut d_recurrent) = (Vec::new(), Vec::new());

    let mut steps = timeline.steps();
    while let Some(t) = steps.pop() {
        let padding = timeline.padding().at(t);
        let step = timeline.at(&gates_and_candidate, t);
        let reset = step.columns(0..size);
        let update = step.columns(size..2 * size);
        let candidate = step.columns(2 * size..3 * size);
        let recurrent_candidate = step.columns(3 * size..4 * size);
        let previous = timeline.at(&previous_hidden, t);

        let d_new_hidden = d_hidden.clone() + timeline.at(&d_hidden_states, t);
        let d_update =
            d_new_hidden.clone() * (previous - candidate.clone()) * update.clone().sigmoid_slope();
        let d_candidate =
            d_new_hidden.clone() * update.clone().one_minus() * candidate.tanh_slope();
        let d_reset = d_candidate.clone() * recurrent_candidate * reset.clone().sigmoid_slope();
        let gradient = |d_last| Array::concat(vec![d_reset.clone(), d_update.clone(), d_last], 1);
        let d_u = gradient(d_candidate.clone() * reset).zero_where(&padding);
        d_projections.push(gradient(d_candidate).zero_where(&padding));
        let of_product = d_u.clone().matmul(weight.clone());
        d_hidden = (of_product + d_new_hidden * update).replaced_where(&padding, d_hidden);
        d_recurrent.push(d_u);
    }

    d_projections.reverse();
    d_recurrent.reverse();
    let d_recurrent = timeline.stack(d_recurrent);
    GruGradients {
        projections: timeline.stack(d_projections).0,
        recurrent_weight: outer_product(previous_hidden, d_recurrent.clone()).0,
        recurrent_bias: flatten(d_recurrent).sum(0).reshape([3 * size]).0,
        initial_hidden: d_hidden.0,
    }
}
