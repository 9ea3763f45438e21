//! The extension trait through which a Burn backend runs the recurrent operations.
//!
//! Every method has a default body, so `impl RecurrentBackend for MyBackend {}` is enough for a
//! backend that has no kernels of its own. The `*_training` methods also return what the backward
//! pass needs; automatic differentiation calls them, people call [`crate::sequence`].

// Burn keeps NdArray as a reference only, which is its use here.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType, backend_extension};

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

/// What the LSTM operation reads. Gate order: i, f, g, o.
#[derive(ExtensionType, Clone, Debug)]
pub struct LstmInputs<B: Backend> {
    /// `x_t W + b` for every timestep, `[B, T, 4H]`.
    pub projections: FloatTensor<B>,
    /// U, `[H, 4H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_cell: FloatTensor<B>,
    /// How many timesteps of each row are valid, `[B]`.
    pub lengths: IntTensor<B>,
}

/// What the LSTM operation computes, and the shape of the gradients that flow back into it.
#[derive(ExtensionType, Clone, Debug)]
pub struct LstmOutputs<B: Backend> {
    /// `[B, T, H]`, zero past a row's length.
    pub hidden_states: FloatTensor<B>,
    /// `[B, H]`, after a row's last valid timestep in the direction walked.
    pub final_hidden: FloatTensor<B>,
    /// `[B, H]`.
    pub final_cell: FloatTensor<B>,
}

/// What the LSTM's backward pass needs beside inputs and outputs.
#[derive(ExtensionType, Clone, Debug)]
pub struct LstmSaved<B: Backend> {
    /// The activated gates i, f, g, o, `[B, T, 4H]`.
    pub gates: FloatTensor<B>,
    /// The cell state after each timestep, carried unchanged where a row is not valid, `[B, T, H]`.
    pub cells: FloatTensor<B>,
}

/// The LSTM's outputs together with what its backward pass needs.
#[derive(ExtensionType, Clone, Debug)]
pub struct LstmTraining<B: Backend> {
    /// See [`LstmOutputs`].
    #[extension_type]
    pub outputs: LstmOutputs<B>,
    /// See [`LstmSaved`].
    #[extension_type]
    pub saved: LstmSaved<B>,
}

/// The loss's gradient for each differentiable field of [`LstmInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
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
pub struct GruInputs<B: Backend> {
    /// `x_t W + b` for every timestep, `[B, T, 3H]`.
    pub projections: FloatTensor<B>,
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
pub struct SimpleRnnInputs<B: Backend> {
    /// `x_t W + b` for every timestep, `[B, T, H]`.
    pub projections: FloatTensor<B>,
    /// U, `[H, H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// How many timesteps of each row are valid, `[B]`.
    pub lengths: IntTensor<B>,
}

/// What the GRU and the simple RNN compute, and the shape of the gradients that flow back into them.
#[derive(ExtensionType, Clone, Debug)]
pub struct HiddenOutputs<B: Backend> {
    /// `[B, T, H]`, zero past a row's length.
    pub hidden_states: FloatTensor<B>,
    /// `[B, H]`, after a row's last valid timestep in the direction walked.
    pub final_hidden: FloatTensor<B>,
}

/// What the GRU's backward pass needs beside inputs and outputs.
#[derive(ExtensionType, Clone, Debug)]
pub struct GruSaved<B: Backend> {
    /// The activated gates r, z, n, `[B, T, 3H]`.
    pub gates: FloatTensor<B>,
    /// `h U_n + b_n`, which the reset gate multiplies, `[B, T, H]`.
    pub recurrent_candidate: FloatTensor<B>,
}

/// The GRU's outputs together with what its backward pass needs.
#[derive(ExtensionType, Clone, Debug)]
pub struct GruTraining<B: Backend> {
    /// See [`HiddenOutputs`].
    #[extension_type]
    pub outputs: HiddenOutputs<B>,
    /// See [`GruSaved`].
    #[extension_type]
    pub saved: GruSaved<B>,
}

/// The loss's gradient for each differentiable field of [`GruInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
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

/// The loss's gradient for each differentiable field of [`SimpleRnnInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
pub struct SimpleRnnGradients<B: Backend> {
    /// `[B, T, H]`.
    pub projections: FloatTensor<B>,
    /// `[H, H]`.
    pub recurrent_weight: FloatTensor<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
}

/// A Burn backend that runs the recurrent operations.
///
/// The methods trust their shapes; [`crate::sequence`] checks them. A length below 0 counts as 0, one
/// above T as T.
///
/// # Panics
/// `Autodiff` differentiates once: on it, the `*_training` and `*_backward` methods panic.
#[backend_extension(Cube, Flex, NdArray: cfg(feature = "ndarray"), Autodiff)]
pub trait RecurrentBackend: Backend {
    /// The LSTM over a whole sequence.
    fn lstm(#[extension_type] inputs: LstmInputs<Self>, direction: Direction) -> LstmOutputs<Self> {
        reference::lstm::forward::<Self>(inputs, direction)
    }

