//! Opening what somebody else may have put there: regular files alone, and of them no more than the
//! reader has room for.

use std::borrow::Cow;
use std::fs::{File, FileType, Metadata};
use std::io::Read;
use std::path::Path;

use crate::error::{DataError, Result};
use crate::limits::{NOT_MEANT, size};

/// Opens a regular file, or a link to one. A pipe, which may never end and never begin, a device
/// and a folder are refused, and not opened.
///
/// # Errors
/// [`DataError::NotFound`], [`DataError::NotAFile`], and [`DataError::Read`].
pub fn open_regular(path: &Path) -> Result<File> {
    Ok(open_sized(path)?.0)
}

/// [`open_regular`], and how many bytes there are.
pub(crate) fn open_sized(path: &Path) -> Result<(File, u64)> {
    // Before opening: that would wait for a pipe's writer, and some devices act on it. Afterwards:
    // something else may have got the name in between, and then is not read.
    check(path, &path.metadata().map_err(DataError::reading(path))?)?;
    let file = File::open(path).map_err(DataError::reading(path))?;
    let metadata = file.metadata().map_err(DataError::reading(path))?;
    check(path, &metadata)?;
    Ok((file, metadata.len()))
}

/// Reads a regular file, or what a link to one names, of at most `limit` bytes.
///
/// ```
/// # fn main() -> gatefold_data::Result<()> {
/// use gatefold_data::files::read_regular;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("films.csv");
/// # std::fs::write(&path, "text,label\n").unwrap();
/// assert_eq!(read_regular(&path, 1 << 20)?, b"text,label\n");
/// let error = read_regular(&path, 4).unwrap_err().to_string();
/// assert!(error.contains("films.csv: it has more than 4 bytes"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`open_regular`], and [`DataError::TooMuch`].
pub fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let (file, length) = open_sized(path)?;
    let mut bytes = Vec::new();
    if length <= limit {
        // The length is no promise: a file may grow.
        bytes.reserve(length as usize);
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(DataError::reading(path))?;
    }
    if length.max(bytes.len() as u64) > limit {
        return Err(DataError::TooMuch {
            path: path.into(),
            reason: format!("it has more than {}", size(limit)),
            remedy: NOT_MEANT,
        });
    }
    Ok(bytes)
}

/// Text from bytes that should be UTF-8; invalid bytes become U+FFFD, and `replaced` counts the
/// texts that had any.
pub(crate) fn text<'a>(bytes: &'a [u8], replaced: &mut usize) -> Cow<'a, str> {
    let text = String::from_utf8_lossy(bytes);
    *replaced += usize::from(matches!(text, Cow::Owned(_)));
    text
}

/// Refuses what is no regular file.
pub(crate) fn check(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(DataError::NotAFile {
        path: path.into(),
        kind: kind(metadata.file_type()),
    })
}

fn kind(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a link"
    } else {
        "something of the system's"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn message(path: &Path) -> String {
        read_regular(path, 100).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_is_no_file() {
        let root = tempfile::tempdir().unwrap();
        let message = message(root.path());
        assert!(
            message.contains("it is a folder, and only regular files are read"),
            "{message}"
        );
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_not_beyond() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        for (length, fits) in [(0, true), (99, true), (100, true), (101, false)] {
            fs::write(&path, vec![b'x'; length]).unwrap();
            let read = read_regular(&path, 100);
            assert_eq!(read.is_ok(), fits, "{length}");
            match read {
                Ok(bytes) => assert_eq!(bytes.len(), length),
                Err(error) => assert!(
                    error
                        .to_string()
                        .contains("file: it has more than 100 bytes"),
                    "{error}"
                ),
            }
        }
        // A file without content in it may still claim any length.
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(message(&path).contains("more than 100 bytes"));
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_refused_at_once_and_links_are_followed() {
        use std::os::unix::fs::symlink;
        use std::process::Command;

        let root = tempfile::tempdir().unwrap();
        let pipe = root.path().join("pipe");
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        assert!(message(&pipe).contains("it is a pipe"));
        assert!(message(Path::new("/dev/zero")).contains("it is a device"));
        let link = root.path().join("link");
        symlink("/dev/zero", &link).unwrap();
        assert!(message(&link).contains("it is a device"));
        fs::write(root.path().join("file"), "text").unwrap();
        fs::remove_file(&link).unwrap();
        symlink("file", &link).unwrap();
        assert_eq!(read_regular(&link, 100).unwrap(), b"text");
    }
}
