//! The training loop, and what it needs to be stopped anywhere and go on.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use burn::tensor::{Device, Tensor};
use futures_lite::future::block_on;
use gatefold_data::random::generator;
use gatefold_data::{Batch, EncodedDataset, Example, Labels};
use gatefold_model::Weights;
use web_time::Instant;

use crate::batch::Answers;
use crate::checkpoint::{Checkpoint, Header, Refused, damaged};
use crate::class_weights::ClassWeights;
use crate::config::{Keep, RunConfig};
use crate::error::{OtherError, Result, TrainingError};
use crate::evaluation::{Reads, Tally, read, score_async, test_async};
use crate::hash::Hasher;
use crate::metrics::{EpochMetrics, Evaluation, Progress, Refit};
use crate::schedule::learning_rate;
use crate::trainer::{Alone, Exchange, Trainer};

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A training step is behind.
    Step {
        /// From 1.
        epoch: usize,
        /// Steps behind, of this epoch.
        step: usize,
        /// Steps in this epoch.
        steps: usize,
        /// Examples of this step.
        examples: usize,
        /// This step's.
        learning_rate: f64,
        /// Over this epoch so far, as far as the device has been read.
        so_far: Evaluation,
    },
    /// A batch of validation or test examples is behind.
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
    /// The network is trained again, from its first weights on, on the training and the validation part together; or
    /// goes on with that.
    Refitting {
        /// Examples of both parts.
        examples: usize,
        /// Epochs of this.
        epochs: usize,
        /// Those that are done.
        done: usize,
    },
    /// An epoch of that is done.
    Refitted {
        /// From 1.
        epoch: usize,
        /// As [`EpochMetrics::train_loss`].
        train_loss: f64,
        /// As [`EpochMetrics::train_accuracy`].
        train_accuracy: Option<f64>,
    },
    /// The run goes on after an interruption; whoever [restores](Session::restore) a session tells it.
    Resumed {
        /// The epochs that are done.
        epochs: Vec<EpochMetrics>,
        /// The [one under way](Session::epoch).
        epoch: usize,
        /// Steps done of it.
        step: usize,
        /// That training has taken so far.
        seconds: f64,
    },
    /// A line for people, from whoever keeps the run.
    Message(String),
}

/// Hears a run's events; [`ControlFlow::Break`] stops it after the step.
pub type OnEvent<'a> = &'a mut dyn FnMut(Event) -> ControlFlow<()>;

/// Keeps what a training makes: files, or whatever else outlives it. `()` keeps nothing.
pub trait Store {
    /// Whether checkpoints are kept; else none are made.
    fn keeps_checkpoints(&self) -> bool {
        true
    }

    /// Keeps a checkpoint, [as bytes](Checkpoint::to_bytes). An epoch's comes before its weights and metrics:
    /// wherever those are, the training can go on.
    ///
    /// # Errors
    /// If it can't be kept; this ends the training.
    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), OtherError>;

    /// Keeps the weights of the best epoch so far.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    fn weights(&mut self, weights: &Weights) -> Result<(), OtherError>;

    /// Keeps the metrics of all epochs so far.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    fn metrics(&mut self, epochs: &[EpochMetrics]) -> Result<(), OtherError>;

    /// Keeps points of curves, by name, after `step` steps of the whole training. After a resumption, points of steps
    /// behind the checkpoint come again.
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Result<(), OtherError>;
}

impl Store for () {
    fn keeps_checkpoints(&self) -> bool {
        false
    }

    fn checkpoint(&mut self, _: &[u8]) -> Result<(), OtherError> {
        Ok(())
    }

    fn weights(&mut self, _: &Weights) -> Result<(), OtherError> {
        Ok(())
    }

    fn metrics(&mut self, _: &[EpochMetrics]) -> Result<(), OtherError> {
        Ok(())
    }

    fn scalars(&mut self, _: u64, _: &[(&str, f64)]) -> Result<(), OtherError> {
        Ok(())
    }
}

