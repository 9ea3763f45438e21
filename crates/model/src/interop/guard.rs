//! What is looked at before a library reads a file: files come from anybody.
//!
//! Archives: at most so many entries, none compressed, none there twice, and all within the file; so nothing grows by being
//! read.

use std::borrow::Cow;
use std::io::Cursor;
use std::ops::Range;

use zip::read::{ArchiveOffset, Config};
use zip::{CompressionMethod, ZipArchive};

use super::error::InteropError;
use crate::weights::shown;

/// Entries of an archive.
const MOST_ENTRIES: usize = 10_000;
/// Bytes of what describes weights: a pickle, or JSON. In memory it takes many times that.
pub(super) const MOST_DESCRIPTION: u64 = 1 << 20;
/// Bytes of a pickle, which takes less room than JSON.
pub(super) const MOST_PICKLE: u64 = 4 << 20;

/// What begins an entry of an archive's directory.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";

/// An archive in memory whose entries are as they were stored.
pub(super) struct Archive<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Of the file.
    bytes: u64,
}

/// Where an entry stands in its file.
pub(super) struct Place {
    pub bytes: Range<usize>,
    /// CRC-32; 0 if it was not taken.
    pub checksum: u32,
}

impl<'a> Archive<'a> {
    /// # Errors
    /// If it is damaged, or has too many entries or one twice.
    pub fn open(bytes: &'a [u8]) -> Result<Self, InteropError> {
        // Before a directory of millions is read. However it is found, each of its entries begins so.
        let entries = bytes.windows(DIRECTORY_ENTRY.len());
        let entries = entries.filter(|window| *window == DIRECTORY_ENTRY);
        let entries = entries.take(MOST_ENTRIES + 1).count();
        if entries > MOST_ENTRIES {
            return Err(InteropError::Refused(format!(
                "the archive has more than {MOST_ENTRIES} entries"
            )));
        }
        let damaged = |error| file_error("the archive", error);
        // Archives that stand behind something else are none of theirs. Where that is looked for, the second entry of some
        // of PyTorch's is taken for the first.
        let whole = Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let archive = ZipArchive::with_config(whole, Cursor::new(bytes)).map_err(damaged)?;
        if entries_named(bytes)?.is_some_and(|named| named != archive.len()) {
            return Err(InteropError::Refused(
                "the archive names an entry twice".into(),
            ));
        }
        let bytes = bytes.len() as u64;
        Ok(Self { archive, bytes })
    }

    /// The same, if none of its entries is compressed or claims more than the file has.
    pub fn stored(mut self) -> Result<Self, InteropError> {
        let damaged = |error| file_error("the archive", error);
        let mut stored = 0_u64;
        for index in 0..self.archive.len() {
            let entry = self.archive.by_index_raw(index).map_err(damaged)?;
            let name = shown(&String::from_utf8_lossy(entry.name_raw()));
            if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
                return Err(InteropError::Refused(format!(
                    "its entry {name} is compressed, as neither PyTorch nor Keras writes them: save the network again with \
                     the program that it is of"
                )));
            }
            stored = stored.saturating_add(entry.size());
            if entry.size() != entry.compressed_size() || stored > self.bytes {
                return Err(InteropError::Refused(format!(
                    "its entry {name} claims more bytes than the file has"
                )));
            }
        }
        Ok(self)
    }

    /// The entries' names; what is no UTF-8 has none.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.archive.len()).filter_map(|index| self.archive.name_for_index(index)?.ok())
    }

    /// Where in the file an entry's bytes stand.
    ///
    /// # Errors
    /// If there is no such entry, or it lies outside the file.
    pub fn place(&mut self, name: &str) -> Result<Place, InteropError> {
        let damaged = |what: &str| file_error(&format!("the archive's {}", shown(name)), what);
        let length = self.bytes;
        let entry = self
            .archive
            .by_name(name)
            .map_err(|error| damaged(&error.to_string()))?;
        let begin = entry.data_start().ok_or_else(|| damaged("it is nowhere"))?;
        let end = begin.checked_add(entry.size()).filter(|&end| end <= length);
        let end = end.ok_or_else(|| damaged("it ends beyond the file"))?;
        Ok(Place {
            bytes: begin as usize..end as usize,
            checksum: entry.crc32(),
        })
    }

    /// The bytes of an entry, at most `most`.
    ///
    /// # Errors
    /// If there is no such entry, or it is larger or damaged.
    pub fn entry(&mut self, name: &str, most: u64) -> Result<Vec<u8>, InteropError> {
        let mut entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(error) => return Err(file_error(&format!("the archive's {}", shown(name)), error)),
        };
        if entry.size() > most {
            return Err(InteropError::Refused(format!(
                "the archive's {} has {} bytes, more than the {most} that are read",
                shown(name),
                entry.size()
            )));
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        std::io::Read::read_to_end(&mut entry, &mut bytes)
            .map_err(|error| file_error(&format!("the archive's {}", shown(name)), error))?;
        Ok(bytes)
    }
}

/// How many entries an archive says that it has, at its end; none where it says that there are many.
///
/// # Errors
/// If it has two ends: readers differ in which one they take.
fn entries_named(bytes: &[u8]) -> Result<Option<usize>, InteropError> {
    const END: &[u8] = b"PK\x05\x06";
    let last = &bytes[bytes.len().saturating_sub(22 + usize::from(u16::MAX))..];
    let ends = last.windows(END.len()).enumerate();
    let mut ends = ends.filter(|(_, window)| *window == END);
    let end = ends.next();
    if ends.next().is_some() {
        return Err(InteropError::Refused("the archive has two ends".into()));
    }
    let count = end.and_then(|(end, _)| last.get(end + 10..end + 12)?.try_into().ok());
    let count = count.map(|count| usize::from(u16::from_le_bytes(count)));
    Ok(count.filter(|&count| count < usize::from(u16::MAX)))
}

pub(super) fn file_error(what: &str, error: impl std::fmt::Display) -> InteropError {
    InteropError::File(format!(
        "{what} can't be read: {}",
        shown(&error.to_string())
    ))
}
