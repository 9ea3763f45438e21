//! The extension trait through which a Burn backend runs the recurrent operations.
//!
//! Every method has a default body, so `impl RecurrentBackend for MyBackend {}` is enough for a
//! backend that has no kernels of its own. The `*_training` methods also return what the backward
//! pass needs; automatic differentiation calls them, people call [`crate::sequence`].

// Burn keeps NdArray as a reference only, which is its use here.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType, backend_extension};

use crate::adam::AdamStep;
use crate::reference;

/// The order in which an operation walks through time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the first timestep to the last.
    Forward,
    /// From a row's last valid timestep to its first.
    Reverse,
}

impl Direction {
    /// [`Reverse`](Self::Reverse) if `reverse`.
    pub fn reversed(reverse: bool) -> Self {
        if reverse {
            Self::Reverse
        } else {
            Self::Forward
        }
    }
}

/// The loss's gradient for an output that the loss may not depend on.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub enum OutputGradient<B: Backend> {
    /// Of the output's shape.
    Given(FloatTensor<B>),
    /// The loss doesn't depend on the output.
    Zero,
}

/// `x_t W + b` for every timestep of a sequence: what a step adds to its product with the recurrent weights.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub enum Projections<B: Backend> {
    /// `[B, T, G·H]`.
    PerToken(FloatTensor<B>),
    /// A projection a word, and the words.
    PerWord {
        /// `[V, G·H]`.
        table: FloatTensor<B>,
        /// The word at every timestep.
        #[extension_type]
        tokens: TokenInputs<B>,
    },
}

impl<B: Backend> Projections<B> {
    /// The tensor that the projections are, or come from.
    pub fn tensor(&self) -> &FloatTensor<B> {
        match self {
            Self::PerToken(tensor) | Self::PerWord { table: tensor, .. } => tensor,
        }
    }

    /// `[B, T, G·H]`.
    pub(crate) fn per_token(self) -> FloatTensor<B>
    where
        B: RecurrentBackend,
    {
        match self {
            Self::PerToken(projections) => projections,
            Self::PerWord { table, tokens } => B::token_embedding(table, tokens),
        }
    }
}

/// What the LSTM operation reads. Gate order: i, f, g, o.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LstmInputs<B: Backend> {
    /// `x_t W + b`, of width 4H.
    #[extension_type]
    pub projections: Projections<B>,
    /// U, `[H, 4H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_cell: FloatTensor<B>,
    /// How many timesteps of each row are valid, `[B]`.
    pub lengths: IntTensor<B>,
}

/// What the LSTM operation computes.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LstmOutputs<B: Backend> {
    /// `[B, T, H]`, zero past a row's length.
    pub hidden_states: FloatTensor<B>,
    /// `[B, H]`, after a row's last valid timestep in the direction walked.
    pub final_hidden: FloatTensor<B>,
    /// `[B, H]`.
    pub final_cell: FloatTensor<B>,
}

/// The loss's gradient for each field of [`LstmOutputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LstmOutputGradients<B: Backend> {
    /// `[B, T, H]`; what stands past a row's length is not read.
    #[extension_type]
    pub hidden_states: OutputGradient<B>,
    /// `[B, H]`.
    pub final_hidden: FloatTensor<B>,
    /// `[B, H]`.
    pub final_cell: FloatTensor<B>,
}

/// The LSTM's outputs together with what its backward pass needs.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LstmTraining<B: Backend> {
    /// See [`LstmOutputs`].
    #[extension_type]
    pub outputs: LstmOutputs<B>,
    /// The activated gates i, f, g, o and the cell state after each timestep, `[B, T, 5H]`. What stands
    /// past a row's length has no meaning.
    pub gates_and_cell: FloatTensor<B>,
}

/// What the LSTM's backward pass needs: 6·H floats a token, and what no token has of its own.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LstmSaved<B: Backend> {
    /// U, `[H, 4H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_cell: FloatTensor<B>,
    /// As the forward pass got them, `[B]`.
    pub lengths: IntTensor<B>,
    /// The output, `[B, T, H]`.
    pub hidden_states: FloatTensor<B>,
    /// See [`LstmTraining`].
    pub gates_and_cell: FloatTensor<B>,
}

/// The loss's gradient for each differentiable field of [`LstmInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LstmGradients<B: Backend> {
    /// `[B, T, 4H]`.
    pub projections: FloatTensor<B>,
    /// `[H, 4H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_cell: FloatTensor<B>,
}

/// What the GRU operation reads. Gate order: r, z, n; the reset gate acts after the matrix product.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct GruInputs<B: Backend> {
    /// `x_t W + b`, of width 3H.
    #[extension_type]
    pub projections: Projections<B>,
    /// U, `[H, 3H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `b_r`, added to `h U`, `[3H]`.
    pub recurrent_bias: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// How many timesteps of each row are valid, `[B]`.
    pub lengths: IntTensor<B>,
}

