//! A network in training: its gradients, and its updates by them.

use std::collections::BTreeMap;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use gatefold_data::Batch;
use gatefold_data::random::generator;
use gatefold_model::{Heartbeat, backpropagated};

use crate::adversary;
use crate::average::Average;
use crate::batch::Answers;
use crate::clipping;
use crate::config::TrainingConfig;
use crate::error::{OtherError, Result, TrainingError};
use crate::evaluation::check_answers;
use crate::groups::Groups;
use crate::objective::{LossOptions, Objective};
use crate::optimizer::Adam;
use crate::schedule::warmed_up;

/// Agrees on gradients with others, who train the same network on other examples at the same step.
///
/// Gradients are kept by their parameters' ids: keep a clone of the network that the training begins with, and visit
/// it to find them, in the same order everywhere. All have to take as many steps, so that they need as many examples, and
/// no `patience` of their own.
pub trait Exchange {
    /// The mean of everybody's gradients: the same for everybody, added in the same order.
    ///
    /// # Errors
    /// If the others can't be reached.
    fn mean(&mut self, gradients: GradientsParams) -> Result<GradientsParams, OtherError>;
}

/// Nobody else trains the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Exchange for Alone {
    fn mean(&mut self, gradients: GradientsParams) -> Result<GradientsParams, OtherError> {
        Ok(gradients)
    }
}

/// A network in training, with its optimizer.
///
/// A step is [`gradients`](Self::gradients), then [`update`](Self::update); between them, gradients can be
/// [exchanged](Exchange).
pub struct Trainer<N> {
    /// Always there between steps; an update takes it, so that it is changed in place.
    network: Option<N>,
    optimizer: Adam,
    objective: Objective,
    clip_norm: Option<f64>,
    class_weights: Option<Vec<f64>>,
    label_smoothing: f64,
    /// How far an adversary moves the tokens' vectors.
    adversarial: f64,
    /// The steps over which it grows to that.
    warm_up: usize,
    groups: Groups,
    /// Which groups are frozen, from 1.
    pub(crate) epoch: usize,
    /// The weights' moving average, if there is one.
    average: Option<Average>,
    /// Settles dropout, together with the number of steps behind.
    seed: u64,
    /// Whether steps measure the gradient's norm even where nothing is clipped.
    pub(crate) measure_norm: bool,
    gradient_norm: Option<Tensor<1>>,
    /// Beats at the end of every update.
    pub(crate) heartbeat: Heartbeat,
    device: Device,
}

impl<N: Answers> Trainer<N> {
    /// Trains `network`, anyone's, on `device` for `objective`, as `config` says of clipping, weight decay, class
    /// weights, label smoothing, an adversary, groups of parameters (none of them frozen), averaging and the seed of dropout.
    ///
    /// # Panics
    /// If class weights are still a rule: [`ClassWeights::of`](crate::ClassWeights::of) settles it.
    pub fn new(network: N, objective: Objective, config: &TrainingConfig, device: &Device) -> Self {
        let device = device.clone().autodiff();
        Self {
            average: config.ema_decay.map(|decay| Average::of(&network, decay)),
            network: Some(network.train()),
            optimizer: Adam::new(config.weight_decay),
            objective,
            clip_norm: config.clip_norm,
            class_weights: config.class_weights.as_ref().map(|weights| {
                let weights = weights.each();
                weights.expect("class weights are settled").to_vec()
            }),
            label_smoothing: config.label_smoothing,
            adversarial: config.adversarial,
            warm_up: config.warm_up,
            groups: config.groups,
            epoch: usize::MAX,
            seed: config.seed,
            measure_norm: false,
            gradient_norm: None,
            heartbeat: Heartbeat::new(&device),
            device,
        }
    }

    /// The network as it answers outside training: with the average of its weights, if that is made.
    pub fn network(&self) -> N {
        let network = self.trained();
        match &self.average {
            Some(average) => average.network(network),
            None => network,
        }
    }

    /// The network with the weights that are trained.
    pub(crate) fn trained(&self) -> N {
        self.current().valid()
    }

