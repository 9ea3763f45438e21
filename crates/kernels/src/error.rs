//! Inputs that don't fit together.

use burn::tensor::{DType, Device};
use thiserror::Error;

/// An input that doesn't fit the others.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputError {
    /// Its shape doesn't.
    #[error("{operation}: {input} has shape {found:?}, expected {expected:?} ({meaning})")]
    Shape {
        /// The operation called.
        operation: &'static str,
        /// The input that doesn't fit.
        input: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that fits the other inputs.
        expected: Vec<usize>,
        /// The expected shape in letters.
        meaning: &'static str,
    },
    /// Its numbers are of another type.
    #[error("{operation}: {input} is of {found:?}, expected {expected:?} as {other}")]
    Type {
        /// The operation called.
        operation: &'static str,
        /// The input that doesn't fit.
        input: &'static str,
        /// Its type.
        found: DType,
        /// The other input's type.
        expected: DType,
        /// The input that it has to fit.
        other: &'static str,
    },
    /// It is on another device.
    #[error("{operation}: {input} is on {found}, expected {expected} as {other}")]
    Device {
        /// The operation called.
        operation: &'static str,
        /// The input that doesn't fit.
        input: &'static str,
        /// Its device.
        found: String,
        /// The other input's device.
        expected: String,
        /// The input that it has to fit.
        other: &'static str,
    },
    /// The kernels would compute it wrongly.
    #[error("{operation}: {input} is of {found:?}, which {device} computes wrongly; use F32 there")]
    Wrong {
        /// The operation called.
        operation: &'static str,
        /// The input.
        input: &'static str,
        /// Its type.
        found: DType,
        /// Its device.
        device: String,
    },
    /// A state with a cell for a layer that has none, or without one for a layer that has.
    #[error("{operation}: the state has {} cell, and the layer's has {}", if *.found { "a" } else { "no" }, if *.found { "none" } else { "one" })]
    State {
        /// The operation called.
        operation: &'static str,
        /// Whether the state has a cell.
        found: bool,
    },
    /// A weight that the cell doesn't have, or one that is missing.
    #[error("{operation}: {input} {}", if *.found { "is none of the cell's" } else { "is missing" })]
    Weights {
        /// The operation called.
        operation: &'static str,
        /// The weight.
        input: &'static str,
        /// Whether it is there.
        found: bool,
    },
    /// A step of a layer that walks from the last timestep to the first.
    #[error("{operation}: a layer that walks time backwards can't go a step at a time")]
    Reverse {
        /// The operation called.
        operation: &'static str,
    },
}

impl InputError {
    /// The same in the name of another operation.
    pub fn of(mut self, name: &'static str) -> Self {
        match &mut self {
            Self::Shape { operation, .. }
            | Self::Type { operation, .. }
            | Self::Device { operation, .. }
            | Self::Wrong { operation, .. }
            | Self::State { operation, .. }
            | Self::Weights { operation, .. }
            | Self::Reverse { operation } => *operation = name,
        }
        self
    }
}

/// What the inputs of an operation have to agree with.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// The operation, for messages.
    pub operation: &'static str,
    /// The input that the others have to fit, for messages.
    pub other: &'static str,
    /// Its type.
    pub dtype: DType,
    /// Its device.
    pub device: Device,
}

impl Agreement {
    /// Whether `input` has the shape `expected`, which is `meaning` in letters.
    ///
    /// # Errors
    /// [`InputError::Shape`] if not.
    pub fn shape(
        &self,
        input: &'static str,
        found: &[usize],
        expected: &[usize],
        meaning: &'static str,
    ) -> Result<(), InputError> {
        if found == expected {
            return Ok(());
        }
        Err(InputError::Shape {
            operation: self.operation,
            input,
            found: found.to_vec(),
            expected: expected.to_vec(),
            meaning,
        })
    }

    /// Whether `input` is of the type, and on the device.
    ///
    /// # Errors
    /// [`InputError::Type`] or [`InputError::Device`] if not.
    pub fn kind(
        &self,
        input: &'static str,
        found: DType,
        device: &Device,
    ) -> Result<(), InputError> {
        if found != self.dtype {
            return Err(InputError::Type {
                operation: self.operation,
                input,
                found,
                expected: self.dtype,
                other: self.other,
            });
        }
        self.device(input, device)
    }

    /// Whether `input` is on the device, with automatic differentiation or without.
    ///
    /// # Errors
    /// [`InputError::Device`] if not.
    pub fn device(&self, input: &'static str, found: &Device) -> Result<(), InputError> {
        if *found == self.device {
            return Ok(());
        }
        Err(InputError::Device {
            operation: self.operation,
            input,
            found: format!("{found:?}"),
            expected: format!("{:?}", self.device),
            other: self.other,
        })
    }
}
