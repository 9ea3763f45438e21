//! A disk that fails, and one that loses power, for tests: what [`super`] does on this thread goes through
//! [`about_to`] first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Operation, parent};

/// What becomes of the operations, counted from 0.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    /// All succeed.
    Sound,
    /// This one fails.
    FailOnce(usize),
    /// This one fails, and so do all after it.
    FailFrom(usize),
}

thread_local! {
    static DISK: RefCell<Option<Disk>> = const { RefCell::new(None) };
}

/// What a power cut would leave of the files that were written since the simulation began.
#[derive(Debug)]
pub(crate) struct Disk {
    plan: Plan,
    count: usize,
    /// What was synced of files under their first names.
    synced: BTreeMap<PathBuf, Vec<u8>>,
    /// What outlives a power cut; none for a folder.
    durable: BTreeMap<PathBuf, Option<Vec<u8>>>,
    /// Names that may or may not outlive it, until their folder is synced: what they stand for, nothing
    /// where one is removed.
    pending: Vec<(PathBuf, Option<Entry>)>,
}

/// A name's content: a folder has none.
type Entry = Option<Vec<u8>>;

/// Runs `work` on a disk that behaves by `plan`.
pub(crate) fn simulate<T>(plan: Plan, work: impl FnOnce() -> T) -> (T, Disk) {
    let disk = Disk {
        plan,
        count: 0,
        synced: BTreeMap::new(),
        durable: BTreeMap::new(),
        pending: Vec::new(),
    };
    DISK.with_borrow_mut(|place| *place = Some(disk));
    let result = work();
    let disk = DISK.take().expect("the simulation goes on until here");
    (result, disk)
}

pub(super) fn is_under_way() -> bool {
    DISK.with_borrow(Option::is_some)
}

/// Fails if the simulation under way wants that.
pub(super) fn about_to(operation: Operation, paths: &[&Path]) -> io::Result<()> {
    DISK.with_borrow_mut(|disk| match disk {
        Some(disk) => disk.about_to(operation, paths),
        None => Ok(()),
    })
}

impl Disk {
    fn about_to(&mut self, operation: Operation, paths: &[&Path]) -> io::Result<()> {
        let number = self.count;
        self.count += 1;
        let fails = match self.plan {
            Plan::Sound => false,
            Plan::FailOnce(at) => number == at,
            Plan::FailFrom(at) => number >= at,
        };
        if fails {
            return Err(io::Error::other(format!("{operation:?} {number} failed")));
        }
        match (operation, paths) {
            (Operation::Sync, [part]) => {
                self.synced.insert(part.to_path_buf(), fs::read(part)?);
            }
            (Operation::Rename, [part, path]) => {
                // What was not synced is lost, though its name may stay.
                let content = self.synced.remove(*part).unwrap_or_default();
                self.pending.push((path.to_path_buf(), Some(Some(content))));
            }
            (Operation::CreateFolder, [folder]) => {
                let missing = folder.ancestors().take_while(|folder| !folder.exists());
                let missing: Vec<_> = missing.collect();
                for folder in missing.into_iter().rev() {
                    self.pending.push((folder.to_path_buf(), Some(None)));
                }
            }
            (Operation::Remove, [path]) => self.pending.push((path.to_path_buf(), None)),
            (Operation::SyncFolder, [folder]) => {
                let here = |(path, _): &mut (PathBuf, _)| parent(path) == *folder;
                for (path, entry) in self.pending.extract_if(.., here) {
                    set(&mut self.durable, path, entry);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// How many operations there were.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many names' fate is open.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Puts `root` into the state that a power cut leaves: of the names whose fate is open, those stay for
    /// which `stays` says so, by their number. A file in a folder whose name is lost is lost too.
    pub fn lose_power(&self, root: &Path, stays: impl Fn(usize) -> bool) {
        let mut left = self.durable.clone();
        for (number, (path, entry)) in self.pending.iter().cloned().enumerate() {
            if stays(number) {
                set(&mut left, path, entry);
            }
        }
        fs::remove_dir_all(root).unwrap();
        fs::create_dir(root).unwrap();
        for (path, content) in left {
            match content {
                Some(content) if path.parent().is_some_and(Path::is_dir) => {
                    fs::write(path, content).unwrap();
                }
                Some(_) => {}
                None => drop(fs::create_dir(path)),
            }
        }
    }
}

fn set(names: &mut BTreeMap<PathBuf, Entry>, path: PathBuf, entry: Option<Entry>) {
    match entry {
        Some(content) => drop(names.insert(path, content)),
        None => drop(names.remove(&path)),
    }
}
