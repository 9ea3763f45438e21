//! Whether a tokenizer can read texts, and which one can.

use crate::dataset::{Dataset, Note};
use crate::encoded::EncodedDataset;
use crate::error::shown_names;
use crate::example::Example;
use crate::sequence::Sequence;
use crate::tokenizer::{Tokenizer, has_no_spaces};
use crate::vocabulary::{Ids, Vocabulary};

/// Texts that are looked at.
const SAMPLE: usize = 1000;

/// The share of characters without spaces between words from which texts are taken to be in such a script.
const SCRIPT: f64 = 0.3;

/// Characters a word from which words are none; German has six, with its long ones.
const LONG: f64 = 20.0;

/// The same of scripts without spaces, whose words have two.
const LONG_WITHOUT_SPACES: f64 = 6.0;

/// A tokenizer that reads texts, where another one can't.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// The one that can.
    pub tokenizer: Tokenizer,
    /// What is wrong with the other one, and what to do, for people.
    pub reason: String,
}

impl Tokenizer {
    /// Which tokenizer reads `texts`, of which the first thousand or so are looked at, where this one makes no words
    /// of them. None where it does.
    ///
    /// ```
    /// use gatefold_data::Tokenizer;
    ///
    /// let texts = ["这家店的汤很好喝。", "面包又硬又难吃。"];
    /// let advice = Tokenizer::Keras.advice(&texts).unwrap();
    /// assert_eq!(advice.tokenizer, Tokenizer::Unicode);
    /// assert_eq!(Tokenizer::Unicode.advice(&texts), None);
    /// ```
    pub fn advice(self, texts: &[&str]) -> Option<Advice> {
        if !matches!(self, Self::Keras | Self::Unicode) {
            return None;
        }
        let every = texts.len().div_ceil(SAMPLE).max(1);
        let (mut lengths, mut counts) = (Vec::new(), Vec::new());
        let mut without_spaces = 0;
        for text in texts.iter().step_by(every) {
            let written = text.chars().filter(|c| c.is_alphanumeric());
            without_spaces += written.clone().filter(|&c| has_no_spaces(c)).count();
            lengths.push(written.count());
            counts.push(self.count(text));
        }
        let [characters, words] = [&lengths, &counts].map(|of| of.iter().sum::<usize>() as f64);
        let [length, count] = [lengths, counts].map(median);
        let a_word = characters / words.max(1.0);
        let is_script = without_spaces as f64 >= SCRIPT * characters;
        let tokenizer = if self == Self::Keras
            && is_script
            && (a_word >= LONG_WITHOUT_SPACES || (count <= 1 && length > 2))
        {
            Self::Unicode
        } else if a_word >= LONG || (count <= 1 && length >= LONG as usize / 2) {
            Self::Characters
        } else {
            return None;
        };
        let words = if count == 1 { "word" } else { "words" };
        let what = match tokenizer {
            Self::Unicode => "reads scripts without spaces between words a character at a time",
            _ => "reads names and codes",
        };
        Some(Advice {
            tokenizer,
            reason: format!(
                "texts of {length} characters become {count} {words} (medians), which teach a network little: \
                 --tokenizer {tokenizer} {what}"
            ),
        })
    }
}

impl EncodedDataset {
    /// What is doubtful about how the texts of `dataset` were encoded: that they became one word each, or that most
    /// words of the validation and test parts are unknown.
    pub fn doubts(&self, dataset: &Dataset) -> Vec<Note> {
        let Some(vocabulary) = self.encoder.vocabulary() else {
            return Vec::new();
        };
        let texts = dataset.train.iter().chain(&dataset.test);
        let texts: Vec<&str> = texts.filter_map(|record| record.content.text()).collect();
        let tokenizer = vocabulary.tokenizer();
        if let Some(advice) = tokenizer.advice(&texts) {
            return vec![Note::doubtful(advice.reason)];
        }
        let share = vocabulary.unknown_share(self.validation.iter().chain(&self.test));
        if share <= MOSTLY {
            return Vec::new();
        }
        let noun = tokenizer.noun();
        let kept = vocabulary.words().len();
        let way = if kept < vocabulary.distinct() {
            format!(
                "of {} {noun} the most frequent {kept} are kept; a larger --vocabulary-size keeps more",
                vocabulary.distinct()
            )
        } else {
            match tokenizer {
                Tokenizer::Keras | Tokenizer::Unicode => {
                    "--tokenizer characters reads names, codes and word forms that are seldom the same".to_owned()
                }
                _ => "the training part is too small, or in another script".to_owned(),
            }
        };
        vec![Note::doubtful(format!(
            "{:.0} % of the {noun} of the validation and test parts are unknown, and all alike to the network: {way}",
            100.0 * share
        ))]
    }
}

