//! A run: a training in a folder, with checkpoints, that goes on where it stopped, and its test.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::Device;
use gatefold_data::{EncodedDataset, SeriesTask};
use gatefold_lesson::report::{self, RunSection};
use gatefold_model::{Network, Weights, release_memory};
use gatefold_training::bundle::{fingerprint, most_weights};
use gatefold_training::ngrams::NgramSummary;
use gatefold_training::{
    Answers, EpochMetrics, Event, LinearPath, OnEvent, RunConfig, RunSummary, Seen, Session, Store,
    TestResult, forecast, test,
};

use crate::checkpoints::Checkpoints;
use crate::device::ComputeDevice;
use crate::kernels;
use crate::run_folder::RunFolder;
use crate::standing::Standing;
use crate::tensorboard::EventWriter;

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

/// Trains in `folder`, keeps the best epoch, tests it, and reports on it. Where the folder has
/// checkpoints, goes on from the last one: on a CPU, to the same weights, bit for bit, as without the
/// interruption. The full workflow in one call:
///
/// ```
/// use std::ops::ControlFlow;
///
/// use gatefold::device::{self, DeviceChoice};
/// use gatefold::run::{self, Outcome};
/// use gatefold::run_folder::RunFolder;
/// use gatefold::{RunConfig, dataset};
///
/// # fn main() -> anyhow::Result<()> {
/// let mut config = RunConfig::default();
/// config.dataset.name = Some("reviews".into());
/// config.model.hidden_size = 8;
/// config.training.epochs = 1;
/// config.input.max_length = 16;
/// let data = dataset::prepare(&mut config)?;
/// let (selected, device) = device::open(DeviceChoice::Cpu)?;
/// # let parent = tempfile::tempdir()?;
/// # let path = parent.path().join("run");
/// let folder = RunFolder::create(&path)?;
/// let outcome = run::train(&config, &data, (&selected, &device), &folder, &mut |_| {
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
    data: &EncodedDataset,
    device: (&ComputeDevice, &Device),
    folder: &RunFolder,
    on_event: OnEvent,
) -> Result<Outcome> {
    train_from(None, config, data, device, folder, on_event)
}

/// [`train`], from the weights of `first` on, if it is given, in place of those that the seed draws. What `folder` has
/// in `seen.bin` stays there: what the run was trained on that `first` is of.
///
/// # Errors
/// As [`train`]; and if the run began with such weights, was stopped before it kept them, and `first` is not given.
pub fn train_from(
    first: Option<Network>,
    config: &RunConfig,
    data: &EncodedDataset,
    (selected, device): (&ComputeDevice, &Device),
    folder: &RunFolder,
    on_event: OnEvent,
) -> Result<Outcome> {
    let mut files = Files::of(folder, data)?;
    let trained_on = (config, data, device);
    let is_given = first.is_some();
    let first = || match first {
        Some(network) => Ok(network),
        None => {
            ensure!(
                config.training.from.is_none() && config.input.embeddings.is_none(),
                "{} was stopped before it kept the weights that it was to begin with; train it anew, with another --run",
                folder.path().display()
            );
            Ok(config.model.init(config.training.seed, device)?)
        }
    };
    let blank = config.model.blank(device)?;
    let (mut session, resumed) = begin((blank, first), &mut files, trained_on, on_event)?;
    let came_from = (resumed, !resumed && is_given);
    if let Some(stopped) = go_on(&mut session, &mut files, came_from, trained_on, on_event)? {
        return Ok(stopped);
    }
    let (progress, network) = (session.progress().clone(), session.network()?);
    let steps = session.steps_behind();
    let validated = config.ngrams.as_ref().map(|_| session.validated_network());
    let validated = validated.transpose()?;
    drop(session);
    // What training steps kept for each other is no use to what follows.
    release_memory();
    let best = progress
        .best(config.training.keep)
        .context("no epoch was run")?
        .clone();
    if config.ngrams.is_some() {
        let message = "the network is trained; learning n-grams beside it".to_owned();
        let _ = on_event(Event::Message(message));
    }
    let mut done = |batch, batches| {
        let _ = on_event(Event::Evaluated { batch, batches });
    };
    let labels = data.labels.as_ref();
    let mut ngrams = None;
    let (mut tested, stretch) = match (config.dataset.task, &validated) {
        (_, Some(validated)) => {
            let (tested, summary) = with_ngrams(
                (validated, &network),
                config,
                data,
                device,
                &files,
                &mut done,
            )?;
            ngrams = Some(summary);
            (tested, None)
        }
        (Some(SeriesTask::Forecast), None) => forecast::test(
            &network,
            config,
            &data.encoder,
            &data.test,
            device,
            &mut done,
        )?,
        _ => {
            let tested = test(&network, config, labels, &data.test, device, &mut done)?;
            (tested, None)
        }
    };
    tested.quote(&data.test_beginnings);
    let evaluation = tested.evaluation;
    let standing = Standing::of(config, data, &progress.epochs, &tested);
    let summary = RunSummary {
        version: env!("CARGO_PKG_VERSION").into(),
        device: selected.to_string(),
        parameters: network.num_params(),
        best_epoch: best.epoch,
        best,
        refit_examples: progress
            .refit
            .filter(|refit| !refit.failed)
            .map(|_| data.train.len() + data.validation.len()),
        test_loss: evaluation.loss,
        test_accuracy: evaluation.accuracy,
        test_examples: evaluation.examples,
        forecast: tested.forecast().cloned(),
        language: None,
        largest_class: standing.largest_class,
        baseline_accuracy: standing.baseline,
        ngrams,
        warnings: standing.warnings,
        training_seconds: progress.seconds,
        milliseconds_per_step: 1e3 * progress.step_seconds / steps as f64,
    };
    folder.write_evaluation(&tested)?;
    folder.write_summary(&summary)?;
    let name = folder.path().file_name().unwrap_or_default();
    let section = RunSection {
        name: name.to_string_lossy().into_owned(),
        config: config.clone(),
        epochs: progress.epochs,
        summary,
        scores: tested.scores,
        reach: report::reach(config, &network, data, device)?,
        forecast: stretch,
    };
    folder.write_report(&report::run_page(&section)?)?;
    Ok(Outcome::Finished(Box::new(section)))
}

