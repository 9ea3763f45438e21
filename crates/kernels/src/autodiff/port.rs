//! The outputs of an operation that has several, each with its place in the graph.

use std::sync::{Arc, Mutex};

use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend};
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_autodiff::{Autodiff, NodeId};

/// Where a port leaves its output's gradient for the hub.
#[derive(Clone, Debug)]
pub(super) struct Slot<B: Backend>(Arc<Mutex<Option<FloatTensor<B>>>>);

impl<B: Backend> Slot<B> {
    pub fn empty() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    fn put(&self, gradient: FloatTensor<B>) {
        *self.0.lock().expect("no holder of this lock panics") = Some(gradient);
    }

    /// The gradient left here.
    pub fn take(&self) -> Option<FloatTensor<B>> {
        self.0.lock().expect("no holder of this lock panics").take()
    }
}

/// `output` as a tracked child of `hub` whose gradient arrives in `slot`.
pub(super) fn port<B: Backend, C: CheckpointStrategy>(
    hub: &FloatTensor<Autodiff<B, C>>,
    output: FloatTensor<B>,
    slot: Slot<B>,
) -> FloatTensor<Autodiff<B, C>> {
    match Port.prepare::<C>([hub.node()]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(slot, output),
        OpsKind::UnTracked(_) => Autodiff::<B, C>::from_inner(output),
    }
}

/// Hands each gradient to its parent; parents that are `None` need none, and what isn't there has none.
pub(super) fn register<B: Backend, const N: usize>(
    grads: &mut Gradients,
    parents: [Option<NodeId>; N],
    gradients: [Option<FloatTensor<B>>; N],
) {
    for pair in parents.into_iter().zip(gradients) {
        if let (Some(parent), Some(gradient)) = pair {
            grads.register::<B>(parent, gradient);
        }
    }
}

#[derive(Debug)]
struct Port;

impl<B: Backend> Backward<B, 1> for Port {
    type State = Slot<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        ops.state.put(grads.consume::<B>(&ops.node));
    }
}