/// A trainer as `config` says, with the class weights that the examples of `classes` classes settle.
fn trainer<N: Answers>(
    network: N,
    config: &RunConfig,
    (examples, classes): (&[Example], usize),
    device: &Device,
) -> Trainer<N> {
    let mut training = config.training.clone();
    let weights = training.class_weights;
    let weights = weights.map(|weights| weights.of_examples(examples.iter(), classes));
    training.class_weights = weights.map(ClassWeights::Each);
    Trainer::new(network, config.objective(), &training, device)
}

/// A network before its first step.
struct First<N> {
    network: N,
    /// Its weights, once a checkpoint needed them.
    weights: Option<Arc<Weights>>,
}

/// A training under way.
pub struct Session<'a, N> {
    config: &'a RunConfig,
    data: &'a EncodedDataset,
    /// Only checkpoints need it.
    data_hash: OnceCell<String>,
    /// The training and the validation part together, where both are trained on.
    both: OnceCell<Vec<Example>>,
    device: Device,
    trainer: Trainer<N>,
    /// What it began with, if it is to begin again.
    first: Option<First<N>>,
    exchange: Box<dyn Exchange + 'a>,
    progress: Progress,
    /// The network's, where they were read after its last step.
    weights: Option<Arc<Weights>>,
    /// The best epoch's.
    best: Option<Arc<Weights>>,
    /// Those of the training on both parts, once that is done.
    refitted: Option<Arc<Weights>>,
    /// The last finite one that was measured: the epoch, its step, and the norm.
    gradient_norm: Option<(usize, usize, f64)>,
    last_checkpoint: Instant,
}

impl<'a, N: Answers> Session<'a, N> {
    /// Trains `network` from its weights on, on `device`.
    ///
    /// # Errors
    /// If no run can follow `config`, or it isn't [settled](RunConfig::settle) for `data`.
    pub fn new(
        network: N,
        data: &'a EncodedDataset,
        config: &'a RunConfig,
        device: &Device,
    ) -> Result<Self> {
        config.validate()?;
        config.check(data)?;
        let device = device.clone().inner();
        let classes = data.labels.as_ref().map_or(0, Labels::len);
        let examples = (&data.train[..], classes);
        Ok(Self {
            config,
            data,
            data_hash: OnceCell::new(),
            both: OnceCell::new(),
            first: config.training.refit.then(|| First {
                network: network.clone(),
                weights: None,
            }),
            trainer: trainer(network, config, examples, &device),
            device,
            exchange: Box::new(Alone),
            progress: Progress::default(),
            weights: None,
            best: None,
            refitted: None,
            gradient_norm: None,
            last_checkpoint: Instant::now(),
        })
    }

    /// Trains with others, from here on.
    pub fn with_exchange(mut self, exchange: impl Exchange + 'a) -> Self {
        self.exchange = Box::new(exchange);
        self
    }

    /// Where it stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The weights that are kept: the best epoch's, if one is done, or those trained on both parts once that is done.
    pub fn best_weights(&self) -> Option<&Arc<Weights>> {
        self.refitted.as_ref().or(self.best.as_ref())
    }

    /// Steps behind, of all epochs.
    pub fn steps_behind(&self) -> usize {
        self.steps_before() + self.epochs_done() * self.steps() + self.progress.step
    }

    /// Whether the network is trained on both parts.
    fn refits(&self) -> bool {
        self.progress.refit.is_some()
    }

    /// What is trained on.
    fn examples(&self) -> &[Example] {
        match self.refits() {
            true => self.both.get_or_init(|| {
                let EncodedDataset {
                    train, validation, ..
                } = self.data;
                train.iter().chain(validation).cloned().collect()
            }),
            false => &self.data.train,
        }
    }

    /// An epoch's.
    fn steps(&self) -> usize {
        self.steps_of(self.examples())
    }

    /// Those of an epoch over these examples.
    fn steps_of(&self, examples: &[Example]) -> usize {
        examples.len().div_ceil(self.config.training.batch_size)
    }

