//! The cross-entropy of tokens by the softmax over a vocabulary, or over a few tokens drawn from it, and its gradient.
//!
//! In training the sum over a large vocabulary is estimated by tokens that a whole batch shares, drawn each once by Zipf's
//! law: ids are ranks by frequency. Each counts as the inverse of how probably it was drawn, which makes the estimate right
//! on the mean (Bengio and Senécal 2003; Jean et al. 2015): that is its logit less the logarithm of how often it is to be
//! expected. What is to be told is always there, and counts once, drawn or not.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};
use gatefold_data::random::{ChaCha8Rng, unit};
use gatefold_model::{CrossEntropy, cross_entropy};

/// Logits that are made at once: 16 MB of numbers, of which a few copies are there.
const LOGITS: usize = 1 << 22;

/// What a logit is lowered by that is to count for nothing.
const NOTHING: f32 = -1e30;

/// Tokens among which the right one is told.
pub struct Candidates {
    /// Drawn ones, or all.
    drawn: Option<Vec<i32>>,
    /// The place among them of every token of the vocabulary; -1 where it is none of them.
    places: Vec<i32>,
    /// The logarithm of how often each token of the vocabulary is to be expected among them.
    log_counts: Vec<f32>,
}

impl Candidates {
    /// All tokens of a vocabulary of `words`: the softmax itself.
    pub fn all(words: usize) -> Self {
        Self {
            drawn: None,
            places: (0..words as i32).collect(),
            log_counts: vec![0.0; words],
        }
    }

    /// `count` tokens of a vocabulary of `words`, each once: the likelier the smaller its id, by Zipf's law; all of them
    /// if there are no more.
    pub fn draw(words: usize, count: usize, draws: &mut ChaCha8Rng) -> Self {
        if count >= words {
            return Self::all(words);
        }
        // Sums and quotients alone, which every processor makes alike.
        let mut sum = 0.0;
        let sums: Vec<f64> = (1..=words)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        let mut places = vec![-1; words];
        let mut drawn = Vec::with_capacity(count);
        let mut tries = 0u32;
        while drawn.len() < count {
            let high = f64::from(unit(draws)) + f64::from(unit(draws)) / f64::from(1 << 24);
            let at = high * sum;
            let id = sums.partition_point(|sum| *sum <= at).min(words - 1);
            tries += 1;
            if places[id] < 0 {
                places[id] = drawn.len() as i32;
                drawn.push(id as i32);
            }
        }
        let log_count = |rank: usize| {
            let share = 1.0 / (rank as f64 * sum);
            // Of being drawn at least once.
            let there = -(f64::from(tries) * (-share).ln_1p()).exp_m1();
            there.ln() as f32
        };
        Self {
            drawn: Some(drawn),
            places,
            log_counts: (1..=words).map(log_count).collect(),
        }
    }

    /// The drawn ones, where they are not all.
    pub fn drawn(&self) -> Option<&[i32]> {
        self.drawn.as_deref()
    }

    /// The logarithm of how often a token is to be expected among them.
    pub fn log_count(&self, id: usize) -> f32 {
        self.log_counts[id]
    }

    fn len(&self) -> usize {
        self.drawn.as_ref().map_or(self.places.len(), Vec::len)
    }

    /// The logarithms of how often the candidates are to be expected, `[1, S]`.
    fn corrections(&self, device: &Device) -> Tensor<2> {
        let counts = match &self.drawn {
            Some(drawn) => drawn
                .iter()
                .map(|&id| self.log_counts[id as usize])
                .collect(),
            None => self.log_counts.clone(),
        };
        let width = counts.len();
        Tensor::from_data(TensorData::new(counts, [1, width]), device)
    }
}

/// What logits are made of: S candidates for all of R rows, and the right token of each.
#[derive(Clone, Debug)]
pub struct Output {
    /// `[S, E]`
    pub candidates: Tensor<2>,
    /// `[S, 1]`
    pub candidate_biases: Tensor<2>,
    /// `[R, E]`
    pub right: Tensor<2>,
    /// `[R, 1]`
    pub right_biases: Tensor<2>,
}

/// The gradient of a loss by all that its logits are made of.
pub struct Gradients {
    /// `[R, E]`
    pub predictions: Tensor<2>,
    /// Of the same shapes.
    pub output: Output,
}

