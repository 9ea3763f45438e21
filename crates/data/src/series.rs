//! What is learnt from series of numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a network answers to a series of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeriesTask {
    /// A class a sequence.
    Classify,
    /// A class a timestep.
    Tag,
    /// The numbers that come next.
    Forecast,
}

impl SeriesTask {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Classify, Self::Tag, Self::Forecast];

    /// As settings have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classify => "classify",
            Self::Tag => "tag",
            Self::Forecast => "forecast",
        }
    }
}

impl fmt::Display for SeriesTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SeriesTask {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|task| task.name() == name);
        named.ok_or_else(|| "the tasks are classify, tag and forecast".to_owned())
    }
}

/// What becomes of a number that is missing: a cell that is empty, `NaN`, `NA`, `null` or `?`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// It is an error.
    #[default]
    Refuse,
    /// It is read as the mean of its column, and a second number beside each, 0 or 1, says whether it is missing.
    Mask,
}

impl Missing {
    /// Whether it is [`Refuse`](Self::Refuse).
    pub fn is_refused(&self) -> bool {
        *self == Self::Refuse
    }
}

impl FromStr for Missing {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "refuse" => Ok(Self::Refuse),
            "mask" => Ok(Self::Mask),
            _ => Err("a missing number can be refused (refuse) or masked (mask)".to_owned()),
        }
    }
}

/// What was recognised of a series' file, by which the same is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecognisedSeries {
    /// The columns that are read, in their order; none of arrays and of tables with a sequence a row.
    pub value_columns: Vec<String>,
    /// The columns of targets.
    pub target_columns: Vec<String>,
    /// Timesteps of a window, if there are windows.
    pub window: Option<usize>,
}
