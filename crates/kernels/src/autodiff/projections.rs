//! The input of a recurrent operation that may be a table with a row a word.

use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;

use crate::backend::RecurrentBackend;
use crate::tensors::{Input, Optional, Places, Projections, TokenInputs};

impl<B: RecurrentBackend, C: CheckpointStrategy> Projections<Autodiff<B, C>> {
    pub(super) fn into_primitive(self) -> Projections<B> {
        Projections {
            input: match self.input {
                Input::PerToken(vectors) => Input::PerToken(vectors.into_primitive()),
                Input::PerWord { table, tokens } => Input::PerWord {
                    table: table.into_primitive(),
                    tokens: untracked_tokens(tokens),
                },
            },
            weight: inner(self.weight),
            bias: inner(self.bias),
        }
    }
}

pub(super) fn inner<B: RecurrentBackend, C: CheckpointStrategy>(
    tensor: Optional<Autodiff<B, C>>,
) -> Optional<B> {
    let primitive = |tensor: FloatTensor<Autodiff<B, C>>| tensor.into_primitive();
    Optional::new(tensor.into_option().map(primitive))
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
