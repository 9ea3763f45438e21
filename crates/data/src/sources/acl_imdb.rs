//! The Large Movie Review Dataset as published: the folder `aclImdb`, or its archive.
//!
//! Maas, Daly, Pham, Huang, Ng, Potts: Learning Word Vectors for Sentiment Analysis, ACL 2011. A
//! review is a file `aclImdb/{train,test}/{pos,neg}/ID_STARS.txt`; the reviews without a verdict,
//! in `train/unsup`, are for language models alone. The line of `train/urls_pos.txt` at ID, from 0, is the address of
//! the film that a review is about. No film is in both splits.

use std::cell::Cell;
use std::collections::HashMap;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use rayon::prelude::*;

use super::progress::{LoadProgress, Unit};
use crate::corpus::Corpus;
use crate::dataset::{Dataset, Note, Record};
use crate::error::{DataError, Result, SHOWN_REASON, shown};
use crate::example::Target;
use crate::files::{check, open_sized, read_regular, text};
use crate::labels::Labels;
use crate::limits::{Allowance, Bound, Limited, Limits, size};
use crate::random::mix;
use crate::split::{Fractions, Groups, parts, shared_out};

/// The folders that hold the reviews.
pub(super) const FOLDERS: [&str; 4] = ["train/neg", "train/pos", "test/neg", "test/pos"];

/// The folder of the reviews without a verdict.
const UNLABELLED: &str = "train/unsup";

/// The folder and the names of the files that say which film a review for training is about.
const TRAIN: &str = "train";
const FILMS: [&str; 2] = ["urls_neg.txt", "urls_pos.txt"];

/// The folders of reviews with a verdict, and of what says which film those for training are about.
const WITH_FILMS: [&str; 5] = [FOLDERS[0], FOLDERS[1], FOLDERS[2], FOLDERS[3], TRAIN];

/// The folders of all reviews.
const ALL: [&str; 5] = [FOLDERS[0], FOLDERS[1], FOLDERS[2], FOLDERS[3], UNLABELLED];

/// Files or archive entries between two reports of progress.
pub(super) const REPORT_EVERY: usize = 512;

/// What an entry's content is padded to in a tar archive.
const TAR_BLOCK: u64 = 512;

/// Characters of an entry's path that an error shows.
const SHOWN_PATH: usize = 100;

/// What to do about a folder or an archive that lacks a part.
const UNPACK_AGAIN: &str = "unpack the archive again, or give the archive itself";
const FETCH_AGAIN: &str = "this is not the published archive, or not all of it: fetch it again";

/// What to do about an archive or a folder that is larger than the published one could ever be.
const NOT_PUBLISHED: &str = "this is not the published data set: fetch it again";

/// A file of the data set.
struct ReviewFile {
    /// One of those that were asked for.
    folder: &'static str,
    /// The name within its folder.
    name: String,
    /// What it holds.
    bytes: Vec<u8>,
}

/// Reads the folder that holds `train/pos` and its siblings; `by_film` is as [`read_archive`]'s.
pub(super) fn load_folder(
    root: &Path,
    by_film: Option<f64>,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let files = read_folder(root, asked(by_film), limits, progress)?;
    let mut dataset = dataset(root, files, by_film, UNPACK_AGAIN)?;
    if root.join(UNLABELLED).is_dir() {
        dataset.notes.push(left_out());
    }
    Ok(dataset)
}

