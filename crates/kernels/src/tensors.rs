//! What the operations read and return, as tensors of a backend.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType};

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

    /// `[B, T, G·H]`, looked up by Burn's own operation.
    pub(crate) fn per_token(self) -> FloatTensor<B> {
        match self {
            Self::PerToken(projections) => projections,
            Self::PerWord { table, tokens } => B::embedding(table, tokens.ids),
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
