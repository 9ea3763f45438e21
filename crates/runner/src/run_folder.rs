//! What a run leaves behind: a folder that is enough to evaluate, share or serve it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use gatefold_data::Vocabulary;
use gatefold_data::files::read_regular;
use gatefold_model::{SequenceClassifier, SequenceClassifierConfig, weights};
use itertools::Itertools;
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoints;
use crate::config::RunConfig;
use crate::files::{self, Lock, read_text};

const CONFIG: &str = "config.toml";
const VOCABULARY: &str = "vocabulary.json";
const WEIGHTS: &str = "model.safetensors";
const METRICS: &str = "metrics.jsonl";
const SUMMARY: &str = "summary.json";
const REPORT: &str = "report.html";
const CHECKPOINTS: &str = "checkpoints";

/// Bytes of the metrics or the summary that are read: those of a hundred thousand epochs.
const MOST_BYTES: u64 = 1 << 24;
/// Bytes of a word, as far as vocabularies have them.
const LONGEST_WORD: u64 = 1 << 10;
/// What stands around words and weights, in words' lengths.
const HEADERS: u64 = 1 << 10;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: usize,
    /// Mean binary cross-entropy over the epoch's training reviews, as they were met.
    pub train_loss: f64,
    /// Share of them answered rightly, as they were met.
    pub train_accuracy: f64,
    /// Mean binary cross-entropy over the reviews held out.
    pub validation_loss: f64,
    /// Share of them answered rightly.
    pub validation_accuracy: f64,
    /// How long the epoch took, validation included.
    pub seconds: f64,
}

impl EpochMetrics {
    /// The epoch with the lowest validation loss, the first one of equals.
    pub fn best_of(epochs: &[Self]) -> Option<&Self> {
        let by_loss = |a: &&Self, b: &&Self| a.validation_loss.total_cmp(&b.validation_loss);
        epochs.iter().min_by(by_loss)
    }
}

/// What `summary.json` holds once a run is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Gatefold's version.
    pub version: String,
    /// The device it ran on.
    pub device: String,
    /// Trained numbers.
    pub parameters: usize,
    /// The epoch whose weights were kept: the lowest validation loss.
    pub best_epoch: usize,
    /// Its metrics.
    pub best: EpochMetrics,
    /// Mean binary cross-entropy over the test reviews.
    pub test_loss: f64,
    /// Share of them answered rightly.
    pub test_accuracy: f64,
    /// How many they are.
    pub test_examples: usize,
    /// How long training took, without loading data and testing.
    pub training_seconds: f64,
    /// A training step, on average.
    pub milliseconds_per_step: f64,
}

/// A run's folder.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Whoever writes the run holds it.
    lock: Option<Arc<Lock>>,
}

impl RunFolder {
    /// Makes a folder for a new run, and keeps other programs from writing there.
    ///
    /// # Errors
    /// If there is something else at `path`, it is being written by another program, or it can't be made.
    pub fn create(path: &Path) -> Result<Self> {
        files::create_folder(path)?;
        // A lock is left only where a run will be.
        if !Lock::is_in(path) {
            ensure_empty(path)?;
        }
        let lock = Lock::take(path)?;
        files::sweep(path);
        ensure_empty(path)?;
        Self::written(path, lock)
    }

    /// Makes the first folder of `runs/NAME-1`, `runs/NAME-2`, … that is free.
    ///
    /// # Errors
    /// If none can be made.
    pub fn create_numbered(name: &str) -> Result<Self> {
        let runs = Path::new("runs");
        files::create_folder(runs)?;
        for number in 1.. {
            let path = runs.join(format!("{name}-{number}"));
            match files::create_new_folder(&path) {
                Ok(()) => return Self::create(&path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot make the run folder {}", path.display()));
                }
            }
        }
        unreachable!("numbers do not end")
    }

    /// A folder that nobody else writes; what writers that were killed left goes.
    fn written(path: &Path, lock: Lock) -> Result<Self> {
        let checkpoints = path.join(CHECKPOINTS);
        ensure!(
            !checkpoints.is_symlink(),
            "{} is a link: checkpoints are written into the run's own folder alone",
            checkpoints.display()
        );
        files::sweep(path);
        files::sweep(&checkpoints);
        Ok(Self {
            path: path.into(),
            lock: Some(Arc::new(lock)),
        })
    }

