//! `gatefold compare`

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use burn::tensor::Device;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use gatefold::device::{self, ComputeDevice};
use gatefold::interrupt::Interrupt;
use gatefold::memory::ensure_training_fits;
use gatefold::progress::{self, Bar};
use gatefold::run::{self, Outcome};
use gatefold::run_folder::RunFolder;
use gatefold::terminal::{program, word};
use gatefold::{dataset, files, say};
use gatefold_data::{EncodedDataset, MemoryTask};
use gatefold_lesson::memory_tasks::{self, LENGTHS, TaskConfig, TaskResult};
use gatefold_lesson::report::{self, RunSection, TaskRow};
use gatefold_model::{Cell, Reading};
use gatefold_training::RunConfig;
use itertools::{Itertools, iproduct};
use serde::Serialize;

use super::train::dashboard::Run;
use super::train::display::{self, Display};
use super::train::{found, resume, run_name, say_how_to_go_on, say_how_to_test};
use crate::cli::CompareArgs;
use crate::output::{self, End, Format};

pub fn run(args: CompareArgs) -> Result<()> {
    let mut config = args.settings.into_config(check)?;
    for cell in args.cells.iter().duplicates() {
        say!("{cell} is named more than once; it is trained once");
    }
    let mut cells: Vec<Cell> = args.cells.into_iter().unique().collect();
    if cells.is_empty() {
        // Dropout in recurrent products leaves out a cell without them.
        let dropped = config.model.recurrent_dropout > 0.0;
        cells.extend(Cell::ALL);
        cells.retain(|cell| !dropped || cell.has_recurrent_weight());
    }
    found(&mut config)?;
    let name = config.dataset.name.clone().unwrap_or_default();
    if let Some(path) = &args.run {
        RunFolder::ensure_free(path)?;
    }
    let (selected, device) = device::open(args.device.device)?;
    say!("device: {selected}");
    let dataset = dataset::load(&config, None, &mut progress::reading(&name))?;
    let data = dataset::encode(&dataset, &mut config)?;
    drop(dataset);
    for &cell in &cells {
        config.model.cell = cell;
        config.validate()?;
        ensure_training_fits(&config, &data, &selected)?;
    }
    let parent = match &args.run {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_numbered(&format!("compare-{}", run_name(&name)))?,
    };
    say!("runs: {}", parent.path().display());

    let mut comparison = Comparison {
        folder: parent.path(),
        cells: &cells,
        device: &device,
        interrupt: display::listen()?,
        sections: Vec::new(),
        tasks: Vec::new(),
    };
    let ended = comparison
        .train(&mut config, &data, &selected)
        .and_then(|()| match args.no_memory_tasks {
            true => Ok(()),
            false => comparison.try_memory(config.training.seed),
        });
    if ended.is_err() && comparison.interrupt.exit_code().is_some() {
        comparison.say_how_to_go_on();
    }
    // However it ended, what was learned until then is worth having.
    let reported = || -> Result<()> {
        if !comparison.sections.is_empty() {
            let path = comparison.write_report()?;
            say!("report: {}", path.display());
            comparison.show(args.format.format)?;
        }
        Ok(())
    };
    let reported = reported();
    // Why it ended counts for more than a reader that is gone.
    ended.and(reported)
}

fn check(config: &RunConfig) -> Result<()> {
    config.validate()?;
    ensure!(
        config.training.from.is_none() && config.input.embeddings.is_none(),
        "compare begins each cell with weights of its own: leave from and embeddings out"
    );
    ensure!(
        config.model.layers == 1
            && !config.model.bidirectional
            && config.model.reading == Reading::Last,
        "compare measures how far the gradient reaches, in networks of one layer in one direction that answer from \
         their last state: leave layers, bidirectional and reading out"
    );
    Ok(())
}

/// A comparison under way.
struct Comparison<'a> {
    folder: &'a Path,
    cells: &'a [Cell],
    device: &'a Device,
    interrupt: Interrupt,
    /// The networks that are trained and tested.
    sections: Vec<RunSection>,
    /// The memory tasks that are done.
    tasks: Vec<TaskResult>,
}

