//! What a recurrent operation reads of its input.

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor};

use crate::embedding::{TokenError, Tokens};
use crate::tensors::Projections as ProjectionInputs;

/// `x_t W + b` for every timestep: what an operation reads of its input.
#[derive(Clone, Debug)]
pub struct Projections(Kind);

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one a layer.
enum Kind {
    PerToken(Tensor<3>),
    PerWord { table: Tensor<2>, tokens: Tokens },
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
        Ok(Self(Kind::PerWord { table, tokens }))
    }

    /// B, T and G·H.
    pub fn dims(&self) -> [usize; 3] {
        match &self.0 {
            Kind::PerToken(projections) => projections.dims(),
            Kind::PerWord { table, tokens } => {
                let ([batch, time], [_, width]) = (tokens.dims(), table.dims());
                [batch, time, width]
            }
        }
    }

    /// Where they are.
    pub fn device(&self) -> Device {
        match &self.0 {
            Kind::PerToken(projections) => projections.device(),
            Kind::PerWord { table, .. } => table.device(),
        }
    }

    pub(crate) fn dtype(&self) -> DType {
        match &self.0 {
            Kind::PerToken(projections) => projections.dtype(),
            Kind::PerWord { table, .. } => table.dtype(),
        }
    }

    pub(crate) fn into_inputs(self) -> ProjectionInputs<Dispatch> {
        match self.0 {
            Kind::PerToken(projections) => ProjectionInputs::PerToken(projections.into_dispatch()),
            Kind::PerWord { table, tokens } => ProjectionInputs::PerWord {
                table: table.into_dispatch(),
                tokens: tokens.into_inputs(),
            },
        }
    }
}

/// A projection a timestep, `[B, T, G·H]`.
impl From<Tensor<3>> for Projections {
    fn from(projections: Tensor<3>) -> Self {
        Self(Kind::PerToken(projections))
    }
}
