//! The IMDB reviews as Keras publishes them: `imdb.npz` and `imdb_word_index.json`.
//!
//! The `.npz` is a zip of four arrays: a review in `x_train.npy` and `x_test.npy` is a list of word
//! ranks from 1, without start token or padding, and its label in `y_train.npy` and `y_test.npy` is
//! 0 or 1. Ranks become words again, so that one way leads from text to ids, whatever the source.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::Path;

use rustc_hash::FxHashMap;
use zip::ZipArchive;

use super::npy::Npy;
use super::pickle::read_lists;
use super::{Progress, Unit};
use crate::dataset::{Dataset, Review};
use crate::error::{DataError, Result};

/// The most that an entry may unpack to; Keras's largest has 14 MB.
const MAX_ENTRY: u64 = 256 << 20;

/// Reads the reviews and their words.
pub(super) fn load(
    npz: &Path,
    word_index: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Dataset> {
    let file = File::open(npz).map_err(DataError::reading(npz))?;
    let words = WordIndex::read(word_index)?;
    let total = file.metadata().map_err(DataError::reading(npz))?.len();
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        entry_error(
            npz,
            "as a whole",
            format!("it is no sound zip file ({error})"),
        )
    })?;
    let mut npz = Npz {
        path: npz,
        zip,
        read: 0,
        total,
        progress,
    };
    let train = npz.split("x_train.npy", "y_train.npy", &words)?;
    let test = npz.split("x_test.npy", "y_test.npy", &words)?;
    npz.report(total);
    Ok(Dataset {
        train,
        test,
        replaced_utf8: 0,
    })
}

fn entry_error(path: &Path, entry: &str, reason: String) -> DataError {
    DataError::Npz {
        path: path.into(),
        entry: entry.to_owned(),
        reason,
    }
}

/// An open `.npz`.
struct Npz<'a> {
    path: &'a Path,
    zip: ZipArchive<BufReader<File>>,
    /// Compressed bytes of the entries so far.
    read: u64,
    /// Bytes of the file.
    total: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Npz<'_> {
    fn report(&mut self, done: u64) {
        (self.progress)(Progress {
            done,
            total: self.total,
            unit: Unit::Bytes,
        });
    }

    fn split(
        &mut self,
        reviews_entry: &'static str,
        labels_entry: &'static str,
        words: &WordIndex,
    ) -> Result<Vec<Review>> {
        let ranks = self.ranks(reviews_entry)?;
        let labels = self.labels(labels_entry)?;
        if labels.len() != ranks.len() {
            let reason = format!("it has {} labels for {} reviews", labels.len(), ranks.len());
            return Err(entry_error(self.path, labels_entry, reason));
        }
        if labels.is_empty() {
            let remedy = "give the `imdb.npz` that Keras publishes";
            return Err(DataError::Empty {
                path: self.path.into(),
                part: reviews_entry,
                remedy,
            });
        }
        let review = |(ranks, positive): (Vec<u32>, bool)| {
            words.text(&ranks).map(|text| Review { text, positive })
        };
        ranks.into_iter().zip(labels).map(review).collect()
    }

    fn ranks(&mut self, entry: &str) -> Result<Vec<Vec<u32>>> {
        let bytes = self.bytes(entry)?;
        let npy = Npy::new(&bytes).map_err(|reason| entry_error(self.path, entry, reason))?;
        if !npy.is_pickled() {
            return Err(entry_error(
                self.path,
                entry,
                "its elements are numbers instead of lists of word ranks".to_owned(),
            ));
        }
        read_lists(npy.body, npy.count).map_err(|refusal| DataError::Pickle {
            path: self.path.into(),
            entry: entry.to_owned(),
            position: bytes.len() - npy.body.len() + refusal.position,
            opcode: refusal.opcode,
            reason: refusal.reason,
        })
    }

    fn labels(&mut self, entry: &str) -> Result<Vec<bool>> {
        let bytes = self.bytes(entry)?;
        Npy::new(&bytes)
            .and_then(|npy| npy.labels())
            .map_err(|reason| entry_error(self.path, entry, reason))
    }

    /// The uncompressed entry.
    fn bytes(&mut self, entry: &str) -> Result<Vec<u8>> {
        let names = || {
            let names: Vec<_> = self.zip.file_names().filter_map(|name| name.ok()).collect();
            format!(
                "there is no such entry; the file holds {}",
                if names.is_empty() {
                    "none".into()
                } else {
                    names.join(", ")
                }
            )
        };
        let Some(index) = self.zip.index_for_name(entry) else {
            return Err(entry_error(self.path, entry, names()));
        };
        let mut bytes = Vec::new();
        let compressed = self
            .zip
            .by_index(index)
            .map_err(io::Error::from)
            .and_then(|file| {
                let compressed = file.compressed_size();
                file.take(MAX_ENTRY + 1).read_to_end(&mut bytes)?;
                Ok(compressed)
            });
        let compressed = compressed.map_err(|error: io::Error| {
            entry_error(self.path, entry, format!("the entry is damaged ({error})"))
        })?;
        if bytes.len() as u64 > MAX_ENTRY {
            return Err(entry_error(
                self.path,
                entry,
                "it unpacks to far more than Keras's reviews have".to_owned(),
            ));
        }
        self.read += compressed;
        self.report(self.read.min(self.total));
        Ok(bytes)
    }
}

