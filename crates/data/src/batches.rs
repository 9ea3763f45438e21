//! From examples to the padded arrays that a network reads.

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::example::{Example, Target};
use crate::random::{generator, shuffle};
use crate::sequence::Sequence;
use crate::vocabulary::Vocabulary;

/// Batches whose examples are sorted by length together. More makes rows of a batch more alike in
/// length and so wastes less work on padding; fewer keeps batches more random.
const BATCHES_PER_POOL: usize = 32;

/// How long the rows of a batch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As long as the longest sequence of the batch; every row's own length is known, so that padding
    /// is not read.
    Longest,
    /// Always this long, and every length is this one: the network reads padding as if it were
    /// data. That is Keras without a mask.
    Fixed(usize),
    /// The same, with the padding before a sequence, as Keras's `pad_sequences` has it unless it is told otherwise.
    FixedBefore(usize),
}

/// What a network reads of a batch, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchInput {
    /// Ids `[size, time]`, [`Vocabulary::PADDING`] past a row's end, or before it.
    Tokens(Vec<i32>),
    /// Numbers `[size, time, width]`, 0 past a row's end, or before it.
    Values {
        /// Numbers a timestep.
        width: usize,
        /// All numbers.
        values: Vec<f32>,
    },
}

/// What a network should answer to a batch, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchTargets {
    /// Classes `[size]`, or `[size, time]` where there is one a timestep; -1 where there is none: in the padding of a
    /// row, whatever its length says, and for an example without a target.
    Classes(Vec<i32>),
    /// The classes that each example has, `[size]`; none for an example without a target.
    ClassSets(Vec<Option<Vec<u32>>>),
    /// Numbers `[size, width]`.
    Values {
        /// Numbers an example.
        width: usize,
        /// All numbers.
        values: Vec<f32>,
    },
}

/// A batch of examples, padded.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// What to read; of no examples at all, no ids.
    pub input: BatchInput,
    /// How many timesteps of each row to read, `[size]`.
    pub lengths: Vec<i32>,
    /// What to answer; nothing if no example has a target.
    pub targets: Option<BatchTargets>,
    /// Rows.
    pub size: usize,
    /// Timesteps a row.
    pub time: usize,
    /// The position of each row among the examples, `[size]`.
    pub indices: Vec<usize>,
}

impl Batch {
    /// Reads each of the `words` as the `unknown` one with the probability `share`: word dropout (Iyyer et al. 2015). What
    /// is no word, as padding and the start, stays.
    pub fn drop_words(
        &mut self,
        share: f64,
        words: Range<u32>,
        unknown: u32,
        generator: &mut ChaCha8Rng,
    ) {
        let BatchInput::Tokens(ids) = &mut self.input else {
            return;
        };
        let first_kept = (share * 2f64.powi(32)) as u32;
        for id in ids {
            let is_word = u32::try_from(*id).is_ok_and(|id| words.contains(&id));
            if is_word && generator.next_u32() < first_kept {
                *id = unknown as i32;
            }
        }
    }
}

/// How examples are cut into batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Examples a batch, at least 1; an epoch's remainder makes one smaller batch.
    pub batch_size: usize,
    /// How long the rows are.
    pub padding: Padding,
}

impl Batching {
    /// Which examples each batch of an epoch holds; together they hold every example once.
    ///
    /// The examples are shuffled. With [`Padding::Longest`], pools of 32 batches are then sorted by
    /// length and cut, and the batches are shuffled. The same seed and epoch give the same plan, on
    /// every platform.
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn training_plan(&self, examples: &[Example], seed: u64, epoch: u64) -> Vec<Vec<usize>> {
        let mut generator = generator(*b"batches\0", seed, epoch);
        let mut order: Vec<usize> = (0..examples.len()).collect();
        shuffle(&mut order, &mut generator);
        if self.padding == Padding::Longest {
            for pool in order.chunks_mut(self.batch_size.saturating_mul(BATCHES_PER_POOL)) {
                // Stable, so that examples of one length stay shuffled.
                pool.sort_by_key(|&index| examples[index].input.len());
            }
        }
        let mut plan = self.cut(&order);
        shuffle(&mut plan, &mut generator);
        plan
    }