    /// The weights' moving average, if there is one.
    pub(crate) fn average(&self) -> Option<&Average> {
        self.average.as_ref()
    }

    pub(crate) fn current(&self) -> &N {
        self.network.as_ref().expect("it is there between steps")
    }

    pub(crate) fn optimizer(&self) -> &Adam {
        &self.optimizer
    }

    /// Puts the optimizer's state after `steps` steps back, and the average of the weights.
    ///
    /// # Errors
    /// As [`Adam::restore`]; and if there is an average where none is made, or none where one is, or another
    /// network's.
    pub(crate) fn restore(
        &mut self,
        moments: BTreeMap<String, [Vec<f32>; 2]>,
        average: BTreeMap<String, Vec<f32>>,
        steps: u64,
    ) -> Result<()> {
        match &mut self.average {
            Some(kept) => kept.restore(average)?,
            None if average.is_empty() => {}
            None => {
                let fault = "it holds averages of weights, which this training makes none of";
                return Err(TrainingError::Checkpoint(fault.into()));
            }
        }
        let network = self.network.as_ref().expect("it is there between steps");
        self.optimizer.restore(network, moments, steps)
    }

    /// The norm of the last update's gradient before it was clipped, `[1]`, if that was measured.
    pub(crate) fn gradient_norm(&mut self) -> Option<Tensor<1>> {
        self.gradient_norm.take()
    }

    /// The answers `[rows, C]` to a batch, still on the device, and the gradients of their loss; against an adversary, the
    /// mean of these and of those where it moved the tokens' vectors.
    ///
    /// # Errors
    /// If the network can't read the batch, or its answers are not as many as the targets, or of another width.
    ///
    /// # Panics
    /// If the batch has no targets, or fewer class weights are set than there are classes.
    pub fn gradients(&self, batch: &Batch) -> Result<(Tensor<2>, GradientsParams)> {
        let network = self.current();
        let (answers, gradients) = self.gradients_of(network, batch)?;
        if self.adversarial == 0.0 {
            return Ok((answers, gradients));
        }
        let steps = usize::try_from(self.optimizer.steps()).unwrap_or(usize::MAX);
        let strength = warmed_up(1.0, steps, self.warm_up);
        let length = (self.adversarial, strength);
        let moved = adversary::moved(network.clone(), &gradients, length);
        let (_, against) = self.gradients_of(&moved, batch)?;
        Ok((answers, adversary::mean(network, &gradients, &against)))
    }

    /// Those of `network`, which drops what this step drops.
    fn gradients_of(&self, network: &N, batch: &Batch) -> Result<(Tensor<2>, GradientsParams)> {
        let masks = &mut generator(*b"dropout\0", self.seed, self.optimizer.steps());
        let tracked = network.answers_training(batch, &self.device, masks)?;
        let answers = tracked.clone().inner();
        check_answers(answers.dims(), batch, self.objective)?;
        let targets = batch.targets.as_ref().expect("there is something to learn");
        let options = LossOptions {
            class_weights: self.class_weights.as_deref(),
            label_smoothing: self.label_smoothing,
        };
        let gradient = self.objective.gradient(answers.clone(), targets, options);
        let loss = backpropagated(tracked, Tensor::from_inner(gradient));
        let gradients = GradientsParams::from_grads(loss.backward(), network);
        Ok((answers, gradients))
    }

    /// A step of Adam along gradients, clipped if they are too long.
    pub fn update(&mut self, gradients: GradientsParams, learning_rate: f64) {
        let measured = self.measure_norm || self.clip_norm.is_some();
        self.gradient_norm = measured.then(|| clipping::norm(self.current(), &gradients));
        let scale = self
            .clip_norm
            .zip(self.gradient_norm.clone())
            .map(|(most, norm)| clipping::scale(norm, most));
        let network = self.network.take().expect("it is there between steps");
        let (groups, epoch) = (self.groups, self.epoch);
        let rate = |path: &str| learning_rate * groups.rate(path, epoch);
        let network = self.optimizer.step(network, gradients, scale, &rate);
        if let Some(average) = &mut self.average {
            average.update(&network, self.optimizer.steps());
        }
        self.network = Some(network);
        if let Some(updated) = self.optimizer.moments().values().next_back() {
            self.heartbeat.beat(updated.first.clone());
        }
    }

