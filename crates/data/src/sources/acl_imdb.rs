//! The Large Movie Review Dataset as published: the folder `aclImdb`, or its archive.
//!
//! Maas, Daly, Pham, Huang, Ng, Potts: Learning Word Vectors for Sentiment Analysis, ACL 2011. A
//! review is a file `aclImdb/{train,test}/{pos,neg}/ID_STARS.txt`; the reviews without a verdict,
//! in `train/unsup`, are left out.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;

use super::{Progress, Unit, text};
use crate::dataset::{Dataset, Review};
use crate::error::{DataError, Result};
use crate::random::mix;

/// The folders that hold the reviews.
const FOLDERS: [&str; 4] = ["train/neg", "train/pos", "test/neg", "test/pos"];

/// Files or archive entries between two reports of progress.
const REPORT_EVERY: usize = 512;

/// A file of the data set.
struct ReviewFile {
    /// One of [`FOLDERS`].
    folder: &'static str,
    /// The name within its folder.
    name: String,
    /// What it holds.
    bytes: Vec<u8>,
}

/// Reads the folder that holds `train/pos` and its siblings.
pub(super) fn load_folder(root: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Dataset> {
    root.metadata().map_err(DataError::reading(root))?;
    let mut names = Vec::new();
    for folder in FOLDERS {
        names.extend(
            names_in(root, folder)?
                .into_iter()
                .map(|name| (folder, name)),
        );
    }
    let total = names.len() as u64;
    let mut files = Vec::with_capacity(names.len());
    for part in names.chunks(REPORT_EVERY) {
        let read = part.par_iter().map(|(folder, name)| {
            let path = root.join(folder).join(name);
            let bytes = fs::read(&path).map_err(DataError::reading(&path))?;
            Ok(ReviewFile {
                folder,
                name: name.clone(),
                bytes,
            })
        });
        files.extend(read.collect::<Result<Vec<_>>>()?);
        progress(Progress {
            done: files.len() as u64,
            total,
            unit: Unit::Files,
        });
    }
    dataset(
        root,
        files,
        "unpack the archive again, or give the archive itself",
    )
}

fn names_in(root: &Path, folder: &'static str) -> Result<Vec<String>> {
    let path = root.join(folder);
    let entries = fs::read_dir(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DataError::MissingFolder {
            path: root.into(),
            folder,
        },
        _ => DataError::Read {
            path: path.clone(),
            source: error,
        },
    })?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(DataError::reading(&path))?.file_name();
        // The published names are ASCII: a name that is no UTF-8 is none of them.
        names.extend(name.into_string().ok().filter(|name| is_review(name)));
    }
    Ok(names)
}

