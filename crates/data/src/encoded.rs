//! A data set as a network reads it.

use rayon::prelude::*;

use crate::dataset::{Content, Dataset, Record};
use crate::encoder::Encoder;
use crate::error::{DataError, Result};
use crate::example::{Example, Target, TargetKind};
use crate::labels::Labels;
use crate::scaler::Scaler;
use crate::sequence::Sequence;
use crate::tokenizer::Tokenizer;
use crate::vocabulary::Vocabulary;

/// How a data set is encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoding {
    /// How texts are split.
    pub tokenizer: Tokenizer,
    /// The bound of token ids.
    pub vocabulary_size: usize,
    /// Timesteps of a sequence at most: of a longer one, the last stay.
    pub max_length: usize,
    /// Whether numbers are scaled; they are if nothing is said. It is an error to say it of texts.
    pub scale: Option<bool>,
    /// The share of `train` that is held out where the data set has no validation part of its own.
    pub validation_fraction: f64,
}

/// A data set as a network reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedDataset {
    /// What made sequences of the contents: a vocabulary counted on the whole training split, or a scaler fitted
    /// on what is left of it for training, on all timesteps of that.
    pub encoder: Encoder,
    /// The names of the classes; none where targets are numbers.
    pub labels: Option<Labels>,
    /// What the network learns from.
    pub train: Vec<Example>,
    /// What chooses the best epoch: the data set's own part, or the end of its training split.
    pub validation: Vec<Example>,
    /// What the network is tested on.
    pub test: Vec<Example>,
    /// The beginnings of its texts, for people; of numbers there are none.
    pub test_beginnings: Vec<Box<str>>,
}

impl EncodedDataset {
    /// Learns the encoder, encodes all records, and cuts the validation part off the end of the training split
    /// if the data set brings none.
    ///
    /// # Errors
    /// - [`DataError::TooFew`] if a part would be empty;
    /// - [`DataError::Labels`] if targets are classes and there are no labels, or the other way round;
    /// - [`DataError::Scale`] if texts should be scaled;
    /// - [`DataError::Example`] if a content is of another kind or width than the first one, has no timestep, or
    ///   a number in it is not finite, or if a target is of another kind or width than the first one, a class
    ///   has no label, a number is not finite, or there is not a class for every timestep.
    pub fn new(dataset: &Dataset, encoding: &Encoding) -> Result<Self> {
        let (train, test) = (&dataset.train, &dataset.test);
        let held_out = match dataset.validation.is_empty() {
            true => (train.len() as f64 * encoding.validation_fraction) as usize,
            false => 0,
        };
        let none_to_validate_on = held_out == 0 && dataset.validation.is_empty();
        if none_to_validate_on || held_out >= train.len() || test.is_empty() {
            return Err(DataError::TooFew {
                train: train.len(),
                test: test.len(),
            });
        }
        let max_length = encoding.max_length;
        let reading = Reading::new(dataset.labels.as_ref(), &train[0].target, max_length)?;
        let (encoder, mut train) = match &train[0].content {
            Content::Text(_) => {
                if encoding.scale.is_some() {
                    return Err(DataError::Scale);
                }
                let texts: Vec<&str> = train
                    .iter()
                    .filter_map(|record| record.content.text())
                    .collect();
                let (size, tokenizer) = (encoding.vocabulary_size, encoding.tokenizer);
                let (vocabulary, ids) = Vocabulary::learn(&texts, size, tokenizer, max_length);
                let encoder = Encoder::Text(vocabulary);
                let train = match ids.len() == train.len() {
                    true => {
                        let sequences = ids.into_par_iter().map(|ids| Ok(Sequence::Tokens(ids)));
                        reading.examples(&encoder, "training example", train, sequences)
                    }
                    // One of them is no text: which one, encoding says.
                    false => reading.encode(&encoder, "training example", train),
                };
                (encoder, train?)
            }
            Content::Sequence(first) => {
                let width = match first {
                    Sequence::Values { width, .. } => *width,
                    Sequence::Tokens(_) => 0,
                };
                let encoder = Encoder::Values {
                    width,
                    scaler: dataset.missing.then(|| Scaler::blank(width)),
                    targets: None,
                };
                let scale = encoding.scale.unwrap_or(true);
                if dataset.missing && !scale {
                    return Err(DataError::MissingUnscaled);
                }
                let mut examples = reading.encode(&encoder, "training example", train)?;
                let learnt = &train[..train.len() - held_out];
                let contents = learnt.iter();
                let contents = contents.filter_map(|record| record.content.sequence());
                let encoder = Encoder::Values {
                    width,
                    scaler: match (scale, dataset.missing) {
                        (false, _) => None,
                        (true, false) => Some(Scaler::fit(contents, width)?),
                        (true, true) => Some(Scaler::fit_with_missing(contents, width)?),
                    },
                    targets: match scale && dataset.scale_targets {
                        true => target_scaler(learnt)?,
                        false => None,
                    },
                };
                if dataset.missing || encoder.target_scaler().is_some() {
                    examples = reading.encode(&encoder, "training example", train)?;
                } else if let Some(scaler) = encoder.scaler() {
                    let examples = examples.par_iter_mut();
                    examples.for_each(|example| scaler.apply(&mut example.input));
                }
                (encoder, examples)
            }
        };
        let validation = match dataset.validation.is_empty() {
            true => train.split_off(train.len() - held_out),
            false => reading.encode(&encoder, "validation example", &dataset.validation)?,
        };
        let test_beginnings = beginnings(test);
        let test = reading.encode(&encoder, "test example", test)?;
        Ok(Self {
            labels: dataset.labels.clone(),
            train,
            validation,
            test,
            test_beginnings,
            encoder,
        })
    }

