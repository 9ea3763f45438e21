//! Checkpoints: all that an interrupted training needs to go on as if nothing had happened.
//!
//! A checkpoint is a SafeTensors file named `NUMBER-HASH.safetensors`: the MD5 hash of its bytes tells a
//! whole one from a damaged one. It holds
//!
//! | entry | what it is |
//! | --- | --- |
//! | `network.PATH` | the weights, by their paths in the network |
//! | `best.PATH` | the weights of the best epoch so far, if one is done |
//! | `adam.first.PATH`, `adam.second.PATH` | the optimizer's moments `[N]` |
//! | the metadata's `gatefold` | a [`Header`] as TOML |
//!
//! Batches, dropout and learning rate follow from the seed and the position: there is no random state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use gatefold_data::DataError;
use gatefold_data::files::read_regular;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::RunConfig;
use crate::evaluation::Totals;
use crate::files::{self, hash};
use crate::run_folder::EpochMetrics;

const METADATA: &str = "gatefold";
/// A damaged one leaves the one before it.
const KEPT: usize = 2;

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Gatefold's version.
    pub version: String,
    /// The hash of the examples that are trained and validated on.
    pub data: String,
    /// Adam's steps so far.
    pub optimizer_steps: u64,
    /// Where the run stands.
    pub progress: Progress,
    /// The run's settings.
    pub config: RunConfig,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done of the epoch under way.
    pub step: usize,
    /// What those steps' answers sum up to.
    pub(crate) totals: Totals,
    /// Seconds spent on the epoch under way.
    pub epoch_seconds: f64,
    /// Seconds spent on training steps alone, of all epochs.
    pub step_seconds: f64,
    /// Seconds spent in all.
    pub seconds: f64,
    /// The epochs that are done.
    pub epochs: Vec<EpochMetrics>,
}

impl Progress {
    /// The epoch with the lowest validation loss, the first one of equals.
    pub fn best(&self) -> Option<&EpochMetrics> {
        EpochMetrics::best_of(&self.epochs)
    }
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What it says of itself.
    pub header: Header,
    /// The weights, as a SafeTensors file's bytes.
    pub network: Vec<u8>,
    /// The best epoch's weights, as a SafeTensors file's bytes.
    pub best: Option<Vec<u8>>,
    /// Adam's first and second moments, by their parameters' paths.
    pub moments: BTreeMap<String, [Vec<f32>; 2]>,
}

