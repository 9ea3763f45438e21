//! What the operations read and return, as tensors of a backend.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType, TensorMetadata};
use burn::tensor::Shape;

use crate::backend::RecurrentBackend;
use crate::cell::Cell;

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

/// What a step adds to its product with the recurrent weights, `x_t W + b`, or what that is made of.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct Projections<B: Backend> {
    /// x, of width N = D, or where there is no W the projections themselves, of width N = G·H.
    #[extension_type]
    pub input: Input<B>,
    /// W, `[D, G·H]`.
    #[extension_type]
    pub weight: Optional<B>,
    /// b, `[G·H]`; there if W is.
    #[extension_type]
    pub bias: Optional<B>,
}

/// A vector for every timestep of a sequence.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub enum Input<B: Backend> {
    /// `[B, T, N]`.
    PerToken(FloatTensor<B>),
    /// A vector a word, and the words.
    PerWord {
        /// `[V, N]`.
        table: FloatTensor<B>,
        /// The word at every timestep.
        #[extension_type]
        tokens: TokenInputs<B>,
    },
}

impl<B: Backend> Input<B> {
    /// The tensor that the vectors are, or come from.
    pub fn tensor(&self) -> &FloatTensor<B> {
        match self {
            Self::PerToken(tensor) | Self::PerWord { table: tensor, .. } => tensor,
        }
    }

    /// B and T.
    pub fn sequence(&self) -> [usize; 2] {
        match self {
            Self::PerToken(tensor) => [tensor.shape()[0], tensor.shape()[1]],
            Self::PerWord { tokens, .. } => tokens.ids.shape().dims(),
        }
    }
}

impl<B: RecurrentBackend> Input<B> {
    /// The gradient of the tensor that the vectors are, or come from, from theirs, `[B, T, N]`.
    pub(crate) fn gradient(self, of_vectors: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::PerToken(_) => of_vectors,
            Self::PerWord { tokens, .. } => B::token_embedding_backward(tokens, of_vectors),
        }
    }
}

impl<B: Backend> Projections<B> {
    /// The tensor that the projections are, or come from.
    pub fn tensor(&self) -> &FloatTensor<B> {
        self.input.tensor()
    }

    /// G·H.
    pub fn width(&self) -> usize {
        let tensor = self.weight.as_option().unwrap_or(self.input.tensor());
        let shape = tensor.shape();
        shape[shape.num_dims() - 1]
    }
}

impl<B: RecurrentBackend> Projections<B> {
    /// The projections themselves, made by the backend's linear layer where there is one.
    pub(crate) fn projected(self) -> Input<B> {
        let (Some(weight), Some(bias)) = (self.weight.into_option(), self.bias.into_option())
        else {
            return self.input;
        };
        let linear = |input| {
            B::linear_forward(LinearInputs {
                input,
                weight,
                bias,
            })
        };
        match self.input {
            Input::PerToken(vectors) => {
                let [batch, time, size] = vectors.shape().dims();
                let rows = B::float_reshape(vectors, Shape::from([batch * time, size]));
                let rows = linear(rows);
                let width = rows.shape()[1];
                Input::PerToken(B::float_reshape(rows, Shape::from([batch, time, width])))
            }
            Input::PerWord { table, tokens } => Input::PerWord {
                table: linear(table),
                tokens,
            },
        }
    }

    /// The gradients of what the projections are made of, from theirs, `[B, T, G·H]`: of the input, and of W and b.
    pub(crate) fn gradients(self, of_projections: FloatTensor<B>) -> [Optional<B>; 3] {
        let given = Optional::Given;
        let of_input = self.input.clone().gradient(of_projections);
        let Some(weight) = self.weight.into_option() else {
            return [given(of_input), Optional::Absent, Optional::Absent];
        };
        let shape = self.input.tensor().shape();
        let rows = |tensor: FloatTensor<B>| {
            let shape = tensor.shape();
            let width = shape[shape.num_dims() - 1];
            let rows = shape.num_elements() / width;
            B::float_reshape(tensor, Shape::from([rows, width]))
        };
        let (Input::PerToken(vectors) | Input::PerWord { table: vectors, .. }) = self.input;
        let gradients = B::linear_backward(rows(vectors), weight, rows(of_input));
        let input = B::float_reshape(gradients.input, shape);
        [given(input), given(gradients.weight), given(gradients.bias)]
    }
}

/// What a walk reads. Which of the tensors there are depends on the [`Cell`].
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
    /// `[B, H]`; zeros if it isn't there.
    #[extension_type]
    pub initial_hidden: Optional<B>,
    /// `[B, H]`, there if the hidden one is and the cell has one.
    #[extension_type]
    pub initial_cell: Optional<B>,
    /// How many timesteps of each row are valid, `[B]`.
    pub lengths: IntTensor<B>,
}

