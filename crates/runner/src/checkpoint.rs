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

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use md5::{Digest, Md5};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::evaluation::Totals;
use crate::files;
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
        self.epochs
            .iter()
            .min_by(|a, b| a.validation_loss.total_cmp(&b.validation_loss))
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
    /// Says what is another: the version, the settings, or the examples.
    pub fn check(&self, config: &RunConfig, data: &str) -> Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        ensure!(
            self.header.version == version,
            "it is of Gatefold {}, and this is {version}: go on with that version, or train anew",
            self.header.version
        );
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

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        let header = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(METADATA))
            .context("it is no checkpoint of Gatefold's")?;
        // Another version's header may have other entries: its version alone is always there.
        let version = toml::from_str::<toml::Table>(header)?;
        let header = toml::from_str(header).with_context(|| match version.get("version") {
            Some(version) => format!(
                "it is of Gatefold {version}, and this is {}",
                env!("CARGO_PKG_VERSION")
            ),
            None => "it is no checkpoint of Gatefold's".into(),
        })?;
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
}

impl Checkpoints {
    /// Those in `folder`, which need not be there yet.
    pub fn of(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Writes one and removes all but the last two.
    ///
    /// # Errors
    /// If a file can't be written; those that were there stay.
    pub fn write(&self, checkpoint: &Checkpoint) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
        let bytes = checkpoint.to_bytes()?;
        let earlier = self.list()?;
        let number = earlier.last().map_or(1, |last| last.number + 1);
        let name = format!("{number:06}-{}.safetensors", hash(&bytes));
        files::replace(&self.folder.join(name), &bytes)?;
        let surplus = (earlier.len() + 1).saturating_sub(KEPT);
        for old in &earlier[..surplus] {
            // One that can't be removed does no harm.
            let _ = fs::remove_file(&old.path);
        }
        Ok(())
    }

    /// The last one that is whole; `on_damaged` hears of those after it that are not.
    ///
    /// # Errors
    /// If a file can't be read, or is none of this version's.
    pub fn latest(
        &self,
        on_damaged: &mut dyn FnMut(&Path),
    ) -> Result<Option<(PathBuf, Checkpoint)>> {
        for file in self.list()?.into_iter().rev() {
            let path = file.path;
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if hash(&bytes) != file.hash {
                on_damaged(&path);
                continue;
            }
            let checkpoint = Checkpoint::from_bytes(&bytes)
                .with_context(|| format!("cannot use the checkpoint {}", path.display()))?;
            return Ok(Some((path, checkpoint)));
        }
        Ok(None)
    }

    /// The first one first.
    fn list(&self) -> Result<Vec<File>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read the folder {}", self.folder.display()));
            }
        };
        let mut files: Vec<File> = entries
            .filter_map(|entry| File::of(entry.ok()?.path()))
            .collect();
        files.sort_by_key(|file| file.number);
        Ok(files)
    }
}

/// A checkpoint's file, as its name has it.
struct File {
    path: PathBuf,
    number: u64,
    hash: String,
}

impl File {
    fn of(path: PathBuf) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".safetensors")?;
        let (number, hash) = name.split_once('-')?;
        let (number, hash) = (number.parse().ok()?, hash.to_owned());
        Some(Self { path, number, hash })
    }
}

/// A content's hash, as in checkpoints' names.
pub(crate) fn hash(bytes: &[u8]) -> String {
    let digest = Md5::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
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
            network: network.to_safetensors().unwrap(),
            best: None,
            moments: BTreeMap::from([("dense.bias".into(), [vec![0.5; 64], vec![f32::MIN; 64]])]),
        }
    }

    /// All checkpoints' paths.
    fn paths(checkpoints: &Checkpoints) -> Vec<PathBuf> {
        let files = checkpoints.list().unwrap().into_iter();
        files.map(|file| file.path).collect()
    }

    /// The latest one's step, and how many damaged ones were met.
    fn latest(checkpoints: &Checkpoints) -> (Option<usize>, usize) {
        let mut damaged = 0;
        let found = checkpoints.latest(&mut |_| damaged += 1).unwrap();
        let step = found.map(|(_, checkpoint)| checkpoint.header.progress.step);
        (step, damaged)
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
        let checkpoints = Checkpoints::of(&folder.path().join("checkpoints"));
        assert_eq!(latest(&checkpoints), (None, 0));
        for step in 1..=4 {
            checkpoints.write(&checkpoint(step)).unwrap();
        }
        let kept = paths(&checkpoints);
        assert_eq!(kept.len(), 2);
        assert_eq!(latest(&checkpoints), (Some(4), 0));

        let mut bytes = fs::read(&kept[1]).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(&kept[1], &bytes).unwrap();
        assert_eq!(latest(&checkpoints), (Some(3), 1), "a bit turned");
        fs::write(&kept[1], &bytes[..100]).unwrap();
        assert_eq!(latest(&checkpoints), (Some(3), 1), "cut short");
        fs::write(&kept[0], "").unwrap();
        assert_eq!(latest(&checkpoints), (None, 2), "both damaged");
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
        let mut old = of.clone();
        old.header.version = "0.0.9".into();
        assert!(reason(&old, config, "hash").contains("0.0.9"));
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
