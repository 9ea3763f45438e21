//! A cell's walk through time, forward and backward: what is the same for all of them.

use burn::backend::Backend;

use super::array::Array;
use super::timeline::{Timeline, flatten, outer_product};
use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::tensors::{
    Direction, Input, Optional, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs,
    WalkSaved, WalkTraining, Wanted,
};

/// A timestep of a cell. Widths of H stand side by side in the order of the gates.
pub(super) trait Timestep<B: Backend> {
    const CELL: Cell;

    fn forward(at: Before<B>) -> After<B>;

    /// The chain rule through the equations of [`forward`](Self::forward).
    fn backward(at: Backward<B>) -> Gradients<B>;
}

/// What a timestep starts from.
pub(super) struct Before<B: Backend> {
    /// `x_t W + b`, `[B, G·H]`.
    pub x: Array<B>,
    /// The product with the recurrent weights, and its bias, `[B, G·H]`, where the cell has one.
    pub u: Option<Array<B>>,
    /// `[B, H]`.
    pub hidden: Array<B>,
    /// `[B, H]`; the hidden state again where there is no cell state.
    pub cell: Array<B>,
}

impl<B: Backend> Before<B> {
    /// `u` of a cell that has recurrent weights.
    pub fn product(&mut self) -> Array<B> {
        self.u
            .take()
            .expect("a cell with recurrent weights has a product")
    }
}

/// What a timestep leaves.
pub(super) struct After<B: Backend> {
    pub hidden: Array<B>,
    /// Where there is a cell state.
    pub cell: Option<Array<B>>,
    /// For the backward pass, each `[B, H]`; a cell state is kept behind them.
    pub saved: Vec<Array<B>>,
}

/// What a timestep of the backward pass reads.
pub(super) struct Backward<B: Backend> {
    /// What the forward pass kept.
    pub saved: Vec<Array<B>>,
    /// The hidden state after the timestep.
    pub hidden: Array<B>,
    /// The cell state, or else the hidden state, that it started from.
    pub previous: Array<B>,
    pub d_hidden: Array<B>,
    /// Zero where there is no cell state.
    pub d_cell: Array<B>,
}

/// What a timestep of the backward pass leaves.
pub(super) struct Gradients<B: Backend> {
    /// Of the projections, one a gate.
    pub x: Vec<Array<B>>,
    /// Of the last gate of the product with the recurrent weights, where it differs.
    pub split: Option<Array<B>>,
    /// Of the hidden state that the step started from, past the product.
    pub hidden: Option<Array<B>>,
    /// Of the cell state that it started from.
    pub cell: Option<Array<B>>,
}

pub(super) fn forward<B: RecurrentBackend, C: Timestep<B>>(
    inputs: WalkInputs<B>,
    direction: Direction,
    training: bool,
) -> WalkTraining<B> {
    let (initial_hidden, initial_cell) = inputs.initial_states(C::CELL);
    let projections = Array::<B>(match inputs.projections.projected() {
        Input::PerToken(projections) => projections,
        Input::PerWord { table, tokens } => B::embedding(table, tokens.ids),
    });
    let [_, time, width] = projections.dims();
    let timeline = Timeline::new(time, inputs.lengths, direction);
    let weight = inputs.recurrent_weight.clone().into_option();
    let weight = weight.map(Array::<B>);
    let bias = inputs.recurrent_bias.into_option().map(Array::<B>);
    let bias = bias.map(|bias| bias.reshape([1, width]));
    let mut hidden = Array::<B>(initial_hidden);
    let mut cell = initial_cell.map(Array::<B>);

    let (mut hidden_states, mut saved) = (Vec::new(), Vec::new());
    for t in timeline.steps() {
        let padding = timeline.padding().at(t);
        let mut u = weight.clone().map(|weight| hidden.clone().matmul(weight));
        if let Some(bias) = &bias {
            u = u.map(|u| u + bias.clone());
        }
        let mut after = C::forward(Before {
            x: timeline.at(&projections, t),
            u,
            hidden: hidden.clone(),
            cell: cell.clone().unwrap_or_else(|| hidden.clone()),
        });
        hidden = after.hidden.clone().replaced_where(&padding, hidden);
        hidden_states.push(after.hidden.zero_where(&padding));
        if let (Some(before), Some(new)) = (cell.clone(), after.cell) {
            let new = new.replaced_where(&padding, before);
            after.saved.push(new.clone());
            cell = Some(new);
        }
        if training && C::CELL.saved() > 0 {
            saved.push(Array::concat(after.saved, 1));
        }
    }
    let saved = (!saved.is_empty()).then(|| timeline.stack(saved).0);
    WalkTraining {
        outputs: WalkOutputs {
            hidden_states: timeline.stack(hidden_states).0,
            final_hidden: hidden.0,
            final_cell: Optional::new(cell.map(|cell| cell.0)),
        },
        saved: Optional::new(saved),
        recurrent_weight: inputs.recurrent_weight,
    }
}

