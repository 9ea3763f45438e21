//! A place that data can be read from.

use std::path::{Path, PathBuf};

use super::folder::{self, FolderOptions};
use super::progress::{LoadProgress, Unit};
use super::series::{self, SeriesOptions};
use super::texts::{self, TableOptions};
use super::{acl_imdb, keras_npz};
use crate::corpus::Corpus;
use crate::dataset::Dataset;
use crate::error::{DataError, Result};
use crate::generators::{MemoryTask, reviews};
use crate::limits::Limits;

/// The name under which the reviews are published.
const PUBLISHED_ARCHIVE: &str = "aclImdb_v1.tar.gz";

/// A place that data can be read from.
///
/// [`load`](Self::load) gives the same records in the same order every time. Reviews that come
/// sorted by label are brought into a fixed mixed order, the same one for the IMDB folder and its
/// archive: first sorted by file name, then shuffled with a constant seed. A run's seed has no part
/// in it, so that a later evaluation sees the same split.
///
/// Only regular files are read, and links to them where a path names one; within a folder of reviews
/// a link is an error. More than the following is an error too, before it takes the machine's memory:
///
/// | what | at most |
/// | --- | --- |
/// | an archive, unpacked | 2 GiB |
/// | entries of an archive, files of a folder, reviews of an array | 200 000 |
/// | the names and records that describe an entry | 64 KiB |
/// | a text that is a file or an entry | 1 MiB |
/// | all reviews of IMDB, all texts of a folder | 512 MiB |
/// | an `.npz`, and each of its arrays unpacked | 64 MiB |
/// | `imdb_word_index.json`, and a word in it | 16 MiB, 1 KiB |
/// | a table | 4 GiB, 2^25 rows |
/// | a row of a table, and the label in it | 64 MiB, 1 KiB |
/// | numbers of series, and of all windows together | 2^27 |
/// | an array of numbers | 1 GiB |
/// | columns of a table | 2^20 |
///
/// The published data set stays far below its limits. A table's texts are kept in memory, beside
/// them its labels and a row at a time.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// The built-in generator of short film reviews.
    Reviews {
        /// The same seed generates the same reviews.
        seed: u64,
    },
    /// The published IMDB folder, `aclImdb`, that holds `train/pos` and its three siblings.
    AclImdbFolder {
        /// The folder.
        path: PathBuf,
        /// The share of the training reviews that is held out to validate on, all reviews of a film on one side; if
        /// nothing is said, no reviews are.
        by_film: Option<f64>,
    },
    /// The published IMDB archive, `aclImdb_v1.tar.gz`; it is streamed, not unpacked.
    AclImdbArchive {
        /// The archive.
        path: PathBuf,
        /// As of the folder.
        by_film: Option<f64>,
    },
    /// The IMDB reviews as Keras publishes them: lists of word ranks, kept in the file's order.
    KerasNpz {
        /// `imdb.npz`.
        npz: PathBuf,
        /// `imdb_word_index.json`, which gives the rank of every word.
        word_index: PathBuf,
    },
    /// A table with a text and its label a row.
    Table(TableOptions),
    /// Series of numbers in a file of one's own.
    Series(SeriesOptions),
    /// A folder of texts, a folder a class.
    Folder(FolderOptions),
    /// The generator of a memory task's sequences.
    MemoryTask {
        /// The task.
        task: MemoryTask,
        /// Timesteps of the longest sequences, at least 2.
        length: usize,
        /// The same seed generates the same sequences.
        seed: u64,
    },
}

impl Source {
    /// Recognises what holds the IMDB reviews at `path`: the folder `aclImdb`, its `.tar.gz`,
    /// Keras's `.npz` with `imdb_word_index.json` beside it, or a folder in which one of these lies
    /// under its published name.
    ///
    /// # Errors
    /// [`DataError::NotFound`] and [`DataError::NotImdb`]. What is recognised is not yet read.
    pub fn imdb(path: &Path) -> Result<Self> {
        let metadata = path.metadata().map_err(DataError::reading(path))?;
        if metadata.is_dir() {
            Self::imdb_in_folder(path)
        } else {
            Self::imdb_file(path)
        }
        .ok_or_else(|| DataError::NotImdb { path: path.into() })
    }

