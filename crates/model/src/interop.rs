//! Weights of other frameworks' files, and files of other frameworks.
//!
//! [`Import`] opens a PyTorch state dict (`.pt`, `.pth`, `.safetensors`) or a network of Keras (`.keras`, `.weights.h5`,
//! `.h5`), says which of its tensors are which of a [`Network`](crate::Network)'s, and reads them. [`Export`] writes a
//! network's weights as such files, and as ONNX. Neither computes anything, and neither guesses: what doesn't fit is an
//! error that names it.
//!
//! A file is somebody else's. Archives are looked through before a library reads them, nothing that a file names is run
//! or opened, and no tensor is read before its shape is known to be the network's. What is held in memory is at most about
//! three times the file.
//!
//! ```no_run
//! use gatefold_model::interop::{Import, ImportOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let import = Import::open("lesson.keras".as_ref(), &ImportOptions::default())?;
//! let network = import.config()?.blank(&burn::tensor::Device::flex())?;
//! let network = network.with_weights(&import.weights()?)?;
//! # Ok(())
//! # }
//! # use gatefold_model::burn;
//! ```

mod export;
mod guard;
mod hdf5;
mod import;
mod keras;
mod keras_config;
mod modules;
mod onnx;
mod pickle;
pub mod protobuf;
mod pytorch;
mod recognised;
mod safetensors;
mod slots;
mod table;
mod tensors;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use export::{Activation, Export, ExportFormat};
pub use import::{Fate, Import, ImportOptions, TableRow};
pub use table::Framework;

use crate::weights::WeightsError;

/// What keeps weights from being read or written. What comes from files is cut, and what could steer a terminal is
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
