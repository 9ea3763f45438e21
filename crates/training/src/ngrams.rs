//! A linear model beside a network: runs of neighbouring tokens, each weighed by how much more often a class has it
//! (Wang and Manning 2012), learnt by logistic regression, its answers blended with the network's.
//!
//! It reads the tokens that the network reads, of the same vocabulary and cut to the same length. It is not recurrent and
//! knows no order beyond its runs; what each part answers alone is measured beside the blend.

mod answers;
mod blend;
mod dual;
mod features;
mod file;
mod ratios;

use burn::tensor::Device;
use gatefold_data::random::generator;
use gatefold_data::{EncodedDataset, Example, Sequence};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::answers::Blended;
use self::answers::Given;
use self::blend::Answered;
pub use self::blend::Blend;
use self::dual::Learner;
use self::features::{MOST_ID, Rows, frequent, labelled, places};
pub use self::file::{NGRAMS, most_bytes};
use self::ratios::Counts;
use crate::batch::Answers;
use crate::config::RunConfig;
use crate::error::Result;
use crate::evaluation::{ensure_finite, evaluate, test};
use crate::metrics::{Evaluation, Totals};
use crate::objective::Objective;
use crate::scores::TestResult;

/// The longest runs.
pub const MOST_ORDERS: usize = 3;
/// Weights at most: where there are several classes, fewer runs are learnt from.
pub const MOST_WEIGHTS: usize = 1 << 23;
/// Token ids that a vocabulary may have.
pub const MOST_TOKEN_IDS: usize = MOST_ID as usize + 1;

/// Runs in all texts that are learnt from, at most; of more, texts are left out evenly.
const MOST_RUNS: usize = 1 << 27;
/// Numbers of the dual problem, a text and class.
const MOST_DUALS: usize = 1 << 26;
/// Visits to a run's weight in all passes at one cost, about half a minute's on a core.
const MOST_WORK: u64 = 1 << 33;
/// Numbers of answers from which a blend is made, at most.
const MOST_BLENDED: usize = 1 << 21;
/// What errors cost, the cheapest first: as many as the validation loss gets lower.
const COSTS: [f64; 7] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0];
/// How near 0 each derivative of the dual problem is brought.
const TOLERANCE: f64 = 0.05;
/// Which share of the runs of training texts is the base of scales: a quarter loses nothing on reviews, and leaves a
/// text of three words in doubt.
const BASE_SHARE: usize = 4;
/// Passes over the texts at each cost.
const PASSES: usize = 50;
/// Passes that there is always time for.
const LEAST_PASSES: usize = 4;

/// Which runs of tokens are learnt beside a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NgramConfig {
    /// Tokens of the longest runs, 1 to 3.
    pub orders: usize,
    /// Training texts that have a run, at least, for it to be learnt from.
    pub min_count: usize,
    /// Runs at most, those that most training texts have; fewer where there are many classes.
    pub max_features: usize,
    /// Whether they are learnt once more, from the training and the validation part together, when the cost of an error
    /// and the blend are settled.
    pub refit: bool,
}

impl Default for NgramConfig {
    fn default() -> Self {
        Self {
            orders: MOST_ORDERS,
            min_count: 2,
            max_features: 800_000,
            refit: true,
        }
    }
}

/// Logistic regression on runs of tokens, a class against the rest; of two classes with one logit the second one.
///
/// The logit of a text that has n of the runs is the sum of their weights, divided by √(n + m), plus a bias, where m is a
/// quarter of the runs that training texts have.
#[derive(Clone, Debug, PartialEq)]
pub struct Ngrams {
    orders: usize,
    /// m
    base: u32,
    /// What an error costs.
    cost: f64,
    /// The runs, ascending.
    keys: Vec<u64>,
    /// `[runs, outputs]`
    weights: Vec<f32>,
    /// `[outputs]`
    bias: Vec<f32>,
}