impl<B: Backend> WalkInputs<B> {
    /// The initial hidden state, and the cell state where the cell has one, with zeros for what isn't there.
    pub(crate) fn initial_states(&self, cell: Cell) -> (FloatTensor<B>, Option<FloatTensor<B>>) {
        let tensor = self.projections.tensor();
        let [batch, _] = self.projections.input.sequence();
        let shape = Shape::from([batch, self.projections.width() / cell.gates()]);
        let zeros = || B::float_zeros(shape.clone(), &tensor.device(), tensor.dtype().into());
        let state = |given: &Optional<B>| given.as_option().cloned().unwrap_or_else(zeros);
        let cell = cell.has_cell_state().then(|| state(&self.initial_cell));
        (state(&self.initial_hidden), cell)
    }
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
    /// What the cell keeps of every timestep, `[B, T, S·H]` with [`Cell::saved`]'s S, in an order
    /// of the backend's own. What stands past a row's length has no meaning.
    #[extension_type]
    pub saved: Optional<B>,
    /// U as the backend's backward pass reads it, perhaps with more of its own behind it.
    #[extension_type]
    pub recurrent_weight: Optional<B>,
}

/// What a walk's backward pass needs: (S + 1)·H floats a token, and what no token has of its own.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkSaved<B: Backend> {
    /// As the forward pass got them.
    #[extension_type]
    pub projections: Projections<B>,
    /// See [`WalkTraining`].
    #[extension_type]
    pub recurrent_weight: Optional<B>,
    /// `[B, H]`.
    #[extension_type]
    pub initial_hidden: Optional<B>,
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

/// The loss's gradient for each field of [`WalkOutputs`], of the same shape; zero where it isn't there.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkOutputGradients<B: Backend> {
    /// `[B, T, H]`; what stands past a row's length is not read.
    #[extension_type]
    pub hidden_states: Optional<B>,
    /// `[B, H]`.
    #[extension_type]
    pub final_hidden: Optional<B>,
    /// `[B, H]`.
    #[extension_type]
    pub final_cell: Optional<B>,
}

/// The loss's gradient for each differentiable field of [`WalkInputs`], of the same shape.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct WalkGradients<B: Backend> {
    /// Of the projections' input, or the table that it comes from, if it is [wanted](Wanted).
    #[extension_type]
    pub input: Optional<B>,
    /// `[D, G·H]`.
    #[extension_type]
    pub input_weight: Optional<B>,
    /// `[G·H]`.
    #[extension_type]
    pub bias: Optional<B>,
    /// `[H, G·H]`.
    #[extension_type]
    pub recurrent_weight: Optional<B>,
    /// `[G·H]`.
    #[extension_type]
    pub recurrent_bias: Optional<B>,
    /// `[B, H]`, if there is an initial state.
    #[extension_type]
    pub initial_hidden: Optional<B>,
    /// `[B, H]`.
    #[extension_type]
    pub initial_cell: Optional<B>,
}

/// Whether the gradient of the input is asked for, which costs a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It is.
    Input,
    /// It isn't.
    WeightsAlone,
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

/// What a cross-entropy is made of: R rows, in each of which a right answer is told from S candidates.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct CrossEntropyInputs<B: Backend> {
    /// Each candidate's logit in each row but for its bias, `[R, S]`.
    pub logits: FloatTensor<B>,
    /// Each candidate's bias, `[1, S]`.
    pub biases: FloatTensor<B>,
    /// Of each row one candidate, `[R, 1]`.
    pub places: IntTensor<B>,
    /// What is added to its logit, `[R, 1]`.
    pub lowered: FloatTensor<B>,
    /// The right answer's logit, `[R, 1]`.
    pub right: FloatTensor<B>,
    /// What each row's loss counts, `[R, 1]`.
    pub weights: FloatTensor<B>,
}

/// The losses, and the gradient of their weighted sum.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct CrossEntropyOutputs<B: Backend> {
    /// Each row's, unweighted, `[R, 1]`.
    pub losses: FloatTensor<B>,
    /// The gradient by each candidate's logit, `[R, S]`.
    pub logits: FloatTensor<B>,
    /// That by the right answer's, `[R, 1]`.
    pub right: FloatTensor<B>,
}

/// What a perceptron reads: a layer with ReLU, then a linear one.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct PerceptronInputs<B: Backend> {
    /// `[N, D]`.
    pub input: FloatTensor<B>,
    /// `[D, M]`.
    pub hidden_weight: FloatTensor<B>,
    /// `[M]`.
    pub hidden_bias: FloatTensor<B>,
    /// `[M, C]`.
    pub output_weight: FloatTensor<B>,
    /// `[C]`.
    pub output_bias: FloatTensor<B>,
}

/// What a perceptron computes.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct PerceptronOutputs<B: Backend> {
    /// `[N, C]`.
    pub output: FloatTensor<B>,
    /// After ReLU, `[N, M]`.
    pub hidden: FloatTensor<B>,
}

/// What a perceptron's backward pass needs.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct PerceptronSaved<B: Backend> {
    /// `[N, D]`.
    pub input: FloatTensor<B>,
    /// `[D, M]`.
    pub hidden_weight: FloatTensor<B>,
    /// `[M, C]`.
    pub output_weight: FloatTensor<B>,
    /// After ReLU, `[N, M]`.
    pub hidden: FloatTensor<B>,
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

/// Two parameters after a step of Adam.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct AdamPair<B: Backend> {
    /// One.
    #[extension_type]
    pub first: AdamTensors<B>,
    /// The other.
    #[extension_type]
    pub second: AdamTensors<B>,
}
