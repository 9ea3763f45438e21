//! From encoded reviews to the padded arrays that a network reads.

use rayon::prelude::*;

use crate::dataset::Review;
use crate::random::{generator, shuffle};
use crate::vocabulary::Vocabulary;

/// Batches whose examples are sorted by length together. More makes rows of a batch more alike in
/// length and so wastes less work on padding; fewer keeps batches more random.
const BATCHES_PER_POOL: usize = 32;

/// An encoded review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Token ids, from the start token or from where the review was cut.
    pub ids: Vec<u32>,
    /// Whether the reviewer liked the film.
    pub positive: bool,
}

/// Encodes reviews in parallel, in their order; of each review the last `max_length` tokens stay.
pub fn encode_all(reviews: &[Review], vocabulary: &Vocabulary, max_length: usize) -> Vec<Example> {
    reviews
        .par_iter()
        .map(|review| Example {
            ids: vocabulary.encode(&review.text, max_length),
            positive: review.positive,
        })
        .collect()
}

/// How long the rows of a batch are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As long as the longest review of the batch; every row's own length is known, so that padding
    /// is not read.
    Longest,
    /// Always this long, and every length is this one: the network reads padding as if it were
    /// words. That is Keras without a mask.
    Fixed(usize),
}

/// A batch of examples, padded at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Token ids, row-major `[size, time]`.
    pub ids: Vec<i32>,
    /// How many tokens of each row to read, `[size]`.
    pub lengths: Vec<i32>,
    /// 1 for a positive review, 0 for a negative one, `[size]`.
    pub labels: Vec<f32>,
    /// Rows.
    pub size: usize,
    /// Tokens a row.
    pub time: usize,
    /// The position of each row among the examples, `[size]`.
    pub indices: Vec<usize>,
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
                pool.sort_by_key(|&index| examples[index].ids.len());
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
        order.sort_by_key(|&index| examples[index].ids.len());
        self.cut(&order)
    }

    fn cut(&self, order: &[usize]) -> Vec<Vec<usize>> {
        order
            .chunks(self.batch_size)
            .map(<[usize]>::to_vec)
            .collect()
    }

    /// The examples at `indices`, padded. With [`Padding::Fixed`], only the last tokens of a longer
    /// example stay.
    ///
    /// # Panics
    /// If an index is out of bounds, or the rows are longer than an `i32` can tell.
    pub fn batch(&self, examples: &[Example], indices: &[usize]) -> Batch {
        let rows = || indices.iter().map(|&index| &examples[index]);
        let time = match self.padding {
            Padding::Longest => rows().map(|row| row.ids.len()).max().unwrap_or(0),
            Padding::Fixed(time) => time,
        };
        let length = i32::try_from(time).expect("a row's length is an i32");
        let size = indices.len();
        let mut ids = vec![Vocabulary::PADDING as i32; size * time];
        let mut lengths = Vec::with_capacity(size);
        for (index, example) in rows().enumerate() {
            let kept = &example.ids[example.ids.len().saturating_sub(time)..];
            for (place, &id) in ids[index * time..].iter_mut().zip(kept) {
                *place = id as i32;
            }
            lengths.push(match self.padding {
                Padding::Longest => kept.len() as i32,
                Padding::Fixed(_) => length,
            });
        }
        let labels = rows()
            .map(|row| if row.positive { 1.0 } else { 0.0 })
            .collect();
        Batch {
            ids,
            lengths,
            labels,
            size,
            time,
            indices: indices.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn examples(lengths: &[usize]) -> Vec<Example> {
        let ids = |&length: &usize| (1..=length as u32).collect();
        lengths
            .iter()
            .map(|length| Example {
                ids: ids(length),
                positive: length % 2 == 1,
            })
            .collect()
    }

    fn batching(batch_size: usize, padding: Padding) -> Batching {
        Batching {
            batch_size,
            padding,
        }
    }

    #[test]
    fn encodes_in_order() {
        let reviews = ["good", "bad film", ""].map(|text| Review {
            text: text.into(),
            positive: text == "good",
        });
        let vocabulary = Vocabulary::build(reviews.iter().map(|review| review.text.as_str()), 5);
        let encoded = encode_all(&reviews, &vocabulary, 2);
        assert_eq!(
            encoded
                .iter()
                .map(|example| example.ids.clone())
                .collect::<Vec<_>>(),
            [vec![1, 3], vec![4, 2], vec![1]]
        );
        assert_eq!(
            encoded
                .iter()
                .map(|example| example.positive)
                .collect::<Vec<_>>(),
            [true, false, false]
        );
    }

    #[test]
    fn pads_to_the_longest_and_tells_lengths() {
        let batch = batching(2, Padding::Longest).batch(&examples(&[5, 2, 3]), &[2, 1]);
        assert_eq!((batch.size, batch.time), (2, 3));
        assert_eq!(batch.ids, [1, 2, 3, 1, 2, 0]);
        assert_eq!(batch.lengths, [3, 2]);
        assert_eq!(batch.labels, [1.0, 0.0]);
        assert_eq!(batch.indices, [2, 1]);
    }

    #[test]
    fn a_fixed_length_reads_padding_as_words() {
        let batch = batching(2, Padding::Fixed(4)).batch(&examples(&[5, 2]), &[0, 1]);
        assert_eq!(batch.ids, [2, 3, 4, 5, 1, 2, 0, 0]);
        assert_eq!(batch.lengths, [4, 4]);
    }

    #[test]
    fn no_indices_make_an_empty_batch() {
        let batch = batching(2, Padding::Longest).batch(&examples(&[5, 2]), &[]);
        assert_eq!((batch.size, batch.time, batch.ids.len()), (0, 0, 0));
    }

    #[test]
    fn training_batches_waste_little_on_padding() {
        let lengths: Vec<usize> = (0..4096).map(|index| 10 + (index * 7919) % 240).collect();
        let examples = examples(&lengths);
        let batching = batching(32, Padding::Longest);
        let plan = batching.training_plan(&examples, 42, 0);
        let padded: usize = plan
            .iter()
            .map(|indices| batching.batch(&examples, indices).ids.len())
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
            for (row, &index) in batch.ids.chunks(batch.time).zip(&indices) {
                let expected: Vec<i32> = examples[index].ids.iter().map(|&id| id as i32).collect();
                prop_assert_eq!(&row[..lengths[index]], expected);
                prop_assert!(row[lengths[index]..].iter().all(|&id| id == 0));
            }
            let expected: Vec<i32> = indices.iter().map(|&index| lengths[index] as i32).collect();
            prop_assert_eq!(batch.lengths, expected);
        }
    }
}
