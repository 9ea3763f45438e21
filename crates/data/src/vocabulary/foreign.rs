//! Vocabularies that other programs wrote.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Ids, Vocabulary};
use crate::error::{DataError, Result, SHOWN_NAME, SHOWN_REASON, shown, shown_names};
use crate::files::read_regular;
use crate::limits::{self, Limits};
use crate::sources::keras_npz::WordIndex;
use crate::tokenizer::Tokenizer;
use crate::word_ids::{Entries, entries};

/// The words of a network that another program trained.
///
/// These files are recognised by their content:
///
/// - a run's `vocabulary.json`;
/// - Keras's `imdb_word_index.json`, also by its name: a word of rank r has id r + 3, id 1 starts a text, and 2 is every
///   word with an id that the network doesn't have;
/// - what Keras's `Tokenizer` writes with `to_json`: ids from 1, no start, unknown words left out unless it has an
///   `oov_token`. It has to split texts as [`Tokenizer::Keras`] does, or into characters as they are;
/// - a JSON object of words and their ids, a JSON array of words, and a word a line; in the last two a word's id is its
///   place, from 0. Entries like `<pad>`, `[UNK]` and `<s>`, in any case, are padding, unknown words and the start, and
///   an empty one is padding. Texts begin with the start if there is one. Other entries in `<>` or `[]`, such as `</s>`,
///   are rows that no text reads. Words need ids one after the other.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignVocabulary {
    /// Which word has which id. If the file has padding, its id is 0 here.
    pub vocabulary: Vocabulary,
    /// The rows of the embedding that have to change places for that: 0, and the file's padding.
    pub swapped: Option<[u32; 2]>,
    /// What the file was taken for, and what texts become by it, for people.
    pub format: String,
    is_imdb: bool,
}

impl ForeignVocabulary {
    /// Whether these are the words of Keras's IMDB, of which the labels are known.
    pub fn is_imdb(&self) -> bool {
        self.is_imdb
    }

    /// Reads the words of a network of `size` ids, whose texts `tokenizer` splits unless the file says how.
    ///
    /// # Errors
    /// If the file can't be read, is no vocabulary, is another network's, or of texts that are split otherwise; or if two
    /// words have one id, or an id between words is none's.
    pub fn read(path: &Path, size: usize, tokenizer: Tokenizer) -> Result<Self> {
        let bytes = read_regular(path, Limits::default().vocabulary)?;
        Self::from_bytes(&bytes, path, size, tokenizer)
    }

    /// The same, from the file's bytes; `path` is for its name and for messages.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn from_bytes(
        bytes: &[u8],
        path: &Path,
        size: usize,
        tokenizer: Tokenizer,
    ) -> Result<Self> {
        Self::within(&Limits::default(), bytes, path, size, tokenizer)
    }

    pub(crate) fn within(
        limits: &Limits,
        bytes: &[u8],
        path: &Path,
        size: usize,
        tokenizer: Tokenizer,
    ) -> Result<Self> {
        let file = File {
            limits,
            path,
            // Ids are `i32` in a batch.
            size: size.min(i32::MAX as usize),
            tokenizer,
        };
        file.read(bytes).map_err(|refusal| match refusal {
            Refusal::Of(error) => error,
            Refusal::For(reason) => DataError::Vocabulary {
                path: path.into(),
                reason,
            },
        })
    }

    /// `special` are the entries that are no words.
    fn new(vocabulary: Vocabulary, format: &str, special: &ById) -> Self {
        let Ids { start, unknown, .. } = vocabulary.ids();
        let noun = vocabulary.tokenizer().noun();
        let named = |id| match special.get(&id) {
            Some(entry) => name(entry),
            None => format!("id {id}"),
        };
        let start = start.map(|id| format!("; texts begin with {}", named(id)));
        let unknown = match unknown {
            Some(id) => format!("read as {}", named(id)),
            None => "left out".to_owned(),
        };
        Self {
            vocabulary,
            swapped: None,
            format: format!(
                "{format}{}; unknown {noun} are {unknown}",
                start.unwrap_or_default()
            ),
            is_imdb: format == IMDB,
        }
    }
}

/// Words that Keras's published index has, and the most frequent of them.
const PUBLISHED: (usize, &str) = (88_584, "the");

const IMDB: &str = "Keras's index of IMDB's words";

