//! The simple RNN under automatic differentiation.

use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::{HiddenSlots, register, untracked};
use super::projections::Source;
use crate::backend::RecurrentBackend;
use crate::tensors::{Direction, HiddenOutputs, SimpleRnnInputs, SimpleRnnSaved};

#[derive(Clone, Debug)]
struct State<B: RecurrentBackend> {
    saved: SimpleRnnSaved<B>,
    source: Source<B>,
    direction: Direction,
    slots: HiddenSlots<B>,
}

#[derive(Debug)]
struct SimpleRnn;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    inputs: SimpleRnnInputs<Autodiff<B, C>>,
    direction: Direction,
) -> HiddenOutputs<Autodiff<B, C>> {
    let hub = SimpleRnn
        .prepare::<C>([
            inputs.projections.tensor().node(),
            inputs.recurrent_weight.node(),
            inputs.initial_hidden.node(),
        ])
        .compute_bound()
        .stateful();
    let inputs = SimpleRnnInputs {
        projections: inputs.projections.into_primitive(),
        recurrent_weight: inputs.recurrent_weight.into_primitive(),
        initial_hidden: inputs.initial_hidden.into_primitive(),
        lengths: inputs.lengths,
    };
    let outputs = B::simple_rnn(inputs.clone(), direction);
    match hub {
        OpsKind::UnTracked(_) => untracked::<B, C>(outputs),
        OpsKind::Tracked(hub) => {
            let slots = HiddenSlots::empty();
            let state = State {
                saved: SimpleRnnSaved {
                    recurrent_weight: inputs.recurrent_weight,
                    initial_hidden: inputs.initial_hidden,
                    lengths: inputs.lengths,
                    hidden_states: outputs.hidden_states.clone(),
                },
                source: Source::of(&inputs.projections),
                direction,
                slots: slots.clone(),
            };
            let hub = hub.finish(state, outputs.final_hidden.clone());
            slots.ports::<C>(&hub, outputs)
        }
    }
}

impl<B: RecurrentBackend> Backward<B, 3> for SimpleRnn {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let output_gradients = state.slots.take(&state.saved.initial_hidden);
        let gradients = B::simple_rnn_backward(state.saved, output_gradients, state.direction);
        register::<B, 3>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [
                state.source.gradient(gradients.projections),
                gradients.recurrent_weight,
                gradients.initial_hidden,
            ],
        );
    }
}