/// What the simple RNN operation reads.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct SimpleRnnInputs<B: Backend> {
    /// `x_t W + b`, of width H.
    #[extension_type]
    pub projections: Projections<B>,
    /// U, `[H, H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// How many timesteps of each row are valid, `[B]`.
    pub lengths: IntTensor<B>,
}

/// What the GRU and the simple RNN compute.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct HiddenOutputs<B: Backend> {
    /// `[B, T, H]`, zero past a row's length.
    pub hidden_states: FloatTensor<B>,
    /// `[B, H]`, after a row's last valid timestep in the direction walked.
    pub final_hidden: FloatTensor<B>,
}

/// The loss's gradient for each field of [`HiddenOutputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct HiddenOutputGradients<B: Backend> {
    /// `[B, T, H]`; what stands past a row's length is not read.
    #[extension_type]
    pub hidden_states: OutputGradient<B>,
    /// `[B, H]`.
    pub final_hidden: FloatTensor<B>,
}

/// The GRU's outputs together with what its backward pass needs.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct GruTraining<B: Backend> {
    /// See [`HiddenOutputs`].
    #[extension_type]
    pub outputs: HiddenOutputs<B>,
    /// The activated gates r, z, n and `h U_n + b_n`, which the reset gate multiplies, `[B, T, 4H]`. What
    /// stands past a row's length has no meaning.
    pub gates_and_candidate: FloatTensor<B>,
}

/// What the GRU's backward pass needs: 5·H floats a token, and what no token has of its own.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct GruSaved<B: Backend> {
    /// U, `[H, 3H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// As the forward pass got them, `[B]`.
    pub lengths: IntTensor<B>,
    /// The output, `[B, T, H]`.
    pub hidden_states: FloatTensor<B>,
    /// See [`GruTraining`].
    pub gates_and_candidate: FloatTensor<B>,
}

/// The loss's gradient for each differentiable field of [`GruInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct GruGradients<B: Backend> {
    /// `[B, T, 3H]`.
    pub projections: FloatTensor<B>,
    /// `[H, 3H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[3H]`.
    pub recurrent_bias: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
}

/// What the simple RNN's backward pass needs: H floats a token, and what no token has of its own.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct SimpleRnnSaved<B: Backend> {
    /// U, `[H, H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// As the forward pass got them, `[B]`.
    pub lengths: IntTensor<B>,
    /// The output, `[B, T, H]`.
    pub hidden_states: FloatTensor<B>,
}

/// The loss's gradient for each differentiable field of [`SimpleRnnInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct SimpleRnnGradients<B: Backend> {
    /// `[B, T, H]`.
    pub projections: FloatTensor<B>,
    /// `[H, H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
}

/// Token ids, and where each stands in the batch.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct TokenInputs<B: Backend> {
    /// Each below V, `[B, T]`.
    pub ids: IntTensor<B>,
    /// How many tokens of each row count, `[B]`.
    pub lengths: IntTensor<B>,
    /// V.
    pub words: usize,
    /// What the embedding's gradient is summed by.
    #[extension_type]
    pub places: Places<B>,
}

/// Where each word stands in a batch.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub enum Places<B: Backend> {
    /// Sorted by word, on the host.
    Sorted {
        /// The positions `b·T + t` within the rows' lengths, sorted by the id that stands there, `[B·T]`.
        positions: IntTensor<B>,
        /// Where each id's positions begin in `positions`, and the end of the last; what follows it has
        /// no meaning. `[V + 1]`.
        starts: IntTensor<B>,
    },
    /// Not known: the embedding's gradient goes the reference's way, slow on a GPU.
    Unsorted,
}

/// What a linear layer reads.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LinearInputs<B: Backend> {
    /// `[N, D]`.
    pub input: FloatTensor<B>,
    /// W, `[D, M]`.
    pub weight: FloatTensor<B>,
    /// b, `[M]`.
    pub bias: FloatTensor<B>,
}

/// The loss's gradient for each field of [`LinearInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct LinearGradients<B: Backend> {
    /// `[N, D]`.
    pub input: FloatTensor<B>,
    /// `[D, M]`.
    pub weight: FloatTensor<B>,
    /// `[M]`.
    pub bias: FloatTensor<B>,
}

/// A parameter and Adam's two moments of its gradient, each `[N]`.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct AdamTensors<B: Backend> {
    /// The parameter.
    pub parameter: FloatTensor<B>,
    /// The decayed mean of the gradient.
    pub first_moment: FloatTensor<B>,
    /// The decayed mean of the squared gradient.
    pub second_moment: FloatTensor<B>,
}

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