    /// Those of the training on the training part alone, where that on both parts has begun.
    fn steps_before(&self) -> usize {
        match self.refits() {
            true => self.progress.epochs.len() * self.steps_of(&self.data.train),
            false => 0,
        }
    }

    /// Of the training under way.
    fn epochs_done(&self) -> usize {
        match self.progress.refit {
            Some(refit) => refit.done,
            None => self.progress.epochs.len(),
        }
    }

    /// The network that is kept, as it answers outside training: the best epoch's, or that which was trained on both
    /// parts once that is done; before the first epoch's end, as it is.
    ///
    /// # Errors
    /// If the device fails.
    pub fn network(&self) -> Result<N> {
        self.network_of(self.best_weights())
    }

    /// The best epoch's network, which was not trained on the validation part.
    ///
    /// # Errors
    /// If the device fails.
    pub fn validated_network(&self) -> Result<N> {
        self.network_of(self.best.as_ref())
    }

    fn network_of(&self, weights: Option<&Arc<Weights>>) -> Result<N> {
        let network = self.trainer.network();
        Ok(match weights {
            Some(best) => best.load_into(network, N::weight_name)?,
            None => network,
        })
    }

    /// A hash of what is trained and validated on, and of what its ids and classes stand for.
    fn data_hash(&self) -> &str {
        self.data_hash.get_or_init(|| {
            let mut hasher = Hasher::default();
            self.data.feed(&mut |bytes| hasher.feed(bytes));
            hasher.end()
        })
    }

    /// Stands where `checkpoint` was written; as before if that can't be.
    ///
    /// # Errors
    /// [`Refused`] says whether the checkpoint is damaged, or of something else.
    pub fn restore(&mut self, checkpoint: Checkpoint) -> Result<(), Refused> {
        checkpoint.check(self.config, self.data_hash())?;
        let progress = checkpoint.header.progress.clone();
        let optimizer_steps = checkpoint.header.optimizer_steps;
        let (done, epochs) = (progress.epochs.len(), self.config.training.epochs);
        if done > epochs {
            return Err(Refused::Other(format!(
                "{done} epochs are done, more than the {epochs} that the run is to have"
            )));
        }
        if let Some(refit) = progress.refit {
            let refits = self.config.training.refit && refit.done <= refit.epochs;
            if !refits || refit.epochs > done {
                return Err(damaged(format!(
                    "{} of {} epochs on both parts are done",
                    refit.done, refit.epochs
                )));
            }
        }
        // The length of an epoch is that of the training under way.
        let before = std::mem::replace(&mut self.progress, progress);
        if self.refits() && !self.is_fitted() {
            self.progress = before;
            return Err(Refused::Other(format!(
                "after {done} epochs the network was trained again on both parts, from its first weights on: it can't be \
                 lengthened to {epochs}"
            )));
        }
        let (epochs_done, steps) = (self.epochs_done() as u64, self.steps() as u64);
        let fault = self.restore_at(checkpoint, optimizer_steps, epochs_done * steps);
        if fault.is_err() {
            self.progress = before;
        }
        fault
    }

