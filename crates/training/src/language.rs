//! The training of language models: each token of a text is told from those before it, or from those behind it.
//!
//! An example's targets are the tokens behind each of its own; after a text's last one comes the
//! [start](gatefold_data::Ids::start) of another. The loss is the cross-entropy of the right token in nats, in training by
//! a [sampled softmax](crate::sampled_softmax), else by that over the whole vocabulary.

use std::f64::consts::LN_2;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, TensorData};
use gatefold_data::random::{ChaCha8Rng, unit};
use gatefold_data::{Batch, BatchTargets, EncodedDataset, Example, Target, Tokenizer, Vocabulary};
use gatefold_model::{
    LanguageModel, LayerStates, NetworkError, States, Tokens, backpropagated, embedding,
};
use serde::{Deserialize, Serialize};

use crate::batch::{Answers, tokens, unsorted};
use crate::config::PretrainingConfig;
use crate::sampled_softmax::{Candidates, Gradients, Output, losses, losses_and_gradients};

/// Up to so many tokens, all of them are told apart in training.
pub const FEW_WORDS: usize = 4096;

/// How probable it is that a part of a stream is read from nothing: a model that never was can't go on with a few words, of
/// which nobody says what stood before them.
const BEGINS_ANEW: f32 = 0.05;

/// A language model in training. Its answers are losses: `[rows, D]`, of every token and direction.
#[derive(Module, Debug)]
pub struct Pretraining {
    model: LanguageModel,
    #[module(skip)]
    negatives: usize,
    /// Where examples are parts of streams: what was read of them up to here.
    #[module(skip)]
    carried: Option<Arc<Mutex<Option<States>>>>,
}

impl Pretraining {
    /// Trains `model` as `config` says.
    pub fn new(model: LanguageModel, config: &PretrainingConfig) -> Self {
        Self {
            model,
            negatives: config.negatives,
            carried: config.streams.then(Default::default),
        }
    }

    /// The model.
    pub fn model(&self) -> &LanguageModel {
        &self.model
    }

    /// The model, without what it is trained with.
    pub fn into_model(self) -> LanguageModel {
        self.model
    }

    fn words(&self) -> usize {
        self.model.vectors().dims()[0]
    }

    /// What was read of a batch's rows before it: nothing by the first batch of an epoch, which holds the first example.
    fn before(&self, batch: &Batch) -> Option<States> {
        let first = batch.indices.first() == Some(&0);
        self.carried.as_ref().filter(|_| !first).and_then(taken)
    }

    fn candidates(&self, draws: &mut ChaCha8Rng) -> Candidates {
        match self.words() {
            words @ ..=FEW_WORDS => Candidates::all(words),
            words => Candidates::draw(words, self.negatives, draws),
        }
    }

    /// Losses `[rows, D]` of `[D·rows, 1]`.
    fn by_row(&self, losses: Tensor<2>, directions: usize) -> Tensor<2> {
        let rows = losses.dims()[0] / directions;
        losses.reshape([directions, rows]).transpose()
    }
}

fn taken(carried: &Arc<Mutex<Option<States>>>) -> Option<States> {
    carried
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone()
}

/// Predictions of all directions, one below the other, `[D·B·T, E]`, and how many directions there are.
fn joined(directions: Vec<Tensor<3>>) -> (Tensor<2>, usize) {
    let count = directions.len();
    let rows = directions.into_iter().map(|of| {
        let [batch, time, width] = of.dims();
        of.reshape([batch * time, width])
    });
    let mut rows: Vec<_> = rows.collect();
    let joined = match count {
        1 => rows.remove(0),
        _ => Tensor::cat(rows, 0),
    };
    (joined, count)
}

/// The tokens that a batch's predictions are of, direction after direction, -1 where there is none.
fn targets(batch: &Batch, ids: &[i32], directions: usize) -> Vec<i32> {
    let Some(BatchTargets::Classes(behind)) = &batch.targets else {
        return vec![-1; directions * ids.len()];
    };
    let mut targets = behind.clone();
    if directions > 1 {
        // Backwards the tokens themselves are told.
        let own = ids.iter().zip(behind);
        targets.extend(own.map(|(&id, &behind)| if behind < 0 { -1 } else { id }));
    }
    targets
}

/// Tokens `[1, N]` to look up, with their places for a gradient.
fn looked_up(ids: &[i32], words: usize, device: &Device) -> Result<Tokens, NetworkError> {
    Ok(Tokens::sorted(ids, &[ids.len() as i32], words, device)?)
}

