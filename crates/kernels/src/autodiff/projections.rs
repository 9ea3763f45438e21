//! The input of a recurrent operation that may be a table with a row a word.

use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;

use crate::backend::RecurrentBackend;
use crate::tensors::{Places, Projections, TokenInputs};

impl<B: RecurrentBackend, C: CheckpointStrategy> Projections<Autodiff<B, C>> {
    pub(super) fn into_primitive(self) -> Projections<B> {
        match self {
            Self::PerToken(projections) => Projections::PerToken(projections.into_primitive()),
            Self::PerWord { table, tokens } => Projections::PerWord {
                table: table.into_primitive(),
                tokens: untracked_tokens(tokens),
            },
        }
    }
}

/// Integers have no gradients: on both sides they are the same tensors.
pub(super) fn untracked_tokens<B: RecurrentBackend, C: CheckpointStrategy>(
    tokens: TokenInputs<Autodiff<B, C>>,
) -> TokenInputs<B> {
    TokenInputs {
        ids: tokens.ids,
        lengths: tokens.lengths,
        words: tokens.words,
        places: match tokens.places {
            Places::Sorted { positions, starts } => Places::Sorted { positions, starts },
            Places::Unsorted => Places::Unsorted,
        },
    }
}

/// From the gradient of the projections `[B, T, G·H]` to that of the tensor which they are, or come from.
#[derive(Clone, Debug)]
pub(super) struct Source<B: RecurrentBackend>(Option<TokenInputs<B>>);

impl<B: RecurrentBackend> Source<B> {
    pub fn of(projections: &Projections<B>) -> Self {
        Self(match projections {
            Projections::PerToken(_) => None,
            Projections::PerWord { tokens, .. } => Some(tokens.clone()),
        })
    }

    pub fn gradient(self, of_projections: FloatTensor<B>) -> FloatTensor<B> {
        match self.0 {
            None => of_projections,
            Some(tokens) => B::token_embedding_backward(tokens, of_projections),
        }
    }
}
