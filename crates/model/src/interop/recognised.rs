//! What a file is, by its first bytes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::InteropError;
use super::guard::{Archive, file_error};
use super::{hdf5, pytorch, safetensors};
use crate::weights::shown;

/// Bytes of a file: the largest network in 64-bit floats, and what is said about it.
const MOST_BYTES: u64 = 9 << 30;
/// Where a tar's mark stands.
const TAR_MARK: usize = 257;

/// A file that may hold weights.
pub(super) enum Recognised {
    /// PyTorch's archive.
    PyTorch(Vec<u8>),
    SafeTensors(Vec<u8>),
    /// Keras's archive.
    Keras(Vec<u8>),
    Hdf5(Vec<u8>),
}

/// What a file's bytes are.
///
/// # Errors
/// If they are of a format that is not read: which, and what to do.
pub(super) fn format(bytes: Vec<u8>) -> Result<Recognised, InteropError> {
    if bytes.starts_with(hdf5::MAGIC) {
        return Ok(Recognised::Hdf5(bytes));
    }
    if safetensors::is_one(&bytes) {
        return Ok(Recognised::SafeTensors(bytes));
    }
    if bytes.starts_with(b"PK") {
        return archive(bytes);
    }
    Err(InteropError::Format(other(&bytes)))
}

/// Reads a file.
///
/// # Errors
/// If it can't be read, is no regular file, or larger than any network.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, InteropError> {
    let failed = |error| file_error("the file", error);
    let about = std::fs::metadata(path).map_err(failed)?;
    if about.is_dir() {
        return Err(InteropError::Format(folder(path)));
    }
    if !about.is_file() {
        return Err(InteropError::File("it is no regular file".into()));
    }
    if about.len() > MOST_BYTES {
        return Err(InteropError::Refused(format!(
            "it has {} bytes, more than the {MOST_BYTES} of the largest network",
            about.len()
        )));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    let file = File::open(path).map_err(failed)?;
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

fn archive(bytes: Vec<u8>) -> Result<Recognised, InteropError> {
    let archive = Archive::open(&bytes)?;
    let has = |wanted: &str| {
        let ending = format!("/{wanted}");
        archive
            .names()
            .any(|name| name == wanted || name.ends_with(&ending))
    };
    let format = if has("constants.pkl") {
        "a TorchScript program: save its weights with `torch.save(model.state_dict(), \"model.pt\")`"
    } else if has("archive_format") || has("serialized_exported_program.json") {
        "a program of torch.export: save its weights with `torch.save(model.state_dict(), \"model.pt\")`"
    } else if archive.names().any(|name| pytorch::is_pickle(&name)) {
        drop(archive);
        return Ok(Recognised::PyTorch(bytes));
    } else if has("model.weights.h5") {
        drop(archive);
        return Ok(Recognised::Keras(bytes));
    } else if has("model.weights.npz") || has("model.weights.json") {
        "a Keras network whose weights are in another form: load it with `keras.saving.load_model` and save it again, with \
         `model.save(\"model.keras\")`"
    } else if has("config.json") && has("metadata.json") {
        "a Keras network without weights: its model.weights.h5 is missing"
    } else if archive.names().any(|name| name.ends_with(".npy")) {
        "a NumPy archive, which doesn't say which array is which weight: save the network as PyTorch or Keras does"
    } else {
        "a zip archive of something else"
    };
    Err(InteropError::Format(format!("it is {format}")))
}

fn folder(path: &Path) -> String {
    let has = |name: &str| path.join(name).exists();
    if has("saved_model.pb") {
        return "it is a SavedModel of TensorFlow: load it with Keras, and save it with `model.save(\"model.keras\")`".into();
    }
    if has("model.safetensors") && has("config.toml") {
        return "it is a run already: use it as it is".into();
    }
    let model = ["model.safetensors", "pytorch_model.bin"]
        .into_iter()
        .find(|name| has(name));
    match model {
        Some(model) => format!("it is a folder: name the file {model} in it"),
        None => "it is a folder: name a file".into(),
    }
}

fn other(bytes: &[u8]) -> String {
    let is = |mark: &[u8]| bytes.starts_with(mark);
    let old_torch = "save the weights again with PyTorch 1.6 or later, with `torch.save(model.state_dict(), \"model.pt\")`";
    let what = if bytes.is_empty() {
        "empty".into()
    } else if is(b"\x80") || bytes.get(TAR_MARK..TAR_MARK + 5) == Some(b"ustar") {
        format!("a pickle, or a file of a PyTorch before 1.6: {old_torch}")
    } else if is(b"\x08\x01\x12") {
        "a SavedModel of TensorFlow: load it with Keras, and save it with `model.save(\"model.keras\")`".into()
    } else if is(b"\x08")
        && bytes
            .get(1)
            .is_some_and(|version| (3..=20).contains(version))
    {
        "an ONNX network, which Gatefold writes but doesn't read: import what it was made from"
            .into()
    } else if is(b"GGUF") {
        "a GGUF file, which holds no recurrent networks".into()
    } else if is(b"\x93NUMPY") {
        "a NumPy array: save the network as PyTorch or Keras does".into()
    } else if is(b"\x1f\x8b") {
        "compressed with gzip: unpack it".into()
    } else {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(16)]).into_owned();
        format!(
            "no weights of PyTorch (.pt, .pth, .safetensors) or Keras (.keras, .weights.h5, .h5): it begins with \"{}\"",
            shown(&start)
        )
    };
    format!("it is {what}")
}