/// Characters at which Keras's `Tokenizer` ends words, unless it is told otherwise.
const FILTERS: &str = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n";

/// What to do about a file that is nothing of the kind.
const READ: &str = "give a run's `vocabulary.json`, Keras's `imdb_word_index.json`, what Keras's `Tokenizer` gives with \
                    `to_json`, a JSON object of words and their ids, a JSON array of words, or a word a line";

const ANOTHERS: &str = "it is another network's";

type ById = BTreeMap<u32, String>;

/// Why a file is refused.
enum Refusal {
    Of(DataError),
    For(String),
}

impl From<DataError> for Refusal {
    fn from(error: DataError) -> Self {
        Self::Of(error)
    }
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::For(reason)
    }
}

type Checked<T> = std::result::Result<T, String>;

/// A file, and what is known of its network.
struct File<'a> {
    limits: &'a Limits,
    path: &'a Path,
    size: usize,
    tokenizer: Tokenizer,
}

/// What tells JSON objects apart that are more than words and ids.
#[derive(Deserialize)]
struct Shape {
    words: Option<IgnoredAny>,
    size: Option<IgnoredAny>,
    class_name: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct KerasObject {
    config: KerasTokenizer,
}

/// The settings of Keras's `Tokenizer`.
#[derive(Deserialize)]
struct KerasTokenizer {
    num_words: Option<u32>,
    filters: String,
    lower: bool,
    split: String,
    char_level: bool,
    oov_token: Option<String>,
    /// JSON in a text.
    word_index: String,
}

impl File<'_> {
    fn read(&self, bytes: &[u8]) -> std::result::Result<ForeignVocabulary, Refusal> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| format!("it is no UTF-8 text, nor is any pickle: {READ}"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Who gives `json.dump` what `to_json` gave, writes JSON in a text.
        let unwrapped = match text.starts_with("\"{") {
            true => serde_json::from_str::<String>(text).ok(),
            false => None,
        };
        let text = unwrapped.as_deref().unwrap_or(text);
        if !is_json(text) {
            // Before all of them are kept.
            let count = text.lines().take(self.size + 1).count();
            if count > self.size {
                let size = self.size;
                return Err(format!(
                    "it has more than {size} words, and the network has {size} ids: {ANOTHERS}"
                )
                .into());
            }
            let words = text.lines().map(str::to_owned).collect();
            return Ok(self.list(words, "a word a line")?);
        }
        let error = match entries(text.as_bytes(), self.limits.words) {
            Ok(Entries::Array(words)) => return Ok(self.list(words, "a JSON array of words")?),
            Ok(Entries::Object(ids)) => {
                let (count, most_frequent) = PUBLISHED;
                let is_published = ids.len() == count
                    && ids
                        .iter()
                        .any(|(word, rank)| word == most_frequent && *rank == 1);
                if is_published || self.path.ends_with("imdb_word_index.json") {
                    return Ok(self.index(&WordIndex::of(self.path, ids, self.limits)?)?);
                }
                return Ok(self.entries(ids, "a JSON object of words and their ids")?);
            }
            Err(error) => error,
        };
        match serde_json::from_str(text) {
            Ok(Shape {
                words: Some(_),
                size: Some(_),
                ..
            }) => Ok(self.ours(Vocabulary::from_json(text, self.path)?)?),
            Ok(Shape {
                class_name: Some(_),
                config: Some(_),
                ..
            }) => Ok(self.keras_tokenizer(text)?),
            _ => Err(format!("it is no vocabulary ({error}): {READ}").into()),
        }
    }

    fn ours(&self, vocabulary: Vocabulary) -> Checked<ForeignVocabulary> {
        self.agree(vocabulary.tokenizer())?;
        if vocabulary.size() != self.size {
            return Err(format!(
                "it has {} ids, and the network has {}: {ANOTHERS}",
                vocabulary.size(),
                self.size
            ));
        }
        let none = ById::new();
        Ok(ForeignVocabulary::new(
            vocabulary,
            "a run's vocabulary",
            &none,
        ))
    }

