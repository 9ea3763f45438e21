//! Which dataset a name and a path stand for, and the data directory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use directories::ProjectDirs;
use gatefold_data::{
    Dataset, Example, Progress, Source, TableFormat, TableOptions, Vocabulary, encode_all,
};

use crate::config::{DatasetConfig, RunConfig};
use crate::files;

/// The generator's seed: the built-in reviews are the same ones in every run.
const REVIEWS_SEED: u64 = 42;

/// Where datasets lie: `GATEFOLD_DATA`, or the user's data directory as the system has it.
///
/// # Errors
/// If there is neither.
pub fn data_directory() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("GATEFOLD_DATA").filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    ProjectDirs::from("", "", "gatefold")
        .map(|directories| directories.data_dir().to_path_buf())
        .context("this user has no home directory; name a data directory with GATEFOLD_DATA")
}

/// `config` with a name: IMDB if it is in the data directory, else `reviews`.
pub fn with_name(mut config: DatasetConfig) -> DatasetConfig {
    if config.name.is_none() {
        let imdb = config.path.is_some()
            || data_directory().is_ok_and(|directory| Source::imdb(&directory).is_ok());
        config.name = Some(if imdb { "imdb" } else { "reviews" }.into());
    }
    config
}

/// `config` with absolute paths, so that a run can be evaluated from any folder.
///
/// # Errors
/// If the current folder is gone, or a path is no UTF-8, which a run's `config.toml` is.
pub fn with_absolute_paths(mut config: DatasetConfig) -> Result<DatasetConfig> {
    let absolute = |path: &Path| {
        let path = std::path::absolute(path)
            .with_context(|| format!("cannot tell where {} lies", path.display()))?;
        path.into_os_string().into_string().map_err(|path| {
            anyhow!(
                "the path {path:?} is not UTF-8, as the run's configuration has to be to name it: rename \
                 the folder or file, or move it"
            )
        })
    };
    if let Some(name) = config
        .name
        .as_mut()
        .filter(|name| table_format(name).is_some())
    {
        *name = absolute(Path::new(name.as_str()))?;
    }
    for path in [&mut config.path, &mut config.test_path]
        .into_iter()
        .flatten()
    {
        *path = absolute(path)?.into();
    }
    Ok(config)
}

/// The files and folders that a run's configuration names, of which a command that reads them says
/// where they lie: whoever handed the run on chose them.
///
/// # Errors
/// If one lies on another host: on Windows, even looking at it would send that host the user's name
/// and the answer to its question for the password. `config` leaves out what a flag names instead.
pub fn paths_of_run(config: &DatasetConfig) -> Result<Vec<PathBuf>> {
    let table = config
        .name
        .as_deref()
        .filter(|name| table_format(name).is_some());
    let paths = [&config.path, &config.test_path].into_iter().flatten();
    let paths: Vec<PathBuf> = table
        .map(PathBuf::from)
        .into_iter()
        .chain(paths.cloned())
        .collect();
    if let Some(path) = paths
        .iter()
        .find(|path| cfg!(windows) && names_a_host(&path.to_string_lossy()))
    {
        bail!(
            "the run's configuration names {} for its data, on another host, which is not asked for \
             it: where you trust it, give the share a drive letter and name that in config.toml, or \
             with `evaluate`'s --dataset and --data",
            path.display()
        );
    }
    Ok(paths)
}

