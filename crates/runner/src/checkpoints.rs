//! The checkpoints in a run's folder.
//!
//! Each is a file named `NUMBER-HASH.safetensors`: the MD5 hash of its bytes tells a whole one from a damaged
//! one. [`gatefold_training::checkpoint`] says what is in it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use gatefold_data::DataError;
use gatefold_data::files::read_regular;
use gatefold_training::checkpoint::{Checkpoint, Refused};
use gatefold_training::hash;

use crate::files;

/// A damaged one leaves the one before it.
const KEPT: usize = 2;

/// The checkpoints of a run.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    /// Those that were written or read whole.
    whole: BTreeSet<Name>,
    /// Those that are of no use.
    damaged: BTreeSet<Name>,
}

impl Checkpoints {
    /// Those in `folder`, which need not be there yet.
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            whole: BTreeSet::new(),
            damaged: BTreeSet::new(),
        }
    }

    /// Writes one and removes those before the last two that are known to be whole, and those known to be
    /// damaged. Files of other names stay.
    ///
    /// # Errors
    /// If a file can't be written; those that were there stay.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        files::create_folder(&self.folder)?;
        let earlier = self.list()?;
        let name = Name {
            number: earlier.last().map_or(1, |last| last.number + 1),
            hash: hash(bytes),
        };
        files::replace(&self.folder.join(name.to_string()), bytes)?;
        self.whole.insert(name);
        let first_kept = self.whole.iter().rev().nth(KEPT - 1);
        for old in &earlier {
            if first_kept.is_some_and(|first| old < first) || self.damaged.contains(old) {
                // One that can't be removed does no harm.
                let _ = files::remove(&self.folder.join(old.to_string()));
            }
        }
        Ok(())
    }

    /// The last one that is whole, of at most `most` bytes, and that `take` can go on from, as `take` returns it.
    /// `on_damaged` hears of those after it, and why they are of no use.
    ///
    /// # Errors
    /// If a file can't be read, or is none of this version's; or if `take` [refuses](Refused) to go on at all.
    pub fn latest<T>(
        &mut self,
        most: u64,
        take: &mut dyn FnMut(Checkpoint) -> Result<T, Refused>,
        on_damaged: &mut dyn FnMut(&Path, &str),
    ) -> Result<Option<T>> {
        for name in self.list()?.into_iter().rev() {
            let path = self.folder.join(name.to_string());
            let taken = read(&path, most, &name.hash)
                .and_then(|bytes| Checkpoint::from_bytes(&bytes))
                .and_then(&mut *take);
            match taken {
                Ok(taken) => {
                    self.whole.insert(name);
                    return Ok(Some(taken));
                }
                Err(Refused::Damaged(why)) => {
                    self.damaged.insert(name);
                    on_damaged(&path, &why);
                }
                Err(why) => {
                    return Err(anyhow!(why)).with_context(|| {
                        format!("cannot go on from the checkpoint {}", path.display())
                    });
                }
            }
        }
        Ok(None)
    }

    /// The first one first.
    fn list(&self) -> Result<Vec<Name>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read the folder {}", self.folder.display()));
            }
        };
        let mut names: Vec<Name> = entries.filter_map(|entry| Name::of(&entry.ok()?)).collect();
        names.sort();
        Ok(names)
    }

    /// Whether there is any, whole or not.
    pub fn is_empty(&self) -> bool {
        self.list().is_ok_and(|names| names.is_empty())
    }
}

/// A checkpoint's bytes, if they are those that were written.
fn read(path: &Path, most: u64, expected: &str) -> Result<Vec<u8>, Refused> {
    let bytes = read_regular(path, most).map_err(|error| match error {
        DataError::TooMuch { .. } => Refused::Damaged(error.to_string()),
        error => Refused::Other(format!("{:#}", anyhow!(error))),
    })?;
    if hash(&bytes) != expected {
        return Err(Refused::Damaged(
            "its content is not the one that was written".into(),
        ));
    }
    Ok(bytes)
}

/// What a checkpoint's file is called: `NUMBER-HASH.safetensors`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    number: u64,
    hash: String,
}