    /// Which examples each batch of an evaluation holds: every example once, the shortest first.
    ///
    /// # Panics
    /// If the batch size is 0.
    pub fn evaluation_plan(&self, examples: &[Example]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..examples.len()).collect();
        order.sort_by_key(|&index| examples[index].input.len());
        self.cut(&order)
    }

    fn cut(&self, order: &[usize]) -> Vec<Vec<usize>> {
        order
            .chunks(self.batch_size)
            .map(<[usize]>::to_vec)
            .collect()
    }

    /// The examples at `indices`, padded. Where the rows' length is fixed, only the last timesteps of a longer
    /// example stay, and only their targets.
    ///
    /// # Panics
    /// If an index is out of bounds, the rows are longer than an `i32` can tell, or the examples do not go
    /// together: inputs or targets of several kinds or widths, fewer classes than timesteps where there is one a
    /// timestep, or numbers to answer to some of them only.
    pub fn batch(&self, examples: &[Example], indices: &[usize]) -> Batch {
        let rows: Vec<&Example> = indices.iter().map(|&index| &examples[index]).collect();
        let time = match self.padding {
            // A text of which nothing is read has length 0; a batch of such texts has a timestep that none of them reads.
            Padding::Longest => rows
                .iter()
                .map(|row| row.input.len().max(1))
                .max()
                .unwrap_or(0),
            Padding::Fixed(time) | Padding::FixedBefore(time) => time,
        };
        let is_before = matches!(self.padding, Padding::FixedBefore(_));
        let length = i32::try_from(time).expect("a row's length is an i32");
        let lengths = rows.iter().map(|row| match self.padding {
            Padding::Longest => row.input.len() as i32,
            Padding::Fixed(_) | Padding::FixedBefore(_) => length,
        });
        Batch {
            input: input(&rows, time, is_before),
            lengths: lengths.collect(),
            targets: targets(&rows, time, is_before),
            size: rows.len(),
            time,
            indices: indices.to_vec(),
        }
    }
}

fn input(rows: &[&Example], time: usize, is_before: bool) -> BatchInput {
    match rows.first().map(|row| &row.input) {
        Some(&Sequence::Values { width, .. }) => {
            let values = padded(rows, time * width, is_before, 0.0, |row| match &row.input {
                Sequence::Values { width: own, values } if *own == width => values.iter().copied(),
                _ => {
                    panic!("all sequences of a batch have {width} numbers a timestep, or none has")
                }
            });
            BatchInput::Values { width, values }
        }
        _ => BatchInput::Tokens(padded(
            rows,
            time,
            is_before,
            Vocabulary::PADDING as i32,
            |row| match &row.input {
                Sequence::Tokens(ids) => ids.iter().map(|&id| id as i32),
                Sequence::Values { .. } => {
                    panic!("all sequences of a batch are tokens, or none is")
                }
            },
        )),
    }
}

fn targets(rows: &[&Example], time: usize, is_before: bool) -> Option<BatchTargets> {
    let first = rows.iter().find_map(|row| row.target.as_ref())?;
    Some(match first {
        Target::Class(_) => {
            BatchTargets::Classes(padded(rows, 1, false, -1, |row| match &row.target {
                Some(Target::Class(class)) => Some(*class as i32).into_iter(),
                None => None.into_iter(),
                _ => panic!("all targets of a batch are one class, or none is"),
            }))
        }
        Target::Classes(_) => BatchTargets::Classes(padded(rows, time, is_before, -1, |row| {
            let classes = match &row.target {
                Some(Target::Classes(classes)) => {
                    assert_eq!(
                        classes.len(),
                        row.input.len(),
                        "there is a class for every timestep"
                    );
                    &classes[..]
                }
                None => &[],
                _ => panic!("all targets of a batch are a class a timestep, or none is"),
            };
            classes.iter().map(|&class| class as i32)
        })),
        Target::ClassSet(_) => {
            let set = |row: &&Example| match &row.target {
                Some(Target::ClassSet(classes)) => Some(classes.clone()),
                None => None,
                _ => panic!("all targets of a batch are a set of classes, or none is"),
            };
            BatchTargets::ClassSets(rows.iter().map(set).collect())
        }
        Target::Values(first) => {
            let width = first.len();
            let values = padded(rows, width, false, 0.0, |row| match &row.target {
                Some(Target::Values(values)) if values.len() == width => values.iter().copied(),
                _ => panic!("all targets of a batch are {width} numbers, or none is"),
            });
            BatchTargets::Values { width, values }
        }
    })
}