/// A few rows, and what is known of them on the host.
struct Chunk {
    rows: Range<usize>,
    /// Of the candidates that are a row's right token: where they stand, and what they are lowered by, `[r, 1]`.
    hits: (Tensor<2, Int>, Tensor<2>),
    /// 1 where there is something to tell, `[r, 1]`.
    there: Tensor<2>,
}

impl Chunk {
    fn all<'a>(
        targets: &'a [i32],
        candidates: &'a Candidates,
        device: &'a Device,
    ) -> impl Iterator<Item = Self> + 'a {
        let rows = (LOGITS / candidates.len().max(1)).max(1);
        targets.chunks(rows).enumerate().map(move |(i, targets)| {
            let column = |values: Vec<f32>| {
                let shape = [targets.len(), 1];
                Tensor::<2>::from_data(TensorData::new(values, shape), device)
            };
            let id = |&target: &i32| target.max(0) as usize;
            let places: Vec<i32> = targets.iter().map(|of| candidates.places[id(of)]).collect();
            let lowered = places
                .iter()
                .map(|&place| if place < 0 { 0.0 } else { NOTHING });
            let lowered = column(lowered.collect());
            let places = places
                .into_iter()
                .map(|place| place.max(0))
                .collect::<Vec<_>>();
            let places = TensorData::new(places, [targets.len(), 1]);
            let there = targets
                .iter()
                .map(|&target| f32::from(u8::from(target >= 0)));
            Self {
                rows: i * rows..i * rows + targets.len(),
                hits: (Tensor::from_data(places, device), lowered),
                there: column(there.collect()),
            }
        })
    }

    fn of(&self, rows: &Tensor<2>) -> Tensor<2> {
        let count = self.rows.len();
        rows.clone().narrow(0, self.rows.start, count)
    }
}

/// The losses `[R, 1]` of predictions `[R, E]`: the cross-entropies of the right tokens, `targets` `[R]`; 0 where that is
/// negative.
pub fn losses(
    predictions: &Tensor<2>,
    targets: &[i32],
    candidates: &Candidates,
    output: &Output,
) -> Tensor<2> {
    walk(
        predictions,
        targets,
        (candidates, output),
        1.0,
        &mut |_, _| {},
    )
}

/// [`losses`], and the gradient of their sum times `weight`.
pub fn losses_and_gradients(
    predictions: &Tensor<2>,
    targets: &[i32],
    candidates: &Candidates,
    output: &Output,
    weight: f64,
) -> (Tensor<2>, Gradients) {
    let (mut of_predictions, mut of_right, mut of_right_biases) =
        (Vec::new(), Vec::new(), Vec::new());
    let mut of_candidates: Option<(Tensor<2>, Tensor<2>)> = None;
    let among = (candidates, output);
    let losses = walk(predictions, targets, among, weight, &mut |chunk, errors| {
        let (rows, vectors) = (chunk.of(predictions), chunk.of(&output.right));
        let by_candidates = errors.logits.clone().matmul(output.candidates.clone());
        of_predictions.push(by_candidates + vectors * errors.right.clone());
        of_right.push(rows.clone() * errors.right.clone());
        of_right_biases.push(errors.right);
        let biases = errors.logits.clone().sum_dim(0).transpose();
        let vectors = errors.logits.transpose().matmul(rows);
        of_candidates = Some(match of_candidates.take() {
            None => (vectors, biases),
            Some((more, biases_more)) => (more + vectors, biases_more + biases),
        });
    });
    let (of_candidates, of_candidate_biases) = of_candidates.expect("there is a row");
    let gradients = Gradients {
        predictions: Tensor::cat(of_predictions, 0),
        output: Output {
            candidates: of_candidates,
            candidate_biases: of_candidate_biases,
            right: Tensor::cat(of_right, 0),
            right_biases: Tensor::cat(of_right_biases, 0),
        },
    };
    (losses, gradients)
}

