//! The training loop: small, seeded, and ours, because Burn's keeps no data position or random state.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor};
use gatefold_data::Batch;
use gatefold_model::{SequenceClassifier, Tokens};

use crate::config::{RunConfig, TrainingConfig};
use crate::dataset::Prepared;
use crate::device::Selected;
use crate::evaluation::{Evaluation, Logits, evaluate, to_device};
use crate::optimizer::Adam;
use crate::run_folder::{EpochMetrics, RunFolder, RunSummary};

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Event {
    /// A training step is behind.
    Step {
        /// From 1.
        epoch: usize,
        /// Steps behind, of this epoch.
        step: usize,
        /// Steps in this epoch.
        steps: usize,
        /// Over this epoch so far, as far as the device has been read.
        so_far: Evaluation,
    },
    /// A batch of validation or test reviews is behind.
    Evaluated {
        /// Batches behind.
        batch: usize,
        /// Batches in all.
        batches: usize,
    },
    /// An epoch is done.
    Epoch {
        /// Its metrics.
        metrics: EpochMetrics,
        /// Whether its weights are the best so far, and so the ones kept.
        best: bool,
    },
}

/// The loss that is minimised: mean binary cross-entropy of logits `[B]` against labels `[B]`.
///
/// Summed along a dimension, because Burn's sum over everything adds in no fixed order on a GPU.
pub fn loss(logits: Tensor<1>, labels: Tensor<1>) -> Tensor<1> {
    let batch = logits.dims()[0];
    let losses = (labels.neg() + 1.0) * logits.clone() - log_sigmoid(logits);
    losses.reshape([1, batch]).mean_dim(1).reshape([1])
}

/// A network that answers sequences with a logit each.
pub trait Classifier: Module {
    /// Logits `[B]` of token ids `[B, T]`, of which each row's first `lengths` `[B]` count.
    fn forward(&self, ids: Tensor<2, Int>, lengths: Tensor<1, Int>) -> Tensor<1>;

    /// The logits `[B]` of a batch, on `device`, to learn from.
    ///
    /// # Errors
    /// If a token is outside the network's vocabulary.
    fn forward_training(&self, batch: &Batch, device: &Device) -> Result<Tensor<1>> {
        let (ids, lengths) = to_device(batch, device);
        Ok(self.forward(ids, lengths))
    }
}

impl Classifier for SequenceClassifier {
    fn forward(&self, ids: Tensor<2, Int>, lengths: Tensor<1, Int>) -> Tensor<1> {
        self.forward(ids, lengths)
    }

    fn forward_training(&self, batch: &Batch, device: &Device) -> Result<Tensor<1>> {
        let words = self.vocabulary_size();
        let tokens = Tokens::sorted(&batch.ids, &batch.lengths, words, device)?;
        Ok(self.forward_tokens(tokens)?)
    }
}

/// A network in training, with its optimizer.
pub struct Trainer<N = SequenceClassifier> {
    /// Always there between steps; a step takes it, so that it is changed in place.
    network: Option<N>,
    optimizer: Adam,
    learning_rate: f64,
    device: Device,
}

impl Trainer {
    /// The network that `config` describes, on `device`.
    ///
    /// # Errors
    /// If `config` describes no network.
    pub fn new(config: &RunConfig, device: &Device) -> Result<Self> {
        let device = device.clone().autodiff();
        let network = config.model.init(config.training.seed, &device)?;
        Ok(Self::of(network, &config.training, device))
    }
}

impl<N: Classifier> Trainer<N> {
    /// Any network, on `device`, which records gradients.
    pub(crate) fn of(network: N, config: &TrainingConfig, device: Device) -> Self {
        Self {
            network: Some(network),
            optimizer: Adam::default(),
            learning_rate: config.learning_rate,
            device,
        }
    }

    /// The network as it answers outside training.
    pub fn network(&self) -> N {
        self.current().valid()
    }

    fn current(&self) -> &N {
        self.network.as_ref().expect("it is there between steps")
    }

    /// One step of Adam; returns the logits from before it, still on the device.
    ///
    /// # Errors
    /// If a token is outside the network's vocabulary.
    pub fn step(&mut self, batch: &Batch) -> Result<Tensor<1>> {
        let labels = Tensor::from_data(&batch.labels[..], &self.device);
        let tracked = self.current().forward_training(batch, &self.device)?;
        let logits = tracked.clone().inner();
        let gradients = loss(tracked, labels).backward();
        let gradients = GradientsParams::from_grads(gradients, self.current());
        let network = self.network.take().expect("it is there between steps");
        self.network = Some(self.optimizer.step(network, gradients, self.learning_rate));
        Ok(logits)
    }
}

