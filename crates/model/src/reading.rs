//! What of the hidden states is read.

use serde::{Deserialize, Serialize};

/// What of the last layer's hidden states is answered from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reading {
    /// The state after a row's last timestep, in both directions: an answer a row.
    #[default]
    Last,
    /// Each unit's largest value over a row's timesteps: an answer a row.
    Max,
    /// Each unit's mean over a row's timesteps: an answer a row.
    Mean,
    /// Both, side by side: an answer a row.
    #[serde(alias = "max-and-mean")]
    MaxMean,
    /// The last state, the largest values and the means, side by side (Howard and Ruder 2018): an answer a row.
    Concat,
    /// Each timestep's states: an answer a timestep, T a row. Those past a row's length mean nothing.
    EveryStep,
}

impl Reading {
    /// How many widths of the hidden states it takes.
    pub(crate) fn widths(self) -> usize {
        match self {
            Self::MaxMean => 2,
            Self::Concat => 3,
            _ => 1,
        }
    }
}
