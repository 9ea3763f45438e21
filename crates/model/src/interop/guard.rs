//! What is looked at before a library reads a file: files come from anybody.
//!
//! Archives: at most so many entries, none compressed, and all within the file; so nothing grows by being read. Pickles:
//! at most so many opcodes, none that could ask for anything but the few names that weights need. No opcode is followed.

use std::borrow::Cow;
use std::io::Cursor;

use zip::{CompressionMethod, ZipArchive};

use super::InteropError;
use crate::weights::shown;

/// Entries of an archive.
const MOST_ENTRIES: usize = 10_000;
/// Bytes of what describes the weights in an archive: a pickle, or JSON.
pub(super) const MOST_DESCRIPTION: u64 = 4 << 20;
const MOST_OPCODES: usize = 1_000_000;

/// What begins an entry of an archive's directory.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";

/// An archive in memory whose entries are as they were stored.
pub(super) struct Archive<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
}

impl<'a> Archive<'a> {
    /// # Errors
    /// If it is damaged, has too many entries, or they are compressed or overlap.
    pub fn open(bytes: &'a [u8]) -> Result<Self, InteropError> {
        // Before a directory of millions is read. However it is found, each of its entries begins so.
        let entries = bytes.windows(DIRECTORY_ENTRY.len());
        let entries = entries.filter(|window| *window == DIRECTORY_ENTRY);
        if entries.take(MOST_ENTRIES + 1).count() > MOST_ENTRIES {
            return Err(InteropError::Refused(format!(
                "the archive has more than {MOST_ENTRIES} entries"
            )));
        }
        let damaged = |error| file_error("the archive", error);
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        let mut stored = 0_u64;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            let name = shown(&String::from_utf8_lossy(entry.name_raw()));
            if entry.compression() != CompressionMethod::Stored || entry.encrypted() {
                return Err(InteropError::Refused(format!(
                    "its entry {name} is compressed, as neither PyTorch nor Keras writes them: save the network again with \
                     the program that it is of"
                )));
            }
            stored = stored.saturating_add(entry.size());
            if entry.size() != entry.compressed_size() || stored > bytes.len() as u64 {
                return Err(InteropError::Refused(format!(
                    "its entry {name} claims more bytes than the file has"
                )));
            }
        }
        Ok(Self { archive })
    }

    /// The entries' names; what is no UTF-8 has none.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        (0..self.archive.len()).filter_map(|index| self.archive.name_for_index(index)?.ok())
    }

    /// Where in the file the bytes of an entry stand, of at most `most`.
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

pub(super) fn file_error(what: &str, error: impl std::fmt::Display) -> InteropError {
    InteropError::File(format!(
        "{what} can't be read: {}",
        shown(&error.to_string())
    ))
}

/// What follows an opcode.
enum Argument {
    Bytes(usize),
    /// A length of so many bytes, and that many bytes.
    Counted(usize),
    Line,
    /// A module and a name, a line each.
    Global,
}

/// What an opcode of protocols 0 to 3 is followed by; none of one that no weights need.
fn argument(opcode: u8) -> Option<Argument> {
    Some(match opcode {
        b'('
        | b'0'
        | b'1'
        | b'2'
        | b'N'
        | b'Q'
        | b'R'
        | b'a'
        | b'b'
        | b'd'
        | b'}'
        | b'e'
        | b'l'
        | b']'
        | b's'
        | b't'
        | b')'
        | b'u'
        | 0x81
        | 0x85..=0x89 => Argument::Bytes(0),
        b'K' | b'h' | b'q' | 0x80 => Argument::Bytes(1),
        b'M' => Argument::Bytes(2),
        b'J' | b'j' | b'r' => Argument::Bytes(4),
        b'G' => Argument::Bytes(8),
        b'U' | b'C' | 0x8a => Argument::Counted(1),
        b'T' | b'X' | b'B' | 0x8b => Argument::Counted(4),
        b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'g' | b'p' => Argument::Line,
        b'c' => Argument::Global,
        _ => return None,
    })
}

/// What `torch.save` of a state dict asks for.
fn is_expected(module: &[u8], name: &[u8]) -> bool {
    match module {
        b"collections" => name == b"OrderedDict",
        b"torch._utils" => matches!(
            name,
            b"_rebuild_tensor"
                | b"_rebuild_tensor_v2"
                | b"_rebuild_tensor_v3"
                | b"_rebuild_parameter"
                | b"_rebuild_parameter_with_state"
        ),
        b"torch" => name.ends_with(b"Storage") && name.iter().all(u8::is_ascii_alphanumeric),
        _ => false,
    }
}

