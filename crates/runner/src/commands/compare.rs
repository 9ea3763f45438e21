//! `gatefold compare`

use std::path::{Path, PathBuf};
use std::process::exit;

use anyhow::{Result, ensure};
use burn::tensor::Device;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use gatefold::config::RunConfig;
use gatefold::dataset::{self, Prepared};
use gatefold::device;
use gatefold::files;
use gatefold::memory_tasks::{self, LENGTHS, Task, TaskConfig, TaskResult};
use gatefold::progress::{self, Bar};
use gatefold::report::{self, RunSection, TaskRow};
use gatefold::run_folder::RunFolder;
use gatefold::training::{self, Outcome};
use gatefold_model::Cell;
use itertools::{Itertools, iproduct};
use serde::Serialize;

use super::train::dashboard::Run;
use super::train::display::Display;
use super::train::{INTERRUPTED, found, run_name};
use crate::cli::CompareArgs;
use crate::output::{self, Format};

pub fn run(args: CompareArgs) -> Result<()> {
    let mut config = args.settings.into_config()?;
    config.validate()?;
    ensure!(
        config.model.layers == 1 && !config.model.bidirectional,
        "compare measures how far the gradient reaches, in networks of one layer in one direction: leave \
         layers and bidirectional out"
    );
    let cells: Vec<Cell> = args.cells.into_iter().unique().collect();
    config.dataset = found(config.dataset)?;
    let name = config.dataset.name.clone().unwrap_or_default();
    let (selected, device) = device::open(args.device.device)?;
    eprintln!("device: {selected}");
    let data = Prepared::new(
        &dataset::load(&config.dataset, &mut progress::reading(&name))?,
        &config,
    )?;
    let parent = match &args.run {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_numbered(&format!("compare-{}", run_name(&name)))?,
    };
    eprintln!("runs: {}", parent.path().display());

    let mut sections = Vec::new();
    for cell in cells.iter().copied() {
        config.model.cell = cell;
        let folder = RunFolder::create(&parent.path().join(cell.to_string()))?;
        eprintln!("{cell}:");
        let on = (&selected, &device);
        sections.push(train(&config, &data, on, &folder)?);
    }
    let tasks = match args.no_memory_tasks {
        true => Vec::new(),
        false => memory_tasks(&cells, config.training.seed, &device)?,
    };
    let path = write_report(parent.path(), &sections, &tasks)?;
    match args.format.format {
        Format::Text => show(&sections, &tasks)?,
        Format::Json => {
            for section in &sections {
                output::json(&Compared::of(section))?;
            }
            for task in &tasks {
                output::json(task)?;
            }
        }
    }
    eprintln!("report: {}", path.display());
    Ok(())
}

fn train(
    config: &RunConfig,
    data: &Prepared,
    on: (&device::Selected, &Device),
    folder: &RunFolder,
) -> Result<RunSection> {
    let epochs = config.training.epochs;
    let mut display = Display::start(Run::of(config, on.0, folder), true)?;
    let outcome = training::train(config, data, on, folder, &mut |event| {
        display.show(event, epochs)
    });
    display.finish();
    match outcome? {
        Outcome::Finished(section) => Ok(*section),
        Outcome::Stopped { epoch, step } => {
            eprintln!("stopped in epoch {epoch} after {step} steps; nothing was compared");
            exit(INTERRUPTED);
        }
    }
}

/// Every cell on every task, at growing lengths.
fn memory_tasks(cells: &[Cell], seed: u64, device: &Device) -> Result<Vec<TaskResult>> {
    let config = TaskConfig {
        seed,
        ..TaskConfig::default()
    };
    let mut bar = Bar::new("", "steps");
    let mut results = Vec::new();
    for (task, length, &cell) in iproduct!([Task::Adding, Task::Recall], LENGTHS, cells) {
        bar.restart(&format!("{task}, {length} timesteps, {cell}"));
        let result = memory_tasks::run(
            task,
            cell,
            length,
            &config,
            device,
            &mut |step, steps, loss| {
                bar.update(step as u64, steps as u64);
                bar.message(format!("loss {loss:.3}"));
            },
        )?;
        results.push(result);
    }
    bar.finish();
    Ok(results)
}

fn write_report(folder: &Path, sections: &[RunSection], tasks: &[TaskResult]) -> Result<PathBuf> {
    let rows: Vec<TaskRow> = tasks.iter().map(TaskRow::from).collect();
    let path = folder.join("report.html");
    files::replace(&path, report::comparison_page(sections, &rows)?.as_bytes())?;
    Ok(path)
}

/// A network's line of the answer.
#[derive(Serialize)]
struct Compared<'a> {
    cell: Cell,
    parameters: usize,
    test_loss: f64,
    test_accuracy: f64,
    best_epoch: usize,
    milliseconds_per_step: f64,
    training_seconds: f64,
    run: &'a str,
}

impl<'a> Compared<'a> {
    fn of(section: &'a RunSection) -> Self {
        let summary = &section.summary;
        Self {
            cell: section.config.model.cell,
            parameters: summary.parameters,
            test_loss: summary.test_loss,
            test_accuracy: summary.test_accuracy,
            best_epoch: summary.best_epoch,
            milliseconds_per_step: summary.milliseconds_per_step,
            training_seconds: summary.training_seconds,
            run: &section.name,
        }
    }
}

fn show(sections: &[RunSection], tasks: &[TaskResult]) -> Result<()> {
    let rows = sections.iter().map(|section| {
        let of = Compared::of(section);
        vec![
            of.cell.to_string(),
            of.parameters.to_string(),
            format!("{:.4}", of.test_accuracy),
            format!("{:.4}", of.test_loss),
            of.best_epoch.to_string(),
            format!("{:.1}", of.milliseconds_per_step),
            format!("{:.1}", of.training_seconds),
        ]
    });
    let header = [
        "cell",
        "parameters",
        "test accuracy",
        "test loss",
        "best epoch",
        "ms a step",
        "training, s",
    ];
    output::table(&header, rows.collect(), 1)?;
    if tasks.is_empty() {
        return Ok(());
    }
    let rows = tasks.iter().map(|result| {
        vec![
            result.task.to_string(),
            result.length.to_string(),
            result.cell.to_string(),
            result.measure().to_string(),
            format!("{:.4}", result.score),
            format!("{:.4}", result.chance),
            if result.solved { "solved" } else { "failed" }.into(),
        ]
    });
    let header = [
        "task",
        "timesteps",
        "cell",
        "measure",
        "score",
        "chance",
        "",
    ];
    output::line(&output::render_table(
        &header,
        rows.collect(),
        3,
        UTF8_FULL_CONDENSED,
    ))
}
