//! The backward passes, registered with Burn's automatic differentiation.
//!
//! Burn's graph gives a node one output, these operations have two or three. So an operation is a
//! *hub*, the node that holds what the backward pass needs, and for every output a child of the hub,
//! a *port*, whose backward step only leaves its gradient in a slot. Steps run by descending depth:
//! the ports have filled their slots when the hub's step reads them. The port of an output that the
//! loss doesn't depend on never runs; its slot stays empty and counts as zero.

mod embedding;
mod gru;
mod linear;
mod lstm;
mod port;
mod projections;
mod simple_rnn;

use burn::backend::AutodiffBackend;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::Autodiff;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;

use crate::backend::RecurrentBackend;
use crate::tensors::{
    Direction, GruGradients, GruInputs, GruSaved, GruTraining, HiddenOutputGradients,
    HiddenOutputs, LinearGradients, LinearInputs, LstmGradients, LstmInputs, LstmOutputGradients,
    LstmOutputs, LstmSaved, LstmTraining, SimpleRnnGradients, SimpleRnnInputs, SimpleRnnSaved,
    TokenInputs,
};

/// What the methods say that make up a backward pass: on `Autodiff` nobody has a use for them.
const FIRST_ORDER_ONLY: &str =
    "recurrent operations are differentiated once; their backward passes have no gradients";

impl<B: RecurrentBackend, C: CheckpointStrategy> RecurrentBackend for Autodiff<B, C> {
    fn lstm(inputs: LstmInputs<Self>, direction: Direction) -> LstmOutputs<Self> {
        lstm::forward::<B, C>(inputs, direction)
    }

    fn gru(inputs: GruInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        gru::forward::<B, C>(inputs, direction)
    }

    fn simple_rnn(inputs: SimpleRnnInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        simple_rnn::forward::<B, C>(inputs, direction)
    }

    fn token_embedding(weight: FloatTensor<Self>, tokens: TokenInputs<Self>) -> FloatTensor<Self> {
        embedding::forward::<B, C>(weight, tokens)
    }

    fn linear_forward(inputs: LinearInputs<Self>) -> FloatTensor<Self> {
        linear::forward::<B, C>(inputs)
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

    fn lstm_training(_: LstmInputs<Self>, _: Direction) -> LstmTraining<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn lstm_backward(
        _: LstmSaved<Self>,
        _: LstmOutputGradients<Self>,
        _: Direction,
    ) -> LstmGradients<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn gru_training(_: GruInputs<Self>, _: Direction) -> GruTraining<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn gru_backward(
        _: GruSaved<Self>,
        _: HiddenOutputGradients<Self>,
        _: Direction,
    ) -> GruGradients<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }

    fn simple_rnn_backward(
        _: SimpleRnnSaved<Self>,
        _: HiddenOutputGradients<Self>,
        _: Direction,
    ) -> SimpleRnnGradients<Self> {
        panic!("{FIRST_ORDER_ONLY}")
    }
}
