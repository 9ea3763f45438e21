//! The IMDB reviews as Keras publishes them: `imdb.npz` and `imdb_word_index.json`.
//!
//! The `.npz` is a zip of four arrays: a review in `x_train.npy` and `x_test.npy` is a list of word
//! ranks from 1, without start token or padding, and its label in `y_train.npy` and `y_test.npy` is
//! 0 or 1. Ranks become words again, so that one way leads from text to ids, whatever the source.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use zip::ZipArchive;

use super::npy::Npy;
use super::pickle::read_lists;
use super::progress::{LoadProgress, Unit};
use crate::dataset::{Dataset, Record};
use crate::error::{DataError, Result, SHOWN_NAME, SHOWN_REASON, shown, shown_names};
use crate::files::{open_sized, read_regular};
use crate::labels::Labels;
use crate::limits::{Limits, size};
use crate::tokenizer::Tokenizer;
use crate::word_ids::{Entries, entries};

/// What to do about a file that is larger than Keras's could ever be.
const NOT_KERASS: &str = "give the `imdb.npz` that Keras publishes";

/// Reads the reviews and their words.
pub(super) fn load(
    npz: &Path,
    word_index: &Path,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let (file, total) = open_sized(npz)?;
    let words = WordIndex::read(word_index, limits)?;
    read(npz, BufReader::new(file), total, &words, limits, progress)
}

