//! PyTorch's `.pt`: a zip of a pickle, which names the tensors, and of their numbers.

use std::sync::Arc;

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::error::InteropError;
use super::export::Export;
use super::guard::{Archive, MOST_PICKLE, Place};
use super::pickle::{self, Described};
use super::slots::{Linear, Slot, walks};
use super::table::{Framework, Matrix};
use super::tensors::{Kind, TheirTensor};
use crate::weights::{Weights, shown};

/// Where PyTorch's own files begin a tensor's numbers, so that they can be mapped.
const ALIGNMENT: u16 = 64;

/// The tensors of a file.
pub(super) fn read(bytes: Vec<u8>) -> Result<Vec<TheirTensor>, InteropError> {
    let mut archive = Archive::open(&bytes)?.stored()?;
    let pickle = archive
        .names()
        .find(|name| is_pickle(name))
        .map(String::from);
    let pickle = pickle.expect("it was recognised by its pickle");
    let root = pickle.strip_suffix("data.pkl").unwrap_or_default();
    let order = format!("{root}byteorder");
    if archive.names().any(|name| name == order) && archive.entry(&order, 16)? != b"little" {
        return Err(InteropError::Refused(
            "its numbers are not little endian, as Gatefold reads them".into(),
        ));
    }
    let described = pickle::tensors(&archive.entry(&pickle, MOST_PICKLE)?)?;
    let places = described.iter().map(|tensor| {
        let storage = format!("{root}data/{}", tensor.storage);
        archive.place(&storage)
    });
    let places = places.collect::<Result<Vec<_>, _>>()?;
    let bytes = Arc::new(bytes);
    let mut tensors: Vec<TheirTensor> = described
        .into_iter()
        .zip(places)
        .map(|(described, place)| tensor(described, place, bytes.clone()))
        .collect();
    tensors.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(InteropError::File(format!(
            "the tensor {} is there twice",
            shown(&pair[0].name)
        )));
    }
    Ok(tensors)
}

/// Whether an entry is what names the tensors.
pub(super) fn is_pickle(name: &str) -> bool {
    name == "data.pkl" || name.ends_with("/data.pkl")
}

fn tensor(described: Described, place: Place, file: Arc<Vec<u8>>) -> TheirTensor {
    let kind = match &described.kind[..] {
        "Double" => Kind::F64,
        "Float" => Kind::F32,
        "Half" => Kind::F16,
        "BFloat16" => Kind::Bf16,
        other => Kind::Other(other.to_lowercase()),
    };
    let (name, shape, size) = (described.name.clone(), described.shape.clone(), kind.size());
    TheirTensor::new(name, shape, kind, move || {
        let damaged = |what: &str| {
            let name = shown(&described.name);
            InteropError::File(format!("the tensor {name} can't be read: {what}"))
        };
        let storage = &file[place.bytes.clone()];
        // Written without a checksum, it is 0.
        if place.checksum != 0 && crc32fast::hash(storage) != place.checksum {
            return Err(damaged("its checksum is wrong"));
        }
        gather(&described, storage, size).ok_or_else(|| damaged("it reaches beyond its storage"))
    })
}

/// A tensor's numbers, row-major, wherever they stand in their storage; none if they reach beyond it.
fn gather(described: &Described, storage: &[u8], size: usize) -> Option<Vec<u8>> {
    let Described {
        shape,
        strides,
        offset,
        ..
    } = described;
    if shape.len() != strides.len() {
        return None;
    }
    if shape.contains(&0) {
        return Some(Vec::new());
    }
    let farthest = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |last, (&size, &stride)| {
            last.checked_add(stride.checked_mul(size - 1)?)
        });
    if farthest?.checked_add(1)?.checked_mul(size)? > storage.len() {
        return None;
    }
    let row_major: Vec<usize> = strides_of(shape).collect();
    let count: usize = shape.iter().product();
    if *strides == row_major || count == 1 {
        return Some(storage[offset * size..][..count * size].to_vec());
    }
    let place = |index: usize| {
        let along = row_major.iter().zip(shape).zip(strides);
        let steps = along.map(|((&unit, &length), &stride)| index / unit % length * stride);
        offset + steps.sum::<usize>()
    };
    let numbers = (0..count).flat_map(|index| &storage[place(index) * size..][..size]);
    Some(numbers.copied().collect())
}

/// Numbers between neighbours along each axis of a row-major tensor.
fn strides_of(shape: &[usize]) -> impl Iterator<Item = usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product())
}

/// The weights as a state dict has them.
pub(super) fn named(export: &Export) -> Result<Weights, InteropError> {
    let mut theirs = Weights::default();
    let mut insert = |name: String, (shape, matrix): (Vec<usize>, Matrix)| {
        theirs.insert(name, shape, matrix.to_bytes());
    };
    if export.config.input_size.is_none() {
        let embedding = export.matrix(Slot::Embedding)?;
        insert(
            "embedding.weight".into(),
            (vec![embedding.rows, embedding.columns], embedding),
        );
    }
    for (layer, reverse) in walks(export.config) {
        let suffix = if reverse { "_reverse" } else { "" };
        for part in export.recurrent(Framework::PyTorch, layer, reverse)? {
            let name = format!("recurrent.{}_l{layer}{suffix}", part.name);
            insert(name, (part.shape, part.matrix));
        }
    }
    for (name, slot) in export.linear() {
        let weight = export.matrix(slot(Linear::Weight))?.transposed();
        insert(
            format!("{name}.weight"),
            (vec![weight.rows, weight.columns], weight),
        );
        let bias = export.matrix(slot(Linear::Bias))?;
        insert(format!("{name}.bias"), (vec![bias.columns], bias));
    }
    Ok(theirs)
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
        entry("data.pkl".into(), &to_pickle(tensors))?;
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
fn to_pickle(tensors: &Weights) -> Vec<u8> {
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
        push_counts(&mut pickle, strides_of(shape));
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