impl Checkpoint {
    /// Whether a run of these settings and examples can go on from here.
    ///
    /// # Errors
    /// Says what is another: the settings, or the examples.
    pub fn check(&self, config: &RunConfig, data: &str) -> Result<()> {
        let mut of_checkpoint = self.header.config.clone();
        // They shape no result, and the data may have moved.
        of_checkpoint.training.checkpoint_minutes = config.training.checkpoint_minutes;
        of_checkpoint.dataset = config.dataset.clone();
        if of_checkpoint != *config {
            let [theirs, ours] = [&of_checkpoint, config].map(RunConfig::to_toml);
            let (theirs, ours) = (theirs?, ours?);
            let differs: Vec<String> = theirs
                .lines()
                .filter(|line| !ours.lines().any(|other| other == *line))
                .map(|line| format!("`{line}`"))
                .collect();
            bail!(
                "it is of another network or training than config.toml describes: it has {}",
                if differs.is_empty() {
                    "fewer settings".into()
                } else {
                    differs.join(", ")
                }
            );
        }
        ensure!(
            self.header.data == data,
            "the dataset is not the one that it was trained on"
        );
        Ok(())
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let network = SafeTensors::deserialize(&self.network)?;
        let best = self
            .best
            .as_deref()
            .map(SafeTensors::deserialize)
            .transpose()?;
        let moments: Vec<(String, Vec<u8>)> = self
            .moments
            .iter()
            .flat_map(|(path, moments)| {
                ["first", "second"]
                    .into_iter()
                    .zip(moments)
                    .map(move |(name, values)| {
                        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                        (format!("adam.{name}.{path}"), bytes.collect())
                    })
            })
            .collect();
        let mut views = Vec::new();
        for (path, view) in network.iter() {
            views.push((format!("network.{path}"), view));
        }
        for (path, view) in best.iter().flat_map(|best| best.iter()) {
            views.push((format!("best.{path}"), view));
        }
        for (path, bytes) in &moments {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes)?;
            views.push((path.clone(), view));
        }
        let header = toml::to_string(&self.header)?;
        let metadata = HashMap::from([(METADATA.to_owned(), header)]);
        Ok(safetensors::serialize(views, Some(metadata))?)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        let header = Self::header(bytes)?;
        Self::with_tensors(header, bytes).map_err(Refused::Damaged)
    }

    fn header(bytes: &[u8]) -> Result<Header, Refused> {
        let read = || -> Result<(String, toml::Table)> {
            let (_, metadata) = SafeTensors::read_metadata(bytes)?;
            let header = metadata
                .metadata()
                .as_ref()
                .and_then(|entries| entries.get(METADATA))
                .context("it is no checkpoint of Gatefold's")?;
            Ok((header.clone(), toml::from_str(header)?))
        };
        let (header, table) = read().map_err(Refused::Damaged)?;
        // Another version's header may have other entries: its version alone is always there.
        let ours = env!("CARGO_PKG_VERSION");
        match table.get("version").and_then(toml::Value::as_str) {
            Some(version) if version != ours => Err(Refused::Other(anyhow!(
                "it is of Gatefold {version}, and this is {ours}: go on with that version, or train anew"
            ))),
            _ => toml::from_str(&header).map_err(|error| Refused::Damaged(error.into())),
        }
    }

    fn with_tensors(header: Header, bytes: &[u8]) -> Result<Self> {
        let file = SafeTensors::deserialize(bytes)?;
        let part = |name: &str| -> Result<Option<Vec<u8>>> {
            let views: Vec<_> = file
                .iter()
                .filter_map(|(path, view)| Some((path.strip_prefix(name)?.to_owned(), view)))
                .collect();
            let bytes = || safetensors::serialize(views.clone(), None);
            Ok((!views.is_empty()).then(bytes).transpose()?)
        };
        let mut moments = BTreeMap::<String, [Vec<f32>; 2]>::new();
        for (path, view) in file.iter() {
            for (i, prefix) in ["adam.first.", "adam.second."].into_iter().enumerate() {
                if let Some(path) = path.strip_prefix(prefix) {
                    ensure!(
                        view.dtype() == Dtype::F32,
                        "its moments are no 32-bit floats"
                    );
                    let (values, _) = view.data().as_chunks::<4>();
                    let values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
                    moments.entry(path.to_owned()).or_default()[i] = values.collect();
                }
            }
        }
        Ok(Self {
            header,
            network: part("network.")?.context("it holds no weights")?,
            best: part("best.")?,
            moments,
        })
    }
}

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
    pub fn write(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        files::create_folder(&self.folder)?;
        let bytes = checkpoint.to_bytes()?;
        let earlier = self.list()?;
        let name = Name {
            number: earlier.last().map_or(1, |last| last.number + 1),
            hash: hash(&bytes),
        };
        files::replace(&self.folder.join(name.to_string()), &bytes)?;
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
        on_damaged: &mut dyn FnMut(&Path, &anyhow::Error),
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
                Err(Refused::Other(why)) => {
                    return Err(why.context(format!(
                        "cannot go on from the checkpoint {}",
                        path.display()
                    )));
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

/// Why a checkpoint isn't gone on from.
#[derive(Debug, Error)]
pub enum Refused {
    /// Its content is of no use: the one before it may serve.
    #[error("{0:#}")]
    Damaged(anyhow::Error),
    /// It is of another version, network or dataset, and so are those before it; or it can't be read.
    #[error("{0:#}")]
    Other(anyhow::Error),
}

/// A checkpoint's bytes, if they are those that were written.
fn read(path: &Path, most: u64, expected: &str) -> Result<Vec<u8>, Refused> {
    let bytes = read_regular(path, most).map_err(|error| match error {
        DataError::TooMuch { .. } => Refused::Damaged(error.into()),
        error => Refused::Other(error.into()),
    })?;
    if hash(&bytes) != expected {
        return Err(Refused::Damaged(anyhow!(
            "its content is not the one that was written"
        )));
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
    use burn::tensor::Device;

    use super::*;

    fn checkpoint(step: usize) -> Checkpoint {
        let config = RunConfig::default();
        let network = config.model.init(1, &Device::flex()).unwrap();
        let progress = Progress {
            step,
            seconds: 0.1 + 0.2,
            ..Progress::default()
        };
        Checkpoint {
            header: Header {
                version: env!("CARGO_PKG_VERSION").into(),
                data: "hash".into(),
                optimizer_steps: 7,
                progress,
                config,
            },
            network: network.to_safetensors(None).unwrap(),
            best: None,
            moments: BTreeMap::from([("dense.bias".into(), [vec![0.5; 64], vec![f32::MIN; 64]])]),
        }
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
    fn a_checkpoint_survives_the_round_trip() {
        let mut first = checkpoint(3);
        first.best = Some(first.network.clone());
        first.header.progress.totals = Totals::default();
        let read = Checkpoint::from_bytes(&first.to_bytes().unwrap()).unwrap();
        assert_eq!(read.header, first.header);
        assert_eq!(read.moments, first.moments);
        let tensors = |bytes: &[u8]| -> BTreeMap<String, Vec<u8>> {
            let file = SafeTensors::deserialize(bytes).unwrap();
            let tensors = file
                .iter()
                .map(|(name, view)| (name.to_owned(), view.data().to_vec()));
            tensors.collect()
        };
        assert_eq!(tensors(&read.network), tensors(&first.network));
        assert_eq!(tensors(&read.best.unwrap()), tensors(&first.network));
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

    #[test]
    fn a_checkpoint_of_something_else_is_refused_with_the_reason() {
        let of = checkpoint(3);
        let config = &of.header.config;
        assert!(of.check(config, "hash").is_ok());
        let reason = |of: &Checkpoint, config: &RunConfig, data: &str| {
            of.check(config, data).unwrap_err().to_string()
        };
        assert!(reason(&of, config, "other").contains("dataset"));
        let mut other = config.clone();
        other.model.hidden_size = 65;
        assert!(reason(&of, &other, "hash").contains("`hidden_size = 64`"));
    }

    #[test]
    fn a_header_of_another_version_is_named_by_its_version() {
        let of = checkpoint(3);
        let header = HashMap::from([(METADATA.into(), "version = \"9.1.0\"\nnew = 1\n".into())]);
        let file = SafeTensors::deserialize(&of.network).unwrap();
        let bytes = safetensors::serialize(file.iter(), Some(header)).unwrap();
        let error = Checkpoint::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("9.1.0"), "{error}");
        assert!(Checkpoint::from_bytes(&of.network).is_err());
    }
}