    fn index(&self, index: &WordIndex) -> Checked<ForeignVocabulary> {
        self.agree(Tokenizer::Keras)?;
        let words = index.words().filter_map(|(rank, word)| {
            let id = rank.checked_add(3)?;
            ((id as usize) < self.size).then(|| (id, word.to_owned()))
        });
        let (first, mut words) = run(words.collect(), &ById::new())?;
        // An old Keras left capitals as they were that have an accent: some published words differ in nothing else.
        // Texts are read in lower case, so that of those the more frequent is met.
        let mut met = HashSet::new();
        for word in &mut words {
            if !met.insert(word.clone()) {
                word.clear();
            }
        }
        let ids = Ids {
            first,
            ..Ids::default()
        };
        self.made(ids, words, Tokenizer::Keras, IMDB, &ById::new())
    }

    fn keras_tokenizer(&self, text: &str) -> Checked<ForeignVocabulary> {
        let damaged = |error: &str| format!("it is no `Tokenizer` as Keras writes it ({error})");
        let object: KerasObject = serde_json::from_str(text)
            .map_err(|error| damaged(&shown(&error.to_string(), SHOWN_REASON)))?;
        let settings = object.config;
        let tokenizer = settings.tokenizer()?;
        self.agree(tokenizer)?;
        let ids = match entries(settings.word_index.as_bytes(), self.limits.words) {
            Ok(Entries::Object(ids)) => ids,
            Ok(Entries::Array(_)) => return Err(damaged("word_index is an array")),
            Err(error) => return Err(damaged(&format!("word_index: {error}"))),
        };
        let unknown = match &settings.oov_token {
            None => None,
            Some(oov) => {
                let entry = ids.iter().find(|(word, _)| word == oov);
                let (_, id) = entry.ok_or_else(|| {
                    damaged(&format!("oov_token, {}, is not in word_index", name(oov)))
                })?;
                self.check(oov, *id)?;
                Some(*id)
            }
        };
        // Keras takes 0 for no bound.
        let most = settings.num_words.filter(|most| *most > 0);
        let last = ids.iter().map(|(_, id)| *id as usize).max().unwrap_or(0);
        let bound = most.map_or(last + 1, |most| (last + 1).min(most as usize));
        if bound > self.size {
            return Err(format!(
                "it gives ids up to {}, and the network has {}: {ANOTHERS}",
                bound - 1,
                self.size
            ));
        }
        let most = most.map_or(self.size, |most| self.size.min(most as usize));
        let is_kept = |(_, id): &(String, u32)| (*id as usize) < most && unknown != Some(*id);
        let words = self.by_id(ids.into_iter().filter(is_kept))?;
        let (first, mut words) = run(words, &ById::new())?;
        // A carriage return, a vertical tab and a form feed are part of a word to Keras, and end one here. A word that
        // has one is not met, and the same word without is read in its place, which it stands for.
        let has_end = |word: &&mut String| word.contains(['\r', '\u{b}', '\u{c}']);
        if tokenizer == Tokenizer::Keras {
            words.iter_mut().filter(has_end).for_each(String::clear);
        }
        let ids = Ids {
            first,
            start: None,
            unknown,
        };
        self.made(ids, words, tokenizer, "Keras's `Tokenizer`", &ById::new())
    }

    /// Entries whose ids are their places.
    fn list(&self, words: Vec<String>, format: &str) -> Checked<ForeignVocabulary> {
        if let [padding, unknown, ..] = &words[..]
            && padding.is_empty()
            && unknown == "[UNK]"
        {
            return Err(
                "it holds words of Keras's `TextVectorization`, which deletes punctuation where words end at it here: its \
                 network learnt texts that were split otherwise"
                    .to_owned(),
            );
        }
        self.entries(words.into_iter().zip(0..).collect(), format)
    }

