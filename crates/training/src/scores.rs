//! How good answers are beyond their loss: made on the host, a batch at a time, without keeping the answers.
//!
//! Where a share has nothing to be a share of, such as the precision of a class that was never answered, it is 0, as
//! scikit-learn's with `zero_division=0`.

mod calibration;
mod classes;
mod roc;

use gatefold_data::{BatchTargets, Labels};
use serde::Serialize;

use crate::evaluation::BatchAnswers;
use crate::forecast::ForecastScores;
use crate::metrics::Evaluation;
use crate::objective::Objective;

pub use calibration::{Bin, Calibration};
use classes::ClassTally;
pub use classes::{ClassMeans, ClassScore, ClassScores, Confused, Confusion, Mistake};
pub use roc::Roc;

/// What a test finds. As JSON one object: the evaluation's keys and the scores' beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestResult {
    /// Loss and accuracy.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// What else there is to say; nothing where answers are numbers, or nothing was measured.
    #[serde(flatten)]
    pub scores: Option<Scores>,
}

/// How good answers are beyond their loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Scores {
    /// Of answers that name classes.
    Classes(ClassScores),
    /// Of forecasts.
    Forecast(ForecastScores),
}

impl TestResult {
    /// The scores of answers that name classes, if they do.
    pub fn classes(&self) -> Option<&ClassScores> {
        match &self.scores {
            Some(Scores::Classes(scores)) => Some(scores),
            _ => None,
        }
    }

    /// The scores of forecasts, if they are.
    pub fn forecast(&self) -> Option<&ForecastScores> {
        match &self.scores {
            Some(Scores::Forecast(scores)) => Some(scores),
            _ => None,
        }
    }

    /// Gives every mistake the beginning of its text, of those of the examples that were tested.
    pub fn quote(&mut self, beginnings: &[Box<str>]) {
        let Some(Scores::Classes(scores)) = &mut self.scores else {
            return;
        };
        for mistake in &mut scores.worst_mistakes {
            mistake.text = beginnings.get(mistake.example).map(|text| text.to_string());
        }
    }
}

/// Scores, as answers are read.
pub(crate) struct ScoreTally {
    classes: Option<ClassTally>,
}

impl ScoreTally {
    /// For answers of `objective` that name classes, if they do.
    pub fn new(objective: Objective, labels: Option<&Labels>) -> Self {
        let classes = labels.filter(|_| objective.has_accuracy());
        Self {
            classes: classes.map(|labels| ClassTally::new(objective, labels.len())),
        }
    }

    pub fn count(&mut self, batch: &BatchAnswers) {
        let rows = batch.answers.chunks(batch.width);
        let indices = &batch.asked.indices;
        match (&mut self.classes, &batch.asked.targets) {
            (Some(tally), Some(BatchTargets::Classes(classes))) => {
                let steps = (classes.len() > indices.len()).then_some(batch.asked.time);
                for (place, (row, &class)) in rows.zip(classes).enumerate() {
                    let (example, step) = match steps {
                        Some(time) => (indices[place / time], Some(place % time)),
                        None => (indices[place], None),
                    };
                    if let Ok(class) = usize::try_from(class) {
                        tally.add(row, class, (example, step));
                    }
                }
            }
            (Some(tally), Some(BatchTargets::ClassSets(sets))) => {
                for (row, set) in rows.zip(sets) {
                    if let Some(set) = set {
                        tally.add_set(row, set);
                    }
                }
            }
            _ => {}
        }
    }

    /// The scores, if there is anything to score.
    pub fn scores(self, labels: Option<&Labels>) -> Option<Scores> {
        let scores = self.classes?.scores(labels?)?;
        Some(Scores::Classes(scores))
    }
}

/// A share; 0 of nothing.
fn share(part: usize, whole: usize) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}