/// Learns n-grams, blends them with the network that was not trained on the validation part, keeps them, and tests them
/// together with the one that is kept. It takes no checkpoint: the same data and networks give the same result, should
/// it be interrupted.
fn with_ngrams(
    (validated, network): (&Network, &Network),
    config: &RunConfig,
    data: &EncodedDataset,
    device: &Device,
    files: &Files,
    done: &mut dyn FnMut(usize, usize),
) -> Result<(TestResult, NgramSummary)> {
    let begun = Instant::now();
    let (path, validation) = LinearPath::learn(validated, config, data, device)?;
    files
        .folder
        .write_ngrams(&path.to_bytes(&files.fingerprint)?)?;
    let seconds = begun.elapsed().as_secs_f64();
    let (tested, test) = path.test(network, config, data, device, done)?;
    let summary = NgramSummary {
        features: path.ngrams.features(),
        cost: path.ngrams.cost(),
        blend: path.blend,
        validation,
        test,
        seconds,
    };
    Ok((tested, summary))
}

/// Runs the epochs that are left of a session that was resumed, or begins with weights that were given, and keeps what it
/// leaves. How it was stopped, if it was.
///
/// # Errors
/// As [`train`].
pub(crate) fn go_on<N: Answers>(
    session: &mut Session<N>,
    files: &mut Files,
    (resumed, is_given): (bool, bool),
    (config, data, device): (&RunConfig, &EncodedDataset, &Device),
    on_event: OnEvent,
) -> Result<Option<Outcome>> {
    let folder = files.folder;
    if resumed && !session.is_done() {
        folder.reopen()?;
    }
    kernels::follow(config, device)?;
    // First of all, so that whatever follows leaves a run that can be gone on with.
    folder.write_config(config)?;
    folder.write_encoder(&data.encoder, data.labels.as_ref())?;
    let are_parts = config.pretraining.as_ref().is_some_and(|of| of.streams);
    let seen = Seen::of(data);
    match folder.seen()? {
        // A part of a stream is no text that could be known again.
        _ if are_parts => {}
        Some(before) => folder.write_seen(&before.and(seen))?,
        // What the run that it began from was trained on, nobody knows.
        None if config.training.from.is_some() => {}
        None => folder.write_seen(&seen)?,
    }
    if is_given {
        // They come from outside of the run, which needs nothing else of that to go on.
        session.keep(files)?;
    }
    if resumed {
        // A run that ended in the middle of an epoch's files may lack them, or have written them already.
        if let Some(weights) = session.best_weights() {
            files.write_weights(weights)?;
        }
        folder.write_metrics(&session.progress().epochs)?;
    }
    let resumed_at = resumed.then(|| session.steps_behind() as u64);
    files.events = Some(EventWriter::create(folder.path(), resumed_at)?);
    let flow = session.run(files, on_event)?;
    Ok(flow.is_break().then(|| Outcome::Stopped {
        epoch: session.epoch(),
        step: session.progress().step,
    }))
}

