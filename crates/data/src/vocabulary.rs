//! Which word has which id.

#[cfg(feature = "files")]
mod foreign;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, SHOWN_NAME, from_json, shown};
use crate::tokenizer::Tokenizer;

#[cfg(feature = "files")]
pub use foreign::ForeignVocabulary;

/// Texts that one task counts: enough to keep the merging of counts small beside the counting.
const TEXTS_PER_TASK: usize = 1024;

/// What the ids of a vocabulary stand for. The default is that of [`Vocabulary::learn`]; networks that other programs
/// trained have theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// That of the first word, 3; the other words follow.
    #[serde(skip_serializing_if = "is::<FIRST>")]
    pub first: u32,
    /// What every text begins with, 1; without it, a text begins with its first word.
    #[serde(skip_serializing_if = "is_some::<START>")]
    pub start: Option<u32>,
    /// What every word that was not kept is read as, 2; without it, such words are left out.
    #[serde(skip_serializing_if = "is_some::<UNKNOWN>")]
    pub unknown: Option<u32>,
}

const START: u32 = 1;
const UNKNOWN: u32 = 2;
const FIRST: u32 = 3;

impl Default for Ids {
    fn default() -> Self {
        Self {
            first: FIRST,
            start: Some(START),
            unknown: Some(UNKNOWN),
        }
    }
}

/// The most frequent words of the training split and their ids. A word is a token of the text, whatever the
/// [`Tokenizer`] makes one.
///
/// Id 0 is padding, 1 starts a text, 2 stands for every word that was not kept; words follow from
/// 3 in the order of their frequency, and of their first appearance where that is equal. Its
/// serialised form is readable: `{"size": 10000, "distinct": 88582, "words": ["the", "and", …]}`, with a
/// `"tokenizer"` where it is not [`Tokenizer::Keras`], and `"first"`, `"start"` and `"unknown"` where these
/// [`Ids`] are others; `null` where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Vocabulary {
    size: usize,
    distinct: usize,
    // What is the default is left out, as in the files from before there was anything else.
    #[serde(skip_serializing_if = "is_default")]
    tokenizer: Tokenizer,
    #[serde(flatten)]
    ids: Ids,
    words: Vec<String>,
    // Std's map hashes with a random key: no text can be written whose words collide.
    #[serde(skip_serializing)]
    by_word: HashMap<String, u32>,
}

impl Vocabulary {
    /// The id that fills a batch's rows past their length.
    pub const PADDING: u32 = 0;

