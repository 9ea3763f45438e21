//! Texts without labels, for a language model: each token's target is the one behind it.

use std::collections::HashSet;

use rayon::prelude::*;

use crate::dataset::{Dataset, Note, Record};
use crate::encoded::EncodedDataset;
use crate::encoder::Encoder;
use crate::error::{DataError, Result};
use crate::example::{Example, Target};
#[cfg(feature = "files")]
use crate::random::mix;
use crate::sequence::Sequence;
use crate::tokenizer::Tokenizer;
use crate::vocabulary::{Ids, Vocabulary};

/// How many times longer than those of training the parts of held-out streams are: each is read from nothing.
pub const HELD_OUT_PARTS: usize = 8;

/// Texts without labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Corpus {
    /// To learn from.
    pub texts: Vec<String>,
    /// Of the data set's test part: nothing that is trained later should be tested on what was read here.
    pub tested: Vec<String>,
    /// What was recognised in the source, and what is doubtful there.
    pub notes: Vec<Note>,
}

/// How a corpus is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CorpusEncoding {
    /// How texts are split.
    pub tokenizer: Tokenizer,
    /// The most token ids.
    pub vocabulary_size: usize,
    /// Timesteps of a text at most: of a longer one, the last stay.
    pub max_length: usize,
    /// The share that is held out, at the end.
    pub held_out: f64,
    /// Whether the texts are read as streams; without it, where they are longer than `max_length` on the mean.
    pub streams: Option<bool>,
    /// Streams, side by side.
    pub batch_size: usize,
    /// Timesteps of a stream at a step.
    pub bptt: usize,
}

impl Corpus {
    /// The texts of a data set.
    pub fn of(dataset: Dataset) -> Self {
        let texts = |records: Vec<Record>| -> Vec<String> {
            let texts = records.iter().filter_map(|record| record.content.text());
            texts.map(str::to_owned).collect()
        };
        Self {
            texts: texts([dataset.train, dataset.validation].concat()),
            tested: texts(dataset.test),
            notes: dataset.notes,
        }
    }

    /// In an order that is the same every time, and not that of a folder.
    #[cfg(feature = "files")]
    pub(crate) fn mixed(mut self) -> Self {
        mix(&mut self.texts);
        self
    }

    /// Leaves out the texts whose words are those of a tested one. How many there were.
    pub fn leave_out_tested(&mut self) -> usize {
        let before = self.texts.len();
        self.texts = without(std::mem::take(&mut self.texts), &self.tested);
        before - self.texts.len()
    }

    /// How many tokens the texts have.
    pub fn tokens(&self, tokenizer: Tokenizer) -> usize {
        self.texts
            .par_iter()
            .map(|text| tokenizer.count(text))
            .sum()
    }

    /// Whether an encoding reads the texts as streams.
    pub fn is_read_as_streams(&self, encoding: &CorpusEncoding) -> bool {
        encoding.streams.unwrap_or_else(|| {
            let most = encoding.max_length.saturating_mul(self.texts.len());
            self.tokens(encoding.tokenizer) > most
        })
    }

    /// Learns a vocabulary of all that is not held out, and encodes both parts; of texts that aren't streams, those that
    /// equal a held-out one in their words are in neither. A text's examples have the token behind
    /// each of theirs as its target; behind the last one that is the start of another text.
    ///
    /// Read as streams, the texts follow each other, and are cut into as many streams as a batch has rows; of each the
    /// examples are its parts, in their order.
    ///
    /// # Errors
    /// [`DataError::Corpus`] if there is too little to learn from and to hold out.
    pub fn encode(&self, encoding: &CorpusEncoding) -> Result<EncodedDataset> {
        let streams = self.is_read_as_streams(encoding);
        let (train, held_out) = match streams {
            true => self.cut_off(encoding.held_out),
            false => {
                let count = (self.texts.len() as f64 * encoding.held_out).ceil() as usize;
                let mut train: Vec<&str> = self.texts.iter().map(String::as_str).collect();
                let held_out = train.split_off(train.len().saturating_sub(count.max(1)));
                // What was learnt by heart would be told well.
                (without(train, &held_out), held_out)
            }
        };
        let most = if streams {
            usize::MAX
        } else {
            encoding.max_length
        };
        let (size, tokenizer) = (encoding.vocabulary_size, encoding.tokenizer);
        let (vocabulary, ids) = Vocabulary::learn(&train, size, tokenizer, most);
        let vocabulary = vocabulary.fitted();
        let too_little = || DataError::Corpus {
            reason: format!(
                "{} texts are too little to learn from and to hold out{}: give more",
                self.texts.len(),
                match streams {
                    true => format!(", as {} streams (batch_size)", encoding.batch_size),
                    false => String::new(),
                }
            ),
        };
        if vocabulary.words().is_empty() {
            return Err(too_little());
        }
        let held_out = encode(&vocabulary, &held_out, streams, encoding);
        let train = match streams {
            true => side_by_side(&ids.concat(), encoding),
            false => ids
                .into_iter()
                .filter_map(|ids| of_text(ids, &vocabulary))
                .collect(),
        };
        if train.is_empty() || held_out.is_empty() {
            return Err(too_little());
        }
        Ok(EncodedDataset {
            encoder: Encoder::Text(vocabulary),
            labels: None,
            train,
            validation: held_out,
            test: Vec::new(),
            test_beginnings: Vec::new(),
        })
    }