    /// Words and special entries with their ids.
    fn entries(&self, entries: Vec<(String, u32)>, format: &str) -> Checked<ForeignVocabulary> {
        entries
            .iter()
            .try_for_each(|(word, id)| self.check(word, *id))?;
        let mut entries = self.by_id(entries.into_iter())?;
        let last = entries.last_key_value();
        let last = last.map(|(&id, entry)| (id, name(entry)));
        let mut padding = entries
            .iter()
            .filter(|(_, word)| Role::of(word) == Some(Role::Padding));
        let swapped = match (padding.next(), padding.next()) {
            (Some((_, one)), Some((_, other))) => return Err(both(one, other, "padding")),
            (Some((&id, _)), None) if id > 0 => Some([0, id]),
            _ => None,
        };
        if let Some([zero, id]) = swapped {
            let moved = [(zero, entries.remove(&id)), (id, entries.remove(&zero))];
            let moved = moved
                .into_iter()
                .filter_map(|(id, entry)| Some((id, entry?)));
            entries.extend(moved);
        }
        let (mut special, mut words) = (ById::new(), ById::new());
        let (mut start, mut unknown) = (None, None);
        for (id, entry) in entries {
            let (only, what) = match Role::of(&entry) {
                Some(Role::Start) => (&mut start, "the start of texts"),
                Some(Role::Unknown) => (&mut unknown, "unknown words"),
                Some(Role::Padding | Role::Unread) => (&mut None, ""),
                None => {
                    words.insert(id, entry);
                    continue;
                }
            };
            if let Some(other) = only.replace(id) {
                return Err(both(&special[&other], &entry, what));
            }
            special.insert(id, entry);
        }
        let run = run(words, &special).map_err(|reason| match swapped {
            Some([_, id]) => format!("{reason}; here padding, which the file has at {id}, has 0"),
            None => reason,
        });
        let (first, words) = run?;
        let ids = Ids {
            first,
            start,
            unknown,
        };
        let made = self.made(ids, words, self.tokenizer, format, &special)?;
        match last {
            Some((id, entry)) if (id as usize) + 1 < self.size => {
                return Err(format!(
                    "the network has {} ids, and the last one of the file is {id}, {entry}: {ANOTHERS}; or, if the network has \
                     rows that it never used, give them entries of their own, such as `<unused 1>`",
                    self.size
                ));
            }
            _ => {}
        }
        Ok(ForeignVocabulary { swapped, ..made })
    }

    fn made(
        &self,
        ids: Ids,
        words: Vec<String>,
        tokenizer: Tokenizer,
        format: &str,
        special: &ById,
    ) -> Checked<ForeignVocabulary> {
        if words.is_empty() {
            return Err(format!(
                "it has no word with an id below {}: {READ}",
                self.size
            ));
        }
        ensure_met(&words, tokenizer)?;
        let vocabulary = Vocabulary::checked(self.size, words.len(), ids, words, tokenizer)?;
        Ok(ForeignVocabulary::new(vocabulary, format, special))
    }

    /// Entries by their ids, each of which is one's alone.
    fn by_id(&self, entries: impl Iterator<Item = (String, u32)>) -> Checked<ById> {
        let mut by_id = ById::new();
        for (word, id) in entries {
            if word.len() > self.limits.word {
                let most = limits::size(self.limits.word as u64);
                return Err(format!("{} is longer than {most}", name(&word)));
            }
            if let Some(other) = by_id.get(&id) {
                return Err(both(other, &word, &format!("id {id}")));
            }
            by_id.insert(id, word);
        }
        Ok(by_id)
    }

    /// Whether the network has such an id.
    fn check(&self, word: &str, id: u32) -> Checked<()> {
        match (id as usize) < self.size {
            true => Ok(()),
            false => Err(format!(
                "the network has {} ids, from 0, and {} has id {id}: {ANOTHERS}",
                self.size,
                name(word)
            )),
        }
    }

    /// Whether texts may be split as the file says.
    fn agree(&self, own: Tokenizer) -> Checked<()> {
        let given = self.tokenizer;
        match given == own || given == Tokenizer::default() {
            true => Ok(()),
            false => Err(format!(
                "its texts are split by `{own}`: leave --tokenizer {given} out"
            )),
        }
    }
}

impl KerasTokenizer {
    /// That of ours which splits texts as this one does.
    fn tokenizer(&self) -> Checked<Tokenizer> {
        let differs = |setting: &str, found: &str, here: &str| {
            let found = shown(found, SHOWN_NAME);
            Err(format!(
                "its `Tokenizer` has {setting} = {found}, and here {here}: texts would become other words than its \
                 network learnt"
            ))
        };
        match (self.char_level, self.lower) {
            (true, false) => Ok(Tokenizer::Characters),
            (true, true) => differs("lower", "True", "characters keep their case"),
            (false, false) => differs("lower", "False", "words are read in lower case"),
            _ if self.filters != FILTERS => differs(
                "filters",
                &format!("{:?}", self.filters),
                "words end at Keras's usual ones",
            ),
            _ if self.split != " " => {
                differs("split", &format!("{:?}", self.split), "a space ends a word")
            }
            _ => Ok(Tokenizer::Keras),
        }
    }
}

