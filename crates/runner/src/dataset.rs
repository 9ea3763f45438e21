//! Which dataset a name and a path stand for, and the data directory.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use directories::ProjectDirs;
use gatefold_data::{
    BUILT_IN_SEED, Dataset, EncodedDataset, FolderOptions, LabelChoice, Labels, LoadProgress, Note,
    NoteKind, Source, TableForm, TableOptions,
};
use gatefold_training::RunConfig;
use gatefold_training::config::{DatasetConfig, Split};

use crate::file_hash::file_hash;
use crate::suggestions::nearest;
use crate::terminal::{program, word};
use crate::{say, series};

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
    // Of a name that stands for nothing, the message is about the name.
    if let Some(name) = config
        .name
        .as_mut()
        .filter(|name| is_path(name) && Path::new(name).exists())
    {
        *name = absolute(Path::new(name.as_str()))?;
    }
    let DatasetConfig {
        path,
        validation_path,
        test_path,
        target_path,
        test_target_path,
        ..
    } = &mut config;
    for path in [
        path,
        validation_path,
        test_path,
        target_path,
        test_target_path,
    ]
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
    let table = config.name.as_deref().filter(|name| is_path(name));
    let paths = [
        &config.path,
        &config.validation_path,
        &config.test_path,
        &config.target_path,
        &config.test_target_path,
    ];
    let paths = paths.into_iter().flatten();
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

