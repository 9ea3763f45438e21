//! Training: small, seeded, and ours, because Burn's keeps no data position or random state.
//!
//! [`fit`] trains in memory; [`train`] does it in a run's folder, with checkpoints, and goes on where an
//! interrupted run stopped. Both walk the same loop.

mod clipping;
#[cfg(test)]
mod durability;
mod schedule;
mod session;
mod trainer;

use std::ops::ControlFlow;

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use gatefold_model::{SequenceClassifier, release_memory};

pub use self::schedule::learning_rate;
pub use self::trainer::{Classifier, Trainer, loss};
use crate::config::RunConfig;
use crate::dataset::Prepared;
use crate::device::Selected;
use crate::evaluation::{Evaluation, evaluate};
use crate::report::{self, RunSection};
use crate::run_folder::{EpochMetrics, RunFolder, RunSummary};
use session::Session;

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
        /// Reviews of this step.
        reviews: usize,
        /// This step's.
        learning_rate: f64,
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
    /// The run goes on after an interruption.
    Resumed {
        /// The epochs that are done.
        epochs: Vec<EpochMetrics>,
        /// Steps done of the one after them.
        step: usize,
    },
    /// A line for people.
    Message(String),
}

/// Hears a run's events; [`ControlFlow::Break`] stops it after the step.
pub type OnEvent<'a> = &'a mut dyn FnMut(Event) -> ControlFlow<()>;

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All epochs are done, or patience ran out.
    Finished(Box<RunSection>),
    /// It was asked to stop, and can be resumed.
    Stopped {
        /// The epoch under way, from 1.
        epoch: usize,
        /// Its steps done.
        step: usize,
    },
}

/// Trains `network` as `config.training` says and returns the weights of the epoch with the lowest
/// validation loss and the history of all epochs. Keeps nothing on disk.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::tensor::Device;
/// use gatefold::config::RunConfig;
/// use gatefold::{dataset, training};
///
/// # fn main() -> anyhow::Result<()> {
/// let mut config = RunConfig::default();
/// config.dataset.name = Some("reviews".into());
/// config.model.hidden_size = 8;
/// config.training.epochs = 1;
/// config.training.max_length = 16;
/// let data = dataset::prepare(&config)?;
/// let network = config.model.init(config.training.seed, &Device::flex())?;
/// let (network, history) = training::fit(network, &data, &config, &mut |_| ControlFlow::Continue(()))?;
/// assert_eq!(history.len(), 1);
/// assert!(history[0].train_loss < 0.7);
/// # let _ = network;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the device fails or the loss is no longer finite.
pub fn fit(
    network: SequenceClassifier,
    data: &Prepared,
    config: &RunConfig,
    on_event: OnEvent,
) -> Result<(SequenceClassifier, Vec<EpochMetrics>)> {
    config.validate()?;
    let mut session = Session::new(network, data, config, None)?;
    let _ = session.run(on_event)?;
    let last = session.network();
    let (progress, best) = session.end();
    Ok((best.unwrap_or(last), progress.epochs))
}

/// Trains in `folder`, keeps the epoch with the lowest validation loss, tests it, and reports on it. Where the folder has
/// checkpoints, goes on from the last one: on a CPU, to the same weights, bit for bit, as without the
/// interruption. The full workflow in one call:
///
/// ```
/// use std::ops::ControlFlow;
///
/// use gatefold::config::RunConfig;
/// use gatefold::dataset;
/// use gatefold::device::{self, DeviceChoice};
/// use gatefold::run_folder::RunFolder;
/// use gatefold::training::{self, Outcome};
///
/// # fn main() -> anyhow::Result<()> {
/// let mut config = RunConfig::default();
/// config.dataset.name = Some("reviews".into());
/// config.model.hidden_size = 8;
/// config.training.epochs = 1;
/// config.training.max_length = 16;
/// let data = dataset::prepare(&config)?;
/// let (selected, device) = device::open(DeviceChoice::Cpu)?;
/// # let parent = tempfile::tempdir()?;
/// # let path = parent.path().join("run");
/// let folder = RunFolder::create(&path)?;
/// let outcome = training::train(&config, &data, (&selected, &device), &folder, &mut |_| {
///     ControlFlow::Continue(())
/// })?;
/// let Outcome::Finished(run) = outcome else {
///     panic!("nobody asked it to stop");
/// };
/// assert_eq!(run.summary.test_examples, data.test.len());
/// assert!(path.join("report.html").is_file());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the device fails, the loss is no longer finite, a file can't be written, a checkpoint is of something
/// else, or none is whole where one should be. What was written stays.
pub fn train(
    config: &RunConfig,
    data: &Prepared,
    (selected, device): (&Selected, &Device),
    folder: &RunFolder,
    on_event: OnEvent,
) -> Result<Outcome> {
    config.validate()?;
    ensure!(
        folder.is_locked(),
        "{} was opened to be read",
        folder.path().display()
    );
    let network = config.model.blank(device)?;
    let mut session = Session::new(network, data, config, Some(folder))?;
    let parameters = session.parameters();
    session.resume(on_event)?;
    // First of all, so that whatever follows leaves a run that can be gone on with.
    folder.write_config(config)?;
    folder.write_vocabulary(&data.vocabulary)?;
    session.follow()?;
    if session.run(on_event)?.is_break() {
        let (progress, _) = session.end();
        return Ok(Outcome::Stopped {
            epoch: progress.epochs.len() + 1,
            step: progress.step,
        });
    }
    let (progress, network) = session.end();
    // What training steps kept for each other is no use to what follows.
    release_memory();
    let best = progress.best().context("no epoch was run")?.clone();
    let network = network.context("no epoch was run")?;
    let batching = config.training.batching();
    let (_, test) = evaluate(
        &network,
        &data.test,
        &batching,
        device,
        &mut |batch, batches| {
            let _ = on_event(Event::Evaluated { batch, batches });
        },
    )?;
    let steps = progress.epochs.len() * data.train.len().div_ceil(batching.batch_size);
    let summary = RunSummary {
        version: env!("CARGO_PKG_VERSION").into(),
        device: selected.to_string(),
        parameters,
        best_epoch: best.epoch,
        best,
        test_loss: test.loss,
        test_accuracy: test.accuracy,
        test_examples: test.examples,
        training_seconds: progress.seconds,
        milliseconds_per_step: 1e3 * progress.step_seconds / steps as f64,
    };
    folder.write_summary(&summary)?;
    let section = RunSection::of(folder, data, device)?;
    folder.write_report(&report::run_page(&section)?)?;
    Ok(Outcome::Finished(Box::new(section)))
}