/// A session where the folder's last checkpoint was written, in the shape of `blank`, or one that begins with what `first`
/// makes; and whether it is resumed.
///
/// # Errors
/// As [`resume`], and if no session can follow `config`.
pub(crate) fn begin<'a, N: Answers>(
    (blank, first): (N, impl FnOnce() -> Result<N>),
    files: &mut Files,
    (config, data, device): (&'a RunConfig, &'a EncodedDataset, &Device),
    on_event: OnEvent,
) -> Result<(Session<'a, N>, bool)> {
    let mut session = Session::new(blank, data, config, device)?;
    let resumed = resume(&mut session, files, config, on_event)?;
    if !resumed {
        session = Session::new(first()?, data, config, device)?;
    }
    Ok((session, resumed))
}

/// Brings `session` to where the folder's last checkpoint was written. Whether there is one.
///
/// # Errors
/// If none is whole, though the folder holds what a training leaves: it would be overwritten. If one is of
/// another version, network or dataset.
fn resume<N: Answers>(
    session: &mut Session<N>,
    files: &mut Files,
    config: &RunConfig,
    on_event: OnEvent,
) -> Result<bool> {
    let folder = files.folder;
    let mut damaged = Vec::new();
    // Of each weight its own, the best, two of a training on both parts, the average and two moments; and the metrics
    // of all epochs.
    let most = 7 * most_weights(&config.model) + (1 << 24);
    let mut restore = |checkpoint| session.restore(checkpoint);
    let found = files
        .checkpoints
        .latest(most, &mut restore, &mut |path, why| {
            let path = path.display();
            damaged.push(format!("the checkpoint {path} is damaged ({why})"));
        })?;
    if found.is_none() {
        let kept = folder.trained_files();
        ensure!(
            damaged.is_empty() && kept.is_empty(),
            "no checkpoint of {} is whole, so that training can't go on: {}. All that is there is kept{}; to begin anew, train with another --run, with --from from its weights if it has any",
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
        return Ok(false);
    }
    for damaged in damaged {
        let _ = on_event(Event::Message(format!(
            "{damaged}; the one before it is used"
        )));
    }
    let progress = session.progress();
    let _ = on_event(Event::Resumed {
        epochs: progress.epochs.clone(),
        epoch: session.epoch(),
        step: progress.step,
        seconds: progress.seconds,
    });
    Ok(true)
}

/// A run's files, as a training writes them.
pub(crate) struct Files<'a> {
    folder: &'a RunFolder,
    checkpoints: Checkpoints,
    /// What the weights say of the words and classes that they were trained with.
    fingerprint: String,
    /// For TensorBoard.
    events: Option<EventWriter>,
}

impl<'a> Files<'a> {
    /// Those in `folder`, of a training on `data`.
    ///
    /// # Errors
    /// If the folder was opened to be read: another process may write there.
    pub(crate) fn of(folder: &'a RunFolder, data: &EncodedDataset) -> Result<Self> {
        ensure!(
            folder.is_locked(),
            "{} was opened to be read",
            folder.path().display()
        );
        Ok(Self {
            folder,
            checkpoints: folder.checkpoints(),
            fingerprint: fingerprint(&data.encoder, data.labels.as_ref()),
            events: None,
        })
    }

    fn write_weights(&self, weights: &Weights) -> Result<()> {
        let bytes = weights.to_safetensors(Some(&self.fingerprint))?;
        self.folder.write_weights(&bytes)
    }
}

type Kept = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Store for Files<'_> {
    fn checkpoint(&mut self, bytes: &[u8]) -> Kept {
        // A run that goes on from here has the curves up to here.
        if let Some(events) = &mut self.events {
            events.flush()?;
        }
        Ok(self.checkpoints.write(bytes)?)
    }

    fn weights(&mut self, weights: &Weights) -> Kept {
        Ok(self.write_weights(weights)?)
    }

    fn metrics(&mut self, epochs: &[EpochMetrics]) -> Kept {
        Ok(self.folder.write_metrics(epochs)?)
    }

    fn scalars(&mut self, step: u64, values: &[(&str, f64)]) -> Kept {
        match &mut self.events {
            Some(events) => Ok(events.scalars(step, values)?),
            None => Ok(()),
        }
    }
}
