//! What a linear model answers to the same data: whoever trains a network wants to know whether it was worth it.
//!
//! Texts are bags of tokens and of runs of neighbouring ones, series of numbers are six figures a column. Either is
//! learnt by logistic regression, a class against the rest, in about a second: a bag knows no order, the figures
//! no course.

use std::ops::Range;

use gatefold_data::random::{generator, shuffle};
use gatefold_data::{EncodedDataset, Encoder, Example, Sequence, Target, Tokenizer};

/// Passes over the training rows at most; the one with the lowest validation loss counts.
const PASSES: usize = 50;
/// Products of a number and a weight in all passes, about a second's.
const MOST_WORK: usize = 1 << 27;
/// Passes that there is always time for.
const LEAST_PASSES: usize = 4;
/// Test examples that are rows of numbers at a time.
const ROWS_AT_ONCE: usize = 4096;
/// Passes in a row without a lower validation loss, after which it ends.
const PATIENCE: usize = 3;
/// AdaGrad's rate.
const RATE: f32 = 0.3;
/// Weights at most, one a feature and class.
const MOST_WEIGHTS: usize = 1 << 23;
/// Features at most, before hashing shares them.
const MOST_FEATURES: usize = 1 << 20;
/// Numbers of all rows that are kept.
const MOST_NUMBERS: usize = 1 << 24;
/// Rows a class at least, where there are as many.
const ROWS_A_CLASS: usize = 4;
/// Figures that a column of numbers is summed up in.
const FIGURES: usize = 6;

/// The test accuracy of logistic regression, learnt on the training part, as a network is tested: the
/// same texts, cut to the same length, of the same vocabulary. None where targets aren't one class a sequence, and
/// where there are so many classes that it would take long.
///
/// The same data give the same result. Training rows that would take it too long are left out, evenly.
pub fn baseline(data: &EncodedDataset) -> Option<f64> {
    let classes = data.labels.as_ref()?.len();
    let outputs = if classes == 2 { 1 } else { classes };
    let orders = match &data.encoder {
        Encoder::Text(vocabulary)
            if matches!(
                vocabulary.tokenizer(),
                Tokenizer::Characters | Tokenizer::Bytes
            ) =>
        {
            4
        }
        _ => 2,
    };
    let buckets = (MOST_WEIGHTS / outputs).min(MOST_FEATURES);
    let buckets = 1 << buckets.checked_ilog2()?;
    let mut features = Features::of(data, orders, buckets)?;
    let most = MOST_NUMBERS.min(MOST_WORK / outputs / LEAST_PASSES);
    let train = features.kept(&data.train, most)?;
    if train.len() < data.train.len().min(ROWS_A_CLASS * classes) {
        return None;
    }
    features.weigh(&train);
    let train = features.rows(train.into_iter())?;
    let validation = features.kept(&data.validation, most)?;
    let validation = features.rows(validation.into_iter())?;
    let mut model = Model::new(features.count(), outputs);
    let (mut best, mut since) = ((f64::INFINITY, model.weights.clone()), 0);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let rng = &mut generator(*b"baseline", 0, 0);
    let work = (train.numbers.len() * outputs).max(1);
    for _ in 0..(MOST_WORK / work).clamp(LEAST_PASSES, PASSES) {
        shuffle(&mut order, rng);
        order.iter().for_each(|&row| model.learn(train.row(row)));
        let loss = (0..validation.len()).map(|row| model.loss(validation.row(row)));
        let loss = loss.sum::<f64>();
        if loss < best.0 {
            (best, since) = ((loss, model.weights.clone()), 0);
        } else {
            since += 1;
            if since == PATIENCE {
                break;
            }
        }
    }
    drop(train);
    model.weights = best.1;
    let mut right = 0;
    // Not all at once: their numbers take more memory than the examples.
    for part in data.test.chunks(ROWS_AT_ONCE) {
        let part = features.rows(part.iter())?;
        right += (0..part.len())
            .filter(|&row| model.is_right(part.row(row)))
            .count();
    }
    Some(right as f64 / data.test.len() as f64)
}

/// How examples become rows of numbers.
enum Features {
    /// Runs of up to `orders` tokens, each there or not, weighed by how rare it is.
    Tokens {
        /// The ids of words.
        words: Range<u32>,
        orders: usize,
        buckets: usize,
        weights: Vec<f32>,
        /// The row that met a feature last.
        met: Vec<u32>,
    },
    /// Figures of each column, brought to mean 0 and deviation 1.
    Values {
        /// Mean and deviation of each.
        scale: Vec<(f32, f32)>,
    },
}

