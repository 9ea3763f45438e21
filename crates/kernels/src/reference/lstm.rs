//! LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), σ the sigmoid:
//!
//! ```text
//! z_t = x_t W + b + h_{t-1} U            [B, 4H], cut into i, f, g, o
//! i, f, o = σ(z_i), σ(z_f), σ(z_o)       g = tanh(z_g)
//! c_t = f · c_{t-1} + i · g              h_t = o · tanh(c_t)
//! ```

use burn::backend::Backend;

use super::array::Array;
use super::timeline::{Timeline, outer_product};
use crate::tensors::{
    Direction, LstmGradients, LstmInputs, LstmOutputGradients, LstmOutputs, LstmSaved, LstmTraining,
};

pub(crate) fn forward<B: Backend>(inputs: LstmInputs<B>, direction: Direction) -> LstmOutputs<B> {
    let (projections, timeline) = start(&inputs, direction);
    walk(inputs, projections, &timeline, |_| ())
}

pub(crate) fn forward_training<B: Backend>(
    inputs: LstmInputs<B>,
    direction: Direction,
) -> LstmTraining<B> {
    let (projections, timeline) = start(&inputs, direction);
    let mut saved = Vec::new();
    let outputs = walk(inputs, projections, &timeline, |gates_and_cell| {
        saved.push(Array::concat(gates_and_cell, 1));
    });
    LstmTraining {
        outputs,
        gates_and_cell: timeline.stack(saved).0,
    }
}

fn start<B: Backend>(inputs: &LstmInputs<B>, direction: Direction) -> (Array<B>, Timeline<B>) {
    let projections = Array(inputs.projections.clone().per_token());
    let [_, time, _] = projections.dims();
    let timeline = Timeline::new(time, inputs.lengths.clone(), direction);
    (projections, timeline)
}

/// Calls `keep` with the gates i, f, g, o and the cell after each step, in the order walked.
fn walk<B: Backend>(
    inputs: LstmInputs<B>,
    projections: Array<B>,
    timeline: &Timeline<B>,
    mut keep: impl FnMut(Vec<Array<B>>),
) -> LstmOutputs<B> {
    let weight = Array::<B>(inputs.recurrent_weight);
    let mut hidden = Array::<B>(inputs.initial_hidden);
    let mut cell = Array::<B>(inputs.initial_cell);
    let [_, size] = hidden.dims();

    let mut hidden_states = Vec::new();
    for t in timeline.steps() {
        let padding = timeline.padding().at(t);
        let z = timeline.at(&projections, t) + hidden.clone().matmul(weight.clone());
        let input = z.columns(0..size).sigmoid();
        let forget = z.columns(size..2 * size).sigmoid();
        let candidate = z.columns(2 * size..3 * size).tanh();
        let output = z.columns(3 * size..4 * size).sigmoid();

        let new_cell = forget.clone() * cell.clone() + input.clone() * candidate.clone();
        let new_hidden = output.clone() * new_cell.clone().tanh();
        cell = new_cell.replaced_where(&padding, cell);
        hidden = new_hidden.clone().replaced_where(&padding, hidden);
        hidden_states.push(new_hidden.zero_where(&padding));
        keep(vec![input, forget, candidate, output, cell.clone()]);
    }
    LstmOutputs {
        hidden_states: timeline.stack(hidden_states).0,
        final_hidden: hidden.0,
        final_cell: cell.0,
    }
}

/// The chain rule through the equations above, walked the other way. A step that is not valid passes
/// the gradients of its state on, unchanged.
pub(crate) fn backward<B: Backend>(
    saved: LstmSaved<B>,
    output_gradients: LstmOutputGradients<B>,
    direction: Direction,
) -> LstmGradients<B> {
    let hidden_states = Array::<B>(saved.hidden_states);
    let gates_and_cell = Array::<B>(saved.gates_and_cell);
    let initial_cell = Array::<B>(saved.initial_cell);
    let weight = Array::<B>(saved.recurrent_weight).transpose();
    let [_, time, size] = hidden_states.dims();
    let timeline = Timeline::new(time, saved.lengths, direction);

    let d_hidden_states = Array::gradient(output_gradients.hidden_states, &hidden_states);
    let mut d_hidden = Array::<B>(output_gradients.final_hidden);
    let mut d_cell = Array::<B>(output_gradients.final_cell);
    let mut d_preactivations = Vec::new();

    let mut steps = timeline.steps();
    while let Some(t) = steps.pop() {
        let padding = timeline.padding().at(t);
        let step = timeline.at(&gates_and_cell, t);
        let input = step.columns(0..size);
        let forget = step.columns(size..2 * size);
        let candidate = step.columns(2 * size..3 * size);
        let output = step.columns(3 * size..4 * size);
        let tanh_cell = step.columns(4 * size..5 * size).tanh();
        let previous_cell = match steps.last() {
            Some(&before) => timeline
                .at(&gates_and_cell, before)
                .columns(4 * size..5 * size),
            None => initial_cell.clone(),
        };

        let d_new_hidden = d_hidden.clone() + timeline.at(&d_hidden_states, t);
        let d_new_cell =
            d_cell.clone() + d_new_hidden.clone() * output.clone() * tanh_cell.clone().tanh_slope();
        let d_z = Array::concat(
            vec![
                d_new_cell.clone() * candidate.clone() * input.clone().sigmoid_slope(),
                d_new_cell.clone() * previous_cell * forget.clone().sigmoid_slope(),
                d_new_cell.clone() * input * candidate.tanh_slope(),
                d_new_hidden * tanh_cell * output.sigmoid_slope(),
            ],
            1,
        )
        .zero_where(&padding);
        d_cell = (d_new_cell * forget).replaced_where(&padding, d_cell);
        let of_product = d_z.clone().matmul(weight.clone());
        d_hidden = of_product.replaced_where(&padding, d_hidden);
        d_preactivations.push(d_z);
    }

    d_preactivations.reverse();
    let d_preactivations = timeline.stack(d_preactivations);
    let previous_hidden = timeline.previous(&hidden_states, Array(saved.initial_hidden));
    LstmGradients {
        recurrent_weight: outer_product(previous_hidden, d_preactivations.clone()).0,
        projections: d_preactivations.0,
        initial_hidden: d_hidden.0,
        initial_cell: d_cell.0,
    }
}
