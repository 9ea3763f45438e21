//! Runs that answer the same question, and the mean of their answers.
//!
//! The mean is taken before numbers are probabilities: of two classes that of the logits, of any number of classes at
//! once that of each one's, of one of several that of their logits, whose softmax is the one of the mean logarithms of
//! the probabilities, since what a row adds to all its logits drops out; of numbers that in the unit of the targets.

use std::collections::HashMap;

use futures_lite::future::block_on;
use gatefold_data::{Encoder, Example, Labels, Scaler, SeriesTask};
use gatefold_model::Reading;

use crate::config::{DatasetConfig, RunConfig};
use crate::error::{Result, TrainingError};
use crate::evaluation::{ensure_finite, score_outputs};
use crate::forecast;
use crate::metrics::Evaluation;
use crate::objective::Objective;
use crate::predictor::{Answer, Predictor};
use crate::scores::{ScoreTally, Scores, TestResult};

/// What a run is asked, and what its answers stand for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The run's settings.
    pub config: &'a RunConfig,
    /// How what it reads is encoded.
    pub encoder: &'a Encoder,
    /// The names of the classes, where answers are classes.
    pub labels: Option<&'a Labels>,
}

impl<'a> From<&'a Predictor> for Question<'a> {
    fn from(run: &'a Predictor) -> Self {
        Self {
            config: run.config(),
            encoder: run.encoder(),
            labels: run.labels(),
        }
    }
}

impl<'a> Question<'a> {
    /// Whether answers to this and to `other` can be averaged: of the same kind, with the same labels in whatever
    /// order, of the same columns. Texts may be cut, cut off and numbered otherwise.
    ///
    /// # Errors
    /// [`TrainingError::Unlike`] says what differs; there this is the first, `other` the second.
    pub fn ensure_alike(self, other: Self) -> Result<()> {
        self.rows_of(other).map(|_| ())
    }

    fn every_step(self) -> bool {
        self.config.model.reading == Reading::EveryStep
    }

    /// The kind of answer.
    fn answered(self) -> &'static str {
        match (self.config.objective(), self.every_step()) {
            (Objective::Values, false) => "numbers",
            (Objective::Values, true) => "numbers a timestep",
            (Objective::MultiLabel, false) => "any number of classes at once",
            (Objective::MultiLabel, true) => "any number of classes a timestep",
            (_, false) => "one class",
            (_, true) => "a class a timestep",
        }
    }

    /// What must be the same, by its name.
    fn settings(self) -> Vec<(&'static str, String)> {
        let DatasetConfig {
            task,
            value_columns,
            target_columns,
            horizon,
            window,
            missing,
            ..
        } = &self.config.dataset;
        let or = |setting: Option<String>, none: &str| setting.unwrap_or_else(|| none.into());
        let numbers = |width: usize| format!("{width} numbers a timestep");
        let memory = self.config.dataset.memory_task();
        let mut all = vec![
            ("reads", or(self.encoder.width().map(numbers), "texts")),
            ("answers", self.answered().into()),
            (
                "was trained on",
                or(memory.map(|(task, _)| task.to_string()), "data"),
            ),
            (
                "has the task",
                or(task.map(|task| task.to_string()), "none"),
            ),
        ];
        if task.is_some() {
            all.extend([
                ("reads the columns", value_columns.join(", ")),
                ("answers with the columns", target_columns.join(", ")),
                (
                    "forecasts as many timesteps as",
                    horizon.unwrap_or(1).to_string(),
                ),
                (
                    "reads windows of",
                    or(window.map(|window| window.to_string()), "whole sequences"),
                ),
                (
                    "takes missing numbers",
                    match missing.is_refused() {
                        true => "for errors".into(),
                        false => "as missing".into(),
                    },
                ),
            ]);
        }
        if self.config.objective() == Objective::Values {
            let width = self.config.model.output_size.to_string();
            all.push(("answers as many numbers as", width));
        }
        if self.every_step() {
            let length = self.config.input.max_length.to_string();
            all.push(("answers as many timesteps as", length));
        }
        all
    }

    /// How rows of `other`'s outputs become rows of this one's.
    fn rows_of(self, other: Self) -> Result<Rows<'a>> {
        let unlike = |what: String| Err(TrainingError::Unlike(what));
        let both = self.settings().into_iter().zip(other.settings());
        for ((name, ours), (_, theirs)) in both {
            if ours != theirs {
                return unlike(format!("the first {name} {ours}, the second {theirs}"));
            }
        }
        let of_texts = self.encoder.vocabulary().is_some();
        if self.every_step() && of_texts && self.encoder != other.encoder {
            let why = "they answer every word, and cut texts otherwise or know other words";
            return unlike(why.into());
        }
        let objectives = (self.config.objective(), other.config.objective());
        if objectives.0 == Objective::Values {
            let scalers = (self.encoder.target_scaler(), other.encoder.target_scaler());
            return Ok(match scalers.0 == scalers.1 {
                true => Rows::AsTheyAre,
                false => Rows::Numbers(scalers),
            });
        }
        let (Some(ours), Some(theirs)) = (self.labels, other.labels) else {
            return unlike("the classes of one have no names".into());
        };
        let order = order(ours, theirs)?;
        let is_sorted = order
            .iter()
            .enumerate()
            .all(|(ours, theirs)| ours == *theirs);
        Ok(match is_sorted && objectives.0 == objectives.1 {
            true => Rows::AsTheyAre,
            false => Rows::Classes { order, objectives },
        })
    }
}

