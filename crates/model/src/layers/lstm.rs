//! The LSTM layer.

use burn::module::{Module, Param};
use burn::nn::Dropout;
use burn::tensor::{Device, Tensor};
use gatefold_kernels::{Cell, LstmState};

use super::layer::layer;
use super::{LayerConfig, Parameters};
use crate::initializers::FirstWeights;

/// Configuration of an [`Lstm`].
pub type LstmConfig = LayerConfig<Lstm>;

/// Long short-term memory (Hochreiter and Schmidhuber 1997), gates in the order i, f, g, o. The
/// equations stand at [`gatefold_kernels::lstm`].
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct Lstm {
    /// W, `[d_input, 4H]`.
    pub input_weight: Param<Tensor<2>>,
    /// U, `[H, 4H]`.
    pub recurrent_weight: Param<Tensor<2>>,
    /// b, `[4H]`.
    pub bias: Param<Tensor<1>>,
    /// Whether time is walked from the last valid timestep to the first.
    pub reverse: bool,
    /// Whether sequences are `[B, T, _]`.
    pub batch_first: bool,
    /// Of the hidden units, in the recurrent products.
    pub recurrent_dropout: Dropout,
    /// Of the recurrent weights' numbers.
    pub weight_dropout: Dropout,
}

layer!(Lstm, LstmOutput, LstmState);

impl LstmConfig {
    pub(crate) fn layer(&self, weights: &mut FirstWeights, device: &Device) -> Lstm {
        let [recurrent_dropout, weight_dropout] = self.dropouts();
        let (hidden, width) = (self.d_hidden, Cell::Lstm.gates() * self.d_hidden);
        Lstm {
            input_weight: weights.input_weight([self.d_input, width], hidden, device),
            recurrent_weight: weights.recurrent_weight([hidden, width], device),
            bias: self.bias_or_zeros(width, device, || {
                weights.joint_bias(width, hidden, hidden..2 * hidden, device)
            }),
            reverse: self.reverse,
            batch_first: self.batch_first,
            recurrent_dropout,
            weight_dropout,
        }
    }
}

impl Lstm {
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        Parameters {
            cell: Cell::Lstm,
            name: "Lstm",
            gates: &[("forget", 1), ("input", 0), ("output", 3)],
            input_weight: &self.input_weight,
            bias: &self.bias,
            recurrent_weight: Some(&self.recurrent_weight),
            recurrent_bias: None,
            dropouts: Some([&self.recurrent_dropout, &self.weight_dropout]),
            reverse: self.reverse,
            batch_first: self.batch_first,
        }
    }
}
