//! Which word has which id.

use std::collections::HashMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result, SHOWN_NAME, SHOWN_REASON, shown};
use crate::tokenizer::{self, for_each_word};

/// Texts that one task counts: enough to keep the merging of counts small beside the counting.
const TEXTS_PER_TASK: usize = 1024;

/// The most frequent words of the training split and their ids, as Keras numbers them.
///
/// Id 0 is padding, 1 starts a review, 2 stands for every word that was not kept; words follow from
/// 3 in the order of their frequency, and of their first appearance where that is equal. Its
/// serialised form is readable: `{"size": 10000, "distinct": 88582, "words": ["the", "and", …]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct Vocabulary {
    size: usize,
    distinct: usize,
    words: Vec<String>,
    // Std's map hashes with a random key: no text can be written whose words collide.
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// The id that fills a batch's rows past their length.
    pub const PADDING: u32 = 0;
    /// The id that begins every review.
    pub const START: u32 = 1;
    /// The id of a word that was not kept.
    pub const UNKNOWN: u32 = 2;
    /// The id of the most frequent word.
    pub const FIRST_WORD: u32 = 3;

    /// Counts the words of `texts` and keeps the most frequent ones: those whose ids, from 3, are
    /// below `size`.
    pub fn build<'a>(texts: impl Iterator<Item = &'a str>, size: usize) -> Self {
        let texts: Vec<&str> = texts.collect();
        let counted: Vec<_> = texts.par_chunks(TEXTS_PER_TASK).map(count).collect();
        let mut counts: HashMap<String, Count> = HashMap::new();
        let mut earlier_words = 0;
        for part in counted {
            let words_here = part.values().map(|count| count.times).sum::<u64>();
            for (word, count) in part {
                let first_seen = earlier_words + count.first_seen;
                counts
                    .entry(word)
                    .or_insert(Count {
                        times: 0,
                        first_seen,
                    })
                    .times += count.times;
            }
            earlier_words += words_here;
        }
        let distinct = counts.len();
        let mut ranked: Vec<(String, Count)> = counts.into_iter().collect();
        ranked.par_sort_unstable_by_key(|(_, count)| {
            (std::cmp::Reverse(count.times), count.first_seen)
        });
        let words = ranked
            .into_iter()
            .take(kept(size, distinct))
            .map(|(word, _)| word)
            .collect();
        Self::from_words(size, distinct, words)
    }

    fn from_words(size: usize, distinct: usize, words: Vec<String>) -> Self {
        let ids = words.iter().cloned().zip(Self::FIRST_WORD..).collect();
        Self {
            size,
            distinct,
            words,
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

    /// The id of a word in lower case, [`Self::UNKNOWN`] if it was not kept.
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
        for_each_word(text, |word| ids.push(self.id(word)));
        let surplus = ids.len().saturating_sub(max_length);
        // A vector of its own, without the room that a long text took.
        ids.split_off(surplus)
    }

    /// The vocabulary as readable JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and numbers always have a JSON form")
    }

    /// Reads what [`Self::to_json`] wrote; `path` is for the message of an error.
    ///
    /// # Errors
    /// [`DataError::Vocabulary`] if the text is no such JSON, a word occurs twice or is not one as
    /// [`for_each_word`] gives it, or the number of words does not follow from `size` and `distinct`.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| DataError::Vocabulary {
            path: path.into(),
            reason: shown(&error.to_string(), SHOWN_REASON),
        })
    }
}

/// How many words have an id below `size`; ids end where those of a batch do.
fn kept(size: usize, distinct: usize) -> usize {
    distinct.min(
        size.min(i32::MAX as usize)
            .saturating_sub(Vocabulary::FIRST_WORD as usize),
    )
}

/// How often a word occurs, and how many words of the text came before its first occurrence.
struct Count {
    times: u64,
    first_seen: u64,
}

fn count(texts: &[&str]) -> HashMap<String, Count> {
    let mut counts: HashMap<String, Count> = HashMap::new();
    let mut seen = 0;
    for text in texts {
        for_each_word(text, |word| {
            match counts.get_mut(word) {
                Some(count) => count.times += 1,
                None => {
                    counts.insert(
                        word.to_owned(),
                        Count {
                            times: 1,
                            first_seen: seen,
                        },
                    );
                }
            }
            seen += 1;
        });
    }
    counts
}

/// The form of a vocabulary in a file.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Vocabulary", deny_unknown_fields)]
struct Saved {
    size: usize,
    distinct: usize,
    words: Vec<String>,
}

impl From<Vocabulary> for Saved {
    fn from(
        Vocabulary {
            size,
            distinct,
            words,
            ..
        }: Vocabulary,
    ) -> Self {
        Self {
            size,
            distinct,
            words,
        }
    }
}

impl TryFrom<Saved> for Vocabulary {
    type Error = String;

    fn try_from(
        Saved {
            size,
            distinct,
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
        let is_word = |word: &String| tokenizer::word(word).as_ref() == Some(word);
        if let Some(other) = words.iter().find(|word| !is_word(word)) {
            return Err(format!(
                "`{}` is not one word in lower case, as texts are split into",
                name(other)
            ));
        }
        let vocabulary = Self::from_words(size, distinct, words);
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
        Vocabulary::build(["b a b", "c a d b"].into_iter(), 6)
    }

    #[test]
    fn ranks_by_frequency_then_by_first_appearance() {
        let vocabulary =
            Vocabulary::build(["late b a", "b a early", "late early z"].into_iter(), 100);
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
            let vocabulary = Vocabulary::build(["a"].into_iter(), size);
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
            let Err(error) = Vocabulary::from_json(&json, Path::new("vocabulary.json")) else {
                panic!("it is damaged");
            };
            let message = error.to_string();
            assert!(message.len() < 1000, "{} bytes", message.len());
            assert!(!message.contains(char::is_control), "{message}");
        }
    }

    /// Words whose hashes are all one where the hash has no random key: rustc-hash multiplies 16
    /// bytes at a time, and these begin with a block that makes one factor 0.
    #[test]
    fn words_that_were_made_to_collide_take_no_longer_than_others() {
        let words = |prefix: &str| -> Vec<String> {
            let word = |index| format!("{prefix}{index:08}dddddddddddddddd");
            (0..60_000).map(word).collect()
        };
        let time = |prefix| {
            let text = words(prefix).join(" ");
            let start = std::time::Instant::now();
            let vocabulary = Vocabulary::build([text.as_str()].into_iter(), usize::MAX);
            assert_eq!(vocabulary.encode(&text, usize::MAX).len(), 60_001);
            start.elapsed()
        };
        let colliding = time("aaaaaaaazzklhcafbbbbbbbbcccccccco2y1l91'");
        let others = time("aaaaaaaazzklhcafbbbbbbbbccccccccaaaaaaaa");
        // Without a key it is some thousand times as long, half a minute.
        assert!(
            colliding < 50 * others + std::time::Duration::from_secs(5),
            "{colliding:?} where others take {others:?}"
        );
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
            let vocabulary = Vocabulary::build(texts.iter().map(String::as_str), usize::MAX);
            prop_assert_eq!(vocabulary.words(), expected);
        }
    }
}
