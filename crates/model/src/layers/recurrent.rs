//! A recurrent layer of any kind, in one direction, and what it hands from a timestep to the next.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::{LstmState, Projections};
use rand::Rng;

use super::{Cell, Gru, GruConfig, Lstm, LstmConfig, SimpleRnn, SimpleRnnConfig, State};
use crate::dropout::{Masks, OfDevice};
use crate::initializers::{FirstWeights, Initializers};

/// A recurrent layer of any kind, in one direction.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A network holds a handful.
pub enum RecurrentCell {
    /// A simple RNN.
    SimpleRnn(SimpleRnn),
    /// An LSTM.
    Lstm(Lstm),
    /// A GRU.
    Gru(Gru),
}

impl RecurrentCell {
    /// A layer that reads vectors of `input` numbers into `hidden` units, its weights drawn from `rng`.
    ///
    /// # Panics
    /// If a size is 0.
    pub fn init_with(
        cell: Cell,
        [input, hidden]: [usize; 2],
        reverse: bool,
        initializers: Initializers,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Self {
        let weights = &mut FirstWeights::Drawn(initializers, rng);
        Self::layer(cell, [input, hidden], reverse, 0.0, weights, device)
    }

    pub(crate) fn layer(
        cell: Cell,
        [input, hidden]: [usize; 2],
        reverse: bool,
        recurrent_dropout: f64,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> Self {
        match cell {
            Cell::Rnn => {
                let config = SimpleRnnConfig::new(input, hidden)
                    .with_reverse(reverse)
                    .with_recurrent_dropout(recurrent_dropout);
                Self::SimpleRnn(config.layer(weights, device))
            }
            Cell::Lstm => {
                let config = LstmConfig::new(input, hidden)
                    .with_reverse(reverse)
                    .with_recurrent_dropout(recurrent_dropout);
                Self::Lstm(config.layer(weights, device))
            }
            Cell::Gru => {
                let config = GruConfig::new(input, hidden)
                    .with_reverse(reverse)
                    .with_recurrent_dropout(recurrent_dropout);
                Self::Gru(config.layer(weights, device))
            }
        }
    }

    /// The hidden size, H.
    pub fn hidden_size(&self) -> usize {
        let recurrent_weight = match self {
            Self::SimpleRnn(layer) => &layer.recurrent_weight,
            Self::Lstm(layer) => &layer.recurrent_weight,
            Self::Gru(layer) => &layer.recurrent_weight,
        };
        recurrent_weight.lazy_shape()[0]
    }

    /// `x W + b` for every timestep: `[B, T, in]` → `[B, T, G·H]`.
    pub fn project(&self, input: Tensor<3>) -> Tensor<3> {
        match self {
            Self::SimpleRnn(layer) => layer.project(input),
            Self::Lstm(layer) => layer.project(input),
            Self::Gru(layer) => layer.project(input),
        }
    }

    pub(crate) fn project_rows(&self, rows: Tensor<2>) -> Tensor<2> {
        match self {
            Self::SimpleRnn(layer) => layer.project_rows(rows),
            Self::Lstm(layer) => layer.project_rows(rows),
            Self::Gru(layer) => layer.project_rows(rows),
        }
    }

    /// Walks over whole sequences, from what [`project`](Self::project) returns or from a projection a word.
    ///
    /// - `lengths`: valid timesteps of each row, `[B]`; all of them if `None`;
    /// - `state`: the initial state, zeros if `None`;
    /// - returns hidden states `[B, T, H]`, zero past a row's length, and the final state.
    ///
    /// # Panics
    /// If the shapes don't fit together, or an LSTM's state has no cell.
    pub fn forward(
        &self,
        projections: impl Into<Projections>,
        lengths: Option<Tensor<1, Int>>,
        state: Option<State>,
    ) -> (Tensor<3>, State) {
        self.walk(projections.into(), lengths, state, &mut OfDevice)
    }

    pub(crate) fn walk(
        &self,
        projections: Projections,
        lengths: Option<Tensor<1, Int>>,
        state: Option<State>,
        masks: &mut impl Masks,
    ) -> (Tensor<3>, State) {
        let of_hidden = |hidden| State { hidden, cell: None };
        match self {
            Self::SimpleRnn(layer) => {
                let hidden = state.map(|state| state.hidden);
                let output = layer.walk(projections, lengths, hidden, masks);
                (output.hidden_states, of_hidden(output.final_hidden))
            }
            Self::Lstm(layer) => {
                let state = state.map(|state| LstmState {
                    hidden: state.hidden,
                    cell: state.cell.expect("an LSTM's state has a cell"),
                });
                let output = layer.walk(projections, lengths, state, masks);
                let LstmState { hidden, cell } = output.final_state;
                let cell = Some(cell);
                (output.hidden_states, State { hidden, cell })
            }
            Self::Gru(layer) => {
                let hidden = state.map(|state| state.hidden);
                let output = layer.walk(projections, lengths, hidden, masks);
                (output.hidden_states, of_hidden(output.final_hidden))
            }
        }
    }
}
