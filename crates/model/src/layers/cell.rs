//! The kinds of recurrent layer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of recurrent layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// [`SimpleRnn`](super::SimpleRnn)
    Rnn,
    /// [`Lstm`](super::Lstm)
    #[default]
    Lstm,
    /// [`Gru`](super::Gru)
    Gru,
}

impl fmt::Display for Cell {
    /// As configurations and flags have it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Rnn => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        })
    }
}