/// The share of unknown words above which a text is said to be mostly unknown.
const MOSTLY: f64 = 0.5;

/// Unknown words that are named.
const NAMED: usize = 20;

/// Which words of a text a network has never learnt: because training didn't meet them, or the vocabulary has no room
/// for them. They are all one to it, or left out.
#[derive(Clone, Debug, PartialEq)]
pub struct UnknownWords {
    /// The first of them, each once.
    pub words: Vec<String>,
    /// How many of the text's words are unknown.
    pub unknown: usize,
    /// How many words the text has.
    pub all: usize,
    /// What its words are called.
    noun: &'static str,
    /// What the network makes of them.
    fate: &'static str,
}

impl Vocabulary {
    /// The words of a text that this doesn't have.
    pub fn unknown(&self, text: &str) -> UnknownWords {
        let mut found = UnknownWords {
            words: Vec::new(),
            unknown: 0,
            all: 0,
            noun: self.tokenizer().noun(),
            fate: match self.ids().unknown {
                Some(_) => "all alike to the network",
                None => "left out",
            },
        };
        self.tokenizer().for_each_token(text, |word| {
            found.all += 1;
            if self.id(word).is_none() {
                found.unknown += 1;
                if found.words.len() < NAMED && !found.words.iter().any(|known| known == word) {
                    found.words.push(word.to_owned());
                }
            }
        });
        found
    }

    /// The share of unknown words in texts that this encoded, from 0 to 1; 0 where such words are left out.
    pub fn unknown_share<'a>(&self, examples: impl IntoIterator<Item = &'a Example>) -> f64 {
        let Ids { start, unknown, .. } = self.ids();
        let (mut found, mut all) = (0, 0);
        for example in examples {
            if let Sequence::Tokens(ids) = &example.input {
                let words = ids.iter().filter(|id| start != Some(**id));
                all += words.clone().count();
                found += words.filter(|id| unknown == Some(**id)).count();
            }
        }
        found as f64 / all.max(1) as f64
    }
}

impl UnknownWords {
    /// The share of the text's words, from 0 to 1; 1 where it has none.
    pub fn share(&self) -> f64 {
        match self.all {
            0 => 1.0,
            all => self.unknown as f64 / all as f64,
        }
    }

    /// What is to be said of an answer to the text, where most of its words are unknown.
    pub fn warning(&self) -> Option<String> {
        let noun = self.noun;
        let words = || shown_names(self.words.iter().map(String::as_str));
        if self.all == 0 {
            Some(format!(
                "the text has no {noun}: this is the answer to nothing"
            ))
        } else if self.unknown == self.all {
            Some(format!(
                "none of its {} {noun} is known: this is the answer to nothing (unknown: {})",
                self.all,
                words()
            ))
        } else if self.share() > MOSTLY {
            Some(format!(
                "{} of its {} {noun} are unknown, and {}: {}",
                self.unknown,
                self.all,
                self.fate,
                words()
            ))
        } else {
            None
        }
    }
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Record;
    use crate::encoded::Encoding;
    use crate::labels::Labels;

    fn advised(tokenizer: Tokenizer, texts: &[&str]) -> Option<Tokenizer> {
        tokenizer.advice(texts).map(|advice| advice.tokenizer)
    }