impl Answers for Pretraining {
    fn weight_name(path: &str) -> String {
        LanguageModel::weight_name(path.strip_prefix("model.").unwrap_or(path))
    }

    /// By the softmax over the whole vocabulary.
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError> {
        let words = self.words();
        let read = unsorted(batch, words, device)?;
        let predicted = self.model.forward(None, read)?.directions();
        let (predictions, directions) = joined(predicted);
        let targets = targets(batch, tokens(batch)?, directions);
        let right = targets.iter().map(|target| target.max(&0)).copied();
        let right = TensorData::new(right.collect::<Vec<i32>>(), [1, targets.len()]);
        let length = Tensor::from_data([targets.len() as i32], device);
        let right = Tokens::unsorted(Tensor::from_data(right, device), length, words)?;
        let vectors = self.model.vectors();
        let biases = self.model.bias().unsqueeze_dim::<2>(1);
        let output = Output {
            right: embedding(vectors.clone(), right.clone())?.squeeze_dim(0),
            right_biases: embedding(biases.clone(), right)?.squeeze_dim(0),
            candidates: vectors,
            candidate_biases: biases,
        };
        let candidates = Candidates::all(words);
        let losses = losses(&predictions, &targets, &candidates, &output);
        Ok(self.by_row(losses, directions))
    }

    /// By the sampled softmax. Whatever gradient these answers are given, what flows back from them is that of the mean of
    /// all losses, which is made along with them.
    fn answers_training(
        &self,
        batch: &Batch,
        device: &Device,
        masks: &mut ChaCha8Rng,
    ) -> Result<Tensor<2>, NetworkError> {
        let words = self.words();
        let ids = tokens(batch)?;
        let read = Tokens::sorted(ids, &batch.lengths, words, device)?;
        let before = self.before(batch).map(|states| {
            let goes_on = |_| f32::from(u8::from(unit(masks) >= BEGINS_ANEW));
            let rows: Vec<f32> = (0..batch.size).map(goes_on).collect();
            states.scaled(&Tensor::from_data(
                TensorData::new(rows, [batch.size, 1]),
                device,
            ))
        });
        let predicted = self.model.forward_training(before, read, masks)?;
        if let Some(carried) = &self.carried {
            let mut carried = carried.lock().unwrap_or_else(PoisonError::into_inner);
            *carried = Some(predicted.states.detach());
        }
        let (predictions, directions) = joined(predicted.directions());
        let targets = targets(batch, ids, directions);
        let candidates = self.candidates(masks);

        // One look-up of all vectors, of which the gradient is summed word by word once.
        let mut looked: Vec<i32> = targets.iter().map(|&target| target.max(0)).collect();
        looked.extend(candidates.drawn().into_iter().flatten());
        let looked = looked_up(&looked, words, device)?;
        let vectors = self.model.vectors();
        let biases = self.model.bias().unsqueeze_dim::<2>(1);
        let found: Tensor<2> = embedding(vectors.clone(), looked.clone())?.squeeze_dim(0);
        let found_biases: Tensor<2> = embedding(biases.clone(), looked)?.squeeze_dim(0);
        let rows = targets.len();
        let parts = |found: &Tensor<2>, all: &Tensor<2>| {
            let found = found.clone().inner();
            let right = found.clone().narrow(0, 0, rows);
            let candidates = match candidates.drawn() {
                Some(drawn) => found.narrow(0, rows, drawn.len()),
                None => all.clone().inner(),
            };
            (right, candidates)
        };
        let (right, among) = parts(&found, &vectors);
        let (right_biases, among_biases) = parts(&found_biases, &biases);
        let output = Output {
            candidates: among,
            candidate_biases: among_biases,
            right,
            right_biases,
        };
        let there = targets.iter().filter(|target| **target >= 0).count();
        let weight = 1.0 / there.max(1) as f64;
        let of_predictions = predictions.clone().inner();
        let (losses, gradients) =
            losses_and_gradients(&of_predictions, &targets, &candidates, &output, weight);
        let Gradients {
            predictions: by_predictions,
            output: by,
        } = gradients;
        let back = |output: Tensor<2>, gradient: Tensor<2>| {
            backpropagated(output, Tensor::from_inner(gradient))
        };
        let mut number = back(predictions, by_predictions);
        for (found, all, right, among) in [
            (found, vectors, by.right, by.candidates),
            (found_biases, biases, by.right_biases, by.candidate_biases),
        ] {
            number = number
                + match candidates.drawn() {
                    Some(_) => back(found, Tensor::cat(vec![right, among], 0)),
                    None => back(found, right) + back(all, among),
                };
        }
        let losses = Tensor::from_inner(self.by_row(losses, directions));
        // The number has no value, and a backward pass: the losses stand in its place.
        let shape = losses.dims();
        let everywhere = Tensor::<2, Bool>::full(shape, true, device);
        let number = number.unsqueeze::<2>().expand(shape);
        Ok(number.mask_where(everywhere, losses))
    }

