//! A backward pass that begins with a gradient which is known.

use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, TensorMetadata};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::register;
use crate::backend::RecurrentBackend;

#[derive(Debug)]
struct Backpropagated;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    output: FloatTensor<Autodiff<B, C>>,
    gradient: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let node = Backpropagated
        .prepare::<C>([output.node()])
        .compute_bound()
        .stateful();
    let (device, dtype) = (output.device(), output.dtype());
    let number = B::float_empty([1].into(), &device, dtype.into());
    match node {
        OpsKind::UnTracked(_) => Autodiff::<B, C>::from_inner(number),
        OpsKind::Tracked(node) => node.finish(gradient.into_primitive(), number),
    }
}

impl<B: RecurrentBackend> Backward<B, 1> for Backpropagated {
    type State = FloatTensor<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let _ = grads.consume::<B>(&ops.node);
        register::<B, 1>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [Some(ops.state)],
        );
    }
}