/// What an entry is that is no word.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Padding,
    Start,
    Unknown,
    /// A row that no text reads.
    Unread,
}

impl Role {
    fn of(entry: &str) -> Option<Self> {
        let name = entry.to_ascii_lowercase();
        let is_in = |first, last| name.len() > 2 && name.starts_with(first) && name.ends_with(last);
        match &name[..] {
            "" | "<pad>" | "[pad]" | "<padding>" | "_pad_" => Some(Self::Padding),
            "<s>" | "<sos>" | "<start>" | "<bos>" | "[cls]" | "_start_" => Some(Self::Start),
            "<unk>" | "[unk]" | "<unknown>" | "<oov>" | "_unk_" => Some(Self::Unknown),
            "_end_" => Some(Self::Unread),
            _ => (is_in('<', '>') || is_in('[', ']')).then_some(Self::Unread),
        }
    }
}

fn name(entry: &str) -> String {
    format!("`{}`", shown(entry, SHOWN_NAME))
}

fn both(one: &str, other: &str, what: &str) -> String {
    format!("{} and {} are both {what}", name(one), name(other))
}

/// The first of words' ids and the words, if their ids follow each other; `special` are the other entries.
fn run(words: ById, special: &ById) -> Checked<(u32, Vec<String>)> {
    let first = words.keys().next().copied().unwrap_or_default();
    if let Some((expected, (id, word))) = (first..)
        .zip(&words)
        .find(|(expected, (id, _))| expected != *id)
    {
        return Err(format!(
            "{} has id {id}, and {expected} is {}: words need ids one after the other, all else before or behind them",
            name(word),
            special
                .get(&expected)
                .map_or("nobody's".to_owned(), |entry| format!("{}'s", name(entry)))
        ));
    }
    Ok((first, words.into_values().collect()))
}

/// Whether texts have such words.
fn ensure_met(words: &[String], tokenizer: Tokenizer) -> Checked<()> {
    let is_met =
        |word: &String, by: Tokenizer| word.is_empty() || by.token(word).as_ref() == Some(word);
    let never = words.iter().filter(|word| !is_met(word, tokenizer));
    let count = never.clone().count();
    if count == 0 {
        return Ok(());
    }
    let other = Tokenizer::ALL
        .into_iter()
        .find(|other| words.iter().all(|word| is_met(word, *other)));
    Err(format!(
        "{count} of its {} entries are nothing that `{tokenizer}` splits texts into, such as {}: {}",
        words.len(),
        shown_names(never.take(3).map(String::as_str)),
        match other {
            Some(other) => format!("--tokenizer {other} gives all of them"),
            None => "its network learnt texts that were split otherwise".to_owned(),
        }
    ))
}

