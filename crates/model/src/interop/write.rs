//! Writing a network in the format that was asked for.

use super::error::InteropError;
use super::export::{Export, ExportFormat};
use super::table::{Framework, rows};
use super::{keras, onnx, pytorch, safetensors};

impl Export<'_> {
    /// The bytes of a file: the same ones every time.
    ///
    /// # Errors
    /// [`InteropError::Export`] if the format can't hold the network: what of it; [`InteropError::Weights`] if the weights
    /// are not the network's.
    pub fn write(&self, format: ExportFormat) -> Result<Vec<u8>, InteropError> {
        let cell = self.config.cell;
        if rows(Framework::PyTorch, cell).next().is_none() {
            return Err(InteropError::Export(format!(
                "{format} has no {} layer: its networks stay Gatefold's",
                cell.title()
            )));
        }
        match format {
            ExportFormat::PyTorch => pytorch::write(&pytorch::named(self)?),
            ExportFormat::SafeTensors => safetensors::write(&pytorch::named(self)?),
            ExportFormat::Keras => keras::write(self),
            ExportFormat::Onnx => onnx::write(self),
        }
    }
}
