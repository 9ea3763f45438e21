//! A linear layer under automatic differentiation.

use burn::backend::AutodiffBackend;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::register;
use crate::backend::RecurrentBackend;
use crate::tensors::LinearInputs;

#[derive(Debug)]
struct Linear;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    inputs: LinearInputs<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let node = Linear
        .prepare::<C>([
            inputs.input.node(),
            inputs.weight.node(),
            inputs.bias.node(),
        ])
        .compute_bound()
        .stateful();
    let inputs = LinearInputs::<B> {
        input: inputs.input.into_primitive(),
        weight: inputs.weight.into_primitive(),
        bias: inputs.bias.into_primitive(),
    };
    let output = B::linear_forward(inputs.clone());
    match node {
        OpsKind::UnTracked(_) => Autodiff::<B, C>::from_inner(output),
        OpsKind::Tracked(node) => node.finish((inputs.input, inputs.weight), output),
    }
}

impl<B: RecurrentBackend> Backward<B, 3> for Linear {
    type State = (FloatTensor<B>, FloatTensor<B>);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let output_gradient = grads.consume::<B>(&ops.node);
        let (input, weight) = ops.state;
        let gradients = B::linear_backward(input, weight, output_gradient);
        register::<B, 3>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [gradients.input, gradients.weight, gradients.bias].map(Some),
        );
    }
}
