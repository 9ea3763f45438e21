//! What a data set holds, in numbers.

use rayon::prelude::*;
use serde::Serialize;

use crate::dataset::{Content, Dataset, Note, Record};
use crate::example::Target;
use crate::labels::Labels;
use crate::sequence::Sequence;
use crate::tokenizer::Tokenizer;
use crate::vocabulary::Vocabulary;

/// How many words of the vocabulary are shown.
const FIRST_WORDS: usize = 10;

/// The size of a run's vocabulary unless it says otherwise.
const VOCABULARY_SIZE: usize = 10_000;

/// How many texts are shown, and how many characters of each.
const ROWS: usize = 10;
const SHOWN: usize = 200;

/// What a data set holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatasetInfo {
    /// The training split.
    pub train: SplitInfo,
    /// The validation part, if the data set brings one.
    pub validation: Option<SplitInfo>,
    /// The test split.
    pub test: SplitInfo,
    /// The length that sequences are cut to.
    pub max_length: usize,
    /// What made words of the texts, if there are any.
    pub tokenizer: Option<Tokenizer>,
    /// Different words in the training split, if it holds texts.
    pub distinct_words: Option<usize>,
    /// The ten most frequent words of the training split, the most frequent first, if it holds texts.
    pub first_words: Option<Vec<String>>,
    /// The columns of series of numbers, over all splits; a number that is in several windows counts in each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnInfo>,
    /// The share of the test split's words, or other tokens, that a vocabulary of the default size doesn't know, if it holds texts.
    pub unknown: Option<f64>,
    /// The first ten texts of the training split, with their labels.
    pub rows: Vec<ExampleInfo>,
    /// What was recognised, and what is doubtful.
    pub notes: Vec<Note>,
}

/// A text and its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExampleInfo {
    /// The text.
    pub text: String,
    /// The label, if it has one.
    pub label: Option<String>,
}

/// What a split holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitInfo {
    /// All examples.
    pub examples: usize,
    /// How often each label is the target, in the order of the classes; empty where targets are numbers.
    pub labels: Vec<LabelCount>,
    /// How long they are.
    pub lengths: Lengths,
}

/// What a column of numbers holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnInfo {
    /// Its name; of sequences a row, `values`.
    pub column: String,
    /// The least number.
    pub min: f32,
    /// The mean.
    pub mean: f64,
    /// The largest number.
    pub max: f32,
    /// How many are missing.
    pub missing: usize,
}

impl ColumnInfo {
    fn of(dataset: &Dataset) -> Vec<Self> {
        let Some(series) = &dataset.series else {
            return Vec::new();
        };
        let all = [&dataset.train, &dataset.validation, &dataset.test];
        let sequences = all
            .into_iter()
            .flatten()
            .filter_map(|record| record.content.sequence());
        let mut columns: Vec<Self> = Vec::new();
        let mut counts = Vec::new();
        for sequence in sequences {
            let Sequence::Values { width, values } = sequence else {
                continue;
            };
            let read = if dataset.missing { width / 2 } else { *width };
            if columns.is_empty() {
                let name = |place: usize| match series.value_columns.get(place) {
                    Some(name) => name.clone(),
                    None if read == 1 => "values".to_owned(),
                    None => (place + 1).to_string(),
                };
                columns.extend((0..read).map(|place| Self {
                    column: name(place),
                    min: f32::INFINITY,
                    mean: 0.0,
                    max: f32::NEG_INFINITY,
                    missing: 0,
                }));
                counts = vec![0.0; read];
            }
            for timestep in values.chunks(*width) {
                for ((&number, column), count) in timestep.iter().zip(&mut columns).zip(&mut counts)
                {
                    if number.is_nan() {
                        column.missing += 1;
                        continue;
                    }
                    *count += 1.0;
                    column.mean += (f64::from(number) - column.mean) / *count;
                    column.min = column.min.min(number);
                    column.max = column.max.max(number);
                }
            }
        }
        columns
    }
}

/// How often a label is the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// Examples that have it; where there is a class a timestep, timesteps.
    pub examples: usize,
}

/// How long the examples of a split are, in words or in timesteps. A quantile is the length of the example
/// nearest to that rank.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lengths {
    /// The shortest.
    pub min: usize,
    /// Longer than 5 % of the examples.
    pub p5: usize,
    /// Longer than 25 % of the examples.
    pub p25: usize,
    /// Longer than half of the examples.
    pub median: usize,
    /// Longer than 75 % of the examples.
    pub p75: usize,
    /// Longer than 95 % of the examples.
    pub p95: usize,
    /// The longest.
    pub max: usize,
    /// The mean.
    pub mean: f64,
    /// The share of examples that are longer than sequences are cut to, from 0 to 1.
    pub longer: f64,
}

