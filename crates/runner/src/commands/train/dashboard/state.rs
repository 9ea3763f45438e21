//! What the dashboard shows, kept up with the run at a constant cost a step.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use gatefold_training::EpochMetrics;

use super::history::History;
use super::{Run, Step, Wish};
use crate::output::accuracy;

/// Messages kept, more than any terminal shows.
const MESSAGES: usize = 100;
/// Steps over which the pace is averaged.
const PACE_STEPS: f64 = 50.0;

pub struct State {
    pub run: Run,
    /// Whether it is trained again, on the training and the validation part together.
    pub again: bool,
    start: Instant,
    /// What a resumed run had taken before.
    before: Duration,
    /// The last one.
    pub step: Option<Step>,
    /// Batches behind and in all, while examples are evaluated.
    pub evaluating: Option<(usize, usize)>,
    /// Over epochs, as is `accuracy`.
    pub loss: History,
    pub accuracy: History,
    pub epochs: Vec<EpochMetrics>,
    pub best: Option<EpochMetrics>,
    /// With the time since the start.
    pub messages: VecDeque<(Duration, String)>,
    pub wish: Wish,
    pace: Pace,
}

impl State {
    pub fn new(run: Run) -> Self {
        Self {
            run,
            again: false,
            start: Instant::now(),
            before: Duration::ZERO,
            step: None,
            evaluating: None,
            loss: History::default(),
            accuracy: History::default(),
            epochs: Vec::new(),
            best: None,
            messages: VecDeque::new(),
            wish: Wish::default(),
            pace: Pace::default(),
        }
    }

    /// Since the run's first step, without the times when it was interrupted.
    pub fn elapsed(&self) -> Duration {
        self.before.saturating_add(self.start.elapsed())
    }

    pub fn resume_from(&mut self, epochs: &[EpochMetrics], seconds: f64) {
        self.before = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        for metrics in epochs {
            // An epoch's mean stands in its middle.
            let middle = metrics.epoch as f64 - 0.5;
            self.loss.push(middle, metrics.train_loss);
            if let Some(accuracy) = metrics.train_accuracy {
                self.accuracy.push(middle, accuracy);
            }
        }
        self.epochs.extend_from_slice(epochs);
        self.best = EpochMetrics::best_of(&self.epochs, self.run.keep).cloned();
    }

    pub fn step(&mut self, step: Step, now: Instant) {
        self.evaluating = None;
        self.pace.step(step.examples, now);
        let x = position(&step);
        if let Some(loss) = step.loss {
            self.loss.push(x, loss);
        }
        if let Some(accuracy) = step.accuracy {
            self.accuracy.push(x, accuracy);
        }
        self.step = Some(step);
    }

    pub fn evaluating(&mut self, batch: usize, batches: usize, now: Instant) {
        self.evaluating = Some((batch, batches));
        self.pace.evaluating(batch, batches, now);
    }

    pub fn epoch(&mut self, metrics: &EpochMetrics, best: bool) {
        self.evaluating = None;
        self.pace.evaluation_start = None;
        self.epochs.push(metrics.clone());
        if best {
            self.best = Some(metrics.clone());
        }
        self.message(format!(
            "epoch {}: validation loss {:.4}{}{} ({:.1} s)",
            metrics.epoch,
            metrics.validation_loss,
            accuracy(metrics.validation_accuracy),
            if best { ", best so far" } else { "" },
            metrics.seconds,
        ));
    }

    /// The network is trained again, for so many epochs; the curves of this training take the place of the first one's,
    /// beside whose validation they stand.
    pub fn begin_again(&mut self, epochs: usize) {
        self.again = true;
        self.run.epochs = epochs;
        self.step = None;
        self.evaluating = None;
        (self.loss, self.accuracy) = Default::default();
    }

    pub fn message(&mut self, line: String) {
        self.messages.truncate(MESSAGES - 1);
        self.messages.push_front((self.elapsed(), line));
    }

    /// Epochs behind, and the part of the one under way.
    pub fn position(&self) -> f64 {
        let past = self.past() as f64;
        self.step.as_ref().map_or(past, position).max(past)
    }

    /// Epochs of the training under way that are validated.
    pub fn past(&self) -> usize {
        let last = self.epochs.last().filter(|_| !self.again);
        last.map_or(0, |last| last.epoch)
    }

    /// Whether training is over, and the test examples are evaluated.
    pub fn is_testing(&self) -> bool {
        let current = self.step.as_ref().map_or(0, |step| step.epoch);
        self.evaluating.is_some() && (self.again || current <= self.past())
    }

    /// Steps a second and examples a second.
    pub fn rates(&self) -> Option<(f64, f64)> {
        let rate = 1.0 / self.pace.seconds;
        rate.is_finite()
            .then_some((rate, rate * self.pace.examples))
    }

    /// Until all epochs are done, at the present pace.
    pub fn left(&self) -> Option<Duration> {
        let step = self.step.as_ref()?;
        self.rates()?;
        let epochs = self.run.epochs.saturating_sub(step.epoch);
        let steps = step.steps.saturating_sub(step.step) + epochs * step.steps;
        let this_evaluation = match self.evaluating {
            _ if self.past() >= step.epoch => 0.0,
            Some((batch, batches)) => 1.0 - ratio(batch, batches),
            None => 1.0,
        };
        let evaluations = match self.again {
            true => 0.0,
            false => epochs as f64 + this_evaluation,
        };
        let seconds = steps as f64 * self.pace.seconds + evaluations * self.pace.evaluation;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// `part` of `whole`, within 0 and 1.
pub fn ratio(part: usize, whole: usize) -> f64 {
    (part as f64 / whole.max(1) as f64).min(1.0)
}

fn position(step: &Step) -> f64 {
    step.epoch.saturating_sub(1) as f64 + ratio(step.step, step.steps)
}

/// How fast it goes.
#[derive(Default)]
struct Pace {
    /// When the last step ended, if training has gone on since.
    last: Option<Instant>,
    counted: f64,
    /// A step's.
    seconds: f64,
    /// In a step.
    examples: f64,
    evaluation_start: Option<Instant>,
    /// Seconds for all batches of an evaluation.
    evaluation: f64,
}

impl Pace {
    /// The first step after a pause is not counted: a run's first step also compiles.
    fn step(&mut self, examples: usize, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            self.counted = (self.counted + 1.0).min(PACE_STEPS);
            self.seconds += ((now - last).as_secs_f64() - self.seconds) / self.counted;
            self.examples += (examples as f64 - self.examples) / self.counted;
        }
        self.evaluation_start = None;
    }

    fn evaluating(&mut self, batch: usize, batches: usize, now: Instant) {
        let start = self.last.take().or(self.evaluation_start).unwrap_or(now);
        self.evaluation_start = Some(start);
        let done = ratio(batch, batches);
        if done > 0.0 {
            self.evaluation = (now - start).as_secs_f64() / done;
        }
    }
}