/// Looks through a pickle for what no weights need.
///
/// # Errors
/// If it asks for something else by name, has too many opcodes or an unknown one, or ends before its end.
pub(super) fn check_pickle(pickle: &[u8]) -> Result<(), InteropError> {
    let mut left = pickle;
    let cut = || InteropError::File("its pickle ends too early".into());
    for _ in 0..MOST_OPCODES {
        let (&opcode, after) = left.split_first().ok_or_else(cut)?;
        left = after;
        let mut take = |count: usize| {
            let (taken, after) = left.split_at_checked(count).ok_or_else(cut)?;
            left = after;
            Ok::<_, InteropError>(taken)
        };
        if opcode == b'.' {
            return Ok(());
        }
        let Some(argument) = argument(opcode) else {
            return Err(InteropError::Refused(format!(
                "its pickle has the opcode {opcode:#04x}, which torch.save doesn't write: save the weights again with \
                 `torch.save(model.state_dict(), \"model.pt\")`"
            )));
        };
        match argument {
            Argument::Bytes(count) => drop(take(count)?),
            Argument::Counted(size) => {
                let length = take(size)?.iter().rev();
                let length = length.fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
                take(length)?;
            }
            Argument::Line => drop(line(&mut left).ok_or_else(cut)?),
            Argument::Global => {
                let module = line(&mut left).ok_or_else(cut)?;
                let name = line(&mut left).ok_or_else(cut)?;
                if !is_expected(module, name) {
                    let text = |bytes| shown(&String::from_utf8_lossy(bytes));
                    return Err(InteropError::Refused(format!(
                        "its pickle asks for {}.{}, which weights don't need and Gatefold doesn't run: save the weights \
                         alone, with `torch.save(model.state_dict(), \"model.pt\")`",
                        text(module),
                        text(name)
                    )));
                }
            }
        }
    }
    Err(InteropError::Refused(format!(
        "its pickle has more than {MOST_OPCODES} opcodes"
    )))
}

/// Takes a line, without its end.
fn line<'a>(left: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = left.iter().position(|&byte| byte == b'\n')?;
    let (line, after) = left.split_at(end);
    *left = &after[1..];
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pickle_may_ask_for_what_weights_need_and_for_nothing_else() {
        let asks = |module: &str, name: &str| {
            check_pickle(
                format!("\u{1}c{module}\n{name}\n.")
                    .replace('\u{1}', "")
                    .as_bytes(),
            )
        };
        for (module, name) in [
            ("collections", "OrderedDict"),
            ("torch", "FloatStorage"),
            ("torch._utils", "_rebuild_tensor_v2"),
        ] {
            assert_eq!(asks(module, name), Ok(()));
        }
        for (module, name) in [
            ("os", "system"),
            ("builtins", "eval"),
            ("collections", "OrderedDict.x"),
            ("torch", "hub.loadStorage"),
            ("torch.storage", "_load_from_bytes"),
            ("__main__", "Net"),
        ] {
            let error = asks(module, name).unwrap_err().to_string();
            assert!(
                error.contains(&format!("asks for {module}.{name}")),
                "{error}"
            );
        }
    }

    #[test]
    fn a_pickle_is_walked_to_its_end_and_not_further() {
        assert_eq!(
            check_pickle(b"\x80\x02}X\x02\x00\x00\x00hiK\x01s.cos\nsystem\n"),
            Ok(())
        );
        for cut in [
            &b"\x80\x02}"[..],
            b"X\xff\xff\xff\xffhi.",
            b"ccollections",
            b"",
        ] {
            assert!(
                matches!(check_pickle(cut), Err(InteropError::File(_))),
                "{cut:?}"
            );
        }
        // A global whose name is computed, an instance, an extension's code.
        for opcode in [b"\x93.", b"o.", b"\x82."] {
            assert!(matches!(
                check_pickle(opcode),
                Err(InteropError::Refused(_))
            ));
        }
        let many = [&vec![b'N'; MOST_OPCODES][..], b"."].concat();
        assert!(matches!(check_pickle(&many), Err(InteropError::Refused(_))));
    }
}
