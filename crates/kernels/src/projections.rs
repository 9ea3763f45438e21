//! What a recurrent operation reads of its input.

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor};

use crate::embedding::{TokenError, Tokens};
use crate::tensors::{self, Optional, Projections as Inputs};

/// `x_t W + b` for every timestep: what an operation reads of its input.
#[derive(Clone, Debug)]
pub struct Projections {
    input: Input,
    layer: Option<InputWeights>,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one a layer.
enum Input {
    PerToken(Tensor<3>),
    PerWord { table: Tensor<2>, tokens: Tokens },
}

/// The weights of a layer that its input is multiplied with.
#[derive(Clone, Debug)]
pub struct InputWeights {
    /// W, `[D, G·H]`.
    pub weight: Tensor<2>,
    /// b, `[G·H]`.
    pub bias: Tensor<1>,
}

impl Projections {
    /// Where the input is a row of an embedding: a projection a word, `(embedding W) + b`, `[V, G·H]`, looked
    /// up as it is needed. It gives what [`embedding`](crate::embedding::embedding) of the table would, without
    /// the memory, and without its products where there are more tokens than words.
    ///
    /// # Errors
    /// [`TokenError`] if the tokens are not of V words, or on another device.
    pub fn per_word(table: Tensor<2>, tokens: Tokens) -> Result<Self, TokenError> {
        tokens.check_table(&table)?;
        let input = Input::PerWord { table, tokens };
        Ok(Self { input, layer: None })
    }

    /// Of vectors `[B, T, D]`: the operation makes `x W + b` itself, and the gradients of W, b and U in one pass.
    pub fn of_vectors(vectors: Tensor<3>, layer: InputWeights) -> Self {
        let (input, layer) = (Input::PerToken(vectors), Some(layer));
        Self { input, layer }
    }

    /// Of an embedding's vectors `[V, D]`: [`per_word`](Self::per_word), and [`of_vectors`](Self::of_vectors) of them.
    ///
    /// # Errors
    /// [`TokenError`] if the tokens are not of V words, or on another device.
    pub fn of_words(
        vectors: Tensor<2>,
        tokens: Tokens,
        layer: InputWeights,
    ) -> Result<Self, TokenError> {
        let projections = Self::per_word(vectors, tokens)?;
        let layer = Some(layer);
        Ok(Self {
            layer,
            ..projections
        })
    }

    /// B, T and G·H.
    pub fn dims(&self) -> [usize; 3] {
        let [batch, time, width] = self.input_dims();
        match &self.layer {
            None => [batch, time, width],
            Some(layer) => [batch, time, layer.weight.dims()[1]],
        }
    }

    /// B, T and the width of the input.
    pub(crate) fn input_dims(&self) -> [usize; 3] {
        match &self.input {
            Input::PerToken(projections) => projections.dims(),
            Input::PerWord { table, tokens } => {
                let ([batch, time], [_, width]) = (tokens.dims(), table.dims());
                [batch, time, width]
            }
        }
    }

    /// The weights that the input is multiplied with, if it is.
    pub(crate) fn layer(&self) -> Option<&InputWeights> {
        self.layer.as_ref()
    }

    /// Where they are.
    pub fn device(&self) -> Device {
        match &self.input {
            Input::PerToken(projections) => projections.device(),
            Input::PerWord { table, .. } => table.device(),
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        match &self.input {
            Input::PerToken(projections) => projections.dtype(),
            Input::PerWord { table, .. } => table.dtype(),
        }
    }

    pub(crate) fn into_inputs(self) -> Inputs<Dispatch> {
        let [weight, bias] = match self.layer {
            None => [None, None],
            Some(InputWeights { weight, bias }) => {
                [weight.into_dispatch(), bias.into_dispatch()].map(Some)
            }
        };
        Inputs {
            input: match self.input {
                Input::PerToken(projections) => {
                    tensors::Input::PerToken(projections.into_dispatch())
                }
                Input::PerWord { table, tokens } => tensors::Input::PerWord {
                    table: table.into_dispatch(),
                    tokens: tokens.into_inputs(),
                },
            },
            weight: Optional::new(weight),
            bias: Optional::new(bias),
        }
    }
}

/// A projection a timestep, `[B, T, G·H]`.
impl From<Tensor<3>> for Projections {
    fn from(projections: Tensor<3>) -> Self {
        Self {
            input: Input::PerToken(projections),
            layer: None,
        }
    }
}