    /// A run that is there.
    ///
    /// # Errors
    /// If `path` holds no run with weights.
    pub fn open(path: &Path) -> Result<Self> {
        for file in [CONFIG, VOCABULARY, WEIGHTS] {
            if !path.join(file).is_file() {
                bail!(
                    "{} is no finished run: it has no {file}. `gatefold train` makes runs, in the folder runs unless --run names another",
                    path.display()
                );
            }
        }
        Ok(Self::read(path))
    }

    /// A folder that is only read.
    fn read(path: &Path) -> Self {
        Self {
            path: path.into(),
            lock: None,
        }
    }

    /// A run that was begun and may not be finished, to go on with: no other program can meanwhile.
    ///
    /// # Errors
    /// If `path` holds no run, or it is being written by another program.
    pub fn open_begun(path: &Path) -> Result<Self> {
        ensure!(
            path.join(CONFIG).is_file(),
            "{} is no run: it has no {CONFIG}. `gatefold train` makes runs, in the folder runs unless --run names another",
            path.display()
        );
        Self::written(path, Lock::take(path)?)
    }

    /// Whether other programs are kept from writing the run.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether the run was trained, tested and reported on.
    pub fn is_finished(&self) -> bool {
        let files = [SUMMARY, REPORT];
        files.iter().all(|file| self.path.join(file).is_file())
    }

    /// The run's checkpoints.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::of(&self.path.join(CHECKPOINTS))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the configuration.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_config(&self, config: &RunConfig) -> Result<()> {
        self.write(CONFIG, config.to_toml()?.as_bytes())
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// If the file can't be read or understood, or a value in it is off.
    pub fn config(&self) -> Result<RunConfig> {
        let path = self.path.join(CONFIG);
        let config = RunConfig::read(&path)?;
        config
            .validate()
            .with_context(|| format!("in the configuration {}", path.display()))?;
        Ok(config)
    }

    /// Writes the vocabulary.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_vocabulary(&self, vocabulary: &Vocabulary) -> Result<()> {
        self.write(VOCABULARY, vocabulary.to_json().as_bytes())
    }

    /// Reads the vocabulary of the network that `config` describes.
    ///
    /// # Errors
    /// If the file can't be read or understood, or is another network's.
    pub fn vocabulary(&self, config: &RunConfig) -> Result<Vocabulary> {
        let path = self.path.join(VOCABULARY);
        let most = (config.model.vocabulary_size as u64 + HEADERS) * LONGEST_WORD;
        let text = read_text(&path, most)?;
        let vocabulary = Vocabulary::from_json(&text, &path)?;
        ensure!(
            vocabulary.size() == config.model.vocabulary_size,
            "{} has {} token ids where the network of {CONFIG} beside it has {}",
            path.display(),
            vocabulary.size(),
            config.model.vocabulary_size
        );
        Ok(vocabulary)
    }

    /// Writes the weights.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_weights(
        &self,
        network: &SequenceClassifier,
        vocabulary: &Vocabulary,
    ) -> Result<()> {
        let hash = hash_of(vocabulary);
        self.write(WEIGHTS, &network.to_safetensors(Some(&hash))?)
    }

    /// The network of this run with its weights, on `device`; it reads `vocabulary`'s ids.
    ///
    /// # Errors
    /// If a file can't be read, or the weights are another network's or of another vocabulary.
    pub fn network(
        &self,
        config: &RunConfig,
        vocabulary: &Vocabulary,
        device: &Device,
    ) -> Result<SequenceClassifier> {
        let path = self.path.join(WEIGHTS);
        let bytes = read_regular(&path, most_weights(&config.model))?;
        let unfit = || {
            format!(
                "the weights {} do not fit the network of {CONFIG} beside them",
                path.display()
            )
        };
        let trained_with = weights::vocabulary_hash(&bytes).with_context(unfit)?;
        ensure!(
            trained_with.is_none_or(|hash| hash == hash_of(vocabulary)),
            "{VOCABULARY} is not the vocabulary that the weights {} were trained with: their ids stand for other words",
            path.display()
        );
        let network = config.model.blank(device)?;
        network.with_safetensors(bytes).with_context(unfit)
    }

    /// Writes the metrics of all epochs so far.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_metrics(&self, epochs: &[EpochMetrics]) -> Result<()> {
        let mut lines = Vec::new();
        for epoch in epochs {
            serde_json::to_writer(&mut lines, epoch)?;
            lines.push(b'\n');
        }
        self.write(METRICS, &lines)
    }

    /// Writes the summary.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_summary(&self, summary: &RunSummary) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(summary)?;
        text.push(b'\n');
        self.write(SUMMARY, &text)
    }

    /// Where the run's report is.
    pub fn report(&self) -> PathBuf {
        self.path.join(REPORT)
    }

    /// Writes the report, a page of HTML.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_report(&self, page: &str) -> Result<()> {
        self.write(REPORT, page.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        files::replace(&self.path.join(name), bytes)
    }
}