/// The place of each of our labels among theirs.
fn order(ours: &Labels, theirs: &Labels) -> Result<Vec<usize>> {
    let places = |labels: &'_ Labels| -> HashMap<String, usize> {
        let names = labels.names().iter().cloned();
        names.zip(0..).collect()
    };
    let of_theirs = places(theirs);
    let order = ours.names().iter().map(|name| of_theirs.get(name).copied());
    match order.collect::<Option<Vec<_>>>() {
        Some(order) if ours.len() == theirs.len() => Ok(order),
        _ => {
            let of_ours = places(ours);
            let missing = |labels: &Labels, of: &HashMap<String, usize>| {
                let missing = labels.names().iter().find(|name| !of.contains_key(*name));
                missing.map(|name| name.chars().take(40).collect::<String>())
            };
            let (who, name) = match missing(ours, &of_theirs) {
                Some(name) => ("second", name),
                None => ("first", missing(theirs, &of_ours).unwrap_or_default()),
            };
            Err(TrainingError::Unlike(format!(
                "the {who} has no label `{name}`; the labels of the first are {}, those of the second {}",
                ours.shown(),
                theirs.shown()
            )))
        }
    }
}

/// How rows of a run's outputs become rows of the first run's.
enum Rows<'a> {
    AsTheyAre,
    /// With the place of each of the first's classes among the run's, and both objectives.
    Classes {
        order: Vec<usize>,
        objectives: (Objective, Objective),
    },
    /// With both scalers.
    Numbers((Option<&'a Scaler>, Option<&'a Scaler>)),
}

impl Rows<'_> {
    fn convert(&self, row: &[f32]) -> Vec<f32> {
        match self {
            Self::AsTheyAre => row.to_vec(),
            Self::Classes { order, objectives } => {
                let of_two = [0.0, row[0]];
                let logits = match objectives.1 {
                    Objective::Binary => &of_two[..],
                    _ => row,
                };
                match objectives.0 {
                    Objective::Binary => vec![logits[order[1]] - logits[order[0]]],
                    _ => order.iter().map(|&class| logits[class]).collect(),
                }
            }
            Self::Numbers((to, from)) => {
                let number = |(place, &output): (usize, &f32)| {
                    let number = from.map_or(output.into(), |from| from.number(output, place));
                    to.map_or(number as f32, |to| to.score(number, place))
                };
                row.iter().enumerate().map(number).collect()
            }
        }
    }
}

/// The mean of what runs put out for the same examples. They are asked one after the other, so that no more than two
/// of their networks need to be there at once; of one alone, all is as [`Predictor`] has it.
#[derive(Debug)]
pub struct Ensemble<'a> {
    first: &'a Predictor,
    examples: &'a [Example],
    runs: usize,
    /// The mean of the runs' outputs, an example's after the other's, in the first run's form.
    outputs: Vec<Vec<f32>>,
}