impl Name {
    /// None if it is called otherwise, as a copy of somebody's is, or is no regular file.
    fn of(entry: &fs::DirEntry) -> Option<Self> {
        let name = entry.file_name();
        let (number, hash) = name
            .to_str()?
            .strip_suffix(".safetensors")?
            .split_once('-')?;
        let name = Self {
            number: number.parse().ok().filter(|&number| number < u64::MAX)?,
            hash: hash.to_owned(),
        };
        let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_hash = hash.len() == 32 && hash.bytes().all(is_digit);
        let is_ours = is_hash && *entry.file_name() == *name.to_string();
        (is_ours && entry.file_type().ok()?.is_file()).then_some(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:06}-{}.safetensors", self.number, self.hash)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use burn::tensor::Device;
    use gatefold_training::checkpoint::Header;
    use gatefold_training::{Progress, RunConfig};

    use super::*;

    fn checkpoint(step: usize) -> Vec<u8> {
        let config = RunConfig::default();
        let network = config.model.init(1, &Device::flex()).unwrap();
        let mut progress = Progress::default();
        progress.step = step;
        let checkpoint = Checkpoint {
            header: Header {
                version: env!("CARGO_PKG_VERSION").into(),
                data: "hash".into(),
                optimizer_steps: 7,
                progress,
                config,
            },
            network: Arc::new(network.weights().unwrap()),
            best: None,
            refitted: None,
            first: None,
            average: BTreeMap::new(),
            moments: BTreeMap::new(),
            carried: Vec::new(),
        };
        checkpoint.to_bytes().unwrap()
    }

    /// All checkpoints' paths.
    fn paths(checkpoints: &Checkpoints) -> Vec<PathBuf> {
        let names = checkpoints.list().unwrap().into_iter();
        let path = |name: Name| checkpoints.folder.join(name.to_string());
        names.map(path).collect()
    }

    /// The latest one's step, and how many damaged ones were met.
    fn latest(checkpoints: &mut Checkpoints) -> (Option<usize>, usize) {
        let mut damaged = 0;
        let step = &mut |checkpoint: Checkpoint| Ok(checkpoint.header.progress.step);
        let found = checkpoints.latest(1 << 30, step, &mut |_, _| damaged += 1);
        (found.unwrap(), damaged)
    }

    #[test]
    fn two_are_kept_and_a_damaged_one_gives_way_to_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut checkpoints = Checkpoints::of(&folder.path().join("checkpoints"));
        assert_eq!(latest(&mut checkpoints), (None, 0));
        for step in 1..=4 {
            checkpoints.write(&checkpoint(step)).unwrap();
        }
        let kept = paths(&checkpoints);
        assert_eq!(kept.len(), 2);
        assert_eq!(latest(&mut checkpoints), (Some(4), 0));

        let mut bytes = fs::read(&kept[1]).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&kept[1], &bytes).unwrap();
        assert_eq!(latest(&mut checkpoints), (Some(3), 1), "a bit turned");
        fs::write(&kept[1], &bytes[..100]).unwrap();
        assert_eq!(latest(&mut checkpoints), (Some(3), 1), "cut short");
        fs::write(&kept[0], "").unwrap();
        assert_eq!(latest(&mut checkpoints), (None, 2), "both damaged");
    }

    #[test]
    fn a_damaged_one_pushes_no_whole_one_out_and_foreign_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Checkpoints::of(folder.path());
        for step in 1..=2 {
            first.write(&checkpoint(step)).unwrap();
        }
        let foreign = [
            "000001-backup.safetensors",
            "1-00112233445566778899aabbccddeeff.safetensors",
            "000001-00112233445566778899AABBCCDDEEFF.safetensors",
            "notes.txt",
        ];
        for name in foreign {
            fs::write(folder.path().join(name), "mine").unwrap();
        }
        fs::write(&paths(&first)[1], "damaged").unwrap();

        // Another program goes on: it meets the damaged one, and writes.
        let mut second = Checkpoints::of(folder.path());
        assert_eq!(latest(&mut second), (Some(1), 1));
        second.write(&checkpoint(3)).unwrap();
        let kept = paths(&second);
        assert_eq!(kept.len(), 2, "the damaged one goes: {kept:?}");
        fs::write(&kept[1], "damaged").unwrap();
        assert_eq!(latest(&mut second), (Some(1), 1), "the whole one is there");
        second.write(&checkpoint(4)).unwrap();
        second.write(&checkpoint(5)).unwrap();
        assert_eq!(latest(&mut Checkpoints::of(folder.path())), (Some(5), 0));
        assert_eq!(paths(&second).len(), 2);
        for name in foreign {
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"mine");
        }
    }
}
