//! A recurrent layer of any kind, in one direction.

use burn::module::Module;
use burn::tensor::Device;
use gatefold_kernels::{Cell, State};

use super::layer::methods;
use super::{Gru, LayerConfig, Lstm, MinGru, Parameters, SimpleRnn};
use crate::initializers::{FirstWeights, device_rng};

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
    /// A minGRU.
    MinGru(MinGru),
}

methods!(RecurrentCell, WalkOutput, State);

impl From<SimpleRnn> for RecurrentCell {
    fn from(layer: SimpleRnn) -> Self {
        Self::SimpleRnn(layer)
    }
}

impl From<Lstm> for RecurrentCell {
    fn from(layer: Lstm) -> Self {
        Self::Lstm(layer)
    }
}

impl From<Gru> for RecurrentCell {
    fn from(layer: Gru) -> Self {
        Self::Gru(layer)
    }
}

impl From<MinGru> for RecurrentCell {
    fn from(layer: MinGru) -> Self {
        Self::MinGru(layer)
    }
}

impl RecurrentCell {
    /// A layer of this kind on `device`; `device.seed(..)` before makes it reproducible.
    ///
    /// # Panics
    /// Where the configuration's `validate` is an error, or a cell without recurrent products is to drop from them.
    pub fn init(cell: Cell, config: &LayerConfig<Self>, device: &Device) -> Self {
        let rng = &mut device_rng(device);
        let weights = &mut FirstWeights::Drawn(config.initializers, rng);
        Self::layer(cell, config.clone(), weights, device)
    }

    /// A layer of this kind, whatever layer the configuration was made for.
    pub(crate) fn layer<L>(
        cell: Cell,
        config: LayerConfig<L>,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> Self {
        match cell {
            Cell::Rnn => Self::SimpleRnn(config.of::<SimpleRnn>().layer(weights, device)),
            Cell::Lstm => Self::Lstm(config.of::<Lstm>().layer(weights, device)),
            Cell::Gru => Self::Gru(config.of::<Gru>().layer(weights, device)),
            Cell::MinGru => Self::MinGru(config.of::<MinGru>().layer(weights, device)),
        }
    }

    pub(crate) fn parameters(&self) -> Parameters<'_> {
        match self {
            Self::SimpleRnn(layer) => layer.parameters(),
            Self::Lstm(layer) => layer.parameters(),
            Self::Gru(layer) => layer.parameters(),
            Self::MinGru(layer) => layer.parameters(),
        }
    }

    /// The kind.
    pub fn cell(&self) -> Cell {
        self.parameters().cell
    }

    /// The hidden size, H.
    pub fn hidden_size(&self) -> usize {
        self.parameters().sizes()[1]
    }
}
