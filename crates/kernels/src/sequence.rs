//! The recurrent operations on tensors: shapes checked, then handed to the tensor's backend.

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Int, Tensor};
use thiserror::Error;

use crate::backend::RecurrentBackend;
use crate::embedding::{TokenError, Tokens};
use crate::tensors::{
    Direction, GruInputs, HiddenOutputs, LstmInputs, Projections as ProjectionInputs,
    SimpleRnnInputs,
};

/// An input that doesn't fit the others.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// Its shape doesn't.
    #[error("{operation}: {input} has shape {found:?}, expected {expected:?} ({meaning})")]
    Shape {
        /// The operation called.
        operation: &'static str,
        /// The input that doesn't fit.
        input: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that fits the other inputs.
        expected: Vec<usize>,
        /// The expected shape in letters.
        meaning: &'static str,
    },
    /// Its numbers are of another type.
    #[error("{operation}: {input} is of {found:?}, expected {expected:?} as the projections")]
    Type {
        /// The operation called.
        operation: &'static str,
        /// The input that doesn't fit.
        input: &'static str,
        /// Its type.
        found: DType,
        /// The projections' type.
        expected: DType,
    },
}

/// `x_t W + b` for every timestep: what an operation reads of its input.
#[derive(Clone, Debug)]
pub struct Projections(Kind);

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // There is one a layer.
enum Kind {
    PerToken(Tensor<3>),
    PerWord { table: Tensor<2>, tokens: Tokens },
}

impl Projections {
    /// Where the input is a row of an embedding: a projection a word, `(embedding W) + b`, `[V, G·H]`, looked
    /// up as it is needed. It gives what [`embedding`](crate::embedding::embedding) of the table would, without
    /// the memory, and without its products where there are more tokens than words.
    ///
    /// # Errors
    /// [`TokenError::Words`] if the tokens are not of V words.
    pub fn per_word(table: Tensor<2>, tokens: Tokens) -> Result<Self, TokenError> {
        tokens.check_words(table.dims()[0])?;
        Ok(Self(Kind::PerWord { table, tokens }))
    }

    /// B, T and G·H.
    pub fn dims(&self) -> [usize; 3] {
        match &self.0 {
            Kind::PerToken(projections) => projections.dims(),
            Kind::PerWord { table, tokens } => {
                let ([batch, time], [_, width]) = (tokens.dims(), table.dims());
                [batch, time, width]
            }
        }
    }

    /// Where they are.
    pub fn device(&self) -> Device {
        match &self.0 {
            Kind::PerToken(projections) => projections.device(),
            Kind::PerWord { table, .. } => table.device(),
        }
    }

    fn dtype(&self) -> DType {
        match &self.0 {
            Kind::PerToken(projections) => projections.dtype(),
            Kind::PerWord { table, .. } => table.dtype(),
        }
    }

    fn into_inputs(self) -> ProjectionInputs<Dispatch> {
        match self.0 {
            Kind::PerToken(projections) => ProjectionInputs::PerToken(projections.into_dispatch()),
            Kind::PerWord { table, tokens } => ProjectionInputs::PerWord {
                table: table.into_dispatch(),
                tokens: tokens.into_inputs(),
            },
        }
    }
}

/// A projection a timestep, `[B, T, G·H]`.
impl From<Tensor<3>> for Projections {
    fn from(projections: Tensor<3>) -> Self {
        Self(Kind::PerToken(projections))
    }
}

/// The two states of an LSTM, each `[B, H]`.
#[derive(Clone, Debug)]
pub struct LstmState {
    /// h.
    pub hidden: Tensor<2>,
    /// c.
    pub cell: Tensor<2>,
}

/// What [`lstm`] returns.
#[derive(Clone, Debug)]
pub struct LstmOutput {
    /// h after every timestep, `[B, T, H]`; zero past a row's length.
    pub hidden_states: Tensor<3>,
    /// The state after each row's last valid timestep in the direction walked.
    pub final_state: LstmState,
}

/// What [`gru`] returns.
#[derive(Clone, Debug)]
pub struct GruOutput {
    /// h after every timestep, `[B, T, H]`; zero past a row's length.
    pub hidden_states: Tensor<3>,
    /// h after each row's last valid timestep in the direction walked, `[B, H]`.
    pub final_hidden: Tensor<2>,
}

