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

/// A tensor that is not always there: Burn's extension types know no `Option`.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub enum Optional<B: Backend> {
    /// It is there.
    Given(FloatTensor<B>),
    /// It isn't. For a gradient: zero.
    Absent,
}

impl<B: Backend> Optional<B> {
    /// The tensor, if it is there.
    pub fn new(tensor: Option<FloatTensor<B>>) -> Self {
        tensor.map_or(Self::Absent, Self::Given)
    }

    /// The tensor, if it is there.
    pub fn into_option(self) -> Option<FloatTensor<B>> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }

    /// The tensor, if it is there.
    pub fn as_option(&self) -> Option<&FloatTensor<B>> {
        match self {
            Self::Given(tensor) => Some(tensor),
            Self::Absent => None,
        }
    }
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

/// What a walk reads. Which of the tensors there are depends on the [`Cell`](crate::Cell).
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkInputs<B: Backend> {
    /// `x_t W + b`, of width G·H.
    #[extension_type]
    pub projections: Projections<B>,
    /// U, `[H, G·H]`.
    #[extension_type]
    pub recurrent_weight: Optional<B>,
    /// `b_r`, added to `h U`, `[G·H]`.
    #[extension_type]
    pub recurrent_bias: Optional<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// `[B, H]`.
    #[extension_type]
    pub initial_cell: Optional<B>,
    /// How many timesteps of each row are valid, `[B]`.
    pub lengths: IntTensor<B>,
}

/// What a walk computes.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkOutputs<B: Backend> {
    /// `[B, T, H]`, zero past a row's length.
    pub hidden_states: FloatTensor<B>,
    /// `[B, H]`, after a row's last valid timestep in the direction walked.
    pub final_hidden: FloatTensor<B>,
    /// `[B, H]`.
    #[extension_type]
    pub final_cell: Optional<B>,
}

/// A walk's outputs together with what its backward pass needs.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkTraining<B: Backend> {
    /// See [`WalkOutputs`].
    #[extension_type]
    pub outputs: WalkOutputs<B>,
    /// What the cell keeps of every timestep, `[B, T, S·H]` with [`Cell::saved`](crate::Cell::saved)'s S. What
    /// stands past a row's length has no meaning.
    #[extension_type]
    pub saved: Optional<B>,
}

/// What a walk's backward pass needs: (S + 1)·H floats a token, and what no token has of its own.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkSaved<B: Backend> {
    /// U, `[H, G·H]`.
    #[extension_type]
    pub recurrent_weight: Optional<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// `[B, H]`.
    #[extension_type]
    pub initial_cell: Optional<B>,
    /// As the forward pass got them, `[B]`.
    pub lengths: IntTensor<B>,
    /// The output, `[B, T, H]`.
    pub hidden_states: FloatTensor<B>,
    /// See [`WalkTraining`].
    #[extension_type]
    pub saved: Optional<B>,
}

/// The loss's gradient for each field of [`WalkOutputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkOutputGradients<B: Backend> {
    /// `[B, T, H]`; what stands past a row's length is not read.
    #[extension_type]
    pub hidden_states: Optional<B>,
    /// `[B, H]`.
    pub final_hidden: FloatTensor<B>,
    /// `[B, H]`, where there is a cell state.
    #[extension_type]
    pub final_cell: Optional<B>,
}

/// The loss's gradient for each differentiable field of [`WalkInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkGradients<B: Backend> {
    /// `[B, T, G·H]`.
    pub projections: FloatTensor<B>,
    /// `[H, G·H]`.
    #[extension_type]
    pub recurrent_weight: Optional<B>,
    /// `[G·H]`.
    #[extension_type]
    pub recurrent_bias: Optional<B>,
    /// `[B, H]`.
    pub initial_hidden: FloatTensor<B>,
    /// `[B, H]`.
    #[extension_type]
    pub initial_cell: Optional<B>,
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