    /// [`gradients`](Self::gradients) and [`update`](Self::update); returns the answers from before it.
    ///
    /// # Errors
    /// If the network can't read the batch.
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) -> Result<Tensor<2>> {
        let (answers, gradients) = self.gradients(batch)?;
        self.update(gradients, learning_rate);
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, ModuleVisitor, Param};
    use gatefold_data::{BatchInput, BatchTargets};
    use gatefold_model::Network;

    use super::*;
    use crate::config::RunConfig;

    /// A batch of three short reviews, the last one negative.
    fn batch() -> Batch {
        Batch {
            input: BatchInput::Tokens(vec![1, 4, 5, 1, 6, 0, 1, 7, 8]),
            lengths: vec![3, 2, 3],
            targets: Some(BatchTargets::Classes(vec![1, 1, 0])),
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

    fn trainer(config: &RunConfig) -> Trainer<Network> {
        let device = Device::flex();
        let network = config.model.init(config.training.seed, &device).unwrap();
        Trainer::new(network, config.objective(), &config.training, &device)
    }

    /// The norm of the first step's gradient, and the weights after `steps` of them.
    fn trained(config: &RunConfig, steps: usize) -> (f64, Vec<u8>) {
        trained_on(&batch(), config, steps)
    }

    fn trained_on(batch: &Batch, config: &RunConfig, steps: usize) -> (f64, Vec<u8>) {
        let mut trainer = trainer(config);
        trainer.measure_norm = true;
        let mut first = None;
        for _ in 0..steps {
            trainer.step(batch, config.training.learning_rate).unwrap();
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
        let norm = |weights: Option<Vec<f64>>, classes: [i32; 3]| {
            let mut config = config();
            config.training.class_weights = weights.map(crate::ClassWeights::Each);
            let batch = Batch {
                targets: Some(BatchTargets::Classes(classes.to_vec())),
                ..batch()
            };
            trained_on(&batch, &config, 1).0
        };
        // The first weight is the negative class's.
        for (class, times) in [(0, 2.0), (1, 5.0)] {
            let plain = norm(None, [class; 3]);
            let weighted = norm(Some(vec![2.0, 5.0]), [class; 3]);
            assert!(
                (weighted - times * plain).abs() < 1e-5 * weighted,
                "{weighted} is not {times} times {plain}"
            );
        }
        assert_eq!(norm(Some(vec![1.0, 1.0]), [1, 1, 0]), norm(None, [1, 1, 0]));
    }

    #[test]
    fn an_adversary_moves_the_tokens_vectors_alone_and_against_the_answers() {
        let mut config = config();
        let plain = trainer(&config);
        let (answers, gradients) = plain.gradients(&batch()).unwrap();
        let moved = |length| adversary::moved(plain.current().clone(), &gradients, length);
        let values = |network: &Network| Average::of(network, 0.5).values().clone();
        let before = values(plain.current());
        let norm = |of: Tensor<1>| of.square().sum().sqrt().into_scalar::<f64>();
        let table = before
            .keys()
            .find(|path| path.starts_with("input."))
            .unwrap();
        let width = config.model.embedding_size;
        let vectors = before[table].clone().reshape([-1, width as i32]);
        let read = [1, 4, 5, 6, 7, 8].map(|token| vectors.clone().narrow(0, token, 1));
        let longest = 0.12 * norm(Tensor::cat(read.into(), 0).flatten(0, 1));
        let half = 0.5 * longest;
        for (asked, expected) in [
            ((half, 1.0), half),
            ((2.0 * longest, 1.0), longest),
            ((2.0 * longest, 0.5), half),
        ] {
            let after = values(&moved(asked));
            for (path, values) in &before {
                let length = norm(after[path].clone() - values.clone());
                let expected = if path == table { expected } else { 0.0 };
                assert!(
                    (length - expected).abs() < 1e-6,
                    "{path}: {length} for {expected}"
                );
            }
        }

        // The first two texts are of the second class, which high answers say.
        let right = |answers: Tensor<2>| {
            let answers: Vec<f32> = answers.into_data().iter().collect();
            answers[0] + answers[1] - answers[2]
        };
        let (against, _) = plain
            .gradients_of(&moved((longest, 1.0)), &batch())
            .unwrap();
        assert!(right(against) < right(answers.clone()));

        config.training.adversarial = 0.1;
        let guarded = trainer(&config);
        let (same, mean) = guarded.gradients(&batch()).unwrap();
        assert_eq!(same.into_data(), answers.into_data());
        let norm = |of: &Network, gradients| clipping::norm(of, gradients).into_scalar::<f64>();
        assert_ne!(
            norm(guarded.current(), &mean),
            norm(plain.current(), &gradients)
        );
        // At first it moves them hardly at all.
        config.training.warm_up = usize::MAX;
        let guarded = trainer(&config);
        let (_, mean) = guarded.gradients(&batch()).unwrap();
        let (mean, plain) = (
            norm(guarded.current(), &mean),
            norm(plain.current(), &gradients),
        );
        assert!((mean - plain).abs() < 1e-6 * plain, "{mean} {plain}");
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
            let mut trainer = trainer(&config);
            (0..5).for_each(|_| drop(trainer.step(&batch(), 1e-3).unwrap()));
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

    /// Another one's gradients, of the same network.
    struct Pair<'a> {
        network: &'a Network,
        others: GradientsParams,
    }

    impl Exchange for Pair<'_> {
        fn mean(&mut self, gradients: GradientsParams) -> Result<GradientsParams, OtherError> {
            struct Means<'a> {
                ours: GradientsParams,
                others: &'a GradientsParams,
                means: GradientsParams,
            }
            impl ModuleVisitor for Means<'_> {
                fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                    let ours = self.ours.remove::<D>(param.id).unwrap();
                    let others = self.others.get::<D>(param.id).unwrap();
                    self.means.register(param.id, (ours + others) / 2.0);
                }
            }
            let mut means = Means {
                ours: gradients,
                others: &self.others,
                means: GradientsParams::new(),
            };
            self.network.visit(&mut means);
            Ok(means.means)
        }
    }

    #[test]
    fn two_who_exchange_their_gradients_learn_what_one_learns_who_sees_all() {
        let rows = |rows: std::ops::Range<usize>| Batch {
            input: BatchInput::Tokens(
                [[1, 4, 5], [1, 6, 7], [1, 7, 8], [1, 5, 9]][rows.clone()].concat(),
            ),
            lengths: vec![3; rows.len()],
            targets: Some(BatchTargets::Classes([1, 1, 0, 0][rows.clone()].to_vec())),
            size: rows.len(),
            time: 3,
            indices: rows.collect(),
        };
        let config = config();
        let mut whole = trainer(&config);
        let (_, expected) = whole.gradients(&rows(0..4)).unwrap();
        let apart = trainer(&config);
        let network = apart.current().clone();
        let [ours, others] = [rows(0..2), rows(2..4)].map(|batch| {
            let half = Trainer::new(
                network.clone(),
                Objective::Binary,
                &config.training,
                &Device::flex(),
            );
            half.gradients(&batch).unwrap().1
        });
        let mean = Pair {
            network: &network,
            others,
        }
        .mean(ours);
        let (found, expected) = (
            clipping::norm(&network, &mean.unwrap()).into_scalar::<f64>(),
            clipping::norm(whole.current(), &expected).into_scalar::<f64>(),
        );
        assert!(
            (found - expected).abs() < 1e-5 * expected,
            "{found} {expected}"
        );
        let (_, gradients) = whole.gradients(&rows(0..4)).unwrap();
        whole.update(Alone.mean(gradients).unwrap(), 1e-3);
        let mut at_once = trainer(&config);
        at_once.step(&rows(0..4), 1e-3).unwrap();
        let [apart, at_once] = [whole, at_once].map(|of| of.network().weights().unwrap());
        assert_eq!(apart, at_once);
    }
}