    /// Encodes all records with an encoder that was learnt elsewhere, and else as [`new`](Self::new) does.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_encoder(dataset: &Dataset, encoding: &Encoding, encoder: Encoder) -> Result<Self> {
        // What is learnt from the data first finds what is wrong with them, and cuts them into their parts.
        let learnt = Self::new(
            dataset,
            &Encoding {
                vocabulary_size: 0,
                scale: None,
                ..*encoding
            },
        )?;
        let first = &dataset.train[0].target;
        let reading = Reading::new(dataset.labels.as_ref(), first, encoding.max_length)?;
        let encode = |what, records: &[Record]| reading.encode(&encoder, what, records);
        let mut train = encode("training example", &dataset.train)?;
        let validation = match dataset.validation.is_empty() {
            true => train.split_off(train.len() - learnt.validation.len()),
            false => encode("validation example", &dataset.validation)?,
        };
        let test = encode("test example", &dataset.test)?;
        Ok(Self {
            train,
            validation,
            test,
            encoder,
            ..learnt
        })
    }

    /// What the network should answer with.
    ///
    /// # Panics
    /// If the first training example is missing, or has no target; those of [`Self::new`] have theirs.
    pub fn target(&self) -> TargetKind {
        let first = self
            .train
            .first()
            .and_then(|example| example.target.as_ref());
        first.expect("training examples have targets").kind()
    }

    /// Gives `hash` all that is trained and validated on, and what it means: the vocabulary or the scaler, the
    /// labels, and the examples in their order. Other data give other bytes.
    pub fn feed(&self, hash: &mut dyn FnMut(&[u8])) {
        let targets = self.encoder.target_scaler().map(Scaler::to_json);
        let texts = [
            Some(self.encoder.to_json()),
            Some(self.labels.as_ref().map(Labels::to_json)),
            targets.map(Some),
        ];
        for text in texts.into_iter().flatten() {
            let text = text.unwrap_or_default();
            hash(&(text.len() as u64).to_le_bytes());
            hash(text.as_bytes());
        }
        let mut bytes = Vec::new();
        for examples in [&self.train, &self.validation] {
            hash(&(examples.len() as u64).to_le_bytes());
            for example in examples {
                bytes.clear();
                write(example, &mut bytes);
                hash(&bytes);
            }
        }
    }
}