/// The last `width` items of each row, side by side, and `padding` after them, or before.
fn padded<'a, T: Copy, I: ExactSizeIterator<Item = T>>(
    rows: &[&'a Example],
    width: usize,
    is_before: bool,
    padding: T,
    items: impl Fn(&'a Example) -> I,
) -> Vec<T> {
    let mut padded = vec![padding; rows.len() * width];
    for (index, row) in rows.iter().enumerate() {
        let items = items(row);
        let surplus = items.len().saturating_sub(width);
        let before = match is_before {
            true => width.saturating_sub(items.len()),
            false => 0,
        };
        let places = &mut padded[index * width + before..];
        for (place, item) in places.iter_mut().zip(items.skip(surplus)) {
            *place = item;
        }
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Token ids from 1 on; the class is whether the length is odd.
    fn examples(lengths: &[usize]) -> Vec<Example> {
        let example = |&length: &usize| Example {
            input: Sequence::Tokens((1..=length as u32).collect()),
            target: Some(Target::Class(length as u32 % 2)),
        };
        lengths.iter().map(example).collect()
    }

    /// Pairs of numbers from 0 on.
    fn values(length: usize, target: Option<Target>) -> Example {
        let values = (0..2 * length).map(|number| number as f32).collect();
        let input = Sequence::Values { width: 2, values };
        Example { input, target }
    }

    fn ids(batch: &Batch) -> &[i32] {
        match &batch.input {
            BatchInput::Tokens(ids) => ids,
            other => panic!("{other:?} are no ids"),
        }
    }

    fn batching(batch_size: usize, padding: Padding) -> Batching {
        Batching {
            batch_size,
            padding,
        }
    }

    #[test]
    fn pads_to_the_longest_and_tells_lengths() {
        let batch = batching(2, Padding::Longest).batch(&examples(&[5, 2, 3]), &[2, 1]);
        assert_eq!((batch.size, batch.time), (2, 3));
        assert_eq!(ids(&batch), [1, 2, 3, 1, 2, 0]);
        assert_eq!(batch.lengths, [3, 2]);
        assert_eq!(batch.targets, Some(BatchTargets::Classes(vec![1, 0])));
        assert_eq!(batch.indices, [2, 1]);
    }

    #[test]
    fn words_are_dropped_and_nothing_else_is() {
        let batch = batching(2, Padding::Longest).batch(&examples(&[5000, 2000]), &[0, 1]);
        let dropped = |share, stream| {
            let mut batch = batch.clone();
            batch.drop_words(
                share,
                3..4000,
                2,
                &mut generator(*b"tests\0\0\0", 1, stream),
            );
            ids(&batch).to_vec()
        };
        let found = dropped(0.25, 0);
        let mut gone = 0;
        for (found, id) in found.iter().zip(ids(&batch)) {
            let stays = *id < 3 || *id >= 4000;
            assert!(found == id || (!stays && *found == 2), "{id} is {found}");
            gone += usize::from(found != id);
        }
        assert!((1300..1700).contains(&gone), "{gone} of 5994");
        assert_eq!(found, dropped(0.25, 0));
        assert_ne!(found, dropped(0.25, 1));
        assert_eq!(ids(&batch), dropped(0.0, 0));
    }

    #[test]
    fn a_fixed_length_reads_padding_as_words() {
        let batch = batching(2, Padding::Fixed(4)).batch(&examples(&[5, 2]), &[0, 1]);
        assert_eq!(ids(&batch), [2, 3, 4, 5, 1, 2, 0, 0]);
        assert_eq!(batch.lengths, [4, 4]);
    }

    #[test]
    fn padding_may_stand_before_a_sequence() {
        let before = batching(2, Padding::FixedBefore(4));
        let batch = before.batch(&examples(&[5, 2]), &[0, 1]);
        assert_eq!(ids(&batch), [2, 3, 4, 5, 0, 0, 1, 2]);
        assert_eq!((batch.time, &batch.lengths[..]), (4, &[4, 4][..]));
        assert_eq!(batch.targets, Some(BatchTargets::Classes(vec![1, 0])));
        let example = values(1, Some(Target::Classes(vec![7])));
        let batch = batching(1, Padding::FixedBefore(3)).batch(&[example], &[0]);
        let expected = vec![0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        assert_eq!(
            batch.input,
            BatchInput::Values {
                width: 2,
                values: expected
            }
        );
        assert_eq!(batch.targets, Some(BatchTargets::Classes(vec![-1, -1, 7])));
    }

    #[test]
    fn a_text_of_which_nothing_is_read_is_padding_alone() {
        for (padding, expected, lengths) in [
            (Padding::Longest, &[0, 1][..], [0, 1]),
            (Padding::Fixed(2), &[0, 0, 1, 0], [2, 2]),
            (Padding::FixedBefore(2), &[0, 0, 0, 1], [2, 2]),
        ] {
            let batch = batching(2, padding).batch(&examples(&[0, 1]), &[0, 1]);
            assert_eq!((ids(&batch), &batch.lengths[..]), (expected, &lengths[..]));
        }
        let batch = batching(2, Padding::Longest).batch(&examples(&[0, 0]), &[0, 1]);
        assert_eq!((batch.time, batch.lengths), (1, vec![0, 0]));
    }

    #[test]
    fn numbers_are_padded_by_timesteps() {
        let example = |length| values(length, Some(Target::Values(vec![length as f32, 0.5])));
        let examples = [example(3), example(1)];
        let batch = batching(2, Padding::Longest).batch(&examples, &[1, 0]);
        let expected = vec![0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(
            batch.input,
            BatchInput::Values {
                width: 2,
                values: expected
            }
        );
        assert_eq!((batch.time, &batch.lengths[..]), (3, &[1, 3][..]));
        let expected = vec![1.0, 0.5, 3.0, 0.5];
        assert_eq!(
            batch.targets,
            Some(BatchTargets::Values {
                width: 2,
                values: expected
            })
        );
        let batch = batching(2, Padding::Fixed(2)).batch(&examples, &[0]);
        assert_eq!(
            batch.input,
            BatchInput::Values {
                width: 2,
                values: vec![2.0, 3.0, 4.0, 5.0]
            }
        );
    }

    #[test]
    fn a_class_a_timestep_ends_where_its_sequence_does() {
        let classes = |length| Some(Target::Classes((10..10 + length as u32).collect()));
        let examples = [
            values(3, classes(3)),
            values(1, classes(1)),
            values(2, None),
        ];
        let targets = |padding| batching(3, padding).batch(&examples, &[0, 1, 2]).targets;
        let expected = vec![10, 11, 12, 10, -1, -1, -1, -1, -1];
        assert_eq!(
            targets(Padding::Longest),
            Some(BatchTargets::Classes(expected))
        );
        let expected = vec![11, 12, 10, -1, -1, -1];
        assert_eq!(
            targets(Padding::Fixed(2)),
            Some(BatchTargets::Classes(expected))
        );
        let lengths = batching(3, Padding::Fixed(2))
            .batch(&examples, &[1])
            .lengths;
        assert_eq!(lengths, [2]);
    }

    #[test]
    fn examples_without_targets_have_none_to_answer() {
        let mut examples = examples(&[3, 1]);
        examples[0] = examples[0].input.clone().into();
        let targets = |indices: &[usize]| {
            batching(2, Padding::Longest)
                .batch(&examples, indices)
                .targets
        };
        assert_eq!(targets(&[0]), None);
        assert_eq!(targets(&[0, 1]), Some(BatchTargets::Classes(vec![-1, 1])));
        examples[1].target = Some(Target::ClassSet(vec![0, 2]));
        let sets = batching(2, Padding::Longest).batch(&examples, &[0, 1]);
        let expected = BatchTargets::ClassSets(vec![None, Some(vec![0, 2])]);
        assert_eq!(sets.targets, Some(expected));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let number = || Some(Target::Values(vec![1.0]));
        let class = || Some(Target::Class(1));
        let classes = || Some(Target::Classes(vec![1]));
        let one_of = |width| {
            Example::from(Sequence::Values {
                width,
                values: vec![1.0; width],
            })
        };
        for (one, other, reason) in [
            (
                values(1, None),
                examples(&[1]).remove(0),
                "have 2 numbers a timestep",
            ),
            (values(1, None), one_of(3), "have 2 numbers a timestep"),
            (examples(&[1]).remove(0), values(1, class()), "are tokens"),
            (values(1, class()), values(1, classes()), "are one class"),
            (
                values(1, classes()),
                values(1, class()),
                "are a class a timestep",
            ),
            (
                values(1, classes()),
                values(2, classes()),
                "a class for every timestep",
            ),
            (values(1, number()), values(1, class()), "are 1 numbers"),
            (
                values(1, number()),
                values(1, Some(Target::Values(vec![1.0; 2]))),
                "are 1 numbers",
            ),
            (values(1, number()), values(1, None), "are 1 numbers"),
        ] {
            let batch = || batching(2, Padding::Longest).batch(&[one, other], &[0, 1]);
            let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(batch));
            let panic = refused.expect_err(reason);
            let message = panic.downcast_ref::<String>().cloned();
            let message =
                message.unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap().to_string());
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn no_indices_make_an_empty_batch() {
        let batch = batching(2, Padding::Longest).batch(&examples(&[5, 2]), &[]);
        assert_eq!((batch.size, batch.time, ids(&batch).len()), (0, 0, 0));
    }

    #[test]
    fn training_batches_waste_little_on_padding() {
        let lengths: Vec<usize> = (0..4096).map(|index| 10 + (index * 7919) % 240).collect();
        let examples = examples(&lengths);
        let batching = batching(32, Padding::Longest);
        let plan = batching.training_plan(&examples, 42, 0);
        let padded: usize = plan
            .iter()
            .map(|indices| ids(&batching.batch(&examples, indices)).len())
            .sum();
        let real: usize = lengths.iter().sum();
        assert!(
            padded as f64 <= 1.06 * real as f64,
            "{padded} ids for {real} tokens"
        );
        let mean_of_first_half: usize = plan[..64]
            .iter()
            .flatten()
            .map(|&index| lengths[index])
            .sum::<usize>()
            / (64 * 32);
        assert!(
            (110..150).contains(&mean_of_first_half),
            "batches are ordered by length: {mean_of_first_half}"
        );
    }

    #[test]
    fn seed_and_epoch_choose_the_plan() {
        let examples = examples(&[3; 100]);
        for padding in [Padding::Longest, Padding::Fixed(3)] {
            let plan = |seed, epoch| batching(8, padding).training_plan(&examples, seed, epoch);
            assert_eq!(plan(42, 1), plan(42, 1));
            assert_ne!(plan(42, 1), plan(42, 2));
            assert_ne!(plan(42, 1), plan(43, 1));
        }
    }

    #[test]
    #[should_panic(expected = "a row's length is an i32")]
    fn a_row_whose_length_cannot_be_told_is_refused() {
        batching(1, Padding::Fixed(1 << 31)).batch(&examples(&[1]), &[0]);
    }

    /// The plan of 1000 reviews whose lengths follow a fixed rule, in all epochs' forms: another
    /// library version, platform or processor that changed it would change every run.
    #[test]
    fn the_plan_of_a_seed_is_fixed_for_all_time() {
        let lengths: Vec<usize> = (0..1000).map(|index| 1 + (index * index) % 257).collect();
        let examples = examples(&lengths);
        let hash = |padding| {
            let mut numbers = Vec::new();
            for epoch in 1..4 {
                for batch in batching(32, padding).training_plan(&examples, 42, epoch) {
                    numbers.push(batch.len() as u64);
                    numbers.extend(batch.into_iter().map(|index| index as u64));
                }
            }
            crate::random::golden::hash(numbers.into_iter().flat_map(u64::to_le_bytes))
        };
        assert_eq!(hash(Padding::Longest), 16_277_242_036_959_691_885);
        assert_eq!(hash(Padding::Fixed(256)), 12_163_098_443_797_001_221);
    }

    fn is_partition(plan: &[Vec<usize>], count: usize, batch_size: usize) -> bool {
        let mut all: Vec<usize> = plan.iter().flatten().copied().collect();
        all.sort_unstable();
        let full = plan
            .iter()
            .filter(|indices| indices.len() == batch_size)
            .count();
        all.into_iter().eq(0..count)
            && full == count / batch_size
            && plan.len() == count.div_ceil(batch_size)
    }

    proptest! {
        #[test]
        fn plans_hold_every_example_once(
            lengths in prop::collection::vec(1usize..20, 0..600),
            batch_size in 1usize..40,
            longest in any::<bool>(),
            seed in any::<u64>(),
            epoch in any::<u64>(),
        ) {
            let examples = examples(&lengths);
            let padding = if longest { Padding::Longest } else { Padding::Fixed(8) };
            let batching = batching(batch_size, padding);
            let training = batching.training_plan(&examples, seed, epoch);
            prop_assert!(is_partition(&training, lengths.len(), batch_size));
            let evaluation = batching.evaluation_plan(&examples);
            prop_assert!(is_partition(&evaluation, lengths.len(), batch_size));
        }

        #[test]
        fn a_batch_holds_its_examples_and_nothing_else(
            lengths in prop::collection::vec(1usize..20, 1..40),
        ) {
            let examples = examples(&lengths);
            let indices: Vec<usize> = (0..lengths.len()).rev().collect();
            let batch = batching(1, Padding::Longest).batch(&examples, &indices);
            prop_assert_eq!(Some(&batch.time), lengths.iter().max());
            for (row, &index) in ids(&batch).chunks(batch.time).zip(&indices) {
                let expected: Vec<i32> = (1..=lengths[index] as i32).collect();
                prop_assert_eq!(&row[..lengths[index]], expected);
                prop_assert!(row[lengths[index]..].iter().all(|&id| id == 0));
            }
            let expected: Vec<i32> = indices.iter().map(|&index| lengths[index] as i32).collect();
            prop_assert_eq!(batch.lengths, expected);
        }
    }
}