/// The texts of [`load_folder`], those without a verdict too.
pub(super) fn corpus_of_folder(
    root: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Corpus> {
    let folders = match root.join(UNLABELLED).is_dir() {
        true => &ALL[..],
        false => &FOLDERS,
    };
    corpus(
        root,
        read_folder(root, folders, limits, progress)?,
        UNPACK_AGAIN,
    )
}

/// Reads the reviews of these folders.
fn read_folder(
    root: &Path,
    folders: &[&'static str],
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Vec<ReviewFile>> {
    root.metadata().map_err(DataError::reading(root))?;
    let mut names = Vec::new();
    let mut entries = 0;
    for &folder in folders {
        let here = names_in(root, folder, limits, &mut entries)?;
        names.extend(here.into_iter().map(|name| (folder, name)));
    }
    let total = names.len() as u64;
    let mut files = Vec::with_capacity(names.len());
    let mut bytes = 0;
    for part in names.chunks(REPORT_EVERY) {
        let read = part.par_iter().map(|(folder, name)| {
            Ok(ReviewFile {
                folder,
                name: name.clone(),
                bytes: read_review(&root.join(folder).join(name), limits)?,
            })
        });
        for file in read.collect::<Result<Vec<_>>>()? {
            bytes += file.bytes.len() as u64;
            files.push(file);
        }
        if bytes > limits.reviews {
            return Err(too_much_text(root, limits));
        }
        progress(LoadProgress {
            done: files.len() as u64,
            total,
            unit: Unit::Files,
        });
    }
    Ok(files)
}

/// Reads a file of a folder, in which a link is no review: it could lead to any file.
pub(super) fn read_review(path: &Path, limits: &Limits) -> Result<Vec<u8>> {
    check(
        path,
        &path.symlink_metadata().map_err(DataError::reading(path))?,
    )?;
    read_regular(path, limits.review)
}

/// The names of a folder's reviews; `entries` counts the files of all folders.
fn names_in(
    root: &Path,
    folder: &'static str,
    limits: &Limits,
    entries: &mut u64,
) -> Result<Vec<String>> {
    let path = root.join(folder);
    let files = fs::read_dir(&path).map_err(|error| match error.kind() {
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
    for file in files {
        let name = file.map_err(DataError::reading(&path))?.file_name();
        *entries += 1;
        if *entries > limits.entries {
            return Err(too_many_entries(root, "files", limits));
        }
        // The published names are ASCII: a name that is no UTF-8 is none of them.
        names.extend(name.into_string().ok().filter(|name| belongs(folder, name)));
    }
    Ok(names)
}

fn too_much(path: &Path, reason: String) -> DataError {
    DataError::TooMuch {
        path: path.into(),
        reason,
        remedy: NOT_PUBLISHED,
    }
}

fn too_many_entries(path: &Path, what: &str, limits: &Limits) -> DataError {
    let most = limits.entries;
    too_much(path, format!("it holds more than {most} {what}"))
}

fn too_much_text(path: &Path, limits: &Limits) -> DataError {
    let most = size(limits.reviews);
    too_much(path, format!("its reviews have more than {most} together"))
}

/// Streams the compressed archive.
pub(super) fn load_archive(
    path: &Path,
    by_film: Option<f64>,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    unpack(path, progress, |archive, report| {
        read_archive(path, archive, by_film, limits, report)
    })
}

/// The texts of [`load_archive`], those without a verdict too.
pub(super) fn corpus_of_archive(
    path: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Corpus> {
    unpack(path, progress, |archive, report| {
        let (files, _) = stream(path, archive, &ALL, limits, report)?;
        corpus(path, files, FETCH_AGAIN)
    })
}

/// Gives what the archive unpacks to, as a stream, and what reports how far it has come.
fn unpack<T>(
    path: &Path,
    progress: &mut dyn FnMut(LoadProgress),
    read: impl FnOnce(&mut dyn Read, &mut dyn FnMut()) -> Result<T>,
) -> Result<T> {
    let (file, total) = open_sized(path)?;
    let done = Cell::new(0);
    let counting = Counting {
        inner: file,
        bytes: &done,
    };
    let compressed = BufReader::with_capacity(1 << 17, counting);
    let mut report = || {
        progress(LoadProgress {
            done: done.get(),
            total,
            unit: Unit::Bytes,
        })
    };
    read(&mut MultiGzDecoder::new(compressed), &mut report)
}

/// Reads the unpacked archive. `by_film` is the share of the training reviews that is held out to validate on, all
/// reviews of a film on one side; without it nothing is held out.
pub(crate) fn read_archive(
    path: &Path,
    archive: impl Read,
    by_film: Option<f64>,
    limits: &Limits,
    report: impl FnMut(),
) -> Result<Dataset> {
    let (files, unlabelled) = stream(path, archive, asked(by_film), limits, report)?;
    let mut dataset = dataset(path, files, by_film, FETCH_AGAIN)?;
    if unlabelled {
        dataset.notes.push(left_out());
    }
    Ok(dataset)
}

/// The folders to read.
fn asked(by_film: Option<f64>) -> &'static [&'static str] {
    match by_film {
        Some(_) => &WITH_FILMS,
        None => &FOLDERS,
    }
}

fn left_out() -> Note {
    Note::understood("`train/unsup`, reviews without a verdict, is left out")
}

/// Reads the reviews of these folders out of an archive to its very end, where the checksum of the whole is
/// compared, and tells whether there are some without a verdict.
fn stream(
    path: &Path,
    archive: impl Read,
    folders: &[&'static str],
    limits: &Limits,
    mut report: impl FnMut(),
) -> Result<(Vec<ReviewFile>, bool)> {
    let mut unlabelled = false;
    let too_much = |reason| too_much(path, reason);
    let allowance = Allowance::new(limits.archive);
    let failed = |place: &str, source: io::Error| match allowance.exceeded() {
        Some(Bound::All) => too_much(format!("it unpacks to more than {}", size(limits.archive))),
        Some(Bound::Part) => too_much(format!(
            "what describes an entry, {place}, is longer than {}",
            size(limits.header)
        )),
        None => DataError::Archive {
            path: path.into(),
            place: place.into(),
            // The tar crate names entries in it, as they are.
            source: io::Error::new(source.kind(), shown(&source.to_string(), SHOWN_REASON)),
        },
    };
    let mut place = "before its first entry".to_owned();
    let mut files = Vec::new();
    let mut kept = 0;
    let mut archive = Limited::new(archive, &allowance);
    let mut tar = tar::Archive::new(&mut archive);
    // The tar crate reads long names whole, whatever length they claim, before it shows an entry.
    allowance.allow(limits.header);
    let entries = tar.entries().map_err(|error| failed(&place, error))?;
    for (index, entry) in (0..).zip(entries) {
        let mut entry = entry.map_err(|error| failed(&place, error))?;
        if index == limits.entries {
            return Err(too_many_entries(path, "entries", limits));
        }
        let kind = entry.header().entry_type();
        // A sparse file has fewer bytes in the archive than on a disk.
        let bytes = match kind.is_gnu_sparse() {
            true => entry.header().entry_size(),
            false => Ok(entry.size()),
        }
        .map_err(|error| failed(&place, error))?;
        allowance.allow(bytes.saturating_add(TAR_BLOCK + limits.header));
        let entry_path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        unlabelled |= entry_path.contains(UNLABELLED);
        if let Some((folder, name)) = review_path(&entry_path, folders).filter(|_| kind.is_file()) {
            if bytes > limits.review {
                return Err(too_much(format!(
                    "the entry `{}` is larger than any review ({})",
                    shown(&entry_path, SHOWN_PATH),
                    size(limits.review)
                )));
            }
            kept += bytes + name.len() as u64;
            if kept > limits.reviews {
                return Err(too_much_text(path, limits));
            }
            let mut content = Vec::with_capacity(bytes as usize);
            entry
                .read_to_end(&mut content)
                .map_err(|error| failed(&place, error))?;
            files.push(ReviewFile {
                folder,
                name: name.to_owned(),
                bytes: content,
            });
        }
        place = format!("after the entry `{}`", shown(&entry_path, SHOWN_PATH));
        if index % REPORT_EVERY as u64 == 0 {
            report();
        }
    }
    allowance.allow(u64::MAX);
    io::copy(&mut archive, &mut io::sink()).map_err(|error| failed(&place, error))?;
    report();
    Ok((files, unlabelled))
}

/// The folder and the name of a review, whatever lies above the folder; nothing for any other file.
fn review_path<'a>(path: &'a str, folders: &[&'static str]) -> Option<(&'static str, &'a str)> {
    let (parents, name) = path.rsplit_once('/')?;
    let is_in = |folder: &&str| {
        parents
            .strip_suffix(*folder)
            .is_some_and(|top| top.is_empty() || top.ends_with('/'))
    };
    let folder = folders.iter().copied().find(is_in)?;
    belongs(folder, name).then_some((folder, name))
}

/// Whether a file of this name is one of those asked for in a folder.
fn belongs(folder: &str, name: &str) -> bool {
    match folder {
        TRAIN => FILMS.contains(&name),
        _ => is_review(name),
    }
}

/// Whether a file of this name holds a review. macOS puts files of its own, `._0_9.txt`, beside
/// those it packs.
fn is_review(name: &str) -> bool {
    name.ends_with(".txt") && !name.starts_with('.')
}

/// Puts the files in the one order that does not depend on where they came from.
fn sorted(
    path: &Path,
    mut files: Vec<ReviewFile>,
    remedy: &'static str,
) -> Result<Vec<ReviewFile>> {
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
    Ok(files)
}

fn corpus(path: &Path, files: Vec<ReviewFile>, remedy: &'static str) -> Result<Corpus> {
    let mut corpus = Corpus::default();
    let (mut replaced, mut unlabelled) = (0, 0);
    for ReviewFile { folder, bytes, .. } in sorted(path, files, remedy)? {
        let text = text(&bytes, &mut replaced).into_owned();
        unlabelled += usize::from(folder == UNLABELLED);
        match folder.starts_with("test") {
            true => &mut corpus.tested,
            false => &mut corpus.texts,
        }
        .push(text);
    }
    corpus.notes.push(Note::understood(match unlabelled {
        0 => format!("`{UNLABELLED}`, reviews without a verdict, is not here"),
        count => format!("{count} reviews are without a verdict (`{UNLABELLED}`)"),
    }));
    corpus.notes.extend(damaged(replaced));
    Ok(corpus.mixed())
}

fn damaged(replaced: usize) -> Option<Note> {
    (replaced > 0).then(|| {
        Note::doubtful(format!(
            "{replaced} reviews hold bytes that are no UTF-8; each such byte sequence was replaced by U+FFFD"
        ))
    })
}

fn dataset(
    path: &Path,
    files: Vec<ReviewFile>,
    by_film: Option<f64>,
    remedy: &'static str,
) -> Result<Dataset> {
    let labels = Labels::negative_positive();
    let (films, files): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| file.folder == TRAIN);
    let films = by_film.map(|_| Films::new(path, &films, remedy));
    let mut train = Vec::new();
    let mut test = Vec::new();
    let mut replaced = 0;
    for file in sorted(path, files, remedy)? {
        let text = text(&file.bytes, &mut replaced);
        let review = Record::text(text, file.folder.ends_with("pos").into());
        if file.folder.starts_with(TRAIN) {
            let film = films.as_ref().map(|films| films.of(&file)).transpose()?;
            train.push((film, review));
        } else {
            test.push(review);
        }
    }
    mix(&mut train);
    mix(&mut test);
    let (films, train): (Vec<_>, Vec<_>) = train.into_iter().unzip();
    let mut dataset = match by_film {
        None => Dataset {
            train,
            ..Dataset::default()
        },
        Some(fraction) => {
            let mut groups = Groups::new(train.len());
            groups.keep_together(films.into_iter());
            groups.keep_together(train.iter().map(|review| review.content.text()));
            let targets: Vec<&Target> = train.iter().map(|review| &review.target).collect();
            let fractions = Fractions {
                test: None,
                validation: Some(fraction),
            };
            let parts = parts(&targets, groups, fractions)
                .map_err(|lacking| lacking.error(path, Some(&labels)))?;
            let [train, validation, _] = shared_out(train, &parts);
            Dataset {
                train,
                validation,
                ..Dataset::default()
            }
        }
    };
    dataset.test = test;
    dataset.labels = Some(labels);
    dataset.notes.extend(damaged(replaced));
    Ok(dataset)
}

/// Which film each review for training is about.
struct Films<'a> {
    path: &'a Path,
    remedy: &'static str,
    /// By the names of [`FILMS`].
    addresses: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Films<'a> {
    fn new(path: &'a Path, files: &'a [ReviewFile], remedy: &'static str) -> Self {
        let addresses = files.iter().map(|file| {
            // Addresses are ASCII: a file that is no UTF-8 has none.
            let lines = std::str::from_utf8(&file.bytes).unwrap_or_default();
            (file.name.as_str(), lines.lines().map(film).collect())
        });
        Self {
            path,
            remedy,
            addresses: addresses.collect(),
        }
    }

    /// The film of a review.
    fn of(&self, review: &ReviewFile) -> Result<&'a str> {
        let name = FILMS[usize::from(review.folder.ends_with("pos"))];
        let line = review.name.split(['_', '.']).next();
        let line = line.and_then(|line| line.parse::<usize>().ok());
        line.and_then(|line| self.addresses.get(name)?.get(line).copied())
            .filter(|film| !film.is_empty())
            .ok_or_else(|| DataError::NoFilm {
                path: self.path.into(),
                review: format!("{}/{}", review.folder, shown(&review.name, SHOWN_PATH)),
                file: format!("{TRAIN}/{name}"),
                remedy: self.remedy,
            })
    }
}

/// What names the film in `http://www.imdb.com/title/tt0064354/usercomments`; the whole address where it has no title.
fn film(address: &str) -> &str {
    let title = address.split_once("/title/");
    title
        .map_or(address, |(_, title)| {
            title.split('/').next().unwrap_or(title)
        })
        .trim()
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
    use std::collections::HashSet;
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
        load_within(&Limits::default(), bytes)
    }

    fn load_within(limits: &Limits, bytes: &[u8]) -> Result<Dataset> {
        let (_root, path) = saved(bytes);
        load_archive(&path, None, limits, &mut |_| {})
    }

    #[test]
    fn folder_and_archive_give_the_same_reviews_in_the_same_mixed_order() {
        let mut files = files();
        let folder = folder_of(&files);
        let from_folder =
            load_folder(folder.path(), None, &Limits::default(), &mut |_| {}).unwrap();
        assert_eq!((from_folder.train.len(), from_folder.test.len()), (40, 40));
        for (split, positive) in [
            (&from_folder.train, "train/pos"),
            (&from_folder.test, "test/pos"),
        ] {
            let mut reviews = split.iter().map(Record::expect_review);
            assert!(reviews.all(|(text, class)| class == text.contains(positive)));
        }
        let last_positive = from_folder.train[32..]
            .iter()
            .filter(|review| review.expect_review().1)
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

    /// Twenty reviews a class of seven films, of which some have reviews of both classes.
    fn with_films() -> Vec<(String, Vec<u8>)> {
        let address = |film| format!("http://www.imdb.com/title/tt000{film}/usercomments\n");
        let mut files = files();
        files.retain(|(name, _)| name != "train/urls_pos.txt");
        let of_classes = [("neg", 0), ("pos", 2)];
        for (class, first) in of_classes {
            let lines: String = (0..20).map(|index| address(first + index % 5)).collect();
            files.push((format!("train/urls_{class}.txt"), lines.into_bytes()));
        }
        files
    }

    fn film_of(review: &Record) -> usize {
        let (text, positive) = review.expect_review();
        let index = text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() % 5;
        index + 2 * usize::from(positive)
    }

    #[test]
    fn films_are_held_out_with_all_their_reviews() {
        let files = with_films();
        let folder = folder_of(&files);
        let limits = &Limits::default();
        let usual = load_folder(folder.path(), None, limits, &mut |_| {}).unwrap();
        let apart = load_folder(folder.path(), Some(0.3), limits, &mut |_| {}).unwrap();
        assert_eq!(usual.validation, []);
        assert_eq!(apart.test, usual.test);
        let films = |part: &[Record]| part.iter().map(film_of).collect::<HashSet<_>>();
        let (train, held_out) = (films(&apart.train), films(&apart.validation));
        assert!(train.is_disjoint(&held_out), "{train:?} {held_out:?}");
        assert!(
            (8..=16).contains(&apart.validation.len()),
            "{}",
            apart.validation.len()
        );
        let both: Vec<&Record> = usual.train.iter().collect();
        assert_eq!(both.len(), apart.train.len() + apart.validation.len());
        let kept = both
            .into_iter()
            .filter(|review| train.contains(&film_of(review)));
        assert!(kept.eq(&apart.train), "the order is another");

        let (_root, path) = saved(&archive_of("aclImdb/", &files));
        let archive = load_archive(&path, Some(0.3), limits, &mut |_| {}).unwrap();
        assert_eq!(archive, apart);
    }

    #[test]
    fn a_review_whose_film_is_not_told_is_named() {
        let mut files = with_films();
        let (_, addresses) = files
            .iter_mut()
            .find(|(name, _)| name == "train/urls_neg.txt")
            .unwrap();
        addresses.truncate(addresses.len() / 2);
        let message = |files: &[(String, Vec<u8>)]| {
            let folder = folder_of(files);
            let loaded = load_folder(folder.path(), Some(0.3), &Limits::default(), &mut |_| {});
            loaded.unwrap_err().to_string()
        };
        let said = message(&files);
        assert!(said.contains("train/urls_neg.txt has no address"), "{said}");
        assert!(said.contains("train/neg/1"), "{said}");
        files.retain(|(name, _)| name != "train/urls_neg.txt");
        let said = message(&files);
        assert!(said.contains("train/neg/0_7.txt"), "{said}");
    }

    #[test]
    fn a_corpus_has_the_reviews_without_a_verdict_too() {
        let files = files();
        let folder = folder_of(&files);
        let limits = &Limits::default();
        let found = corpus_of_folder(folder.path(), limits, &mut |_| {}).unwrap();
        assert_eq!((found.texts.len(), found.tested.len()), (41, 40));
        assert_eq!(
            found
                .texts
                .iter()
                .filter(|text| *text == "no verdict")
                .count(),
            1
        );
        let (_root, archive) = saved(&archive_of("aclImdb/", &files));
        let same = corpus_of_archive(&archive, limits, &mut |_| {}).unwrap();
        assert_eq!(same, found);
        fs::remove_dir_all(folder.path().join(UNLABELLED)).unwrap();
        let without = corpus_of_folder(folder.path(), limits, &mut |_| {}).unwrap();
        assert_eq!(without.texts.len(), 40);
    }

    #[test]
    fn reports_files_and_compressed_bytes() {
        let (_root, archive) = saved(&archive_of("aclImdb/", &files()));
        let total = archive.metadata().unwrap().len();
        let mut last = None;
        load_archive(&archive, None, &Limits::default(), &mut |progress| {
            last = Some(progress)
        })
        .unwrap();
        assert_eq!(
            last,
            Some(LoadProgress {
                done: total,
                total,
                unit: Unit::Bytes
            })
        );

        let folder = folder_of(&files());
        load_folder(folder.path(), None, &Limits::default(), &mut |progress| {
            last = Some(progress)
        })
        .unwrap();
        assert_eq!(
            last,
            Some(LoadProgress {
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
        assert!(dataset.notes[0].text.starts_with("1 reviews hold bytes"));
        assert!(
            dataset
                .test
                .iter()
                .any(|review| review.expect_review().0 == "caf\u{fffd} \u{fffd}")
        );
    }

    #[test]
    fn a_missing_folder_is_named() {
        for folder in FOLDERS {
            let root = folder_of(&files());
            fs::remove_dir_all(root.path().join(folder)).unwrap();
            let message = load_folder(root.path(), None, &Limits::default(), &mut |_| {})
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
            assert!(message.contains(&format!("{folder} is empty")), "{message}");
            let root = folder_of(&files);
            fs::create_dir_all(root.path().join(folder)).unwrap();
            let message = load_folder(root.path(), None, &Limits::default(), &mut |_| {})
                .unwrap_err()
                .to_string();
            assert!(message.contains(&format!("{folder} is empty")), "{message}");
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

    /// The message for what is beyond a limit, of the archive and of the folder with these files.
    fn too_much(limits: Limits, files: &[(String, Vec<u8>)]) -> [String; 2] {
        let archive = load_within(&limits, &archive_of("aclImdb/", files));
        let folder = folder_of(files);
        let folder = load_folder(folder.path(), None, &limits, &mut |_| {});
        [archive, folder].map(|result| result.unwrap_err().to_string())
    }

    #[test]
    fn a_review_that_is_none_for_its_size_is_refused_by_its_name() {
        let mut files = files();
        files.push(("test/pos/99_9.txt".into(), vec![b'a'; 3000]));
        let limits = Limits {
            review: 2 << 10,
            ..Limits::default()
        };
        let [archive, folder] = too_much(limits, &files);
        assert!(
            archive.contains(
                "aclImdb_v1.tar.gz: the entry `aclImdb/test/pos/99_9.txt` \
                 is larger than any review (2 KiB)"
            ),
            "{archive}"
        );
        assert!(
            folder.contains("99_9.txt: it has more than 2 KiB"),
            "{folder}"
        );
        files.pop();
        assert!(load_within(&limits, &archive_of("", &files)).is_ok());
    }

    #[test]
    fn reviews_and_entries_are_limited_together() {
        let files = files();
        let text: usize = FOLDERS.len() * 20 * 200;
        let limits = Limits {
            reviews: text as u64,
            ..Limits::default()
        };
        for message in too_much(limits, &files) {
            assert!(
                message.contains("its reviews have more than 16000 bytes together"),
                "{message}"
            );
        }
        let limits = Limits {
            entries: 60,
            ..Limits::default()
        };
        let [archive, folder] = too_much(limits, &files);
        assert!(
            archive.contains("it holds more than 60 entries"),
            "{archive}"
        );
        assert!(folder.contains("it holds more than 60 files"), "{folder}");
        let exact = Limits {
            entries: files.len() as u64,
            ..Limits::default()
        };
        assert!(load_within(&exact, &archive_of("", &files)).is_ok());
    }

    #[test]
    fn an_archive_that_unpacks_to_too_much_is_refused_wherever_it_is() {
        let limits = Limits {
            archive: 200 << 10,
            ..Limits::default()
        };
        assert!(load_within(&limits, &archive_of("", &files())).is_ok());
        let mut other = files();
        other.insert(0, ("labeledBow.feat".into(), vec![0; 300 << 10]));
        // What follows the archive's end is read too, for the checksum.
        let mut after = tar::Builder::new(Vec::new());
        for (path, bytes) in files() {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            after
                .append_data(&mut header, path, bytes.as_slice())
                .unwrap();
        }
        let mut after = after.into_inner().unwrap();
        after.extend(vec![0; 300 << 10]);
        for bytes in [archive_of("", &other), compressed(&after)] {
            let message = load_within(&limits, &bytes).unwrap_err().to_string();
            assert!(
                message.contains("it unpacks to more than 200 KiB"),
                "{message}"
            );
        }
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        io::copy(&mut &*bytes, &mut gz).unwrap();
        gz.finish().unwrap()
    }

    /// A header of `kind` that claims `bytes` bytes of content.
    fn header(name: &str, kind: tar::EntryType, bytes: u64) -> Vec<u8> {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_size(bytes);
        header.set_cksum();
        header.as_bytes().to_vec()
    }

    #[test]
    fn names_and_records_without_end_are_refused_before_they_are_read() {
        use tar::EntryType::{GNULongLink, GNULongName, GNUSparse, XHeader};
        for kind in [GNULongName, GNULongLink, XHeader] {
            for claimed in [200 << 10, 1 << 40] {
                let mut tar = header("README", tar::EntryType::Regular, 0);
                tar.extend(header("././@LongLink", kind, claimed));
                tar.extend(vec![b'n'; 200 << 10]);
                let message = load_bytes(&compressed(&tar)).unwrap_err().to_string();
                assert!(
                    message.contains(
                        "aclImdb_v1.tar.gz: what describes an entry, after the entry `README`, \
                         is longer than 64 KiB"
                    ),
                    "{message}"
                );
            }
        }
        // A sparse file's content is skipped, not the gigabyte of zeros that it stands for.
        let mut sparse = tar::Header::new_gnu();
        sparse.set_path("train/pos/1_9.txt").unwrap();
        sparse.set_entry_type(GNUSparse);
        sparse.set_size(0);
        let fields = sparse.as_gnu_mut().unwrap();
        fields.realsize = *b"10000000000\0";
        fields.sparse[0].offset = *b"10000000000\0";
        fields.sparse[0].numbytes = *b"00000000000\0";
        sparse.set_cksum();
        let mut tar = sparse.as_bytes().to_vec();
        tar.extend(header("train/pos/0_9.txt", tar::EntryType::Regular, 0));
        let message = load_bytes(&compressed(&tar)).unwrap_err().to_string();
        assert!(message.contains("train/neg is empty"), "{message}");
    }

    #[test]
    fn long_names_within_the_limit_are_read() {
        let mut files = files();
        let long = format!("{}/train/pos/long_9.txt", "folder/".repeat(60));
        files.push((long, b"found".to_vec()));
        let dataset = load_bytes(&archive_of("aclImdb/", &files)).unwrap();
        assert!(
            dataset
                .train
                .iter()
                .any(|review| review.expect_review().0 == "found")
        );
    }

    #[test]
    fn an_entrys_name_is_shown_without_what_a_terminal_acts_upon() {
        let mut tar = header(
            "a\u{1b}]0;owned\u{7}\u{1b}[31mread me",
            tar::EntryType::Regular,
            0,
        );
        tar.extend(b"no header".repeat(100));
        let message = load_bytes(&compressed(&tar)).unwrap_err().to_string();
        assert!(
            message.contains(r"after the entry `a\u{1b}]0;owned\u{7}\u{1b}[31mread me`"),
            "{message}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_counts_only_regular_files() {
        use std::os::unix::fs::symlink;
        use std::process::Command;

        let root = folder_of(&files());
        let odd = root.path().join("train/pos/99_9.txt");
        assert!(Command::new("mkfifo").arg(&odd).status().unwrap().success());
        let message = || {
            load_folder(root.path(), None, &Limits::default(), &mut |_| {})
                .unwrap_err()
                .to_string()
        };
        assert!(
            message().contains("99_9.txt: it is a pipe"),
            "{}",
            message()
        );
        for target in ["/dev/zero", "0_7.txt"] {
            fs::remove_file(&odd).unwrap();
            symlink(target, &odd).unwrap();
            assert!(
                message().contains("99_9.txt: it is a link"),
                "{}",
                message()
            );
        }
    }
}