/// A scaler of the targets of records, where they are numbers.
fn target_scaler(records: &[Record]) -> Result<Option<Scaler>> {
    let targets = records.iter().filter_map(|record| match &record.target {
        Target::Values(values) => Some(Sequence::Values {
            width: values.len(),
            values: values.clone(),
        }),
        _ => None,
    });
    let targets: Vec<Sequence> = targets.collect();
    let Some(Sequence::Values { width, .. }) = targets.first() else {
        return Ok(None);
    };
    Scaler::fit(targets.iter(), *width).map(Some)
}

/// An example in bytes: a kind and the number of what follows before each of its parts.
fn write(example: &Example, bytes: &mut Vec<u8>) {
    let mut part = |kind: u8, count: usize, words: &mut dyn Iterator<Item = u32>| {
        bytes.push(kind);
        bytes.extend((count as u64).to_le_bytes());
        bytes.extend(words.flat_map(u32::to_le_bytes));
    };
    match &example.input {
        Sequence::Tokens(ids) => part(0, ids.len(), &mut ids.iter().copied()),
        Sequence::Values { width, values } => {
            part(1, *width, &mut std::iter::empty());
            part(
                1,
                values.len(),
                &mut values.iter().copied().map(f32::to_bits),
            );
        }
    }
    match &example.target {
        None => part(0, 0, &mut std::iter::empty()),
        Some(Target::Class(class)) => part(1, 1, &mut std::iter::once(*class)),
        Some(Target::Classes(classes)) => part(2, classes.len(), &mut classes.iter().copied()),
        Some(Target::ClassSet(classes)) => part(4, classes.len(), &mut classes.iter().copied()),
        Some(Target::Values(values)) => part(
            3,
            values.len(),
            &mut values.iter().copied().map(f32::to_bits),
        ),
    }
}

/// Encodes other records than those that an encoder was learnt on, in parallel and in their order; of each the
/// last `max_length` timesteps stay.
///
/// # Errors
/// [`DataError::Labels`] and [`DataError::Example`], as from [`EncodedDataset::new`].
pub fn encode_all(
    records: &[Record],
    encoder: &Encoder,
    labels: Option<&Labels>,
    max_length: usize,
) -> Result<Vec<Example>> {
    match records.first() {
        Some(first) => {
            Reading::new(labels, &first.target, max_length)?.encode(encoder, "example", records)
        }
        None => Ok(Vec::new()),
    }
}

/// Characters of a text's beginning.
const BEGINNING: usize = 160;

/// The beginnings of texts, for people: of each the first characters, on one line; of records without texts, none.
pub fn beginnings(records: &[Record]) -> Vec<Box<str>> {
    let texts = records.iter().map_while(|record| record.content.text());
    texts.map(beginning).collect()
}

fn beginning(text: &str) -> Box<str> {
    // Spaces are never so many that nothing else is left, but in texts of nothing else.
    let read = &text[..text.floor_char_boundary(8 * BEGINNING)];
    let mut shown = read.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_cut = read.len() < text.len() || shown.chars().nth(BEGINNING).is_some();
    if let Some((end, _)) = shown.char_indices().nth(BEGINNING - 1).filter(|_| is_cut) {
        shown.truncate(end);
        shown.push('…');
    }
    shown.into()
}

/// What all examples are read with.
struct Reading {
    classes: usize,
    kind: TargetKind,
    max_length: usize,
}

impl Reading {
    fn new(labels: Option<&Labels>, first: &Target, max_length: usize) -> Result<Self> {
        let kind = first.kind();
        let reason = match (labels, kind) {
            (Some(_), TargetKind::Values { .. }) => {
                "the targets are numbers, which no labels name: leave them out"
            }
            (None, TargetKind::Class | TargetKind::ClassPerStep | TargetKind::ClassSet) => {
                "the targets are classes without labels"
            }
            _ => {
                return Ok(Self {
                    classes: labels.map_or(0, Labels::len),
                    kind,
                    max_length,
                });
            }
        };
        Err(DataError::Labels {
            reason: reason.to_owned(),
        })
    }