/// The word of each rank.
struct WordIndex<'a> {
    path: &'a Path,
    words: FxHashMap<u32, String>,
}

impl<'a> WordIndex<'a> {
    fn read(path: &'a Path) -> Result<Self> {
        let failed = |reason: String| DataError::WordIndex {
            path: path.into(),
            reason,
        };
        let json = fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                failed("the word index is missing; put it here, beside `imdb.npz`".to_owned())
            }
            _ => DataError::reading(path)(error),
        })?;
        let ranks: FxHashMap<String, u32> = serde_json::from_slice(&json).map_err(|error| {
            failed(format!(
                "it is no JSON object of words and their ranks ({error})"
            ))
        })?;
        let mut words = FxHashMap::default();
        for (word, rank) in ranks {
            if let Some(other) = words.insert(rank, word) {
                return Err(failed(format!(
                    "rank {rank} has two words, one of them {other:?}"
                )));
            }
        }
        Ok(Self { path, words })
    }

    /// A text that splits into the words of these ranks.
    fn text(&self, ranks: &[u32]) -> Result<String> {
        let mut text = String::new();
        for rank in ranks {
            let word = self.words.get(rank).ok_or_else(|| DataError::WordIndex {
                path: self.path.into(),
                reason: format!("the reviews use rank {rank}, which no word here has"),
            })?;
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::npy::sample::npy;
    use crate::sources::pickle::sample::{WRITERS, Writer, pickle};
    use crate::vocabulary::Vocabulary;
    use proptest::prelude::*;
    use std::io::{Cursor, Write};
    use tempfile::TempDir;
    use zip::write::SimpleFileOptions;

    const INDEX: &str = r#"{"film": 2, "a": 1, "don't": 3, "caf\u00e9": 4}"#;

    fn reviews(writer: Writer, lists: &[Vec<u32>]) -> Vec<u8> {
        npy("|O", &format!("({},)", lists.len()), &pickle(writer, lists))
    }

    fn labels(labels: &[u8]) -> Vec<u8> {
        npy("|u1", &format!("({},)", labels.len()), labels)
    }

    /// The entries of a sound file.
    fn entries(writer: Writer) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            (
                "x_train.npy",
                reviews(writer, &[vec![1, 2], vec![3, 4, 1], vec![]]),
            ),
            ("y_train.npy", labels(&[1, 0, 1])),
            ("x_test.npy", reviews(writer, &[vec![2]])),
            ("y_test.npy", labels(&[0])),
        ]
    }

    fn zipped(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn saved(npz: &[u8], index: &str) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("imdb.npz"), npz).unwrap();
        fs::write(root.path().join("imdb_word_index.json"), index).unwrap();
        root
    }

    fn load_from(root: &TempDir, progress: &mut dyn FnMut(Progress)) -> Result<Dataset> {
        load(
            &root.path().join("imdb.npz"),
            &root.path().join("imdb_word_index.json"),
            progress,
        )
    }

    fn load_bytes(npz: &[u8], index: &str) -> Result<Dataset> {
        load_from(&saved(npz, index), &mut |_| {})
    }

    /// The message for a sound file with one entry replaced, or left out.
    fn message_for(entry: &str, replacement: Option<Vec<u8>>) -> String {
        let mut entries = entries(Writer::Numpy2(4));
        match replacement {
            Some(bytes) => {
                entries
                    .iter_mut()
                    .find(|(name, _)| *name == entry)
                    .unwrap()
                    .1 = bytes
            }
            None => entries.retain(|(name, _)| *name != entry),
        }
        load_bytes(&zipped(&entries), INDEX)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn ranks_become_words_in_the_files_order() {
        for writer in WRITERS {
            let dataset = load_bytes(&zipped(&entries(writer)), INDEX).unwrap();
            let train: Vec<_> = dataset
                .train
                .iter()
                .map(|review| (review.text.as_str(), review.positive))
                .collect();
            assert_eq!(
                train,
                [("a film", true), ("don't café a", false), ("", true)],
                "{writer:?}"
            );
            assert_eq!(
                dataset.test,
                [Review {
                    text: "film".into(),
                    positive: false
                }]
            );
            let vocabulary = Vocabulary::build(train.iter().map(|(text, _)| *text), 100);
            assert_eq!(vocabulary.words(), ["a", "film", "don't", "café"]);
        }
    }

    #[test]
    fn reports_all_bytes() {
        let bytes = zipped(&entries(Writer::Python2));
        let total = bytes.len() as u64;
        let mut reports = Vec::new();
        load_from(&saved(&bytes, INDEX), &mut |progress| {
            reports.push(progress)
        })
        .unwrap();
        assert!(reports.is_sorted_by_key(|progress| progress.done));
        assert_eq!(
            reports.last(),
            Some(&Progress {
                done: total,
                total,
                unit: Unit::Bytes
            })
        );
    }

    #[test]
    fn a_pickle_of_anything_else_is_refused_with_its_place() {
        let evil = b"\x80\x02cos\nsystem\nU\x02id\x85R.";
        let message = message_for("x_train.npy", Some(npy("|O", "(1,)", evil)));
        assert!(
            message.contains(
                "imdb.npz, x_train.npy, byte 130: \
                 refused the pickle's opcode GLOBAL: it names `os.system`"
            ),
            "{message}"
        );
        assert!(message.contains("only lists of integers"), "{message}");
    }

    #[test]
    fn an_npz_that_is_not_kerass_is_named_with_its_entry() {
        let cases = [
            (
                "x_test.npy",
                None,
                "x_test.npy: there is no such entry; \
                 the file holds x_train.npy, y_train.npy, y_test.npy",
            ),
            (
                "x_train.npy",
                Some(b"text".to_vec()),
                "x_train.npy: it does not begin as a NumPy array does",
            ),
            (
                "x_train.npy",
                Some(npy("<i8", "(1,)", &[0; 8])),
                "x_train.npy: its elements are numbers instead of lists",
            ),
            (
                "y_train.npy",
                Some(labels(&[1, 0])),
                "y_train.npy: it has 2 labels for 3 reviews",
            ),
            (
                "y_train.npy",
                Some(labels(&[1, 0, 7])),
                "y_train.npy: label 2 is 7 instead of 0 or 1",
            ),
            (
                "y_test.npy",
                Some(npy("|O", "(1,)", &[])),
                "y_test.npy: its elements are of type |O instead of integers",
            ),
        ];
        for (entry, replacement, reason) in cases {
            let message = message_for(entry, replacement);
            assert!(
                message.contains(&format!("imdb.npz, {reason}")),
                "{message}"
            );
            assert!(message.contains("that Keras publishes"), "{message}");
        }
    }

    #[test]
    fn an_empty_split_is_an_error() {
        let mut entries = entries(Writer::Numpy2(4));
        entries[2].1 = reviews(Writer::Numpy2(4), &[]);
        entries[3].1 = labels(&[]);
        let message = load_bytes(&zipped(&entries), INDEX)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("imdb.npz: x_test.npy holds no reviews"),
            "{message}"
        );
    }

    #[test]
    fn a_truncated_or_damaged_file_is_an_error() {
        let sound = zipped(&entries(Writer::Numpy2(4)));
        for length in (0..sound.len()).step_by(13) {
            let message = load_bytes(&sound[..length], INDEX).unwrap_err().to_string();
            assert!(
                message.contains("imdb.npz, as a whole: it is no sound zip file"),
                "{length}: {message}"
            );
        }
        // Within the compressed bytes of the first entry.
        let mut damaged = sound;
        damaged[60] ^= 0xff;
        let message = load_bytes(&damaged, INDEX).unwrap_err().to_string();
        assert!(
            message.contains("imdb.npz, x_train.npy: the entry is damaged"),
            "{message}"
        );
    }

    #[test]
    fn a_word_index_that_does_not_fit_is_an_error() {
        let sound = zipped(&entries(Writer::Numpy2(4)));
        let cases = [
            (
                r#"{"film": 2, "a": 1, "don't": 3}"#,
                "the reviews use rank 4, which no word here has",
            ),
            (r#"{"film": 2, "a": 2}"#, "rank 2 has two words"),
            (r#"{"film": -2}"#, "no JSON object of words and their ranks"),
            (r#"["film""#, "no JSON object of words and their ranks"),
        ];
        for (index, reason) in cases {
            let message = load_bytes(&sound, index).unwrap_err().to_string();
            assert!(
                message.contains("imdb_word_index.json: ") && message.contains(reason),
                "{message}"
            );
        }
        let root = saved(&sound, INDEX);
        fs::remove_file(root.path().join("imdb_word_index.json")).unwrap();
        let message = load_from(&root, &mut |_| {}).unwrap_err().to_string();
        assert!(
            message.contains("imdb_word_index.json: the word index is missing"),
            "{message}"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_damage_panics(place: prop::sample::Index, byte: u8) {
            let mut bytes = zipped(&entries(Writer::Numpy1(3)));
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let _ = load_bytes(&bytes, INDEX);
        }
    }
}
