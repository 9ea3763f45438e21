//! What a fuzzer gives the parsers of this crate, and what has to hold whatever it gives.
//!
//! Each function takes the bytes of one input. It returns if the parser refuses them with a message
//! that is short and printable, or if what the parser accepts keeps its promises, and panics
//! otherwise. `fuzz/corpus` holds a folder of inputs for each; a test of this module replays them.

use std::collections::HashSet;
use std::error::Error;
use std::io::Cursor;
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::limits::Limits;
use crate::sources::acl_imdb::read_archive;
use crate::sources::keras_npz::{self, WordIndex};
use crate::sources::npy::Npy;
use crate::sources::pickle::read_lists;
use crate::sources::table::Table;
use crate::sources::texts::{Columns, Reader};
use crate::{
    DataError, ForeignVocabulary, Ids, LoadProgress, Quoting, TableForm, TableFormat, TableOptions,
    Target, Tokenizer, Vocabulary, WordVectors,
};

/// Bytes of a message, its causes included.
const LONGEST_MESSAGE: usize = 4096;

/// The sources' limits, lowered so that an input of a fuzzer reaches them.
fn limits() -> Limits {
    Limits {
        archive: 1 << 20,
        entries: 100,
        header: 4 << 10,
        review: 16 << 10,
        reviews: 64 << 10,
        npz: 64 << 10,
        word_index: 64 << 10,
        word: 100,
        vocabulary: 64 << 10,
        words: 1000,
        table: 64 << 10,
        rows: 1000,
        row: 16 << 10,
        columns: 1000,
        label: 100,
        numbers: 1 << 16,
        array: 1 << 16,
        vectors: 64 << 10,
        vector_line: 4 << 10,
        vector_width: 64,
    }
}

fn assert_printable(error: &DataError) {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message += &error.to_string();
        cause = error.source();
    }
    assert_text(&message);
}