impl Ngrams {
    /// Learns from the training part of `data`, with the cost of an error that has the lowest loss on its validation
    /// part, by the settings of `config`, which is settled for it. The same data and settings give the same result.
    ///
    /// Takes [memory](most_bytes_to_learn), and at most minutes: of more than 2²⁷ runs, texts are left out evenly.
    ///
    /// # Panics
    /// If `config` has no n-grams, or is not [settled](RunConfig::settle) for the data.
    pub fn learn(data: &EncodedDataset, config: &RunConfig) -> Self {
        let (train, validation) = (data.train.iter(), data.validation.iter());
        Self::learn_from(data, config, (train, validation), &COSTS)
    }

    /// Learns from the training and the validation part together, at the cost that is known by now.
    fn learn_again(&self, data: &EncodedDataset, config: &RunConfig) -> Self {
        let both = data.train.iter().chain(&data.validation);
        Self::learn_from(data, config, (both, [].iter()), &[self.cost])
    }

    /// Learns from the first of two parts, with each of `costs` until the loss on the second one is lower no longer.
    fn learn_from<'a>(
        data: &EncodedDataset,
        config: &RunConfig,
        (train, validation): (
            impl Iterator<Item = &'a Example>,
            impl Iterator<Item = &'a Example>,
        ),
        costs: &[f64],
    ) -> Self {
        let settings = config.ngrams.as_ref().expect("there are n-grams");
        let words = data.encoder.vocabulary();
        let words = words.expect("there are words").word_ids();
        // 0 is padding wherever padding is read.
        let words = words.start.max(1)..words.end;
        let (orders, outputs) = (settings.orders, config.model.output_size);
        let classes = match config.objective() {
            Objective::Binary => 2,
            _ => outputs,
        };
        let class_weights = config.training.class_weights.as_ref();
        let learnt: Vec<&Example> = train.collect();
        let class_weights =
            class_weights.map(|weights| weights.of_examples(learnt.iter().copied(), classes));
        // Such weights as leave room for the dual problem's numbers.
        let weight = |class: u32| {
            let weight = class_weights.as_ref().map_or(1.0, |of| of[class as usize]);
            weight.clamp(1e-6, 1e6)
        };

        let train = kept(learnt.into_iter(), orders, outputs);
        let texts: Vec<&[u32]> = train.iter().map(|(ids, _)| *ids).collect();
        let most = settings.max_features.min(MOST_WEIGHTS / outputs);
        let keys = frequent(&texts, &words, (orders, settings.min_count, most));
        let rows = Rows::of(&keys, &train, orders);
        let validation = Rows::of(&keys, &kept(validation, orders, outputs), orders);
        let counts = Counts::of(&rows, keys.len(), classes);
        let base = (rows.runs() / (BASE_SHARE * rows.len()).max(1)) as u32;

        let learner = |output: usize| {
            let class = if outputs == 1 { 1 } else { output as u32 };
            let rng = generator(*b"ngrams\0\0", config.training.seed, output as u64);
            let least = |class| costs[0] * weight(class);
            Learner::new((class, base), &counts.ratios(class), &rows, least, rng)
        };
        let mut learners: Vec<Learner> = (0..outputs).into_par_iter().map(learner).collect();
        let work = (rows.runs() as u64 * outputs as u64).max(1);
        let passes = (MOST_WORK / work).clamp(LEAST_PASSES as u64, PASSES as u64) as usize;
        let mut best: Option<(f64, Self)> = None;
        for &cost in costs {
            let losses = learners.par_iter_mut().map(|learner| {
                learner.learn(&rows, |class| cost * weight(class), (TOLERANCE, passes));
                learner.loss(&validation, weight)
            });
            // Summed in their order, so that the sum is the same whichever was first.
            let loss = losses.collect::<Vec<_>>().iter().sum::<f64>();
            if best.as_ref().is_some_and(|(lowest, _)| loss >= *lowest) {
                break;
            }
            let mut weights = vec![0.0; keys.len() * outputs];
            for (output, learner) in learners.iter().enumerate() {
                let places = weights.iter_mut().skip(output).step_by(outputs);
                places
                    .zip(learner.weights())
                    .for_each(|(place, weight)| *place = weight);
            }
            let ngrams = Self {
                orders,
                base,
                cost,
                keys: Vec::new(),
                weights,
                bias: learners.iter().map(Learner::bias).collect(),
            };
            best = Some((loss, ngrams));
        }
        let (_, ngrams) = best.expect("there are costs");
        Self { keys, ..ngrams }
    }

    /// The logits that a text of these token ids has, one an output.
    pub fn logits(&self, ids: &[u32]) -> Vec<f32> {
        let outputs = self.bias.len();
        let found = places(&self.keys, ids, self.orders);
        let scale = dual::scale(&found, self.base);
        let logit = |(output, bias): (usize, &f32)| {
            let weights = found
                .iter()
                .map(|&run| self.weights[run as usize * outputs + output]);
            let sum: f64 = weights.map(f64::from).sum();
            (sum * scale + f64::from(*bias)) as f32
        };
        self.bias.iter().enumerate().map(logit).collect()
    }

    /// What an error costs, chosen on the validation part.
    pub fn cost(&self) -> f64 {
        self.cost
    }

    /// How many runs have weights.
    pub fn features(&self) -> usize {
        self.keys.len()
    }

    /// Logits that a text has.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    fn logits_of(&self, examples: &[Example]) -> Vec<Vec<f32>> {
        let logits = |example: &Example| match &example.input {
            Sequence::Tokens(ids) => self.logits(ids),
            // Refused before, by the network.
            Sequence::Values { .. } => vec![0.0; self.outputs()],
        };
        examples.par_iter().map(logits).collect()
    }
}