    /// IMDB's reviews with this share of those for training held out to validate on, all reviews of a film on one side.
    /// The test reviews are of other films too, so that what is validated so is worth more to choose by.
    ///
    /// # Errors
    /// [`DataError::NoFilms`] of what doesn't say what films its reviews are about.
    pub fn with_films_apart(self, validation_fraction: f64) -> Result<Self> {
        let by_film = Some(validation_fraction);
        match self {
            Self::AclImdbFolder { path, .. } => Ok(Self::AclImdbFolder { path, by_film }),
            Self::AclImdbArchive { path, .. } => Ok(Self::AclImdbArchive { path, by_film }),
            Self::KerasNpz { npz: path, .. } => Err(DataError::NoFilms { path }),
            other => Ok(other),
        }
    }

    fn imdb_in_folder(folder: &Path) -> Option<Self> {
        let is_reviews = |folder: &Path| {
            let mut parts = acl_imdb::FOLDERS.into_iter();
            parts.any(|part| folder.join(part).is_dir())
        };
        let nested = folder.join("aclImdb");
        let archive = folder.join(PUBLISHED_ARCHIVE);
        let npz = folder.join("imdb.npz");
        if is_reviews(folder) {
            Some(folder_of(folder))
        } else if is_reviews(&nested) {
            Some(folder_of(&nested))
        } else if is_reviews(&nested.join("aclImdb")) {
            // Where it was unpacked into a folder of its name.
            Some(folder_of(&nested.join("aclImdb")))
        } else if archive.is_file() {
            Some(archive_of(&archive))
        } else if npz.is_file() {
            Self::imdb_file(&npz)
        } else {
            None
        }
    }

    fn imdb_file(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_string_lossy().to_lowercase();
        if name.ends_with(".tar.gz") || name.ends_with(".tgz") {
            Some(archive_of(file))
        } else if name.ends_with(".npz") {
            let word_index = file.with_file_name("imdb_word_index.json");
            Some(Self::KerasNpz {
                npz: file.into(),
                word_index,
            })
        } else {
            None
        }
    }

    /// Reads or generates all records and reports how far it has come, at the latest when all is
    /// done.
    ///
    /// # Errors
    /// Any [`DataError`] about files, and [`DataError::TaskLength`].
    pub fn load(&self, progress: &mut dyn FnMut(LoadProgress)) -> Result<Dataset> {
        let limits = &Limits::default();
        let dataset = match self {
            Self::Reviews { seed } => reviews(*seed),
            Self::MemoryTask { task, length, seed } => task.dataset(*length, *seed)?,
            Self::AclImdbFolder { path, by_film } => {
                return acl_imdb::load_folder(path, *by_film, limits, progress);
            }
            Self::AclImdbArchive { path, by_film } => {
                return acl_imdb::load_archive(path, *by_film, limits, progress);
            }
            Self::KerasNpz { npz, word_index } => {
                return keras_npz::load(npz, word_index, limits, progress);
            }
            Self::Series(options) => return series::load(options, limits, progress),
            Self::Folder(options) => return folder::load(options, limits, progress),
            Self::Table(options) => return texts::load(options, limits, progress),
        };
        let total = (dataset.train.len() + dataset.validation.len() + dataset.test.len()) as u64;
        progress(LoadProgress {
            done: total,
            total,
            unit: Unit::Examples,
        });
        Ok(dataset)
    }
}

impl Source {
    /// Reads the texts alone, for a language model: all of a table or a folder, those of IMDB without a verdict too, and
    /// those of the test part for themselves. In the same mixed order every time.
    ///
    /// # Errors
    /// As [`load`](Self::load); [`DataError::Corpus`] of what holds no texts.
    pub fn corpus(&self, progress: &mut dyn FnMut(LoadProgress)) -> Result<Corpus> {
        let limits = &Limits::default();
        match self {
            Self::AclImdbFolder { path, .. } => acl_imdb::corpus_of_folder(path, limits, progress),
            Self::AclImdbArchive { path, .. } => {
                acl_imdb::corpus_of_archive(path, limits, progress)
            }
            Self::Folder(options) => folder::corpus(options, limits, progress),
            Self::Table(options) => texts::corpus(options, limits, progress),
            Self::Reviews { .. } | Self::KerasNpz { .. } => Ok(Corpus::of(self.load(progress)?)),
            Self::MemoryTask { .. } | Self::Series(_) => Err(DataError::Corpus {
                reason: "these are numbers, and a language model reads texts".into(),
            }),
        }
    }
}