    /// All texts as examples of a vocabulary that was learnt elsewhere, read as held-out ones are.
    pub fn examples(&self, vocabulary: &Vocabulary, encoding: &CorpusEncoding) -> Vec<Example> {
        let texts: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        let streams = self.is_read_as_streams(encoding);
        encode(vocabulary, &texts, streams, encoding)
    }

    /// The texts without a share of them at the end, and that: the last text is cut where that is in its middle, before a
    /// word if there are spaces.
    fn cut_off(&self, share: f64) -> (Vec<&str>, Vec<&str>) {
        let bytes: usize = self.texts.iter().map(String::len).sum();
        let mut left = ((bytes as f64 * share).ceil() as usize).max(1);
        let mut train: Vec<&str> = self.texts.iter().map(String::as_str).collect();
        let mut held_out = Vec::new();
        while left > 0 {
            let Some(last) = train.pop() else { break };
            if last.len() <= left && !train.is_empty() {
                held_out.push(last);
                left -= last.len();
                continue;
            }
            let middle = last.floor_char_boundary(last.len().saturating_sub(left));
            let space = last[..middle].rfind(char::is_whitespace);
            let middle = match space {
                Some(space) if space + 100 > middle => space + 1,
                _ => middle,
            };
            // White space may be longer than a byte.
            let middle = last.ceil_char_boundary(middle);
            train.push(&last[..middle]);
            held_out.push(&last[middle..]);
            break;
        }
        held_out.reverse();
        train.retain(|text| !text.is_empty());
        (train, held_out)
    }
}

/// The texts whose words are those of none of the `others`.
fn without<T: AsRef<str> + Send + Sync>(texts: Vec<T>, others: &[T]) -> Vec<T> {
    if others.is_empty() {
        return texts;
    }
    let words = |text: &T| words(text.as_ref());
    let others: HashSet<String> = others.par_iter().map(words).collect();
    let texts = texts.into_par_iter();
    texts
        .filter(|text| !others.contains(&words(text)))
        .collect()
}

/// A text's words, whatever stands between them.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    Tokenizer::Keras.for_each_token(text, |word| {
        words.push_str(word);
        words.push(' ');
    });
    words
}

/// Texts that are held out.
fn encode(
    vocabulary: &Vocabulary,
    texts: &[&str],
    streams: bool,
    encoding: &CorpusEncoding,
) -> Vec<Example> {
    let most = if streams {
        usize::MAX
    } else {
        encoding.max_length
    };
    let ids = texts.par_iter().map(|text| vocabulary.encode(text, most));
    let ids: Vec<Vec<u32>> = ids.collect();
    match streams {
        true => {
            let all = ids.concat();
            let length = all.len().saturating_sub(1);
            parts(
                &all,
                0..length,
                encoding.bptt.saturating_mul(HELD_OUT_PARTS),
            )
            .collect()
        }
        false => ids
            .into_iter()
            .filter_map(|ids| of_text(ids, vocabulary))
            .collect(),
    }
}

/// A text's example, if it holds anything.
fn of_text(ids: Vec<u32>, vocabulary: &Vocabulary) -> Option<Example> {
    let end = vocabulary.ids().start.or(Ids::default().start)?;
    let behind = ids.iter().skip(1).copied().chain([end]).collect();
    (!ids.is_empty()).then_some(Example {
        input: Sequence::Tokens(ids),
        target: Some(Target::Classes(behind)),
    })
}

/// A range of tokens in parts of so many timesteps, the last one perhaps shorter.
fn parts(
    ids: &[u32],
    range: std::ops::Range<usize>,
    length: usize,
) -> impl Iterator<Item = Example> {
    let end = range.end;
    range.step_by(length.max(1)).map(move |first| {
        let last = first.saturating_add(length).min(end);
        Example {
            input: Sequence::Tokens(ids[first..last].to_vec()),
            target: Some(Target::Classes(ids[first + 1..=last].to_vec())),
        }
    })
}

