//! The operations on Burn's CPU backend, Flex, for 32-bit floats. Other floats go to the reference.

mod activations;
mod adam;
mod batch;
mod buffers;
mod cell;
mod embedding;
mod linear;
mod prefetch;
mod product;
mod simd;
mod tensors;
mod walk;

use burn::backend::Flex;
use burn::backend::ops::ModuleOps;

use crate::adam::step::AdamStep;
use crate::backend::RecurrentBackend;
use crate::reference;
use crate::tensors::{
    AdamTensors, Direction, GruGradients, GruInputs, GruSaved, GruTraining, HiddenOutputGradients,
    HiddenOutputs, LinearGradients, LinearInputs, LstmGradients, LstmInputs, LstmOutputGradients,
    LstmOutputs, LstmSaved, LstmTraining, Places, SimpleRnnGradients, SimpleRnnInputs,
    SimpleRnnSaved, TokenInputs,
};
use batch::{BackwardInputs, ForwardInputs};
use cell::{Gru, Lstm, SimpleRnn};
use tensors::{Float, is_f32};

pub use buffers::release_memory;
pub use simd::{Simd, SimdError, SimdLevel, simd};

impl RecurrentBackend for Flex {
    fn lstm(inputs: LstmInputs<Self>, direction: Direction) -> LstmOutputs<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::lstm::forward(inputs, direction);
        }
        lstm_forward(inputs, direction, false).outputs
    }

    fn lstm_training(inputs: LstmInputs<Self>, direction: Direction) -> LstmTraining<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::lstm::forward_training(inputs, direction);
        }
        lstm_forward(inputs, direction, true)
    }

    fn lstm_backward(
        saved: LstmSaved<Self>,
        output_gradients: LstmOutputGradients<Self>,
        direction: Direction,
    ) -> LstmGradients<Self> {
        if !is_f32(&saved.hidden_states) {
            return reference::lstm::backward(saved, output_gradients, direction);
        }
        let gradients = batch::backward::<Lstm>(BackwardInputs {
            weight: saved.recurrent_weight,
            lengths: saved.lengths,
            hidden_states: saved.hidden_states,
            saved: Some(saved.gates_and_cell),
            initial_hidden: saved.initial_hidden,
            initial_cell: Some(saved.initial_cell),
            d_hidden_states: output_gradients.hidden_states,
            d_hidden: output_gradients.final_hidden,
            d_cell: Some(output_gradients.final_cell),
            direction,
        });
        LstmGradients {
            projections: gradients.projections,
            recurrent_weight: gradients.weight,
            initial_hidden: gradients.hidden,
            initial_cell: gradients.cell,
        }
    }

    fn gru(inputs: GruInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::gru::forward(inputs, direction);
        }
        gru_forward(inputs, direction, false).outputs
    }

    fn gru_training(inputs: GruInputs<Self>, direction: Direction) -> GruTraining<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::gru::forward_training(inputs, direction);
        }
        gru_forward(inputs, direction, true)
    }

    fn gru_backward(
        saved: GruSaved<Self>,
        output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> GruGradients<Self> {
        if !is_f32(&saved.hidden_states) {
            return reference::gru::backward(saved, output_gradients, direction);
        }
        let gradients = batch::backward::<Gru>(BackwardInputs {
            weight: saved.recurrent_weight,
            lengths: saved.lengths,
            hidden_states: saved.hidden_states,
            saved: Some(saved.gates_and_candidate),
            initial_hidden: saved.initial_hidden,
            initial_cell: None,
            d_hidden_states: output_gradients.hidden_states,
            d_hidden: output_gradients.final_hidden,
            d_cell: None,
            direction,
        });
        GruGradients {
            projections: gradients.projections,
            recurrent_weight: gradients.weight,
            recurrent_bias: gradients.bias,
            initial_hidden: gradients.hidden,
        }
    }

    fn simple_rnn(inputs: SimpleRnnInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::simple_rnn::forward(inputs, direction);
        }
        let walked = batch::forward::<SimpleRnn>(ForwardInputs {
            projections: inputs.projections,
            weight: inputs.recurrent_weight,
            bias: None,
            lengths: inputs.lengths,
            hidden: inputs.initial_hidden,
            cell: None,
            direction,
            training: false,
        });
        HiddenOutputs {
            hidden_states: walked.hidden_states,
            final_hidden: walked.hidden,
        }
    }

    fn simple_rnn_backward(
        saved: SimpleRnnSaved<Self>,
        output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> SimpleRnnGradients<Self> {
        if !is_f32(&saved.hidden_states) {
            return reference::simple_rnn::backward(saved, output_gradients, direction);
        }
        let gradients = batch::backward::<SimpleRnn>(BackwardInputs {
            weight: saved.recurrent_weight,
            lengths: saved.lengths,
            hidden_states: saved.hidden_states,
            saved: None,
            initial_hidden: saved.initial_hidden,
            initial_cell: None,
            d_hidden_states: output_gradients.hidden_states,
            d_hidden: output_gradients.final_hidden,
            d_cell: None,
            direction,
        });
        SimpleRnnGradients {
            projections: gradients.projections,
            recurrent_weight: gradients.weight,
            initial_hidden: gradients.hidden,
        }
    }

    fn token_embedding(weight: Float, tokens: TokenInputs<Self>) -> Float {
        if !is_f32(&weight) {
            return Self::embedding(weight, tokens.ids);
        }
        embedding::forward(weight, tokens)
    }

    fn token_embedding_backward(tokens: TokenInputs<Self>, output_gradient: Float) -> Float {
        if !is_f32(&output_gradient) {
            return reference::embedding::backward(tokens, output_gradient);
        }
        let Places::Sorted { positions, starts } = tokens.places else {
            return reference::embedding::backward(tokens, output_gradient);
        };
        embedding::backward(positions, starts, tokens.words, output_gradient)
    }

    fn linear_forward(inputs: LinearInputs<Self>) -> Float {
        if !is_f32(&inputs.input) {
            return reference::linear::forward(inputs);
        }
        linear::forward(inputs)
    }

    fn linear_backward(
        input: Float,
        weight: Float,
        output_gradient: Float,
    ) -> LinearGradients<Self> {
        if !is_f32(&input) {
            return reference::linear::backward::<Self>(input, weight, output_gradient);
        }
        linear::backward(input, weight, output_gradient)
    }

    fn adam(tensors: AdamTensors<Self>, gradient: Float, step: AdamStep) -> AdamTensors<Self> {
        if !is_f32(&gradient) {
            return reference::adam::step(tensors, gradient, step);
        }
        adam::step(tensors, gradient, step)
    }
}

