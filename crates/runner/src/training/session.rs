//! The training loop, and what it needs to be stopped anywhere and go on.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use gatefold_model::{Moments, SequenceClassifier};

use super::schedule::learning_rate;
use super::trainer::Trainer;
use super::{Event, OnEvent};
use crate::checkpoint::{Checkpoint, Header, Progress};
use crate::config::RunConfig;
use crate::dataset::Prepared;
use crate::evaluation::{Logits, evaluate};
use crate::run_folder::{EpochMetrics, RunFolder};
use crate::tensorboard::EventWriter;

/// A training under way.
pub(super) struct Session<'a> {
    config: &'a RunConfig,
    data: &'a Prepared,
    data_hash: String,
    /// An epoch's.
    steps: usize,
    /// Without one, nothing is kept on disk.
    folder: Option<&'a RunFolder>,
    device: Device,
    trainer: Trainer,
    progress: Progress,
    /// The best epoch's.
    best: Option<SequenceClassifier>,
    /// The last finite one that was measured: the epoch, its step, and the norm.
    gradient_norm: Option<(usize, usize, f64)>,
    /// Follows the folder's.
    events: Option<EventWriter>,
    last_checkpoint: Instant,
}

impl<'a> Session<'a> {
    pub fn new(
        network: SequenceClassifier,
        data: &'a Prepared,
        config: &'a RunConfig,
        folder: Option<&'a RunFolder>,
    ) -> Result<Self> {
        let device = network
            .devices()
            .into_iter()
            .next()
            .context("the network has no weights")?
            .inner();
        let tracked = device.clone().autodiff();
        Ok(Self {
            config,
            data,
            steps: data.train.len().div_ceil(config.training.batch_size),
            // Only checkpoints need it.
            data_hash: folder.map(|_| data.hash()).unwrap_or_default(),
            folder,
            device,
            trainer: Trainer::of(network.train(), &config.training, tracked),
            progress: Progress::default(),
            best: None,
            gradient_norm: None,
            events: None,
            last_checkpoint: Instant::now(),
        })
    }

    /// The network as it answers outside training.
    pub fn network(&self) -> SequenceClassifier {
        self.trainer.network()
    }

    /// Trained numbers.
    pub fn parameters(&self) -> usize {
        self.trainer.current().num_params()
    }

    /// Where it stands, and the best epoch's network if one is done.
    pub fn end(self) -> (Progress, Option<SequenceClassifier>) {
        (self.progress, self.best)
    }

