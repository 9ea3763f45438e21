//! PyTorch's `.pt`: a zip of a pickle, which names the tensors, and of their numbers.

use std::path::Path;

use pytorch_reader::{DType, PytorchReader};

use super::InteropError;
use super::guard::{Archive, MOST_DESCRIPTION, check_pickle, file_error};
use super::tensors::{Kind, TheirTensor};
use crate::weights::Weights;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// Where PyTorch's own files begin a tensor's numbers, so that they can be mapped.
const ALIGNMENT: u16 = 64;

/// The tensors of a file, whose bytes are the archive's.
pub(super) fn read(path: &Path, bytes: Vec<u8>) -> Result<Vec<TheirTensor>, InteropError> {
    let mut archive = Archive::open(&bytes)?;
    let pickle = archive
        .names()
        .find(|name| is_pickle(name))
        .map(String::from);
    let pickle = pickle.expect("it was recognised by its pickle");
    check_pickle(&archive.entry(&pickle, MOST_DESCRIPTION)?)?;
    drop(archive);
    drop(bytes);
    let reader = PytorchReader::new(path);
    let reader = reader.map_err(|error| file_error("the weights", error))?;
    let mut tensors: Vec<TheirTensor> = reader.into_tensors().into_values().map(tensor).collect();
    tensors.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tensors)
}

/// Whether an entry is what names the tensors.
pub(super) fn is_pickle(name: &str) -> bool {
    name == "data.pkl" || name.ends_with("/data.pkl")
}

fn tensor(theirs: pytorch_reader::Tensor) -> TheirTensor {
    let kind = match theirs.dtype() {
        DType::F64 => Kind::F64,
        DType::F32 => Kind::F32,
        DType::F16 => Kind::F16,
        DType::BF16 => Kind::Bf16,
        other => Kind::Other(format!("{other:?}").to_lowercase()),
    };
    let (name, shape) = (theirs.name.clone(), theirs.shape().to_vec());
    TheirTensor::new(name, shape, kind, move || {
        theirs
            .read()
            .map_err(|error| file_error("the weights", error))
    })
}

/// A state dict as `torch.save` writes it. The same weights make the same bytes.
pub(super) fn write(tensors: &Weights) -> Result<Vec<u8>, InteropError> {
    let failed = |error| InteropError::Export(format!("the archive can't be written: {error}"));
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .with_alignment(ALIGNMENT);
    let mut entry = |name: String, bytes: &[u8]| {
        archive.start_file(format!("archive/{name}"), options)?;
        std::io::Write::write_all(&mut archive, bytes)?;
        Ok(())
    };
    let mut write_all = || {
        entry("data.pkl".into(), &pickle(tensors))?;
        entry("byteorder".into(), b"little")?;
        for (key, (_, _, bytes)) in tensors.iter().enumerate() {
            entry(format!("data/{key}"), bytes)?;
        }
        entry("version".into(), b"3\n")
    };
    write_all().map_err(failed)?;
    Ok(archive.finish().map_err(failed)?.into_inner())
}

/// `OrderedDict` of `_rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`, in protocol 2.
fn pickle(tensors: &Weights) -> Vec<u8> {
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\n)R(".to_vec();
    for (key, (name, shape, bytes)) in tensors.iter().enumerate() {
        push_text(&mut pickle, name);
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        push_text(&mut pickle, "storage");
        pickle.extend(b"ctorch\nFloatStorage\n");
        push_text(&mut pickle, &key.to_string());
        push_text(&mut pickle, "cpu");
        push_count(&mut pickle, bytes.len() / 4);
        pickle.extend(b"tQ");
        push_count(&mut pickle, 0);
        push_counts(&mut pickle, shape.iter().copied());
        let strides = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product());
        push_counts(&mut pickle, strides);
        pickle.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    pickle.extend(b"u.");
    pickle
}

fn push_text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend((text.len() as u32).to_le_bytes());
    pickle.extend(text.as_bytes());
}

/// As a number of 31 bits, or of 63.
fn push_count(pickle: &mut Vec<u8>, count: usize) {
    match i32::try_from(count) {
        Ok(count) => {
            pickle.push(b'J');
            pickle.extend(count.to_le_bytes());
        }
        Err(_) => {
            pickle.extend([0x8a, 8]);
            pickle.extend((count as u64).to_le_bytes());
        }
    }
}

/// As a tuple.
fn push_counts(pickle: &mut Vec<u8>, counts: impl Iterator<Item = usize>) {
    pickle.push(b'(');
    counts.for_each(|count| push_count(pickle, count));
    pickle.push(b't');
}