fn lstm_forward(
    inputs: LstmInputs<Flex>,
    direction: Direction,
    training: bool,
) -> LstmTraining<Flex> {
    let walked = batch::forward::<Lstm>(ForwardInputs {
        projections: inputs.projections,
        weight: inputs.recurrent_weight,
        bias: None,
        lengths: inputs.lengths,
        hidden: inputs.initial_hidden,
        cell: Some(inputs.initial_cell),
        direction,
        training,
    });
    LstmTraining {
        outputs: LstmOutputs {
            hidden_states: walked.hidden_states,
            final_hidden: walked.hidden,
            final_cell: walked.cell,
        },
        gates_and_cell: walked.saved,
    }
}

fn gru_forward(inputs: GruInputs<Flex>, direction: Direction, training: bool) -> GruTraining<Flex> {
    let walked = batch::forward::<Gru>(ForwardInputs {
        projections: inputs.projections,
        weight: inputs.recurrent_weight,
        bias: Some(inputs.recurrent_bias),
        lengths: inputs.lengths,
        hidden: inputs.initial_hidden,
        cell: None,
        direction,
        training,
    });
    GruTraining {
        outputs: HiddenOutputs {
            hidden_states: walked.hidden_states,
            final_hidden: walked.hidden,
        },
        gates_and_candidate: walked.saved,
    }
}
