//! The simple RNN layer.

use burn::module::{Module, Param};
use burn::nn::Dropout;
use burn::tensor::{Device, Tensor};
use gatefold_kernels::Cell;

use super::layer::layer;
use super::{LayerConfig, Parameters};
use crate::initializers::FirstWeights;

/// Configuration of a [`SimpleRnn`].
pub type SimpleRnnConfig = LayerConfig<SimpleRnn>;

/// Simple recurrent network (Elman 1990). The equation stands at [`gatefold_kernels::simple_rnn`].
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct SimpleRnn {
    /// W, `[d_input, H]`.
    pub input_weight: Param<Tensor<2>>,
    /// U, `[H, H]`.
    pub recurrent_weight: Param<Tensor<2>>,
    /// b, `[H]`.
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

layer!(SimpleRnn, SimpleRnnOutput, Tensor<2>);

impl SimpleRnnConfig {
    pub(crate) fn layer(&self, weights: &mut FirstWeights, device: &Device) -> SimpleRnn {
        let [recurrent_dropout, weight_dropout] = self.dropouts();
        let hidden = self.d_hidden;
        SimpleRnn {
            input_weight: weights.input_weight([self.d_input, hidden], hidden, device),
            recurrent_weight: weights.recurrent_weight([hidden, hidden], device),
            bias: self.bias_or_zeros(hidden, device, || {
                weights.joint_bias(hidden, hidden, 0..0, device)
            }),
            reverse: self.reverse,
            batch_first: self.batch_first,
            recurrent_dropout,
            weight_dropout,
        }
    }
}

impl SimpleRnn {
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        Parameters {
            cell: Cell::Rnn,
            name: "SimpleRnn",
            gates: &[],
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