/// Reading what a run leaves behind while it goes on, and after it.
impl RunFolder {
    /// The runs in the folder `parent`, or the one that it is, in their natural order: the second before
    /// the tenth. What a run needs may be missing, or damaged.
    ///
    /// # Errors
    /// If the folder can't be read.
    pub fn list(parent: &Path) -> Result<Vec<Self>> {
        let is_run = |path: &PathBuf| {
            let files = [CONFIG, VOCABULARY, WEIGHTS, METRICS, SUMMARY, CHECKPOINTS];
            files.iter().any(|file| path.join(file).exists())
        };
        let mut paths = vec![parent.to_path_buf()];
        if !is_run(&paths[0]) {
            paths = fs::read_dir(parent)
                .and_then(|entries| entries.map_ok(|entry| entry.path()).try_collect())
                .with_context(|| format!("cannot read the folder {}", parent.display()))?;
        }
        paths.retain(is_run);
        paths.sort_by_cached_key(|path| naturally(&path.to_string_lossy()));
        Ok(paths.iter().map(|path| Self::read(path)).collect())
    }

    /// The metrics of the epochs so far.
    ///
    /// # Errors
    /// If the file is there and can't be read or understood.
    pub fn metrics(&self) -> Result<Vec<EpochMetrics>> {
        let text = self.read_if_there(METRICS)?.unwrap_or_default();
        let parse = |(i, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("{}, line {}", self.path.join(METRICS).display(), i + 1))
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// The summary, if the run is done.
    ///
    /// # Errors
    /// If the file is there and can't be read or understood.
    pub fn summary(&self) -> Result<Option<RunSummary>> {
        let text = self.read_if_there(SUMMARY)?;
        text.map(|text| serde_json::from_str(&text))
            .transpose()
            .with_context(|| format!("in {}", self.path.join(SUMMARY).display()))
    }

    /// Whether there is a checkpoint, whole or not.
    pub fn has_checkpoint(&self) -> bool {
        !self.checkpoints().is_empty()
    }

    /// What is there of that which training leaves after an epoch, for people.
    pub(crate) fn trained_files(&self) -> Vec<String> {
        let has_content = |name: &&str| {
            let content = fs::symlink_metadata(self.path.join(name));
            content.is_ok_and(|there| there.len() > 0)
        };
        let files = [METRICS, WEIGHTS, SUMMARY].into_iter().filter(has_content);
        files.map(str::to_owned).collect()
    }

    fn read_if_there(&self, name: &str) -> Result<Option<String>> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            _ => read_text(&path, MOST_BYTES).map(Some),
        }
    }
}

/// The bytes of the weights that `config` describes, and of what is said about them; twice, because another
/// network's are better told by their names.
pub(crate) fn most_weights(config: &SequenceClassifierConfig) -> u64 {
    2 * (4 * config.parameters() as u64 + HEADERS * LONGEST_WORD)
}

/// What weights say of the vocabulary that they were trained with.
fn hash_of(vocabulary: &Vocabulary) -> String {
    files::hash(vocabulary.to_json().as_bytes())
}

/// Whether nothing but a lock is in the folder.
fn ensure_empty(path: &Path) -> Result<()> {
    let occupied = fs::read_dir(path)
        .with_context(|| format!("cannot read the folder {}", path.display()))?
        .any(|entry| !entry.is_ok_and(|entry| Lock::is_its_file(&entry.path())));
    ensure!(
        !occupied,
        "{} is not empty; name another folder with --run, or remove it",
        path.display()
    );
    Ok(())
}

