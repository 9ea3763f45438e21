//! What a run measures while it goes on, and at its end.

use serde::{Deserialize, Serialize};

/// How well a network answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Mean loss, as its [objective](crate::Objective) has it.
    pub loss: f64,
    /// Share answered rightly; none where answers are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// How many answers were measured: one an example or, where every timestep has a target, one a timestep.
    pub examples: usize,
}

/// What an [`Evaluation`] is the mean of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub loss: f64,
    pub correct: usize,
    pub examples: usize,
}

impl Totals {
    pub fn evaluation(&self, has_accuracy: bool) -> Evaluation {
        let count = self.examples.max(1) as f64;
        Evaluation {
            loss: self.loss / count,
            accuracy: has_accuracy.then_some(self.correct as f64 / count),
            examples: self.examples,
        }
    }
}

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: usize,
    /// Mean loss over the epoch's training examples, as they were met.
    pub train_loss: f64,
    /// Share of them answered rightly, as they were met; none where answers are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_accuracy: Option<f64>,
    /// Mean loss over the examples held out.
    pub validation_loss: f64,
    /// Share of them answered rightly; none where answers are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// How long the epoch took, validation included.
    pub seconds: f64,
}

impl EpochMetrics {
    /// The epoch with the lowest validation loss, the first one of equals.
    pub fn best_of(epochs: &[Self]) -> Option<&Self> {
        let by_loss = |a: &&Self, b: &&Self| a.validation_loss.total_cmp(&b.validation_loss);
        epochs.iter().min_by(by_loss)
    }
}

/// What `summary.json` holds once a run is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Gatefold's version.
    pub version: String,
    /// The device it ran on.
    pub device: String,
    /// Trained numbers.
    pub parameters: usize,
    /// The epoch whose weights were kept: the lowest validation loss.
    pub best_epoch: usize,
    /// Its metrics.
    pub best: EpochMetrics,
    /// Mean loss over the test examples.
    pub test_loss: f64,
    /// Share of them answered rightly; none where answers are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// How many answers were measured.
    pub test_examples: usize,
    /// How long training took, without loading data and testing.
    pub training_seconds: f64,
    /// A training step, on average.
    pub milliseconds_per_step: f64,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done of the epoch under way.
    pub step: usize,
    /// What those steps' answers sum up to.
    pub(crate) totals: Totals,
    /// Seconds spent on the epoch under way.
    pub epoch_seconds: f64,
    /// Seconds spent on training steps alone, of all epochs.
    pub step_seconds: f64,
    /// Seconds spent in all.
    pub seconds: f64,
    /// The epochs that are done.
    pub epochs: Vec<EpochMetrics>,
}

impl Progress {
    /// The epoch with the lowest validation loss, the first one of equals.
    pub fn best(&self) -> Option<&EpochMetrics> {
        EpochMetrics::best_of(&self.epochs)
    }
}