    /// Counts the tokens of `texts` and keeps the most frequent ones: those whose ids, from 3, are
    /// below `size`.
    pub fn build<'a>(
        texts: impl Iterator<Item = &'a str>,
        size: usize,
        tokenizer: Tokenizer,
    ) -> Self {
        Self::learn(&texts.collect::<Vec<_>>(), size, tokenizer, 0).0
    }

    /// What [`build`](Self::build) gives, and what [`encode`](Self::encode) then gives for each of the texts,
    /// which are split into tokens once for both.
    pub fn learn(
        texts: &[&str],
        size: usize,
        tokenizer: Tokenizer,
        max_length: usize,
    ) -> (Self, Vec<Vec<u32>>) {
        let tasks = texts.par_chunks(TEXTS_PER_TASK);
        let parts: Vec<Part> = tasks
            .map(|texts| Part::of(texts, tokenizer, max_length))
            .collect();
        // Words of all parts in the order of their first appearance, and how often they occur.
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut times: Vec<u64> = Vec::new();
        let mut encoded = Vec::with_capacity(parts.len());
        for Part { words, texts } in parts {
            let place = |(word, more)| {
                let place = *places.entry(word).or_insert(times.len());
                if place == times.len() {
                    times.push(0);
                }
                times[place] += more;
                place
            };
            encoded.push((words.into_iter().map(place).collect::<Vec<_>>(), texts));
        }
        let distinct = times.len();
        let mut ranked: Vec<usize> = (0..distinct).collect();
        ranked.par_sort_unstable_by_key(|&place| (std::cmp::Reverse(times[place]), place));
        ranked.truncate(kept(size, distinct, FIRST));
        let mut ids = vec![UNKNOWN; distinct];
        for (&place, id) in ranked.iter().zip(FIRST..) {
            ids[place] = id;
        }
        let mut words = vec![String::new(); ranked.len()];
        for (word, place) in places {
            if ids[place] >= FIRST {
                words[(ids[place] - FIRST) as usize] = word;
            }
        }
        let encoded = encoded
            .into_par_iter()
            .flat_map_iter(|(places, mut texts)| {
                for id in texts.iter_mut().flatten().filter(|id| **id >= FIRST) {
                    *id = ids[places[(*id - FIRST) as usize]];
                }
                texts
            });
        let encoded = encoded.collect();
        let words = Self::from_words(size, distinct, Ids::default(), words, tokenizer);
        (words, encoded)
    }

    /// The same with no room for more words.
    pub fn fitted(mut self) -> Self {
        self.size = self.size.min(self.ids.first as usize + self.words.len());
        self
    }

    fn from_words(
        size: usize,
        distinct: usize,
        ids: Ids,
        words: Vec<String>,
        tokenizer: Tokenizer,
    ) -> Self {
        let by_word = words.iter().cloned().zip(ids.first..);
        Self {
            size,
            distinct,
            tokenizer,
            ids,
            by_word: by_word.filter(|(word, _)| !word.is_empty()).collect(),
            words,
        }
    }

    /// What these parts make, or what is wrong with them.
    fn checked(
        size: usize,
        distinct: usize,
        ids: Ids,
        words: Vec<String>,
        tokenizer: Tokenizer,
    ) -> std::result::Result<Self, String> {
        let first = ids.first;
        let expected = kept(size, distinct, first);
        if words.len() != expected {
            return Err(format!(
                "size {size} with {distinct} distinct words from id {first} on keeps {expected} of them, but {} are listed",
                words.len()
            ));
        }
        let vocabulary = Self::from_words(size, distinct, ids, words, tokenizer);
        let words = &vocabulary.words;
        for (what, id) in [("start", ids.start), ("unknown", ids.unknown)] {
            let Some(id) = id else { continue };
            let place = id.checked_sub(first).map(|place| place as usize);
            if id as usize >= size {
                return Err(format!(
                    "{what} has id {id}, which is not below size {size}"
                ));
            }
            if place.is_some_and(|place| place < words.len()) {
                return Err(format!("{what} has id {id}, which is a word's"));
            }
        }
        if ids.start.is_some() && ids.start == ids.unknown {
            return Err("start and unknown have the same id".to_owned());
        }
        let name = |word: &str| shown(word, SHOWN_NAME);
        // What is no word of a text would never be met, and its id never be used. Of other programs' ids some are
        // not: an empty word holds them.
        let is_free = |word: &String| word.is_empty() && ids != Ids::default();
        let is_word = |word: &String| tokenizer.token(word).as_ref() == Some(word);
        if let Some(other) = words.iter().find(|word| !is_word(word) && !is_free(word)) {
            let one = match tokenizer {
                Tokenizer::Keras | Tokenizer::Unicode => "word in lower case",
                Tokenizer::Characters => "character",
                Tokenizer::Bytes => "byte",
            };
            return Err(format!(
                "`{}` is not one {one}, as texts are split into",
                name(other)
            ));
        }
        let mut ids = words.iter().zip(first..);
        match ids.find(|(word, id)| !word.is_empty() && vocabulary.id(word) != Some(*id)) {
            Some((word, _)) => Err(format!("the word `{}` is listed twice", name(word))),
            None => Ok(vocabulary),
        }
    }

    /// The bound of all ids, which is the number of rows that an embedding needs.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many different words the texts held, kept or not.
    pub fn distinct(&self) -> usize {
        self.distinct
    }

    /// The kept words, the most frequent first. Where other programs have an id that no text has, an empty one holds it.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How texts are split into words.
    pub fn tokenizer(&self) -> Tokenizer {
        self.tokenizer
    }

    /// What its ids stand for.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// The id of a word as the tokenizer gives it, if it was kept.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.by_word.get(word).copied()
    }

    /// The id that a word is read as in a text; none if it is left out.
    pub fn id_in_text(&self, word: &str) -> Option<u32> {
        self.id(word).or(self.ids.unknown)
    }

    /// The ids of the kept words.
    pub fn word_ids(&self) -> Range<u32> {
        self.ids.first..self.ids.first + self.words.len() as u32
    }

    /// Whether id 0 stands for padding alone. If it is that of a word too, or of the start or unknown words, only a
    /// network with a mask can tell padding from them.
    pub fn has_padding(&self) -> bool {
        let Ids { start, unknown, .. } = self.ids;
        let is_other = [start, unknown].contains(&Some(Self::PADDING));
        !is_other && !self.word_ids().contains(&Self::PADDING)
    }

    /// The word of an id; `<pad>`, `<start>` and `<unknown>` for those that are no words.
    pub fn word(&self, id: u32) -> &str {
        let place = id.checked_sub(self.ids.first);
        match place.and_then(|place| self.words.get(place as usize)) {
            Some(word) if !word.is_empty() => word,
            _ if self.ids.start == Some(id) => "<start>",
            None if id == Self::PADDING && self.has_padding() => "<pad>",
            _ => "<unknown>",
        }
    }

    /// The ids of a text: the start's, if there is one, then one a word that is not left out; of these the last
    /// `max_length`.
    pub fn encode(&self, text: &str, max_length: usize) -> Vec<u32> {
        let mut ids = Vec::from_iter(self.ids.start);
        self.tokenizer
            .for_each_token(text, |word| ids.extend(self.id_in_text(word)));
        // A vector of its own, without the room that a long text took.
        last(&ids, max_length)
    }

    /// The vocabulary as readable JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers always have a JSON form")
    }

    /// Reads what [`Self::to_json`] wrote; `path` is for the message of an error.
    ///
    /// # Errors
    /// [`Saved`](crate::DataError::Saved) if the text is no such JSON, a word occurs twice or is not one as the
    /// tokenizer gives it, the number of words does not follow from `size` and `distinct`, or two things have one id.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        from_json(json, path, "vocabulary")
    }
}

