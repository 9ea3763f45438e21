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
            let [ours, theirs] = [self.first, run].map(|run| run.config().input.max_length);
            return Err(TrainingError::Unlike(format!(
                "they do not answer the same timesteps; the first reads up to {ours}, the second {theirs}"
            )));
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use gatefold_data::{Sequence, Target};

    use super::*;
    use crate::bundle::Bundle;
    use crate::config::PaddingSide;

    fn labels(names: &str) -> Option<Labels> {
        let names: Vec<_> = names.split_whitespace().map(String::from).collect();
        (!names.is_empty()).then(|| Labels::new(names).unwrap())
    }

    /// A network of numbers that is not trained, with weights that `seed` draws.
    fn run(seed: u64, objective: Objective, names: &str) -> Bundle {
        let labels = labels(names);
        let mut config = RunConfig::default();
        config.training.objective = Some(objective);
        config.training.batch_size = 3;
        config.model.input_size = Some(1);
        config.model.hidden_size = 4;
        config.model.output_size = match objective {
            Objective::Binary => 1,
            Objective::Values => 2,
            _ => labels.as_ref().map_or(0, Labels::len),
        };
        bundle(config, seed, labels)
    }

    fn bundle(config: RunConfig, seed: u64, labels: Option<Labels>) -> Bundle {
        let network = config.model.init(seed, &Device::flex()).unwrap();
        Bundle {
            encoder: Encoder::Values {
                width: 1,
                scaler: None,
                targets: None,
            },
            labels,
            ngrams: None,
            weights: network.weights().unwrap(),
            config,
        }
    }

    fn ask(bundle: &Bundle) -> Predictor {
        Predictor::new(bundle.clone(), &Device::flex()).unwrap()
    }

    fn sequences() -> Vec<Example> {
        let sequence = |length: usize| {
            let values = (0..length).map(|t| ((7 * t + length) % 5) as f32 - 2.0);
            let values = values.collect();
            Example::from(Sequence::Values { width: 1, values })
        };
        [3, 1, 4, 2, 9, 5, 2].map(sequence).to_vec()
    }

    fn with_targets(objective: Objective, classes: u32) -> Vec<Example> {
        let mut examples = sequences();
        for (place, example) in (0..).zip(&mut examples) {
            example.target = Some(match objective {
                Objective::MultiLabel => Target::ClassSet(vec![place % classes]),
                Objective::Values => Target::Values(vec![place as f32, 1.0]),
                _ => Target::Class(place % classes),
            });
        }
        examples
    }

    fn outputs(run: &Predictor) -> Vec<Vec<f32>> {
        run.evaluate(&sequences(), &mut |_, _| {}).unwrap().0
    }

    /// The first run's classes each by its place in the second.
    fn mean(first: &Bundle, second: &Bundle) -> Vec<Vec<f32>> {
        let (first, second, examples) = (ask(first), ask(second), sequences());
        let mut mean = Ensemble::new(&first, &examples, &mut |_, _| {}).unwrap();
        mean.add(&second, &examples, &mut |_, _| {}).unwrap();
        mean.outputs
    }

    fn assert_close(found: &[f32], expected: impl Iterator<Item = f32>) {
        let expected: Vec<f32> = expected.collect();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn a_run_alone_and_with_itself_is_tested_as_it_tests_itself() {
        for (objective, names) in [
            (Objective::Binary, "no yes"),
            (Objective::Classes, "a b c"),
            (Objective::MultiLabel, "a b c"),
            (Objective::Values, ""),
        ] {
            let bundle = run(1, objective, names);
            let (run, again) = (ask(&bundle), ask(&bundle));
            let examples = with_targets(objective, names.split(' ').count() as u32);
            let expected = run.test(&examples, &mut |_, _| {}).unwrap();
            let mut mean = Ensemble::new(&run, &examples, &mut |_, _| {}).unwrap();
            assert_eq!(mean.test(), expected);
            let alone = mean
                .add(&again, &sequences(), &mut |_, _| {})
                .and_then(|_| mean.add(&again, &sequences(), &mut |_, _| {}));
            assert_eq!(alone.unwrap(), expected.evaluation);
            assert_eq!((mean.runs(), mean.test()), (3, expected));
            let answers = run.answer_examples(&examples).unwrap().0;
            assert_eq!(mean.answers(), answers);
            let some = mean.evaluation_of(|place| place % 2 == 1);
            let odd: Vec<_> = examples.iter().skip(1).step_by(2).cloned().collect();
            let expected = run.answer_examples(&odd).unwrap().1;
            assert_eq!(
                (some.accuracy, some.examples),
                (expected.accuracy, expected.examples)
            );
            // In other batches the last bits may be others.
            assert!((some.loss - expected.loss).abs() < 1e-5);
        }
    }

    #[test]
    fn a_test_of_every_timestep_leaves_padding_out_wherever_it_stands() {
        for (mask, padding) in [
            (true, PaddingSide::Post),
            (false, PaddingSide::Post),
            (false, PaddingSide::Pre),
        ] {
            let mut config = run(1, Objective::Classes, "a b c").config;
            config.model.reading = Reading::EveryStep;
            (config.input.mask, config.input.padding) = (mask, padding);
            config.input.max_length = 9;
            let of = |seed| ask(&bundle(config.clone(), seed, labels("a b c")));
            let (first, second) = (of(1), of(2));
            let mut examples = sequences();
            for example in &mut examples {
                let classes = (0..example.input.len() as u32).map(|step| step % 3);
                example.target = Some(Target::Classes(classes.collect()));
            }
            let mut mean = Ensemble::new(&first, &examples, &mut |_, _| {}).unwrap();
            let expected = first.test(&examples, &mut |_, _| {}).unwrap();
            assert_eq!(mean.test(), expected);
            mean.add(&second, &sequences(), &mut |_, _| {}).unwrap();
            let found = mean.test();
            assert_eq!(found.evaluation.examples, 26);
            assert_ne!(found, expected);
        }
    }

    #[test]
    fn of_several_classes_logits_are_averaged_in_the_first_ones_order() {
        let (first, second) = (
            run(1, Objective::Classes, "a b c"),
            run(2, Objective::Classes, "c a b"),
        );
        let [ours, theirs] = [&first, &second].map(|bundle| outputs(&ask(bundle)));
        for (found, (ours, theirs)) in mean(&first, &second).iter().zip(ours.iter().zip(&theirs)) {
            let theirs = [theirs[1], theirs[2], theirs[0]];
            assert_close(found, ours.iter().zip(theirs).map(|(a, b)| (a + b) / 2.0));
        }
    }

    #[test]
    fn of_two_classes_the_logit_is_averaged_however_it_is_put_out() {
        let ours = run(1, Objective::Binary, "no yes");
        let turned = Bundle {
            labels: labels("yes no"),
            ..ours.clone()
        };
        for output in mean(&ours, &turned) {
            assert_eq!(output, [0.0]);
        }
        let of_both = run(2, Objective::Classes, "yes no");
        let [one, two] = [&ours, &of_both].map(|bundle| outputs(&ask(bundle)));
        let logits = one
            .iter()
            .zip(&two)
            .map(|(one, two)| (one[0] + two[0] - two[1]) / 2.0);
        let logits: Vec<f32> = logits.collect();
        let found: Vec<f32> = mean(&ours, &of_both).into_iter().flatten().collect();
        assert_close(&found, logits.iter().copied());
        let found: Vec<f32> = mean(&of_both, &ours)
            .into_iter()
            .map(|both| both[0] - both[1])
            .collect();
        assert_close(&found, logits.into_iter());
    }

    #[test]
    fn numbers_are_averaged_in_their_own_unit() {
        let scaled = |seed, mean: f32, deviation: f32| {
            let mut bundle = run(seed, Objective::Values, "");
            let json = format!(r#"{{"mean": [{mean}, 0], "deviation": [{deviation}, 1]}}"#);
            let scaler = Scaler::from_json(&json, "target_scaler.json".as_ref()).unwrap();
            bundle.encoder = Encoder::Values {
                width: 1,
                scaler: None,
                targets: Some(scaler),
            };
            bundle
        };
        let (first, second) = (scaled(1, 100.0, 10.0), scaled(2, 200.0, 40.0));
        let plain = run(3, Objective::Values, "");
        let [a, b, c] = [&first, &second, &plain].map(|bundle| outputs(&ask(bundle)));
        let examples = sequences();
        let [first, second, plain] = [&first, &second, &plain].map(ask);
        let mut mean = Ensemble::new(&first, &examples, &mut |_, _| {}).unwrap();
        mean.add(&second, &examples, &mut |_, _| {}).unwrap();
        mean.add(&plain, &examples, &mut |_, _| {}).unwrap();
        for (place, answer) in mean.answers().into_iter().enumerate() {
            let Answer::Values(found) = answer else {
                panic!("numbers are answered");
            };
            let number = |output: &[Vec<f32>], mean: f64, deviation: f64| {
                mean + deviation * f64::from(output[place][0])
            };
            let all = [
                number(&a, 100.0, 10.0),
                number(&b, 200.0, 40.0),
                number(&c, 0.0, 1.0),
            ];
            let expected = all.iter().sum::<f64>() / 3.0;
            assert!((found[0] - expected).abs() < 1e-3, "{found:?} {expected}");
        }
    }

    #[test]
    fn different_questions_have_no_mean() {
        let ours = run(1, Objective::Classes, "a b c");
        let forecast = |column: &str, horizon| {
            let mut bundle = run(1, Objective::Values, "");
            bundle.config.dataset.task = Some(SeriesTask::Forecast);
            bundle.config.dataset.target_columns = vec![column.into()];
            bundle.config.dataset.horizon = Some(horizon);
            bundle
        };
        let mut tagger = ours.config.clone();
        tagger.model.reading = Reading::EveryStep;
        let mut wide = ours.clone();
        wide.encoder = Encoder::Values {
            width: 2,
            scaler: None,
            targets: None,
        };
        let mut larger = run(1, Objective::Values, "").config;
        larger.model.output_size = 3;
        for (first, second, reason) in [
            (
                &ours,
                &run(1, Objective::MultiLabel, "a b c"),
                "any number of classes",
            ),
            (&ours, &run(1, Objective::Values, ""), "numbers"),
            (
                &ours,
                &run(1, Objective::Classes, "a b d"),
                "the second has no label `c`",
            ),
            (
                &run(1, Objective::Classes, "a b"),
                &ours,
                "the first has no label `c`",
            ),
            (
                &ours,
                &run(1, Objective::Binary, "a b"),
                "the second has no label `c`",
            ),
            (
                &ours,
                &bundle(tagger, 1, labels("a b c")),
                "a class a timestep",
            ),
            (&ours, &wide, "reads 1 numbers a timestep, the second 2"),
            (
                &forecast("load", 1),
                &forecast("rain", 1),
                "columns load, the second rain",
            ),
            (
                &forecast("load", 1),
                &forecast("load", 2),
                "as 1, the second 2",
            ),
            (
                &run(1, Objective::Values, ""),
                &bundle(larger, 1, None),
                "as many numbers as 2, the second 3",
            ),
        ] {
            let [first, second] = [first, second].map(|bundle| Question {
                config: &bundle.config,
                encoder: &bundle.encoder,
                labels: bundle.labels.as_ref(),
            });
            let error = first.ensure_alike(second).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            first.ensure_alike(first).unwrap();
        }
    }

    #[test]
    fn other_examples_have_no_mean() {
        let bundle = run(1, Objective::Binary, "no yes");
        let (first, second, examples) = (ask(&bundle), ask(&bundle), sequences());
        let mut mean = Ensemble::new(&first, &examples, &mut |_, _| {}).unwrap();
        let error = mean
            .add(&second, &examples[1..], &mut |_, _| {})
            .unwrap_err();
        assert!(matches!(error, TrainingError::Unlike(_)), "{error}");
        assert_eq!(mean.runs(), 1);
    }
}