impl Comparison<'_> {
    /// Trains a network of each cell.
    fn train(
        &mut self,
        config: &mut RunConfig,
        data: &EncodedDataset,
        selected: &ComputeDevice,
    ) -> Result<()> {
        for (i, &cell) in self.cells.iter().enumerate() {
            self.stop_if_asked("before the next network")?;
            config.model.cell = cell;
            let folder = RunFolder::create(&self.folder.join(cell.to_string()))?;
            say!("{cell} ({} of {}):", i + 1, self.cells.len());
            let epochs = config.training.epochs;
            let shown = Run::of(config, selected, &folder);
            let mut display = Display::start(shown, true, &self.interrupt)?;
            let on = (selected, self.device);
            let outcome = run::train(config, data, on, &folder, &mut |event| {
                display.show(event, epochs)
            });
            display.finish();
            if let Err(error) = &outcome {
                say_how_to_go_on(&folder, error);
            }
            match outcome? {
                Outcome::Finished(section) => self.sections.push(*section),
                Outcome::Stopped { epoch, step } => {
                    self.stop_if_asked(&format!("in epoch {epoch} after {step} steps"))?;
                }
            }
        }
        self.stop_if_asked("after the last network")
    }

    /// Tries every cell on every memory task, at growing lengths.
    fn try_memory(&mut self, seed: u64) -> Result<()> {
        self.write_report()?;
        let config = TaskConfig {
            seed,
            ..TaskConfig::default()
        };
        let mut bar = Bar::new("", "steps");
        let tasks = [MemoryTask::Adding, MemoryTask::Recall];
        let all = iproduct!(tasks, LENGTHS, self.cells);
        let count = tasks.len() * LENGTHS.len() * self.cells.len();
        for (i, (task, length, &cell)) in all.enumerate() {
            bar.restart(&format!("{}/{count} {task} {length}, {cell}", i + 1));
            let mut on_step = |step, steps, loss| {
                bar.update(step as u64, steps as u64);
                bar.message(format!("loss {loss:.3}"));
                match self.interrupt.exit_code() {
                    Some(_) => ControlFlow::Break(()),
                    None => ControlFlow::Continue(()),
                }
            };
            let result = memory_tasks::run(task, cell, length, &config, self.device, &mut on_step)?;
            self.tasks.extend(result);
            self.stop_if_asked("in the memory tasks")
                .inspect_err(|_| bar.finish())?;
        }
        bar.finish();
        Ok(())
    }

    /// Says where it stopped, and ends, if a signal asked for that.
    fn stop_if_asked(&self, place: &str) -> Result<()> {
        if let Some(code) = self.interrupt.exit_code() {
            say!("stopped {place}");
            return Err(End::Stopped(code).into());
        }
        Ok(())
    }

    /// Says how to go on with each network that is not tested yet.
    fn say_how_to_go_on(&self) {
        // Any of them has the settings of all.
        let config = |cell: &&Cell| {
            let config = self.folder.join(cell.to_string()).join("config.toml");
            config.is_file().then_some(config)
        };
        let settings = self.cells.iter().find_map(|cell| config(&cell));
        for cell in self.cells {
            let path = self.folder.join(cell.to_string());
            match (RunFolder::open_begun(&path), &settings) {
                (Ok(run), _) if run.is_finished() => {}
                (Ok(run), _) => {
                    say!("to go on with {cell}: {}", resume(&run));
                    say_how_to_test(&run);
                }
                (Err(_), Some(settings)) if !path.exists() => {
                    let [settings, path] = [settings, &path].map(|path| word(path));
                    let program = program();
                    say!(
                        "to train {cell}: {program} train --config {settings} --cell {cell} --run {path}"
                    );
                }
                (Err(_), _) => {}
            }
        }
        let folder = word(self.folder);
        say!("to list what there is: {} runs {folder}", program());
    }

    fn write_report(&self) -> Result<PathBuf> {
        let rows: Vec<TaskRow> = self.tasks.iter().map(TaskRow::from).collect();
        let path = self.folder.join("report.html");
        let page = report::comparison_page(&self.sections, &rows)?;
        files::replace(&path, page.as_bytes())?;
        Ok(path)
    }

    fn show(&self, format: Format) -> Result<()> {
        if format == Format::Text {
            return show(&self.sections, &self.tasks);
        }
        let sections = self.sections.iter().map(ComparisonLine::of);
        sections
            .into_iter()
            .try_for_each(|line| output::json(&line))?;
        self.tasks.iter().try_for_each(output::json)
    }
}

/// A network's line of the answer.
#[derive(Serialize)]
struct ComparisonLine<'a> {
    cell: Cell,
    parameters: usize,
    test_loss: f64,
    test_accuracy: Option<f64>,
    best_epoch: usize,
    milliseconds_per_step: f64,
    training_seconds: f64,
    run: &'a str,
}

impl<'a> ComparisonLine<'a> {
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
        let of = ComparisonLine::of(section);
        vec![
            of.cell.to_string(),
            of.parameters.to_string(),
            of.test_accuracy
                .map_or("–".into(), |share| format!("{share:.4}")),
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
            result.verdict().into(),
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