    #[test]
    fn the_tokenizer_that_can_read_is_advised() {
        use Tokenizer::{Characters, Keras, Unicode};
        let chinese = ["这家店的汤很好喝，第0次。", "面包又硬又难吃，真的。"];
        let japanese = ["とても面白い映画でした, 100点", "すごい"];
        let thai = ["หนังเรื่องนี้ดีมาก", "แย่มาก ไม่ชอบเลย"];
        let codes = ["ACGTTGCAACGT", "TTTGACCAGTCA"];
        let apart = ["这 家 店 的 汤 很 好", "面包 又 硬 又 难 吃"];
        let english = ["A fine film, and short", "Dull"];
        let german = ["Donaudampfschifffahrt ist ein langes Wort", "Gut"];
        let short = ["good", "bad", ""];
        for (texts, of_keras, of_unicode) in [
            (&chinese[..], Some(Unicode), None),
            (&japanese, Some(Unicode), None),
            (&thai, Some(Unicode), None),
            (&codes, Some(Characters), Some(Characters)),
            (&apart, None, None),
            (&english, None, None),
            (&german, None, None),
            (&short, None, None),
            (&[], None, None),
        ] {
            assert_eq!(advised(Keras, texts), of_keras, "{texts:?}");
            assert_eq!(advised(Unicode, texts), of_unicode, "{texts:?}");
            assert_eq!(advised(Characters, texts), None);
        }
    }

    fn doubts(
        tokenizer: Tokenizer,
        vocabulary_size: usize,
        text: impl Fn(usize) -> String,
    ) -> Vec<String> {
        let records = |range: std::ops::Range<usize>| {
            range
                .map(|i| Record::text(text(i), (i % 2) as u32))
                .collect()
        };
        let dataset = Dataset {
            labels: Some(Labels::negative_positive()),
            train: records(0..40),
            test: records(40..60),
            ..Dataset::default()
        };
        let encoding = Encoding {
            tokenizer,
            vocabulary_size,
            max_length: 256,
            scale: None,
            validation_fraction: 0.25,
        };
        let encoded = EncodedDataset::new(&dataset, &encoding).unwrap();
        let doubts = encoded.doubts(&dataset).into_iter();
        doubts.map(|note| note.text).collect()
    }

    #[test]
    fn mostly_unknown_words_are_doubtful() {
        let names = |i: usize| format!("Name{i} Surname{i}");
        let [doubt] = &doubts(Tokenizer::Keras, 100_000, names)[..] else {
            panic!("it is doubtful");
        };
        assert!(doubt.contains("% of the words of the validation and test parts are unknown"));
        assert!(doubt.contains("--tokenizer characters"), "{doubt}");
        let [doubt] = &doubts(Tokenizer::Keras, 5, names)[..] else {
            panic!("it is doubtful");
        };
        assert!(doubt.contains("--vocabulary-size"), "{doubt}");
        assert!(doubts(Tokenizer::Characters, 1000, names).is_empty());
        assert!(doubts(Tokenizer::Keras, 1000, |i| format!("film {}", i % 3)).is_empty());
    }

    #[test]
    fn texts_of_one_word_are_doubtful() {
        let chinese = |i: usize| format!("这家店的汤很好喝第{i}次");
        let [doubt] = &doubts(Tokenizer::Keras, 1000, chinese)[..] else {
            panic!("it is doubtful");
        };
        assert!(doubt.contains("become 1 word (medians)"), "{doubt}");
        assert!(doubt.contains("--tokenizer unicode"), "{doubt}");
        assert!(doubts(Tokenizer::Unicode, 1000, chinese).is_empty());
    }

    #[test]
    fn the_unknown_words_of_a_text_are_counted_and_named() {
        let texts = ["a good film"].into_iter();
        let vocabulary = Vocabulary::build(texts, 100, Tokenizer::Keras);
        let warning = |text: &str| vocabulary.unknown(text).warning();
        assert_eq!(warning("A good thing"), None);
        let unknown = vocabulary.unknown("A bad, bad thing!");
        assert_eq!((unknown.unknown, unknown.all), (3, 4));
        assert_eq!((unknown.share(), unknown.words.len()), (0.75, 2));
        assert_eq!(
            unknown.warning().unwrap(),
            "3 of its 4 words are unknown, and all alike to the network: `bad`, `thing`"
        );
        assert_eq!(
            warning("Terrible mess").unwrap(),
            "none of its 2 words is known: this is the answer to nothing (unknown: `terrible`, `mess`)"
        );
        let empty = "the text has no words: this is the answer to nothing";
        assert_eq!(warning(" ... ").unwrap(), empty);
        assert_eq!(vocabulary.unknown("").share(), 1.0);
        let many: String = (0..1000).map(|i| format!("w{i}\u{1b} ")).collect();
        let unknown = vocabulary.unknown(&many);
        assert_eq!((unknown.words.len(), unknown.unknown), (NAMED, 1000));
        assert!(!unknown.warning().unwrap().contains(char::is_control));
    }
}