/// Tokens as streams of one length, of which each is cut into parts; as many as are left over are left out.
fn side_by_side(ids: &[u32], encoding: &CorpusEncoding) -> Vec<Example> {
    let streams = encoding.batch_size;
    let length = ids.len().saturating_sub(1) / streams;
    let stream = |i: usize| parts(ids, i * length..(i + 1) * length, encoding.bptt);
    (0..streams).flat_map(stream).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::streams_plan;

    fn encoding(tokenizer: Tokenizer) -> CorpusEncoding {
        CorpusEncoding {
            tokenizer,
            vocabulary_size: 1000,
            max_length: 6,
            held_out: 0.1,
            streams: None,
            batch_size: 3,
            bptt: 4,
        }
    }

    fn corpus(texts: &[&str]) -> Corpus {
        Corpus {
            texts: texts.iter().map(|&text| text.to_owned()).collect(),
            ..Corpus::default()
        }
    }

    fn ids(example: &Example) -> (&[u32], &[u32]) {
        match (&example.input, &example.target) {
            (Sequence::Tokens(ids), Some(Target::Classes(behind))) => (ids, behind),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_token_of_a_text_tells_the_one_behind_it_and_the_last_one_the_end() {
        let corpus = corpus(&["a b a", "", "b b c a b c a", "held b"]);
        let encoded = corpus.encode(&encoding(Tokenizer::Keras)).unwrap();
        let vocabulary = encoded.encoder.vocabulary().unwrap();
        assert_eq!(vocabulary.words(), ["a", "b", "c"]);
        assert_eq!(vocabulary.size(), 6, "no room is left");
        let found: Vec<_> = encoded.train.iter().map(ids).collect();
        let expected: [(&[u32], &[u32]); 3] = [
            (&[1, 3, 4, 3], &[3, 4, 3, 1]),
            (&[1], &[1]),
            (&[4, 5, 3, 4, 5, 3], &[5, 3, 4, 5, 3, 1]),
        ];
        assert_eq!(found, expected);
        assert_eq!(
            ids(&encoded.validation[0]),
            (&[1, 2, 4][..], &[2, 4, 1][..])
        );
    }

    #[test]
    fn long_texts_are_streams_that_go_on_from_step_to_step() {
        let text: String = ('a'..='z').cycle().take(100).collect();
        let corpus = corpus(&[&text]);
        let encoding = encoding(Tokenizer::Characters);
        assert!(corpus.is_read_as_streams(&encoding));
        let encoded = corpus.encode(&encoding).unwrap();
        // 90 are left, and their start: 30 a stream, 8 parts.
        let plan = streams_plan(encoded.train.len(), 3);
        assert_eq!(plan.len(), 8);
        let mut streams: Vec<Vec<u32>> = vec![Vec::new(); 3];
        for step in plan {
            for (stream, index) in streams.iter_mut().zip(step) {
                let (read, behind) = ids(&encoded.train[index]);
                assert_eq!(read[1..], behind[..behind.len() - 1]);
                // What the part before was to tell at last.
                assert!(stream.pop().is_none_or(|last| last == read[0]));
                stream.extend(read);
                stream.extend(behind.last());
            }
        }
        let vocabulary = encoded.encoder.vocabulary().unwrap();
        assert_eq!(vocabulary.size(), 29);
        let held_out: usize = encoded.validation.iter().map(|of| ids(of).0.len()).sum();
        assert_eq!(held_out, 10);
    }

    #[test]
    fn texts_of_the_test_part_are_left_out_however_they_are_written() {
        let mut corpus = corpus(&["A film.", "another", "a  film!<br />", "a film br"]);
        corpus.tested = vec!["a film".into(), "A FILM<br>".into()];
        assert_eq!(corpus.leave_out_tested(), 3);
        assert_eq!(corpus.texts, ["another"]);
    }

    #[test]
    fn texts_that_equal_a_held_out_one_are_not_learnt_from() {
        let corpus = corpus(&["a film", "held out", "another", "Held  out!"]);
        let encoded = corpus.encode(&encoding(Tokenizer::Keras)).unwrap();
        assert_eq!((encoded.train.len(), encoded.validation.len()), (2, 1));
        assert_eq!(encoded.encoder.vocabulary().unwrap().id("held"), None);
    }

    #[test]
    fn a_long_text_is_cut_before_a_word_and_words_are_learnt_of_the_rest() {
        let text = "one two three four five six seven eight nine last";
        let corpus = corpus(&[text]);
        let (train, held_out) = corpus.cut_off(0.05);
        assert_eq!(
            (train[0].len() + held_out[0].len(), held_out[0]),
            (text.len(), "last")
        );
        let encoded = corpus.encode(&CorpusEncoding {
            held_out: 0.05,
            batch_size: 1,
            ..encoding(Tokenizer::Keras)
        });
        let encoded = encoded.unwrap();
        assert_eq!(encoded.encoder.vocabulary().unwrap().id("last"), None);
        assert_eq!(ids(&encoded.validation[0]), (&[1][..], &[2][..]));
    }

    #[test]
    fn too_little_is_refused() {
        for texts in [&[][..], &["one"], &["", ""]] {
            let error = corpus(texts)
                .encode(&encoding(Tokenizer::Keras))
                .unwrap_err();
            assert!(error.to_string().contains("too little"), "{error}");
        }
        let few = corpus(&["a b c d e f g h"]);
        let many = CorpusEncoding {
            batch_size: 50,
            ..encoding(Tokenizer::Keras)
        };
        let error = few.encode(&many).unwrap_err().to_string();
        assert!(error.contains("50 streams"), "{error}");
    }
}
