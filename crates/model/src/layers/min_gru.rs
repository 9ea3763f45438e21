//! The minGRU layer.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use gatefold_kernels::Cell;

use super::layer::layer;
use super::{LayerConfig, Parameters, or_panic};
use crate::error::recurrent_dropouts;
use crate::initializers::FirstWeights;

/// Configuration of a [`MinGru`].
pub type MinGruConfig = LayerConfig<MinGru>;

/// Minimal gated recurrent unit (Feng et al. 2024), gates in the order z, h̃: they read the input alone, so that
/// there are no recurrent weights and no recurrent dropout. The equations stand at [`gatefold_kernels::min_gru`].
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct MinGru {
    /// W, `[d_input, 2H]`.
    pub input_weight: Param<Tensor<2>>,
    /// b, `[2H]`.
    pub bias: Param<Tensor<1>>,
    /// Whether time is walked from the last valid timestep to the first.
    pub reverse: bool,
    /// Whether sequences are `[B, T, _]`.
    pub batch_first: bool,
}

layer!(MinGru, MinGruOutput, Tensor<2>);

impl MinGruConfig {
    pub(crate) fn layer(&self, weights: &mut FirstWeights, device: &Device) -> MinGru {
        let [of_units, of_weights] = self.dropouts().map(|dropout| dropout.prob);
        or_panic(recurrent_dropouts(Cell::MinGru, of_units, of_weights));
        // W is a linear layer of its own: PyTorch's limit is that of the input.
        let (input, width) = (self.d_input, Cell::MinGru.gates() * self.d_hidden);
        MinGru {
            input_weight: weights.input_weight([input, width], input, device),
            bias: self.bias_or_zeros(width, device, || {
                weights.shut_bias(width, input, 0..self.d_hidden, device)
            }),
            reverse: self.reverse,
            batch_first: self.batch_first,
        }
    }
}

impl MinGru {
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        Parameters {
            cell: Cell::MinGru,
            name: "MinGru",
            gates: &[("update", 0)],
            input_weight: &self.input_weight,
            bias: &self.bias,
            recurrent_weight: None,
            recurrent_bias: None,
            dropouts: None,
            reverse: self.reverse,
            batch_first: self.batch_first,
        }
    }
}