/// The losses `[R, 1]`; each chunk's, with the gradient of their sum times `weight` by its logits, go to `keep`.
fn walk(
    predictions: &Tensor<2>,
    targets: &[i32],
    (candidates, output): (&Candidates, &Output),
    weight: f64,
    keep: &mut dyn FnMut(&Chunk, CrossEntropy),
) -> Tensor<2> {
    let device = predictions.device();
    let biases = output.candidate_biases.clone().transpose() - candidates.corrections(&device);
    let by_candidate = output.candidates.clone().transpose();
    let losses = Chunk::all(targets, candidates, &device).map(|chunk| {
        let rows = chunk.of(predictions);
        let logits = rows.clone().matmul(by_candidate.clone());
        let right = (rows * chunk.of(&output.right)).sum_dim(1) + chunk.of(&output.right_biases);
        let weights = chunk.there.clone() * weight;
        let errors = cross_entropy(logits, biases.clone(), chunk.hits.clone(), right, weights);
        let losses = errors.losses.clone() * chunk.there.clone();
        keep(&chunk, errors);
        losses
    });
    Tensor::cat(losses.collect(), 0)
}

#[cfg(test)]
mod tests {
    use gatefold_data::random::generator;

    use super::*;

    #[test]
    fn drawn_candidates_are_distinct_follow_their_seed_and_favour_small_ids() {
        let draw = |seed| Candidates::draw(1000, 50, &mut generator(*b"testing\0", seed, 0));
        let mut times = [0usize; 1000];
        for seed in 0..400 {
            let candidates = draw(seed);
            let drawn = candidates.drawn().unwrap();
            assert_eq!(drawn, draw(seed).drawn().unwrap());
            for (place, &id) in drawn.iter().enumerate() {
                assert_eq!(candidates.places[id as usize], place as i32);
                times[id as usize] += 1;
            }
            assert_eq!(
                candidates
                    .places
                    .iter()
                    .filter(|place| **place >= 0)
                    .count(),
                50
            );
        }
        // As often as is expected, on the mean.
        let expected = |id: usize| f64::from(draw(7).log_counts[id]).exp() * 400.0;
        for ids in [0..5, 5..50, 50..1000] {
            let found: usize = times[ids.clone()].iter().sum();
            let expected: f64 = ids.map(expected).sum();
            let off = (found as f64 - expected).abs() / expected;
            assert!(off < 0.1, "{found} of {expected}");
        }
        let all = Candidates::draw(10, 10, &mut generator(*b"testing\0", 1, 0));
        assert!(all.drawn().is_none());
    }

    #[test]
    fn rows_are_taken_in_parts_of_which_nothing_shows() {
        const WORDS: usize = 30_000;
        let device = &Device::flex();
        let numbers = |rows: usize, columns: usize, times: usize| {
            let number = |i: usize| ((i * times) % 101) as f32 / 50.0 - 1.0;
            let values = (0..rows * columns).map(number).collect::<Vec<_>>();
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), device)
        };
        let candidates = Candidates::all(WORDS);
        let all: Vec<i32> = (0..300).map(|row| row * 97).collect();
        assert!(all.len() * WORDS > 2 * LOGITS);
        let (predictions, right) = (numbers(300, 2, 37), numbers(300, 2, 53));
        let found = |rows: Range<usize>| {
            let of = |tensor: &Tensor<2>| tensor.clone().narrow(0, rows.start, rows.len());
            let output = Output {
                candidates: numbers(WORDS, 2, 7),
                candidate_biases: numbers(WORDS, 1, 3),
                right: of(&right),
                right_biases: of(&numbers(300, 1, 11)),
            };
            let targets = &all[rows.clone()];
            let predictions = of(&predictions);
            let (losses, by) =
                losses_and_gradients(&predictions, targets, &candidates, &output, 0.5);
            [
                losses,
                by.predictions,
                by.output.right,
                by.output.candidates,
            ]
        };
        let [losses, by, by_right, by_candidates] = found(0..300);
        let [first, second] = [found(0..120), found(120..300)];
        let rows = |i: usize| Tensor::cat(vec![first[i].clone(), second[i].clone()], 0);
        let more = first[3].clone() + second[3].clone();
        let expected = [rows(0), rows(1), rows(2), more];
        for (found, expected) in [losses, by, by_right, by_candidates]
            .into_iter()
            .zip(expected)
        {
            let off: f32 = (found - expected).abs().max().into_scalar();
            assert!(off < 1e-4, "{off}");
        }
    }
}
