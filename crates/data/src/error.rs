//! What can go wrong with other people's files: each message says what, where, and what to do about
//! it.

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::printable::within_line;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, DataError>;

/// Data, or something that belongs to them, could not be read or are not what a network can learn from.
///
/// Where another error lies beneath, it is the [`source`](std::error::Error::source) and no part of
/// the message: print the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing lies at the path.
    #[error("{path}: there is no such file or folder; check the path")]
    NotFound {
        /// The path as it was given.
        path: PathBuf,
    },

    /// The operating system refuses to open or read a file or folder.
    #[error("{path}: cannot be read; check that it is what you meant and that you may read it")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },

    /// Something other than a regular file has the name of one.
    #[error(
        "{path}: it is {kind}, and only regular files are read; put the file itself there, \
         or name another one"
    )]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What is there.
        kind: &'static str,
    },

    /// A file, or something in it, is larger than anything of its kind.
    #[error("{path}: {reason}; {remedy}")]
    TooMuch {
        /// The file or folder.
        path: PathBuf,
        /// What there is too much of, and the limit.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },

    /// A path was given for the IMDB reviews and holds them in no known form.
    #[error(
        "{path}: no IMDB reviews are here; \
         give the `aclImdb` folder (the one that holds `train/pos`), \
         its `aclImdb_v1.tar.gz`, or Keras's `imdb.npz`"
    )]
    NotImdb {
        /// The path as it was given.
        path: PathBuf,
    },

    /// One of the four folders of reviews is missing.
    #[error(
        "{path}: the folder `{folder}` is missing; the published folder holds \
         `train/pos`, `train/neg`, `test/pos` and `test/neg`: \
         unpack the archive again, or give the archive itself"
    )]
    MissingFolder {
        /// The folder that should hold it.
        path: PathBuf,
        /// The missing one, such as `train/pos`.
        folder: &'static str,
    },

    /// A part of the data set that has to hold something holds nothing.
    #[error("{path}: {part} is empty; {remedy}")]
    Empty {
        /// The file or folder.
        path: PathBuf,
        /// The empty part, such as `train/pos`.
        part: &'static str,
        /// What to do.
        remedy: &'static str,
    },

    /// The reviews should be held out by film, and of one nothing says which film it is about.
    #[error(
        "{path}: {file} has no address of the film that {review} is about; {remedy}, or hold reviews out without films"
    )]
    NoFilm {
        /// The folder or archive.
        path: PathBuf,
        /// The review.
        review: String,
        /// Where its film's address should stand.
        file: String,
        /// What to do.
        remedy: &'static str,
    },

    /// The reviews should be held out by film, and this form of them doesn't say which films they are about.
    #[error(
        "{path}: Keras's file doesn't say which films its reviews are about; to hold them out by film, give the \
         published folder or archive"
    )]
    NoFilms {
        /// The file.
        path: PathBuf,
    },

    /// The compressed archive ends too early or its contents contradict its checksums.
    #[error(
        "{path}: the archive is truncated or damaged {place}; delete the file and fetch it again"
    )]
    Archive {
        /// The archive.
        path: PathBuf,
        /// After which entry.
        place: String,
        /// What the decompressor says.
        source: io::Error,
    },

    /// Texts that no language model could learn from.
    #[error("{reason}")]
    Corpus {
        /// What is wrong with them and what to do.
        reason: String,
    },

    /// A `.npz` file is damaged or is not the one that Keras publishes.
    #[error(
        "{path}, {entry}: {reason}; \
         give the `imdb.npz` that Keras publishes, fetched again if need be"
    )]
    Npz {
        /// The `.npz` file.
        path: PathBuf,
        /// The entry in it, such as `x_train.npy`.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },

    /// A pickle holds more than a list of lists of integers. Nothing of it has been carried out.
    #[error(
        "{path}, {entry}, byte {position}: refused the pickle's {opcode}: {reason}; \
         only lists of integers, as in the `imdb.npz` that Keras publishes, are read: \
         do not trust this file if it claims to be that one"
    )]
    Pickle {
        /// The `.npz` file.
        path: PathBuf,
        /// The entry in it, such as `x_train.npy`.
        entry: String,
        /// The offset of the opcode in the uncompressed entry.
        position: usize,
        /// The name of the opcode.
        opcode: String,
        /// Why it is refused.
        reason: String,
    },

    /// Keras's word index is missing, damaged, or belongs to other reviews.
    #[error(
        "{path}: {reason}; `imdb_word_index.json`, as Keras publishes it, \
         gives the rank of each word of `imdb.npz`"
    )]
    WordIndex {
        /// The word index.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A table lacks a column that was asked for.
    #[error(
        "{path}, line {line}: there is no column `{column}`; \
         the columns here are {columns}: name one of them{hint}"
    )]
    MissingColumn {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column that was asked for.
        column: String,
        /// The columns that are there.
        columns: String,
        /// What else may be meant.
        hint: String,
    },

    /// A label is none of the known ones.
    #[error("{path}, line {line}: the label {label} is not known; write {known}")]
    UnknownLabel {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The label, shortened if it is long.
        label: String,
        /// The labels that are known, or the first of them.
        known: String,
    },

    /// The labels of a table are none that a classifier could learn.
    #[error("{path}: {reason}")]
    LabelColumn {
        /// The table.
        path: PathBuf,
        /// What is wrong with them and what to do.
        reason: String,
    },

    /// A file is no table, or not written in one way.
    #[error("{path}: {reason}")]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },

    /// A line of a table cannot be understood.
    #[error("{path}, line {line}: {reason}")]
    Row {
        /// The table.
        path: PathBuf,
        /// The line on which the record begins, from 1.
        line: u64,
        /// What is wrong with it and what to do.
        reason: String,
    },

    /// A place in a line of a table cannot be understood.
    #[error("{path}, line {line}, column {column}: {reason}")]
    Place {
        /// The table.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The character in it, from 1.
        column: usize,
        /// What is wrong with it and what to do.
        reason: String,
    },

    /// Series of numbers are not what was asked for of them.
    #[error("{path}: {reason}")]
    Series {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },

    /// The test fraction leaves one of the splits without a meaning.
    #[error(
        "the test fraction {fraction} is not between 0 and 1; \
         0.2 keeps a fifth of the rows for testing"
    )]
    TestFraction {
        /// The fraction as it was given.
        fraction: f64,
    },

    /// A file of word vectors can't be understood.
    #[error("{path}{line}: {reason}")]
    WordVectors {
        /// The file.
        path: PathBuf,
        /// `, line 3`, or nothing.
        line: String,
        /// What is wrong with it and what to do.
        reason: String,
    },

    /// A file is no vocabulary, or none that a network here can read with.
    #[error("{path}: {reason}")]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        reason: String,
    },

    /// Something that was saved with a run is damaged.
    #[error("{path}: {reason}; the {what} belongs to its run: restore the file, or train again")]
    Saved {
        /// The file.
        path: PathBuf,
        /// What it should hold, such as `vocabulary`.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// The names of classes are none, or don't fit the targets.
    #[error("{reason}")]
    Labels {
        /// What is wrong with them.
        reason: String,
    },

    /// A text or a sequence is none that its reader reads.
    #[error("{reason}")]
    Content {
        /// What is wrong with it.
        reason: String,
    },

    /// An example does not fit the others, or the labels.
    #[error("{place}: {reason}")]
    Example {
        /// Its part and its number from 1, such as `test example 3`.
        place: String,
        /// What is wrong with it.
        reason: String,
    },

    /// Too few examples are there to train, validate and test on.
    #[error("{train} training and {test} test examples are too few to train, validate and test on")]
    TooFew {
        /// Examples of the training split.
        train: usize,
        /// Examples of the test split.
        test: usize,
    },

    /// A table's records can't be shared out among training, validation and test part.
    #[error("{path}: {reason}")]
    Split {
        /// The table.
        path: PathBuf,
        /// What there is too little of, and what to do.
        reason: String,
    },

    /// A scale was asked for where there are no numbers.
    #[error("texts hold no numbers to scale: leave `scale`, or --no-scale, out")]
    Scale,

    /// Numbers may be missing and are not scaled.
    #[error(
        "a missing number is read as the mean, which is 0 of scaled numbers: leave `scale = false`, or --no-scale, \
         out"
    )]
    MissingUnscaled,

    /// Sequences are too short to remember something over, or longer than memory should hold.
    #[error("the {task} needs a length of at least {shortest} and at most {longest}, not {length}")]
    TaskLength {
        /// The memory task.
        task: &'static str,
        /// Timesteps that it needs.
        shortest: usize,
        /// Timesteps that it has at most.
        longest: usize,
        /// Timesteps that were asked for.
        length: usize,
    },
}

