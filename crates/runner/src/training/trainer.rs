//! A network in training: one step.

use std::collections::BTreeMap;

use anyhow::Result;
use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Int, Tensor};
use gatefold_data::Batch;
use gatefold_data::random::{ChaCha8Rng, generator};
use gatefold_model::{Heartbeat, SequenceClassifier, Tokens};

use super::clipping;
use crate::config::{RunConfig, TrainingConfig};
use crate::evaluation::to_device;
use crate::optimizer::Adam;

/// The loss that is minimised: mean binary cross-entropy of logits `[B]` against labels `[B]`.
///
/// Summed along a dimension, because Burn's sum over everything adds in no fixed order on a GPU.
pub fn loss(logits: Tensor<1>, labels: Tensor<1>) -> Tensor<1> {
    mean(cross_entropies(logits, labels))
}

/// Binary cross-entropy of each logit.
fn cross_entropies(logits: Tensor<1>, labels: Tensor<1>) -> Tensor<1> {
    (labels.neg() + 1.0) * logits.clone() - log_sigmoid(logits)
}

fn mean(values: Tensor<1>) -> Tensor<1> {
    let count = values.dims()[0];
    values.reshape([1, count]).mean_dim(1).reshape([1])
}

/// A network that answers sequences with a logit each.
pub trait Classifier: Module {
    /// Logits `[B]` of token ids `[B, T]`, of which each row's first `lengths` `[B]` count.
    fn forward(&self, ids: Tensor<2, Int>, lengths: Tensor<1, Int>) -> Tensor<1>;

    /// The logits `[B]` of a batch, on `device`, to learn from. Dropout draws from
    /// `_masks`, where there is any.
    ///
    /// # Errors
    /// If a token is outside the network's vocabulary.
    fn forward_training(
        &self,
        batch: &Batch,
        device: &Device,
        _masks: &mut ChaCha8Rng,
    ) -> Result<Tensor<1>> {
        let (ids, lengths) = to_device(batch, device);
        Ok(self.forward(ids, lengths))
    }
}

impl Classifier for SequenceClassifier {
    fn forward(&self, ids: Tensor<2, Int>, lengths: Tensor<1, Int>) -> Tensor<1> {
        self.forward(ids, lengths)
    }

    fn forward_training(
        &self,
        batch: &Batch,
        device: &Device,
        masks: &mut ChaCha8Rng,
    ) -> Result<Tensor<1>> {
        let words = self.vocabulary_size();
        let tokens = Tokens::sorted(&batch.ids, &batch.lengths, words, device)?;
        Ok(self.forward_training(tokens, masks)?)
    }
}