impl<'a> Ensemble<'a> {
    /// Asks the first run; `examples` are as it reads them. `done` hears the number of batches behind and in all.
    ///
    /// # Errors
    /// As [`Predictor::answer_async`].
    pub async fn new_async(
        first: &'a Predictor,
        examples: &'a [Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        let (outputs, _) = first.evaluate_async(examples, done).await?;
        Ok(Self {
            first,
            examples,
            runs: 1,
            outputs,
        })
    }

    /// [`new_async`](Self::new_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`new_async`](Self::new_async).
    pub fn new(
        first: &'a Predictor,
        examples: &'a [Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Self> {
        block_on(Self::new_async(first, examples, done))
    }

    /// Asks another run, takes its answers into the mean, and tells how good they are alone. `examples` are the same
    /// as it reads them; their targets are not looked at.
    ///
    /// # Errors
    /// [`TrainingError::Unlike`] if it answers another question, or not as many examples or timesteps; and as
    /// [`Predictor::answer_async`].
    pub async fn add_async(
        &mut self,
        run: &Predictor,
        examples: &[Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Evaluation> {
        let rows = Question::from(self.first).rows_of(run.into())?;
        let width = run.config().model.output_size;
        let (outputs, _) = run.evaluate_async(examples, done).await?;
        let convert = |output: Vec<f32>| -> Vec<f32> {
            let converted = output.chunks(width).map(|row| rows.convert(row));
            converted.flatten().collect()
        };
        let outputs: Vec<Vec<f32>> = outputs.into_iter().map(convert).collect();
        // Numbers in another unit may be too large for it.
        ensure_finite(&outputs)?;
        let lengths = |outputs: &[Vec<f32>]| outputs.iter().map(Vec::len).collect::<Vec<_>>();
        if lengths(&outputs) != lengths(&self.outputs) {
            let why = "they do not answer the same examples and timesteps";
            return Err(TrainingError::Unlike(why.into()));
        }
        self.runs += 1;
        let count = self.runs as f64;
        let means = self.outputs.iter_mut().flatten();
        for (mean, &output) in means.zip(outputs.iter().flatten()) {
            let before = f64::from(*mean);
            *mean = (before + (f64::from(output) - before) / count) as f32;
        }
        Ok(self.score(&outputs))
    }

    /// [`add_async`](Self::add_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`add_async`](Self::add_async).
    pub fn add(
        &mut self,
        run: &Predictor,
        examples: &[Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<Evaluation> {
        block_on(self.add_async(run, examples, done))
    }

    /// How many runs were asked.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// The mean answers, in the examples' order, with the first run's labels.
    pub fn answers(&self) -> Vec<Answer> {
        let outputs = self.outputs.iter();
        outputs.map(|output| self.first.meaning(output)).collect()
    }

    /// How good the mean answers are where the examples have targets.
    pub fn evaluation(&self) -> Evaluation {
        self.score(&self.outputs)
    }

    /// How good the mean answers to some of the examples are: those whose place `chosen` says yes to.
    pub fn evaluation_of(&self, chosen: impl Fn(usize) -> bool) -> Evaluation {
        let (examples, outputs): (Vec<_>, Vec<_>) = (0..self.examples.len())
            .filter(|&place| chosen(place))
            .map(|place| (self.examples[place].clone(), self.outputs[place].clone()))
            .unzip();
        score_outputs(self.first.config(), &examples, &outputs, &mut |_| {})
    }

    /// How good the mean answers are in all that [`scores`](crate::scores) has or, where a series is forecast,
    /// beside simple forecasts.
    pub fn test(&self) -> TestResult {
        let Question {
            config,
            encoder,
            labels,
        } = self.first.into();
        if config.dataset.task == Some(SeriesTask::Forecast) {
            let scores = forecast::scores(config, encoder, self.examples, &self.outputs);
            return TestResult {
                evaluation: self.evaluation(),
                scores: scores.map(Scores::Forecast),
            };
        }
        let mut tally = ScoreTally::new(config.objective(), labels);
        let mut look = |batch: &_| tally.count(batch);
        let evaluation = score_outputs(config, self.examples, &self.outputs, &mut look);
        TestResult {
            evaluation,
            scores: tally.scores(labels),
        }
    }

    /// How good outputs in the first run's form are.
    fn score(&self, outputs: &[Vec<f32>]) -> Evaluation {
        score_outputs(self.first.config(), self.examples, outputs, &mut |_| {})
    }
}