/// Rows of numbers, those that aren't zero, with their classes.
struct Rows {
    ends: Vec<usize>,
    numbers: Vec<(u32, f32)>,
    classes: Vec<u32>,
}

impl Rows {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn row(&self, row: usize) -> (&[(u32, f32)], u32) {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        (&self.numbers[start..self.ends[row]], self.classes[row])
    }
}

impl Features {
    fn of(data: &EncodedDataset, orders: usize, buckets: usize) -> Option<Self> {
        Some(match &data.encoder {
            Encoder::Text(vocabulary) => Self::Tokens {
                words: vocabulary.word_ids(),
                orders,
                buckets,
                weights: Vec::new(),
                met: vec![u32::MAX; buckets],
            },
            Encoder::Values { width, .. } => Self::Values {
                scale: vec![(0.0, 1.0); width * FIGURES],
            },
        })
    }

    fn count(&self) -> usize {
        match self {
            Self::Tokens { buckets, .. } => *buckets,
            Self::Values { scale } => scale.len(),
        }
    }

    /// As many examples as have no more than `most` numbers together, evenly out of all.
    fn kept<'a>(&self, examples: &'a [Example], most: usize) -> Option<Vec<&'a Example>> {
        let numbers = |example: &Example| match self {
            Self::Tokens { orders, .. } => orders * example.input.len(),
            Self::Values { scale } => scale.len(),
        };
        let all: usize = examples.iter().map(numbers).sum();
        Some(examples.iter().step_by(all.div_ceil(most).max(1)).collect())
    }

    /// Learns how rare each feature is, or in which range its numbers lie.
    fn weigh(&mut self, examples: &[&Example]) {
        let count = examples.len() as f32;
        match self {
            Self::Tokens { weights, met, .. } => {
                let mut with = vec![0u32; met.len()];
                met.fill(u32::MAX);
                *weights = Vec::new();
                for (row, example) in examples.iter().enumerate() {
                    self.runs(row, &example.input, &mut |feature| with[feature] += 1);
                }
                if let Self::Tokens { weights, .. } = self {
                    let rarity = |&with: &u32| ((1.0 + count) / (1.0 + with as f32)).ln() + 1.0;
                    *weights = with.iter().map(rarity).collect();
                }
            }
            Self::Values { scale } => {
                let figures: Vec<_> = examples.iter().map(|of| figures(&of.input)).collect();
                for (feature, (mean, deviation)) in scale.iter_mut().enumerate() {
                    let column = || figures.iter().map(|of| of[feature]);
                    *mean = column().sum::<f32>() / count;
                    let squares = column().map(|number| (number - *mean).powi(2));
                    *deviation = (squares.sum::<f32>() / count).sqrt();
                }
            }
        }
    }

    /// Calls `each` with every run of tokens in a sequence, once.
    fn runs(&mut self, row: usize, input: &Sequence, each: &mut dyn FnMut(usize)) {
        let (
            Self::Tokens {
                words,
                orders,
                buckets,
                met,
                ..
            },
            Sequence::Tokens(ids),
        ) = (self, input)
        else {
            return;
        };
        for end in 0..ids.len() {
            let mut hash = 0u64;
            for &id in ids[..=end].iter().rev().take(*orders) {
                // What is no word says nothing, nor does a run with it.
                if !words.contains(&id) {
                    break;
                }
                hash = (hash ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^= hash >> 32;
                let feature = (hash as usize) & (*buckets - 1);
                if met[feature] != row as u32 {
                    met[feature] = row as u32;
                    each(feature);
                }
            }
        }
    }

    /// The rows of examples; none if one has no class.
    fn rows<'a>(&mut self, examples: impl Iterator<Item = &'a Example>) -> Option<Rows> {
        let mut rows = Rows {
            ends: Vec::new(),
            numbers: Vec::new(),
            classes: Vec::new(),
        };
        if let Self::Tokens { met, .. } = self {
            met.fill(u32::MAX);
        }
        for (row, example) in examples.enumerate() {
            let Some(Target::Class(class)) = example.target else {
                return None;
            };
            let start = rows.numbers.len();
            match self {
                Self::Tokens { .. } => {
                    let numbers = &mut rows.numbers;
                    self.runs(row, &example.input, &mut |feature| {
                        numbers.push((feature as u32, 1.0));
                    });
                }
                Self::Values { scale } => {
                    let scaled = figures(&example.input).into_iter().zip(&*scale);
                    let scaled = scaled.map(|(number, (mean, deviation))| match *deviation > 0.0 {
                        true => ((number - mean) / deviation).clamp(-5.0, 5.0),
                        false => 0.0,
                    });
                    rows.numbers.extend((0..).zip(scaled));
                }
            }
            let numbers = &mut rows.numbers[start..];
            if let Self::Tokens { weights, .. } = self {
                for (feature, number) in &mut *numbers {
                    *number = weights[*feature as usize];
                }
                // Long and short texts count the same.
                let length = numbers
                    .iter()
                    .map(|(_, number)| number * number)
                    .sum::<f32>();
                let length = length.sqrt().max(f32::MIN_POSITIVE);
                numbers.iter_mut().for_each(|(_, number)| *number /= length);
            }
            rows.ends.push(rows.numbers.len());
            rows.classes.push(class);
        }
        Some(rows)
    }
}