impl DataError {
    /// Turns an error of the operating system into one that names the path.
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> DataError {
        move |source| match source.kind() {
            io::ErrorKind::NotFound => DataError::NotFound { path: path.into() },
            _ => DataError::Read {
                path: path.into(),
                source,
            },
        }
    }
}

/// A part of a file as a message may show it: at most `most` characters of it, and no character that
/// a terminal acts upon or that changes the direction of the text.
pub(crate) fn shown(text: &str, most: usize) -> String {
    let end = text.char_indices().nth(most).map(|(end, _)| end);
    let mut shown = within_line(&text[..end.unwrap_or(text.len())]).into_owned();
    if end.is_some() {
        shown.push('…');
    }
    shown
}

/// What was saved with a run, from its JSON; `what` and `path` are for the message of an error.
pub(crate) fn from_json<T: DeserializeOwned>(
    json: &str,
    path: &Path,
    what: &'static str,
) -> Result<T> {
    serde_json::from_str(json).map_err(|error| DataError::Saved {
        path: path.into(),
        what,
        reason: shown(&error.to_string(), SHOWN_REASON),
    })
}

/// Names as a message may show them: the first ones, shortened, in backticks.
pub(crate) fn shown_names<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 12;
    let first: Vec<String> = names
        .by_ref()
        .take(MOST)
        .map(|name| format!("`{}`", shown(name, SHOWN_NAME)))
        .collect();
    match (first.is_empty(), names.count()) {
        (true, _) => "none".to_owned(),
        (false, 0) => first.join(", "),
        (false, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// Characters of a name, a word or a label that a message shows.
pub(crate) const SHOWN_NAME: usize = 40;

/// Characters of another library's message that one of ours shows; it may cite the file.
pub(crate) const SHOWN_REASON: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_shows_of_a_file_is_short_and_printable() {
        assert_eq!(shown("don't \"é\"", 40), "don't \"é\"");
        assert_eq!(
            shown("\u{1b}]0;owned\u{7}\u{9b}\u{202e}\n", 40),
            "\\u{1b}]0;owned\\u{7}\\u{9b}\\u{202e}\\u{a}"
        );
        assert_eq!(shown("abcdef", 5), "abcde…");
        assert_eq!(shown("abcde", 5), "abcde");
    }

    #[test]
    fn of_many_names_the_first_are_shown() {
        let names: Vec<String> = (0..100_000)
            .map(|index| format!("column-{index}"))
            .collect();
        let names = shown_names(names.iter().map(String::as_str));
        assert!(names.starts_with("`column-0`, `column-1`, "), "{names}");
        assert!(names.ends_with("`column-11` and 99988 more"), "{names}");
        assert_eq!(shown_names(std::iter::empty()), "none");
    }
}