    fn encode(&self, encoder: &Encoder, what: &str, records: &[Record]) -> Result<Vec<Example>> {
        let sequences = records.par_iter();
        let sequences = sequences.map(|record| encoder.sequence(&record.content, self.max_length));
        self.examples(encoder, what, records, sequences)
    }

    fn examples(
        &self,
        encoder: &Encoder,
        what: &str,
        records: &[Record],
        sequences: impl IndexedParallelIterator<Item = std::result::Result<Sequence, String>>,
    ) -> Result<Vec<Example>> {
        let examples: Vec<_> = records
            .par_iter()
            .zip(sequences)
            .map(|(record, sequence)| {
                let input = sequence?;
                let target = Some(self.target(encoder, record, input.len())?);
                Ok(Example { input, target })
            })
            .collect();
        // The first error, whichever was found first.
        let examples =
            (1..)
                .zip(examples)
                .map(|(number, example): (u64, std::result::Result<_, String>)| {
                    example.map_err(|reason| DataError::Example {
                        place: format!("{what} {number}"),
                        reason,
                    })
                });
        examples.collect()
    }

    /// The target of a record of whose timesteps the last `kept` stay, or what is wrong with it.
    fn target(
        &self,
        encoder: &Encoder,
        record: &Record,
        kept: usize,
    ) -> std::result::Result<Target, String> {
        let kind = record.target.kind();
        if kind != self.kind {
            return Err(format!(
                "its target is {kind}, where that of the first example is {}",
                self.kind
            ));
        }
        match &record.target {
            Target::Class(class) => self.check_class(*class)?,
            Target::Classes(classes) => {
                let steps = match &record.content {
                    Content::Sequence(sequence) => sequence.len(),
                    Content::Text(_) => encoder.sequence(&record.content, usize::MAX)?.len(),
                };
                if classes.len() != steps {
                    return Err(format!(
                        "its {} classes are not one for each of {steps} timesteps",
                        classes.len()
                    ));
                }
                classes
                    .iter()
                    .try_for_each(|class| self.check_class(*class))?;
                return Ok(Target::Classes(classes[steps - kept..].to_vec()));
            }
            Target::ClassSet(classes) => {
                if !classes.is_sorted_by(|one, other| one < other) {
                    return Err("its classes are not in ascending order, each once".to_owned());
                }
                classes
                    .iter()
                    .try_for_each(|class| self.check_class(*class))?;
            }
            Target::Values(values) => {
                if let Some(place) = values.iter().position(|value| !value.is_finite()) {
                    return Err(format!(
                        "number {} of its target is {}",
                        place + 1,
                        values[place]
                    ));
                }
                if values.is_empty() {
                    return Err("its target holds no number".to_owned());
                }
                if let Some(scaler) = encoder.target_scaler() {
                    let mut values = values.clone();
                    if values.len() != scaler.width() {
                        return Err(format!(
                            "its target holds {} numbers, where {} are answered",
                            values.len(),
                            scaler.width()
                        ));
                    }
                    scaler.apply_to(&mut values);
                    return Ok(Target::Values(values));
                }
            }
        }
        Ok(record.target.clone())
    }

