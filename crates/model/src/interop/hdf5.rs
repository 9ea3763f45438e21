//! HDF5 as Keras writes it: contiguous tensors in groups. Nothing that a file links to is followed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_reader::btree_v1::collect_btree_v1_leaves_storage;
use hdf5_reader::error::Error;
use hdf5_reader::group::Group;
use hdf5_reader::io::Cursor;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::link::LinkTarget;
use hdf5_reader::symbol_table::SymbolTableNode;
use hdf5_reader::{
    Attribute, BytesStorage, Dataset, Datatype, Hdf5File, OpenOptions, Storage, StorageBuffer,
    StringSize, VarLenKind,
};
use hdf5_writer::{DatasetBuilder, Hdf5Builder, WriteOptions};

use super::error::InteropError;
use super::guard::{MOST_DESCRIPTION, file_error};
use super::tensors::{Kind, TheirTensor};
use crate::weights::shown;

/// What a file begins with.
pub(super) const MAGIC: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Groups in groups; Keras needs seven.
const DEEPEST: usize = 12;
/// Groups and tensors.
const MOST_NODES: usize = 10_000;
/// Texts that are said about one of them; of a network's layers, or of one's weights.
const MOST_TEXTS: usize = 500;
/// Bytes of what is said about one of them.
const MOST_HEADER: usize = 1 << 20;
/// In a symbol table, what is no object but the path of one.
const SOFT_LINK: u32 = 2;

/// Bytes that may be read again of a file: of its groups, some are.
const BESIDE: u64 = 1 << 17;

/// A file's bytes, of which no more are given than a file needs whose parts are each there for themselves. Parts that many
/// others name are read, and kept, once for each of them.
struct Metered {
    bytes: BytesStorage,
    left: AtomicU64,
}

impl Storage for Metered {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn read_range(&self, offset: u64, length: usize) -> Result<StorageBuffer, Error> {
        // What is looked up and found again costs something too.
        let cost = (length as u64).saturating_add(16);
        let take = |left: u64| left.checked_sub(cost);
        match self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(_) => self.bytes.read_range(offset, length),
            Err(_) => Err(Error::InvalidData(
                "its parts name each other again and again".into(),
            )),
        }
    }
}

/// A file in memory.
pub(super) struct Hdf5 {
    file: Hdf5File,
}

impl Hdf5 {
    pub fn open(bytes: Vec<u8>) -> Result<Self, InteropError> {
        // Nothing grows by being read, and a tensor has no more bytes than the file.
        let options = OpenOptions::default()
            .with_max_read_bytes(bytes.len())
            .with_max_chunk_bytes(bytes.len())
            .with_chunk_cache_bytes(0)
            .with_max_object_header_bytes(MOST_HEADER);
        let length = bytes.len() as u64;
        let storage = Arc::new(Metered {
            left: AtomicU64::new(length + BESIDE),
            bytes: BytesStorage::new(bytes),
        });
        let file = Hdf5File::from_storage_with_options(storage, options).map_err(damaged)?;
        let about = file.superblock();
        match about.base_address.checked_add(about.eof_address) {
            Some(end) if end <= length => Ok(Self { file }),
            _ => Err(damaged("it ends before the end that it names")),
        }
    }

