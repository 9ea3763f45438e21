//! Files that are there as a whole or not at all, and folders that one program writes at a time.
//!
//! Everything that a run keeps is written through here, in the order that a power cut asks for: the content
//! under a name of its own, synced; then the rename; then the folder synced.

mod lock;
#[cfg(test)]
pub(crate) mod simulation;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use gatefold_data::files::read_regular;
use tempfile::{Builder, NamedTempFile, TempDir};

pub use self::lock::Lock;

/// What is written is called `.gatefold.RANDOM.part` until it is whole.
const PREFIX: &str = ".gatefold.";
const SUFFIX: &str = ".part";

/// The text of a regular file of at most `most` bytes. A run, and what it names, may come from anybody.
///
/// # Errors
/// If there is none, it is larger, or no UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read_regular(path, most)?)
        .with_context(|| format!("cannot read {}: it is no UTF-8", path.display()))
}

/// Writes beside `path` and renames: a crash or a failure leaves the old file or the new one, never a part,
/// and two programs that write the same file leave one's or the other's.
///
/// # Errors
/// If something that is no regular file stands at `path`, a link among them; if the folder isn't there, or
/// can't be written to.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => bail!(
            "{}: it is a link; name the file itself, or remove the link",
            cannot()
        ),
        Ok(there) if !there.is_file() => bail!("{}: it is no regular file", cannot()),
        _ => write_beside(path, bytes).with_context(cannot),
    }
}

/// Writes what a person asked for to the place that they named: a pipe, a terminal or a device is written
/// to as it is, anything else [`replace`]d.
///
/// # Errors
/// As [`replace`].
pub fn write_output(path: &Path, bytes: &[u8]) -> Result<()> {
    let is_stream = |there: fs::Metadata| !there.is_file() && !there.is_dir();
    if !fs::metadata(path).is_ok_and(is_stream) {
        return replace(path, bytes);
    }
    File::options()
        .write(true)
        .open(path)
        .and_then(|mut stream| stream.write_all(bytes))
        .with_context(|| format!("cannot write to {}", path.display()))
}

fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path);
    about_to(Operation::Create, &[path])?;
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // As any program's files: all but what the user's mask takes away.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut part = builder.tempfile_in(folder)?;
    about_to(Operation::Write, &[part.path()])?;
    part.write_all(bytes)?;
    about_to(Operation::Sync, &[part.path()])?;
    sync(part.as_file())?;
    about_to(Operation::Rename, &[part.path(), path])?;
    rename(part, path)?;
    sync_folder(folder)
}

/// Windows refuses while somebody reads the old file, as virus scanners do for a moment.
fn rename(mut part: NamedTempFile, path: &Path) -> io::Result<()> {
    let mut patience = if cfg!(windows) { 20 } else { 0 };
    loop {
        match part.persist(path) {
            Ok(_) => return Ok(()),
            Err(refused) if patience > 0 && refused.error.kind() == ErrorKind::PermissionDenied => {
                patience -= 1;
                part = refused.file;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            Err(refused) => return Err(refused.error),
        }
    }
}

/// Lets new names in `folder` outlive a power cut. Only Unix opens folders, and some file systems can't sync
/// them: there the names are as safe as that system makes them.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    about_to(Operation::SyncFolder, &[folder])?;
    match sync(&File::open(folder)?) {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

fn sync(file: &File) -> io::Result<()> {
    // A simulated disk needs none, and real ones take their time.
    #[cfg(test)]
    if simulation::is_under_way() {
        return Ok(());
    }
    file.sync_all()
}

/// Makes a folder and those above it, as far as they are missing.
///
/// # Errors
/// If one can't be made; the message names `path`.
pub fn create_folder(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|folder| *folder != Path::new("") && !folder.exists())
        .collect();
    let create = || {
        about_to(Operation::CreateFolder, &[path])?;
        fs::create_dir_all(path)?;
        missing
            .iter()
            .rev()
            .try_for_each(|made| sync_folder(parent(made)))
    };
    create().with_context(|| format!("cannot make the folder {}", path.display()))
}

/// Makes a folder where nothing is yet.
pub(crate) fn create_new_folder(path: &Path) -> io::Result<()> {
    about_to(Operation::CreateFolder, &[path])?;
    fs::create_dir(path)?;
    sync_folder(parent(path))
}

/// Makes a folder beside `path`, to be renamed to it when it is whole; until then it goes with what this returns.
pub(crate) fn new_folder_beside(path: &Path) -> io::Result<TempDir> {
    about_to(Operation::CreateFolder, &[path])?;
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    // As any program's folders: all but what the user's mask takes away.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(parent(path))
}

/// Removes a file; one that is gone already is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    about_to(Operation::Remove, &[path])?;
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes what writers that were killed left in `folder`. Nobody else may be writing there.
pub(crate) fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name();
        let is_part = name.to_str().is_some_and(|name| {
            name.len() > PREFIX.len() + SUFFIX.len()
                && name.starts_with(PREFIX)
                && name.ends_with(SUFFIX)
        });
        if is_part && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // One that can't be removed does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The folder that a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// What is about to be done to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Write,
    Sync,
    Rename,
    SyncFolder,
    CreateFolder,
    Remove,
}

