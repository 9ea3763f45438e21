//! The GRU layer.

use burn::module::{Module, Param};
use burn::nn::Dropout;
use burn::tensor::{Device, Tensor};
use gatefold_kernels::Cell;

use super::layer::layer;
use super::{LayerConfig, Parameters};
use crate::initializers::FirstWeights;

/// Configuration of a [`Gru`].
pub type GruConfig = LayerConfig<Gru>;

/// Gated recurrent unit (Cho et al. 2014) in the reset-after form, gates in the order r, z, n. The
/// equations stand at [`gatefold_kernels::gru`].
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct Gru {
    /// W, `[d_input, 3H]`.
    pub input_weight: Param<Tensor<2>>,
    /// U, `[H, 3H]`.
    pub recurrent_weight: Param<Tensor<2>>,
    /// b, `[3H]`.
    pub bias: Param<Tensor<1>>,
    /// b_r, inside the reset gate's product, `[3H]`.
    pub recurrent_bias: Param<Tensor<1>>,
    /// Whether time is walked from the last valid timestep to the first.
    pub reverse: bool,
    /// Whether sequences are `[B, T, _]`.
    pub batch_first: bool,
    /// Of the hidden units, in the recurrent products.
    pub recurrent_dropout: Dropout,
    /// Of the recurrent weights' numbers.
    pub weight_dropout: Dropout,
}

layer!(Gru, GruOutput, Tensor<2>);

impl GruConfig {
    pub(crate) fn layer(&self, weights: &mut FirstWeights, device: &Device) -> Gru {
        let [recurrent_dropout, weight_dropout] = self.dropouts();
        let (hidden, width) = (self.d_hidden, Cell::Gru.gates() * self.d_hidden);
        Gru {
            input_weight: weights.input_weight([self.d_input, width], hidden, device),
            recurrent_weight: weights.recurrent_weight([hidden, width], device),
            bias: self.bias_or_zeros(width, device, || weights.bias(width, hidden, device)),
            recurrent_bias: self
                .bias_or_zeros(width, device, || weights.bias(width, hidden, device)),
            reverse: self.reverse,
            batch_first: self.batch_first,
            recurrent_dropout,
            weight_dropout,
        }
    }
}

impl Gru {
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        Parameters {
            cell: Cell::Gru,
            name: "Gru",
            gates: &[("reset", 0), ("update", 1)],
            input_weight: &self.input_weight,
            bias: &self.bias,
            recurrent_weight: Some(&self.recurrent_weight),
            recurrent_bias: Some(&self.recurrent_bias),
            dropouts: Some([&self.recurrent_dropout, &self.weight_dropout]),
            reverse: self.reverse,
            batch_first: self.batch_first,
        }
    }
}
