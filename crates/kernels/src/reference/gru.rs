//! GRU (Cho et al. 2014) in the reset-after form of cuDNN, Keras and PyTorch, σ the sigmoid:
//!
//! ```text
//! x_t W + b = x_r, x_z, x_n              [B, 3H]
//! h_{t-1} U + b_r = u_r, u_z, u_n        [B, 3H]
//! r, z = σ(x_r + u_r), σ(x_z + u_z)      n = tanh(x_n + r · u_n)
//! h_t = (1 - z) · n + z · h_{t-1}
//! ```

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

use super::array::Array;
use super::timeline::{Timeline, flatten, outer_product};
use crate::backend::{Direction, GruGradients, GruInputs, GruSaved, GruTraining, HiddenOutputs};

pub(crate) fn forward<B: Backend>(inputs: GruInputs<B>, direction: Direction) -> HiddenOutputs<B> {
    let timeline = timeline(&inputs, direction);
    walk(inputs, &timeline, |_, _| ())
}

pub(crate) fn forward_training<B: Backend>(
    inputs: GruInputs<B>,
    direction: Direction,
) -> GruTraining<B> {
    let timeline = timeline(&inputs, direction);
    let (mut gates, mut candidates) = (Vec::new(), Vec::new());
    let outputs = walk(inputs, &timeline, |step_gates, recurrent_candidate| {
        gates.push(Array::concat(step_gates.to_vec(), 1));
        candidates.push(recurrent_candidate.clone());
    });
    GruTraining {
        outputs,
        saved: GruSaved {
            gates: timeline.stack(gates).0,
            recurrent_candidate: timeline.stack(candidates).0,
        },
    }
}

fn timeline<B: Backend>(inputs: &GruInputs<B>, direction: Direction) -> Timeline<B> {
    let projections = Array(inputs.projections.clone());
    Timeline::new(&projections, inputs.lengths.clone(), direction)
}

/// Calls `keep` with the gates r, z, n and with u_n of each step, in the order walked.
fn walk<B: Backend>(
    inputs: GruInputs<B>,
    timeline: &Timeline<B>,
    mut keep: impl FnMut(&[Array<B>; 3], &Array<B>),
) -> HiddenOutputs<B> {
    let projections = Array::<B>(inputs.projections);
    let weight = Array::<B>(inputs.recurrent_weight);
    let mut hidden = Array::<B>(inputs.initial_hidden);
    let [_, size] = hidden.dims();
    let bias = Array::<B>(inputs.recurrent_bias).reshape([1, 3 * size]);

    let mut hidden_states = Vec::new();
    for t in timeline.steps() {
        let (valid, carried) = timeline.valid_and_carried_at(t);
        let x = timeline.at(&projections, t);
        let u = hidden.clone().matmul(weight.clone()) + bias.clone();
        let recurrent_candidate = u.columns(2 * size..3 * size);
        let reset = (x.columns(0..size) + u.columns(0..size)).sigmoid();
        let update = (x.columns(size..2 * size) + u.columns(size..2 * size)).sigmoid();
        let candidate =
            (x.columns(2 * size..3 * size) + reset.clone() * recurrent_candidate.clone()).tanh();

        let new_hidden = candidate.clone() + update.clone() * (hidden.clone() - candidate.clone());
        let visible = valid * new_hidden;
        hidden = visible.clone() + carried * hidden;
        hidden_states.push(visible);
        keep(&[reset, update, candidate], &recurrent_candidate);
    }
    HiddenOutputs {
        hidden_states: timeline.stack(hidden_states).0,
        final_hidden: hidden.0,
    }
}

/// The chain rule through the equations above, walked the other way. A step that is not valid passes
/// the gradient of its state on, unchanged.
pub(crate) fn backward<B: Backend>(
    inputs: GruInputs<B>,
    saved: GruSaved<B>,
    hidden_states: FloatTensor<B>,
    output_gradients: HiddenOutputs<B>,
    direction: Direction,
) -> GruGradients<B> {
    let hidden_states = Array::<B>(hidden_states);
    let gates = Array::<B>(saved.gates);
    let recurrent_candidates = Array::<B>(saved.recurrent_candidate);
    let weight = Array::<B>(inputs.recurrent_weight).transpose();
    let [_, _, size] = hidden_states.dims();
    let timeline = Timeline::new(&gates, inputs.lengths, direction);
    let previous_hidden = timeline.previous(&hidden_states, Array(inputs.initial_hidden));

    let d_hidden_states = Array::<B>(output_gradients.hidden_states);
    let mut d_hidden = Array::<B>(output_gradients.final_hidden);
    let (mut d_projections, mut d_recurrent) = (Vec::new(), Vec::new());

    let mut steps = timeline.steps();
    while let Some(t) = steps.pop() {
        let (valid, carried) = timeline.valid_and_carried_at(t);
        let gates = timeline.at(&gates, t);
        let reset = gates.columns(0..size);
        let update = gates.columns(size..2 * size);
        let candidate = gates.columns(2 * size..3 * size);
        let recurrent_candidate = timeline.at(&recurrent_candidates, t);
        let previous = timeline.at(&previous_hidden, t);

        let d_new_hidden = valid.clone() * (d_hidden.clone() + timeline.at(&d_hidden_states, t));
        let d_update =
            d_new_hidden.clone() * (previous - candidate.clone()) * update.clone().sigmoid_slope();
        let d_candidate =
            d_new_hidden.clone() * update.clone().one_minus() * candidate.tanh_slope();
        let d_reset = d_candidate.clone() * recurrent_candidate * reset.clone().sigmoid_slope();
        let d_u = Array::concat(
            vec![
                d_reset.clone(),
                d_update.clone(),
                d_candidate.clone() * reset,
            ],
            1,
        );
        d_hidden = d_u.clone().matmul(weight.clone()) + d_new_hidden * update + carried * d_hidden;
        d_projections.push(Array::concat(vec![d_reset, d_update, d_candidate], 1));
        d_recurrent.push(d_u);
    }

    d_projections.reverse();
    d_recurrent.reverse();
    let d_recurrent = timeline.stack(d_recurrent);
    GruGradients {
        projections: timeline.stack(d_projections).0,
        recurrent_weight: outer_product(previous_hidden, d_recurrent.clone()).0,
        recurrent_bias: flatten(d_recurrent).sum_rows().reshape([3 * size]).0,
        initial_hidden: d_hidden.0,
    }
}