/// A network in training, with its optimizer.
pub struct Trainer<N = SequenceClassifier> {
    /// Always there between steps; a step takes it, so that it is changed in place.
    network: Option<N>,
    pub(super) optimizer: Adam,
    pub(super) learning_rate: f64,
    clip_norm: Option<f64>,
    class_weights: Option<[f64; 2]>,
    /// Settles dropout, together with the number of steps behind.
    seed: u64,
    /// Whether steps measure the gradient's norm even where nothing is clipped.
    pub(super) measure_norm: bool,
    gradient_norm: Option<Tensor<1>>,
    /// Beats at the end of every step.
    pub(super) heartbeat: Heartbeat,
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
            optimizer: Adam::new(config.weight_decay),
            learning_rate: config.learning_rate,
            clip_norm: config.clip_norm,
            class_weights: config.class_weights,
            seed: config.seed,
            measure_norm: false,
            gradient_norm: None,
            heartbeat: Heartbeat::new(&device),
            device,
        }
    }

    /// The network as it answers outside training.
    pub fn network(&self) -> N {
        self.current().valid()
    }

    pub(super) fn current(&self) -> &N {
        self.network.as_ref().expect("it is there between steps")
    }

    /// Puts the optimizer's state after `steps` steps back.
    ///
    /// # Errors
    /// As [`Adam::restore`].
    pub(super) fn restore(
        &mut self,
        moments: BTreeMap<String, [Vec<f32>; 2]>,
        steps: u64,
    ) -> Result<()> {
        let network = self.network.as_ref().expect("it is there between steps");
        self.optimizer.restore(network, moments, steps)
    }

    /// The norm of the last step's gradient before it was clipped, `[1]`, if that was measured.
    pub(super) fn gradient_norm(&mut self) -> Option<Tensor<1>> {
        self.gradient_norm.take()
    }

    /// One step of Adam; returns the logits from before it, still on the device.
    ///
    /// # Errors
    /// If a token is outside the network's vocabulary.
    pub fn step(&mut self, batch: &Batch) -> Result<Tensor<1>> {
        let labels = Tensor::<1>::from_data(&batch.labels[..], &self.device);
        let masks = &mut generator(*b"dropout\0", self.seed, self.optimizer.steps());
        let tracked = self
            .current()
            .forward_training(batch, &self.device, masks)?;
        let logits = tracked.clone().inner();
        let mut losses = cross_entropies(tracked, labels.clone());
        if let Some([negative, positive]) = self.class_weights {
            losses = losses * (labels * (positive - negative) + negative);
        }
        let gradients = mean(losses).backward();
        let gradients = GradientsParams::from_grads(gradients, self.current());
        let measured = self.measure_norm || self.clip_norm.is_some();
        self.gradient_norm = measured.then(|| clipping::norm(self.current(), &gradients));
        let scale = self
            .clip_norm
            .zip(self.gradient_norm.clone())
            .map(|(most, norm)| clipping::scale(norm, most));
        let network = self.network.take().expect("it is there between steps");
        let rate = self.learning_rate;
        self.network = Some(self.optimizer.step(network, gradients, scale, rate));
        let updated = self.optimizer.moments().values().next_back();
        self.heartbeat
            .beat(updated.map_or_else(|| logits.clone(), |of| of.first.clone()));
        Ok(logits)
    }
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

    /// A batch of three short reviews, the last one negative.
    fn batch() -> Batch {
        Batch {
            ids: vec![1, 4, 5, 1, 6, 0, 1, 7, 8],
            lengths: vec![3, 2, 3],
            labels: vec![1.0, 1.0, 0.0],
            size: 3,
            time: 3,
            indices: vec![0, 1, 2],
        }
    }

    fn config() -> RunConfig {
        let mut config = RunConfig::default();
        config.model.vocabulary_size = 10;
        config.model.hidden_size = 4;
        config
    }

    /// The norm of the first step's gradient, and the weights after `steps` of them.
    fn trained(config: &RunConfig, steps: usize) -> (f64, Vec<u8>) {
        trained_on(&batch(), config, steps)
    }

    fn trained_on(batch: &Batch, config: &RunConfig, steps: usize) -> (f64, Vec<u8>) {
        let mut trainer = Trainer::new(config, &Device::flex()).unwrap();
        trainer.measure_norm = true;
        let mut first = None;
        for _ in 0..steps {
            trainer.step(batch).unwrap();
            let norm = trainer.gradient_norm().unwrap().into_scalar::<f64>();
            first.get_or_insert(norm);
        }
        (
            first.unwrap(),
            trainer.network().to_safetensors(None).unwrap(),
        )
    }

    #[test]
    fn a_gradient_is_clipped_only_where_it_is_longer() {
        let (norm, free) = trained(&config(), 3);
        assert!(norm > 0.0);
        let clipped_at = |most| {
            let mut config = config();
            config.training.clip_norm = Some(most);
            trained(&config, 3)
        };
        let (measured, loose) = clipped_at(norm * 100.0);
        assert_eq!((measured, &loose), (norm, &free));
        let (measured, tight) = clipped_at(norm * 1e-6);
        assert_eq!(measured, norm, "the norm is the one before clipping");
        assert_ne!(tight, free);
    }

    #[test]
    fn the_scale_brings_a_norm_down_and_never_up() {
        let device = Device::flex();
        for (norm, most, expected) in [(4.0, 1.0, 0.25), (0.5, 1.0, 1.0), (0.0, 1.0, 1.0)] {
            let norm = Tensor::<1>::from_data([norm], &device);
            let scale = clipping::scale(norm, most).into_scalar::<f64>();
            assert_eq!(scale, expected);
        }
    }

    #[test]
    fn a_class_weight_counts_the_reviews_of_its_class_alone() {
        let norm = |weights, labels: [f32; 3]| {
            let mut config = config();
            config.training.class_weights = weights;
            let batch = Batch {
                labels: labels.to_vec(),
                ..batch()
            };
            trained_on(&batch, &config, 1).0
        };
        // The first weight is the negative class's.
        for (label, times) in [(0.0, 2.0), (1.0, 5.0)] {
            let plain = norm(None, [label; 3]);
            let weighted = norm(Some([2.0, 5.0]), [label; 3]);
            assert!(
                (weighted - times * plain).abs() < 1e-5 * weighted,
                "{weighted} is not {times} times {plain}"
            );
        }
        assert_eq!(
            norm(Some([1.0, 1.0]), [1.0, 1.0, 0.0]),
            norm(None, [1.0, 1.0, 0.0])
        );
    }

    #[test]
    fn two_trainings_with_dropout_at_once_give_what_each_gives_alone() {
        let mut config = config();
        config.model.layers = 2;
        config.model.dropout = 0.5;
        config.model.recurrent_dropout = 0.5;
        let weights = |seed| {
            let mut config = config.clone();
            config.training.seed = seed;
            trained(&config, 20).1
        };
        let alone = [1, 2].map(weights);
        assert_ne!(alone[0], alone[1]);
        let together = std::thread::scope(|scope| {
            let threads = [1, 2].map(|seed| scope.spawn(move || weights(seed)));
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(together == alone, "they disturb each other");
    }

    #[test]
    fn weight_decay_shrinks_the_weights() {
        let size = |decay| {
            let mut config = config();
            config.training.weight_decay = decay;
            let mut trainer = Trainer::new(&config, &Device::flex()).unwrap();
            (0..5).for_each(|_| drop(trainer.step(&batch()).unwrap()));
            let bytes = trainer.network().to_safetensors(None).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            file.tensors()
                .iter()
                .flat_map(|(_, view)| view.data().chunks_exact(4))
                .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()).powi(2))
                .sum::<f32>()
        };
        assert!(
            size(10.0) < 0.98 * size(0.0),
            "{} {}",
            size(10.0),
            size(0.0)
        );
    }
}