/// Mean, deviation, least, largest, first and last number of each column.
fn figures(input: &Sequence) -> Vec<f32> {
    let Sequence::Values { width, values } = input else {
        return Vec::new();
    };
    let width = *width;
    let of_column = |column: usize| {
        let there = values.iter().skip(column).step_by(width).copied();
        let there: Vec<f32> = there.collect();
        let (Some(&first), Some(&last)) = (there.first(), there.last()) else {
            return [0.0; FIGURES];
        };
        let count = there.len() as f32;
        let mean = there.iter().sum::<f32>() / count;
        let squares = there.iter().map(|number| (number - mean).powi(2));
        let deviation = (squares.sum::<f32>() / count).sqrt();
        let least = there.iter().copied().fold(f32::INFINITY, f32::min);
        let most = there.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        [mean, deviation, least, most, first, last]
    };
    (0..width).flat_map(of_column).collect()
}

/// Logistic regression, a class against the rest; of two classes the second one.
struct Model {
    outputs: usize,
    /// `[features + 1, outputs]`: the last row is added to every answer.
    weights: Vec<f32>,
    /// The sum of each weight's squared gradients.
    squares: Vec<f32>,
    /// A row's answers.
    answers: Vec<f32>,
}

impl Model {
    fn new(features: usize, outputs: usize) -> Self {
        Self {
            outputs,
            weights: vec![0.0; (features + 1) * outputs],
            squares: vec![1e-6; (features + 1) * outputs],
            answers: vec![0.0; outputs],
        }
    }

    fn answer(&mut self, numbers: &[(u32, f32)]) {
        let last = self.weights.len() - self.outputs;
        self.answers.copy_from_slice(&self.weights[last..]);
        for &(feature, number) in numbers {
            let first = feature as usize * self.outputs;
            let weights = &self.weights[first..first + self.outputs];
            for (answer, weight) in self.answers.iter_mut().zip(weights) {
                *answer += number * weight;
            }
        }
    }

    /// Whether output `output` should say yes.
    fn wanted(&self, output: usize, class: u32) -> bool {
        match self.outputs {
            1 => class == 1,
            _ => class as usize == output,
        }
    }

    fn learn(&mut self, (numbers, class): (&[(u32, f32)], u32)) {
        self.answer(numbers);
        for output in 0..self.outputs {
            let probability = 1.0 / (1.0 + (-self.answers[output]).exp());
            let wanted = f32::from(u8::from(self.wanted(output, class)));
            self.answers[output] = probability - wanted;
        }
        let bias = (self.weights.len() / self.outputs - 1) as u32;
        for &(feature, number) in numbers.iter().chain([&(bias, 1.0)]) {
            let first = feature as usize * self.outputs;
            let places = first..first + self.outputs;
            let weights = self.weights[places.clone()].iter_mut();
            let squares = self.squares[places].iter_mut();
            for ((weight, squares), error) in weights.zip(squares).zip(&self.answers) {
                let gradient = number * error;
                *squares += gradient * gradient;
                *weight -= RATE * gradient / squares.sqrt();
            }
        }
    }

    /// The log loss of a row, of all outputs.
    fn loss(&mut self, (numbers, class): (&[(u32, f32)], u32)) -> f64 {
        self.answer(numbers);
        let losses = (0..self.outputs).map(|output| {
            let answer = f64::from(self.answers[output]);
            let against = if self.wanted(output, class) {
                -answer
            } else {
                answer
            };
            against.max(0.0) + (-against.abs()).exp().ln_1p()
        });
        losses.sum()
    }

    fn is_right(&mut self, (numbers, class): (&[(u32, f32)], u32)) -> bool {
        self.answer(numbers);
        let answered = match &self.answers[..] {
            [answer] => u32::from(*answer > 0.0),
            answers => {
                let likelier = |best: usize, other: usize| match answers[other] > answers[best] {
                    true => other,
                    false => best,
                };
                (1..answers.len()).fold(0, likelier) as u32
            }
        };
        answered == class
    }
}

