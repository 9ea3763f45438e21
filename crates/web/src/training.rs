//! A training that lets the browser do something else in between.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use gatefold_data::EncodedDataset;
use gatefold_lesson::report::{Point, RunSection, learning_part};
use gatefold_model::{Network, Weights, release_memory};
use gatefold_training::burn::module::Module;
use gatefold_training::chance::{difference_chance, share_chance};
use gatefold_training::{
    ConfigError, EpochMetrics, Evaluation, Event, Objective, Progress, RunConfig, RunSummary,
    Session, TestResult, baseline, test_async,
};
use js_sys::{Function, Promise};
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_time::Instant;

use crate::device::Processor;
use crate::run::TrainedRun;
use crate::{Result, error};

/// The browser gets its turn after this time: on the CPU nothing else happens in it. A GPU has to be waited for at each
/// turn.
const TURN_CPU: Duration = Duration::from_millis(60);
const TURN_GPU: Duration = Duration::from_millis(300);

pub(crate) async fn train(
    config: Rc<RunConfig>,
    data: Rc<EncodedDataset>,
    on: &Processor,
    turn: Option<Duration>,
    progress: &Function,
) -> Result<Option<TrainedRun>> {
    let device = on.device();
    let network = config.model.init(config.training.seed, device);
    let network = network.map_err(ConfigError::from).map_err(error)?;
    let mut session = Session::new(network, &data, &config, device).map_err(error)?;
    let mut curves = Curves::new(&config, data.train.len());
    let turn = turn.unwrap_or(if on.is_gpu() { TURN_GPU } else { TURN_CPU });
    loop {
        let start = Instant::now();
        let (steps, seconds) = (session.steps_behind(), session.progress().step_seconds);
        let known = session.progress().epochs.len();
        let flow = session
            .run_async(&mut (), &mut |event| {
                curves.hear(event);
                match start.elapsed() < turn {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            })
            .await;
        on.check()?;
        let is_done = flow.map_err(error)?.is_continue();
        let steps = session.steps_behind() - steps;
        if steps > 0 {
            curves.rate = steps as f64 / (session.progress().step_seconds - seconds);
        }
        let epochs = &session.progress().epochs;
        let mut wanted = true;
        for epoch in &epochs[known..] {
            wanted &= goes_on(progress, json!({ "kind": "epoch", "metrics": epoch })).await?;
        }
        wanted &= goes_on(progress, curves.event(epochs, is_done)?).await?;
        if is_done || (!wanted && !epochs.is_empty()) {
            break;
        }
        if !wanted {
            return Ok(None);
        }
    }
    goes_on(progress, json!({ "kind": "test" })).await?;
    let (of_training, steps) = (session.progress().clone(), session.steps_behind());
    let network = session.network().map_err(error)?;
    let weights = session.best_weights().expect("an epoch was run");
    let weights = Weights::clone(weights);
    drop(session);
    release_memory();
    let labels = data.labels.as_ref();
    let done = &mut |_, _| {};
    let tested = test_async(&network, &config, labels, &data.test, device, done);
    let mut tested = tested.await.map_err(error)?;
    on.check()?;
    tested.quote(&data.test_beginnings);
    let summary = summary(&config, &data, &network, on, (&of_training, steps), &tested);
    let section = RunSection {
        name: config.model.cell.to_string(),
        config: (*config).clone(),
        epochs: of_training.epochs,
        summary,
        scores: tested.scores.clone(),
        reach: Vec::new(),
        forecast: None,
    };
    TrainedRun::new(section, tested, data, weights).map(Some)
}

fn summary(
    config: &RunConfig,
    data: &EncodedDataset,
    network: &Network,
    on: &Processor,
    (of_training, steps): (&Progress, usize),
    tested: &TestResult,
) -> RunSummary {
    let best = of_training.best(config.training.keep);
    let best = best.expect("an epoch was run").clone();
    let Evaluation {
        loss,
        accuracy,
        examples,
    } = tested.evaluation;
    let largest_class = tested
        .classes()
        .and_then(|scores| scores.largest_class_share);
    // A first symbol is no memory to a linear model.
    let is_task = config.dataset.memory_task().is_some();
    let baseline = accuracy.filter(|_| !is_task).and_then(|_| baseline(data));
    let mut warnings = Vec::new();
    if let Some((accuracy, largest)) = accuracy.zip(largest_class)
        && accuracy <= largest + share_chance(largest, examples)
    {
        warnings.push(format!(
            "the network is not better than chance: it answers {accuracy:.4} of {examples} test examples rightly, and \
             whoever always answers the most frequent label {largest:.4}; to try: more epochs, a smaller batch, or another \
             learning rate"
        ));
    } else if let Some((accuracy, baseline)) = accuracy.zip(baseline)
        && accuracy < baseline - difference_chance(accuracy, baseline, examples)
    {
        warnings.push(format!(
            "a bag of words with logistic regression answers more rightly than the network, {baseline:.4} against \
             {accuracy:.4}: where nothing helps the network, the simpler model is the better tool here"
        ));
    }
    if let Some(classes) = tested.classes()
        && config.objective() == Objective::MultiLabel
        && classes.macro_mean.f1 == 0.0
    {
        warnings.push("the network names none of the right labels; to try: more epochs".into());
    }
    RunSummary {
        version: env!("CARGO_PKG_VERSION").into(),
        device: on.name(),
        parameters: network.num_params(),
        best_epoch: best.epoch,
        best,
        refit_examples: None,
        test_loss: loss,
        test_accuracy: accuracy,
        test_examples: examples,
        forecast: None,
        language: None,
        largest_class,
        baseline_accuracy: baseline,
        ngrams: None,
        warnings,
        training_seconds: of_training.seconds,
        milliseconds_per_step: 1e3 * of_training.step_seconds / steps as f64,
    }
}

/// Tells the page, and waits for it: whether the training goes on.
async fn goes_on(progress: &Function, event: Value) -> Result<bool> {
    let told = progress.call1(&JsValue::NULL, &JsValue::from_str(&event.to_string()));
    let answer = JsFuture::from(Promise::resolve(&told.map_err(thrown)?)).await;
    Ok(answer.map_err(thrown)?.is_truthy())
}

fn thrown(value: JsValue) -> js_sys::Error {
    value
        .dyn_into()
        .unwrap_or_else(|value| js_sys::Error::new(&format!("{value:?}")))
}

/// What is drawn while a training goes on.
struct Curves<'a> {
    config: &'a RunConfig,
    /// Examples of an epoch.
    examples: usize,
    points: Vec<Point>,
    /// What the last point has counted of the epoch under way.
    counted: Sums,
    /// Epoch, step, and steps of an epoch.
    at: (usize, usize, usize),
    /// Steps a second.
    rate: f64,
    drawn: Option<Instant>,
}

