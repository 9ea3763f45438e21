//! One program writes a folder at a time.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// The lock's file. It stays when the lock is given up: whoever removed it could take it from under another
/// program that has just opened it.
const NAME: &str = ".lock";

/// A process's number is short.
const LONGEST: u64 = 32;

/// The right to write a folder, until this is dropped or the process ends, however it ends: the operating
/// system holds the lock.
#[derive(Debug)]
pub struct Lock {
    /// Held open.
    file: File,
}

impl Drop for Lock {
    /// Closing the file is not enough: a process that is just being started holds it open for a moment too.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock of a folder that is there, at once or not at all.
    ///
    /// # Errors
    /// If another program holds it, which the message names; or if the folder can't be written to.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let cannot = || format!("cannot lock the folder {}", folder.display());
        match File::create_new(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).with_context(cannot);
            }
            _ => {}
        }
        // What stands there in a folder that was handed on may be a link, or somebody's file.
        ensure!(
            fs::symlink_metadata(&path).with_context(cannot)?.is_file(),
            "{}: {NAME} in it is no regular file",
            cannot()
        );
        let file = File::options().read(true).write(true).open(&path);
        let mut file = file.with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            // Some network file systems have no locks: there it is up to their users.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::WouldBlock) => {
                let holder = match holder(&mut file) {
                    Some(process) if !process.is_empty() => format!(" (process {process})"),
                    _ => String::new(),
                };
                bail!(
                    "{} is being written by another program{holder}: wait for its end, or name another folder",
                    folder.display()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(cannot),
        }
        ensure!(
            holder(&mut file).is_some(),
            "{}: {NAME} in it is no lock of Gatefold's",
            cannot()
        );
        let mut note = || {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(std::process::id().to_string().as_bytes())
        };
        note().with_context(cannot)?;
        Ok(Self { file })
    }

    /// Whether a folder has or had a lock.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(NAME).symlink_metadata().is_ok()
    }

    /// Whether `path` is a lock's file.
    pub fn is_its_file(path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == NAME)
    }
}

/// The number of the process that wrote the lock's file last, empty before the first. None if something else
/// stands there.
fn holder(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(LONGEST + 1).read_to_string(&mut text).ok()?;
    let is_number = text.len() as u64 <= LONGEST && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_once_and_free_again_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another program"), "{error}");
        // Windows lets nobody read a locked file.
        if cfg!(unix) {
            assert!(error.contains(&std::process::id().to_string()), "{error}");
        }
        drop(lock);
        Lock::take(folder.path()).unwrap();
        assert!(Lock::is_in(folder.path()));
    }

    #[test]
    fn what_is_no_lock_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        for text in ["a diary", &"7".repeat(1000)] {
            fs::write(&path, text).unwrap();
            let error = Lock::take(folder.path()).unwrap_err().to_string();
            assert!(error.contains("is no lock"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert!(Lock::take(&folder.path().join("nowhere")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join(NAME)).unwrap();
        let error = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
        assert_eq!(fs::read(&other).unwrap(), b"");
    }
}