#[cfg(test)]
mod tests {
    use gatefold_data::random::below;
    use gatefold_data::{Content, Dataset, Encoding, Labels, Record};

    use super::*;

    fn encoded(records: Vec<Record>, classes: usize, tokenizer: Tokenizer) -> EncodedDataset {
        let names = (0..classes).map(|class| format!("class {class}")).collect();
        let mut records = records;
        let test = records.split_off(records.len() * 3 / 4);
        let dataset = Dataset {
            labels: Some(Labels::new(names).unwrap()),
            train: records,
            test,
            ..Dataset::default()
        };
        let encoding = Encoding {
            tokenizer,
            vocabulary_size: 1000,
            max_length: 50,
            scale: None,
            validation_fraction: 0.2,
        };
        EncodedDataset::new(&dataset, &encoding).unwrap()
    }

    /// 400 texts of noise, each with what `words` says of its class.
    fn texts(classes: usize, words: impl Fn(usize) -> String) -> Vec<Record> {
        let rng = &mut generator(*b"tests\0\0\0", 1, 0);
        let text = |i: usize, rng: &mut _| {
            let class = i % classes;
            let noise = [below(90, rng), below(90, rng), below(90, rng)];
            let text = format!("n{} {} n{} n{}", noise[0], words(class), noise[1], noise[2]);
            Record::text(text, class as u32)
        };
        (0..400).map(|i| text(i, rng)).collect()
    }

    #[test]
    fn a_word_a_class_is_learnt() {
        for classes in [2, 3, 20] {
            let data = encoded(
                texts(classes, |class| format!("w{class}")),
                classes,
                Tokenizer::Keras,
            );
            // Of twenty classes there are twelve texts each.
            let least = if classes == 20 { 0.8 } else { 1.0 };
            let accuracy = baseline(&data).unwrap();
            assert!(accuracy >= least, "{classes}: {accuracy}");
        }
    }

    #[test]
    fn pairs_of_words_are_learnt_and_order_far_apart_is_not() {
        let pair = |class: usize| ["red cat", "cat red"][class].to_owned();
        assert_eq!(
            baseline(&encoded(texts(2, pair), 2, Tokenizer::Keras)),
            Some(1.0)
        );
        let far = |class: usize| ["x red x y x cat x", "x cat x y x red x"][class].to_owned();
        let far = texts(2, far);
        let accuracy = baseline(&encoded(far, 2, Tokenizer::Keras)).unwrap();
        assert!((0.3..0.7).contains(&accuracy), "{accuracy}");
    }

    #[test]
    fn characters_are_read_in_runs() {
        let words = |class: usize| ["ab cd", "abc d"][class].to_owned();
        assert_eq!(
            baseline(&encoded(texts(2, words), 2, Tokenizer::Characters)),
            Some(1.0)
        );
    }

    #[test]
    fn series_are_told_apart_by_their_figures() {
        let rng = &mut generator(*b"tests\0\0\0", 2, 0);
        let mut series = |shift: [f32; 3], class| {
            let mut noise = || below(1000, rng) as f32 / 1000.0;
            let mut values: Vec<f32> = (0..20).map(|_| noise()).collect();
            values[0] += 3.0 * shift[0];
            values.iter_mut().for_each(|value| *value += shift[1]);
            values
                .iter_mut()
                .skip(1)
                .step_by(2)
                .for_each(|value| *value *= 1.0 + shift[2]);
            Record {
                content: Content::Sequence(Sequence::Values { width: 2, values }),
                target: Target::Class(class),
            }
        };
        for shift in [[1.0, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 2.0]] {
            let records = (0..400).map(|i| match i % 2 {
                0 => series([0.0; 3], 0),
                _ => series(shift, 1),
            });
            let records = records.collect();
            let accuracy = baseline(&encoded(records, 2, Tokenizer::Keras)).unwrap();
            assert!(accuracy > 0.9, "{shift:?}: {accuracy}");
        }
        let alike = (0..400).map(|i| series([0.0; 3], i % 2)).collect();
        let accuracy = baseline(&encoded(alike, 2, Tokenizer::Keras)).unwrap();
        assert!((0.3..0.7).contains(&accuracy), "{accuracy}");
    }

    #[test]
    fn the_same_data_give_the_same_result_and_other_targets_none() {
        let data = encoded(
            texts(3, |class| format!("w{}", class / 2)),
            3,
            Tokenizer::Keras,
        );
        let first = baseline(&data).unwrap();
        assert_eq!(baseline(&data), Some(first));
        assert!(
            (0.5..0.9).contains(&first),
            "two of three look alike: {first}"
        );
        let mut other = data;
        other.labels = None;
        assert_eq!(baseline(&other), None);
    }
}
