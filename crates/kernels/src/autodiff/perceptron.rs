//! A perceptron under automatic differentiation.

use burn::backend::AutodiffBackend;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::register;
use crate::backend::RecurrentBackend;
use crate::tensors::{PerceptronInputs, PerceptronOutputs, PerceptronSaved};

#[derive(Debug)]
struct Perceptron;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    inputs: PerceptronInputs<Autodiff<B, C>>,
) -> PerceptronOutputs<Autodiff<B, C>> {
    let node = Perceptron
        .prepare::<C>([
            inputs.input.node(),
            inputs.hidden_weight.node(),
            inputs.hidden_bias.node(),
            inputs.output_weight.node(),
            inputs.output_bias.node(),
        ])
        .compute_bound()
        .stateful();
    let inputs = PerceptronInputs::<B> {
        input: inputs.input.into_primitive(),
        hidden_weight: inputs.hidden_weight.into_primitive(),
        hidden_bias: inputs.hidden_bias.into_primitive(),
        output_weight: inputs.output_weight.into_primitive(),
        output_bias: inputs.output_bias.into_primitive(),
    };
    let outputs = B::perceptron_forward(inputs.clone());
    let untracked = Autodiff::<B, C>::from_inner;
    let output = match node {
        OpsKind::UnTracked(_) => untracked(outputs.output),
        OpsKind::Tracked(node) => {
            let saved = PerceptronSaved {
                input: inputs.input,
                hidden_weight: inputs.hidden_weight,
                output_weight: inputs.output_weight,
                hidden: outputs.hidden.clone(),
            };
            node.finish(saved, outputs.output)
        }
    };
    PerceptronOutputs {
        output,
        hidden: untracked(outputs.hidden),
    }
}

impl<B: RecurrentBackend> Backward<B, 5> for Perceptron {
    type State = PerceptronSaved<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 5>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let output_gradient = grads.consume::<B>(&ops.node);
        let gradients = B::perceptron_backward(ops.state, output_gradient);
        register::<B, 5>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [
                gradients.input,
                gradients.hidden_weight,
                gradients.hidden_bias,
                gradients.output_weight,
                gradients.output_bias,
            ]
            .map(Some),
        );
    }
}