/// The source that a configuration means; a table's labels are `labels`, or learned from it.
///
/// # Errors
/// If the name stands for nothing, or nothing is there.
pub fn source(config: &RunConfig, labels: Option<&Labels>) -> Result<Source> {
    let all = config;
    let validation_fraction = config.training.validation_fraction;
    let config = &config.dataset;
    let name = config.name.as_deref().unwrap_or("reviews");
    let task = config.memory_task();
    if let Some(learnt) = config.task.filter(|_| is_path(name)) {
        refuse(
            "a file is named by --dataset",
            "--data",
            config.path.is_some(),
        )?;
        let why = "series of numbers hold no texts";
        for (flag, given) in [
            ("--validation-data", config.validation_path.is_some()),
            ("--text-column", config.text_column.is_some()),
            ("--label-column", config.label_column.is_some()),
            ("--labels", !config.labels.is_empty()),
            ("--label-separator", config.label_separator.is_some()),
            ("--skip-unlabelled", config.skip_unlabelled),
        ] {
            ensure!(
                !given,
                "{why}: {flag} does nothing there; leave it out, or --task"
            );
        }
        let options = series::options(name, learnt, all, table_form(config), labels);
        return Ok(Source::Series(options));
    }
    series::refuse_settings(config)?;
    if task.is_none() {
        let why = format!("{name} has sequences of their own length");
        refuse(&why, "--length", config.length.is_some())?;
    }
    if task.is_some() || name == "reviews" {
        let why = format!("{name} is built in");
        refuse(&why, "--data", config.path.is_some())?;
        refuse(&why, "--group-column", config.group_column.is_some())?;
        refuse_table_flags(&why, config)?;
    }
    match (task, name) {
        (Some((task, length)), _) => Ok(Source::MemoryTask {
            task,
            length,
            seed: BUILT_IN_SEED,
        }),
        (None, "reviews") => Ok(Source::Reviews {
            seed: BUILT_IN_SEED,
        }),
        (None, "imdb") => {
            if let Some(path) = &config.path
                && is_table(&path.to_string_lossy())
                && path.extension().is_none_or(|ending| ending != "npz")
            {
                bail!(
                    "{} is a table, and --data says where IMDB lies: name it with --dataset {}",
                    path.display(),
                    word(path)
                );
            }
            let source = imdb(config.path.as_deref())?;
            of_imdb(source, "imdb is no table", config, validation_fraction)
        }
        (None, name) => file(name, config, validation_fraction, labels),
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

/// Refuses the flags of a table, but for the column of groups.
fn refuse_table_flags(why: &str, config: &DatasetConfig) -> Result<()> {
    let default = DatasetConfig::default();
    refuse(why, "--test-data", config.test_path.is_some())?;
    for (flag, given) in [
        ("--separator", config.separator.is_some()),
        ("--no-header", !config.header),
        ("--encoding", config.encoding.is_some()),
        ("--quoting", config.quoting.is_some()),
    ] {
        refuse(why, flag, given)?;
    }
    refuse(why, "--validation-data", config.validation_path.is_some())?;
    // Earlier versions wrote the usual names into every run.
    let named =
        |column: &Option<String>, usual| column.as_deref().is_some_and(|name| name != usual);
    refuse(why, "--text-column", named(&config.text_column, "text"))?;
    refuse(why, "--label-column", named(&config.label_column, "label"))?;
    refuse(why, "--labels", !config.labels.is_empty())?;
    refuse(why, "--label-separator", config.label_separator.is_some())?;
    refuse(why, "--skip-unlabelled", config.skip_unlabelled)?;
    refuse(
        why,
        "--test-fraction",
        config.test_fraction != default.test_fraction,
    )
}

/// Whether the part of its data that a run is tested on can be told.
///
/// # Errors
/// If an earlier version cut it off a table, which it mixed otherwise: some of its rows would be trained on.
pub fn ensure_test_part_is_known(of_run: &DatasetConfig) -> Result<()> {
    let is_table = of_run
        .name
        .as_deref()
        .is_some_and(|name| is_path(name) && !Path::new(name).is_dir());
    ensure!(
        !is_table || of_run.task.is_some() || of_run.test_path.is_some() || of_run.split.is_some(),
        "an earlier version trained this run and cut its test part off the table in another way, so that rows that it \
         was trained on would be tested: train again, or name a file that it hasn't seen with --test-data"
    );
    Ok(())
}

/// The dataset `name` in place of `of_run`, to test on; a file is all test part, and has the columns
/// of the run's.
pub fn all_of(name: &str, of_run: &DatasetConfig) -> DatasetConfig {
    let mut config = DatasetConfig {
        name: Some(name.into()),
        ..DatasetConfig::default()
    };
    if config.memory_task().is_some() {
        config.length = of_run.length;
    }
    if of_run.task.is_some() && is_path(name) {
        return DatasetConfig {
            name: Some(name.into()),
            path: None,
            test_path: Some(name.into()),
            target_path: None,
            test_target_path: None,
            ..of_run.clone()
        };
    }
    if is_path(name) && !Path::new(name).is_dir() {
        config.test_path = Some(name.into());
        config.separator = of_run.separator;
        config.header = of_run.header;
        config.encoding = of_run.encoding.clone();
        config.quoting = of_run.quoting;
        config.text_column = of_run.text_column.clone();
        config.label_column = of_run.label_column.clone();
        config.labels = of_run.labels.clone();
        config.label_separator = of_run.label_separator.clone();
        config.skip_unlabelled = of_run.skip_unlabelled;
    }
    config
}

/// `config` with the hash of its table, if it is one, by which the table is known again.
///
/// # Errors
/// If the table can't be read.
pub fn with_hash(mut config: DatasetConfig) -> Result<DatasetConfig> {
    // What is no file, whoever reads it says.
    let table = table(&config).filter(|table| table.is_file());
    config.hash = table.map(file_hash).transpose()?;
    Ok(config)
}

/// The file or folder of a configuration, if it is its dataset.
fn table(config: &DatasetConfig) -> Option<&Path> {
    let name = config.name.as_deref()?;
    is_path(name).then_some(Path::new(name))
}

/// The dataset of a run, which lies at `path` now: a table has to be the same, byte for byte.
///
/// # Errors
/// If the run's dataset is built in, or something else lies there.
pub fn moved(of_run: &DatasetConfig, path: &Path) -> Result<DatasetConfig> {
    let mut config = of_run.clone();
    if table(of_run).is_none() {
        config.path = Some(path.into());
        return with_absolute_paths(config);
    }
    let found = path.is_file().then(|| file_hash(path)).transpose()?;
    ensure!(
        path.exists(),
        "{}: there is no such file or folder",
        path.display()
    );
    ensure!(
        of_run.hash.is_none() || of_run.hash == found,
        "{} is not the table that the run was trained on: its content is another",
        path.display()
    );
    config.name = Some(
        path.to_str()
            .with_context(|| format!("the path {path:?} is not UTF-8"))?
            .into(),
    );
    config.hash = found;
    with_absolute_paths(config)
}

/// Whether the table `name` is the one that a run was trained on, under whatever path, so that a share of it is the
/// run's own test part.
///
/// # Errors
/// If it can't be read.
pub fn is_own(name: &str, of_run: &DatasetConfig) -> Result<bool> {
    let (Some(own), None) = (table(of_run), &of_run.test_path) else {
        return Ok(false);
    };
    if !is_path(name) {
        return Ok(false);
    }
    Ok(match &of_run.hash {
        Some(hash) => Path::new(name).is_file() && file_hash(Path::new(name))? == *hash,
        // A folder is known by where it lies, and so is a run's table of before.
        None => lies_at(name, own),
    })
}

fn lies_at(name: &str, own: &Path) -> bool {
    std::path::absolute(name).is_ok_and(|path| path == own)
}

/// Whether `name` is the path of a run's own table or folder.
pub fn lies_at_own(name: &str, of_run: &DatasetConfig) -> bool {
    is_path(name) && table(of_run).is_some_and(|own| lies_at(name, own))
}

/// Whether another table, or a folder, lies where a run's own one lay, as far as the run tells.
///
/// # Errors
/// If it can't be read.
pub fn has_changed(of_run: &DatasetConfig) -> Result<bool> {
    Ok(match (table(of_run), &of_run.hash) {
        (Some(own), Some(hash)) if own.is_file() => file_hash(own)? != *hash,
        (Some(own), Some(_)) => own.exists(),
        _ => false,
    })
}

/// Whether a run's own table is still as it was, so that the test part cut off it is the same.
///
/// # Errors
/// If it isn't, with how to test on it nevertheless: `command` is one that takes `--dataset`.
pub fn ensure_unchanged(of_run: &DatasetConfig, command: &str) -> Result<()> {
    let path = Path::new(of_run.name.as_deref().unwrap_or_default());
    ensure!(
        !has_changed(of_run)?,
        "{} has changed since the run was trained, so that its parts would be others; to test on it as another table: \
         {command} --dataset {}",
        path.display(),
        word(path)
    );
    Ok(())
}

/// Whether the files of a run that it names are still there.
///
/// # Errors
/// Names one that isn't, and how to say where it is: `command` is one that takes `--data`.
pub fn ensure_there(paths: &[PathBuf], config: &DatasetConfig, command: &str) -> Result<()> {
    for path in paths {
        let way_on = match config.test_path.as_ref() == Some(path) {
            true => "put it back there, or name it in the run's config.toml".into(),
            false => format!("where it lies elsewhere now: {command} --data PATH"),
        };
        ensure!(
            path.exists(),
            "{} is not there, and the run names it; {way_on}",
            path.display()
        );
    }
    Ok(())
}

/// The datasets that have a name.
const NAMES: [&str; 4] = ["reviews", "imdb", "adding", "recall"];

/// Whether a dataset's name is the path of a table or a folder.
pub fn is_path(name: &str) -> bool {
    !NAMES.contains(&name)
}

/// Whether it is that of a file which is a table, or an array of numbers.
fn is_table(name: &str) -> bool {
    is_path(name) && !is_archive(name) && Path::new(name).is_file()
}

fn is_archive(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".tar.gz") || name.ends_with(".tgz")
}

/// How the table is written, as far as the configuration says.
pub fn table_form(config: &DatasetConfig) -> TableForm {
    TableForm {
        format: None,
        separator: config.separator,
        header: config.header,
        encoding: config.encoding.clone(),
        quoting: config.quoting,
    }
}

/// Settles of a file of which nothing is said what it unmistakably is, and says so.
///
/// # Errors
/// If it holds series of numbers, with commands that say what to learn from them.
pub fn recognise(config: &mut DatasetConfig, program: &str) -> Result<()> {
    let Some(name) = config.name.clone().filter(|name| is_table(name)) else {
        return Ok(());
    };
    let is_said = config.text_column.is_some()
        || config.label_column.is_some()
        || !config.labels.is_empty()
        || config.label_separator.is_some()
        || config.skip_unlabelled;
    if config.task.is_some() || is_said && !series::is_array(&name) {
        return Ok(());
    }
    let form = table_form(config);
    if let Some(note) = series::recognise(config, &form, program)? {
        say!("{note}");
    }
    Ok(())
}

/// What to say of a name that is none, and no path of anything.
fn no_dataset(name: &str) -> anyhow::Error {
    match nearest(name, NAMES) {
        Some(known) => anyhow!("there is no dataset or file `{name}`; did you mean `{known}`?"),
        None => anyhow!(
            "{name}: there is no such file or folder, nor a dataset of that name; give a table, a folder of texts, \
             reviews, imdb, adding or recall"
        ),
    }
}

fn imdb(path: Option<&Path>) -> Result<Source> {
    if let Some(path) = path {
        return Ok(Source::imdb(path)?);
    }
    let directory = data_directory()?;
    Source::imdb(&directory).with_context(|| {
        format!(
            "IMDB is not in the data directory {}. `{} dataset fetch imdb` downloads it (80 MiB); --data names another place",
            directory.display(),
            program()
        )
    })
}

/// What each of IMDB's reviews says of itself beside its text and label, for `--group-column`.
const FILM: &str = "film";

fn of_imdb(
    imdb: Source,
    why: &str,
    config: &DatasetConfig,
    validation_fraction: f64,
) -> Result<Source> {
    refuse_table_flags(why, config)?;
    let Some(column) = &config.group_column else {
        return Ok(imdb);
    };
    ensure!(
        column == FILM,
        "{why}, and all that its reviews can be held out by is --group-column {FILM}"
    );
    Ok(imdb.with_films_apart(validation_fraction)?)
}

fn file(
    name: &str,
    config: &DatasetConfig,
    validation_fraction: f64,
    labels: Option<&Labels>,
) -> Result<Source> {
    refuse(
        "a table is named by --dataset",
        "--data",
        config.path.is_some(),
    )?;
    let path = Path::new(name);
    let metadata = path.metadata().map_err(|_| no_dataset(name))?;
    let imdb = match metadata.is_dir() || is_archive(name) {
        true => Source::imdb(path).ok(),
        false => None,
    };
    if let Some(imdb) = imdb {
        return of_imdb(
            imdb,
            "these are IMDB's reviews",
            config,
            validation_fraction,
        );
    }
    if metadata.is_dir() {
        let why = "a folder is no table";
        refuse(why, "--test-data", config.test_path.is_some())?;
        return Ok(Source::Folder(FolderOptions {
            path: path.into(),
            encoding: config.encoding.clone(),
            labels: labels.cloned(),
            test_fraction: config.test_fraction,
            validation_fraction,
        }));
    }
    Ok(Source::Table(TableOptions {
        path: name.into(),
        test_path: config.test_path.clone(),
        validation_path: config.validation_path.clone(),
        group_column: config.group_column.clone(),
        label_separator: config.label_separator.clone(),
        choice: LabelChoice::new(&config.labels)?,
        skip_unlabelled: config.skip_unlabelled,
        form: table_form(config),
        text_column: config.text_column.clone(),
        label_column: config.label_column.clone(),
        test_fraction: config.test_fraction,
        validation_fraction,
        labels: labels.cloned(),
    }))
}

/// Reads the dataset that a configuration means; a table's labels are `labels`, or learned from it.
///
/// # Errors
/// If it isn't there or can't be read; the message names file and place.
pub fn load(
    config: &RunConfig,
    labels: Option<&Labels>,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let dataset = read(config, labels, progress)?;
    say_doubts(&dataset, config);
    Ok(dataset)
}

/// [`load`], without a word about what was read, for [`say_doubts`] to say.
///
/// # Errors
/// As [`load`].
pub fn read(
    config: &RunConfig,
    labels: Option<&Labels>,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    Ok(source(config, labels)?.load(progress)?)
}

/// Says what was recognised in a dataset, and what is doubtful there.
pub fn say_doubts(dataset: &Dataset, config: &RunConfig) {
    say_notes(&dataset.notes);
    let noun = config.dataset.noun();
    if let Some(longer) = series::longer(dataset, config.input.max_length, noun) {
        say!("warning: {longer}");
    }
}

pub(crate) fn say_notes(notes: &[Note]) {
    for note in notes {
        match note.kind {
            NoteKind::Understood => say!("{}", note.text),
            NoteKind::Doubtful => say!("warning: {}", note.text),
        }
    }
}

/// Reads the dataset that a configuration means and encodes it, and settles in the configuration what follows from
/// the data.
///
/// ```
/// use gatefold::{RunConfig, dataset};
///
/// # fn main() -> anyhow::Result<()> {
/// let mut config = RunConfig::default();
/// config.dataset.name = Some("reviews".into());
/// let data = dataset::prepare(&mut config)?;
/// assert!(data.train.len() > data.validation.len());
/// assert!(data.encoder.vocabulary().unwrap().size() <= config.model.vocabulary_size);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If it isn't there, can't be read, or is too small, or if the configuration doesn't fit it.
pub fn prepare(config: &mut RunConfig) -> Result<EncodedDataset> {
    let dataset = load(config, None, &mut |_| {})?;
    encode(&dataset, config)
}

/// Encodes a dataset, and settles in the configuration what follows from the data.
///
/// # Errors
/// If the dataset is too small, or if the configuration doesn't fit it.
pub fn encode(dataset: &Dataset, config: &mut RunConfig) -> Result<EncodedDataset> {
    let data = EncodedDataset::new(dataset, &config.encoding())?;
    settle(dataset, &data, config)?;
    Ok(data)
}

/// Settles in the configuration what follows from a dataset and what was made of it, and says what is doubtful there.
///
/// # Errors
/// If the configuration doesn't fit it.
pub fn settle(dataset: &Dataset, data: &EncodedDataset, config: &mut RunConfig) -> Result<()> {
    say_notes(&data.doubts(dataset));
    config.settle(data)?;
    series::settle(&mut config.dataset, dataset);
    if let Some(recognised) = &dataset.recognised {
        let of_table = &mut config.dataset;
        of_table.text_column = Some(recognised.text_column.clone());
        of_table.label_column = Some(recognised.label_column.clone());
        of_table.split = Some(Split::Stratified);
    }
    Ok(())
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