fn assert_text(message: &str) {
    assert!(
        message.len() < LONGEST_MESSAGE,
        "a message of {} bytes",
        message.len()
    );
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// A pickle of as many lists as the first two bytes say.
pub fn pickle(data: &[u8]) {
    let Some((count, pickle)) = data.split_first_chunk() else {
        return;
    };
    let count = u16::from_le_bytes(*count);
    match read_lists(pickle, count.into()) {
        Ok(lists) => {
            assert_eq!(lists.len(), usize::from(count));
            // An integer takes two bytes at least, unless it was remembered.
            let integers: usize = lists.iter().map(Vec::len).sum();
            assert!(integers <= pickle.len(), "{integers} integers");
        }
        Err(refusal) => {
            assert!(refusal.position <= pickle.len());
            assert_text(&format!("{}: {}", refusal.opcode, refusal.reason));
        }
    }
}

/// A tar archive of IMDB's reviews.
pub fn tar(data: &[u8]) {
    archive(data, data.len());
}

/// The same, compressed.
pub fn gz(data: &[u8]) {
    archive(MultiGzDecoder::new(data), usize::MAX);
}

fn archive(data: impl std::io::Read, most: usize) {
    let limits = limits();
    let path = Path::new("aclImdb_v1.tar.gz");
    match read_archive(path, data, None, &limits, || ()) {
        Ok(dataset) => {
            let reviews = dataset.train.iter().chain(&dataset.test);
            // Each invalid byte of a review becomes the three of U+FFFD.
            let bytes: usize = reviews
                .clone()
                .map(|review| review.expect_review().0.len())
                .sum();
            assert!(bytes <= 3 * most.min(limits.reviews as usize), "{bytes}");
            assert!(reviews.count() as u64 <= limits.entries);
            for split in [dataset.train, dataset.test] {
                assert!(split.iter().any(|review| review.expect_review().1));
                assert!(split.iter().any(|review| !review.expect_review().1));
            }
        }
        Err(error) => assert_printable(&error),
    }
}

/// An array of labels.
pub fn npy(data: &[u8]) {
    let labels = Npy::new(data).and_then(|npy| {
        assert!(npy.body.len() <= data.len());
        npy.labels().inspect(|labels| {
            assert_eq!(labels.len() as u64, npy.count);
            assert!(labels.len() <= data.len());
        })
    });
    if let Err(reason) = labels {
        assert_text(&reason);
    }
}

/// An `imdb.npz`, with an index of two words.
pub fn npz(data: &[u8]) {
    let limits = limits();
    let path = Path::new("imdb_word_index.json");
    let words = WordIndex::parse(path, br#"{"good": 1, "film": 2}"#, &limits).expect("it is sound");
    let read = keras_npz::read(
        Path::new("imdb.npz"),
        Cursor::new(data),
        data.len() as u64,
        &words,
        &limits,
        &mut |_| (),
    );
    match read {
        Ok(dataset) => {
            let reviews = dataset.train.iter().chain(&dataset.test);
            let texts = reviews.map(|review| review.expect_review().0);
            let text: usize = texts.clone().map(str::len).sum();
            assert!(text as u64 <= limits.reviews);
            for text in texts {
                Tokenizer::Keras
                    .for_each_token(text, |word| assert!(matches!(word, "good" | "film")));
            }
        }
        Err(error) => assert_printable(&error),
    }
}

/// A table separated by commas.
pub fn csv(data: &[u8]) {
    table(data, separated(','));
}

/// A table separated by tabs.
pub fn tsv(data: &[u8]) {
    table(data, separated('\t'));
}

/// A table of JSON lines.
pub fn json_lines(data: &[u8]) {
    table(data, of_format(TableFormat::JsonLines));
}

/// A JSON array.
pub fn json_array(data: &[u8]) {
    table(data, of_format(TableFormat::JsonArray));
}

/// A table of which nothing is known.
pub fn any_table(data: &[u8]) {
    table(data, TableForm::default());
}

/// A table in the encoding, with the separator and the quoting that the first bytes say.
pub fn form(data: &[u8]) {
    let Some((&[encoding, separator, quoting], data)) = data.split_first_chunk() else {
        return;
    };
    let encodings = [
        "utf-8",
        "utf-16le",
        "utf-16be",
        "windows-1252",
        "shift_jis",
        "gb18030",
    ];
    let encoding = encodings[usize::from(encoding) % encodings.len()];
    table(
        data,
        TableForm {
            encoding: Some(encoding.into()),
            quoting: Some(Quoting::ALL[usize::from(quoting) % Quoting::ALL.len()]),
            ..separated(separator.into())
        },
    );
}

fn of_format(format: TableFormat) -> TableForm {
    TableForm {
        format: Some(format),
        ..TableForm::default()
    }
}

fn separated(separator: char) -> TableForm {
    TableForm {
        separator: Some(separator),
        ..of_format(TableFormat::Separated)
    }
}

fn table(data: &[u8], form: TableForm) {
    let limits = limits();
    let options = TableOptions {
        form,
        ..TableOptions::new("films")
    };
    let total = data.len() as u64;
    let packed = match data {
        [0x1f, 0x8b, ..] => limits.table as usize,
        _ => 0,
    };
    let mut done = 0;
    let columns = Columns::given("text", "label");
    let mut reader = Reader::new(&options, &limits, columns);
    let mut progress = |progress: LoadProgress| {
        assert!(done <= progress.done && progress.done <= total);
        done = progress.done;
    };
    let source = (data, total);
    let table = Table::read(&options.path, source, &options.form, &limits, &mut progress);
    match table.and_then(|table| reader.rows(table)?.learnt()) {
        Ok((rows, labels)) => {
            assert!(rows.len() <= limits.rows);
            // A byte may become the three of a character, and of a compressed table many.
            let text: usize = rows
                .iter()
                .map(|row| row.content.text().map_or(0, str::len))
                .sum();
            assert!(text <= 3 * data.len().max(packed), "{text} bytes of text");
            let classes = labels.len() as u32;
            assert!(rows.iter().all(|row| match &row.target {
                Target::Class(class) => *class < classes,
                Target::ClassSet(set) => set.iter().all(|class| *class < classes),
                _ => false,
            }));
        }
        Err(error) => assert_printable(&error),
    }
}

/// A run's `vocabulary.json`.
pub fn vocabulary(data: &[u8]) {
    let Ok(json) = std::str::from_utf8(data) else {
        return;
    };
    let path = Path::new("vocabulary.json");
    let vocabulary = match Vocabulary::from_json(json, path) {
        Ok(vocabulary) => vocabulary,
        Err(error) => return assert_printable(&error),
    };
    assert_sound(&vocabulary);
}

fn assert_sound(vocabulary: &Vocabulary) {
    let Ids { start, unknown, .. } = vocabulary.ids();
    for (word, id) in vocabulary.words().iter().zip(vocabulary.word_ids()) {
        assert!((id as usize) < vocabulary.size());
        assert!(![start, unknown].contains(&Some(id)));
        if word.is_empty() {
            assert_eq!(vocabulary.id(word), None);
            continue;
        }
        assert_eq!(vocabulary.id(word), Some(id));
        assert_eq!(vocabulary.word(id), word);
        // A byte's name is no text of that byte.
        if vocabulary.tokenizer() != Tokenizer::Bytes {
            let ids: Vec<u32> = start.into_iter().chain([id]).collect();
            assert_eq!(vocabulary.encode(word, usize::MAX), ids);
        }
    }
    for id in [start, unknown].into_iter().flatten() {
        assert!((id as usize) < vocabulary.size());
    }
    let again = Vocabulary::from_json(&vocabulary.to_json(), Path::new("vocabulary.json"));
    assert_eq!(again.expect("it was written just now"), *vocabulary);
}

/// A vocabulary of another program: the size of its network, what it is called and what splits its texts, and then the
/// file.
pub fn foreign_vocabulary(data: &[u8]) {
    let Some((&[size, choice], data)) = data.split_first_chunk() else {
        return;
    };
    let name = match choice & 0x80 {
        0 => "words",
        _ => "imdb_word_index.json",
    };
    let tokenizer = Tokenizer::ALL[usize::from(choice) % Tokenizer::ALL.len()];
    let (path, size) = (Path::new(name), size.into());
    match ForeignVocabulary::within(&limits(), data, path, size, tokenizer) {
        Ok(ForeignVocabulary {
            vocabulary,
            swapped,
            format,
            ..
        }) => {
            assert_eq!(vocabulary.size(), size);
            assert!(swapped.is_none_or(|[zero, id]| zero < id && (id as usize) < size));
            assert!(swapped.is_none() || vocabulary.has_padding());
            assert_text(&format);
            assert_sound(&vocabulary);
        }
        Err(error) => assert_printable(&error),
    }
}

/// An `imdb_word_index.json`.
pub fn word_index(data: &[u8]) {
    let limits = limits();
    match WordIndex::parse(Path::new("imdb_word_index.json"), data, &limits) {
        Ok(index) => {
            for (_, word) in index.words() {
                let mut words = Vec::new();
                Tokenizer::Keras.for_each_token(word, |word| words.push(word.to_owned()));
                assert_eq!(words, [word]);
            }
        }
        Err(error) => assert_printable(&error),
    }
}

/// A file of word vectors.
pub fn word_vectors(data: &[u8]) {
    let vocabulary = Vocabulary::build(["the good film"].into_iter(), 10, Tokenizer::Keras);
    let limits = limits();
    match WordVectors::from_bytes_of(Path::new("vectors"), data, &vocabulary, &limits) {
        Ok(vectors) => {
            assert!((1..=limits.vector_width).contains(&vectors.width()));
            assert!((1..=3).contains(&vectors.len()));
            for (id, vector) in vectors.iter() {
                assert!((3..6).contains(&id) && vector.len() == vectors.width());
                assert!(vector.iter().all(|number| number.is_finite()));
            }
        }
        Err(error) => assert_printable(&error),
    }
}

/// A text.
pub fn tokenizer(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for tokenizer in Tokenizer::ALL {
        let mut tokens = Vec::new();
        tokenizer.for_each_token(&text, |token| tokens.push(token.to_owned()));
        assert!(tokens.iter().all(|token| !token.is_empty()));
        for token in &tokens {
            assert_eq!(tokenizer.token(token).as_ref(), Some(token));
        }
        let mut again = Vec::new();
        let joined = match tokenizer {
            Tokenizer::Keras | Tokenizer::Unicode => tokens.join(" "),
            Tokenizer::Characters => tokens.concat(),
            Tokenizer::Bytes => text.to_string(),
        };
        tokenizer.for_each_token(&joined, |token| again.push(token.to_owned()));
        assert_eq!(tokens, again);

        let (vocabulary, encoded) = Vocabulary::learn(&[&text], usize::MAX, tokenizer, usize::MAX);
        let distinct: HashSet<&String> = tokens.iter().collect();
        assert_eq!(vocabulary.distinct(), distinct.len());
        let ids = vocabulary.encode(&text, usize::MAX);
        assert_eq!(encoded, [&ids[..]]);
        assert!(ids[1..].iter().map(|&id| vocabulary.word(id)).eq(&tokens));
        assert!(ids[1..].iter().all(|id| vocabulary.word_ids().contains(id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    type Target = fn(&[u8]);

    #[test]
    fn the_corpus_of_every_target_is_kept_to() {
        let targets: [(&str, Target); 16] = [
            ("any_table", any_table),
            ("csv", csv),
            ("foreign_vocabulary", foreign_vocabulary),
            ("form", form),
            ("gz", gz),
            ("json_array", json_array),
            ("json_lines", json_lines),
            ("npy", npy),
            ("npz", npz),
            ("pickle", pickle),
            ("tar", tar),
            ("tokenizer", tokenizer),
            ("tsv", tsv),
            ("vocabulary", vocabulary),
            ("word_index", word_index),
            ("word_vectors", word_vectors),
        ];
        for (target, run) in targets {
            // Tests run in their package's folder; where that was built, another checkout may have been.
            let folder = Path::new("../../fuzz/corpus").join(target);
            let inputs: Vec<_> = fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
                .map(|entry| entry.unwrap().path())
                .collect();
            assert!(!inputs.is_empty(), "{} is empty", folder.display());
            for input in inputs {
                let bytes = fs::read(&input).unwrap();
                // The test's output is shown where it fails: it names the input.
                println!("{}", input.display());
                run(&bytes);
            }
        }
    }
}