/// How many words have an id below `size`; ids end where those of a batch do.
fn kept(size: usize, distinct: usize, first: u32) -> usize {
    distinct.min(size.min(i32::MAX as usize).saturating_sub(first as usize))
}

/// The last `most` ids.
fn last(ids: &[u32], most: usize) -> Vec<u32> {
    ids[ids.len().saturating_sub(most)..].to_vec()
}

/// What one task makes of its texts.
struct Part {
    /// The words in the order of their first appearance here, and how often each occurs.
    words: Vec<(String, u64)>,
    /// The texts' last ids: those of the words number `words` from 3.
    texts: Vec<Vec<u32>>,
}

impl Part {
    fn of(texts: &[&str], tokenizer: Tokenizer, max_length: usize) -> Self {
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut times: Vec<u64> = Vec::new();
        let mut ids = Vec::new();
        let encode = |text: &&str| {
            ids.clear();
            ids.push(START);
            tokenizer.for_each_token(text, |word| {
                let place = places.get(word).copied().unwrap_or_else(|| {
                    let place = times.len() as u32;
                    places.insert(word.to_owned(), place);
                    times.push(0);
                    place
                });
                times[place as usize] += 1;
                ids.push(FIRST + place);
            });
            last(&ids, max_length)
        };
        let texts = texts.iter().map(encode).collect();
        let mut words: Vec<_> = times
            .into_iter()
            .map(|times| (String::new(), times))
            .collect();
        for (word, place) in places {
            words[place as usize].0 = word;
        }
        Self { words, texts }
    }
}