/// Whether a text begins as a JSON object or array of texts does; a list of words may begin with `[PAD]`, or `{`.
fn is_json(text: &str) -> bool {
    let text = text.trim_ascii_start();
    let begins = |first: char, last: char| {
        let inner = text.strip_prefix(first).map(str::trim_ascii_start);
        inner.is_some_and(|inner| inner.starts_with(['"', last]))
    };
    begins('{', '}') || begins('[', ']')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    fn named(
        name: &str,
        size: usize,
        text: &str,
        tokenizer: Tokenizer,
    ) -> Result<ForeignVocabulary> {
        ForeignVocabulary::from_bytes(text.as_bytes(), Path::new(name), size, tokenizer)
    }

    fn read(size: usize, text: &str) -> ForeignVocabulary {
        named("words.txt", size, text, Tokenizer::Keras).unwrap()
    }

    fn refusal(size: usize, text: &str) -> String {
        let read = named("words.txt", size, text, Tokenizer::Keras);
        let message = read.expect_err(text).to_string();
        assert!(message.starts_with("words.txt: "), "{message}");
        assert!(
            message.len() < 600 && !message.contains(char::is_control),
            "{message}"
        );
        message
    }

    /// What Keras's `Tokenizer` gives with `to_json`, with these words and other settings.
    fn keras(index: &Value, other: &[(&str, Value)]) -> String {
        let mut config = json!({
            "num_words": null, "filters": FILTERS, "lower": true, "split": " ", "char_level": false, "oov_token": null,
            "document_count": 2, "word_counts": "{}", "index_word": "{}", "word_index": index.to_string(),
        });
        for (name, value) in other {
            config[name] = value.clone();
        }
        json!({"class_name": "Tokenizer", "config": config}).to_string()
    }

    #[test]
    fn a_runs_own_vocabulary_is_taken_as_it_is() {
        let own = Vocabulary::build(["b a b"].into_iter(), 100, Tokenizer::Characters);
        let found = read(100, &own.to_json());
        assert_eq!((found.vocabulary, found.swapped), (own.clone(), None));
        assert!(
            found
                .format
                .contains("a run's vocabulary; texts begin with id 1"),
            "{}",
            found.format
        );
        assert!(refusal(99, &own.to_json()).contains("has 100 ids, and the network has 99"));
        let bytes = named("v", 100, &own.to_json(), Tokenizer::Bytes).unwrap_err();
        assert!(
            bytes
                .to_string()
                .contains("split by `characters`: leave --tokenizer bytes out")
        );
    }

    #[test]
    fn kerass_index_has_ids_from_4_and_words_without_an_id_are_unknown() {
        let text = r#"{"film": 2, "the": 1, "À": 4, "à": 3, "rare": 5}"#;
        let index =
            |size| named("data/imdb_word_index.json", size, text, Tokenizer::Keras).unwrap();
        let found = index(8).vocabulary;
        assert_eq!(found.encode("The rare film à", 9), [1, 4, 2, 5, 6]);
        assert_eq!(found.words(), ["the", "film", "à", ""]);
        assert_eq!(index(6).vocabulary.words(), ["the", "film"]);
        assert!(index(6).is_imdb());
        // Under another name it is any object of words and ids.
        assert_eq!(
            read(3, r#"{"film": 2, "the": 1}"#).vocabulary.ids().first,
            1
        );
    }

    #[test]
    fn the_published_index_keeps_9996_words_of_10000_ids() {
        let words: serde_json::Map<String, Value> = (2..=PUBLISHED.0)
            .map(|rank| (format!("w{rank}"), rank.into()))
            .chain([("the".to_owned(), 1.into())])
            .collect();
        let found = read(10_000, &Value::from(words).to_string()).vocabulary;
        assert_eq!((found.words().len(), found.ids().first), (9996, 4));
        assert_eq!(found.encode("the w9996 w9997", 9), [1, 4, 9999, 2]);
    }

    #[test]
    fn kerass_tokenizer_leaves_unknown_words_out_unless_it_has_a_token_for_them() {
        let index = json!({"the": 1, "film": 2, "rare": 3});
        let found = read(9, &keras(&index, &[]));
        assert_eq!(found.vocabulary.encode("The dull, rare film", 9), [1, 3, 2]);
        assert!(
            found
                .format
                .ends_with("`Tokenizer`; unknown words are left out"),
            "{}",
            found.format
        );
        // As `json.dump` writes a text.
        let dumped = Value::from(keras(&index, &[])).to_string();
        assert_eq!(read(9, &dumped), found);
        let few = keras(&index, &[("num_words", 3.into())]);
        assert_eq!(read(9, &few).vocabulary.encode("the rare film", 9), [1, 2]);
        assert!(
            refusal(2, &keras(&index, &[])).contains("gives ids up to 3, and the network has 2")
        );

        let index = json!({"<OOV>": 1, "the": 2, "film\r": 3, "film": 4, "rare": 5});
        let other = [("oov_token", "<OOV>".into()), ("num_words", 5.into())];
        let found = read(9, &keras(&index, &other)).vocabulary;
        assert_eq!(found.encode("The rare film\r\nOOV", 9), [2, 1, 4, 1]);
        assert_eq!(found.words(), ["the", "", "film"]);
    }

    #[test]
    fn kerass_characters_are_characters() {
        let index = json!({"a": 1, "B": 2, "\r": 3});
        let other = [("char_level", true.into()), ("lower", false.into())];
        let found = read(9, &keras(&index, &other)).vocabulary;
        assert_eq!(found.tokenizer(), Tokenizer::Characters);
        assert_eq!(found.encode("aBb\r", 9), [1, 2, 3]);
    }

    #[test]
    fn kerass_tokenizers_that_split_otherwise_are_refused() {
        let index = json!({"a": 1, "b": 2});
        for (name, value, reason) in [
            (
                "filters",
                json!("!?\n"),
                r#"has filters = "!?\n", and here words end at Keras's usual"#,
            ),
            ("split", json!("|"), r#"has split = "|""#),
            (
                "lower",
                json!(false),
                "has lower = False, and here words are read in lower case",
            ),
            (
                "char_level",
                json!(true),
                "has lower = True, and here characters keep their case",
            ),
            (
                "oov_token",
                json!("<OOV>"),
                "oov_token, `<OOV>`, is not in word_index",
            ),
            ("num_words", json!("all"), "invalid type: string \"all\""),
            ("num_words", json!(1), "no word with an id below"),
            ("word_index", json!("[]"), "word_index is an array"),
            (
                "word_index",
                json!(r#"{"a": 1, "a": 2}"#),
                "word_index: `a` is there twice",
            ),
            (
                "word_index",
                json!(r#"{"a": 1, "b": 3}"#),
                "`b` has id 3, and 2 is nobody's",
            ),
            (
                "word_index",
                json!(r#"{"a": 1, "b.": 2}"#),
                "1 of its 2 entries are nothing that `keras`",
            ),
        ] {
            let message = refusal(9, &keras(&index, &[(name, value)]));
            assert!(message.contains(reason), "{message}");
        }
        let other = refusal(
            9,
            r#"{"class_name": "Functional", "config": {"name": "model"}}"#,
        );
        assert!(
            other.contains("no `Tokenizer` as Keras writes it (missing field `filters`"),
            "{other}"
        );
    }

    #[test]
    fn a_list_in_any_form_has_its_special_entries_by_name() {
        for text in [
            "<pad>\n<unk>\nthe\nfilm\n",
            "\u{feff}<PAD>\r\n<Unk>\r\nthe\r\nfilm",
            r#"["[PAD]", "[UNK]", "the", "film"]"#,
            r#" {"film": 3, "the": 2, "_UNK_": 1, "_PAD_": 0}"#,
            r#"{"film": 3, "the": 2, "<oov>": 1}"#,
        ] {
            let found = read(4, text);
            assert_eq!(
                found.vocabulary.encode("the dull film", 9),
                [2, 1, 3],
                "{text}"
            );
            assert_eq!(found.swapped, None);
            assert!(found.vocabulary.has_padding() && found.vocabulary.size() == 4);
        }
        let found = read(6, "[PAD]\n[CLS]\n[SEP]\n[UNK]\nthe\nfilm\n");
        assert_eq!(found.vocabulary.encode("the dull film", 9), [1, 4, 3, 5]);
        let expected = "a word a line; texts begin with `[CLS]`; unknown words are read as `[UNK]`";
        assert_eq!(found.format, expected);
        assert!(refusal(4, "\n[UNK]\nthe\nfilm").contains("TextVectorization"));
    }

    #[test]
    fn padding_is_brought_to_0() {
        let found = read(4, "<unk>\n<pad>\nthe\nfilm");
        assert_eq!(
            (found.swapped, found.vocabulary.has_padding()),
            (Some([0, 1]), true)
        );
        assert_eq!(found.vocabulary.encode("the dull film", 9), [2, 1, 3]);
        // A word that had 0 goes where padding was.
        let found = read(4, "film\nthe\na\n<pad>");
        assert_eq!(found.swapped, Some([0, 3]));
        assert_eq!(found.vocabulary.words(), ["the", "a", "film"]);
        // A row that nothing has, too.
        let found = read(4, r#"{"the": 1, "a": 2, "<pad>": 3}"#);
        assert_eq!(
            (found.swapped, found.vocabulary.ids().first),
            (Some([0, 3]), 1)
        );
        let message = refusal(5, "film\nthe\na\n<unk>\n<pad>");
        assert!(
            message.contains("`film` has id 4, and 3 is `<unk>`'s"),
            "{message}"
        );
        assert!(
            message.ends_with("padding, which the file has at 4, has 0"),
            "{message}"
        );
    }

    #[test]
    fn a_list_without_padding_leaves_0_to_a_word() {
        let found = read(3, "the\nfilm\n<unk>").vocabulary;
        assert_eq!(found.encode("the dull film", 9), [0, 2, 1]);
        assert!(!found.has_padding());
        assert!(!read(3, "<unk>\nthe\nfilm").vocabulary.has_padding());
        assert_eq!(
            read(3, r#"{"the": 1, "film": 2}"#)
                .vocabulary
                .encode("a film", 9),
            [2]
        );
    }

    #[test]
    fn lists_that_no_network_here_can_read_are_refused() {
        for (size, text, reason) in [
            (
                2,
                "the\na\nfilm",
                "it has more than 2 words, and the network has 2 ids: it is another network's",
            ),
            (
                9,
                r#"{"a": 0, "b": 2, "c": 3}"#,
                "`b` has id 2, and 1 is nobody's: words need ids one after the other",
            ),
            (9, "a\n</s>\nb", "`b` has id 2, and 1 is `</s>`'s"),
            (9, r#"{"a": 0, "b": 0}"#, "`a` and `b` are both id 0"),
            (9, "a\nb\na", "the word `a` is listed twice"),
            (9, r#"{"a": 0, "a": 1}"#, "`a` is there twice"),
            (9, "<pad>\n\na", "`<pad>` and `` are both padding"),
            (
                9,
                "<unk>\n[UNK]\na",
                "`<unk>` and `[UNK]` are both unknown words",
            ),
            (
                9,
                "<s>\n<BOS>\na",
                "`<s>` and `<BOS>` are both the start of texts",
            ),
            (
                9,
                "<pad>\nthe\nfilm",
                "the network has 9 ids, and the last one of the file is 2, `film`: it is another network's",
            ),
            (9, "<pad>", "it has no word with an id below 9"),
            (9, "", "it has no word with an id below 9"),
            (
                9,
                r#"{"a": -1}"#,
                "it is no vocabulary (invalid value: integer `-1`",
            ),
            (
                9,
                r#"{"a": 4294967296}"#,
                "it is no vocabulary (invalid value",
            ),
            (
                9,
                r#"{"model": {"vocab": {"a": 1}}}"#,
                "it is no vocabulary (invalid type: map",
            ),
            (
                9,
                r#"["a", 1]"#,
                "it is no vocabulary (invalid type: integer `1`",
            ),
            (9, r#"["a", "#, "it is no vocabulary (EOF"),
            (
                9,
                "a\nWell-known\nb c\nd",
                "2 of its 4 entries are nothing that `keras` splits texts into, such as \
                                         `Well-known`, `b c`: its network learnt texts that were split otherwise",
            ),
            (
                9,
                "a\nA\n?",
                "2 of its 3 entries are nothing that `keras` splits texts into, such as `A`, `?`: \
                            --tokenizer characters gives all of them",
            ),
            (9, "the 23\na 4", "2 of its 2 entries"),
            (9, &"a".repeat(2000), "aaa…` is longer than 1 KiB"),
        ] {
            let message = refusal(size, text);
            assert!(message.contains(reason), "{message}");
        }
        let pickle =
            ForeignVocabulary::from_bytes(b"\x80\x04\x95", Path::new("v.pkl"), 9, Tokenizer::Keras);
        let message = pickle.unwrap_err().to_string();
        assert!(
            message.contains("no UTF-8 text, nor is any pickle: give"),
            "{message}"
        );
    }

    #[test]
    fn no_more_is_read_than_a_vocabulary_may_have() {
        let within = |limits: Limits, text: &str| {
            let bytes = text.as_bytes();
            let read =
                ForeignVocabulary::within(&limits, bytes, Path::new("v"), 9, Tokenizer::Keras);
            read.unwrap_err().to_string()
        };
        let few = Limits {
            words: 2,
            ..Limits::default()
        };
        for text in [r#"["a", "b", "c"]"#, r#"{"a": 0, "b": 1, "c": 2}"#] {
            assert!(within(few, text).contains("it has more than 2 words"));
        }
        let index = keras(&json!({"a": 1, "b": 2, "c": 3}), &[]);
        assert!(within(few, &index).contains("word_index: it has more than 2 words"));
        assert!(refusal(9, &format!("{{\"a\": {}", "[".repeat(100_000))).contains("no vocabulary"));
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("words");
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let message = ForeignVocabulary::read(&path, 9, Tokenizer::Keras)
            .unwrap_err()
            .to_string();
        assert!(message.contains("more than 64 MiB"), "{message}");
    }
}