/// Called before each operation, with the paths that it touches. Tests let each fail in turn.
#[cfg(not(test))]
fn about_to(_: Operation, _: &[&Path]) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
use simulation::about_to;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_replaced_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for text in ["first", "second"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_state() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir_all(taken.join("inside")).unwrap();
        for write in [replace, write_output] {
            let error = write(&taken, b"text").unwrap_err().to_string();
            assert!(error.contains("taken"), "{error}");
            assert!(write(&folder.path().join("nowhere/file"), b"text").is_err());
        }
        assert_eq!(names(folder.path()), ["taken"]);
    }

    #[test]
    fn writers_of_one_file_at_once_leave_one_of_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let contents = [1u8, 2, 3, 4].map(|byte| vec![byte; 100_000]);
        std::thread::scope(|scope| {
            for content in &contents {
                let path = &path;
                scope.spawn(move || (0..50).for_each(|_| replace(path, content).unwrap()));
            }
        });
        assert!(contents.contains(&fs::read(&path).unwrap()));
        assert_eq!(names(folder.path()), ["file"]);
    }

    #[test]
    fn what_killed_writers_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let kept = [
            ".gatefold.part",
            "gatefold.abc.part",
            ".gatefold.abc.partly",
        ];
        for name in [".gatefold.abc.part", ".gatefold.Zz09.part"]
            .iter()
            .chain(&kept)
        {
            fs::write(folder.path().join(name), "half").unwrap();
        }
        fs::create_dir(folder.path().join(".gatefold.folder.part")).unwrap();
        sweep(folder.path());
        let mut left = names(folder.path());
        left.sort();
        let mut expected = [&kept[..], &[".gatefold.folder.part"]].concat();
        expected.sort();
        assert_eq!(left, expected);
    }

    #[cfg(unix)]
    mod unix {
        use std::io::Read;
        use std::os::unix::fs::{PermissionsExt, symlink};
        use std::process::Command;

        use super::*;

        #[test]
        fn no_link_is_followed_and_none_is_replaced() {
            let folder = tempfile::tempdir().unwrap();
            let [other, link, nowhere] =
                ["other", "link", "nowhere"].map(|name| folder.path().join(name));
            fs::write(&other, "mine").unwrap();
            symlink(&other, &link).unwrap();
            symlink(folder.path().join("missing"), &nowhere).unwrap();
            for write in [replace, write_output] {
                for path in [&link, &nowhere] {
                    let error = write(path, b"text").unwrap_err().to_string();
                    assert!(error.contains("it is a link"), "{error}");
                    assert!(path.is_symlink());
                }
            }
            assert_eq!(fs::read(&other).unwrap(), b"mine");
            // Nor a second name of a file: what it stood for stays as it was.
            let second = folder.path().join("second");
            fs::hard_link(&other, &second).unwrap();
            replace(&second, b"text").unwrap();
            assert_eq!(fs::read(&other).unwrap(), b"mine");
        }

        #[test]
        fn a_pipe_is_written_to_where_a_person_named_it_and_refused_elsewhere() {
            let folder = tempfile::tempdir().unwrap();
            let pipe = folder.path().join("pipe");
            assert!(
                Command::new("mkfifo")
                    .arg(&pipe)
                    .status()
                    .unwrap()
                    .success()
            );
            let error = replace(&pipe, b"text").unwrap_err().to_string();
            assert!(error.contains("no regular file"), "{error}");
            let reader = std::thread::spawn({
                let pipe = pipe.clone();
                move || {
                    let mut text = String::new();
                    File::open(pipe).unwrap().read_to_string(&mut text).unwrap();
                    text
                }
            });
            write_output(&pipe, b"text").unwrap();
            assert_eq!(reader.join().unwrap(), "text");
        }

        #[test]
        fn others_may_read_what_the_users_mask_lets_them() {
            let folder = tempfile::tempdir().unwrap();
            let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
            replace(&ours, b"").unwrap();
            fs::write(&plain, "").unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode(&ours), mode(&plain));
        }
    }
}
