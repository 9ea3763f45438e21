//! The classic memory tasks: what must be remembered is known, and so is for how long.
//!
//! - *Adding problem* (Hochreiter and Schmidhuber 1997, experiment 4, with a marker in each half as in
//!   Arjovsky et al. 2016): a sequence of numbers from [0, 1), two of them marked; the answer is the sum of
//!   those two.
//! - *First-token recall* (after Hochreiter and Schmidhuber 1997, experiment 2): a symbol, then distractors;
//!   the answer is the symbol.
//!
//! A simple RNN solves both while the sequences are short; an LSTM or a GRU where they are long too.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::dataset::{Content, Dataset, Record};
use crate::error::{DataError, Result};
use crate::example::Target;
use crate::labels::Labels;
use crate::random::{ChaCha8Rng, below, generator, unit};
use crate::sequence::Sequence;

/// Sequences to train on.
const TRAIN: usize = 12_800;
/// Sequences to choose the best epoch with.
const VALIDATION: usize = 256;
/// Sequences to test on.
const TEST: usize = 1024;

/// Timesteps of the shortest sequences: two numbers to add, or a symbol and a distractor.
const SHORTEST: usize = 2;

/// Timesteps of the longest: all sequences together take a gigabyte.
const LONGEST: usize = 4096;

/// Symbols to recall, and as many distractors.
const SYMBOLS: usize = 4;

/// A task that asks for memory: what must be remembered is known, and so is for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryTask {
    /// Two numbers, marked in a sequence of numbers and one in each half of it, to be added.
    Adding,
    /// The first token of a sequence, to be named.
    Recall,
}

impl MemoryTask {
    /// The sequences of `seed`: 12 800 to train on, of 2 to `length` timesteps and each length as likely, 256 to
    /// validate and 1024 to test on, of `length` timesteps. The same on every platform.
    ///
    /// # Errors
    /// [`DataError::TaskLength`] if `length` is below 2 or above 4096.
    pub fn dataset(self, length: usize, seed: u64) -> Result<Dataset> {
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(DataError::TaskLength {
                task: self.name(),
                shortest: SHORTEST,
                longest: LONGEST,
                length,
            });
        }
        let draw = |stream, count, lengths| {
            self.draw(count, lengths, &mut generator(*b"memory\0\0", seed, stream))
        };
        let symbols = || Labels::new(["A", "B", "C", "D"].map(String::from).to_vec());
        Ok(Dataset {
            labels: match self {
                Self::Adding => None,
                Self::Recall => Some(symbols()?),
            },
            train: draw(1, TRAIN, SHORTEST..=length),
            validation: draw(0, VALIDATION, length..=length),
            test: draw(2, TEST, length..=length),
            ..Dataset::default()
        })
    }

    /// Numbers a timestep.
    pub fn inputs(self) -> usize {
        match self {
            Self::Adding => 2,
            Self::Recall => 2 * SYMBOLS,
        }
    }

    /// Numbers an answer.
    pub fn outputs(self) -> usize {
        match self {
            Self::Adding => 1,
            Self::Recall => SYMBOLS,
        }
    }

    /// The score of the best answer that reads nothing: always 1, the mean of the sum, whose variance is
    /// that of two uniform numbers, 2/12; or always the same symbol.
    pub fn chance(self) -> f64 {
        match self {
            Self::Adding => 1.0 / 6.0,
            Self::Recall => 1.0 / SYMBOLS as f64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Adding => "adding problem",
            Self::Recall => "first-token recall",
        }
    }

    /// `count` sequences, the length of each drawn from `lengths`, at least 2.
    fn draw(
        self,
        count: usize,
        lengths: RangeInclusive<usize>,
        generator: &mut ChaCha8Rng,
    ) -> Vec<Record> {
        let (shortest, longest) = lengths.into_inner();
        let width = self.inputs();
        let record = |_| {
            let length = shortest + below(longest - shortest + 1, generator);
            let mut values = vec![0.0; length * width];
            let target = match self {
                Self::Adding => Target::Values(vec![add(&mut values, generator)]),
                Self::Recall => Target::Class(recall(&mut values, generator)),
            };
            let content = Content::Sequence(Sequence::Values { width, values });
            Record { content, target }
        };
        (0..count).map(record).collect()
    }
}