impl DatasetInfo {
    /// Counts a data set whose sequences are to be cut to `max_length`, and its words by `tokenizer`; where none is
    /// given, by the default one, or if that can't read the texts by the one that [can](Tokenizer::advice).
    pub fn of(dataset: &Dataset, max_length: usize, tokenizer: Option<Tokenizer>) -> Self {
        let texts: Vec<&str> = dataset
            .train
            .iter()
            .filter_map(|record| record.content.text())
            .collect();
        let usual = Tokenizer::default();
        let tokenizer = tokenizer.unwrap_or_else(|| {
            let advice = usual.advice(&texts);
            advice.map_or(usual, |advice| advice.tokenizer)
        });
        let vocabulary = (!texts.is_empty())
            .then(|| Vocabulary::build(texts.into_iter(), VOCABULARY_SIZE, tokenizer));
        let split = |records: &[Record]| {
            let labels = dataset.labels.as_ref();
            SplitInfo::of(records, labels, max_length, tokenizer)
        };
        Self {
            train: split(&dataset.train),
            validation: (!dataset.validation.is_empty()).then(|| split(&dataset.validation)),
            test: split(&dataset.test),
            max_length,
            tokenizer: vocabulary.as_ref().map(Vocabulary::tokenizer),
            distinct_words: vocabulary.as_ref().map(Vocabulary::distinct),
            unknown: vocabulary
                .as_ref()
                .and_then(|vocabulary| unknown(&dataset.test, vocabulary)),
            first_words: vocabulary.map(|vocabulary| {
                vocabulary
                    .words()
                    .iter()
                    .take(FIRST_WORDS)
                    .cloned()
                    .collect()
            }),
            rows: rows(dataset),
            columns: ColumnInfo::of(dataset),
            notes: dataset.notes.clone(),
        }
    }
}

/// The share of words that a vocabulary doesn't know, if there are words.
fn unknown(records: &[Record], vocabulary: &Vocabulary) -> Option<f64> {
    let texts = records
        .par_iter()
        .filter_map(|record| record.content.text());
    let (unknown, all) = texts
        .map(|text| {
            let (mut unknown, mut all) = (0_usize, 0_usize);
            vocabulary.tokenizer().for_each_token(text, |word| {
                all += 1;
                unknown += usize::from(vocabulary.id(word).is_none());
            });
            (unknown, all)
        })
        .reduce(|| (0, 0), |one, other| (one.0 + other.0, one.1 + other.1));
    (all > 0).then(|| unknown as f64 / all as f64)
}

/// The first texts, shortened.
fn rows(dataset: &Dataset) -> Vec<ExampleInfo> {
    let label = |target: &Target| match target {
        Target::Class(class) => dataset.labels.as_ref()?.name(*class as usize),
        _ => None,
    };
    let texts = dataset.train.iter().filter_map(|record| {
        let text = record.content.text()?;
        Some(ExampleInfo {
            text: text.chars().take(SHOWN).collect(),
            label: label(&record.target).map(str::to_owned),
        })
    });
    texts.take(ROWS).collect()
}

impl SplitInfo {
    fn of(
        records: &[Record],
        labels: Option<&Labels>,
        max_length: usize,
        tokenizer: Tokenizer,
    ) -> Self {
        let names = labels.map_or(&[][..], Labels::names);
        let mut counts = vec![0; names.len()];
        for record in records {
            let classes = match &record.target {
                Target::Class(class) => std::slice::from_ref(class),
                Target::Classes(classes) | Target::ClassSet(classes) => classes,
                Target::Values(_) => &[],
            };
            for &class in classes {
                // A class without a label is for encoding to refuse.
                if let Some(count) = counts.get_mut(class as usize) {
                    *count += 1;
                }
            }
        }
        let label = |(label, examples): (&String, usize)| LabelCount {
            label: label.clone(),
            examples,
        };
        Self {
            examples: records.len(),
            labels: names.iter().zip(counts).map(label).collect(),
            lengths: Lengths::of(
                records
                    .par_iter()
                    .map(|record| length(record, tokenizer))
                    .collect(),
                max_length,
            ),
        }
    }
}

impl Lengths {
    fn of(mut lengths: Vec<usize>, max_length: usize) -> Self {
        lengths.sort_unstable();
        let last = lengths.len().saturating_sub(1);
        let quantile = |percent: usize| {
            lengths
                .get((last * percent + 50) / 100)
                .copied()
                .unwrap_or(0)
        };
        let share = |part: usize| part as f64 / lengths.len().max(1) as f64;
        let longer = lengths.iter().filter(|&&length| length > max_length);
        Self {
            min: quantile(0),
            p5: quantile(5),
            p25: quantile(25),
            median: quantile(50),
            p75: quantile(75),
            p95: quantile(95),
            max: quantile(100),
            mean: share(lengths.iter().sum()),
            longer: share(longer.count()),
        }
    }
}

