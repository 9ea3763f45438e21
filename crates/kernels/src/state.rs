//! What a recurrent layer hands from a timestep to the next.

use burn::tensor::{Device, Tensor, TensorCreationOptions};

use crate::cell::Cell;
use crate::error::InputError;

/// The state of any cell.
#[derive(Clone, Debug)]
pub struct State {
    /// h, `[B, H]`.
    pub hidden: Tensor<2>,
    /// An LSTM's c, `[B, H]`.
    pub cell: Option<Tensor<2>>,
}

impl State {
    /// Zeros for `batch` rows of `hidden` units of a cell: what a sequence starts from. `options`: a device, or a
    /// device and a type.
    pub fn zeros(
        cell: Cell,
        [batch, hidden]: [usize; 2],
        options: impl Into<TensorCreationOptions>,
    ) -> Self {
        let options = options.into();
        let zeros = || Tensor::zeros([batch, hidden], options.clone());
        Self {
            hidden: zeros(),
            // A tensor of its own: one memory in two places of a kernel would be copied.
            cell: cell.has_cell_state().then(zeros),
        }
    }

    /// The state with its tensors changed.
    pub fn map(&self, change: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        Self {
            hidden: change(self.hidden.clone()),
            cell: self.cell.clone().map(change),
        }
    }

    /// The same numbers outside any graph: what truncated backpropagation through time hands on
    /// (Williams and Peng 1990).
    pub fn detach(&self) -> Self {
        self.map(Tensor::detach)
    }

    /// The same numbers on the device without automatic differentiation.
    pub fn inner(&self) -> Self {
        self.map(Tensor::inner)
    }
}

/// The state of a cell whose hidden state is all that it hands on.
impl From<Tensor<2>> for State {
    fn from(hidden: Tensor<2>) -> Self {
        Self { hidden, cell: None }
    }
}

impl From<State> for Tensor<2> {
    /// The hidden state.
    fn from(state: State) -> Self {
        state.hidden
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

impl LstmState {
    /// Zeros for `batch` rows of `hidden` units: what a sequence starts from.
    pub fn zeros([batch, hidden]: [usize; 2], device: &Device) -> Self {
        // Two tensors: one memory in two places of a kernel would be copied.
        let zeros = || Tensor::zeros([batch, hidden], device);
        Self {
            hidden: zeros(),
            cell: zeros(),
        }
    }

    /// The same numbers outside any graph: what truncated backpropagation through time hands on
    /// (Williams and Peng 1990).
    pub fn detach(self) -> Self {
        Self {
            hidden: self.hidden.detach(),
            cell: self.cell.detach(),
        }
    }

    /// The same numbers on the device without automatic differentiation.
    pub fn inner(self) -> Self {
        Self {
            hidden: self.hidden.inner(),
            cell: self.cell.inner(),
        }
    }
}

impl From<LstmState> for State {
    fn from(state: LstmState) -> Self {
        Self {
            hidden: state.hidden,
            cell: Some(state.cell),
        }
    }
}

impl TryFrom<State> for LstmState {
    type Error = InputError;

    /// [`InputError::State`] if the state has no cell.
    fn try_from(state: State) -> Result<Self, InputError> {
        let found = state.cell.is_some();
        let operation = Cell::Lstm.operation();
        Ok(Self {
            hidden: state.hidden,
            cell: state.cell.ok_or(InputError::State { operation, found })?,
        })
    }
}
