//! The LSTM under automatic differentiation.

use burn::backend::tensor::FloatTensor;
use burn::backend::{AutodiffBackend, Backend};
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::{HiddenSlots, Slot, port, register, untracked};
use super::projections::Source;
use crate::backend::RecurrentBackend;
use crate::tensors::{
    Direction, HiddenOutputs, LstmInputs, LstmOutputGradients, LstmOutputs, LstmSaved, LstmTraining,
};

#[derive(Clone, Debug)]
struct State<B: RecurrentBackend> {
    saved: LstmSaved<B>,
    source: Source<B>,
    direction: Direction,
    hidden_slots: HiddenSlots<B>,
    cell_slot: Slot<B>,
}

#[derive(Debug)]
struct Lstm;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    inputs: LstmInputs<Autodiff<B, C>>,
    direction: Direction,
) -> LstmOutputs<Autodiff<B, C>> {
    let hub = Lstm
        .prepare::<C>([
            inputs.projections.tensor().node(),
            inputs.recurrent_weight.node(),
            inputs.initial_hidden.node(),
            inputs.initial_cell.node(),
        ])
        .compute_bound()
        .stateful();
    let inputs = LstmInputs {
        projections: inputs.projections.into_primitive(),
        recurrent_weight: inputs.recurrent_weight.into_primitive(),
        initial_hidden: inputs.initial_hidden.into_primitive(),
        initial_cell: inputs.initial_cell.into_primitive(),
        lengths: inputs.lengths,
    };
    match hub {
        OpsKind::UnTracked(_) => {
            let (hidden, final_cell) = split(B::lstm(inputs, direction));
            join(
                untracked::<B, C>(hidden),
                Autodiff::<B, C>::from_inner(final_cell),
            )
        }
        OpsKind::Tracked(hub) => {
            let LstmTraining {
                outputs,
                gates_and_cell,
            } = B::lstm_training(inputs.clone(), direction);
            let (hidden, final_cell) = split(outputs);
            let (hidden_slots, cell_slot) = (HiddenSlots::empty(), Slot::empty());
            let state = State {
                saved: LstmSaved {
                    recurrent_weight: inputs.recurrent_weight,
                    initial_hidden: inputs.initial_hidden,
                    initial_cell: inputs.initial_cell,
                    lengths: inputs.lengths,
                    hidden_states: hidden.hidden_states.clone(),
                    gates_and_cell,
                },
                source: Source::of(&inputs.projections),
                direction,
                hidden_slots: hidden_slots.clone(),
                cell_slot: cell_slot.clone(),
            };
            let hub = hub.finish(state, hidden.final_hidden.clone());
            join(
                hidden_slots.ports::<C>(&hub, hidden),
                port::<B, C>(&hub, final_cell, cell_slot),
            )
        }
    }
}

fn split<B: Backend>(outputs: LstmOutputs<B>) -> (HiddenOutputs<B>, FloatTensor<B>) {
    let hidden = HiddenOutputs {
        hidden_states: outputs.hidden_states,
        final_hidden: outputs.final_hidden,
    };
    (hidden, outputs.final_cell)
}

fn join<B: Backend>(hidden: HiddenOutputs<B>, final_cell: FloatTensor<B>) -> LstmOutputs<B> {
    LstmOutputs {
        hidden_states: hidden.hidden_states,
        final_hidden: hidden.final_hidden,
        final_cell,
    }
}

impl<B: RecurrentBackend> Backward<B, 4> for Lstm {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let state = ops.state;
        let hidden = state.hidden_slots.take(&state.saved.initial_hidden);
        let output_gradients = LstmOutputGradients {
            hidden_states: hidden.hidden_states,
            final_hidden: hidden.final_hidden,
            final_cell: state
                .cell_slot
                .take_or_zeros_like(&state.saved.initial_cell),
        };
        let gradients = B::lstm_backward(state.saved, output_gradients, state.direction);
        register::<B, 4>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [
                state.source.gradient(gradients.projections),
                gradients.recurrent_weight,
                gradients.initial_hidden,
                gradients.initial_cell,
            ],
        );
    }
}
