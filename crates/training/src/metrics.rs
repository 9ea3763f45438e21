//! What a run measures while it goes on, and at its end.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::config::Keep;
use crate::forecast::ForecastScores;
use crate::language::LanguageScores;
use crate::ngrams::NgramSummary;

/// How well a network answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
    /// The macro mean of F1 over them, where it chooses the [epoch that is kept](Keep::F1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_f1: Option<f64>,
    /// How long the epoch took, validation included.
    pub seconds: f64,
}

impl EpochMetrics {
    /// The epoch that is kept: the best on the validation part by a measure, the first one of equals, or the last.
    pub fn best_of(epochs: &[Self], keep: Keep) -> Option<&Self> {
        match keep {
            Keep::Last => epochs.last(),
            _ => epochs.iter().min_by(|a, b| a.by(keep, b)),
        }
    }

    /// Less than another epoch where it is better by a measure.
    fn by(&self, keep: Keep, other: &Self) -> Ordering {
        let share = |epoch: &Self| match keep {
            Keep::F1 => epoch.validation_f1,
            _ => epoch.validation_accuracy,
        };
        match keep {
            Keep::Loss => self.validation_loss.total_cmp(&other.validation_loss),
            _ => share(other)
                .unwrap_or(0.0)
                .total_cmp(&share(self).unwrap_or(0.0)),
        }
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
    /// The epoch whose weights were kept: the best on the validation part.
    pub best_epoch: usize,
    /// Its metrics.
    pub best: EpochMetrics,
    /// Examples of the training and the validation part, where the weights are those of a training on both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit_examples: Option<usize>,
    /// Mean loss over the test examples.
    pub test_loss: f64,
    /// Share of them answered rightly; none where answers are numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// How many answers were measured.
    pub test_examples: usize,
    /// How good forecasts are, beside simple ones, where a series is forecast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ForecastScores>,
    /// How well a language model tells what was held out; it has no other test part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<LanguageScores>,
    /// The share of the class that is most frequent in the test part: what always answering it would score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_class: Option<f64>,
    /// Share of the test examples that a [linear model](mod@crate::baseline) answers rightly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_accuracy: Option<f64>,
    /// What n-grams beside the network give; what is tested above is the blend of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ngrams: Option<NgramSummary>,
    /// What to know before the result is believed, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
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
    /// Where the training on both parts stands, once it has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refit: Option<Refit>,
}

/// A training from the first weights on, on the training and the validation part together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refit {
    /// Epochs that it has in all: as many as led to the one that is kept.
    pub epochs: usize,
    /// Epochs that are done.
    pub done: usize,
    /// Whether, once they are, its network answers the validation part worse than the one that never learnt from that,
    /// which is kept then.
    #[serde(default)]
    pub failed: bool,
}

impl Progress {
    /// The epoch that is kept: the best on the validation part by a measure, the first one of equals.
    pub fn best(&self, keep: Keep) -> Option<&EpochMetrics> {
        EpochMetrics::best_of(&self.epochs, keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epoch_that_is_kept_is_the_first_of_the_best_by_its_measure() {
        let epoch = |epoch, loss, accuracy, f1| EpochMetrics {
            epoch,
            train_loss: 1.0,
            train_accuracy: None,
            validation_loss: loss,
            validation_accuracy: Some(accuracy),
            validation_f1: Some(f1),
            seconds: 1.0,
        };
        let epochs = [
            epoch(1, 0.5, 0.7, 0.2),
            epoch(2, 0.4, 0.8, 0.4),
            epoch(3, 0.6, 0.9, 0.3),
            epoch(4, 0.4, 0.9, 0.4),
        ];
        let all = [
            (Keep::Loss, 2),
            (Keep::Accuracy, 3),
            (Keep::F1, 2),
            (Keep::Last, 4),
        ];
        for (keep, expected) in all {
            let best = EpochMetrics::best_of(&epochs, keep).unwrap();
            assert_eq!(best.epoch, expected, "{keep:?}");
        }
        assert_eq!(EpochMetrics::best_of(&[], Keep::F1), None);
    }
}