/// Bytes that learning so many `outputs` from texts of so many tokens takes, about, and blending the answers to `asked`
/// examples with a network's.
pub fn most_bytes_to_learn([texts, tokens]: [usize; 2], outputs: usize, asked: usize) -> f64 {
    let runs = 40.0 * tokens.min(MOST_RUNS / MOST_ORDERS) as f64;
    let duals = 16.0 * texts.saturating_mul(outputs).min(MOST_DUALS) as f64;
    // The network's, the n-grams', and both.
    let answers = 3.0 * asked as f64 * (size_of::<Vec<f32>>() as f64 + 4.0 * outputs as f64);
    runs + duals + answers
}

/// The examples to learn from, with their classes: as many as fit, evenly out of all.
fn kept<'a>(
    examples: impl Iterator<Item = &'a Example>,
    orders: usize,
    outputs: usize,
) -> Vec<(&'a [u32], u32)> {
    let texts: Vec<_> = examples.filter_map(labelled).collect();
    let runs: usize = texts.iter().map(|(ids, _)| orders * ids.len()).sum();
    let most_runs = MOST_WORK / LEAST_PASSES as u64 / outputs as u64;
    let most_runs = most_runs.clamp(1, MOST_RUNS as u64) as usize;
    let parts = [(runs, most_runs), (texts.len() * outputs, MOST_DUALS)];
    let every = parts
        .map(|(all, most)| all.div_ceil(most))
        .into_iter()
        .max();
    texts
        .into_iter()
        .step_by(every.unwrap_or(1).max(1))
        .collect()
}

/// ln(1 + eˣ), in the form that doesn't overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// N-grams beside a network, and how both answers become one.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearPath {
    /// The n-grams.
    pub ngrams: Ngrams,
    /// The blend, made for the network.
    pub blend: Blend,
}

/// How good a network, the n-grams beside it and both together are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartScores {
    /// The network alone.
    pub network: Evaluation,
    /// The n-grams alone.
    pub ngrams: Evaluation,
    /// Their blend.
    pub both: Evaluation,
}

/// What a run's summary says of the n-grams beside its network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NgramSummary {
    /// Runs of tokens that have weights.
    pub features: usize,
    /// What an error cost, chosen on the validation part.
    pub cost: f64,
    /// How both answers become one.
    pub blend: Blend,
    /// On the examples held out, on which the blend was made.
    pub validation: PartScores,
    /// On the test examples.
    pub test: PartScores,
    /// How long it took to learn them and to make the blend.
    pub seconds: f64,
}

