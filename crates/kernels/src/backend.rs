//! The extension trait through which a Burn backend runs the recurrent operations.
//!
//! Every method has a default body, so `impl RecurrentBackend for MyBackend {}` is enough for a
//! backend that has no kernels of its own. The `*_training` methods also return what the backward
//! pass needs; automatic differentiation calls them, people call [`crate::sequence`].

// Burn keeps NdArray as a reference only, which is its use here.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use crate::adam::step::AdamStep;
use crate::reference;
use crate::tensors::*;

/// A Burn backend that runs the recurrent operations.
///
/// The methods trust their shapes; [`crate::sequence`] and [`mod@crate::embedding`] check them. A length
/// below 0 counts as 0, one above T as T.
///
/// # Panics
/// `Autodiff` differentiates once: on it, the `*_training` and `*_backward` methods panic.
#[backend_extension(
    Cube,
    Flex,
    NdArray: cfg(feature = "ndarray"),
    Autodiff,
    Fusion: cfg(feature = "fusion")
)]
pub trait RecurrentBackend: Backend {
    /// The LSTM over a whole sequence.
    #[fusion(meta = specs::lstm)]
    fn lstm(#[extension_type] inputs: LstmInputs<Self>, direction: Direction) -> LstmOutputs<Self> {
        reference::lstm::forward::<Self>(inputs, direction)
    }

    /// [`lstm`](Self::lstm), keeping what the backward pass needs.
    #[fusion(meta = specs::lstm_training)]
    fn lstm_training(
        #[extension_type] inputs: LstmInputs<Self>,
        direction: Direction,
    ) -> LstmTraining<Self> {
        reference::lstm::forward_training::<Self>(inputs, direction)
    }

    /// The LSTM's backward pass: from the gradients of the outputs to those of the inputs.
    #[fusion(meta = specs::lstm_backward)]
    fn lstm_backward(
        #[extension_type] saved: LstmSaved<Self>,
        #[extension_type] output_gradients: LstmOutputGradients<Self>,
        direction: Direction,
    ) -> LstmGradients<Self> {
        reference::lstm::backward::<Self>(saved, output_gradients, direction)
    }

    /// The GRU over a whole sequence.
    #[fusion(meta = specs::gru)]
    fn gru(#[extension_type] inputs: GruInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        reference::gru::forward::<Self>(inputs, direction)
    }

    /// [`gru`](Self::gru), keeping what the backward pass needs.
    #[fusion(meta = specs::gru_training)]
    fn gru_training(
        #[extension_type] inputs: GruInputs<Self>,
        direction: Direction,
    ) -> GruTraining<Self> {
        reference::gru::forward_training::<Self>(inputs, direction)
    }

    /// The GRU's backward pass: from the gradients of the outputs to those of the inputs.
    #[fusion(meta = specs::gru_backward)]
    fn gru_backward(
        #[extension_type] saved: GruSaved<Self>,
        #[extension_type] output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> GruGradients<Self> {
        reference::gru::backward::<Self>(saved, output_gradients, direction)
    }

    /// The simple RNN over a whole sequence. Its hidden states are all that its backward pass needs.
    #[fusion(meta = specs::simple_rnn)]
    fn simple_rnn(
        #[extension_type] inputs: SimpleRnnInputs<Self>,
        direction: Direction,
    ) -> HiddenOutputs<Self> {
        reference::simple_rnn::forward::<Self>(inputs, direction)
    }

    /// The simple RNN's backward pass: from the gradients of the outputs to those of the inputs.
    #[fusion(meta = specs::simple_rnn_backward)]
    fn simple_rnn_backward(
        #[extension_type] saved: SimpleRnnSaved<Self>,
        #[extension_type] output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> SimpleRnnGradients<Self> {
        reference::simple_rnn::backward::<Self>(saved, output_gradients, direction)
    }

    /// The rows of `weight` `[V, D]` that the tokens name, `[B, T, D]`.
    #[fusion(meta = specs::token_embedding)]
    fn token_embedding(
        weight: FloatTensor<Self>,
        #[extension_type] tokens: TokenInputs<Self>,
    ) -> FloatTensor<Self> {
        Self::embedding(weight, tokens.ids)
    }

    /// The gradient of the weight `[V, D]`, from that of the output `[B, T, D]`. Tokens past a row's
    /// length are left out.
    #[fusion(meta = specs::token_embedding_backward)]
    fn token_embedding_backward(
        #[extension_type] tokens: TokenInputs<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        reference::embedding::backward::<Self>(tokens, output_gradient)
    }

    /// `x W + b`, `[N, M]`.
    #[fusion(meta = specs::linear_forward)]
    fn linear_forward(#[extension_type] inputs: LinearInputs<Self>) -> FloatTensor<Self> {
        reference::linear::forward::<Self>(inputs)
    }

    /// The backward pass of [`linear_forward`](Self::linear_forward), from the gradient `[N, M]` of its output.
    #[fusion(meta = specs::linear_backward)]
    fn linear_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> LinearGradients<Self> {
        reference::linear::backward::<Self>(input, weight, output_gradient)
    }

    /// A step of Adam.
    #[fusion(default)]
    fn adam(
        #[extension_type] tensors: AdamTensors<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> AdamTensors<Self> {
        reference::adam::step::<Self>(tensors, gradient, step)
    }

    /// The number behind `number` `[1]`, once `after` is there, if the device did what it was given since the last
    /// heartbeat; else `number` again. A device that can't lose work without an error always goes on.
    #[fusion(meta = specs::heartbeat)]
    fn heartbeat(number: FloatTensor<Self>, _after: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add_scalar(number, 1.0.into())
    }
}

#[cfg(feature = "ndarray")]
impl RecurrentBackend for burn::backend::NdArray {}

