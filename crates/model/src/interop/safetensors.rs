//! SafeTensors with PyTorch's names.

use std::sync::Arc;

use safetensors::tensor::{Dtype, SafeTensors};

use super::error::InteropError;
use super::guard::{MOST_DESCRIPTION, file_error};
use super::tensors::{Kind, TheirTensor};
use crate::weights::Weights;

/// Bytes before a header: its length.
const LENGTH: usize = 8;

/// Whether a file's first bytes are those of one.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    let length = bytes
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length <= 100_000_000) && bytes.get(LENGTH) == Some(&b'{')
}

/// The tensors of a file's bytes.
pub(super) fn read(bytes: Vec<u8>) -> Result<Vec<TheirTensor>, InteropError> {
    let failed = |error| file_error("the SafeTensors file", error);
    let length = bytes
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length));
    if length.is_none_or(|length| length > MOST_DESCRIPTION) {
        return Err(InteropError::Refused(format!(
            "its header is longer than the {MOST_DESCRIPTION} bytes that are read"
        )));
    }
    SafeTensors::deserialize(&bytes).map_err(failed)?;
    let (header, metadata) = SafeTensors::read_metadata(&bytes).map_err(failed)?;
    let bytes = Arc::new(bytes);
    let mut tensors: Vec<TheirTensor> = metadata
        .tensors()
        .into_iter()
        .map(|(name, info)| {
            let kind = match info.dtype {
                Dtype::F64 => Kind::F64,
                Dtype::F32 => Kind::F32,
                Dtype::F16 => Kind::F16,
                Dtype::BF16 => Kind::Bf16,
                other => Kind::Other(other.to_string()),
            };
            let (begin, end) = info.data_offsets;
            let bytes = bytes.clone();
            let read = move || Ok(bytes[LENGTH + header..][begin..end].to_vec());
            TheirTensor::new(name, info.shape.clone(), kind, read)
        })
        .collect();
    tensors.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tensors)
}

/// A file as PyTorch's users write it. The same weights make the same bytes.
pub(super) fn write(tensors: &Weights) -> Result<Vec<u8>, InteropError> {
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let written = safetensors::serialize(tensors.views(), Some(metadata));
    written.map_err(|error| InteropError::Export(format!("the file can't be written: {error}")))
}