/// Streams the compressed archive.
pub(super) fn load_archive(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Dataset> {
    let file = File::open(path).map_err(DataError::reading(path))?;
    let total = file.metadata().map_err(DataError::reading(path))?.len();
    let done = Cell::new(0);
    let counting = Counting {
        inner: file,
        bytes: &done,
    };
    let compressed = BufReader::with_capacity(1 << 17, counting);
    let report = || {
        progress(Progress {
            done: done.get(),
            total,
            unit: Unit::Bytes,
        })
    };
    let mut last_entry = None;
    let files =
        stream(MultiGzDecoder::new(compressed), &mut last_entry, report).map_err(|source| {
            let place = match last_entry {
                Some(name) => format!("after the entry `{name}`"),
                None => "before its first entry".to_owned(),
            };
            DataError::Archive {
                path: path.into(),
                place,
                source,
            }
        })?;
    dataset(
        path,
        files,
        "this is not the published archive, or not all of it: fetch it again",
    )
}

/// Reads the reviews out of an archive to its very end, where the checksum of the whole is
/// compared.
fn stream(
    mut archive: impl Read,
    last_entry: &mut Option<String>,
    mut report: impl FnMut(),
) -> io::Result<Vec<ReviewFile>> {
    let mut files = Vec::new();
    let mut tar = tar::Archive::new(&mut archive);
    for (index, entry) in tar.entries()?.enumerate() {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if let Some((folder, name)) =
            review_path(&path).filter(|_| entry.header().entry_type().is_file())
        {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            files.push(ReviewFile {
                folder,
                name: name.to_owned(),
                bytes,
            });
        }
        *last_entry = Some(path);
        if index % REPORT_EVERY == 0 {
            report();
        }
    }
    io::copy(&mut archive, &mut io::sink())?;
    report();
    Ok(files)
}

/// The folder and the name of a review, whatever lies above the folder; nothing for any other file.
fn review_path(path: &str) -> Option<(&'static str, &str)> {
    let (parents, name) = path.rsplit_once('/')?;
    let is_in = |folder: &&str| {
        parents
            .strip_suffix(*folder)
            .is_some_and(|top| top.is_empty() || top.ends_with('/'))
    };
    let folder = FOLDERS.into_iter().find(is_in)?;
    is_review(name).then_some((folder, name))
}

/// Whether a file of this name holds a review. macOS puts files of its own, `._0_9.txt`, beside
/// those it packs.
fn is_review(name: &str) -> bool {
    name.ends_with(".txt") && !name.starts_with('.')
}

/// Puts the files in the one order that does not depend on where they came from.
fn dataset(path: &Path, mut files: Vec<ReviewFile>, remedy: &'static str) -> Result<Dataset> {
    if let Some(part) = FOLDERS
        .into_iter()
        .find(|&folder| files.iter().all(|file| file.folder != folder))
    {
        return Err(DataError::Empty {
            path: path.into(),
            part,
            remedy,
        });
    }
    files.par_sort_by(|one, other| (one.folder, &one.name).cmp(&(other.folder, &other.name)));
    let mut dataset = Dataset {
        train: Vec::new(),
        test: Vec::new(),
        replaced_utf8: 0,
    };
    for ReviewFile { folder, bytes, .. } in files {
        let review = Review {
            text: text(&bytes, &mut dataset.replaced_utf8),
            positive: folder.ends_with("pos"),
        };
        if folder.starts_with("train") {
            &mut dataset.train
        } else {
            &mut dataset.test
        }
        .push(review);
    }
    mix(&mut dataset.train);
    mix(&mut dataset.test);
    Ok(dataset)
}

/// Counts the bytes that are read through it.
struct Counting<'a, R> {
    inner: R,
    bytes: &'a Cell<u64>,
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::error::Error;
    use std::path::PathBuf;
    use tempfile::TempDir;

    /// Reviews of both splits and classes, and what else the published archive holds.
    fn files() -> Vec<(String, Vec<u8>)> {
        let mut files = vec![
            ("README".to_owned(), b"about".to_vec()),
            ("train/unsup/0_0.txt".to_owned(), b"no verdict".to_vec()),
            ("train/pos/._0_9.txt".to_owned(), b"not a review".to_vec()),
            (
                "train/urls_pos.txt".to_owned(),
                b"http://localhost/".to_vec(),
            ),
        ];
        for folder in FOLDERS {
            for index in 0..20 {
                let text = format!("number {index} of {folder} {}", pseudo_random(index));
                files.push((format!("{folder}/{index}_7.txt"), text.into_bytes()));
            }
        }
        files
    }

    /// Text that does not compress to nothing, so that cutting an archive cuts reviews.
    fn pseudo_random(seed: u64) -> String {
        let mut state = seed + 1;
        let mut next = || {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            char::from(b'a' + (state >> 59) as u8 % 26)
        };
        (0..200).map(|_| next()).collect()
    }

    fn folder_of(files: &[(String, Vec<u8>)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        root
    }

    fn archive_of(top: &str, files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("{top}{path}"), bytes.as_slice())
                .unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn saved(bytes: &[u8]) -> (TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("aclImdb_v1.tar.gz");
        fs::write(&path, bytes).unwrap();
        (root, path)
    }

    fn load_bytes(bytes: &[u8]) -> Result<Dataset> {
        let (_root, path) = saved(bytes);
        load_archive(&path, &mut |_| {})
    }

    #[test]
    fn folder_and_archive_give_the_same_reviews_in_the_same_mixed_order() {
        let mut files = files();
        let folder = folder_of(&files);
        let from_folder = load_folder(folder.path(), &mut |_| {}).unwrap();
        assert_eq!((from_folder.train.len(), from_folder.test.len()), (40, 40));
        assert!(
            from_folder
                .train
                .iter()
                .all(|review| review.positive == review.text.contains("train/pos"))
        );
        assert!(
            from_folder
                .test
                .iter()
                .all(|review| review.positive == review.text.contains("test/pos"))
        );
        let last_positive = from_folder.train[32..]
            .iter()
            .filter(|review| review.positive)
            .count();
        assert!(
            (1..8).contains(&last_positive),
            "{last_positive} positive reviews of the last 8"
        );

        files.reverse();
        for top in ["aclImdb/", "renamed/twice/", "./", ""] {
            assert_eq!(
                load_bytes(&archive_of(top, &files)).unwrap(),
                from_folder,
                "{top:?}"
            );
        }
    }

    #[test]
    fn reports_files_and_compressed_bytes() {
        let (_root, archive) = saved(&archive_of("aclImdb/", &files()));
        let total = archive.metadata().unwrap().len();
        let mut last = None;
        load_archive(&archive, &mut |progress| last = Some(progress)).unwrap();
        assert_eq!(
            last,
            Some(Progress {
                done: total,
                total,
                unit: Unit::Bytes
            })
        );

        let folder = folder_of(&files());
        load_folder(folder.path(), &mut |progress| last = Some(progress)).unwrap();
        assert_eq!(
            last,
            Some(Progress {
                done: 80,
                total: 80,
                unit: Unit::Files
            })
        );
    }

    #[test]
    fn invalid_utf8_is_replaced_and_counted() {
        let mut files = files();
        files.push(("test/neg/99_1.txt".into(), b"caf\xe9 \xff".to_vec()));
        let dataset = load_bytes(&archive_of("aclImdb/", &files)).unwrap();
        assert_eq!(dataset.replaced_utf8, 1);
        assert!(
            dataset
                .test
                .iter()
                .any(|review| review.text == "caf\u{fffd} \u{fffd}")
        );
    }

    #[test]
    fn a_missing_folder_is_named() {
        for folder in FOLDERS {
            let root = folder_of(&files());
            fs::remove_dir_all(root.path().join(folder)).unwrap();
            let message = load_folder(root.path(), &mut |_| {})
                .unwrap_err()
                .to_string();
            assert!(
                message.contains(&format!("the folder `{folder}` is missing")),
                "{message}"
            );
            assert!(
                message.starts_with(root.path().to_str().unwrap()),
                "{message}"
            );
        }
    }

    #[test]
    fn an_empty_part_is_named() {
        for folder in FOLDERS {
            let mut files = files();
            files.retain(|(path, _)| !path.starts_with(folder));
            let message = load_bytes(&archive_of("aclImdb/", &files))
                .unwrap_err()
                .to_string();
            assert!(
                message.contains(&format!("{folder} holds no reviews")),
                "{message}"
            );
            let root = folder_of(&files);
            fs::create_dir_all(root.path().join(folder)).unwrap();
            let message = load_folder(root.path(), &mut |_| {})
                .unwrap_err()
                .to_string();
            assert!(
                message.contains(&format!("{folder} holds no reviews")),
                "{message}"
            );
        }
    }

    #[test]
    fn an_archive_cut_anywhere_is_an_error() {
        let whole = archive_of("aclImdb/", &files());
        for length in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
            let error = load_bytes(&whole[..length]).unwrap_err();
            let message = error.to_string();
            assert!(
                message.contains("aclImdb_v1.tar.gz: the archive is truncated or damaged"),
                "{length}: {message}"
            );
            assert!(message.contains("fetch it again"), "{message}");
            assert!(error.source().is_some());
        }
        let message = load_bytes(&whole[..whole.len() / 2])
            .unwrap_err()
            .to_string();
        assert!(message.contains("after the entry `aclImdb/t"), "{message}");
    }

    #[test]
    fn a_damaged_archive_never_gives_other_reviews() {
        let whole = archive_of("aclImdb/", &files());
        let sound = load_bytes(&whole).unwrap();
        for position in (20..whole.len()).step_by(331) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x10;
            match load_bytes(&damaged) {
                // A few bits of a compressed stream have no meaning.
                Ok(dataset) => assert_eq!(dataset, sound, "{position}"),
                Err(error) => assert!(
                    error.to_string().contains("truncated or damaged"),
                    "{position}: {error}"
                ),
            }
        }
        let message = load_bytes(b"<html>404</html>").unwrap_err().to_string();
        assert!(message.contains("before its first entry"), "{message}");
    }
}