/// Whether Windows would ask another host, or a driver, for this path: `\\host\share`, with either
/// slash, `\\?\UNC\host\share` and `\\.\device`, but not `\\?\C:\folder`.
fn names_a_host(path: &str) -> bool {
    let path = path.replace('/', "\\").to_lowercase();
    path.strip_prefix(r"\\?\")
        .map_or(path.starts_with(r"\\"), |rest| rest.starts_with(r"unc\"))
}

/// The source that a configuration means.
///
/// # Errors
/// If the name stands for nothing, or nothing is there.
pub fn source(config: &DatasetConfig) -> Result<Source> {
    match config.name.as_deref() {
        None | Some("reviews") => {
            refuse("reviews is built in", "--data", config.path.is_some())?;
            refuse_table_flags("reviews is built in", config)?;
            Ok(Source::Reviews { seed: REVIEWS_SEED })
        }
        Some("imdb") => {
            refuse_table_flags("imdb is no table", config)?;
            imdb(config.path.as_deref())
        }
        Some(name) => file(name, config),
    }
}

/// A setting that would do nothing is an error: whoever gives it believes that it does something.
fn refuse(why: &str, flag: &str, given: bool) -> Result<()> {
    ensure!(
        !given,
        "{why}: {flag} does nothing there; leave it out, or name another --dataset"
    );
    Ok(())
}

fn refuse_table_flags(why: &str, config: &DatasetConfig) -> Result<()> {
    let default = DatasetConfig::default();
    refuse(why, "--test-data", config.test_path.is_some())?;
    refuse(
        why,
        "--text-column",
        config.text_column != default.text_column,
    )?;
    refuse(
        why,
        "--label-column",
        config.label_column != default.label_column,
    )?;
    refuse(
        why,
        "--test-fraction",
        config.test_fraction != default.test_fraction,
    )
}

/// The dataset `name` in place of `of_run`, to test on; a file is all test part, and has the columns
/// of the run's.
pub fn all_of(name: &str, of_run: &DatasetConfig) -> DatasetConfig {
    let mut config = DatasetConfig {
        name: Some(name.into()),
        ..DatasetConfig::default()
    };
    if table_format(name).is_some() {
        config.test_path = Some(name.into());
        config.text_column = of_run.text_column.clone();
        config.label_column = of_run.label_column.clone();
    }
    config
}

fn table_format(name: &str) -> Option<TableFormat> {
    match name.to_lowercase().rsplit('.').next() {
        Some("csv") => Some(TableFormat::Csv),
        Some("tsv") => Some(TableFormat::Tsv),
        Some("jsonl" | "ndjson") => Some(TableFormat::JsonLines),
        _ => None,
    }
}

fn imdb(path: Option<&Path>) -> Result<Source> {
    if let Some(path) = path {
        return Ok(Source::imdb(path)?);
    }
    let directory = data_directory()?;
    Source::imdb(&directory).with_context(|| {
        format!(
            "IMDB is not in the data directory {}. `gatefold dataset fetch imdb` downloads it (80 MiB); --data names another place",
            directory.display()
        )
    })
}

fn file(name: &str, config: &DatasetConfig) -> Result<Source> {
    let format = table_format(name).with_context(|| {
        format!(
            "`{name}` is no dataset: give reviews, imdb, or a file that ends in .csv, .tsv or .jsonl"
        )
    })?;
    refuse(
        "a table is named by --dataset",
        "--data",
        config.path.is_some(),
    )?;
    Ok(Source::Table(TableOptions {
        path: name.into(),
        test_path: config.test_path.clone(),
        format,
        text_column: config.text_column.clone(),
        label_column: config.label_column.clone(),
        test_fraction: config.test_fraction,
    }))
}

/// Reads the dataset that a configuration means.
///
/// # Errors
/// If it isn't there or can't be read; the message names file and place.
pub fn load(config: &DatasetConfig, progress: &mut dyn FnMut(Progress)) -> Result<Dataset> {
    let dataset = source(config)?.load(progress)?;
    if dataset.replaced_utf8 > 0 {
        tracing::warn!(
            "{} reviews hold bytes that are no UTF-8; each such byte sequence was replaced by U+FFFD",
            dataset.replaced_utf8
        );
    }
    Ok(dataset)
}

/// Reads the dataset that a configuration means and prepares it: vocabulary, token ids, and the split
/// into training, validation and test part.
///
/// ```
/// use gatefold::config::RunConfig;
/// use gatefold::dataset;
///
/// # fn main() -> anyhow::Result<()> {
/// let mut config = RunConfig::default();
/// config.dataset.name = Some("reviews".into());
/// let data = dataset::prepare(&config)?;
/// assert!(data.train.len() > data.validation.len());
/// assert!(data.vocabulary.size() <= config.model.vocabulary_size);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If it isn't there, can't be read, or is too small.
pub fn prepare(config: &RunConfig) -> Result<Prepared> {
    Prepared::new(&load(&config.dataset, &mut |_| {})?, config)
}

/// A dataset as a run reads it.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// Counted on the whole training split.
    pub vocabulary: Vocabulary,
    /// What the network learns from.
    pub train: Vec<Example>,
    /// The end of the training split, held out to choose the best epoch.
    pub validation: Vec<Example>,
    /// The test split.
    pub test: Vec<Example>,
}

impl Prepared {
    /// Counts the vocabulary, encodes all reviews and cuts the validation part off the end of the
    /// training split.
    ///
    /// # Errors
    /// If too few reviews are there to train and validate on.
    pub fn new(dataset: &Dataset, config: &RunConfig) -> Result<Self> {
        let texts = dataset.train.iter().map(|review| review.text.as_str());
        let vocabulary = Vocabulary::build(texts, config.model.vocabulary_size);
        let max_length = config.training.max_length;
        let mut train = encode_all(&dataset.train, &vocabulary, max_length);
        let held_out = (train.len() as f64 * config.training.validation_fraction) as usize;
        if held_out == 0 || held_out == train.len() || dataset.test.is_empty() {
            bail!(
                "{} training and {} test reviews are too few to train, validate and test on",
                train.len(),
                dataset.test.len()
            );
        }
        let validation = train.split_off(train.len() - held_out);
        let test = encode_all(&dataset.test, &vocabulary, max_length);
        Ok(Self {
            vocabulary,
            train,
            validation,
            test,
        })
    }

    /// A hash of what is trained and validated on, and of the words behind its ids.
    pub fn hash(&self) -> String {
        let mut bytes = self.vocabulary.to_json().into_bytes();
        for example in self.train.iter().chain(&self.validation) {
            bytes.push(u8::from(example.positive));
            bytes.extend((example.ids.len() as u64).to_le_bytes());
            bytes.extend(example.ids.iter().flat_map(|id| id.to_le_bytes()));
        }
        files::hash(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_folders() {
        for path in [
            r"\\host\share\films.csv",
            "//host/share/films.csv",
            r"\/host\share",
            r"\\?\UNC\host\share",
            "//?/unc/host/share",
            r"\\.\pipe\name",
        ] {
            assert!(names_a_host(path), "{path}");
        }
        for path in [
            r"C:\films.csv",
            r"\\?\C:\films.csv",
            "/films.csv",
            r"\films.csv",
            "films",
        ] {
            assert!(!names_a_host(path), "{path}");
        }
    }

    #[test]
    fn the_paths_of_a_run_are_told() {
        let mut config = DatasetConfig::default();
        for name in ["reviews", "imdb"] {
            config.name = Some(name.into());
            assert_eq!(paths_of_run(&config).unwrap(), Vec::<PathBuf>::new());
        }
        config.path = Some("data".into());
        assert_eq!(paths_of_run(&config).unwrap(), [Path::new("data")]);
        config = DatasetConfig {
            name: Some("films.csv".into()),
            test_path: Some("test.csv".into()),
            ..DatasetConfig::default()
        };
        let paths = paths_of_run(&config).unwrap();
        assert_eq!(paths, [Path::new("films.csv"), Path::new("test.csv")]);
    }

    #[cfg(windows)]
    #[test]
    fn a_run_that_names_another_host_is_refused() {
        let config = DatasetConfig {
            name: Some(r"\\host\share\films.csv".into()),
            ..DatasetConfig::default()
        };
        let error = paths_of_run(&config).unwrap_err().to_string();
        assert!(error.contains("on another host"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_utf8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"bad\xff"));
        let configs = [
            DatasetConfig {
                path: Some(odd.into()),
                ..DatasetConfig::default()
            },
            DatasetConfig {
                test_path: Some(odd.join("test.csv")),
                ..DatasetConfig::default()
            },
        ];
        for config in configs {
            let error = with_absolute_paths(config).unwrap_err().to_string();
            assert!(error.contains("is not UTF-8"), "{error}");
        }
    }
}
