//! The kinds of recurrent layer, and what tells them apart.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of recurrent layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// [`simple_rnn`](crate::simple_rnn)
    Rnn,
    /// [`lstm`](crate::lstm)
    #[default]
    Lstm,
    /// [`gru`](crate::gru)
    Gru,
    /// [`min_gru`](crate::min_gru)
    MinGru,
}

/// What is different from cell to cell.
struct Facts {
    name: &'static str,
    operation: &'static str,
    title: &'static str,
    gates: usize,
    saved: usize,
    has_cell_state: bool,
    has_recurrent_weight: bool,
    has_recurrent_bias: bool,
    slots: [u64; 2],
}

impl Cell {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rnn, Self::Lstm, Self::Gru, Self::MinGru];

    const fn facts(self) -> Facts {
        match self {
            Self::Rnn => Facts {
                name: "rnn",
                operation: "simple_rnn",
                title: "simple RNN",
                gates: 1,
                saved: 0,
                has_cell_state: false,
                has_recurrent_weight: true,
                has_recurrent_bias: false,
                slots: [8, 160],
            },
            Self::Lstm => Facts {
                name: "lstm",
                operation: "lstm",
                title: "LSTM",
                gates: 4,
                saved: 4,
                has_cell_state: true,
                has_recurrent_weight: true,
                has_recurrent_bias: false,
                slots: [23, 600],
            },
            Self::Gru => Facts {
                name: "gru",
                operation: "gru",
                title: "GRU",
                gates: 3,
                saved: 4,
                has_cell_state: false,
                has_recurrent_weight: true,
                has_recurrent_bias: true,
                slots: [18, 380],
            },
            Self::MinGru => Facts {
                name: "mingru",
                operation: "min_gru",
                title: "minGRU",
                gates: 2,
                saved: 2,
                has_cell_state: false,
                has_recurrent_weight: false,
                has_recurrent_bias: false,
                slots: [0, 260],
            },
        }
    }

    /// As configurations and flags have it.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// The function that walks it.
    pub(crate) const fn operation(self) -> &'static str {
        self.facts().operation
    }

    /// As people write it.
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// G: how many times H numbers a timestep's projection has.
    pub const fn gates(self) -> usize {
        self.facts().gates
    }

    /// How many times H numbers a training step keeps of a timestep for the backward pass, beside its hidden state.
    pub const fn saved(self) -> usize {
        self.facts().saved
    }

    /// Whether there is a cell state beside the hidden one.
    pub const fn has_cell_state(self) -> bool {
        self.facts().has_cell_state
    }

    /// Whether there are recurrent weights, which the hidden state is multiplied with.
    pub const fn has_recurrent_weight(self) -> bool {
        self.facts().has_recurrent_weight
    }

    /// Whether the product with the recurrent weights has a bias of its own. Its last gate then has a gradient apart from
    /// the projections'.
    pub const fn has_recurrent_bias(self) -> bool {
        self.facts().has_recurrent_bias
    }

    /// How many times H gradients of a timestep's preactivations there are: those of the projections and, where it
    /// differs, that of the recurrent product's last gate.
    pub(crate) const fn gradients(self) -> usize {
        self.gates() + self.has_recurrent_bias() as usize
    }

    /// What an invocation on a GPU issues for a step of four rows of its unit: for a hidden unit that its product
    /// reads, then for its gates (the larger pass's). Generous counts, which only bound how long a dispatch takes.
    pub(crate) const fn slots(self) -> [u64; 2] {
        self.facts().slots
    }
}

impl fmt::Display for Cell {
    /// Its [`name`](Self::name).
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}
