//! A network's weights as files of other frameworks.

use std::fmt;

use super::error::InteropError;
use super::slots::{Linear, Slot};
use super::table::{Framework, Matrix, Part, rows};
use crate::config::NetworkConfig;
use crate::weights::{Weights, WeightsError};

/// What a network's answers become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// They stay as they are.
    #[default]
    None,
    /// Each a probability by itself; of a single one, that of the second of two classes.
    Sigmoid,
    /// The probabilities of classes, of which one is there.
    Softmax,
}

/// A file that a network can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// A state dict as `torch.save` writes it: `.pt`.
    PyTorch,
    /// The same tensors as SafeTensors.
    SafeTensors,
    /// A whole network of Keras 3: `.keras`.
    Keras,
    /// A whole network in standard operators: ONNX, opset 17.
    Onnx,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::PyTorch, Self::SafeTensors, Self::Keras, Self::Onnx];

    /// What it is called in the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::PyTorch => "pytorch",
            Self::SafeTensors => "safetensors",
            Self::Keras => "keras",
            Self::Onnx => "onnx",
        }
    }

    /// How its files' names end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::PyTorch => "pt",
            Self::SafeTensors => "safetensors",
            Self::Keras => "keras",
            Self::Onnx => "onnx",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tensor of a recurrent layer as a framework has it.
pub(super) struct Named {
    pub name: &'static str,
    pub shape: Vec<usize>,
    pub matrix: Matrix,
}

/// Where the parts of a linear layer stand.
pub(super) type LinearSlot = fn(Linear) -> Slot;

/// A network to write.
#[derive(Clone, Debug)]
pub struct Export<'a> {
    /// The network.
    pub config: &'a NetworkConfig,
    /// Its weights.
    pub weights: &'a Weights,
    /// What its answers become.
    pub activation: Activation,
    /// Timesteps of every sequence, of a network that reads padding; none of one that leaves it out.
    pub fixed_length: Option<usize>,
    /// What an ONNX file says of itself: keys and values.
    pub metadata: Vec<(String, String)>,
}

impl Export<'_> {
    /// The linear layers, from the states to the answers.
    pub(super) fn linear(&self) -> Vec<(&'static str, LinearSlot)> {
        let output = ("output", Slot::Output as LinearSlot);
        match self.config.dense_size {
            0 => vec![output],
            _ => vec![("dense", Slot::Dense), output],
        }
    }

    /// The tensors of one walk in a framework's order, each with its name there and its shape.
    pub(super) fn recurrent(
        &self,
        framework: Framework,
        layer: usize,
        reverse: bool,
    ) -> Result<Vec<Named>, InteropError> {
        let cell = self.config.cell;
        let ours = |part| {
            self.matrix(Slot::Recurrent {
                layer,
                reverse,
                part,
            })
        };
        let recurrent_bias = || match cell.has_recurrent_bias() {
            true => ours(Part::RecurrentBias),
            false => Ok(Matrix::zeros(1, cell.gates() * self.config.hidden_size)),
        };
        rows(framework, cell)
            .map(|row| {
                let matrix = match row.part {
                    Part::RecurrentBias => recurrent_bias()?,
                    Part::Biases => {
                        let (mut both, recurrent) = (ours(Part::Bias)?, recurrent_bias()?);
                        both.values.extend(recurrent.values);
                        both.rows = 2;
                        both
                    }
                    part => ours(part)?,
                };
                let matrix = row.to_theirs(matrix);
                let shape = match row.part {
                    Part::Bias | Part::RecurrentBias => vec![matrix.columns],
                    _ => vec![matrix.rows, matrix.columns],
                };
                Ok(Named {
                    name: row.name,
                    shape,
                    matrix,
                })
            })
            .collect()
    }

    /// One of ours; a vector is one row.
    pub(super) fn matrix(&self, slot: Slot) -> Result<Matrix, InteropError> {
        let names = slot.names();
        let missing = || WeightsError::Missing(names[0].clone());
        let (shape, bytes) = self.weights.get(&names[0]).ok_or_else(missing)?;
        let (values, _) = bytes.as_chunks::<4>();
        let columns = shape.last().copied().unwrap_or(1);
        Ok(Matrix {
            rows: values.len() / columns.max(1),
            columns,
            values: values
                .iter()
                .map(|&value| f32::from_le_bytes(value))
                .collect(),
        })
    }

    /// The directions of a layer.
    pub(super) fn directions(&self) -> &'static [bool] {
        match self.config.bidirectional {
            true => &[false, true],
            false => &[false],
        }
    }
}