    /// [`lstm`](Self::lstm), keeping what the backward pass needs.
    fn lstm_training(
        #[extension_type] inputs: LstmInputs<Self>,
        direction: Direction,
    ) -> LstmTraining<Self> {
        reference::lstm::forward_training::<Self>(inputs, direction)
    }

    /// The LSTM's backward pass: from the gradients of the outputs to those of the inputs.
    /// `hidden_states`: the output `[B, T, H]` of the forward pass.
    fn lstm_backward(
        #[extension_type] inputs: LstmInputs<Self>,
        #[extension_type] saved: LstmSaved<Self>,
        hidden_states: FloatTensor<Self>,
        #[extension_type] output_gradients: LstmOutputs<Self>,
        direction: Direction,
    ) -> LstmGradients<Self> {
        reference::lstm::backward::<Self>(inputs, saved, hidden_states, output_gradients, direction)
    }

    /// The GRU over a whole sequence.
    fn gru(#[extension_type] inputs: GruInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        reference::gru::forward::<Self>(inputs, direction)
    }

    /// [`gru`](Self::gru), keeping what the backward pass needs.
    fn gru_training(
        #[extension_type] inputs: GruInputs<Self>,
        direction: Direction,
    ) -> GruTraining<Self> {
        reference::gru::forward_training::<Self>(inputs, direction)
    }

    /// The GRU's backward pass: from the gradients of the outputs to those of the inputs.
    /// `hidden_states`: the output `[B, T, H]` of the forward pass.
    fn gru_backward(
        #[extension_type] inputs: GruInputs<Self>,
        #[extension_type] saved: GruSaved<Self>,
        hidden_states: FloatTensor<Self>,
        #[extension_type] output_gradients: HiddenOutputs<Self>,
        direction: Direction,
    ) -> GruGradients<Self> {
        reference::gru::backward::<Self>(inputs, saved, hidden_states, output_gradients, direction)
    }

    /// The simple RNN over a whole sequence. Its hidden states are all that its backward pass needs.
    fn simple_rnn(
        #[extension_type] inputs: SimpleRnnInputs<Self>,
        direction: Direction,
    ) -> HiddenOutputs<Self> {
        reference::simple_rnn::forward::<Self>(inputs, direction)
    }

    /// The simple RNN's backward pass: from the gradients of the outputs to those of the inputs.
    /// `hidden_states`: the output `[B, T, H]` of the forward pass.
    fn simple_rnn_backward(
        #[extension_type] inputs: SimpleRnnInputs<Self>,
        hidden_states: FloatTensor<Self>,
        #[extension_type] output_gradients: HiddenOutputs<Self>,
        direction: Direction,
    ) -> SimpleRnnGradients<Self> {
        reference::simple_rnn::backward::<Self>(inputs, hidden_states, output_gradients, direction)
    }
}

impl RecurrentBackend for burn::backend::Cube {}
impl RecurrentBackend for burn::backend::Flex {}
#[cfg(feature = "ndarray")]
impl RecurrentBackend for burn::backend::NdArray {}
