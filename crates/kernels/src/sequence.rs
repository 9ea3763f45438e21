//! The recurrent operations on tensors: checked, then handed to the tensor's backend.

use burn::backend::Dispatch;
use burn::tensor::{Int, Tensor};

use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::error::{Agreement, InputError};
use crate::fused::computes_wrongly;
use crate::projections::Projections;
use crate::state::{LstmState, State};
use crate::tensors::{Direction, Optional, WalkInputs};

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
/// [`InputError`] if shapes, types or devices don't fit together.
pub fn lstm(
    projections: impl Into<Projections>,
    recurrent_weight: Tensor<2>,
    initial_state: Option<LstmState>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<LstmOutput, InputError> {
    let recurrent = RecurrentWeights {
        weight: Some(recurrent_weight),
        bias: None,
    };
    let state = initial_state.map(State::from);
    let walked = walk(
        Cell::Lstm,
        projections,
        recurrent,
        state,
        lengths,
        direction,
    )?;
    walked.try_into()
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
/// [`InputError`] if shapes, types or devices don't fit together.
pub fn gru(
    projections: impl Into<Projections>,
    recurrent_weight: Tensor<2>,
    recurrent_bias: Tensor<1>,
    initial_hidden: Option<Tensor<2>>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<GruOutput, InputError> {
    let recurrent = RecurrentWeights {
        weight: Some(recurrent_weight),
        bias: Some(recurrent_bias),
    };
    let state = initial_hidden.map(State::from);
    let walked = walk(Cell::Gru, projections, recurrent, state, lengths, direction)?;
    Ok(walked.into())
}

/// A simple RNN over a whole sequence: `h_t = tanh(x_t W + b + h_{t-1} U)`.
///
/// - `projections`: `x_t W + b` for every timestep, a tensor `[B, T, H]` or [`Projections::per_word`];
/// - `recurrent_weight`: U, `[H, H]`;
/// - `initial_hidden`: `[B, H]`, zeros if `None`;
/// - `lengths`: how many timesteps of each row are valid, `[B]`; below 0 counts as 0, above T as T.
///
/// # Errors
/// [`InputError`] if shapes, types or devices don't fit together.
pub fn simple_rnn(
    projections: impl Into<Projections>,
    recurrent_weight: Tensor<2>,
    initial_hidden: Option<Tensor<2>>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<SimpleRnnOutput, InputError> {
    let recurrent = RecurrentWeights {
        weight: Some(recurrent_weight),
        bias: None,
    };
    let state = initial_hidden.map(State::from);
    let walked = walk(Cell::Rnn, projections, recurrent, state, lengths, direction)?;
    Ok(walked.into())
}

/// What [`min_gru`] returns.
pub type MinGruOutput = GruOutput;

/// A minGRU (Feng et al. 2024, "Were RNNs All We Needed?") over a whole sequence: a GRU whose gates don't read the
/// state, so that there is no product with it.
///
/// ```text
/// x_t W + b = x_z, x_h
/// z = σ(x_z)                              h̃ = g(x_h), g(x) = x + 1/2 where x ≥ 0, else σ(x)
/// h_t = (1 - z) · h_{t-1} + z · h̃
/// ```
///
/// - `projections`: `x_t W + b` for every timestep, a tensor `[B, T, 2H]` or [`Projections::per_word`], in the order z, h̃;
/// - `initial_hidden`: `[B, H]`, zeros if `None`;
/// - `lengths`: how many timesteps of each row are valid, `[B]`; below 0 counts as 0, above T as T.
///
/// # Errors
/// [`InputError`] if shapes, types or devices don't fit together.
pub fn min_gru(
    projections: impl Into<Projections>,
    initial_hidden: Option<Tensor<2>>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<MinGruOutput, InputError> {
    let (recurrent, state) = (RecurrentWeights::default(), initial_hidden.map(State::from));
    let walked = walk(
        Cell::MinGru,
        projections,
        recurrent,
        state,
        lengths,
        direction,
    )?;
    Ok(walked.into())
}

/// What a cell multiplies the hidden state with.
#[derive(Clone, Debug, Default)]
pub struct RecurrentWeights {
    /// U, `[H, G·H]`.
    pub weight: Option<Tensor<2>>,
    /// `b_r`, added to `h U`, `[G·H]`: a GRU's.
    pub bias: Option<Tensor<1>>,
}

/// What [`walk`] returns.
#[derive(Clone, Debug)]
pub struct WalkOutput {
    /// h after every timestep, `[B, T, H]`; zero past a row's length.
    pub hidden_states: Tensor<3>,
    /// The state after each row's last valid timestep in the direction walked.
    pub final_state: State,
}

impl TryFrom<WalkOutput> for LstmOutput {
    type Error = InputError;

    /// [`InputError::State`] if the walk was of a cell without a cell state.
    fn try_from(walked: WalkOutput) -> Result<Self, InputError> {
        Ok(Self {
            hidden_states: walked.hidden_states,
            final_state: walked.final_state.try_into()?,
        })
    }
}

/// The hidden part.
impl From<WalkOutput> for GruOutput {
    fn from(walked: WalkOutput) -> Self {
        Self {
            hidden_states: walked.hidden_states,
            final_hidden: walked.final_state.hidden,
        }
    }
}

/// A layer of any cell over a whole sequence: what [`lstm`], [`gru`], [`simple_rnn`] and [`min_gru`] are fronts of.
///
/// - `projections`: `x_t W + b` for every timestep, a tensor `[B, T, G·H]` or [`Projections::per_word`];
/// - `recurrent`: what the cell has of it;
/// - `initial_state`: zeros if `None`;
/// - `lengths`: how many timesteps of each row are valid, `[B]`; below 0 counts as 0, above T as T. Those of tokens'
///   projections are [`Tokens::lengths`](crate::Tokens::lengths).
///
/// # Errors
/// [`InputError`] if shapes, types or devices don't fit together, or the cell has other weights or states.
pub fn walk(
    cell: Cell,
    projections: impl Into<Projections>,
    recurrent: RecurrentWeights,
    initial_state: Option<State>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> Result<WalkOutput, InputError> {
    let projections = projections.into();
    let sizes = Sizes::new(cell, &projections, &recurrent, &lengths)?;
    if let Some(state) = &initial_state {
        sizes.check_state(state)?;
    }
    let (hidden, initial_cell) = match initial_state {
        Some(State { hidden, cell }) => (Some(hidden), cell),
        None => (None, None),
    };
    let outputs = Dispatch::walk(
        WalkInputs {
            projections: projections.into_inputs(),
            recurrent_weight: Optional::new(recurrent.weight.map(Tensor::into_dispatch)),
            recurrent_bias: Optional::new(recurrent.bias.map(Tensor::into_dispatch)),
            initial_hidden: Optional::new(hidden.map(Tensor::into_dispatch)),
            initial_cell: Optional::new(initial_cell.map(Tensor::into_dispatch)),
            lengths: lengths.into_dispatch(),
        },
        cell,
        direction,
    );
    let final_cell = outputs.final_cell.into_option();
    Ok(WalkOutput {
        hidden_states: Tensor::from_dispatch(outputs.hidden_states),
        final_state: State {
            hidden: Tensor::from_dispatch(outputs.final_hidden),
            cell: final_cell.map(Tensor::from_dispatch),
        },
    })
}

/// The sizes that the projections settle, to check the other inputs with.
struct Sizes {
    cell: Cell,
    batch: usize,
    hidden: usize,
    agreement: Agreement,
}

impl Sizes {
    fn new(
        cell: Cell,
        projections: &Projections,
        recurrent: &RecurrentWeights,
        lengths: &Tensor<1, Int>,
    ) -> Result<Self, InputError> {
        let (operation, gates) = (cell.operation(), cell.gates());
        let [batch, time, width] = projections.dims();
        let hidden = width / gates;
        for (input, found, has) in [
            (
                "recurrent weight",
                recurrent.weight.is_some(),
                cell.has_recurrent_weight(),
            ),
            (
                "recurrent bias",
                recurrent.bias.is_some(),
                cell.has_recurrent_bias(),
            ),
        ] {
            if found != has {
                return Err(InputError::Weights {
                    operation,
                    input,
                    found,
                });
            }
        }
        let agreement = Agreement {
            operation,
            other: "the projections",
            dtype: projections.dtype(),
            device: projections.device(),
        };
        if computes_wrongly(&agreement.device, agreement.dtype) {
            return Err(InputError::Wrong {
                operation,
                input: "projections",
                found: agreement.dtype,
                device: format!("{:?}", agreement.device),
            });
        }
        let sizes = Self {
            cell,
            batch,
            hidden,
            agreement,
        };
        if let Some(weight) = &recurrent.weight {
            sizes.agreement.shape(
                "recurrent weight",
                &weight.dims(),
                &[hidden.max(1), gates * hidden.max(1)],
                "[H, G·H], nothing empty",
            )?;
            sizes.kind("recurrent weight", weight)?;
        }
        sizes.agreement.shape(
            "projections",
            &[batch, time, width],
            &[batch.max(1), time.max(1), gates * hidden.max(1)],
            "[B, T, G·H], nothing empty",
        )?;
        if let Some(layer) = projections.layer() {
            let [_, _, size] = projections.input_dims();
            let check = &sizes.agreement;
            let (weight, bias) = (layer.weight.dims(), layer.bias.dims());
            check.shape("input weight", &weight, &[size.max(1), width], "[D, G·H]")?;
            sizes.kind("input weight", &layer.weight)?;
            check.shape("bias", &bias, &[width], "[G·H]")?;
            sizes.kind("bias", &layer.bias)?;
        }
        if let Some(bias) = &recurrent.bias {
            let width = [gates * hidden];
            let check = &sizes.agreement;
            check.shape("recurrent bias", &bias.dims(), &width, "[G·H]")?;
            sizes.kind("recurrent bias", bias)?;
        }
        let check = &sizes.agreement;
        check.shape("lengths", &lengths.dims(), &[batch], "[B]")?;
        check.device("lengths", &lengths.device())?;
        Ok(sizes)
    }

    fn check_state(&self, state: &State) -> Result<(), InputError> {
        if state.cell.is_some() != self.cell.has_cell_state() {
            return Err(InputError::State {
                operation: self.cell.operation(),
                found: state.cell.is_some(),
            });
        }
        let states = [
            ("initial hidden state", Some(&state.hidden)),
            ("initial cell state", state.cell.as_ref()),
        ];
        for (input, state) in states {
            let Some(state) = state else { continue };
            let expected = [self.batch, self.hidden];
            let check = &self.agreement;
            check.shape(input, &state.dims(), &expected, "[B, H]")?;
            self.kind(input, state)?;
        }
        Ok(())
    }

    /// Type and device of a tensor of floats.
    fn kind<const D: usize>(
        &self,
        input: &'static str,
        tensor: &Tensor<D>,
    ) -> Result<(), InputError> {
        self.agreement.kind(input, tensor.dtype(), &tensor.device())
    }
}
