//! The backward passes, registered with Burn's automatic differentiation.
//!
//! Burn's graph gives a node one output, these operations have two or three. So an operation is a
//! *hub*, the node that holds what the backward pass needs, and for every output a child of the hub,
//! a *port*, whose backward step only leaves its gradient in a slot. Steps run by descending depth:
//! the ports have filled their slots when the hub's step reads them. The port of an output that the
//! loss doesn't depend on never runs; its slot stays empty and counts as zero.

mod backpropagated;
mod embedding;
mod linear;
mod perceptron;
mod port;
mod projections;
mod walk;

use burn::backend::AutodiffBackend;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;

use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::tensors::{
    Direction, LinearGradients, LinearInputs, PerceptronInputs, PerceptronOutputs, PerceptronSaved,
    TokenInputs, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs, WalkSaved,
    WalkTraining, Wanted,
};

/// What the methods say that make up a backward pass: on `Autodiff` nobody has a use for them.
const FIRST_ORDER_ONLY: &str =
    "recurrent operations are differentiated once; their backward passes have no gradients";

impl<B: RecurrentBackend, C: CheckpointStrategy> RecurrentBackend for Autodiff<B, C> {
    fn walk(inputs: WalkInputs<Self>, cell: Cell, direction: Direction) -> WalkOutputs<Self> {
        walk::forward::<B, C>(inputs, cell, direction)
    }

    fn token_embedding(weight: FloatTensor<Self>, tokens: TokenInputs<Self>) -> FloatTensor<Self> {
        embedding::forward::<B, C>(weight, tokens)
    }

    fn linear_forward(inputs: LinearInputs<Self>) -> FloatTensor<Self> {
        linear::forward::<B, C>(inputs)
    }

    fn perceptron_forward(inputs: PerceptronInputs<Self>) -> PerceptronOutputs<Self> {
        perceptron::forward::<B, C>(inputs)
    }

    fn perceptron_backward(
        _: PerceptronSaved<Self>,
        _: FloatTensor<Self>,
    ) -> PerceptronInputs<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn backpropagated(output: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        backpropagated::forward::<B, C>(output, gradient)
    }

    fn heartbeat(number: FloatTensor<Self>, after: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::from_inner(B::heartbeat(
            number.into_primitive(),
            after.into_primitive(),
        ))
    }

    fn linear_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
    ) -> LinearGradients<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn token_embedding_backward(_: TokenInputs<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn walk_training(_: WalkInputs<Self>, _: Cell, _: Direction) -> WalkTraining<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn walk_backward(
        _: WalkSaved<Self>,
        _: WalkOutputGradients<Self>,
        _: Cell,
        _: Direction,
        _: Wanted,
    ) -> WalkGradients<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }
}