/// Walked the other way. A step that is not valid passes the gradients of its state on, unchanged.
pub(super) fn backward<B: RecurrentBackend, C: Timestep<B>>(
    walked: WalkSaved<B>,
    output_gradients: WalkOutputGradients<B>,
    direction: Direction,
    wanted: Wanted,
) -> WalkGradients<B> {
    let hidden_states = Array::<B>(walked.hidden_states);
    let saved = walked.saved.into_option().map(Array::<B>);
    let has_initial = walked.initial_hidden.as_option().is_some();
    let weight = walked.recurrent_weight.into_option();
    let weight = weight.map(|weight| Array::<B>(weight).transpose());
    let [batch, time, size] = hidden_states.dims();
    let timeline = Timeline::new(time, walked.lengths, direction);
    let zeros = || hidden_states.zeros([batch, size]);
    let or_zeros = |given: Optional<B>| given.into_option().map_or_else(zeros, Array);
    let previous_hidden = timeline.previous(&hidden_states, or_zeros(walked.initial_hidden));
    let has_cell = C::CELL.has_cell_state();
    let initial_cell = has_cell.then(|| or_zeros(walked.initial_cell));
    // What the forward pass kept of a timestep, part by part.
    let kept = |t: usize| -> Vec<Array<B>> {
        let Some(saved) = &saved else { return vec![] };
        let step = timeline.at(saved, t);
        let part = |part| step.columns(part * size..(part + 1) * size);
        (0..C::CELL.saved()).map(part).collect()
    };

    let d_hidden_states = Array::gradient(output_gradients.hidden_states, &hidden_states);
    let mut d_hidden = or_zeros(output_gradients.final_hidden);
    let mut d_cell = or_zeros(output_gradients.final_cell);
    let (mut d_projections, mut d_recurrent) = (Vec::new(), Vec::new());

    let mut steps = timeline.steps();
    while let Some(t) = steps.pop() {
        let padding = timeline.padding().at(t);
        let previous = match (&initial_cell, steps.last()) {
            (None, _) => timeline.at(&previous_hidden, t),
            (Some(initial), None) => initial.clone(),
            (Some(_), Some(&before)) => {
                let saved = saved.as_ref().expect("a cell state is kept");
                let last = C::CELL.saved() - 1;
                timeline
                    .at(saved, before)
                    .columns(last * size..(last + 1) * size)
            }
        };
        let d = C::backward(Backward {
            saved: kept(t),
            hidden: timeline.at(&hidden_states, t),
            previous,
            d_hidden: d_hidden.clone() + timeline.at(&d_hidden_states, t),
            d_cell: d_cell.clone(),
        });
        let d_x = Array::concat(d.x.clone(), 1).zero_where(&padding);
        let d_u = match d.split {
            None => d_x.clone(),
            Some(last) => {
                let mut gates = d.x;
                *gates.last_mut().expect("a cell has gates") = last;
                Array::concat(gates, 1).zero_where(&padding)
            }
        };
        let of_product = weight.clone().map(|weight| d_u.clone().matmul(weight));
        let ways = [of_product, d.hidden].into_iter().flatten();
        let d_previous = ways.reduce(|sum, way| sum + way);
        let d_previous = d_previous.expect("a state has a way on");
        d_hidden = d_previous.replaced_where(&padding, d_hidden);
        if let Some(d) = d.cell {
            d_cell = d.replaced_where(&padding, d_cell);
        }
        d_projections.push(d_x);
        d_recurrent.push(d_u);
    }

    let stack = |mut steps: Vec<Array<B>>| {
        steps.reverse();
        timeline.stack(steps)
    };
    let d_recurrent = stack(d_recurrent);
    let bias = C::CELL.has_recurrent_bias().then(|| {
        let sum = flatten(d_recurrent.clone()).sum(0);
        sum.reshape([C::CELL.gates() * size]).0
    });
    let weight = weight.map(|_| outer_product(previous_hidden, d_recurrent).0);
    let [input, input_weight, input_bias] = walked.projections.gradients(stack(d_projections).0);
    WalkGradients {
        input: match wanted {
            Wanted::Input => input,
            Wanted::WeightsAlone => Optional::Absent,
        },
        input_weight,
        bias: input_bias,
        recurrent_weight: Optional::new(weight),
        recurrent_bias: Optional::new(bias),
        initial_hidden: Optional::new(has_initial.then_some(d_hidden.0)),
        initial_cell: Optional::new((has_initial && has_cell).then_some(d_cell.0)),
    }
}
