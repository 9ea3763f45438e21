//! A recurrent layer under automatic differentiation.

use burn::backend::AutodiffBackend;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::port::{Slot, port, register};
use super::projections::inner;
use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::tensors::{
    Direction, Optional, WalkInputs, WalkOutputGradients, WalkOutputs, WalkSaved, Wanted,
};

#[derive(Clone, Debug)]
struct State<B: RecurrentBackend> {
    saved: WalkSaved<B>,
    cell: Cell,
    direction: Direction,
    slots: Slots<B>,
}

/// Where the gradient of each output arrives.
#[derive(Clone, Debug)]
struct Slots<B: RecurrentBackend> {
    hidden_states: Slot<B>,
    final_hidden: Slot<B>,
    final_cell: Slot<B>,
}

#[derive(Debug)]
struct Walk;

pub(super) fn forward<B: RecurrentBackend, C: CheckpointStrategy>(
    inputs: WalkInputs<Autodiff<B, C>>,
    cell: Cell,
    direction: Direction,
) -> WalkOutputs<Autodiff<B, C>> {
    // What isn't there is a parent that needs no gradient.
    let constant = inputs.projections.tensor().primitive().clone();
    let constant = Autodiff::<B, C>::from_inner(constant);
    let node = |tensor: &Optional<_>| tensor.as_option().unwrap_or(&constant).node();
    let hub = Walk
        .prepare::<C>([
            inputs.projections.tensor().node(),
            node(&inputs.projections.weight),
            node(&inputs.projections.bias),
            node(&inputs.recurrent_weight),
            node(&inputs.recurrent_bias),
            node(&inputs.initial_hidden),
            node(&inputs.initial_cell),
        ])
        .compute_bound()
        .stateful();
    let inputs = WalkInputs {
        projections: inputs.projections.into_primitive(),
        recurrent_weight: inner(inputs.recurrent_weight),
        recurrent_bias: inner(inputs.recurrent_bias),
        initial_hidden: inner(inputs.initial_hidden),
        initial_cell: inner(inputs.initial_cell),
        lengths: inputs.lengths,
    };
    let OpsKind::Tracked(hub) = hub else {
        let outputs = B::walk(inputs, cell, direction);
        let untracked = Autodiff::<B, C>::from_inner;
        return WalkOutputs {
            hidden_states: untracked(outputs.hidden_states),
            final_hidden: untracked(outputs.final_hidden),
            final_cell: Optional::new(outputs.final_cell.into_option().map(untracked)),
        };
    };
    let training = B::walk_training(inputs.clone(), cell, direction);
    let outputs = training.outputs;
    let slots = Slots {
        hidden_states: Slot::empty(),
        final_hidden: Slot::empty(),
        final_cell: Slot::empty(),
    };
    let state = State {
        saved: WalkSaved {
            projections: inputs.projections,
            recurrent_weight: training.recurrent_weight,
            initial_hidden: inputs.initial_hidden,
            initial_cell: inputs.initial_cell,
            lengths: inputs.lengths,
            hidden_states: outputs.hidden_states.clone(),
            saved: training.saved,
        },
        cell,
        direction,
        slots: slots.clone(),
    };
    let hub = hub.finish(state, outputs.final_hidden.clone());
    let port = |output, slot| port::<B, C>(&hub, output, slot);
    let final_cell = outputs.final_cell.into_option();
    WalkOutputs {
        hidden_states: port(outputs.hidden_states, slots.hidden_states),
        final_hidden: port(outputs.final_hidden, slots.final_hidden),
        final_cell: Optional::new(final_cell.map(|output| port(output, slots.final_cell))),
    }
}

impl<B: RecurrentBackend> Backward<B, 7> for Walk {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 7>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State {
            saved,
            cell,
            direction,
            slots,
        } = ops.state;
        let output_gradients = WalkOutputGradients {
            hidden_states: Optional::new(slots.hidden_states.take()),
            final_hidden: Optional::new(slots.final_hidden.take()),
            final_cell: Optional::new(slots.final_cell.take()),
        };
        let wanted = match &ops.parents[0] {
            Some(_) => Wanted::Input,
            None => Wanted::WeightsAlone,
        };
        let gradients = B::walk_backward(saved, output_gradients, cell, direction, wanted);
        register::<B, 7>(
            grads,
            ops.parents.map(|parent| parent.map(|node| node.id)),
            [
                gradients.input,
                gradients.input_weight,
                gradients.bias,
                gradients.recurrent_weight,
                gradients.recurrent_bias,
                gradients.initial_hidden,
                gradients.initial_cell,
            ]
            .map(Optional::into_option),
        );
    }
}