    /// The tensors under `root`, in the order of their paths, which are their names without it.
    ///
    /// # Errors
    /// If there are too many, one is damaged, or there is a link.
    pub fn tensors(&self, root: &str) -> Result<Vec<TheirTensor>, InteropError> {
        let mut left = vec![(String::new(), self.file.group(root).map_err(damaged)?, 0)];
        let (mut tensors, mut nodes) = (Vec::new(), 0);
        while let Some((path, group, depth)) = left.pop() {
            self.refuse_links(&group)?;
            let (groups, datasets) = group.members().map_err(damaged)?;
            nodes += groups.len() + datasets.len();
            if nodes > MOST_NODES || depth == DEEPEST {
                return Err(InteropError::Refused(format!(
                    "it holds more than {MOST_NODES} groups and tensors, or more than {DEEPEST} levels of them"
                )));
            }
            for dataset in datasets {
                tensors.push(tensor(format!("{path}{}", dataset.name()), dataset)?);
            }
            for group in groups {
                left.push((format!("{path}{}/", group.name()), group, depth + 1));
            }
        }
        tensors.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tensors)
    }

    /// Whether there is such a group.
    pub fn has(&self, path: &str) -> bool {
        self.file.group(path).is_ok()
    }

    /// A text that is said about a group.
    pub fn text(&self, path: &str, name: &str) -> Result<Option<String>, InteropError> {
        let texts = self.attributes(path)?.remove(name);
        Ok(texts.unwrap_or_default().into_iter().next())
    }

    /// A list of texts that is said about a group. One that is long stands in parts: `name0`, `name1`, …
    pub fn texts(&self, path: &str, name: &str) -> Result<Vec<String>, InteropError> {
        let mut attributes = self.attributes(path)?;
        let mut texts = attributes.remove(name).unwrap_or_default();
        let parts = (0..).map_while(|part| attributes.remove(&format!("{name}{part}")));
        texts.extend(parts.flatten());
        Ok(texts)
    }

    /// The texts that are said about a group, by their names. The library would copy each as a whole, however long it is
    /// said to be.
    fn attributes(&self, path: &str) -> Result<HashMap<String, Vec<String>>, InteropError> {
        let group = self.file.group(path).map_err(damaged)?;
        // A length, a place in the file, and a place there.
        let reference = 4 + usize::from(group.offset_size()) + 4;
        let (mut bytes, mut count) = (0, 0);
        let mut attributes = HashMap::new();
        for raw in group.raw_attributes().map_err(damaged)? {
            let message = raw.message();
            let references = match &message.datatype {
                Datatype::String {
                    size: StringSize::Variable,
                    ..
                } => message.raw_data.chunks_exact(reference),
                Datatype::VarLen {
                    kind: VarLenKind::String,
                    ..
                } => message.raw_data.chunks_exact(reference),
                Datatype::String { .. } => {
                    let texts = Attribute::from_message(message.clone()).read_strings();
                    attributes.insert(raw.name().to_owned(), texts.map_err(damaged)?);
                    continue;
                }
                // An empty list is one of numbers.
                _ => continue,
            };
            let mut texts = Vec::new();
            for reference in references {
                let length = reference
                    .first_chunk()
                    .map_or(0, |length| u32::from_le_bytes(*length));
                bytes += u64::from(length);
                count += 1;
                if bytes > MOST_DESCRIPTION || count > MOST_TEXTS {
                    return Err(InteropError::Refused(format!(
                        "what is said of the group {}, such as {}, has more than {MOST_DESCRIPTION} bytes, or {MOST_TEXTS} texts",
                        shown(path),
                        shown(raw.name())
                    )));
                }
                let text = group
                    .resolve_vlen_reference_bytes(reference, 1)
                    .map_err(damaged)?;
                let text = String::from_utf8(text);
                texts.push(
                    text.map_err(|_| damaged("a text is no UTF-8"))?
                        .trim_end_matches('\0')
                        .to_owned(),
                );
            }
            attributes.insert(raw.name().to_owned(), texts);
        }
        Ok(attributes)
    }

    fn refuse_links(&self, group: &Group) -> Result<(), InteropError> {
        let header = self
            .file
            .get_or_parse_header(group.address())
            .map_err(damaged)?;
        for message in &header.messages {
            let links = match message {
                HdfMessage::Link(link) => !matches!(link.target, LinkTarget::Hard { .. }),
                HdfMessage::SymbolTable(table) => self.has_soft_link(group, table.btree_address)?,
                _ => false,
            };
            if links {
                return Err(InteropError::Refused(format!(
                    "its group {} holds a link to elsewhere, which Keras doesn't write and Gatefold doesn't follow",
                    shown(group.name())
                )));
            }
        }
        Ok(())
    }

    fn has_soft_link(&self, group: &Group, tree: u64) -> Result<bool, InteropError> {
        let (storage, offset, length) = (
            self.file.storage(),
            group.offset_size(),
            group.length_size(),
        );
        let leaves =
            collect_btree_v1_leaves_storage(storage, tree, offset, length, None, &[], None);
        for (_, node) in leaves.map_err(damaged)? {
            // A node's head, then its entries; the head says how many.
            let head = storage.read_range(node, 8).map_err(damaged)?;
            let count = usize::from(u16::from_le_bytes([head[6], head[7]]));
            let bytes = 8 + count * (2 * usize::from(offset) + 24);
            let bytes = storage.read_range(node, bytes).map_err(damaged)?;
            let node = SymbolTableNode::parse(&mut Cursor::new(&bytes), offset, length);
            let entries = node.map_err(damaged)?.entries;
            if entries.iter().any(|entry| entry.cache_type == SOFT_LINK) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn damaged(error: impl std::fmt::Display) -> InteropError {
    file_error("the HDF5 file", error)
}

/// What HDF5 says of the floats of IEEE 754 behind their size: offset, precision, place and size of the exponent and of the
/// mantissa, and the exponent's bias.
const FLOATS: [(u8, [u8; 12]); 3] = [
    (2, [0, 0, 16, 0, 10, 5, 0, 10, 15, 0, 0, 0]),
    (4, [0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0]),
    (8, [0, 0, 64, 0, 52, 11, 0, 52, 255, 3, 0, 0]),
];

fn tensor(name: String, dataset: Dataset) -> Result<TheirTensor, InteropError> {
    if let Datatype::FloatingPoint { size, .. } = dataset.dtype() {
        // The reader takes any floats of a size for these.
        let raw = dataset.raw_datatype().map_err(damaged)?;
        let usual = FLOATS.iter().find(|(usual, _)| usual == size);
        if usual.is_none_or(|(_, properties)| raw.get(8..20) != Some(properties)) {
            return Err(damaged(format!(
                "the floats of {} are none of IEEE 754",
                shown(&name)
            )));
        }
    }
    let kind = match dataset.dtype() {
        Datatype::FloatingPoint { size: 2, .. } => Kind::F16,
        Datatype::FloatingPoint { size: 4, .. } => Kind::F32,
        Datatype::FloatingPoint { size: 8, .. } => Kind::F64,
        Datatype::FixedPoint { size, signed, .. } => {
            let sign = if *signed { "int" } else { "uint" };
            Kind::Other(format!("{sign}{}", 8 * usize::from(*size)))
        }
        other => {
            let name = format!("{other:?}");
            Kind::Other(
                name.split([' ', '{'])
                    .next()
                    .unwrap_or_default()
                    .to_lowercase(),
            )
        }
    };
    let shape = dataset
        .shape()
        .iter()
        .map(|&size| usize::try_from(size).unwrap_or(usize::MAX));
    let shape = shape.collect();
    Ok(TheirTensor::new(name, shape, kind, move || {
        dataset.read_native_bytes().map_err(damaged)
    }))
}

/// A file of tensors, each with its path, shape and 32-bit floats. The same tensors make the same bytes.
pub(super) fn write(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Result<Vec<u8>, InteropError> {
    let failed = |error| InteropError::Export(format!("the weights can't be written: {error}"));
    let mut builder = Hdf5Builder::new();
    for (path, shape, values) in tensors {
        let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
        let dataset = DatasetBuilder::typed_data(path.clone(), shape, values).map_err(failed)?;
        builder = builder.dataset(dataset);
    }
    let plan = builder.into_plan().map_err(failed)?;
    plan.encode(WriteOptions::default()).map_err(failed)
}