/// Trains, keeps the epoch with the lowest validation loss, tests it, and leaves all that in `folder`.
///
/// # Errors
/// If the device fails, the loss is no longer finite, or a file can't be written. What was written
/// stays.
pub fn train(
    config: &RunConfig,
    data: &Prepared,
    (selected, device): (&Selected, &Device),
    folder: &RunFolder,
    on_event: &mut dyn FnMut(Event),
) -> Result<RunSummary> {
    let mut trainer = Trainer::new(config, device)?;
    folder.write_config(config)?;
    folder.write_vocabulary(&data.vocabulary)?;
    let parameters = trainer.current().num_params();
    let start = Instant::now();
    let mut epochs: Vec<EpochMetrics> = Vec::new();
    let mut best: Option<EpochMetrics> = None;
    for epoch in 1..=config.training.epochs {
        let metrics = run_epoch(&mut trainer, config, data, epoch, device, on_event)?;
        ensure!(
            metrics.train_loss.is_finite() && metrics.validation_loss.is_finite(),
            "the loss is no longer finite in epoch {epoch} (training {}, validation {}); a learning rate below {} may help. {}",
            metrics.train_loss,
            metrics.validation_loss,
            config.training.learning_rate,
            match &best {
                Some(best) => format!("The weights of epoch {} are kept", best.epoch),
                None => "There are no weights to keep".into(),
            }
        );
        let is_best = best
            .as_ref()
            .is_none_or(|best| metrics.validation_loss < best.validation_loss);
        if is_best {
            folder.write_weights(&trainer.network())?;
            best = Some(metrics.clone());
        }
        epochs.push(metrics.clone());
        folder.write_metrics(&epochs)?;
        on_event(Event::Epoch {
            metrics,
            best: is_best,
        });
    }
    let training_seconds = start.elapsed().as_secs_f64();

    let best = best.context("no epoch was run")?;
    let network = folder.network(config, device)?;
    let batching = config.training.batching();
    let (_, test) = evaluate(
        &network,
        &data.test,
        &batching,
        device,
        &mut |batch, batches| {
            on_event(Event::Evaluated { batch, batches });
        },
    )?;
    let summary = RunSummary {
        version: env!("CARGO_PKG_VERSION").into(),
        device: selected.to_string(),
        parameters,
        best_epoch: best.epoch,
        best,
        test_loss: test.loss,
        test_accuracy: test.accuracy,
        test_examples: test.examples,
        training_seconds,
    };
    folder.write_summary(&summary)?;
    Ok(summary)
}

fn run_epoch(
    trainer: &mut Trainer,
    config: &RunConfig,
    data: &Prepared,
    epoch: usize,
    device: &Device,
    on_event: &mut dyn FnMut(Event),
) -> Result<EpochMetrics> {
    let start = Instant::now();
    let batching = config.training.batching();
    let plan = batching.training_plan(&data.train, config.training.seed, epoch as u64);
    let mut logits = Logits::of(data.train.len());
    for (i, indices) in plan.iter().enumerate() {
        if config.model.dropout > 0.0 {
            // Burn's generator can't be saved: every step starts it anew.
            device.seed(step_seed(config.training.seed, epoch, i));
        }
        let batch = batching.batch(&data.train, indices);
        let answers = trainer.step(&batch)?;
        logits.push(batch, answers)?;
        on_event(Event::Step {
            epoch,
            step: i + 1,
            steps: plan.len(),
            so_far: logits.evaluation(),
        });
    }
    logits.read()?;
    let trained = logits.evaluation();

    let network = trainer.network();
    let (_, validated) = evaluate(
        &network,
        &data.validation,
        &batching,
        device,
        &mut |batch, batches| on_event(Event::Evaluated { batch, batches }),
    )?;
    Ok(EpochMetrics {
        epoch,
        train_loss: trained.loss,
        train_accuracy: trained.accuracy,
        validation_loss: validated.loss,
        validation_accuracy: validated.accuracy,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// A seed for one step: SplitMix64's mixing (Steele et al. 2014) of the run's seed and the position.
fn step_seed(seed: u64, epoch: usize, step: usize) -> u64 {
    let position = (epoch as u64) << 32 | step as u64;
    let mut mixed = seed ^ position.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_binary_cross_entropy_and_its_gradient_the_error() {
        let device = Device::flex().autodiff();
        let logits = Tensor::<1>::from_data([0.0, 2.0, -40.0, 90.0], &device).require_grad();
        let labels = Tensor::from_data([1.0, 0.0, 1.0, 0.0], &device);
        let value = loss(logits.clone(), labels);
        let gradients = value.backward();
        let expected = (2f64.ln() + 2.126_928_0 + 40.0 + 90.0) / 4.0;
        assert!((value.into_scalar::<f64>() - expected).abs() < 1e-4);
        let gradient = logits.grad(&gradients).unwrap().into_data();
        for (found, error) in gradient.iter::<f32>().zip([-0.5, 0.880_797_1, -1.0, 1.0]) {
            assert!((found - error / 4.0).abs() < 1e-6, "{found} {error}");
        }
    }

    #[test]
    fn every_step_has_a_seed_of_its_own() {
        let seeds: std::collections::HashSet<u64> = (1..20)
            .flat_map(|epoch| (0..200).map(move |step| step_seed(42, epoch, step)))
            .collect();
        assert_eq!(seeds.len(), 19 * 200);
    }
}