fn folder_of(path: &Path) -> Source {
    Source::AclImdbFolder {
        path: path.into(),
        by_film: None,
    }
}

fn archive_of(path: &Path) -> Source {
    Source::AclImdbArchive {
        path: path.into(),
        by_film: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn recognises_what_a_path_holds() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let nested = root.join("nested/aclImdb");
        fs::create_dir_all(nested.join("train/pos")).unwrap();
        for file in [
            "archive/aclImdb_v1.tar.gz",
            "npz/imdb.npz",
            "npz/Other.NPZ",
            "other.tgz",
            "reviews.csv",
        ] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "").unwrap();
        }
        let npz = |name| Source::KerasNpz {
            npz: root.join("npz").join(name),
            word_index: root.join("npz/imdb_word_index.json"),
        };
        let cases = [
            ("nested/aclImdb", folder_of(&nested)),
            ("nested", folder_of(&nested)),
            (
                "archive",
                archive_of(&root.join("archive/aclImdb_v1.tar.gz")),
            ),
            ("other.tgz", archive_of(&root.join("other.tgz"))),
            ("npz", npz("imdb.npz")),
            ("npz/Other.NPZ", npz("Other.NPZ")),
        ];
        for (path, source) in cases {
            assert_eq!(Source::imdb(&root.join(path)).unwrap(), source, "{path}");
        }
        for path in ["reviews.csv", ""] {
            let message = Source::imdb(&root.join(path)).unwrap_err().to_string();
            assert!(message.contains("no IMDB reviews are here"), "{message}");
        }
    }

    #[test]
    fn a_folder_called_train_is_not_yet_imdb() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("train/images")).unwrap();
        let message = Source::imdb(root.path()).unwrap_err().to_string();
        assert!(message.contains("no IMDB reviews are here"), "{message}");
        fs::create_dir_all(root.path().join("test/neg")).unwrap();
        assert_eq!(Source::imdb(root.path()).unwrap(), folder_of(root.path()));
    }

    #[test]
    fn a_missing_path_is_named() {
        let missing = Path::new("no/such/aclImdb");
        let message = Source::imdb(missing).unwrap_err().to_string();
        assert_eq!(
            message,
            "no/such/aclImdb: there is no such file or folder; check the path"
        );
        let npz = Source::KerasNpz {
            npz: missing.into(),
            word_index: missing.into(),
        };
        let table = Source::Table(TableOptions::new(missing));
        for source in [folder_of(missing), archive_of(missing), npz, table] {
            let message = source.load(&mut |_| {}).unwrap_err().to_string();
            assert!(
                message.starts_with("no/such/aclImdb: there is no such file"),
                "{message}"
            );
        }
    }

    #[test]
    fn generators_report_what_they_made() {
        let (task, length, seed) = (MemoryTask::Adding, 3, 1);
        for source in [
            Source::Reviews { seed },
            Source::MemoryTask { task, length, seed },
        ] {
            let mut reports = Vec::new();
            let dataset = source.load(&mut |progress| reports.push(progress)).unwrap();
            let records = [dataset.train, dataset.validation, dataset.test].concat();
            let total = records.len() as u64;
            let unit = Unit::Examples;
            assert_eq!(
                reports,
                [LoadProgress {
                    done: total,
                    total,
                    unit
                }]
            );
        }
        let length = 1;
        let short = Source::MemoryTask { task, length, seed }.load(&mut |_| {});
        assert!(
            matches!(short, Err(DataError::TaskLength { .. })),
            "{short:?}"
        );
    }
}
