//! What a run leaves behind: a folder that is enough to evaluate, share or serve it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use gatefold_data::files::read_regular;
use gatefold_data::{DataError, Encoder, Labels};
use gatefold_training::bundle::{self, Bundle};
use gatefold_training::ngrams::NGRAMS;
use gatefold_training::run_files::{self, EVALUATION, METRICS, REPORT, SEEN, SUMMARY};
use gatefold_training::{EpochMetrics, RunConfig, RunSummary, Seen, TestResult};
use itertools::Itertools;

use crate::checkpoints::Checkpoints;
use crate::files::{self, Lock, read_text};
use crate::suggestions::nearest;
use crate::terminal::{program, word};

const CHECKPOINTS: &str = "checkpoints";

/// What the name of a run's folder begins with, before its seed, where `train --seeds` makes several in a folder.
pub const OF_SEED: &str = "seed-";

/// Bytes of the metrics or the summary that are read: those of a hundred thousand epochs.
const MOST_BYTES: u64 = 1 << 24;

/// Folders below the one whose runs are listed in which some are looked for: those of a comparison, and of one of its
/// cells.
const DEEPEST: usize = 3;

/// Files and folders in those, at most.
const MOST_LOOKED_AT: usize = 20_000;

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

    /// Whether a new run can be made at `path`, told before there is any.
    ///
    /// # Errors
    /// If there is something else.
    pub fn ensure_free(path: &Path) -> Result<()> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        // Of a run that is being written, its writer is told; what a writer that was killed left goes.
        let lock = Lock::is_in(path).then(|| Lock::take(path)).transpose()?;
        if lock.is_some() {
            files::sweep(path);
        }
        ensure_empty(path)
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
        for file in [bundle::CONFIG, bundle::WEIGHTS] {
            if !path.join(file).is_file() {
                bail!(
                    "{} is no finished run: {}",
                    path.display(),
                    missing(path, file)
                );
            }
        }
        Ok(Self::read(path))
    }

    /// The run that is there, or all that `train --seeds` made there, in the order of their seeds.
    ///
    /// # Errors
    /// If `path` holds neither, or one of them has no weights.
    pub fn open_all(path: &Path) -> Result<Vec<Self>> {
        if path.join(bundle::CONFIG).is_file() || !path.is_dir() {
            return Ok(vec![Self::open(path)?]);
        }
        let is_of_seed = |run: &Self| {
            let name = run.path.file_name().unwrap_or_default();
            run.path.parent() == Some(path)
                && name.as_encoded_bytes().starts_with(OF_SEED.as_bytes())
        };
        let mut runs = Self::list(path)?;
        runs.retain(is_of_seed);
        match runs.is_empty() {
            true => Ok(vec![Self::open(path)?]),
            false => runs.iter().map(|run| Self::open(&run.path)).collect(),
        }
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
            path.join(bundle::CONFIG).is_file(),
            "{} is no run: {}",
            path.display(),
            missing(path, bundle::CONFIG)
        );
        Self::written(path, Lock::take(path)?)
    }

    /// Whether other programs are kept from writing the run.
    pub fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether the run was trained, tested and reported on.
    pub fn is_finished(&self) -> bool {
        let has = |file| self.path.join(file).is_file();
        let needs_ngrams = self.config().is_ok_and(|config| config.ngrams.is_some());
        has(SUMMARY) && has(REPORT) && (!needs_ngrams || has(NGRAMS))
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
        self.write(bundle::CONFIG, config.to_toml()?.as_bytes())
    }

    /// Reads the configuration.
    ///
    /// # Errors
    /// If the file can't be read or understood, or a value in it is off.
    pub fn config(&self) -> Result<RunConfig> {
        Bundle::config(&|name, most| self.read_file(name, most)).with_context(|| self.of())
    }

    /// Writes how what is read is encoded, and what the classes are called where they are not negative and
    /// positive.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn write_encoder(&self, encoder: &Encoder, labels: Option<&Labels>) -> Result<()> {
        bundle::encoder_files(encoder, labels)
            .iter()
            .try_for_each(|(name, content)| self.write(name, content.as_bytes()))
    }

    /// Reads what [`write_encoder`](Self::write_encoder) wrote.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn encoder(&self, config: &RunConfig) -> Result<(Encoder, Option<Labels>)> {
        Bundle::encoder(config, &|name, most| self.read_file(name, most)).with_context(|| self.of())
    }

    /// Makes a finished run one that goes on: what was written at its end goes.
    ///
    /// # Errors
    /// If a file can't be removed.
    pub fn reopen(&self) -> Result<()> {
        // The n-grams are blended with the weights that were best then.
        for name in [SUMMARY, EVALUATION, REPORT, NGRAMS] {
            let path = self.path.join(name);
            if path.is_file() {
                files::remove(&path)
                    .with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Writes the weights, a SafeTensors file's bytes.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_weights(&self, bytes: &[u8]) -> Result<()> {
        self.write(bundle::WEIGHTS, bytes)
    }

    /// Writes the n-grams beside the network, a SafeTensors file's bytes.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_ngrams(&self, bytes: &[u8]) -> Result<()> {
        self.write(NGRAMS, bytes)
    }

    /// Writes what tells the examples that were trained and validated on.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_seen(&self, seen: &Seen) -> Result<()> {
        self.write(SEEN, &seen.to_bytes())
    }

    /// Reads what tells the examples that were trained and validated on; none of a run that kept nothing of them,
    /// as those of before.
    ///
    /// # Errors
    /// If the file is there and can't be read or understood.
    pub fn seen(&self) -> Result<Option<Seen>> {
        let bytes = self.read_file(SEEN, Seen::MOST_BYTES);
        let bytes = bytes.map_err(|error| anyhow!(error))?;
        let seen = bytes.map(|bytes| Seen::from_bytes(&bytes)).transpose();
        seen.with_context(|| format!("in {}", self.path.join(SEEN).display()))
    }

    /// The trained network with all that it needs to answer.
    ///
    /// # Errors
    /// If a file is missing or damaged, or if they don't belong together.
    pub fn bundle(&self) -> Result<Bundle> {
        Bundle::read(&|name, most| self.read_file(name, most)).with_context(|| self.of())
    }

    fn of(&self) -> String {
        format!("in the run {}", self.path.display())
    }

    fn read_file(
        &self,
        name: &str,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
        match read_regular(&self.path.join(name), most) {
            Err(DataError::NotFound { .. }) => Ok(None),
            read => Ok(Some(read?)),
        }
    }

    /// Writes the metrics of all epochs so far.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_metrics(&self, epochs: &[EpochMetrics]) -> Result<()> {
        self.write(METRICS, &run_files::metrics(epochs))
    }

    /// Writes the summary.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_summary(&self, summary: &RunSummary) -> Result<()> {
        self.write(SUMMARY, &run_files::json(summary))
    }

    /// Writes what the test found.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn write_evaluation(&self, tested: &TestResult) -> Result<()> {
        self.write(EVALUATION, &run_files::json(tested))
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
    /// The runs in the folder `parent` and in folders in it, as those of a comparison, or the one that it is, in their
    /// natural order: the second before the tenth. What a run needs may be missing, or damaged. Nothing is looked for in
    /// runs, links and hidden folders.
    ///
    /// # Errors
    /// If the folder can't be read, or holds too much to be looked through.
    pub fn list(parent: &Path) -> Result<Vec<Self>> {
        let is_run = |path: &PathBuf| {
            let files = [
                bundle::CONFIG,
                bundle::VOCABULARY,
                bundle::WEIGHTS,
                METRICS,
                SUMMARY,
                CHECKPOINTS,
            ];
            files.iter().any(|file| path.join(file).exists())
        };
        let mut paths = Vec::new();
        let mut left = vec![(parent.to_path_buf(), 0)];
        let mut looked_at = 0;
        while let Some((path, depth)) = left.pop() {
            if is_run(&path) {
                paths.push(path);
                continue;
            }
            if depth == DEEPEST {
                continue;
            }
            let entries = match fs::read_dir(&path) {
                // What can't be read below holds no run of anybody who asks.
                Err(_) if depth > 0 => continue,
                entries => entries,
            };
            let entries =
                entries.with_context(|| format!("cannot read the folder {}", path.display()))?;
            for entry in entries {
                let entry =
                    entry.with_context(|| format!("cannot read the folder {}", path.display()))?;
                looked_at += usize::from(depth > 0);
                ensure!(
                    looked_at <= MOST_LOOKED_AT,
                    "the folders in {} hold more than {MOST_LOOKED_AT} files: name the folder that the runs are in",
                    parent.display()
                );
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
                if is_folder && !is_hidden {
                    left.push((entry.path(), depth + 1));
                } else if depth == 0 && is_run(&entry.path()) {
                    paths.push(entry.path());
                }
            }
        }
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
        let files = [METRICS, bundle::WEIGHTS, SUMMARY]
            .into_iter()
            .filter(has_content);
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

/// Why `path` is no run: the `file` that it lacks, and what was probably meant.
fn missing(path: &Path, file: &str) -> String {
    let names = |runs: &[RunFolder]| runs.iter().take(10).map(|run| word(run.path())).join(", ");
    if path.is_dir() {
        return match &RunFolder::list(path).unwrap_or_default()[..] {
            [] => format!("it has no {file}. {}", how_to_make_runs()),
            [run] if run.path() == path => format!("it has no {file}"),
            runs if runs.len() > 10 => format!("it holds {} runs: {}, …", runs.len(), names(runs)),
            runs => format!("it holds the runs {}", names(runs)),
        };
    }
    // Beside it, and where runs are made.
    let beside = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let runs: Vec<RunFolder> = [beside.unwrap_or(Path::new(".")), Path::new("runs")]
        .iter()
        .filter(|folder| folder.is_dir())
        .flat_map(|folder| RunFolder::list(folder).unwrap_or_default())
        .collect();
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let known: Vec<String> = runs.iter().map(|run| name(run.path())).collect();
    let meant = nearest(&name(path), known.iter().map(String::as_str));
    let meant = meant.and_then(|meant| known.iter().position(|name| name == meant));
    match meant {
        Some(run) => {
            let path = runs[run].path();
            let path = word(path.strip_prefix(".").unwrap_or(path));
            format!("there is no such folder; did you mean {path}?")
        }
        None => format!("there is no such folder. {}", how_to_make_runs()),
    }
}

/// For who has no run yet.
pub fn how_to_make_runs() -> String {
    format!(
        "`{} train` makes runs, in the folder runs unless --run names another",
        program()
    )
}

/// Whether nothing but a lock is in the folder.
fn ensure_empty(path: &Path) -> Result<()> {
    let occupied = fs::read_dir(path)
        .with_context(|| format!("cannot read the folder {}", path.display()))?
        .any(|entry| !entry.is_ok_and(|entry| Lock::is_its_file(&entry.path())));
    ensure!(
        !occupied,
        "{} is not empty; name another folder, or remove it",
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

    use burn::tensor::Device;
    use gatefold_data::{Tokenizer, Vocabulary};

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
    fn runs_are_found_where_compare_makes_them() {
        let parent = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = parent.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join(bundle::CONFIG), "").unwrap();
        };
        for name in [
            "films-2",
            "films-10",
            "compare/gru",
            "compare/lstm/7",
            ".hidden/run",
            "a/b/c/d",
        ] {
            make(name);
        }
        // What is in a run is the run's.
        make("films-2/old");
        let list = |folder: &Path| -> Vec<String> {
            let runs = RunFolder::list(folder).unwrap();
            let name = |run: &RunFolder| {
                run.path()
                    .strip_prefix(folder)
                    .unwrap()
                    .display()
                    .to_string()
            };
            runs.iter().map(name).collect()
        };
        assert_eq!(
            list(parent.path()),
            ["compare/gru", "compare/lstm/7", "films-2", "films-10"]
        );
        assert_eq!(list(&parent.path().join("films-2")), [""]);
        for i in 0..=MOST_LOOKED_AT {
            fs::write(parent.path().join("compare").join(i.to_string()), "").unwrap();
        }
        let error = RunFolder::list(parent.path()).unwrap_err().to_string();
        assert!(error.contains("name the folder"), "{error}");
    }

    #[test]
    fn what_is_no_run_names_those_that_are() {
        let parent = tempfile::tempdir().unwrap();
        let path = |name: &str| parent.path().join(name);
        for name in ["films-lstm-1", "films-gru-1"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join(bundle::CONFIG), "").unwrap();
        }
        let error = |path: &Path| RunFolder::open(path).unwrap_err().to_string();
        let holds = error(parent.path());
        assert!(
            holds.contains("it holds the runs") && holds.contains("films-gru-1"),
            "{holds}"
        );
        let slip = error(&path("film-lstm-1"));
        assert!(
            slip.contains("did you mean") && slip.contains("films-lstm-1"),
            "{slip}"
        );
        let other = error(&path("imdb"));
        assert!(other.contains("no such folder. `"), "{other}");
        assert!(error(&path("films-gru-1")).ends_with("it has no model.safetensors"));
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
        assert_eq!(names, [".lock", bundle::CONFIG].map(str::to_owned).into());
        assert_eq!(folder.config().unwrap(), RunConfig::default());
    }

    #[test]
    fn weights_are_read_with_the_words_and_classes_that_they_were_trained_with() {
        let parent = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(&parent.path().join("run")).unwrap();
        let device = Device::flex();
        let mut config = RunConfig::default();
        let encoder = |text: &str| {
            Encoder::Text(Vocabulary::build([text].into_iter(), 100, Tokenizer::Keras))
        };
        let [ours, other] = ["good bad", "bad bad good"].map(encoder);
        config.model.vocabulary_size = 100;
        let labels = |names: [&str; 2]| Labels::new(names.map(str::to_owned).to_vec()).unwrap();
        let [usual, turned] = [["negative", "positive"], ["positive", "negative"]].map(labels);
        let network = config.model.init(1, &device).unwrap();
        let fingerprint = bundle::fingerprint(&ours, Some(&usual));
        let bytes = network.to_safetensors(Some(&fingerprint)).unwrap();
        folder.write_config(&config).unwrap();
        folder.write_weights(&bytes).unwrap();
        for (encoder, labels, fits) in [
            (&ours, &usual, true),
            (&other, &usual, false),
            (&ours, &turned, false),
        ] {
            folder.write_encoder(encoder, Some(labels)).unwrap();
            let read = folder.bundle();
            assert_eq!(read.is_ok(), fits);
            if let Err(error) = read {
                let error = format!("{error:#}");
                assert!(error.contains("other words or classes"), "{error}");
            }
        }
        // Files of before know of no vocabulary.
        let without = network.to_safetensors(None).unwrap();
        folder.write_weights(&without).unwrap();
        folder.bundle().unwrap();
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
            train_accuracy: Some(0.75),
            validation_loss: 0.25,
            validation_accuracy: Some(0.875),
            validation_f1: None,
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
            test_accuracy: None,
            test_examples: 2,
            refit_examples: None,
            forecast: None,
            language: None,
            largest_class: Some(0.5),
            baseline_accuracy: None,
            ngrams: None,
            warnings: Vec::new(),
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
