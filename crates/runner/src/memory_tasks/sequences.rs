//! The tasks' sequences, drawn on the host: the same for a seed on every device and platform.

use std::ops::RangeInclusive;

use gatefold_data::random::{ChaCha8Rng, below, unit};

use super::Task;

/// Symbols to recall, and as many distractors.
const SYMBOLS: usize = 4;

/// Sequences and what a network should answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sequences {
    /// Row-major `[count, time, inputs]`, zero past a sequence's length.
    pub inputs: Vec<f32>,
    /// Timesteps of each sequence, `[count]`.
    pub lengths: Vec<i32>,
    /// Row-major `[count, outputs]`: the sum, or the symbol as a one-hot vector.
    pub targets: Vec<f32>,
    /// Timesteps of the longest.
    pub time: usize,
}

impl Task {
    /// Numbers a timestep.
    pub(super) fn inputs(self) -> usize {
        match self {
            Self::Adding => 2,
            Self::Recall => 2 * SYMBOLS,
        }
    }

    /// Numbers an answer.
    pub(super) fn outputs(self) -> usize {
        match self {
            Self::Adding => 1,
            Self::Recall => SYMBOLS,
        }
    }

    /// The score of the best answer that reads nothing: always 1, the mean of the sum, whose variance is
    /// that of two uniform numbers, 2/12; or always the same symbol.
    pub(super) fn chance(self) -> f64 {
        match self {
            Self::Adding => 1.0 / 6.0,
            Self::Recall => 1.0 / SYMBOLS as f64,
        }
    }

    /// `count` sequences, the length of each drawn from `lengths`, at least 2.
    pub(super) fn draw(
        self,
        count: usize,
        lengths: RangeInclusive<usize>,
        generator: &mut ChaCha8Rng,
    ) -> Sequences {
        let (shortest, time) = lengths.into_inner();
        let (width, outputs) = (self.inputs(), self.outputs());
        let mut sequences = Sequences {
            inputs: vec![0.0; count * time * width],
            lengths: Vec::with_capacity(count),
            targets: vec![0.0; count * outputs],
            time,
        };
        let rows = sequences.inputs.chunks_mut(time * width);
        for (row, target) in rows.zip(sequences.targets.chunks_mut(outputs)) {
            let length = shortest + below(time - shortest + 1, generator);
            sequences.lengths.push(length as i32);
            let row = &mut row[..length * width];
            match self {
                Self::Adding => add(row, target, generator),
                Self::Recall => recall(row, target, generator),
            }
        }
        sequences
    }
}

/// Timesteps of a number and a marker; one marker in each half of the sequence.
fn add(row: &mut [f32], target: &mut [f32], generator: &mut ChaCha8Rng) {
    for timestep in row.chunks_mut(2) {
        timestep[0] = unit(generator);
    }
    let length = row.len() / 2;
    let half = length / 2;
    for marked in [
        below(half, generator),
        half + below(length - half, generator),
    ] {
        row[2 * marked + 1] = 1.0;
        target[0] += row[2 * marked];
    }
}

/// One-hot timesteps: a symbol, then distractors.
fn recall(row: &mut [f32], target: &mut [f32], generator: &mut ChaCha8Rng) {
    let symbol = below(SYMBOLS, generator);
    target[symbol] = 1.0;
    let mut timesteps = row.chunks_mut(2 * SYMBOLS);
    timesteps.next().expect("a sequence has a first timestep")[symbol] = 1.0;
    for timestep in timesteps {
        timestep[SYMBOLS + below(SYMBOLS, generator)] = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use gatefold_data::random::generator;

    use super::*;

    const COUNT: usize = 2000;
    const LENGTH: usize = 11;

    fn drawn(task: Task, seed: u64) -> Sequences {
        task.draw(
            COUNT,
            LENGTH..=LENGTH,
            &mut generator(*b"testing\0", seed, 0),
        )
    }

    #[test]
    fn the_sum_is_that_of_one_marked_number_in_each_half() {
        let sequences = drawn(Task::Adding, 1);
        let mut marked_at = [0; LENGTH];
        for (row, target) in sequences.inputs.chunks(2 * LENGTH).zip(&sequences.targets) {
            let marked: Vec<usize> = (0..LENGTH).filter(|t| row[2 * t + 1] == 1.0).collect();
            assert_eq!(row.iter().skip(1).step_by(2).sum::<f32>(), 2.0);
            assert!(marked[0] < LENGTH / 2 && marked[1] >= LENGTH / 2);
            assert_eq!(*target, row[2 * marked[0]] + row[2 * marked[1]]);
            assert!(row.iter().all(|number| (0.0..=1.0).contains(number)));
            marked.iter().for_each(|&t| marked_at[t] += 1);
        }
        assert!(marked_at.iter().all(|&count| count > 250), "{marked_at:?}");
    }

    #[test]
    fn always_answering_1_scores_the_chance_of_the_adding_problem() {
        let sequences = drawn(Task::Adding, 2);
        let error: f32 = sequences
            .targets
            .iter()
            .map(|sum| (sum - 1.0).powi(2))
            .sum();
        let error = f64::from(error) / COUNT as f64;
        assert!((error - Task::Adding.chance()).abs() < 0.01, "{error}");
    }

    #[test]
    fn the_first_token_alone_is_a_symbol_and_each_as_often() {
        let sequences = drawn(Task::Recall, 1);
        let mut counts = [0; 2 * SYMBOLS];
        for (row, target) in sequences
            .inputs
            .chunks(2 * SYMBOLS * LENGTH)
            .zip(sequences.targets.chunks(SYMBOLS))
        {
            assert_eq!(row[..SYMBOLS], *target);
            for (t, timestep) in row.chunks(2 * SYMBOLS).enumerate() {
                let hot: Vec<usize> = (0..2 * SYMBOLS).filter(|&i| timestep[i] != 0.0).collect();
                assert!(hot.len() == 1 && timestep[hot[0]] == 1.0);
                assert_eq!(hot[0] < SYMBOLS, t == 0);
                counts[hot[0]] += 1;
            }
        }
        let even = |counts: &[i32], share: i32| {
            counts.iter().all(|count| (count - share).abs() < share / 5)
        };
        assert!(even(&counts[..SYMBOLS], COUNT as i32 / 4), "{counts:?}");
        assert!(
            even(&counts[SYMBOLS..], (COUNT * (LENGTH - 1)) as i32 / 4),
            "{counts:?}"
        );
    }

    #[test]
    fn lengths_fill_their_range_and_nothing_stands_past_them() {
        let generator = &mut generator(*b"testing\0", 1, 0);
        let sequences = Task::Recall.draw(COUNT, 2..=LENGTH, generator);
        for length in 2..=LENGTH as i32 {
            let count = sequences.lengths.iter().filter(|&&l| l == length).count();
            assert!(
                count.abs_diff(COUNT / 10) < COUNT / 50,
                "{count} of {length}"
            );
        }
        let rows = sequences.inputs.chunks(2 * SYMBOLS * LENGTH);
        for (row, &length) in rows.zip(&sequences.lengths) {
            assert_eq!(row.iter().sum::<f32>(), length as f32);
            assert!(
                row[2 * SYMBOLS * length as usize..]
                    .iter()
                    .all(|&x| x == 0.0)
            );
        }
    }

    #[test]
    fn a_seed_settles_the_sequences() {
        for task in [Task::Adding, Task::Recall] {
            assert_eq!(drawn(task, 3), drawn(task, 3));
            assert_ne!(drawn(task, 3), drawn(task, 4));
        }
    }
}
