//! The GRU under automatic differentiation.

use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::{HiddenSlots, register, untracked};
use super::projections::Source;
use crate::backend::RecurrentBackend;
use crate::tensors::{Direction, GruInputs, GruSaved, GruTraining, HiddenOutputs};

#[derive(Clone, Debug)]
struct State<B: RecurrentBackend> {
    saved: GruSaved<B>,
    source: Source<B>,
    direction: Direction,
    slots: HiddenSlots<B>,
}

#[derive(Debug)]
struct Gru;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    inputs: GruInputs<Autodiff<B, C>>,
    direction: Direction,
) -> HiddenOutputs<Autodiff<B, C>> {
    let hub = Gru
        .prepare::<C>([
            inputs.projections.tensor().node(),
            inputs.recurrent_weight.node(),
            inputs.recurrent_bias.node(),
            inputs.initial_hidden.node(),
        ])
        .compute_bound()
        .stateful();
    let inputs = GruInputs {
        projections: inputs.projections.into_primitive(),
        recurrent_weight: inputs.recurrent_weight.into_primitive(),
        recurrent_bias: inputs.recurrent_bias.into_primitive(),
        initial_hidden: inputs.initial_hidden.into_primitive(),
        lengths: inputs.lengths,
    };
    match hub {
        OpsKind::UnTracked(_) => untracked::<B, C>(B::gru(inputs, direction)),
        OpsKind::Tracked(hub) => {
            let GruTraining {
                outputs,
                gates_and_candidate,
            } = B::gru_training(inputs.clone(), direction);
            let slots = HiddenSlots::empty();
            let state = State {
                saved: GruSaved {
                    recurrent_weight: inputs.recurrent_weight,
                    initial_hidden: inputs.initial_hidden,
                    lengths: inputs.lengths,
                    hidden_states: outputs.hidden_states.clone(),
                    gates_and_candidate,
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

impl<B: RecurrentBackend> Backward<B, 4> for Gru {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let output_gradients = state.slots.take(&state.saved.initial_hidden);
        let gradients = B::gru_backward(state.saved, output_gradients, state.direction);
        register::<B, 4>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [
                state.source.gradient(gradients.projections),
                gradients.recurrent_weight,
                gradients.recurrent_bias,
                gradients.initial_hidden,
            ],
        );
    }
}