impl LinearPath {
    /// Learns n-grams as [`Ngrams::learn`] does, and blends them with `network`, which is trained: how good both are on
    /// the validation part, from which the n-grams learn after that, if they are to be
    /// [refitted](NgramConfig::refit).
    ///
    /// # Errors
    /// If the network can't answer the validation part of `data`.
    ///
    /// # Panics
    /// As [`Ngrams::learn`].
    pub fn learn(
        network: &impl Answers,
        config: &RunConfig,
        data: &EncodedDataset,
        device: &Device,
    ) -> Result<(Self, PartScores)> {
        let ngrams = Ngrams::learn(data, config);
        let weights = config.training.class_weights.as_ref();
        let weights = weights.map(|weights| weights.of(data));
        let examples = &data.validation;
        let (of_network, alone) = answers(network, config, examples, device, &mut |_, _| {})?;
        let of_ngrams = ngrams.logits_of(examples);
        // Without a class an example tells nothing of a blend; of very many some tell it.
        let classes = examples.iter().enumerate();
        let classes = classes.filter_map(|(i, example)| Some((i, labelled(example)?.1)));
        let classes: Vec<(usize, u32)> = classes.collect();
        let outputs = config.model.output_size;
        let every = classes.len().saturating_mul(outputs).div_ceil(MOST_BLENDED);
        let (rows, classes): (Vec<usize>, Vec<u32>) =
            classes.into_iter().step_by(every.max(1)).unzip();
        let there = |answers: &[Vec<f32>]| -> Vec<Vec<f32>> {
            rows.iter().map(|&row| answers[row].clone()).collect()
        };
        let blend = Blend::fit(
            config.objective(),
            &Answered {
                network: &there(&of_network),
                ngrams: &there(&of_ngrams),
                classes: &classes,
                weights: weights.as_deref(),
            },
        );
        let mut path = Self { ngrams, blend };
        let both = path.both(&of_network, &of_ngrams);
        let scores = PartScores {
            network: alone,
            ngrams: scored(config.objective(), examples, &of_ngrams),
            both: scored(config.objective(), examples, &both),
        };
        if config.ngrams.as_ref().is_some_and(|ngrams| ngrams.refit) {
            path.ngrams = path.ngrams.learn_again(data, config);
        }
        Ok((path, scores))
    }

    /// Tests the network, the n-grams and their blend, whose every score is told; the network answers once. `done` hears
    /// the number of batches behind and in all.
    ///
    /// # Errors
    /// As [`test`](crate::test()).
    pub fn test(
        &self,
        network: &impl Answers,
        config: &RunConfig,
        data: &EncodedDataset,
        device: &Device,
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<(TestResult, PartScores)> {
        let examples = &data.test;
        let (of_network, alone) = answers(network, config, examples, device, done)?;
        let of_ngrams = self.ngrams.logits_of(examples);
        let both = Given::new(self.both(&of_network, &of_ngrams));
        let labels = data.labels.as_ref();
        let tested = test(&both, config, labels, examples, device, &mut |_, _| {})?;
        let scores = PartScores {
            network: alone,
            ngrams: scored(config.objective(), examples, &of_ngrams),
            both: tested.evaluation,
        };
        Ok((tested, scores))
    }

    fn both(&self, network: &[Vec<f32>], ngrams: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let pairs = network.iter().zip(ngrams);
        pairs
            .map(|(network, ngrams)| self.blend.logits(network, ngrams))
            .collect()
    }
}

fn answers(
    network: &impl Answers,
    config: &RunConfig,
    examples: &[Example],
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<(Vec<Vec<f32>>, Evaluation)> {
    let (objective, batching) = (config.objective(), config.batching());
    let (answers, evaluation) = evaluate(network, objective, examples, &batching, device, done)?;
    ensure_finite(&answers)?;
    Ok((answers, evaluation))
}

fn scored(objective: Objective, examples: &[Example], answers: &[Vec<f32>]) -> Evaluation {
    let mut totals = Totals::default();
    for (example, answer) in examples.iter().zip(answers) {
        if let Some((_, class)) = labelled(example) {
            let row = objective.measure_class(answer, class as usize);
            totals.loss += row.loss;
            totals.correct += usize::from(row.correct);
            totals.examples += 1;
        }
    }
    totals.evaluation(true)
}

#[cfg(test)]
mod tests;
