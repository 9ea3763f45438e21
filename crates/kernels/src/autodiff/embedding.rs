//! The embedding under automatic differentiation.

use burn::backend::AutodiffBackend;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::register;
use super::projections::untracked_tokens;
use crate::backend::RecurrentBackend;
use crate::tensors::TokenInputs;

#[derive(Debug)]
struct Embedding;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    weight: FloatTensor<Autodiff<B, C>>,
    tokens: TokenInputs<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let node = Embedding
        .prepare::<C>([weight.node()])
        .compute_bound()
        .stateful();
    let weight = weight.into_primitive();
    let tokens = untracked_tokens(tokens);
    let output = B::token_embedding(weight, tokens.clone());
    match node {
        OpsKind::UnTracked(_) => Autodiff::<B, C>::from_inner(output),
        OpsKind::Tracked(node) => node.finish(tokens, output),
    }
}

impl<B: RecurrentBackend> Backward<B, 1> for Embedding {
    type State = TokenInputs<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let output_gradient = grads.consume::<B>(&ops.node);
        let gradient = B::token_embedding_backward(ops.state, output_gradient);
        register::<B, 1>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [Some(gradient)],
        );
    }
}
