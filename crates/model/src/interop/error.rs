//! What keeps weights from being read or written.

use thiserror::Error;

use crate::weights::{WeightsError, shown};

/// Why weights can't be read or written. What comes from files is cut, and what could steer a terminal is
/// escaped.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum InteropError {
    /// A file that can't be read.
    #[error("{0}")]
    File(String),
    /// A file of a format that isn't read: which one, and what to do.
    #[error("{0}")]
    Format(String),
    /// What a file must not hold.
    #[error("{0}")]
    Refused(String),
    /// A network that Gatefold has not, or one that the file doesn't describe: what, and what to do.
    #[error("{0}")]
    Network(String),
    /// Tensors that are none of the network's, or that it lacks.
    #[error("{0}")]
    Tensors(String),
    /// Numbers of another type.
    #[error("the tensor {name} is of type {kind}; weights are f64, f32, f16 or bf16")]
    Kind {
        /// The tensor.
        name: String,
        /// Its type.
        kind: String,
    },
    /// A tensor of another shape.
    #[error("the tensor {name} has the shape {found:?}; {expected}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape, at most five dimensions of it.
        found: Vec<usize>,
        /// What it must be, and why.
        expected: String,
    },
    /// A number that is infinite or none.
    #[error("the tensor {name} holds a number that is not finite: {value} at index {index}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where, row-major.
        index: usize,
        /// The number.
        value: f32,
    },
    /// A network that the format can't hold: what of it.
    #[error("{0}")]
    Export(String),
    /// Weights that are not the network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// The first of many names, safe to print.
pub(super) fn few<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const FEW: usize = 5;
    let mut names = names.into_iter();
    let first: Vec<String> = names.by_ref().take(FEW).map(shown).collect();
    match (first.is_empty(), names.count()) {
        (true, _) => "none".into(),
        (_, 0) => first.join(", "),
        (_, more) => format!("{} and {more} more", first.join(", ")),
    }
}
