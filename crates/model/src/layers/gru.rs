//! The GRU layer.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Dropout;
use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::{Direction, GruOutput, Projections, gru, linear};
use rand::Rng;

use super::{lengths_or_all, project, recurrent_dropout};
use crate::dropout::{Masks, OfDevice};
use crate::initializers::{FirstWeights, Initializers, device_rng};

/// Configuration of a [`Gru`].
#[derive(Config, Debug)]
pub struct GruConfig {
    /// Size of the input vectors.
    pub d_input: usize,
    /// Size of the hidden state, H.
    pub d_hidden: usize,
    /// Whether time is walked from the last valid timestep to the first.
    #[config(default = false)]
    pub reverse: bool,
    /// Share of the hidden units that the recurrent products leave out in training, in [0, 1): others at
    /// every call, the same ones at every timestep and for every row (Gal and Ghahramani 2016, with one
    /// mask a batch).
    #[config(default = "0.0")]
    pub recurrent_dropout: f64,
    /// Whose first weights.
    #[config(default = "Initializers::Keras")]
    pub initializers: Initializers,
}

/// Gated recurrent unit (Cho et al. 2014) in the reset-after form, gates in the order r, z, n. The
/// equations stand at [`gatefold_kernels::gru`].
#[derive(Module, Debug)]
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
    /// Of the hidden units, in the recurrent products.
    pub recurrent_dropout: Dropout,
}

impl GruConfig {
    const GATES: usize = 3;

    /// A layer on `device`; `device.seed(..)` before makes it reproducible.
    ///
    /// # Panics
    /// If a size is 0, or the share dropped is outside [0, 1).
    pub fn init(&self, device: &Device) -> Gru {
        self.init_with(&mut device_rng(device), device)
    }

    /// A layer whose weights are drawn from `rng`: the same on every device.
    ///
    /// # Panics
    /// If a size is 0, or the share dropped is outside [0, 1).
    pub fn init_with(&self, rng: &mut impl Rng, device: &Device) -> Gru {
        self.layer(&mut FirstWeights::Drawn(self.initializers, rng), device)
    }

    pub(crate) fn layer(&self, weights: &mut FirstWeights, device: &Device) -> Gru {
        let recurrent_dropout =
            recurrent_dropout([self.d_input, self.d_hidden], self.recurrent_dropout);
        let (hidden, width) = (self.d_hidden, Self::GATES * self.d_hidden);
        Gru {
            input_weight: weights.input_weight([self.d_input, width], hidden, device),
            recurrent_weight: weights.recurrent_weight([hidden, width], device),
            bias: weights.bias(width, hidden, device),
            recurrent_bias: weights.bias(width, hidden, device),
            reverse: self.reverse,
            recurrent_dropout,
        }
    }
}

impl Gru {
    /// Runs over whole sequences.
    ///
    /// - `input`: `[B, T, d_input]`;
    /// - `lengths`: valid timesteps of each row, `[B]`; all of them if `None`;
    /// - `initial_hidden`: `[B, H]`, zeros if `None`;
    /// - returns hidden states `[B, T, H]`, zero past a row's length, and the final one `[B, H]`.
    ///
    /// # Panics
    /// If the shapes don't fit together.
    pub fn forward(
        &self,
        input: Tensor<3>,
        lengths: Option<Tensor<1, Int>>,
        initial_hidden: Option<Tensor<2>>,
    ) -> GruOutput {
        self.forward_projected(self.project(input), lengths, initial_hidden)
    }

    /// `x W + b` for every timestep: `[B, T, d_input]` → `[B, T, 3H]`.
    pub fn project(&self, input: Tensor<3>) -> Tensor<3> {
        project(input, |rows| self.project_rows(rows))
    }

    /// `x W + b` for every row: `[N, d_input]` → `[N, 3H]`. Of an embedding's rows it makes the table of
    /// [`Projections::per_word`].
    pub fn project_rows(&self, rows: Tensor<2>) -> Tensor<2> {
        linear(rows, self.input_weight.val(), self.bias.val())
    }

    /// [`forward`](Self::forward) from what [`project`](Self::project) returns, or from a projection a word.
    ///
    /// # Panics
    /// If the shapes don't fit together.
    pub fn forward_projected(
        &self,
        projections: impl Into<Projections>,
        lengths: Option<Tensor<1, Int>>,
        initial_hidden: Option<Tensor<2>>,
    ) -> GruOutput {
        self.walk(projections.into(), lengths, initial_hidden, &mut OfDevice)
    }

    /// [`forward_projected`](Self::forward_projected) with these masks.
    pub(crate) fn walk(
        &self,
        projections: Projections,
        lengths: Option<Tensor<1, Int>>,
        initial_hidden: Option<Tensor<2>>,
        masks: &mut impl Masks,
    ) -> GruOutput {
        let lengths = lengths_or_all(lengths, &projections);
        let weight = masks.drop_rows(&self.recurrent_dropout, self.recurrent_weight.val());
        let bias = self.recurrent_bias.val();
        let direction = Direction::reversed(self.reverse);
        gru(
            projections,
            weight,
            bias,
            initial_hidden,
            lengths,
            direction,
        )
        .unwrap_or_else(|error| panic!("{error}"))
    }
}