/// A key by which names sort as people count: `run-2` before `run-10`.
fn naturally(name: &str) -> Vec<(Option<u128>, String)> {
    let parts = name.chars().chunk_by(char::is_ascii_digit);
    let parts = parts.into_iter().map(|(_, part)| part.collect::<String>());
    parts.map(|part| (part.parse().ok(), part)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_run_does_not_overwrite_another() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("run");
        let folder = RunFolder::create(&path).unwrap();
        folder.write_config(&RunConfig::default()).unwrap();
        let refused = || RunFolder::create(&path).unwrap_err().to_string();
        assert!(refused().contains("another program"), "{}", refused());
        drop(folder);
        assert!(refused().contains("is not empty"), "{}", refused());

        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join("diary"), "mine").unwrap();
        RunFolder::create(&other).unwrap_err();
        assert_eq!(fs::read_dir(&other).unwrap().count(), 1, "no lock is left");
    }

    #[test]
    fn what_a_run_killed_at_its_first_write_left_is_begun_anew() {
        let parent = tempfile::tempdir().unwrap();
        let part = parent.path().join(".gatefold.abc.part");
        drop(RunFolder::create(parent.path()).unwrap());
        fs::write(&part, "half").unwrap();
        RunFolder::create(parent.path()).unwrap();
        assert!(!part.is_file());
    }

    #[test]
    fn a_folder_without_weights_is_no_run() {
        let parent = tempfile::tempdir().unwrap();
        let error = RunFolder::open(parent.path()).unwrap_err().to_string();
        assert!(error.contains("has no config.toml"), "{error}");
    }

    #[test]
    fn nothing_is_left_beside_a_written_file() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run")).unwrap();
        folder.write_config(&RunConfig::default()).unwrap();
        folder.write_config(&RunConfig::default()).unwrap();
        let names: BTreeSet<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names, [".lock", CONFIG].map(str::to_owned).into());
        assert_eq!(folder.config().unwrap(), RunConfig::default());
    }

    #[test]
    fn weights_are_read_with_the_vocabulary_that_they_were_trained_with() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run")).unwrap();
        let device = Device::flex();
        let mut config = RunConfig::default();
        let vocabulary = |text: &str| Vocabulary::build([text].into_iter(), 100);
        let [ours, other] = ["good bad", "bad bad good"].map(vocabulary);
        config.model.vocabulary_size = ours.size();
        let network = config.model.init(1, &device).unwrap();
        folder.write_weights(&network, &ours).unwrap();
        folder.network(&config, &ours, &device).unwrap();
        let error = folder.network(&config, &other, &device).unwrap_err();
        assert!(error.to_string().contains("other words"), "{error}");
        // Files of before know of no vocabulary.
        let without = network.to_safetensors(None).unwrap();
        folder.write(WEIGHTS, &without).unwrap();
        folder.network(&config, &other, &device).unwrap();
    }

    #[test]
    fn runs_are_listed_as_people_count() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["run-10", "run-9", "run-010", "other", "run-2b", "run-2"] {
            let folder = RunFolder::create(&parent.path().join(name)).unwrap();
            folder.write_metrics(&[]).unwrap();
        }
        fs::create_dir(parent.path().join("empty")).unwrap();
        fs::write(parent.path().join("notes.txt"), "").unwrap();
        let runs = RunFolder::list(parent.path()).unwrap();
        let names: Vec<_> = runs
            .iter()
            .map(|run| run.path().file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(
            names,
            ["other", "run-2", "run-2b", "run-9", "run-010", "run-10"]
        );

        let one = RunFolder::list(runs[0].path()).unwrap();
        assert_eq!(one[0].path(), runs[0].path());
        assert_eq!(one.len(), 1);
    }

    #[test]
    fn metrics_and_summary_are_read_again() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run")).unwrap();
        assert_eq!(folder.metrics().unwrap(), []);
        assert_eq!(folder.summary().unwrap(), None);
        assert!(!folder.has_checkpoint());

        let metrics = EpochMetrics {
            epoch: 1,
            train_loss: 0.5,
            train_accuracy: 0.75,
            validation_loss: 0.25,
            validation_accuracy: 0.875,
            seconds: 1.5,
        };
        let epochs = [
            metrics.clone(),
            EpochMetrics {
                epoch: 2,
                ..metrics.clone()
            },
        ];
        folder.write_metrics(&epochs).unwrap();
        assert_eq!(folder.metrics().unwrap(), epochs);
        let summary = RunSummary {
            version: "0.1.0".into(),
            device: "CPU".into(),
            parameters: 7,
            best_epoch: 1,
            best: metrics,
            test_loss: 0.5,
            test_accuracy: 0.5,
            test_examples: 2,
            training_seconds: 3.0,
            milliseconds_per_step: 4.0,
        };
        folder.write_summary(&summary).unwrap();
        assert_eq!(folder.summary().unwrap(), Some(summary));

        folder.write(METRICS, b"{\"epoch\": 1").unwrap();
        let error = folder.metrics().unwrap_err().to_string();
        assert!(error.ends_with("metrics.jsonl, line 1"), "{error}");
        folder.write(SUMMARY, b"{}").unwrap();
        let error = format!("{:#}", folder.summary().unwrap_err());
        assert!(error.contains("summary.json: missing field"), "{error}");
    }
}