    /// Runs the epochs that are left. [`ControlFlow::Break`] if it was asked to stop before they were done.
    pub fn run(&mut self, on_event: OnEvent) -> Result<ControlFlow<()>> {
        while !self.is_done() {
            if self.train_epoch(on_event)?.is_break() {
                self.write_checkpoint()?;
                return Ok(ControlFlow::Break(()));
            }
            let flow = self.finish_epoch(on_event)?;
            self.write_checkpoint()?;
            if flow.is_break() && !self.is_done() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Whether all epochs are done, or patience has run out.
    fn is_done(&self) -> bool {
        let done = self.progress.epochs.len();
        let best = self.progress.best().map_or(0, |best| best.epoch);
        let patience = self.config.training.patience;
        done >= self.config.training.epochs || patience.is_some_and(|most| done >= best + most)
    }

    /// The epoch under way, from 1.
    fn epoch(&self) -> usize {
        self.progress.epochs.len() + 1
    }

    fn train_epoch(&mut self, on_event: OnEvent) -> Result<ControlFlow<()>> {
        let config = &self.config.training;
        let epoch = self.epoch();
        let batching = config.batching();
        let plan = batching.training_plan(&self.data.train, config.seed, epoch as u64);
        let mut logits = Logits::of(self.data.train.len());
        logits.totals = self.progress.totals;
        let first = self.progress.step;
        let mut start = Instant::now();
        for (step, indices) in plan.iter().enumerate().skip(first) {
            if self.config.model.dropout > 0.0 || self.config.model.recurrent_dropout > 0.0 {
                // Burn's generator can't be saved: every step starts it anew.
                self.device.seed(step_seed(config.seed, epoch, step));
            }
            let behind = (epoch - 1) * self.steps + step;
            let rate = learning_rate(config, behind, config.epochs * self.steps);
            self.trainer.learning_rate = rate;
            let read = logits.is_due();
            self.trainer.measure_norm = read;
            let batch = batching.batch(&self.data.train, indices);
            let reviews = batch.size;
            let answers = self.trainer.step(&batch)?;
            logits.push(batch, answers);
            if read {
                logits.read(&mut self.trainer.heartbeat)?;
                self.measure(epoch, step, &logits)?;
            }
            let last = step + 1 == plan.len();
            let flow = on_event(Event::Step {
                epoch,
                step: step + 1,
                steps: plan.len(),
                reviews,
                learning_rate: rate,
                so_far: logits.totals.evaluation(),
            });
            let checkpoint = !last && self.checkpoint_is_due();
            if last || checkpoint || flow.is_break() {
                logits.read(&mut self.trainer.heartbeat)?;
            }
            if let Some(bad) = logits.not_finite {
                bail!(self.diverged(epoch, first + bad + 1, rate));
            }
            self.progress.step = step + 1;
            self.progress.totals = logits.totals;
            self.count_time(&mut start);
            if flow.is_break() {
                return Ok(flow);
            }
            if checkpoint {
                self.write_checkpoint()?;
                start = Instant::now();
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reads the norm of a step's gradient, and lets TensorBoard draw it.
    fn measure(&mut self, epoch: usize, step: usize, logits: &Logits) -> Result<()> {
        let Some(norm) = self.trainer.gradient_norm() else {
            return Ok(());
        };
        let norm: f64 = norm
            .try_into_scalar()
            .context("the device failed while it computed")?;
        if norm.is_finite() {
            self.gradient_norm = Some((epoch, step + 1, norm));
        }
        let Some(events) = &mut self.events else {
            return Ok(());
        };
        let so_far = logits.totals.evaluation();
        events.scalars(
            ((epoch - 1) * self.steps + step + 1) as u64,
            &[
                ("loss/train so far", so_far.loss),
                ("accuracy/train so far", so_far.accuracy),
                ("learning rate", self.trainer.learning_rate),
                ("gradient norm", norm),
            ],
        )
    }

    fn count_time(&mut self, start: &mut Instant) {
        let seconds = start.elapsed().as_secs_f64();
        *start = Instant::now();
        self.progress.epoch_seconds += seconds;
        self.progress.step_seconds += seconds;
        self.progress.seconds += seconds;
    }

    /// Validates, and keeps the network if it is the best so far.
    fn finish_epoch(&mut self, on_event: OnEvent) -> Result<ControlFlow<()>> {
        let start = Instant::now();
        let network = self.trainer.network();
        let (_, validated) = evaluate(
            &network,
            &self.data.validation,
            &self.config.training.batching(),
            &self.device,
            &mut |batch, batches| {
                let _ = on_event(Event::Evaluated { batch, batches });
            },
        )?;
        let epoch = self.epoch();
        let rate = self.trainer.learning_rate;
        ensure!(
            validated.loss.is_finite(),
            self.diverged(epoch, self.progress.step, rate)
        );
        let seconds = start.elapsed().as_secs_f64();
        self.progress.seconds += seconds;
        let trained = self.progress.totals.evaluation();
        let metrics = EpochMetrics {
            epoch,
            train_loss: trained.loss,
            train_accuracy: trained.accuracy,
            validation_loss: validated.loss,
            validation_accuracy: validated.accuracy,
            seconds: self.progress.epoch_seconds + seconds,
        };
        self.progress.epochs.push(metrics.clone());
        (self.progress.step, self.progress.epoch_seconds) = (0, 0.0);
        self.progress.totals = Default::default();
        let best = self.progress.best().is_some_and(|best| best.epoch == epoch);
        if best {
            self.best = Some(network);
        }
        if let Some(folder) = self.folder {
            if let Some(network) = self.best.as_ref().filter(|_| best) {
                folder.write_weights(network)?;
            }
            folder.write_metrics(&self.progress.epochs)?;
        }
        if let Some(events) = &mut self.events {
            let step = epoch * self.steps;
            events.scalars(
                step as u64,
                &[
                    ("loss/train", metrics.train_loss),
                    ("loss/validation", metrics.validation_loss),
                    ("accuracy/train", metrics.train_accuracy),
                    ("accuracy/validation", metrics.validation_accuracy),
                ],
            )?;
            events.flush()?;
        }
        Ok(on_event(Event::Epoch { metrics, best }))
    }

    /// What to say of a loss that is no longer finite.
    fn diverged(&self, epoch: usize, step: usize, rate: f64) -> String {
        let norm = match self.gradient_norm {
            Some((epoch, step, norm)) => {
                format!("gradient norm {norm:.3e} at step {step} of epoch {epoch}")
            }
            None => "gradient norm not finite either".into(),
        };
        let kept = match (self.folder, self.progress.best()) {
            (None, _) => "",
            (_, Some(_)) => " The last checkpoint and the best epoch's weights are kept.",
            (_, None) => " No epoch was done; no weights are kept.",
        };
        format!(
            "the loss is no longer finite at step {step} of epoch {epoch} (learning rate {rate:e}, {norm}): try a lower learning rate, or --clip-norm 1.{kept}"
        )
    }

    fn checkpoint_is_due(&self) -> bool {
        let minutes = self.config.training.checkpoint_minutes;
        let age = Duration::try_from_secs_f64(60.0 * minutes).unwrap_or(Duration::MAX);
        self.folder.is_some() && self.last_checkpoint.elapsed() >= age
    }

    fn write_checkpoint(&mut self) -> Result<()> {
        let Some(folder) = self.folder else {
            return Ok(());
        };
        let host = |tensor: &Tensor<1>| -> Result<Vec<f32>> {
            let data = tensor.clone().try_into_data();
            Ok(data
                .context("the device failed while it computed")?
                .iter()
                .collect())
        };
        let mut moments = BTreeMap::new();
        for (path, of) in self.trainer.optimizer.moments() {
            moments.insert(path.clone(), [host(&of.first)?, host(&of.second)?]);
        }
        let finite = moments.values().flatten().flatten().all(|m| m.is_finite());
        let (epoch, step) = (self.epoch(), self.progress.step);
        ensure!(
            finite,
            self.diverged(epoch, step, self.trainer.learning_rate)
        );
        let best = self.best.as_ref().map(SequenceClassifier::to_safetensors);
        folder.checkpoints().write(&Checkpoint {
            header: Header {
                version: env!("CARGO_PKG_VERSION").into(),
                data: self.data_hash.clone(),
                optimizer_steps: self.trainer.optimizer.steps(),
                progress: self.progress.clone(),
                config: self.config.clone(),
            },
            network: self.trainer.network().to_safetensors()?,
            best: best.transpose()?,
            moments,
        })?;
        self.last_checkpoint = Instant::now();
        Ok(())
    }

    /// Goes back to where the folder's last checkpoint was written, if it has one, and follows the run for
    /// TensorBoard from there.
    pub fn resume(&mut self, on_event: OnEvent) -> Result<()> {
        let Some(folder) = self.folder else {
            return Ok(());
        };
        let resumed = self.restore(folder, on_event)?;
        let behind = self.progress.epochs.len() * self.steps + self.progress.step;
        let resumed_at = resumed.then_some(behind as u64);
        self.events = Some(EventWriter::create(folder.path(), resumed_at)?);
        Ok(())
    }

    /// Whether there was a checkpoint.
    fn restore(&mut self, folder: &RunFolder, on_event: OnEvent) -> Result<bool> {
        let found = folder.checkpoints().latest(&mut |path| {
            let text = format!(
                "the checkpoint {} is damaged; the one before it is used",
                path.display()
            );
            let _ = on_event(Event::Message(text));
        })?;
        let Some((path, checkpoint)) = found else {
            return Ok(false);
        };
        checkpoint
            .check(self.config, &self.data_hash)
            .with_context(|| format!("cannot go on from the checkpoint {}", path.display()))?;
        let blank = self.trainer.network();
        let tracked = self.device.clone().autodiff();
        let network = blank.clone().with_safetensors(checkpoint.network)?;
        let moments = checkpoint.moments.into_iter().map(|(path, values)| {
            let [first, second] = values.map(|values| Tensor::from_data(&values[..], &self.device));
            (path, Moments { first, second })
        });
        self.trainer = Trainer::of(network.train(), &self.config.training, tracked);
        self.trainer
            .optimizer
            .restore(moments.collect(), checkpoint.header.optimizer_steps);
        self.best = checkpoint
            .best
            .map(|bytes| blank.with_safetensors(bytes))
            .transpose()?;
        self.progress = checkpoint.header.progress;
        // A run that ended in the middle of an epoch's files may have written them already.
        if let Some(network) = &self.best {
            folder.write_weights(network)?;
        }
        folder.write_metrics(&self.progress.epochs)?;
        let _ = on_event(Event::Resumed {
            epochs: self.progress.epochs.clone(),
            step: self.progress.step,
        });
        Ok(true)
    }
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
    fn every_step_has_a_seed_of_its_own() {
        let seeds: std::collections::HashSet<u64> = (1..20)
            .flat_map(|epoch| (0..200).map(move |step| step_seed(42, epoch, step)))
            .collect();
        assert_eq!(seeds.len(), 19 * 200);
    }
}
