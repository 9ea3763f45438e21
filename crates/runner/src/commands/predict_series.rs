//! `gatefold predict RUN --dataset FILE` of a run that reads series of numbers.

use anyhow::{Context, Result, anyhow, bail};
use gatefold::device::ComputeDevice;
use gatefold::terminal::within_line;
use gatefold::{dataset, progress, say};
use gatefold_data::{SeriesItem, Source, Target};
use gatefold_lesson::report::rounded;
use gatefold_training::{Answer, Predictor};
use serde_json::{Map, Value, json};

use super::averaged_runs::AveragedRuns;
use super::predict::{NOT_SCORED, say_notes};
use crate::output::{self, AnswerFormat, End};

/// Refuses what series can't be asked with, before anything is read.
///
/// # Errors
/// Names the flag.
pub fn ensure_answerable(
    name: &str,
    columns: &[Option<String>; 2],
    format: AnswerFormat,
) -> Result<()> {
    let why = match (name, columns, format) {
        ("-", ..) => "series are read from a file, not from standard input: name it with --dataset",
        (_, _, AnswerFormat::Csv) => "series are not answered as CSV: ask for --format json",
        (_, [None, None], _) => return Ok(()),
        _ => {
            "--text-column and --label-column are for texts: a file of series has the columns that the run was \
             trained on"
        }
    };
    Err(End::Misused(anyhow!(why)).into())
}

/// Answers every sequence, or window, of the file `name`: a line each, in their order. `to_score` is the command that
/// scores answers.
pub fn answer(
    runs: &AveragedRuns,
    selected: &ComputeDevice,
    name: &str,
    format: AnswerFormat,
    to_score: &str,
) -> Result<()> {
    let predictor = runs.first();
    let mut config = predictor.config().clone();
    config.dataset = dataset::all_of(name, &config.dataset);
    let Source::Series(mut options) = dataset::source(&config, predictor.labels())? else {
        bail!("{name} is no file of series");
    };
    options.test_path = None;
    let (items, notes) = options.items(&mut progress::reading(name))?;
    say_notes(notes);
    let at_once = config.training.batch_size.saturating_mul(64);
    for items in items.chunks(at_once) {
        let questions: Vec<_> = items.iter().map(|item| (&item.content, None)).collect();
        let together = runs.answer(&questions, selected)?;
        for (item, answer) in items.iter().zip(&together.answers) {
            let shown = Shown {
                predictor,
                item,
                answer,
            };
            match format {
                AnswerFormat::Json => output::json(&shown.json()?)?,
                AnswerFormat::Text => output::line(&shown.text()?)?,
                AnswerFormat::Csv => bail!("series are not answered as CSV"),
            }
        }
    }
    let has_label =
        |item: &SeriesItem| matches!(item.target, Some(Target::Class(_) | Target::Classes(_)));
    if items.iter().any(has_label) {
        say!("{NOT_SCORED}{to_score}");
    }
    Ok(())
}

/// A sequence and its answer.
struct Shown<'a> {
    predictor: &'a Predictor,
    item: &'a SeriesItem,
    answer: &'a Answer,
}

impl Shown<'_> {
    fn label(&self, class: usize) -> Result<&str> {
        let labels = self.predictor.labels().context("the run has no labels")?;
        labels.name(class).context("the run has no such label")
    }

    /// The columns that are forecast, each with its values, the next one first.
    fn forecast<'b>(&self, values: &'b [f64]) -> Vec<(String, Vec<&'b f64>)> {
        let columns = &self.predictor.config().dataset.target_columns;
        let of = |(place, name): (usize, &String)| {
            let values = values.iter().skip(place).step_by(columns.len());
            (name.clone(), values.collect())
        };
        columns.iter().enumerate().map(of).collect()
    }

    fn text(&self) -> Result<String> {
        let (first, last) = self.item.lines;
        let mut place = match first == last {
            true => format!("line {first}"),
            false => format!("lines {first} to {last}"),
        };
        if let Some(group) = &self.item.group {
            place = format!("{}, {place}", within_line(group));
        }
        let answer = match self.answer {
            Answer::Values(values) => {
                let columns = self.forecast(values).into_iter().map(|(name, values)| {
                    let values: Vec<_> = values.into_iter().map(|value| rounded(*value)).collect();
                    format!("{} {}", within_line(&name), values.join(" "))
                });
                let next = if self.item.target.is_none() {
                    ", what comes next"
                } else {
                    ""
                };
                return Ok(format!(
                    "{place}{next}: {}",
                    columns.collect::<Vec<_>>().join(", ")
                ));
            }
            Answer::Steps(steps) => {
                let names = steps.iter().map(|step| {
                    let (class, _) = step.class().context("a timestep has no class")?;
                    Ok(within_line(self.label(class)?).into_owned())
                });
                names.collect::<Result<Vec<_>>>()?.join(" ")
            }
            answer => {
                let (class, probability) = answer.class().context("the run answers no class")?;
                format!("{} {probability:.4}", within_line(self.label(class)?))
            }
        };
        Ok(format!("{place}: {answer}"))
    }

    fn json(&self) -> Result<Value> {
        let (first, last) = self.item.lines;
        let mut object = json!({"first_line": first, "last_line": last});
        if let Some(group) = &self.item.group {
            object["group"] = json!(group);
        }
        match self.answer {
            Answer::Values(values) => {
                let columns = |values: &[f64]| {
                    let columns = self.forecast(values).into_iter();
                    let columns: Map<String, Value> = columns
                        .map(|(name, values)| (name, json!(values)))
                        .collect();
                    Value::from(columns)
                };
                object["forecast"] = columns(values);
                if let Some(Target::Values(came)) = &self.item.target {
                    let came: Vec<f64> = came.iter().map(|&number| number.into()).collect();
                    object["target"] = columns(&came);
                }
            }
            Answer::Steps(steps) => {
                let names = steps.iter().map(|step| {
                    let (class, _) = step.class().context("a timestep has no class")?;
                    self.label(class)
                });
                object["labels"] = json!(names.collect::<Result<Vec<_>>>()?);
                if let Some(Target::Classes(classes)) = &self.item.target {
                    let names = classes.iter().map(|class| self.label(*class as usize));
                    object["target"] = json!(names.collect::<Result<Vec<_>>>()?);
                }
            }
            Answer::Class(probabilities) => {
                let (class, probability) =
                    self.answer.class().context("the run answers no class")?;
                object["label"] = json!(self.label(class)?);
                object["probability"] = json!(probability);
                let all = probabilities.iter().enumerate();
                let all =
                    all.map(|(class, share)| Ok((self.label(class)?.to_owned(), json!(share))));
                object["probabilities"] = all.collect::<Result<Map<_, _>>>()?.into();
                if let Some(Target::Class(class)) = self.item.target {
                    object["target"] = json!(self.label(class as usize)?);
                }
            }
            _ => bail!("series have no such answer"),
        }
        Ok(object)
    }
}