    fn carried(&self) -> Vec<Tensor<1>> {
        let states = self.carried.as_ref().and_then(taken);
        let layers = states.iter().flat_map(|states| states.layers());
        let tensors = layers.flat_map(|LayerStates { forward, .. }| {
            [Some(forward.hidden.clone()), forward.cell.clone()]
        });
        tensors
            .flatten()
            .map(|state| state.inner().flatten(0, 1))
            .collect()
    }

    fn carry(&self, carried: Vec<Vec<f32>>, device: &Device) -> Result<(), String> {
        let Some(place) = &self.carried else {
            return match carried.is_empty() {
                true => Ok(()),
                false => Err("it carries states, and the examples are no streams".into()),
            };
        };
        let mut states = None;
        if !carried.is_empty() {
            let mut given = carried.into_iter();
            let mut of_first = None;
            let mut take = |width: usize| {
                let state = given.next().ok_or("a state is missing")?;
                let rows = state.len() / width.max(1);
                if rows * width != state.len() || *of_first.get_or_insert(rows) != rows {
                    return Err("a state is of another size");
                }
                let state = TensorData::new(state, [rows, width]);
                Ok(Tensor::<2>::from_data(state, device))
            };
            let zeros = self.model.stack.zero_states(1);
            let mut layers = Vec::new();
            for LayerStates { forward, .. } in zeros.layers() {
                let mut forward = forward.clone();
                let width = forward.hidden.dims()[1];
                forward.hidden = take(width)?;
                forward.cell = forward.cell.map(|_| take(width)).transpose()?;
                layers.push(LayerStates {
                    forward,
                    reverse: None,
                });
            }
            if given.next().is_some() {
                return Err("it carries more states than there are layers".into());
            }
            states = Some(States::new(layers));
        }
        *place.lock().unwrap_or_else(PoisonError::into_inner) = states;
        Ok(())
    }
}

/// How hard to tell tokens are: as hard as among so many equally likely ones, or the largest number if there is none for
/// that. `loss`: the mean cross-entropy in nats.
pub fn perplexity(loss: f64) -> f64 {
    loss.exp().min(f64::MAX)
}

/// How well a language model tells tokens that it never learnt from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageScores {
    /// Its [perplexity]; of both directions together, if it has them.
    pub perplexity: f64,
    /// That of a [model](unigram_loss) that knows how often each token is in the training part, where that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unigram_perplexity: Option<f64>,
    /// Bits a token, where tokens are characters or bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits: Option<f64>,
}

impl LanguageScores {
    /// Of a mean loss on the held-out part of `data`.
    pub fn of(loss: f64, data: &EncodedDataset) -> Self {
        let words = data.encoder.vocabulary();
        let size = words.map_or(1, Vocabulary::size);
        let unigram = || perplexity(unigram_loss(&data.train, &data.validation, size));
        let is_short = words.is_some_and(|words| {
            matches!(words.tokenizer(), Tokenizer::Characters | Tokenizer::Bytes)
        });
        Self {
            perplexity: perplexity(loss),
            unigram_perplexity: (!data.train.is_empty()).then(unigram),
            bits: is_short.then_some(loss / LN_2),
        }
    }
}

/// All tokens that the examples of a language model have to tell.
pub fn told(examples: &[Example]) -> impl Iterator<Item = u32> {
    let targets = examples.iter().filter_map(|example| match &example.target {
        Some(Target::Classes(targets)) => Some(targets),
        _ => None,
    });
    targets.flatten().copied()
}

/// The mean cross-entropy in nats of a model that knows how often each token is there and nothing else: what a language
/// model has to be held against. Counted on `train`, one more of each of `words` tokens; measured on `held_out`.
pub fn unigram_loss(train: &[Example], held_out: &[Example], words: usize) -> f64 {
    let mut counts = vec![1u64; words];
    told(train).for_each(|target| counts[target as usize] += 1);
    let all: u64 = counts.iter().sum();
    let (mut loss, mut count) = (0.0, 0usize);
    for target in told(held_out) {
        loss -= (counts[target as usize] as f64 / all as f64).ln();
        count += 1;
    }
    loss / count.max(1) as f64
}

#[cfg(test)]
mod tests;