    /// Stands where `checkpoint` was written, after `behind` steps of whole epochs; as before, but for the progress, if
    /// that can't be.
    fn restore_at(
        &mut self,
        checkpoint: Checkpoint,
        optimizer_steps: u64,
        behind: u64,
    ) -> Result<(), Refused> {
        let progress = &self.progress;
        let is_within = progress.step <= self.steps();
        if !is_within || optimizer_steps != behind + progress.step as u64 {
            return Err(damaged(format!(
                "{optimizer_steps} steps of the optimizer don't lead to step {} after {} epochs",
                progress.step,
                self.epochs_done()
            )));
        }
        if checkpoint.best.is_some() == progress.epochs.is_empty() {
            return Err(damaged(
                "it holds a best epoch's weights and no epoch, or the other way round",
            ));
        }
        let blank = self.trainer.trained();
        for kept in checkpoint.best.iter().chain(&checkpoint.refitted) {
            kept.check(&blank, N::weight_name).map_err(damaged)?;
        }
        let is_refitted = progress
            .refit
            .is_some_and(|refit| refit.done == refit.epochs);
        if checkpoint.refitted.is_some() != is_refitted {
            return Err(damaged(
                "it holds weights of a training on both parts that isn't done, or the other way round",
            ));
        }
        let first = match (checkpoint.first, self.first.is_some() && !self.refits()) {
            (Some(weights), true) => {
                let network = weights.load_into(blank.clone(), N::weight_name);
                Some(First {
                    network: network.map_err(damaged)?,
                    weights: Some(weights),
                })
            }
            (None, false) => None,
            _ => {
                return Err(damaged(
                    "it holds first weights and needs none, or the other way round",
                ));
            }
        };
        let network = checkpoint.network.load_into(blank, N::weight_name);
        let mut trainer = self.trainer_of(network.map_err(damaged)?);
        trainer
            .restore(checkpoint.moments, checkpoint.average, optimizer_steps)
            .map_err(damaged)?;
        let carried = trainer.current().carry(checkpoint.carried, &self.device);
        carried.map_err(damaged)?;
        (self.trainer, self.best, self.first) = (trainer, checkpoint.best, first);
        self.refitted = checkpoint.refitted;
        (self.weights, self.gradient_norm) = (None, None);
        Ok(())
    }

    /// Trains `network` on the examples of the training under way.
    fn trainer_of(&self, network: N) -> Trainer<N> {
        let classes = self.data.labels.as_ref().map_or(0, Labels::len);
        trainer(
            network,
            self.config,
            (self.examples(), classes),
            &self.device,
        )
    }

    /// Runs the epochs that are left. [`ControlFlow::Break`] if it was asked to stop before they were done.
    ///
    /// # Errors
    /// If the device fails or drops work, the loss is no longer finite, or `store` can't keep something.
    pub async fn run_async(
        &mut self,
        store: &mut dyn Store,
        on_event: OnEvent<'_>,
    ) -> Result<ControlFlow<()>> {
        while !self.is_fitted() {
            if self.train_epoch(store, on_event).await?.is_break() {
                self.write_checkpoint(store).await?;
                return Ok(ControlFlow::Break(()));
            }
            let metrics = self.validate(store, on_event).await?;
            self.write_checkpoint(store).await?;
            let flow = self.keep_epoch(metrics, store, on_event)?;
            if flow.is_break() && !self.is_done() {
                return Ok(flow);
            }
        }
        if self.is_done() {
            return Ok(ControlFlow::Continue(()));
        }
        self.refit(store, on_event).await
    }

