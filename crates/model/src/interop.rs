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

mod error;
mod export;
mod guard;
mod hdf5;
mod import;
mod keras;
mod keras_config;
mod modules;
mod onnx;
mod options;
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
mod write;

pub use error::InteropError;
pub use export::{Activation, Export, ExportFormat};
pub use import::{Fate, Import, TableRow};
pub use options::ImportOptions;
pub use table::Framework;
