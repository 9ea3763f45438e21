//! The training loop, and what it needs to be stopped anywhere and go on.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use gatefold_model::SequenceClassifier;

use super::schedule::learning_rate;
use super::trainer::Trainer;
use super::{Event, OnEvent};
use crate::checkpoint::{Checkpoint, Checkpoints, Header, Progress, Refused};
use crate::config::RunConfig;
use crate::dataset::Prepared;
use crate::evaluation::{Logits, evaluate};
use crate::run_folder::{EpochMetrics, RunFolder, most_weights};
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
    /// The folder's.
    checkpoints: Option<Checkpoints>,
    /// The steps behind when the run was resumed.
    resumed_at: Option<usize>,
    /// For TensorBoard.
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
        Ok(Self {
            config,
            data,
            steps: data.train.len().div_ceil(config.training.batch_size),
            // Only checkpoints need it.
            data_hash: folder.map(|_| data.hash()).unwrap_or_default(),
            folder,
            trainer: trainer(network, config, &device),
            device,
            progress: Progress::default(),
            best: None,
            gradient_norm: None,
            checkpoints: folder.map(RunFolder::checkpoints),
            resumed_at: None,
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
            let metrics = self.validate(on_event)?;
            self.write_checkpoint()?;
            let flow = self.keep_epoch(metrics, on_event)?;
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
        done >= self.config.training.epochs
            || patience.is_some_and(|most| done >= best.saturating_add(most))
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
            let rate = self.learning_rate(epoch, step + 1);
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
                bail!(self.diverged(epoch, first + bad + 1));
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

    /// Ends the epoch: validates the network, and holds it if it is the best so far.
    fn validate(&mut self, on_event: OnEvent) -> Result<EpochMetrics> {
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
        ensure!(
            validated.loss.is_finite(),
            self.diverged(epoch, self.progress.step)
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
        if self.is_best(epoch) {
            self.best = Some(network);
        }
        if let Some(events) = &mut self.events {
            events.scalars(
                (epoch * self.steps) as u64,
                &[
                    ("loss/train", metrics.train_loss),
                    ("loss/validation", metrics.validation_loss),
                    ("accuracy/train", metrics.train_accuracy),
                    ("accuracy/validation", metrics.validation_accuracy),
                ],
            )?;
        }
        Ok(metrics)
    }

    fn is_best(&self, epoch: usize) -> bool {
        self.progress.best().is_some_and(|best| best.epoch == epoch)
    }

    /// Writes what an epoch leaves in the run's folder. Its checkpoint is there already: wherever these files
    /// are, the run can be gone on with.
    fn keep_epoch(&mut self, metrics: EpochMetrics, on_event: OnEvent) -> Result<ControlFlow<()>> {
        let best = self.is_best(metrics.epoch);
        if let Some(folder) = self.folder {
            if let Some(network) = self.best.as_ref().filter(|_| best) {
                folder.write_weights(network, &self.data.vocabulary)?;
            }
            folder.write_metrics(&self.progress.epochs)?;
        }
        Ok(on_event(Event::Epoch { metrics, best }))
    }

    /// The rate of a step, both counted from 1.
    fn learning_rate(&self, epoch: usize, step: usize) -> f64 {
        let config = &self.config.training;
        let behind = (epoch - 1)
            .saturating_mul(self.steps)
            .saturating_add(step.saturating_sub(1));
        learning_rate(config, behind, config.epochs.saturating_mul(self.steps))
    }

    /// What to say of a loss that is no longer finite.
    fn diverged(&self, epoch: usize, step: usize) -> String {
        let rate = self.learning_rate(epoch, step);
        let norm = match self.gradient_norm {
            Some((epoch, step, norm)) => {
                format!("gradient norm {norm:.3e} at step {step} of epoch {epoch}")
            }
            None => "gradient norm not finite either".into(),
        };
        format!(
            "the loss is no longer finite at step {step} of epoch {epoch} (learning rate {rate:e}, {norm}): try a lower learning rate, or --clip-norm 1"
        )
    }

    fn checkpoint_is_due(&self) -> bool {
        let minutes = self.config.training.checkpoint_minutes;
        let age = Duration::try_from_secs_f64(60.0 * minutes).unwrap_or(Duration::MAX);
        self.folder.is_some() && self.last_checkpoint.elapsed() >= age
    }

    fn write_checkpoint(&mut self) -> Result<()> {
        let Some(checkpoints) = &mut self.checkpoints else {
            return Ok(());
        };
        // A run that goes on from here has the curves up to here.
        if let Some(events) = &mut self.events {
            events.flush()?;
        }
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
        ensure!(
            finite,
            "Adam's moments are no longer finite after {} steps: try a lower learning rate, or --clip-norm 1",
            self.trainer.optimizer.steps()
        );
        let best = self.best.as_ref().map(|best| best.to_safetensors(None));
        checkpoints.write(&Checkpoint {
            header: Header {
                version: env!("CARGO_PKG_VERSION").into(),
                data: self.data_hash.clone(),
                optimizer_steps: self.trainer.optimizer.steps(),
                progress: self.progress.clone(),
                config: self.config.clone(),
            },
            network: self.trainer.network().to_safetensors(None)?,
            best: best.transpose()?,
            moments,
        })?;
        self.last_checkpoint = Instant::now();
        Ok(())
    }

    /// Goes back to where the folder's last checkpoint was written, or draws first weights if it has none.
    ///
    /// # Errors
    /// If none is whole, though the folder holds what a training leaves: it would be overwritten. If one is of
    /// another version, network or dataset.
    pub fn resume(&mut self, on_event: OnEvent) -> Result<()> {
        let (Some(folder), Some(mut checkpoints)) = (self.folder, self.checkpoints.take()) else {
            return Ok(());
        };
        let mut damaged = Vec::new();
        // Two networks and two moments of each weight, and the metrics of all epochs.
        let most = 4 * most_weights(&self.config.model) + (1 << 24);
        let mut take = |checkpoint: Checkpoint| {
            let same = checkpoint.check(self.config, &self.data_hash);
            same.map_err(Refused::Other)?;
            self.restore(checkpoint).map_err(Refused::Damaged)
        };
        let found = checkpoints.latest(most, &mut take, &mut |path, why| {
            damaged.push(format!(
                "the checkpoint {} is damaged ({why:#})",
                path.display()
            ));
        })?;
        self.checkpoints = Some(checkpoints);
        if found.is_none() {
            let kept = folder.trained_files();
            ensure!(
                damaged.is_empty() && kept.is_empty(),
                "no checkpoint of {} is whole, so that training can't go on: {}. All that is there is kept{}; to begin anew, train with another --run",
                folder.path().display(),
                match &damaged[..] {
                    [] => "there is none".into(),
                    damaged => damaged.join(", "),
                },
                match &kept[..] {
                    [] => String::new(),
                    kept => format!(", {} too", kept.join(", ")),
                }
            );
            let config = &self.config;
            let network = config.model.init(config.training.seed, &self.device)?;
            self.trainer = trainer(network, config, &self.device);
            return Ok(());
        }
        for damaged in damaged {
            let _ = on_event(Event::Message(format!(
                "{damaged}; the one before it is used"
            )));
        }
        // A run that ended in the middle of an epoch's files may lack them, or have written them already.
        if let Some(network) = &self.best {
            folder.write_weights(network, &self.data.vocabulary)?;
        }
        folder.write_metrics(&self.progress.epochs)?;
        self.resumed_at = Some(self.progress.epochs.len() * self.steps + self.progress.step);
        let _ = on_event(Event::Resumed {
            epochs: self.progress.epochs.clone(),
            step: self.progress.step,
        });
        Ok(())
    }

    /// Writes the run's curves for TensorBoard from now on.
    pub fn follow(&mut self) -> Result<()> {
        if let Some(folder) = self.folder {
            let resumed_at = self.resumed_at.map(|step| step as u64);
            self.events = Some(EventWriter::create(folder.path(), resumed_at)?);
        }
        Ok(())
    }

    /// Stands where `checkpoint` was written; as before if that can't be.
    fn restore(&mut self, checkpoint: Checkpoint) -> Result<()> {
        let Header {
            optimizer_steps,
            progress,
            ..
        } = checkpoint.header;
        let behind = progress.epochs.len() * self.steps + progress.step;
        ensure!(
            progress.step <= self.steps
                && progress.epochs.len() <= self.config.training.epochs
                && optimizer_steps == behind as u64,
            "{optimizer_steps} steps of the optimizer don't lead to step {} after {} epochs",
            progress.step,
            progress.epochs.len()
        );
        ensure!(
            checkpoint.best.is_some() != progress.epochs.is_empty(),
            "it holds a best epoch's weights and no epoch, or the other way round"
        );
        let load = |bytes| -> Result<SequenceClassifier> {
            let blank = self.config.model.blank(&self.device)?;
            Ok(blank.with_safetensors(bytes)?)
        };
        let network = load(checkpoint.network)?;
        let best = checkpoint.best.map(load).transpose()?;
        let mut trainer = trainer(network, self.config, &self.device);
        trainer.restore(checkpoint.moments, optimizer_steps)?;
        (self.trainer, self.best, self.progress) = (trainer, best, progress);
        Ok(())
    }
}

/// A network in training on `device`.
fn trainer(network: SequenceClassifier, config: &RunConfig, device: &Device) -> Trainer {
    let tracked = device.clone().autodiff();
    Trainer::of(network.train(), &config.training, tracked)
}