/// Reads the reviews of a `.npz` of `total` bytes.
pub(crate) fn read(
    path: &Path,
    file: impl Read + Seek,
    total: u64,
    words: &WordIndex,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    if total > limits.npz {
        // Its list of entries alone would be kept in memory.
        return Err(DataError::TooMuch {
            path: path.into(),
            reason: format!("it has more than {}", size(limits.npz)),
            remedy: NOT_KERASS,
        });
    }
    let zip = ZipArchive::new(file).map_err(|error| {
        let error = shown(&error.to_string(), SHOWN_REASON);
        let reason = format!("it is no sound zip file ({error})");
        entry_error(path, "as a whole", reason)
    })?;
    let mut npz = Npz {
        path,
        zip,
        limits,
        read: 0,
        total,
        text: 0,
        progress,
    };
    let train = npz.split("x_train.npy", "y_train.npy", words)?;
    let test = npz.split("x_test.npy", "y_test.npy", words)?;
    npz.report(total);
    Ok(Dataset {
        labels: Some(Labels::negative_positive()),
        train,
        test,
        ..Dataset::default()
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
struct Npz<'a, R> {
    path: &'a Path,
    zip: ZipArchive<R>,
    limits: &'a Limits,
    /// Compressed bytes of the entries so far.
    read: u64,
    /// Bytes of the file.
    total: u64,
    /// Bytes of the reviews so far, in words.
    text: u64,
    progress: &'a mut dyn FnMut(LoadProgress),
}

impl<R: Read + Seek> Npz<'_, R> {
    fn report(&mut self, done: u64) {
        (self.progress)(LoadProgress {
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
    ) -> Result<Vec<Record>> {
        let ranks = self.ranks(reviews_entry)?;
        let labels = self.labels(labels_entry)?;
        if labels.len() != ranks.len() {
            let reason = format!("it has {} labels for {} reviews", labels.len(), ranks.len());
            return Err(entry_error(self.path, labels_entry, reason));
        }
        if labels.is_empty() {
            return Err(DataError::Empty {
                path: self.path.into(),
                part: reviews_entry,
                remedy: NOT_KERASS,
            });
        }
        let reviews = ranks.into_iter().zip(labels);
        reviews
            .map(|(ranks, positive)| Ok(Record::text(self.text(&ranks, words)?, positive.into())))
            .collect()
    }

    /// A text that splits into the words of these ranks.
    fn text(&mut self, ranks: &[u32], words: &WordIndex) -> Result<String> {
        let mut text = String::new();
        for &rank in ranks {
            let word = words.word(rank)?;
            self.text += 1 + word.len() as u64;
            if self.text > self.limits.reviews {
                return Err(DataError::TooMuch {
                    path: self.path.into(),
                    reason: format!(
                        "its reviews have more than {} of text together",
                        size(self.limits.reviews)
                    ),
                    remedy: NOT_KERASS,
                });
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        Ok(text)
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
        if npy.count > self.limits.entries {
            let (count, most) = (npy.count, self.limits.entries);
            let reason = format!("its header claims {count} reviews, more than {most}");
            return Err(entry_error(self.path, entry, reason));
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
        let Some(index) = self.zip.index_for_name(entry) else {
            let names: Vec<_> = self.zip.file_names().filter_map(|name| name.ok()).collect();
            let names = shown_names(names.iter().map(AsRef::as_ref));
            let reason = format!("there is no such entry; the file holds {names}");
            return Err(entry_error(self.path, entry, reason));
        };
        let most = self.limits.npz;
        let mut bytes = Vec::new();
        let compressed = self
            .zip
            .by_index(index)
            .map_err(io::Error::from)
            .and_then(|file| {
                let compressed = file.compressed_size();
                file.take(most + 1).read_to_end(&mut bytes)?;
                Ok(compressed)
            });
        let compressed = compressed.map_err(|error: io::Error| {
            let error = shown(&error.to_string(), SHOWN_REASON);
            entry_error(self.path, entry, format!("the entry is damaged ({error})"))
        })?;
        if bytes.len() as u64 > most {
            let reason = format!("it unpacks to more than {}", size(most));
            return Err(entry_error(self.path, entry, reason));
        }
        self.read = self.read.saturating_add(compressed);
        self.report(self.read.min(self.total));
        Ok(bytes)
    }
}

/// The word of each rank.
pub(crate) struct WordIndex<'a> {
    path: &'a Path,
    words: HashMap<u32, String>,
}

impl<'a> WordIndex<'a> {
    fn read(path: &'a Path, limits: &Limits) -> Result<Self> {
        let json = read_regular(path, limits.word_index).map_err(|error| match error {
            DataError::NotFound { .. } => DataError::WordIndex {
                path: path.into(),
                reason: "the word index is missing; put it here, beside `imdb.npz`".to_owned(),
            },
            _ => error,
        })?;
        Self::parse(path, &json, limits)
    }

    /// Reads the index that `json` is.
    pub(crate) fn parse(path: &'a Path, json: &[u8], limits: &Limits) -> Result<Self> {
        let ranks = match entries(json, limits.words) {
            Ok(Entries::Object(ranks)) => Ok(ranks),
            Ok(Entries::Array(_)) => Err("it is an array".to_owned()),
            Err(error) => Err(error),
        };
        let ranks = ranks.map_err(|error| DataError::WordIndex {
            path: path.into(),
            reason: format!("it is no JSON object of words and their ranks ({error})"),
        })?;
        Self::of(path, ranks, limits)
    }

    /// The index of words with these ranks. They are put in lower case, as texts are, and each has to be one word: it
    /// would come back from the text as other words.
    pub(crate) fn of(path: &'a Path, ranks: Vec<(String, u32)>, limits: &Limits) -> Result<Self> {
        let failed = |reason: String| DataError::WordIndex {
            path: path.into(),
            reason,
        };
        let mut words = HashMap::with_capacity(ranks.len());
        for (word, rank) in ranks {
            let name = || shown(&word, SHOWN_NAME);
            if word.len() > limits.word {
                let most = size(limits.word as u64);
                return Err(failed(format!("`{}` is longer than {most}", name())));
            }
            let Some(one) = Tokenizer::Keras.token(&word) else {
                return Err(failed(format!(
                    "`{}` is not one word: spaces and punctuation separate words",
                    name()
                )));
            };
            if words.insert(rank, one).is_some() {
                let name = name();
                return Err(failed(format!(
                    "rank {rank} has two words, one is `{name}`"
                )));
            }
        }
        Ok(Self { path, words })
    }

    /// The word of each rank, in no order.
    pub(crate) fn words(&self) -> impl Iterator<Item = (u32, &str)> {
        self.words.iter().map(|(rank, word)| (*rank, &word[..]))
    }

    fn word(&self, rank: u32) -> Result<&str> {
        let word = self.words.get(&rank).map(String::as_str);
        word.ok_or_else(|| DataError::WordIndex {
            path: self.path.into(),
            reason: format!("the reviews use rank {rank}, which no word here has"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::npy::sample::npy;
    use crate::sources::pickle::sample::{WRITERS, Writer, pickle};
    use crate::vocabulary::Vocabulary;
    use proptest::prelude::*;
    use std::fs;
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

    fn load_from(root: &TempDir, progress: &mut dyn FnMut(LoadProgress)) -> Result<Dataset> {
        load_within(&Limits::default(), root, progress)
    }

    fn load_within(
        limits: &Limits,
        root: &TempDir,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Dataset> {
        load(
            &root.path().join("imdb.npz"),
            &root.path().join("imdb_word_index.json"),
            limits,
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
            let train: Vec<_> = dataset.train.iter().map(Record::expect_review).collect();
            assert_eq!(
                train,
                [("a film", true), ("don't café a", false), ("", true)],
                "{writer:?}"
            );
            assert_eq!(dataset.test, [Record::text("film", 0)]);
            let texts = train.iter().map(|(text, _)| *text);
            let vocabulary = Vocabulary::build(texts, 100, Tokenizer::Keras);
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
            Some(&LoadProgress {
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
                 the file holds `x_train.npy`, `y_train.npy`, `y_test.npy`",
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
            message.contains("imdb.npz: x_test.npy is empty"),
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
            (r#"{"film": 2, "film": 3}"#, "(`film` is there twice)"),
            (r#"["film"]"#, "their ranks (it is an array)"),
            (r#"["film""#, "no JSON object of words and their ranks"),
            (r#"{"a b": 1}"#, "`a b` is not one word"),
            (r#"{"": 1}"#, "`` is not one word"),
            (r#"{"film.": 1}"#, "`film.` is not one word"),
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

    #[test]
    fn a_word_in_capitals_comes_back_as_the_word_it_is() {
        let index = r#"{"Film": 2, "a": 1, "DON'T": 3, "CAF\u00c9": 4}"#;
        let dataset = load_bytes(&zipped(&entries(Writer::Python2)), index).unwrap();
        let texts: Vec<_> = dataset
            .train
            .iter()
            .map(|review| review.expect_review().0)
            .collect();
        assert_eq!(texts, ["a film", "don't café a", ""]);
    }

    #[test]
    fn what_is_larger_than_kerass_could_be_is_refused() {
        let sound = zipped(&entries(Writer::Numpy2(4)));
        let message = |limits: Limits, npz: &[u8], index: &str| {
            let root = saved(npz, index);
            let result = load_within(&limits, &root, &mut |_| {});
            result.unwrap_err().to_string()
        };
        let all = Limits::default();
        let entry = Limits { npz: 2000, ..all };
        let large = npy("|O", "(1,)", &[b'N'; 2000]);
        let mut entries = entries(Writer::Numpy2(4));
        entries[0].1 = large;
        let with_large = zipped(&entries);
        let file = Limits {
            npz: sound.len() as u64 - 1,
            ..all
        };
        let text = Limits { reviews: 25, ..all };
        let reviews = Limits { entries: 2, ..all };
        let long_word = format!("{{\"{}\": 1}}", "a".repeat(2000));
        let index = Limits {
            word_index: 20,
            ..all
        };
        let cases = [
            (
                entry,
                &with_large,
                INDEX,
                "x_train.npy: it unpacks to more than 2000 bytes",
            ),
            (file, &sound, INDEX, "imdb.npz: it has more than "),
            (
                text,
                &sound,
                INDEX,
                "imdb.npz: its reviews have more than 25 bytes of text",
            ),
            (
                reviews,
                &sound,
                INDEX,
                "its header claims 3 reviews, more than 2",
            ),
            (all, &sound, &long_word, "aaa…` is longer than 1 KiB"),
            (
                index,
                &sound,
                INDEX,
                "imdb_word_index.json: it has more than 20 bytes",
            ),
        ];
        for (limits, npz, index, reason) in cases {
            let message = message(limits, npz, index);
            assert!(message.contains(reason), "{message}");
            assert!(message.len() < 400, "{message}");
        }
        let exact = Limits { reviews: 26, ..all };
        assert!(load_within(&exact, &saved(&sound, INDEX), &mut |_| {}).is_ok());
    }

    #[test]
    fn a_claimed_number_of_reviews_is_not_believed() {
        let endless = [b"\x80\x02]".as_slice(), &b"]".repeat(100_000)].concat();
        for (count, reason) in [
            (
                "400000000",
                "its header claims 400000000 reviews, more than 200000",
            ),
            ("100000", "values wait on the stack"),
        ] {
            let bytes = npy("|O", &format!("({count},)"), &endless);
            let message = message_for("x_train.npy", Some(bytes));
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn names_of_entries_and_what_serde_cites_are_cut() {
        let name = "x\u{1b}".repeat(20_000);
        let many: Vec<(&str, Vec<u8>)> = vec![(&name, Vec::new())];
        let message = load_bytes(&zipped(&many), INDEX).unwrap_err().to_string();
        assert!(message.contains("the file holds `x\\u{1b}x"), "{message}");
        assert!(message.len() < 600, "{message}");

        let index = format!("{{\"film\": \"{}\"}}", "a".repeat(50_000));
        let message = load_bytes(&zipped(&entries(Writer::Python2)), &index)
            .unwrap_err()
            .to_string();
        assert!(message.len() < 600, "{message}");
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