/// The shapes and types of the outputs, which lazy operation needs before anything ran.
#[cfg(feature = "fusion")]
mod specs {
    use burn::backend::fusion::custom::TensorSpec;

    use super::*;

    pub fn lstm(inputs: &LstmInputsMetadata, _: &Direction) -> LstmOutputsMetadata {
        LstmOutputsMetadata {
            hidden_states: per_token(&inputs.initial_hidden, &inputs.projections, 1),
            final_hidden: inputs.initial_hidden.clone(),
            final_cell: inputs.initial_cell.clone(),
        }
    }

    pub fn lstm_training(
        inputs: &LstmInputsMetadata,
        direction: &Direction,
    ) -> LstmTrainingMetadata {
        LstmTrainingMetadata {
            outputs: lstm(inputs, direction),
            gates_and_cell: per_token(&inputs.initial_hidden, &inputs.projections, 5),
        }
    }

    pub fn lstm_backward(
        saved: &LstmSavedMetadata,
        _: &LstmOutputGradientsMetadata,
        _: &Direction,
    ) -> LstmGradientsMetadata {
        LstmGradientsMetadata {
            projections: projections(&saved.hidden_states, &saved.recurrent_weight),
            recurrent_weight: saved.recurrent_weight.clone(),
            initial_hidden: saved.initial_hidden.clone(),
            initial_cell: saved.initial_cell.clone(),
        }
    }

    pub fn gru(inputs: &GruInputsMetadata, _: &Direction) -> HiddenOutputsMetadata {
        hidden_outputs(&inputs.initial_hidden, &inputs.projections)
    }

    pub fn gru_training(inputs: &GruInputsMetadata, direction: &Direction) -> GruTrainingMetadata {
        GruTrainingMetadata {
            outputs: gru(inputs, direction),
            gates_and_candidate: per_token(&inputs.initial_hidden, &inputs.projections, 4),
        }
    }

    pub fn gru_backward(
        saved: &GruSavedMetadata,
        _: &HiddenOutputGradientsMetadata,
        _: &Direction,
    ) -> GruGradientsMetadata {
        GruGradientsMetadata {
            projections: projections(&saved.hidden_states, &saved.recurrent_weight),
            recurrent_weight: saved.recurrent_weight.clone(),
            recurrent_bias: TensorSpec::new(
                [saved.recurrent_weight.shape[1]].into(),
                saved.recurrent_weight.dtype,
            ),
            initial_hidden: saved.initial_hidden.clone(),
        }
    }

    pub fn simple_rnn(inputs: &SimpleRnnInputsMetadata, _: &Direction) -> HiddenOutputsMetadata {
        hidden_outputs(&inputs.initial_hidden, &inputs.projections)
    }

    pub fn simple_rnn_backward(
        saved: &SimpleRnnSavedMetadata,
        _: &HiddenOutputGradientsMetadata,
        _: &Direction,
    ) -> SimpleRnnGradientsMetadata {
        SimpleRnnGradientsMetadata {
            projections: projections(&saved.hidden_states, &saved.recurrent_weight),
            recurrent_weight: saved.recurrent_weight.clone(),
            initial_hidden: saved.initial_hidden.clone(),
        }
    }

    pub fn token_embedding(weight: &TensorSpec, tokens: &TokenInputsMetadata) -> TensorSpec {
        let [batch, time] = tokens.ids.shape.dims();
        let [_, columns] = weight.shape.dims();
        TensorSpec::new([batch, time, columns].into(), weight.dtype)
    }

    pub fn token_embedding_backward(
        tokens: &TokenInputsMetadata,
        output_gradient: &TensorSpec,
    ) -> TensorSpec {
        let [_, _, columns] = output_gradient.shape.dims();
        TensorSpec::new([tokens.words, columns].into(), output_gradient.dtype)
    }

    pub fn linear_forward(inputs: &LinearInputsMetadata) -> TensorSpec {
        let [rows, _] = inputs.input.shape.dims();
        let [_, columns] = inputs.weight.shape.dims();
        TensorSpec::new([rows, columns].into(), inputs.input.dtype)
    }

    pub fn linear_backward(
        input: &TensorSpec,
        weight: &TensorSpec,
        _: &TensorSpec,
    ) -> LinearGradientsMetadata {
        LinearGradientsMetadata {
            input: input.clone(),
            weight: weight.clone(),
            bias: TensorSpec::new([weight.shape[1]].into(), weight.dtype),
        }
    }

    pub fn heartbeat(number: &TensorSpec, _: &TensorSpec) -> TensorSpec {
        number.clone()
    }

    fn hidden_outputs(
        state: &TensorSpec,
        projections: &ProjectionsMetadata,
    ) -> HiddenOutputsMetadata {
        HiddenOutputsMetadata {
            hidden_states: per_token(state, projections, 1),
            final_hidden: state.clone(),
        }
    }

    /// `[B, T, G·H]`.
    fn projections(hidden_states: &TensorSpec, weight: &TensorSpec) -> TensorSpec {
        let [batch, time, _] = hidden_states.shape.dims();
        let [_, width] = weight.shape.dims();
        TensorSpec::new([batch, time, width].into(), weight.dtype)
    }

    /// `[B, T, count · H]`.
    fn per_token(
        state: &TensorSpec,
        projections: &ProjectionsMetadata,
        count: usize,
    ) -> TensorSpec {
        let [_, hidden] = state.shape.dims();
        let [batch, time] = match projections {
            ProjectionsMetadata::PerToken(tensor) => [tensor.shape[0], tensor.shape[1]],
            ProjectionsMetadata::PerWord { tokens, .. } => tokens.ids.shape.dims(),
        };
        TensorSpec::new([batch, time, count * hidden].into(), state.dtype)
    }
}
