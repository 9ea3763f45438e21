//! Files that are there as a whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// Writes beside `path` and renames: a crash leaves the old file or the new one, never a part.
///
/// # Errors
/// If the folder isn't there, or can't be written to.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut beside = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(path))?;
        beside.write_all(bytes)?;
        beside.as_file().sync_all()?;
        #[cfg(unix)]
        {
            // As any other new file, not for its owner's eyes alone.
            use std::os::unix::fs::PermissionsExt;
            beside
                .as_file()
                .set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        beside.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