    fn check_class(&self, class: u32) -> std::result::Result<(), String> {
        match (class as usize) < self.classes {
            true => Ok(()),
            false => Err(format!(
                "its class {class} is none of the {} that have labels",
                self.classes
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::{BatchInput, BatchTargets, Batching, Padding};
    use crate::generators::{MemoryTask, reviews};
    use crate::random::golden;

    fn encoding() -> Encoding {
        Encoding {
            tokenizer: Tokenizer::Keras,
            vocabulary_size: 100,
            max_length: 3,
            scale: None,
            validation_fraction: 0.25,
        }
    }

    fn texts() -> Dataset {
        Dataset {
            labels: Some(Labels::negative_positive()),
            train: vec![
                Record::text("a film", 1),
                Record::text("", 0),
                Record::text("a film, a mess!", 0),
                Record::text("only here", 1),
            ],
            test: vec![Record::text("a new film", 1)],
            ..Dataset::default()
        }
    }

    #[test]
    fn a_beginning_is_short_and_on_one_line() {
        assert_eq!(&*beginning(" A fine\n\n film.\r\n"), "A fine film.");
        let exact = "é".repeat(BEGINNING);
        assert_eq!(*beginning(&exact), exact);
        let cut = beginning(&(exact + "é"));
        assert_eq!(cut.chars().count(), BEGINNING);
        assert!(cut.ends_with('…'), "{cut}");
        assert_eq!(&*beginning(&" ".repeat(10_000)), "");
        let texts = [Record::text("one", 0), Record::text("two", 1)];
        assert_eq!(beginnings(&texts), ["one".into(), "two".into()]);
    }

    fn record(values: &[f32], target: Target) -> Record {
        let values = values.to_vec();
        let content = Content::Sequence(Sequence::Values { width: 1, values });
        Record { content, target }
    }

    /// Numbers whose targets are numbers.
    fn numbers() -> Dataset {
        let record = |values: &[f32]| record(values, Target::Values(vec![7.0, values[0]]));
        Dataset {
            train: vec![
                record(&[9.0, 0.0, 0.0, 2.0]),
                record(&[0.0; 7]),
                record(&[1.0]),
                record(&[100.0]),
            ],
            test: vec![record(&[4.0])],
            ..Dataset::default()
        }
    }

    /// A class a timestep.
    fn steps() -> Dataset {
        let record =
            |classes: &[u32]| record(&vec![1.0; classes.len()], Target::Classes(classes.to_vec()));
        Dataset {
            labels: Some(Labels::negative_positive()),
            train: vec![record(&[0, 1, 1, 0]), record(&[1])],
            validation: vec![record(&[1, 0])],
            test: vec![record(&[0])],
            ..Dataset::default()
        }
    }

    fn message(dataset: &Dataset) -> String {
        let error = EncodedDataset::new(dataset, &encoding()).unwrap_err();
        error.to_string()
    }

    fn inputs(examples: &[Example]) -> Vec<Sequence> {
        examples
            .iter()
            .map(|example| example.input.clone())
            .collect()
    }

    #[test]
    fn words_are_counted_on_all_that_is_not_tested_on_and_the_end_is_held_out() {
        let dataset = texts();
        let encoded = EncodedDataset::new(&dataset, &encoding()).unwrap();
        let vocabulary = encoded.encoder.vocabulary().unwrap();
        assert_eq!(vocabulary.words(), ["a", "film", "mess", "only", "here"]);
        let ids = |ids: &[u32]| Sequence::Tokens(ids.to_vec());
        assert_eq!(
            inputs(&encoded.train),
            [ids(&[1, 3, 4]), ids(&[1]), ids(&[4, 3, 5])]
        );
        assert_eq!(inputs(&encoded.validation), [ids(&[1, 6, 7])]);
        assert_eq!(inputs(&encoded.test), [ids(&[3, 2, 4])]);
        let targets = encoded
            .train
            .iter()
            .map(|example| example.target.clone().unwrap());
        assert!(targets.eq([1, 0, 0].map(Target::Class)));
        assert_eq!(
            (encoded.target(), encoded.labels),
            (TargetKind::Class, dataset.labels)
        );
    }

    #[test]
    fn a_validation_part_of_its_own_leaves_the_training_split_whole() {
        let dataset = Dataset {
            validation: vec![Record::text("a film", 1)],
            ..texts()
        };
        let encoded = EncodedDataset::new(&dataset, &encoding()).unwrap();
        assert_eq!((encoded.train.len(), encoded.validation.len()), (4, 1));
        assert_eq!(encoded.validation[0], encoded.train[0]);
    }

    #[test]
    fn numbers_are_scaled_by_what_is_trained_on() {
        let encode = |scale| {
            let encoding = Encoding {
                scale,
                ..encoding()
            };
            EncodedDataset::new(&numbers(), &encoding).unwrap()
        };
        let encoded = encode(None);
        assert_eq!(encode(Some(true)), encoded);
        // On all timesteps, those that are cut off too, but for those that are held out.
        let learnt = numbers().train;
        let learnt = learnt[..3]
            .iter()
            .filter_map(|record| record.content.sequence());
        let scaler = Scaler::fit(learnt, 1).unwrap();
        assert_eq!(encoded.encoder.scaler(), Some(&scaler));
        let plain = encode(Some(false));
        assert!(plain.encoder.scaler().is_none());
        let values = |values: &[f32]| Sequence::Values {
            width: 1,
            values: values.to_vec(),
        };
        assert_eq!(
            inputs(&plain.train),
            [values(&[0.0, 0.0, 2.0]), values(&[0.0; 3]), values(&[1.0])]
        );
        for (plain, scaled) in [
            (&plain.train, &encoded.train),
            (&plain.validation, &encoded.validation),
            (&plain.test, &encoded.test),
        ] {
            let mut expected = inputs(plain);
            expected
                .iter_mut()
                .for_each(|sequence| scaler.apply(sequence));
            assert_eq!(inputs(scaled), expected);
        }
        assert_eq!(plain.target(), TargetKind::Values { width: 2 });
        assert_eq!(plain.train[0].target, Some(Target::Values(vec![7.0, 9.0])));
    }

    #[test]
    fn a_class_a_timestep_is_cut_with_its_sequence() {
        let mut dataset = steps();
        let encoded = EncodedDataset::new(&dataset, &encoding()).unwrap();
        assert_eq!(encoded.target(), TargetKind::ClassPerStep);
        assert_eq!(
            encoded.train[0].target,
            Some(Target::Classes(vec![1, 1, 0]))
        );
        assert_eq!(encoded.train[0].input.len(), 3);
        // A text has one more timestep than tokens: its start.
        for split in [
            &mut dataset.train,
            &mut dataset.validation,
            &mut dataset.test,
        ] {
            for record in split {
                if let Target::Classes(classes) = &record.target {
                    record.content = Content::Text("word ".repeat(classes.len() - 1));
                }
            }
        }
        let encoded = EncodedDataset::new(&dataset, &encoding()).unwrap();
        assert_eq!(
            encoded.train[0].target,
            Some(Target::Classes(vec![1, 1, 0]))
        );
        assert_eq!(encoded.train[0].input, Sequence::Tokens(vec![3, 3, 3]));
    }

    #[test]
    fn other_records_are_encoded_as_those_that_were_learnt_from() {
        let dataset = texts();
        let encoded = EncodedDataset::new(&dataset, &encoding()).unwrap();
        let labels = dataset.labels.as_ref();
        let again = encode_all(&dataset.test, &encoded.encoder, labels, 3).unwrap();
        assert_eq!(again, encoded.test);
        assert_eq!(encode_all(&[], &encoded.encoder, labels, 3).unwrap(), []);
        let refused = encode_all(&numbers().test, &encoded.encoder, None, 3).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "example 1: it is a sequence, where texts are read"
        );
    }

    #[test]
    fn too_few_examples_are_refused() {
        let mut few = texts();
        few.train.truncate(3);
        let expected = "3 training and 1 test examples are too few to train, validate and test on";
        assert_eq!(message(&few), expected);
        few.validation = vec![Record::text("a film", 1)];
        assert!(EncodedDataset::new(&few, &encoding()).is_ok());
        few.test.clear();
        assert!(message(&few).contains("3 training and 0 test"));
        few = Dataset {
            train: Vec::new(),
            ..texts()
        };
        assert!(message(&few).contains("0 training and 1 test"));
        for validation_fraction in [-1.0, 0.0, 1.0, 9.0, f64::NAN] {
            let encoding = Encoding {
                validation_fraction,
                ..encoding()
            };
            let refused = EncodedDataset::new(&texts(), &encoding);
            assert!(
                matches!(refused, Err(DataError::TooFew { train: 4, test: 1 })),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_scale_of_texts_is_refused() {
        for scale in [true, false] {
            let encoding = Encoding {
                scale: Some(scale),
                ..encoding()
            };
            let refused = EncodedDataset::new(&texts(), &encoding);
            assert!(matches!(refused, Err(DataError::Scale)), "{refused:?}");
        }
    }

    #[test]
    fn labels_are_there_where_targets_are_classes_and_only_there() {
        for dataset in [texts(), steps()] {
            let message = message(&Dataset {
                labels: None,
                ..dataset
            });
            assert_eq!(message, "the targets are classes without labels");
        }
        let labels = Some(Labels::negative_positive());
        let message = message(&Dataset {
            labels,
            ..numbers()
        });
        assert_eq!(
            message,
            "the targets are numbers, which no labels name: leave them out"
        );
    }

    #[test]
    fn an_example_that_does_not_fit_is_named() {
        let wide = Content::Sequence(Sequence::Values {
            width: 2,
            values: vec![1.0; 2],
        });
        let tokens = Content::Sequence(Sequence::Tokens(vec![1]));
        let class = |class| Record::text("a", class);
        let values = |target: &[f32]| record(&[1.0], Target::Values(target.to_vec()));
        let with = |content: &Content| Record {
            content: content.clone(),
            ..values(&[1.0, 1.0])
        };
        let cases = [
            (
                texts(),
                with(&wide),
                "it is a sequence, where texts are read",
            ),
            (
                texts(),
                class(2),
                "its class 2 is none of the 2 that have labels",
            ),
            (
                texts(),
                Record {
                    target: Target::Classes(vec![1, 1]),
                    ..class(1)
                },
                "its target is a class a timestep, where that of the first example is one class",
            ),
            (numbers(), class(1), "it is a text, where numbers are read"),
            (
                numbers(),
                with(&wide),
                "its timesteps hold 2 numbers, where 1 are read",
            ),
            (
                numbers(),
                with(&tokens),
                "it holds token ids: give the text that they stand for",
            ),
            (
                numbers(),
                record(&[1.0, f32::NAN], Target::Values(vec![1.0; 2])),
                "number 1 of its timestep 2 is NaN",
            ),
            (
                numbers(),
                record(&[], Target::Values(vec![1.0; 2])),
                "its 0 numbers are no timesteps of 1",
            ),
            (
                numbers(),
                values(&[1.0]),
                "its target is one number, where that of the first example is 2 numbers",
            ),
            (
                numbers(),
                values(&[1.0, f32::INFINITY]),
                "number 2 of its target is inf",
            ),
            (
                steps(),
                record(&[1.0; 3], Target::Classes(vec![1, 1])),
                "its 2 classes are not one for each of 3 timesteps",
            ),
            (
                steps(),
                record(&[1.0], Target::Classes(vec![3])),
                "its class 3 is none of the 2",
            ),
        ];
        for (dataset, odd, reason) in cases {
            for part in ["training", "validation", "test"] {
                let mut dataset = dataset.clone();
                let records = match part {
                    "training" => &mut dataset.train,
                    "validation" => {
                        dataset.validation = vec![dataset.train[0].clone()];
                        &mut dataset.validation
                    }
                    _ => &mut dataset.test,
                };
                records.push(odd.clone());
                let expected = format!("{part} example {}: {reason}", records.len());
                let message = message(&dataset);
                assert!(message.starts_with(&expected), "{message}");
            }
        }
        let mut dataset = numbers();
        dataset.train[0].content = tokens;
        assert!(message(&dataset).starts_with("training example 1: it holds token ids"));
        dataset.train[0] = record(&[1.0], Target::Values(Vec::new()));
        assert_eq!(
            message(&dataset),
            "training example 1: its target holds no number"
        );
    }

    #[test]
    fn other_data_give_other_bytes() {
        let bytes = |encoded: &EncodedDataset| {
            let mut bytes: Vec<u8> = Vec::new();
            encoded.feed(&mut |part| bytes.extend(part));
            bytes
        };
        let all = [texts(), numbers(), steps()];
        let all = all.map(|dataset| EncodedDataset::new(&dataset, &encoding()).unwrap());
        let mut seen = std::collections::HashSet::new();
        for encoded in &all {
            assert_eq!(bytes(encoded), bytes(&encoded.clone()));
            assert!(seen.insert(bytes(encoded)));
            let mut other = encoded.clone();
            other.train[0].target = None;
            assert!(seen.insert(bytes(&other)));
            other.train[0].input = encoded.train[0].input.prefix(1);
            assert!(seen.insert(bytes(&other)));
            other = encoded.clone();
            other.train.swap(0, 1);
            assert!(seen.insert(bytes(&other)));
            other = encoded.clone();
            other.train.append(&mut other.validation);
            assert!(seen.insert(bytes(&other)));
            other = encoded.clone();
            other.labels = Some(Labels::new(vec!["a".into(), "b".into()]).unwrap());
            assert!(seen.insert(bytes(&other)));
            other = encoded.clone();
            other.encoder = Encoder::Values {
                width: 1,
                scaler: None,
                targets: None,
            };
            assert!(seen.insert(bytes(&other)));
            // What is tested on is no part of it.
            other = encoded.clone();
            other.test.clear();
            assert_eq!(bytes(&other), bytes(encoded));
        }
    }

    #[test]
    fn the_memory_tasks_can_be_encoded() {
        for task in [MemoryTask::Adding, MemoryTask::Recall] {
            let dataset = task.dataset(5, 1).unwrap();
            let encoding = Encoding {
                max_length: 5,
                scale: Some(false),
                ..encoding()
            };
            let encoded = EncodedDataset::new(&dataset, &encoding).unwrap();
            assert_eq!(
                (encoded.train.len(), encoded.validation.len()),
                (12_800, 256)
            );
            let kind = match task {
                MemoryTask::Adding => TargetKind::Values { width: 1 },
                MemoryTask::Recall => TargetKind::Class,
            };
            assert_eq!(encoded.target(), kind);
        }
    }

    /// Another library version, platform or processor that changed a word, an id or a batch would change every
    /// run.
    #[test]
    fn what_a_network_reads_of_the_reviews_is_fixed_for_all_time() {
        let encoding = Encoding {
            tokenizer: Tokenizer::Keras,
            vocabulary_size: 300,
            max_length: 40,
            scale: None,
            validation_fraction: 0.15,
        };
        let EncodedDataset {
            encoder,
            train,
            validation,
            test,
            ..
        } = EncodedDataset::new(&reviews(42), &encoding).unwrap();
        let vocabulary = encoder.vocabulary().unwrap().to_json();
        assert_eq!(
            golden::hash(vocabulary.into_bytes()),
            17_607_535_267_139_012_829
        );
        for (padding, expected) in [
            (Padding::Longest, 13_000_298_386_403_402_169),
            (Padding::Fixed(30), 63_704_942_994_446_281),
        ] {
            let batching = Batching {
                batch_size: 64,
                padding,
            };
            let mut bytes = Vec::new();
            for (examples, plan) in [
                (&train, batching.training_plan(&train, 7, 2)),
                (&validation, batching.evaluation_plan(&validation)),
                (&test, batching.evaluation_plan(&test)),
            ] {
                for indices in plan {
                    let batch = batching.batch(examples, &indices);
                    let (BatchInput::Tokens(ids), Some(BatchTargets::Classes(classes))) =
                        (&batch.input, &batch.targets)
                    else {
                        panic!("reviews are tokens with a class")
                    };
                    let numbers = [ids, &batch.lengths, classes].into_iter().flatten();
                    bytes.extend(numbers.flat_map(|number| number.to_le_bytes()));
                    let sizes = batch.indices.iter().chain([&batch.size, &batch.time]);
                    bytes.extend(sizes.flat_map(|&size| (size as u64).to_le_bytes()));
                }
            }
            assert_eq!(golden::hash(bytes), expected, "{padding:?}");
        }
    }
}