    /// Trains on both parts, from the first weights on, or goes on with that.
    async fn refit(
        &mut self,
        store: &mut dyn Store,
        on_event: OnEvent<'_>,
    ) -> Result<ControlFlow<()>> {
        if let Some(first) = self.first.take() {
            let kept = self.progress.best(self.config.training.keep);
            let epochs = kept.expect("an epoch is done").epoch;
            self.progress.refit = Some(Refit {
                epochs,
                done: 0,
                failed: false,
            });
            self.trainer = self.trainer_of(first.network);
            (self.weights, self.gradient_norm) = (None, None);
        }
        let mut refit = self.progress.refit.expect("it has begun");
        let _ = on_event(Event::Refitting {
            examples: self.examples().len(),
            epochs: refit.epochs,
            done: refit.done,
        });
        while refit.done < refit.epochs {
            if self.train_epoch(store, on_event).await?.is_break() {
                self.write_checkpoint(store).await?;
                return Ok(ControlFlow::Break(()));
            }
            let (trained, _) = self.end_epoch();
            refit.done += 1;
            let is_last = refit.done == refit.epochs;
            if is_last {
                let network = self.trainer.network();
                refit.failed = self.is_worse(&network).await?;
                self.refitted = match refit.failed {
                    true => self.best.clone(),
                    false => Some(read_answering(&network).await?),
                };
            }
            self.progress.refit = Some(refit);
            self.write_checkpoint(store).await?;
            if let Some(weights) = &self.refitted {
                store.weights(weights).map_err(TrainingError::Store)?;
            }
            let flow = on_event(Event::Refitted {
                epoch: refit.done,
                train_loss: trained.loss,
                train_accuracy: trained.accuracy,
            });
            if flow.is_break() && !is_last {
                return Ok(flow);
            }
        }
        if refit.failed {
            let text = "warning: trained again, the network answers the validation part worse than before it had learnt from \
                        that: the one from before is kept";
            let _ = on_event(Event::Message(text.into()));
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether a network answers the validation part worse than the one that is kept of those that never learnt from it.
    async fn is_worse(&self, network: &N) -> Result<bool> {
        let kept = self.progress.best(self.config.training.keep);
        let kept = kept.expect("an epoch is done").validation_loss;
        match self.test_on_validation(network, &mut |_, _| {}).await {
            Ok((validated, _)) => Ok(validated.loss.is_nan() || validated.loss > kept),
            Err(TrainingError::NotFinite) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// [`run_async`](Self::run_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`run_async`](Self::run_async).
    pub fn run(&mut self, store: &mut dyn Store, on_event: OnEvent) -> Result<ControlFlow<()>> {
        block_on(self.run_async(store, on_event))
    }

    /// Whether nothing is left to train.
    pub fn is_done(&self) -> bool {
        match self.progress.refit {
            Some(refit) => refit.done == refit.epochs,
            None => !self.config.training.refit && self.is_fitted(),
        }
    }

    /// Whether all epochs are done, or patience has run out.
    fn is_fitted(&self) -> bool {
        let done = self.progress.epochs.len();
        let best = self
            .progress
            .best(self.config.training.keep)
            .map_or(0, |best| best.epoch);
        let patience = self.config.training.patience;
        done >= self.config.training.epochs
            || patience.is_some_and(|most| done >= best.saturating_add(most))
    }

    /// The epoch under way, from 1: of the training on both parts, once that has begun.
    pub fn epoch(&self) -> usize {
        self.epochs_done() + 1
    }

    async fn train_epoch(
        &mut self,
        store: &mut dyn Store,
        on_event: OnEvent<'_>,
    ) -> Result<ControlFlow<()>> {
        let epoch = self.epoch();
        self.trainer.epoch = epoch;
        let batching = self.config.batching();
        let plan = self.config.training_plan(self.examples(), epoch as u64);
        let mut reads = Reads::new();
        let mut tally = Tally::new(self.config.objective(), self.progress.totals);
        let first = self.progress.step;
        let mut start = Instant::now();
        for (step, indices) in plan.iter().enumerate().skip(first) {
            let rate = self.learning_rate(epoch, step + 1);
            let due = reads.are_due();
            self.trainer.measure_norm = due;
            let mut batch = batching.batch(self.examples(), indices);
            self.drop_words(&mut batch);
            let examples = batch.size;
            let (answers, gradients) = self.trainer.gradients(&batch)?;
            let gradients = self.exchange.mean(gradients);
            self.trainer
                .update(gradients.map_err(TrainingError::Store)?, rate);
            self.weights = None;
            reads.push(batch, answers);
            if due {
                tally.count(&reads.read(&mut self.trainer.heartbeat).await?);
                self.measure((epoch, step + 1), rate, tally.evaluation(), store)
                    .await?;
            }
            let last = step + 1 == plan.len();
            let flow = on_event(Event::Step {
                epoch,
                step: step + 1,
                steps: plan.len(),
                examples,
                learning_rate: rate,
                so_far: tally.evaluation(),
            });
            let checkpoint = !last && store.keeps_checkpoints() && self.checkpoint_is_due();
            if last || checkpoint || flow.is_break() {
                tally.count(&reads.read(&mut self.trainer.heartbeat).await?);
            }
            if let Some(bad) = tally.not_finite {
                return Err(self.diverged(epoch, first + bad + 1));
            }
            self.progress.step = step + 1;
            self.progress.totals = tally.totals;
            self.count_time(&mut start);
            if flow.is_break() {
                return Ok(flow);
            }
            if checkpoint {
                self.write_checkpoint(store).await?;
                start = Instant::now();
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Makes words of a batch unknown, as the seed and the steps behind say.
    fn drop_words(&self, batch: &mut Batch) {
        let share = self.config.training.word_dropout;
        let Some(vocabulary) = self.data.encoder.vocabulary().filter(|_| share > 0.0) else {
            return;
        };
        if let Some(unknown) = vocabulary.ids().unknown {
            let steps = self.trainer.optimizer().steps();
            let draws = &mut generator(*b"words\0\0\0", self.config.training.seed, steps);
            batch.drop_words(share, vocabulary.word_ids(), unknown, draws);
        }
    }

    /// Reads the norm of the gradient of a step, counted from 1, and keeps it with what is known beside it.
    async fn measure(
        &mut self,
        (epoch, step): (usize, usize),
        learning_rate: f64,
        so_far: Evaluation,
        store: &mut dyn Store,
    ) -> Result<()> {
        let Some(norm) = self.trainer.gradient_norm() else {
            return Ok(());
        };
        let norm = f64::from(read(norm).await?[0]);
        if norm.is_finite() {
            self.gradient_norm = Some((epoch, step, norm));
        }
        let mut values = vec![
            ("loss/train so far", so_far.loss),
            ("learning rate", learning_rate),
            ("gradient norm", norm),
        ];
        if let Some(accuracy) = so_far.accuracy {
            values.insert(1, ("accuracy/train so far", accuracy));
        }
        let behind = self.steps_before() + (epoch - 1) * self.steps() + step;
        store
            .scalars(behind as u64, &values)
            .map_err(TrainingError::Store)
    }

    fn count_time(&mut self, start: &mut Instant) {
        let seconds = start.elapsed().as_secs_f64();
        *start = Instant::now();
        self.progress.epoch_seconds += seconds;
        self.progress.step_seconds += seconds;
        self.progress.seconds += seconds;
    }

    /// Ends the epoch: validates the network, and holds its weights if it is the best so far.
    async fn validate(
        &mut self,
        store: &mut dyn Store,
        on_event: OnEvent<'_>,
    ) -> Result<EpochMetrics> {
        let start = Instant::now();
        let network = self.trainer.network();
        let mut done = |batch, batches| {
            let _ = on_event(Event::Evaluated { batch, batches });
        };
        let validated = self.test_on_validation(&network, &mut done).await;
        let epoch = self.epoch();
        let (validated, validation_f1) = match validated {
            Ok(tested) if tested.0.loss.is_finite() => tested,
            Ok(_) | Err(TrainingError::NotFinite) => {
                return Err(self.diverged(epoch, self.progress.step));
            }
            Err(error) => return Err(error),
        };
        let seconds = start.elapsed().as_secs_f64();
        self.progress.seconds += seconds;
        let (trained, of_steps) = self.end_epoch();
        let metrics = EpochMetrics {
            epoch,
            train_loss: trained.loss,
            train_accuracy: trained.accuracy,
            validation_loss: validated.loss,
            validation_accuracy: validated.accuracy,
            validation_f1,
            seconds: of_steps + seconds,
        };
        self.progress.epochs.push(metrics.clone());
        if self.is_best(epoch) {
            self.best = Some(match self.trainer.average() {
                Some(_) => read_answering(&network).await?,
                None => self.read_weights().await?,
            });
        }
        let mut values = vec![
            ("loss/train", metrics.train_loss),
            ("loss/validation", metrics.validation_loss),
        ];
        let accuracies = metrics.train_accuracy.zip(metrics.validation_accuracy);
        if let Some((train, validation)) = accuracies {
            values.extend([
                ("accuracy/train", train),
                ("accuracy/validation", validation),
            ]);
        }
        values.extend(validation_f1.map(|f1| ("f1/validation", f1)));
        store
            .scalars((epoch * self.steps()) as u64, &values)
            .map_err(TrainingError::Store)?;
        Ok(metrics)
    }

    /// How good the answers to the validation part are, with the macro mean of F1 if an epoch is kept for it.
    async fn test_on_validation(
        &self,
        network: &N,
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<(Evaluation, Option<f64>)> {
        let (config, data, device) = (self.config, self.data, &self.device);
        if config.training.keep == Keep::F1 {
            let labels = data.labels.as_ref();
            let tested = test_async(network, config, labels, &data.validation, device, done);
            let tested = tested.await?;
            let f1 = tested.classes().map(|classes| classes.macro_mean.f1);
            return Ok((tested.evaluation, f1));
        }
        let (objective, batching) = (config.objective(), config.batching());
        let examples = &data.validation;
        let scored = score_async(network, objective, examples, &batching, device, done);
        Ok((scored.await?, None))
    }

    fn is_best(&self, epoch: usize) -> bool {
        let best = self.progress.best(self.config.training.keep);
        best.is_some_and(|best| best.epoch == epoch)
    }

    /// What the steps of the epoch that ends here gave, and their seconds.
    fn end_epoch(&mut self) -> (Evaluation, f64) {
        let has_accuracy = self.config.objective().has_accuracy();
        let progress = &mut self.progress;
        let totals = std::mem::take(&mut progress.totals);
        progress.step = 0;
        let seconds = std::mem::take(&mut progress.epoch_seconds);
        (totals.evaluation(has_accuracy), seconds)
    }

    /// The trained network's weights, read once after a step.
    async fn read_weights(&mut self) -> Result<Arc<Weights>> {
        if self.weights.is_none() {
            let weights = Weights::read_async(&self.trainer.trained(), N::weight_name).await?;
            self.weights = Some(Arc::new(weights));
        }
        Ok(self.weights.clone().expect("they were read"))
    }

    /// Keeps what an epoch leaves, its checkpoint being kept already.
    fn keep_epoch(
        &mut self,
        metrics: EpochMetrics,
        store: &mut dyn Store,
        on_event: OnEvent,
    ) -> Result<ControlFlow<()>> {
        let best = self.is_best(metrics.epoch);
        if let Some(weights) = self.best.as_ref().filter(|_| best) {
            store.weights(weights).map_err(TrainingError::Store)?;
        }
        store
            .metrics(&self.progress.epochs)
            .map_err(TrainingError::Store)?;
        // Where the last one is kept, none is for being better.
        let best = best && self.config.training.keep != Keep::Last;
        Ok(on_event(Event::Epoch { metrics, best }))
    }

    /// The rate of a step, both counted from 1.
    fn learning_rate(&self, epoch: usize, step: usize) -> f64 {
        let config = &self.config.training;
        let steps = self.steps();
        let behind = (epoch - 1)
            .saturating_mul(steps)
            .saturating_add(step.saturating_sub(1));
        learning_rate(config, behind, config.epochs.saturating_mul(steps))
    }

    /// The loss is no longer finite.
    fn diverged(&self, epoch: usize, step: usize) -> TrainingError {
        TrainingError::Diverged {
            epoch,
            step,
            learning_rate: self.learning_rate(epoch, step),
            gradient_norm: self.gradient_norm,
        }
    }

    fn checkpoint_is_due(&self) -> bool {
        let minutes = self.config.training.checkpoint_minutes;
        let age = Duration::try_from_secs_f64(60.0 * minutes).unwrap_or(Duration::MAX);
        self.last_checkpoint.elapsed() >= age
    }

    /// Gives `store` a checkpoint of where this stands, if it keeps any: what a training begins from that is not
    /// drawn from its seed is in no other place.
    ///
    /// # Errors
    /// If the device fails, or `store` can't keep it.
    pub fn keep(&mut self, store: &mut dyn Store) -> Result<()> {
        block_on(self.write_checkpoint(store))
    }

    async fn write_checkpoint(&mut self, store: &mut dyn Store) -> Result<()> {
        if !store.keeps_checkpoints() {
            return Ok(());
        }
        let optimizer = self.trainer.optimizer();
        let steps = optimizer.steps();
        let host = async |tensor: &Tensor<1>| read(tensor.clone()).await;
        let mut moments = BTreeMap::new();
        for (path, of) in optimizer.moments() {
            moments.insert(
                path.clone(),
                [host(&of.first).await?, host(&of.second).await?],
            );
        }
        if !moments.values().flatten().flatten().all(|m| m.is_finite()) {
            return Err(TrainingError::Moments { steps });
        }
        let mut average = BTreeMap::new();
        for (path, of) in self.trainer.average().iter().flat_map(|of| of.values()) {
            average.insert(path.clone(), host(of).await?);
        }
        if let Some(First {
            network,
            weights: weights @ None,
        }) = &mut self.first
        {
            *weights = Some(read_answering(network).await?);
        }
        let mut carried = Vec::new();
        for state in self.trainer.current().carried() {
            carried.push(read(state).await?);
        }
        let checkpoint = Checkpoint {
            header: Header {
                version: env!("CARGO_PKG_VERSION").into(),
                data: self.data_hash().to_owned(),
                optimizer_steps: steps,
                progress: self.progress.clone(),
                config: self.config.clone(),
            },
            network: self.read_weights().await?,
            best: self.best.clone(),
            refitted: self.refitted.clone(),
            first: self.first.as_ref().and_then(|first| first.weights.clone()),
            average,
            moments,
            carried,
        };
        store
            .checkpoint(&checkpoint.to_bytes()?)
            .map_err(TrainingError::Store)?;
        self.last_checkpoint = Instant::now();
        Ok(())
    }
}

/// The weights of a network that answers.
async fn read_answering<N: Answers>(network: &N) -> Result<Arc<Weights>> {
    Ok(Arc::new(
        Weights::read_async(network, N::weight_name).await?,
    ))
}

/// Trains `network` on `device` as `config` says, and returns it with the weights of the epoch that is best on
/// the validation part, and the history of all epochs. Keeps nothing elsewhere.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use gatefold_data::{EncodedDataset, reviews};
/// use gatefold_training::burn::tensor::Device;
/// use gatefold_training::{RunConfig, fit};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = RunConfig::default();
/// config.model.hidden_size = 8;
/// config.training.epochs = 1;
/// config.input.max_length = 16;
/// let data = EncodedDataset::new(&reviews(42), &config.encoding())?;
/// config.settle(&data)?;
/// let device = Device::flex();
/// let network = config.model.init(config.training.seed, &device)?;
/// let on_event = &mut |_| ControlFlow::Continue(());
/// let (network, history) = fit(network, &data, &config, &device, on_event)?;
/// assert_eq!(history.len(), 1);
/// assert!(history[0].train_loss < 0.7);
/// # let _ = network;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If no run can follow `config`, the device fails or the loss is no longer finite.
pub fn fit<N: Answers>(
    network: N,
    data: &EncodedDataset,
    config: &RunConfig,
    device: &Device,
    on_event: OnEvent,
) -> Result<(N, Vec<EpochMetrics>)> {
    block_on(fit_async(network, data, config, device, on_event))
}

/// [`fit`], which gives the thread back while the device is read.
///
/// # Errors
/// As [`fit`].
pub async fn fit_async<N: Answers>(
    network: N,
    data: &EncodedDataset,
    config: &RunConfig,
    device: &Device,
    on_event: OnEvent<'_>,
) -> Result<(N, Vec<EpochMetrics>)> {
    let mut session = Session::new(network, data, config, device)?;
    let _ = session.run_async(&mut (), on_event).await?;
    Ok((session.network()?, session.progress.epochs))
}
