//! Which word has which id.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Result, SHOWN_NAME, from_json, shown};
use crate::tokenizer::Tokenizer;

/// Texts that one task counts: enough to keep the merging of counts small beside the counting.
const TEXTS_PER_TASK: usize = 1024;

/// The most frequent words of the training split and their ids, as Keras numbers them. A word is a token of the
/// text, whatever the [`Tokenizer`] makes one.
///
/// Id 0 is padding, 1 starts a text, 2 stands for every word that was not kept; words follow from
/// 3 in the order of their frequency, and of their first appearance where that is equal. Its
/// serialised form is readable: `{"size": 10000, "distinct": 88582, "words": ["the", "and", …]}`, with a
/// `"tokenizer"` where it is not [`Tokenizer::Keras`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Vocabulary {
    size: usize,
    distinct: usize,
    // Left out where it is the default, as in the files from before there were others.
    #[serde(skip_serializing_if = "is_default")]
    tokenizer: Tokenizer,
    words: Vec<String>,
    // Std's map hashes with a random key: no text can be written whose words collide.
    #[serde(skip_serializing)]
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// The id that fills a batch's rows past their length.
    pub const PADDING: u32 = 0;
    /// The id that begins every text.
    pub const START: u32 = 1;
    /// The id of a word that was not kept.
    pub const UNKNOWN: u32 = 2;
    /// The id of the most frequent word.
    pub const FIRST_WORD: u32 = 3;

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
        ranked.truncate(kept(size, distinct));
        let mut ids = vec![Self::UNKNOWN; distinct];
        for (&place, id) in ranked.iter().zip(Self::FIRST_WORD..) {
            ids[place] = id;
        }
        let mut words = vec![String::new(); ranked.len()];
        for (word, place) in places {
            if ids[place] >= Self::FIRST_WORD {
                words[(ids[place] - Self::FIRST_WORD) as usize] = word;
            }
        }
        let encoded = encoded
            .into_par_iter()
            .flat_map_iter(|(places, mut texts)| {
                for id in texts
                    .iter_mut()
                    .flatten()
                    .filter(|id| **id >= Self::FIRST_WORD)
                {
                    *id = ids[places[(*id - Self::FIRST_WORD) as usize]];
                }
                texts
            });
        let encoded = encoded.collect();
        (Self::from_words(size, distinct, words, tokenizer), encoded)
    }

    fn from_words(size: usize, distinct: usize, words: Vec<String>, tokenizer: Tokenizer) -> Self {
        let ids = words.iter().cloned().zip(Self::FIRST_WORD..).collect();
        Self {
            size,
            distinct,
            words,
            tokenizer,
            ids,
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

    /// The kept words, the most frequent first.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// How texts are split into words.
    pub fn tokenizer(&self) -> Tokenizer {
        self.tokenizer
    }

    /// The id of a word as the tokenizer gives it, [`Self::UNKNOWN`] if it was not kept.
    pub fn id(&self, word: &str) -> u32 {
        self.ids.get(word).copied().unwrap_or(Self::UNKNOWN)
    }

    /// The word of an id; `<pad>`, `<start>` and `<unknown>` for those that are no words.
    pub fn word(&self, id: u32) -> &str {
        match id {
            Self::PADDING => "<pad>",
            Self::START => "<start>",
            _ => {
                let rank = id
                    .checked_sub(Self::FIRST_WORD)
                    .and_then(|rank| usize::try_from(rank).ok());
                rank.and_then(|rank| self.words.get(rank))
                    .map_or("<unknown>", String::as_str)
            }
        }
    }

    /// The ids of a text: [`Self::START`], then one a word; of these the last `max_length`.
    pub fn encode(&self, text: &str, max_length: usize) -> Vec<u32> {
        let mut ids = vec![Self::START];
        self.tokenizer
            .for_each_token(text, |word| ids.push(self.id(word)));
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
    /// tokenizer gives it, or the number of words does not follow from `size` and `distinct`.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        from_json(json, path, "vocabulary")
    }
}

/// How many words have an id below `size`; ids end where those of a batch do.
fn kept(size: usize, distinct: usize) -> usize {
    distinct.min(
        size.min(i32::MAX as usize)
            .saturating_sub(Vocabulary::FIRST_WORD as usize),
    )
}

/// The last `most` ids.
fn last(ids: &[u32], most: usize) -> Vec<u32> {
    ids[ids.len().saturating_sub(most)..].to_vec()
}

/// What one task makes of its texts.
struct Part {
    /// The words in the order of their first appearance here, and how often each occurs.
    words: Vec<(String, u64)>,
    /// The texts' last ids: those of the words number `words` from [`Vocabulary::FIRST_WORD`].
    texts: Vec<Vec<u32>>,
}

impl Part {
    fn of(texts: &[&str], tokenizer: Tokenizer, max_length: usize) -> Self {
        let mut places: HashMap<String, u32> = HashMap::new();
        let mut times: Vec<u64> = Vec::new();
        let mut ids = Vec::new();
        let encode = |text: &&str| {
            ids.clear();
            ids.push(Vocabulary::START);
            tokenizer.for_each_token(text, |word| {
                let place = places.get(word).copied().unwrap_or_else(|| {
                    let place = times.len() as u32;
                    places.insert(word.to_owned(), place);
                    times.push(0);
                    place
                });
                times[place as usize] += 1;
                ids.push(Vocabulary::FIRST_WORD + place);
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
    words: Vec<String>,
}

fn is_default(tokenizer: &Tokenizer) -> bool {
    *tokenizer == Tokenizer::default()
}

impl TryFrom<Saved> for Vocabulary {
    type Error = String;

    fn try_from(
        Saved {
            size,
            distinct,
            tokenizer,
            words,
        }: Saved,
    ) -> std::result::Result<Self, String> {
        let expected = kept(size, distinct);
        if words.len() != expected {
            return Err(format!(
                "size {size} with {distinct} distinct words keeps {expected} of them, \
                 but {} are listed",
                words.len()
            ));
        }
        let name = |word: &str| shown(word, SHOWN_NAME);
        // What is no word of a text would never be met, and its id never be used.
        let is_word = |word: &String| tokenizer.token(word).as_ref() == Some(word);
        if let Some(other) = words.iter().find(|word| !is_word(word)) {
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
        let vocabulary = Self::from_words(size, distinct, words, tokenizer);
        match vocabulary
            .words
            .iter()
            .zip(Self::FIRST_WORD..)
            .find(|(word, id)| vocabulary.id(word) != *id)
        {
            Some((word, _)) => Err(format!("the word `{}` is listed twice", name(word))),
            None => Ok(vocabulary),
        }
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
            ["b", "a", "c", "d", "e"].map(|word| vocabulary.id(word)),
            [3, 4, 5, 2, 2]
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
            vocabulary.ids.hasher().hash_one("film")
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