impl fmt::Display for MemoryTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Timesteps of a number and a marker; one marker in each half of the sequence. Gives the sum.
fn add(values: &mut [f32], generator: &mut ChaCha8Rng) -> f32 {
    for timestep in values.chunks_mut(2) {
        timestep[0] = unit(generator);
    }
    let length = values.len() / 2;
    let half = length / 2;
    let mut sum = 0.0;
    for marked in [
        below(half, generator),
        half + below(length - half, generator),
    ] {
        values[2 * marked + 1] = 1.0;
        sum += values[2 * marked];
    }
    sum
}

/// One-hot timesteps: a symbol, then distractors. Gives the symbol.
fn recall(values: &mut [f32], generator: &mut ChaCha8Rng) -> u32 {
    let symbol = below(SYMBOLS, generator);
    let mut timesteps = values.chunks_mut(2 * SYMBOLS);
    timesteps.next().expect("a sequence has a first timestep")[symbol] = 1.0;
    for timestep in timesteps {
        timestep[SYMBOLS + below(SYMBOLS, generator)] = 1.0;
    }
    symbol as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::golden;

    const COUNT: usize = 2000;
    const LENGTH: usize = 11;

    fn drawn(task: MemoryTask, seed: u64) -> Vec<Record> {
        task.draw(
            COUNT,
            LENGTH..=LENGTH,
            &mut generator(*b"testing\0", seed, 0),
        )
    }

    /// The numbers of a sequence.
    fn values(record: &Record) -> &[f32] {
        match &record.content {
            Content::Sequence(Sequence::Values { values, .. }) => values,
            other => panic!("{other:?} holds no values"),
        }
    }

    /// The sum of the adding problem.
    fn sum(record: &Record) -> f32 {
        match &record.target {
            Target::Values(values) => values[0],
            other => panic!("{other:?} is no sum"),
        }
    }

    #[test]
    fn the_sum_is_that_of_one_marked_number_in_each_half() {
        let mut marked_at = [0; LENGTH];
        for record in drawn(MemoryTask::Adding, 1) {
            let row = values(&record);
            let marked: Vec<usize> = (0..LENGTH).filter(|t| row[2 * t + 1] == 1.0).collect();
            assert_eq!(row.iter().skip(1).step_by(2).sum::<f32>(), 2.0);
            assert!(marked[0] < LENGTH / 2 && marked[1] >= LENGTH / 2);
            assert_eq!(sum(&record), row[2 * marked[0]] + row[2 * marked[1]]);
            assert!(row.iter().all(|number| (0.0..=1.0).contains(number)));
            marked.iter().for_each(|&t| marked_at[t] += 1);
        }
        assert!(marked_at.iter().all(|&count| count > 250), "{marked_at:?}");
    }

    #[test]
    fn always_answering_1_scores_the_chance_of_the_adding_problem() {
        let error: f32 = drawn(MemoryTask::Adding, 2)
            .iter()
            .map(|record| (sum(record) - 1.0).powi(2))
            .sum();
        let error = f64::from(error) / COUNT as f64;
        assert!(
            (error - MemoryTask::Adding.chance()).abs() < 0.01,
            "{error}"
        );
    }

    #[test]
    fn the_first_token_alone_is_a_symbol_and_each_as_often() {
        let mut counts = [0; 2 * SYMBOLS];
        for record in drawn(MemoryTask::Recall, 1) {
            for (t, timestep) in values(&record).chunks(2 * SYMBOLS).enumerate() {
                let hot: Vec<usize> = (0..2 * SYMBOLS).filter(|&i| timestep[i] != 0.0).collect();
                assert!(hot.len() == 1 && timestep[hot[0]] == 1.0);
                assert_eq!(hot[0] < SYMBOLS, t == 0);
                assert!(t > 0 || record.target == Target::Class(hot[0] as u32));
                counts[hot[0]] += 1;
            }
        }
        let even = |counts: &[i32], share: i32| {
            counts.iter().all(|count| (count - share).abs() < share / 5)
        };
        assert!(even(&counts[..SYMBOLS], COUNT as i32 / 4), "{counts:?}");
        let distractors = (COUNT * (LENGTH - 1)) as i32;
        assert!(even(&counts[SYMBOLS..], distractors / 4), "{counts:?}");
    }

    #[test]
    fn lengths_fill_their_range() {
        let records =
            MemoryTask::Recall.draw(COUNT, 2..=LENGTH, &mut generator(*b"testing\0", 1, 0));
        let mut counts = [0_usize; LENGTH + 1];
        for record in &records {
            let row = values(record);
            let length = row.len() / (2 * SYMBOLS);
            assert_eq!(row.iter().sum::<f32>(), length as f32);
            counts[length] += 1;
        }
        assert_eq!(counts[..2], [0, 0]);
        let even = |count: &usize| count.abs_diff(COUNT / 10) < COUNT / 50;
        assert!(counts[2..].iter().all(even), "{counts:?}");
    }

    #[test]
    fn a_dataset_has_its_splits_widths_and_labels() {
        for task in [MemoryTask::Adding, MemoryTask::Recall] {
            let dataset = task.dataset(5, 3).unwrap();
            assert_eq!(dataset, task.dataset(5, 3).unwrap());
            assert_ne!(dataset.train, task.dataset(5, 4).unwrap().train);
            assert_ne!(dataset.test[..256], dataset.validation);
            let splits = [&dataset.train, &dataset.validation, &dataset.test];
            assert_eq!(splits.map(|split| split.len()), [12_800, 256, 1024]);
            for (split, shortest) in splits.into_iter().zip([2, 5, 5]) {
                let lengths = split
                    .iter()
                    .map(|record| values(record).len() / task.inputs());
                assert_eq!(lengths.clone().min(), Some(shortest));
                assert_eq!(lengths.max(), Some(5));
            }
            let outputs = dataset.labels.map_or(1, |labels| labels.len());
            assert_eq!(outputs, task.outputs());
        }
    }

    #[test]
    fn a_length_without_anything_to_remember_is_refused() {
        for length in 0..2 {
            let message = MemoryTask::Recall
                .dataset(length, 1)
                .unwrap_err()
                .to_string();
            let expected = format!(
                "the first-token recall needs a length of at least 2 and at most 4096, not {length}"
            );
            assert_eq!(message, expected);
        }
        assert!(MemoryTask::Adding.dataset(2, 1).is_ok());
    }

    /// A run's data are the same on every platform and in every version.
    #[test]
    fn the_sequences_of_a_seed_are_fixed_for_all_time() {
        let hash = |task: MemoryTask| {
            let dataset = task.dataset(LENGTH, 42).unwrap();
            let bytes = |record: &Record| {
                let row = values(record);
                let mut bytes = ((row.len() / task.inputs()) as u64).to_le_bytes().to_vec();
                bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
                bytes.extend(match &record.target {
                    Target::Class(class) => class.to_le_bytes(),
                    _ => sum(record).to_le_bytes(),
                });
                bytes
            };
            golden::hash(
                dataset
                    .train
                    .iter()
                    .chain(&dataset.validation)
                    .flat_map(bytes),
            )
        };
        assert_eq!(hash(MemoryTask::Adding), 2_621_579_265_431_433_019);
        assert_eq!(hash(MemoryTask::Recall), 7_292_988_306_878_565_865);
    }
}