impl<'a> Curves<'a> {
    fn new(config: &'a RunConfig, examples: usize) -> Self {
        Self {
            config,
            examples,
            points: Vec::new(),
            counted: Sums::default(),
            at: (1, 0, examples.div_ceil(config.training.batch_size)),
            rate: 0.0,
            drawn: None,
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Step {
                epoch,
                step,
                steps,
                so_far,
                ..
            } => {
                self.at = (epoch, step, steps);
                let Evaluation {
                    loss,
                    accuracy,
                    examples,
                } = so_far;
                // As far as the device has been read.
                let read = examples.div_ceil(self.config.training.batch_size);
                self.count(
                    (epoch - 1) * steps + read,
                    Sums::of(loss, accuracy, examples),
                );
            }
            Event::Epoch { metrics, .. } => {
                let whole = Sums::of(metrics.train_loss, metrics.train_accuracy, self.examples);
                self.count(metrics.epoch * self.at.2, whole);
                self.counted = Sums::default();
            }
            _ => {}
        }
    }

    /// Adds a point for what was counted since the last one.
    fn count(&mut self, step: usize, so_far: Sums) {
        let more = so_far.examples - self.counted.examples;
        if more <= 0.0 {
            return;
        }
        let correct = so_far
            .correct
            .map(|now| now - self.counted.correct.unwrap_or_default());
        self.points.push(Point {
            step: step as f64,
            loss: (so_far.loss - self.counted.loss) / more,
            accuracy: correct.map(|correct| correct / more),
        });
        self.counted = so_far;
        if self.points.len() > MOST_POINTS {
            self.points = self.points.chunks(2).map(mean).collect();
        }
    }

    /// What the page is told, with a picture if the last one is old.
    fn event(&mut self, epochs: &[EpochMetrics], is_last: bool) -> Result<Value> {
        let (epoch, step, steps) = self.at;
        let is_due = is_last || self.drawn.is_none_or(|drawn| drawn.elapsed() > DRAWN);
        let picture = match is_due {
            true => {
                self.drawn = Some(Instant::now());
                Some(learning_part(self.config, steps, &self.points, epochs).map_err(error)?)
            }
            false => None,
        };
        let last = self.points.last();
        Ok(json!({
            "kind": "step",
            "epoch": epoch,
            "step": step,
            "steps": steps,
            "loss": last.map(|point| point.loss),
            "accuracy": last.and_then(|point| point.accuracy),
            "steps_per_second": self.rate,
            "picture": picture,
        }))
    }
}

/// Points at most: more of them show nothing more.
const MOST_POINTS: usize = 300;
/// How old a picture grows before there is another one.
const DRAWN: Duration = Duration::from_millis(250);

fn mean(points: &[Point]) -> Point {
    let (first, last) = (points[0], points[points.len() - 1]);
    Point {
        step: last.step,
        loss: (first.loss + last.loss) / 2.0,
        accuracy: first
            .accuracy
            .zip(last.accuracy)
            .map(|(one, other)| (one + other) / 2.0),
    }
}

/// Over the examples of an epoch so far.
#[derive(Default)]
struct Sums {
    examples: f64,
    loss: f64,
    correct: Option<f64>,
}

impl Sums {
    fn of(loss: f64, accuracy: Option<f64>, examples: usize) -> Self {
        let examples = examples as f64;
        Self {
            examples,
            loss: loss * examples,
            correct: accuracy.map(|share| share * examples),
        }
    }
}