fn length(record: &Record, tokenizer: Tokenizer) -> usize {
    match &record.content {
        Content::Text(text) => tokenizer.count(text),
        Content::Sequence(sequence) => sequence.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(words: usize, class: u32) -> Record {
        Record::text("word ".repeat(words), class)
    }

    fn counts(split: &SplitInfo) -> Vec<(&str, usize)> {
        let labels = split.labels.iter();
        labels
            .map(|count| (count.label.as_str(), count.examples))
            .collect()
    }

    #[test]
    fn counts_splits_labels_and_words() {
        let dataset = Dataset {
            labels: Some(Labels::negative_positive()),
            train: vec![
                Record::text("A film, a film!", 1),
                Record::text("a mess", 0),
                Record::text("One two three four five six seven eight nine ten", 0),
            ],
            test: vec![review(3, 1)],
            notes: vec![Note::doubtful("2 texts are empty")],
            ..Dataset::default()
        };
        let info = DatasetInfo::of(&dataset, 256, None);
        assert_eq!((info.train.examples, info.test.examples), (3, 1));
        assert_eq!(counts(&info.train), [("negative", 2), ("positive", 1)]);
        assert_eq!(counts(&info.test), [("negative", 0), ("positive", 1)]);
        assert_eq!((info.validation, info.max_length), (None, 256));
        assert_eq!(info.distinct_words, Some(13));
        assert_eq!(info.tokenizer, Some(Tokenizer::Keras));
        let first = [
            "a", "film", "mess", "one", "two", "three", "four", "five", "six", "seven",
        ];
        assert_eq!(info.first_words.unwrap(), first);
        assert_eq!(info.notes, dataset.notes);
        // The only text of the test part holds a word that none to train on has.
        assert_eq!(info.unknown, Some(1.0));
        assert_eq!(
            (info.rows[1].text.as_str(), info.rows[1].label.as_deref()),
            ("a mess", Some("negative"))
        );
    }

    #[test]
    fn texts_are_counted_by_the_tokenizer_that_can_read_them() {
        let dataset = Dataset {
            labels: Some(Labels::negative_positive()),
            train: vec![
                Record::text("这家店的汤很好喝", 1),
                Record::text("面包又硬", 0),
            ],
            ..Dataset::default()
        };
        let info = DatasetInfo::of(&dataset, 256, None);
        assert_eq!(info.tokenizer, Some(Tokenizer::Unicode));
        assert_eq!((info.train.lengths.min, info.train.lengths.max), (4, 8));
        let info = DatasetInfo::of(&dataset, 256, Some(Tokenizer::Keras));
        assert_eq!((info.train.lengths.max, info.distinct_words), (1, Some(2)));
        let info = DatasetInfo::of(&dataset, 256, Some(Tokenizer::Bytes));
        assert_eq!((info.train.lengths.min, info.train.lengths.max), (12, 24));
    }

    #[test]
    fn numbers_have_lengths_and_no_words() {
        let record = |length: usize, target| {
            let values = vec![0.5; 3 * length];
            let content = Content::Sequence(Sequence::Values { width: 3, values });
            Record { content, target }
        };
        let numbers = Dataset {
            train: vec![
                record(2, Target::Values(vec![1.0])),
                record(4, Target::Values(vec![2.0])),
            ],
            ..Dataset::default()
        };
        let info = DatasetInfo::of(&numbers, 2, None);
        assert_eq!((info.distinct_words, info.first_words), (None, None));
        assert_eq!((info.train.lengths.min, info.train.lengths.max), (2, 4));
        assert_eq!(
            (info.train.lengths.longer, info.train.labels),
            (0.5, Vec::new())
        );
        let steps = Dataset {
            labels: Some(Labels::negative_positive()),
            validation: vec![record(3, Target::Classes(vec![1, 0, 1]))],
            ..Dataset::default()
        };
        let validation = DatasetInfo::of(&steps, 2, None).validation.unwrap();
        assert_eq!(counts(&validation), [("negative", 1), ("positive", 2)]);
    }

    #[test]
    fn lengths_are_those_of_the_nearest_ranks() {
        let reviews: Vec<Record> = (0..=300).rev().map(|words| review(words, 1)).collect();
        let lengths = SplitInfo::of(&reviews, None, 256, Tokenizer::Keras).lengths;
        assert_eq!(
            (lengths.min, lengths.p5, lengths.p25, lengths.median),
            (0, 15, 75, 150)
        );
        assert_eq!(
            (lengths.p75, lengths.p95, lengths.max, lengths.mean),
            (225, 285, 300, 150.0)
        );
        assert!((lengths.longer - 44.0 / 301.0).abs() < 1e-12);
    }

    #[test]
    fn an_empty_split_has_no_lengths() {
        let lengths = SplitInfo::of(&[], None, 256, Tokenizer::Keras).lengths;
        assert_eq!((lengths.max, lengths.mean, lengths.longer), (0, 0.0, 0.0));
    }

    #[test]
    fn becomes_one_json_object() {
        let dataset = Dataset {
            labels: Some(Labels::negative_positive()),
            train: vec![review(2, 1)],
            test: vec![review(1, 0)],
            ..Dataset::default()
        };
        let json = serde_json::to_value(DatasetInfo::of(&dataset, 256, None)).unwrap();
        assert_eq!(json["train"]["lengths"]["median"], 2);
        assert_eq!(json["train"]["labels"][1]["label"], "positive");
        assert_eq!(json["first_words"][0], "word");
    }
}
