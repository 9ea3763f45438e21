//! What tells one file from another, wherever they lie.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use gatefold_data::files::open_regular;
use md5::{Digest, Md5};

/// The MD5 of a file's bytes, in hexadecimal: it tells one table from another, whatever they are called.
///
/// # Errors
/// If it is no regular file, or can't be read.
pub fn file_hash(path: &Path) -> Result<String> {
    let reading = || format!("cannot read {}", path.display());
    let mut file = open_regular(path)?;
    let (mut hasher, mut bytes) = (Md5::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut bytes).with_context(reading)?;
        if read == 0 {
            break;
        }
        hasher.update(&bytes[..read]);
    }
    let hash = hasher.finalize();
    Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_hash_is_that_of_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(
            file_hash(&path).unwrap(),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        file_hash(folder.path()).unwrap_err();
    }
}
