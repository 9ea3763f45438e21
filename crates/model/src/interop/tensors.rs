//! Tensors of other frameworks' files, which are read one at a time.

use half::{bf16, f16};

use super::error::InteropError;
use super::table::Matrix;
use crate::weights::shown;

/// The type of a tensor's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F64,
    F32,
    F16,
    Bf16,
    /// One that no weights have: what it is called.
    Other(String),
}

impl Kind {
    /// Bytes a number; 1 of what is not read.
    pub fn size(&self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other(_) => 1,
        }
    }
}

type Read = Box<dyn Fn() -> Result<Vec<u8>, InteropError>>;

/// A tensor of a file, of which the numbers are not read yet.
pub(crate) struct TheirTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub kind: Kind,
    read: Read,
}

impl TheirTensor {
    /// `read` gives the numbers' bytes, little endian and row-major.
    pub fn new(
        name: String,
        shape: Vec<usize>,
        kind: Kind,
        read: impl Fn() -> Result<Vec<u8>, InteropError> + 'static,
    ) -> Self {
        let read = Box::new(read);
        Self {
            name,
            shape,
            kind,
            read,
        }
    }

    /// How many bytes its numbers take; the largest number there is if that can't be counted.
    pub fn bytes(&self) -> u64 {
        let sizes = self.shape.iter().map(|&size| size as u64);
        sizes.fold(self.kind.size() as u64, u64::saturating_mul)
    }

    /// The numbers as 32-bit floats, little endian.
    ///
    /// # Errors
    /// If they are of another type, can't be read, or one is not finite.
    pub fn read(&self) -> Result<Vec<u8>, InteropError> {
        let float = |bytes: &[u8]| match self.kind {
            Kind::F64 => f64::from_le_bytes(bytes.try_into().expect("eight bytes")) as f32,
            Kind::F16 => f16::from_le_bytes(bytes.try_into().expect("two bytes")).to_f32(),
            Kind::Bf16 => bf16::from_le_bytes(bytes.try_into().expect("two bytes")).to_f32(),
            _ => f32::from_le_bytes(bytes.try_into().expect("four bytes")),
        };
        if let Kind::Other(kind) = &self.kind {
            return Err(InteropError::Kind {
                name: shown(&self.name),
                kind: shown(kind),
            });
        }
        let bytes = (self.read)()?;
        if bytes.len() as u64 != self.bytes() {
            return Err(self.damaged("it has not the bytes of its shape"));
        }
        let numbers = bytes.chunks_exact(self.kind.size());
        let mut floats = numbers.map(float);
        if let Some(index) = floats.clone().position(|value| !value.is_finite()) {
            return Err(InteropError::NotFinite {
                name: shown(&self.name),
                index,
                value: floats.nth(index).expect("its index was found"),
            });
        }
        Ok(match self.kind {
            // The largest tensors are not copied.
            Kind::F32 => bytes,
            _ => floats.flat_map(f32::to_le_bytes).collect(),
        })
    }

    /// The same as a matrix; one dimension is one row.
    pub fn matrix(&self) -> Result<Matrix, InteropError> {
        let bytes = self.read()?;
        let (floats, _) = bytes.as_chunks::<4>();
        let columns = self.shape.last().copied().unwrap_or(1);
        let values: Vec<f32> = floats
            .iter()
            .map(|&float| f32::from_le_bytes(float))
            .collect();
        Ok(Matrix {
            rows: values.len() / columns.max(1),
            columns,
            values,
        })
    }

    pub fn damaged(&self, reason: impl std::fmt::Display) -> InteropError {
        InteropError::File(format!(
            "the tensor {} can't be read: {}",
            shown(&self.name),
            shown(&reason.to_string())
        ))
    }
}