/// What [`simple_rnn`] returns.
pub type SimpleRnnOutput = GruOutput;

/// An LSTM over a whole sequence.
///
/// ```text
/// z_t = x_t W + b + h_{t-1} U            cut into i, f, g, o
/// c_t = σ(z_f) · c_{t-1} + σ(z_i) · tanh(z_g)
/// h_t = σ(z_o) · tanh(c_t)
/// ```
///
/// - `projections`: `x_t W + b` for every timestep, a tensor `[B, T, 4H]` or [`Projections::per_word`], gates in the order i, f, g, o;
/// - `recurrent_weight`: U, `[H, 4H]`;
/// - `initial_state`: zeros if `None`;
/// - `lengths`: how many timesteps of each row are valid, `[B]`; below 0 counts as 0, above T as T.
///
/// # Errors
/// [`InputError`] if shapes or types don't fit together.
pub fn lstm(
    projections: impl Into<Projections>,
    recurrent_weight: Tensor<2>,
    initial_state: Option<LstmState>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<LstmOutput, InputError> {
    let projections = projections.into();
    let shapes = Shapes::new("lstm", 4, &projections, &recurrent_weight, &lengths)?;
    // Two tensors: WebGPU refuses one memory in two places of a kernel that may write there.
    let state = initial_state.unwrap_or_else(|| LstmState {
        hidden: shapes.zeros(&projections),
        cell: shapes.zeros(&projections),
    });
    shapes.check_state("initial hidden state", &state.hidden)?;
    shapes.check_state("initial cell state", &state.cell)?;
    let outputs = Dispatch::lstm(
        LstmInputs {
            projections: projections.into_inputs(),
            recurrent_weight: recurrent_weight.into_dispatch(),
            initial_hidden: state.hidden.into_dispatch(),
            initial_cell: state.cell.into_dispatch(),
            lengths: lengths.into_dispatch(),
        },
        direction,
    );
    Ok(LstmOutput {
        hidden_states: Tensor::from_dispatch(outputs.hidden_states),
        final_state: LstmState {
            hidden: Tensor::from_dispatch(outputs.final_hidden),
            cell: Tensor::from_dispatch(outputs.final_cell),
        },
    })
}

/// A GRU over a whole sequence, in the reset-after form of cuDNN, Keras and PyTorch.
///
/// ```text
/// x_t W + b = x_r, x_z, x_n              h_{t-1} U + b_r = u_r, u_z, u_n
/// r, z = σ(x_r + u_r), σ(x_z + u_z)      n = tanh(x_n + r · u_n)
/// h_t = (1 - z) · n + z · h_{t-1}
/// ```
///
/// - `projections`: `x_t W + b` for every timestep, a tensor `[B, T, 3H]` or [`Projections::per_word`], gates in the order r, z, n;
/// - `recurrent_weight`: U, `[H, 3H]`;
/// - `recurrent_bias`: `b_r`, `[3H]`;
/// - `initial_hidden`: `[B, H]`, zeros if `None`;
/// - `lengths`: how many timesteps of each row are valid, `[B]`; below 0 counts as 0, above T as T.
///
/// # Errors
/// [`InputError`] if shapes or types don't fit together.
pub fn gru(
    projections: impl Into<Projections>,
    recurrent_weight: Tensor<2>,
    recurrent_bias: Tensor<1>,
    initial_hidden: Option<Tensor<2>>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<GruOutput, InputError> {
    let projections = projections.into();
    let shapes = Shapes::new("gru", 3, &projections, &recurrent_weight, &lengths)?;
    shapes.check(
        "recurrent bias",
        &recurrent_bias.dims(),
        &[3 * shapes.hidden],
        "[3H]",
    )?;
    shapes.check_type("recurrent bias", recurrent_bias.dtype())?;
    let initial_hidden = shapes.initial_hidden(initial_hidden, &projections)?;
    let outputs = Dispatch::gru(
        GruInputs {
            projections: projections.into_inputs(),
            recurrent_weight: recurrent_weight.into_dispatch(),
            recurrent_bias: recurrent_bias.into_dispatch(),
            initial_hidden: initial_hidden.into_dispatch(),
            lengths: lengths.into_dispatch(),
        },
        direction,
    );
    Ok(outputs.into())
}

/// A simple RNN over a whole sequence: `h_t = tanh(x_t W + b + h_{t-1} U)`.
///
/// - `projections`: `x_t W + b` for every timestep, a tensor `[B, T, H]` or [`Projections::per_word`];
/// - `recurrent_weight`: U, `[H, H]`;
/// - `initial_hidden`: `[B, H]`, zeros if `None`;
/// - `lengths`: how many timesteps of each row are valid, `[B]`; below 0 counts as 0, above T as T.
///
/// # Errors
/// [`InputError`] if shapes or types don't fit together.
pub fn simple_rnn(
    projections: impl Into<Projections>,
    recurrent_weight: Tensor<2>,
    initial_hidden: Option<Tensor<2>>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<SimpleRnnOutput, InputError> {
    let projections = projections.into();
    let shapes = Shapes::new("simple_rnn", 1, &projections, &recurrent_weight, &lengths)?;
    let initial_hidden = shapes.initial_hidden(initial_hidden, &projections)?;
    let outputs = Dispatch::simple_rnn(
        SimpleRnnInputs {
            projections: projections.into_inputs(),
            recurrent_weight: recurrent_weight.into_dispatch(),
            initial_hidden: initial_hidden.into_dispatch(),
            lengths: lengths.into_dispatch(),
        },
        direction,
    );
    Ok(outputs.into())
}

impl From<HiddenOutputs<Dispatch>> for GruOutput {
    fn from(outputs: HiddenOutputs<Dispatch>) -> Self {
        Self {
            hidden_states: Tensor::from_dispatch(outputs.hidden_states),
            final_hidden: Tensor::from_dispatch(outputs.final_hidden),
        }
    }
}

/// The sizes and the type that projections and recurrent weight settle, to check the other inputs with.
struct Shapes {
    operation: &'static str,
    batch: usize,
    hidden: usize,
    dtype: DType,
}

impl Shapes {
    fn new(
        operation: &'static str,
        gates: usize,
        projections: &Projections,
        recurrent_weight: &Tensor<2>,
        lengths: &Tensor<1, Int>,
    ) -> Result<Self, InputError> {
        let [batch, time, width] = projections.dims();
        let [hidden, weight_width] = recurrent_weight.dims();
        let shapes = Self {
            operation,
            batch,
            hidden,
            dtype: projections.dtype(),
        };
        shapes.check(
            "recurrent weight",
            &[hidden, weight_width],
            &[hidden.max(1), gates * hidden.max(1)],
            "[H, G·H], nothing empty",
        )?;
        shapes.check_type("recurrent weight", recurrent_weight.dtype())?;
        shapes.check(
            "projections",
            &[batch, time, width],
            &[batch.max(1), time.max(1), gates * hidden],
            "[B, T, G·H], nothing empty",
        )?;
        shapes.check("lengths", &lengths.dims(), &[batch], "[B]")?;
        Ok(shapes)
    }

    fn initial_hidden(
        &self,
        given: Option<Tensor<2>>,
        projections: &Projections,
    ) -> Result<Tensor<2>, InputError> {
        let state = given.unwrap_or_else(|| self.zeros(projections));
        self.check_state("initial hidden state", &state)?;
        Ok(state)
    }

    /// A state of zeros.
    fn zeros(&self, projections: &Projections) -> Tensor<2> {
        let options = (&projections.device(), self.dtype);
        Tensor::zeros([self.batch, self.hidden], options)
    }

    fn check_state(&self, input: &'static str, state: &Tensor<2>) -> Result<(), InputError> {
        self.check(input, &state.dims(), &[self.batch, self.hidden], "[B, H]")?;
        self.check_type(input, state.dtype())
    }

    fn check_type(&self, input: &'static str, found: DType) -> Result<(), InputError> {
        if found == self.dtype {
            return Ok(());
        }
        Err(InputError::Type {
            operation: self.operation,
            input,
            found,
            expected: self.dtype,
        })
    }

    fn check(
        &self,
        input: &'static str,
        found: &[usize],
        expected: &[usize],
        meaning: &'static str,
    ) -> Result<(), InputError> {
        if found == expected {
            return Ok(());
        }
        Err(InputError::Shape {
            operation: self.operation,
            input,
            found: found.to_vec(),
            expected: expected.to_vec(),
            meaning,
        })
    }
}
