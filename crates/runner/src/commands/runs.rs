//! `gatefold runs`

use std::path::Path;

use anyhow::{Result, bail};
use gatefold::run_folder::{RunFolder, how_to_make_runs};
use gatefold::say;
use gatefold::suggestions::did_you_mean;
use gatefold::terminal::message;
use gatefold_model::Cell;
use gatefold_training::{EpochMetrics, perplexity};
use serde::Serialize;

use crate::cli::RunsArgs;
use crate::output::{self, Format};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Trained and tested.
    Done,
    /// Trained elsewhere.
    Imported,
    /// Can go on from a checkpoint.
    Resumable,
    /// Neither; it may be under way.
    Unfinished,
    /// A file of it can't be read.
    Damaged,
}

/// A run's key figures, as far as they can be read.
#[derive(Debug, Serialize)]
struct Line {
    run: String,
    state: State,
    dataset: Option<String>,
    cell: Option<Cell>,
    hidden_size: Option<usize>,
    parameters: Option<usize>,
    epochs_done: usize,
    epochs: Option<usize>,
    validation_loss: Option<f64>,
    validation_accuracy: Option<f64>,
    test_accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    perplexity: Option<f64>,
    training_seconds: f64,
    device: Option<String>,
    problem: Option<String>,
}

pub fn run(args: RunsArgs) -> Result<()> {
    let mut folders = args.folders;
    let usual = Path::new("runs");
    if folders.is_empty() && usual.exists() {
        folders.push(usual.into());
    }
    let mut lines = Vec::new();
    for folder in &folders {
        ensure_is_there(folder)?;
        lines.extend(RunFolder::list(folder)?.iter().map(line));
    }
    if lines.is_empty() {
        say!("there are no runs yet; {}", how_to_make_runs());
    }
    if args.format.format == Format::Json {
        return lines.iter().try_for_each(output::json);
    }
    if lines.is_empty() {
        return Ok(());
    }
    let header = [
        "run",
        "state",
        "dataset",
        "cell",
        "device",
        "hidden",
        "parameters",
        "epochs",
        "validation\nloss",
        "validation\naccuracy",
        "test\naccuracy",
        "seconds",
    ];
    // The least telling first: device, parameters, hidden size, validation loss, dataset, seconds, state.
    let first_to_go = [4, 6, 5, 8, 2, 11, 1];
    let rows = lines.iter().map(Line::row).collect();
    output::fitting_table(&header, rows, 5, &first_to_go)?;
    let mut problems = lines.iter().filter_map(|line| line.problem.as_deref());
    problems.try_for_each(output::line)
}

fn ensure_is_there(folder: &Path) -> Result<()> {
    if folder.symlink_metadata().is_ok() {
        return Ok(());
    }
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let beside = parent
        .unwrap_or(Path::new("."))
        .read_dir()
        .into_iter()
        .flatten();
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    let folders = beside
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir());
    let names: Vec<String> = folders.take(1000).map(|path| name(&path)).collect();
    bail!(
        "there is no folder {}{}",
        folder.display(),
        did_you_mean(&name(folder), names.iter().map(String::as_str))
    );
}

/// Reads what there is of a run.
fn line(run: &RunFolder) -> Line {
    let mut problems = Vec::new();
    let config = keep(run.config(), &mut problems);
    let epochs = keep(run.metrics(), &mut problems).unwrap_or_default();
    let summary = keep(run.summary(), &mut problems).flatten();
    if summary.is_some() && problems.is_empty() {
        keep(RunFolder::open(run.path()), &mut problems);
    }
    let state = if !problems.is_empty() {
        State::Damaged
    } else if summary.is_some() {
        State::Done
    } else if config
        .as_ref()
        .is_some_and(|config| config.imported.is_some())
    {
        State::Imported
    } else if run.has_checkpoint() {
        State::Resumable
    } else {
        State::Unfinished
    };
    let keep = config.as_ref().map(|config| config.training.keep);
    let best = EpochMetrics::best_of(&epochs, keep.unwrap_or_default());
    let best = summary.as_ref().map(|summary| &summary.best).or(best);
    let model = config.as_ref().map(|config| &config.model);
    Line {
        run: run.path().display().to_string(),
        state,
        dataset: config
            .as_ref()
            .and_then(|config| config.dataset.name.clone()),
        cell: model.map(|model| model.cell),
        hidden_size: model.map(|model| model.hidden_size),
        parameters: config.as_ref().map(|config| config.parameters() as usize),
        epochs_done: epochs.len(),
        epochs: config.as_ref().map(|config| config.training.epochs),
        validation_loss: best.map(|best| best.validation_loss),
        validation_accuracy: best.and_then(|best| best.validation_accuracy),
        test_accuracy: summary.as_ref().and_then(|summary| summary.test_accuracy),
        perplexity: config
            .as_ref()
            .filter(|config| config.pretraining.is_some())
            .and(best)
            .map(|best| perplexity(best.validation_loss)),
        training_seconds: match &summary {
            Some(summary) => summary.training_seconds,
            None => epochs.iter().fold(0.0, |sum, epoch| sum + epoch.seconds),
        },
        device: summary.map(|summary| summary.device),
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
    }
}

/// What was read, or else nothing, and a problem more.
fn keep<T>(read: Result<T>, problems: &mut Vec<String>) -> Option<T> {
    read.map_err(|error| problems.push(message(format!("{error:#}").trim_end())))
        .ok()
}

impl Line {
    /// The cells of the table.
    fn row(&self) -> Vec<String> {
        let name = |value: Option<serde_json::Value>| {
            let name = value.as_ref().and_then(|value| value.as_str());
            name.unwrap_or_default().to_owned()
        };
        let count = |count: Option<usize>| count.map(|count| count.to_string()).unwrap_or_default();
        let share = |share: Option<f64>| share.map(|share| number(share, 4)).unwrap_or_default();
        // A table's path, as datasets go, is too long.
        let dataset = self
            .dataset
            .as_deref()
            .map(Path::new)
            .and_then(Path::file_name);
        vec![
            self.run.clone(),
            name(serde_json::to_value(self.state).ok()),
            dataset.unwrap_or_default().to_string_lossy().into_owned(),
            self.cell.map(|cell| cell.to_string()).unwrap_or_default(),
            self.device.clone().unwrap_or_default(),
            count(self.hidden_size),
            count(self.parameters),
            format!(
                "{}/{}",
                self.epochs_done,
                self.epochs.map_or("?".into(), |epochs| epochs.to_string())
            ),
            share(self.validation_loss),
            share(self.validation_accuracy),
            match self.perplexity {
                Some(perplexity) => format!("perplexity {}", number(perplexity, 1)),
                None => share(self.test_accuracy),
            },
            number(self.training_seconds, 1),
        ]
    }
}

/// A number of a file, which may have hundreds of digits.
pub(super) fn number(value: f64, decimals: usize) -> String {
    match value.abs() {
        0.0..1e9 => format!("{value:.decimals$}"),
        _ => format!("{value:.1e}"),
    }
}
