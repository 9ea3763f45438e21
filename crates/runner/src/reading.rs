//! Files that somebody may have handed on.

use std::fs::{self, File};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// The text of a regular file of at most `most` bytes: a pipe or a device may never end.
pub(crate) fn read_text(path: &Path, most: u64) -> Result<String> {
    let invalid = |what| Error::new(ErrorKind::InvalidData, what);
    // Before it is opened: opening a pipe waits for whoever writes.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(invalid("it is no regular file".into()));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(invalid(format!(
            "it has {} bytes, more than the {most} that are read",
            metadata.len()
        )));
    }
    String::from_utf8(bytes).map_err(|_| invalid("it is no UTF-8".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "1234").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "1234");
        let error = read_text(&path, 3).unwrap_err().to_string();
        assert_eq!(error, "it has 4 bytes, more than the 3 that are read");
        fs::write(&path, b"\xff").unwrap();
        assert!(
            read_text(&path, 4)
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
        let folder = read_text(folder.path(), 4).unwrap_err().to_string();
        assert_eq!(folder, "it is no regular file");
    }
}