/// The form of a vocabulary in a file.
#[derive(Deserialize)]
#[serde(rename = "Vocabulary", deny_unknown_fields)]
struct Saved {
    size: usize,
    distinct: usize,
    #[serde(default)]
    tokenizer: Tokenizer,
    #[serde(default = "id::<FIRST>")]
    first: u32,
    #[serde(default = "some::<START>")]
    start: Option<u32>,
    #[serde(default = "some::<UNKNOWN>")]
    unknown: Option<u32>,
    words: Vec<String>,
}

fn is_default(tokenizer: &Tokenizer) -> bool {
    *tokenizer == Tokenizer::default()
}

fn id<const ID: u32>() -> u32 {
    ID
}

fn some<const ID: u32>() -> Option<u32> {
    Some(ID)
}

fn is<const ID: u32>(id: &u32) -> bool {
    *id == ID
}

fn is_some<const ID: u32>(id: &Option<u32>) -> bool {
    *id == Some(ID)
}

impl TryFrom<Saved> for Vocabulary {
    type Error = String;

    fn try_from(saved: Saved) -> std::result::Result<Self, String> {
        let ids = Ids {
            first: saved.first,
            start: saved.start,
            unknown: saved.unknown,
        };
        let Saved { size, distinct, .. } = saved;
        Self::checked(size, distinct, ids, saved.words, saved.tokenizer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small() -> Vocabulary {
        Vocabulary::build(["b a b", "c a d b"].into_iter(), 6, Tokenizer::Keras)
    }

    #[test]
    fn ranks_by_frequency_then_by_first_appearance() {
        let vocabulary = Vocabulary::build(
            ["late b a", "b a early", "late early z"].into_iter(),
            100,
            Tokenizer::Keras,
        );
        assert_eq!(vocabulary.words(), ["late", "b", "a", "early", "z"]);
        assert_eq!(vocabulary.distinct(), 5);
    }

    #[test]
    fn keeps_ids_below_its_size() {
        let vocabulary = small();
        assert_eq!(vocabulary.words(), ["b", "a", "c"]);
        assert_eq!((vocabulary.size(), vocabulary.distinct()), (6, 4));
        assert_eq!(
            ["b", "a", "c", "d", ""].map(|word| vocabulary.id(word)),
            [Some(3), Some(4), Some(5), None, None]
        );
        assert_eq!(
            [0, 1, 2, 3, 5, 6, u32::MAX].map(|id| vocabulary.word(id)),
            [
                "<pad>",
                "<start>",
                "<unknown>",
                "b",
                "c",
                "<unknown>",
                "<unknown>"
            ]
        );
    }

    #[test]
    fn sizes_without_room_for_words_keep_none() {
        for size in 0..4 {
            let vocabulary = Vocabulary::build(["a"].into_iter(), size, Tokenizer::Keras);
            assert_eq!(
                vocabulary.words().len(),
                usize::from(size > 3),
                "size {size}"
            );
        }
    }

    #[test]
    fn encoding_keeps_the_last_tokens() {
        let vocabulary = small();
        assert_eq!(
            vocabulary.encode("A, b... nonsense C!", 256),
            [1, 4, 3, 2, 5]
        );
        assert_eq!(vocabulary.encode("A, b... nonsense C!", 5), [1, 4, 3, 2, 5]);
        assert_eq!(vocabulary.encode("A, b... nonsense C!", 3), [3, 2, 5]);
        assert_eq!(vocabulary.encode("", 3), [1]);
        assert!(vocabulary.encode("a", 0).is_empty());
    }

    #[test]
    fn survives_its_json() {
        let vocabulary = small();
        let json = vocabulary.to_json();
        assert_eq!(
            Vocabulary::from_json(&json, Path::new("vocabulary.json")).unwrap(),
            vocabulary
        );
        let compact: String = json.split_whitespace().collect();
        assert_eq!(compact, r#"{"size":6,"distinct":4,"words":["b","a","c"]}"#);
    }

    fn read(json: &str) -> Vocabulary {
        Vocabulary::from_json(json, Path::new("vocabulary.json")).unwrap()
    }

    #[test]
    fn ids_of_other_programs_survive_and_are_read_as_they_read_them() {
        let keras = read(r#"{"size":8,"distinct":4,"first":4,"words":["b","","a","c"]}"#);
        assert_eq!(keras.encode("a b nonsense", 9), [1, 6, 4, 2]);
        assert_eq!((keras.word_ids(), keras.has_padding()), (4..8, true));
        assert_eq!(
            [3, 5, 6].map(|id| keras.word(id)),
            ["<unknown>", "<unknown>", "a"]
        );

        let plain = r#"{"size":3,"distinct":3,"first":0,"start":null,"unknown":null,"words":["b","a","c"]}"#;
        let bare = read(plain);
        assert_eq!(bare.encode("nonsense c b", 9), [2, 0]);
        assert!(bare.encode("nonsense", 9).is_empty());
        assert_eq!((bare.word(0), bare.has_padding()), ("b", false));

        let last =
            read(r#"{"size":5,"distinct":2,"first":0,"start":3,"unknown":2,"words":["b","a"]}"#);
        assert_eq!(last.encode("a d", 9), [3, 1, 2]);
        assert_eq!(
            [2, 3, 4].map(|id| last.word(id)),
            ["<unknown>", "<start>", "<unknown>"]
        );

        for vocabulary in [keras, bare, last] {
            assert_eq!(read(&vocabulary.to_json()), vocabulary);
        }
        let compact: String = read(plain).to_json().split_whitespace().collect();
        assert_eq!(compact, plain);
    }

    #[test]
    fn a_vocabulary_of_characters_says_so_and_survives_its_json() {
        let texts = ["to be", "Or\n"].into_iter();
        let vocabulary = Vocabulary::build(texts, 100, Tokenizer::Characters);
        assert_eq!(
            vocabulary.words(),
            ["t", "o", " ", "b", "e", "O", "r", "\n"].map(String::from)
        );
        assert_eq!(vocabulary.encode("boot?", 5), [6, 4, 4, 3, 2]);
        let json = vocabulary.to_json();
        assert!(json.contains("\"tokenizer\": \"characters\""), "{json}");
        let again = Vocabulary::from_json(&json, Path::new("vocabulary.json")).unwrap();
        assert_eq!(
            (again.tokenizer(), again),
            (Tokenizer::Characters, vocabulary)
        );
    }

    #[test]
    fn damaged_json_is_refused_with_the_file_and_the_reason() {
        let cases = [
            (
                r#"{"size":6,"distinct":4,"words":["b","a","b"]}"#,
                "the word `b` is listed twice",
            ),
            (
                r#"{"size":6,"distinct":4,"words":["b","a"]}"#,
                "keeps 3 of them, but 2 are listed",
            ),
            (
                r#"{"size":6,"distinct":2,"words":["b","a","c"]}"#,
                "keeps 2 of them, but 3 are listed",
            ),
            (r#"{"size":6,"distinct":4,"words":["#, "EOF while parsing"),
            (r#"{"size":6,"words":[]}"#, "missing field `distinct`"),
            (
                r#"{"size":6,"distinct":2,"first":4,"words":["b","a"],"start":5}"#,
                "start has id 5, which is a word's",
            ),
            (
                r#"{"size":6,"distinct":2,"words":["b","a"],"unknown":6}"#,
                "unknown has id 6, which is not below size 6",
            ),
            (
                r#"{"size":6,"distinct":2,"words":["b","a"],"unknown":1}"#,
                "start and unknown have the same id",
            ),
            (
                r#"{"size":4294967300,"distinct":2,"first":4294967295,"words":["b","a"]}"#,
                "keeps 0 of them, but 2 are listed",
            ),
            (
                r#"{"size":6,"distinct":1,"first":-1,"words":["b"]}"#,
                "invalid value: integer `-1`",
            ),
            (
                r#"{"size":6,"distinct":3,"words":["b","a c","d"]}"#,
                "`a c` is not one word in lower case",
            ),
            (
                r#"{"size":6,"distinct":3,"words":["b","","d"]}"#,
                "`` is not one word",
            ),
            (
                r#"{"size":6,"distinct":3,"words":["b","A","d"]}"#,
                "`A` is not one word",
            ),
            (
                r#"{"size":6,"distinct":3,"tokenizer":"characters","words":["b","ab","d"]}"#,
                "`ab` is not one character, as texts are split into",
            ),
            (
                r#"{"size":6,"distinct":1,"tokenizer":"letters","words":["b"]}"#,
                "unknown variant `letters`",
            ),
            (
                r#"{"size":18446744073709551615,"distinct":18446744073709551615,"words":["b"]}"#,
                "keeps 2147483644 of them, but 1 are listed",
            ),
        ];
        for (json, reason) in cases {
            let message = Vocabulary::from_json(json, Path::new("runs/1/vocabulary.json"))
                .unwrap_err()
                .to_string();
            assert!(message.starts_with("runs/1/vocabulary.json: "), "{message}");
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn a_message_shows_little_of_a_damaged_file() {
        let long = "x\u{7} ".repeat(100_000);
        for json in [
            format!("{{\"{}\": 1}}", long.replace('\u{7}', "\\u0007")),
            serde_json::json!({"size": 6, "distinct": 1, "words": [long]}).to_string(),
            serde_json::json!({"size": long}).to_string(),
            "[".repeat(1_000_000),
        ] {
            let read = Vocabulary::from_json(&json, Path::new("vocabulary.json"));
            let message = read.expect_err("it is damaged").to_string();
            assert!(message.len() < 1000, "{} bytes", message.len());
            assert!(!message.contains(char::is_control), "{message}");
        }
    }

    /// Words that are made to collide need a hash whose key is known.
    #[test]
    fn every_vocabulary_hashes_words_with_a_key_of_its_own() {
        use std::hash::BuildHasher;

        let hash = || {
            let vocabulary = Vocabulary::build(["film"].into_iter(), 10, Tokenizer::Keras);
            vocabulary.by_word.hasher().hash_one("film")
        };
        let hashes: std::collections::HashSet<u64> = (0..4).map(|_| hash()).collect();
        assert!(hashes.len() > 1);
    }

    proptest! {
        /// Counting in parallel tasks gives what one plain pass gives.
        #[test]
        fn agrees_with_a_plain_count(texts in prop::collection::vec("[a-e ]{0,6}", 0..3000)) {
            let mut plain: Vec<(String, usize)> = Vec::new();
            for word in texts.iter().flat_map(|text| text.split_whitespace()) {
                match plain.iter_mut().find(|(known, _)| known == word) {
                    Some((_, times)) => *times += 1,
                    None => plain.push((word.to_owned(), 1)),
                }
            }
            plain.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
            let expected: Vec<String> = plain.into_iter().map(|(word, _)| word).collect();
            let texts = texts.iter().map(String::as_str);
            let vocabulary = Vocabulary::build(texts, usize::MAX, Tokenizer::Keras);
            prop_assert_eq!(vocabulary.words(), expected);
        }

        /// Encoding while counting gives what encoding afterwards gives.
        #[test]
        fn learning_is_building_and_encoding(
            texts in prop::collection::vec("[a-eA-B ,\u{3a3}]{0,12}", 0..3000),
            size in 0usize..12,
            max_length in 0usize..8,
            characters: bool,
        ) {
            let tokenizer = Tokenizer::ALL[usize::from(characters)];
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (vocabulary, encoded) = Vocabulary::learn(&texts, size, tokenizer, max_length);
            let built = Vocabulary::build(texts.iter().copied(), size, tokenizer);
            prop_assert_eq!(&built, &vocabulary);
            prop_assert_eq!(encoded.len(), texts.len());
            for (text, ids) in texts.iter().zip(encoded) {
                prop_assert_eq!(ids, vocabulary.encode(text, max_length));
            }
        }
    }
}
