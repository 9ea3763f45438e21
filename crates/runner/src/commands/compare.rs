//! `gatefold compare`

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use burn::tensor::Device;
use gatefold::device::{self, ComputeDevice};
use gatefold::interrupt::Interrupt;
use gatefold::kernels::{self, Kernels};
use gatefold::memory::ensure_training_fits;
use gatefold::progress::Bar;
use gatefold::run::{self, Outcome};
use gatefold::run_folder::{OF_SEED, RunFolder};
use gatefold::start::Start;
use gatefold::terminal::{program, word};
use gatefold::{files, presets, pretraining, say};
use gatefold_data::{EncodedDataset, MemoryTask};
use gatefold_lesson::comparison::{SeedGroup, by_network, differences, verdicts};
use gatefold_lesson::memory_tasks::{self, LENGTHS, TaskConfig, TaskResult};
use gatefold_lesson::report::{self, RunSection, TaskRow};
use gatefold_model::Cell;
use gatefold_training::{RunConfig, Spread};
use itertools::{Itertools, iproduct};
use serde::Serialize;

use super::train::dashboard::Run;
use super::train::display::{self, Display};
use super::train::{
    found, read_data, resume, run_name, say_how_to_go_on, say_how_to_test, say_standing,
};
use crate::cli::{CompareArgs, DeviceArgs, KernelsArgs};
use crate::output::{self, End, Format};

pub fn run(args: CompareArgs) -> Result<()> {
    let (config, _) = args.settings.into_config(check)?;
    pretraining::ensure_classifier(&config)?;
    for cell in args.cells.iter().duplicates() {
        say!("{cell} is named more than once; it is trained once");
    }
    let mut cells: Vec<Cell> = args.cells.into_iter().unique().collect();
    if cells.is_empty() {
        // Dropout in recurrent products leaves out a cell without them.
        let dropped = config.model.recurrent_dropout > 0.0 || config.model.weight_dropout > 0.0;
        cells.extend(Cell::ALL);
        cells.retain(|cell| !dropped || cell.has_recurrent_weight());
    }
    let seed = config.training.seed;
    let plan = Plan {
        cells: &cells,
        seeds: &args.seeds.of(seed).unwrap_or_else(|| vec![seed]),
        start: None,
        memory_tasks: !args.no_memory_tasks,
        kernels: args.kernels.kernels,
        run: args.run,
        stem: &|name| format!("compare-{}", run_name(name)),
    };
    plan.follow(config, args.device, args.format.format)
}

/// Trains the network of `config` once with each seed, from the weights of `start` on if it is given, in the folder that
/// `run` names, or else in a numbered one.
pub fn train_seeds(
    config: &RunConfig,
    start: Option<Start>,
    seeds: Vec<u64>,
    run: Option<PathBuf>,
    (device, kernels): (DeviceArgs, KernelsArgs),
    format: Format,
) -> Result<()> {
    if config.input.embeddings.is_some() {
        let why =
            "--seeds begins with words' vectors that the seed settles: leave --embeddings out";
        return Err(End::Misused(anyhow!(why)).into());
    }
    let plan = Plan {
        cells: &[config.model.cell],
        seeds: &seeds,
        start,
        memory_tasks: false,
        kernels: kernels.kernels,
        run,
        stem: &|name| format!("{}-{}-seeds", run_name(name), config.model.cell),
    };
    plan.follow(config.clone(), device, format)
}

/// What to train and to set side by side.
struct Plan<'a> {
    cells: &'a [Cell],
    seeds: &'a [u64],
    /// With whose weights each begins, if not with random ones.
    start: Option<Start>,
    memory_tasks: bool,
    kernels: Kernels,
    /// Where the runs go.
    run: Option<PathBuf>,
    /// What they are called after, of a dataset's name, where nothing says where they go.
    stem: &'a dyn Fn(&str) -> String,
}

impl Plan<'_> {
    fn follow(self, mut config: RunConfig, device: DeviceArgs, format: Format) -> Result<()> {
        found(&mut config)?;
        let name = config.dataset.name.clone().unwrap_or_default();
        if let Some(path) = &self.run {
            RunFolder::ensure_free(path)?;
        }
        let (selected, device) = device::open(device.device)?;
        say!("device: {selected}");
        let data = read_data(&mut config, self.start.as_ref(), None)?;
        if let Some(start) = &self.start {
            start.say_seen(&data, config.dataset.noun());
        }
        for &cell in self.cells {
            config.model.cell = cell;
            config.validate()?;
            ensure_training_fits(&config, &data, &selected)?;
        }
        let parent = match &self.run {
            Some(path) => RunFolder::create(path)?,
            None => RunFolder::create_numbered(&(self.stem)(&name))?,
        };
        say!("runs: {}", parent.path().display());

        let mut comparison = Comparison {
            folder: parent.path(),
            cells: self.cells,
            seeds: self.seeds,
            start: self.start,
            kernels: self.kernels,
            device: &device,
            interrupt: display::listen()?,
            sections: Vec::new(),
            tasks: Vec::new(),
        };
        let ended = comparison
            .train(&mut config, &data, &selected)
            .and_then(|()| match self.memory_tasks {
                true => comparison.try_memory(self.seeds[0]),
                false => Ok(()),
            });
        if ended.is_err() && comparison.interrupt.exit_code().is_some() {
            comparison.say_how_to_go_on();
        }
        // However it ended, what was learned until then is worth having.
        let reported = || -> Result<()> {
            if !comparison.sections.is_empty() {
                let path = comparison.write_report()?;
                say!("report: {}", path.display());
                comparison.show(format)?;
            }
            Ok(())
        };
        let reported = reported();
        // Why it ended counts for more than a reader that is gone.
        ended.and(reported)
    }
}

fn check(config: &RunConfig) -> Result<()> {
    config.validate()?;
    if let Some(name) = presets::begins_with_language_model(config) {
        let error = anyhow!(
            "compare begins each cell with weights of its own, and the preset {name} with a language model's: take another preset"
        );
        return Err(End::Misused(error).into());
    }
    ensure!(
        config.training.from.is_none() && config.input.embeddings.is_none(),
        "compare begins each cell with weights of its own: leave from and embeddings out"
    );
    ensure!(
        config.model.layers == 1 && !config.model.bidirectional,
        "compare measures how far the gradient reaches, in networks of one layer in one direction: leave layers and \
         bidirectional out"
    );
    Ok(())
}

/// A comparison under way.
struct Comparison<'a> {
    folder: &'a Path,
    cells: &'a [Cell],
    seeds: &'a [u64],
    start: Option<Start>,
    kernels: Kernels,
    device: &'a Device,
    interrupt: Interrupt,
    /// The networks that are trained and tested.
    sections: Vec<RunSection>,
    /// The memory tasks that are done.
    tasks: Vec<TaskResult>,
}

impl Comparison<'_> {
    /// What each training is called, its cell and its seed.
    fn trainings(&self) -> Vec<(String, Cell, u64)> {
        let (cells, seeds) = (self.cells.len(), self.seeds.len());
        iproduct!(self.cells, self.seeds)
            .map(|(&cell, &seed)| {
                let name = match (cells, seeds) {
                    (_, 1) => cell.to_string(),
                    (1, _) => format!("{OF_SEED}{seed}"),
                    _ => format!("{cell}-seed-{seed}"),
                };
                (name, cell, seed)
            })
            .collect()
    }

    /// Trains a network of each cell with each seed.
    fn train(
        &mut self,
        config: &mut RunConfig,
        data: &EncodedDataset,
        selected: &ComputeDevice,
    ) -> Result<()> {
        let trainings = self.trainings();
        let all = trainings.len();
        for (i, (name, cell, seed)) in trainings.into_iter().enumerate() {
            self.stop_if_asked("before the next network")?;
            (config.model.cell, config.training.seed) = (cell, seed);
            config.validate()?;
            let folder = RunFolder::create(&self.folder.join(&name))?;
            say!("{name} ({} of {all}):", i + 1);
            kernels::settle(config, self.kernels, (selected, self.device));
            let begin =
                |start: &Start| start.begin(&folder, config, data.labels.as_ref(), self.device);
            let first = self.start.as_ref().map(begin).transpose()?;
            let epochs = config.training.epochs;
            let shown = Run::of(config, selected, &folder);
            let mut display = Display::start(shown, true, &self.interrupt)?;
            let on = (selected, self.device);
            let outcome = run::train_from(first, config, data, on, &folder, &mut |event| {
                display.show(event, epochs)
            });
            display.finish();
            if let Err(error) = &outcome {
                say_how_to_go_on(&folder, error);
            }
            match outcome? {
                Outcome::Finished(section) => {
                    say_standing(&section.config, &section.summary);
                    self.sections.push(*section);
                }
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
        let trainings = self.trainings();
        // Any of them has the settings of all.
        let config = |name: &str| {
            let config = self.folder.join(name).join("config.toml");
            config.is_file().then_some(config)
        };
        let settings = trainings.iter().find_map(|(name, ..)| config(name));
        for (name, cell, seed) in &trainings {
            let path = self.folder.join(name);
            match (RunFolder::open_begun(&path), &settings) {
                (Ok(run), _) if run.is_finished() => {}
                (Ok(run), _) => {
                    say!("to go on with {name}: {}", resume(&run));
                    say_how_to_test(&run);
                }
                (Err(_), Some(settings)) if !path.exists() => {
                    let [settings, path] = [settings, &path].map(|path| word(path));
                    let program = program();
                    let seed = match self.seeds.len() {
                        1 => String::new(),
                        _ => format!(" --seed {seed}"),
                    };
                    say!(
                        "to train {name}: {program} train --config {settings} --cell {cell}{seed} --run {path}"
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
        let networks = by_network(&self.sections);
        let noun = self.sections[0].config.dataset.noun();
        if format == Format::Text {
            let mut verdicts = verdicts(&networks, noun);
            if self.seeds.len() == 1 && !verdicts.is_empty() {
                verdicts.push("--seeds 3 trains with three.".into());
            }
            return show(&self.sections, &networks, &verdicts, &self.tasks);
        }
        let sections = self.sections.iter().map(ComparisonLine::of);
        sections
            .into_iter()
            .try_for_each(|line| output::json(&line))?;
        if self.seeds.len() > 1 {
            networks
                .iter()
                .map(NetworkLine::of)
                .try_for_each(|line| output::json(&line))?;
            differences(&networks).iter().try_for_each(output::json)?;
        }
        self.tasks.iter().try_for_each(output::json)
    }
}

/// A run's line of the answer.
#[derive(Serialize)]
struct ComparisonLine<'a> {
    cell: Cell,
    seed: u64,
    parameters: usize,
    test_loss: f64,
    test_accuracy: Option<f64>,
    baseline_accuracy: Option<f64>,
    best_epoch: usize,
    milliseconds_per_step: f64,
    training_seconds: f64,
    run: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
}

impl<'a> ComparisonLine<'a> {
    fn of(section: &'a RunSection) -> Self {
        let summary = &section.summary;
        Self {
            cell: section.config.model.cell,
            seed: section.config.training.seed,
            parameters: summary.parameters,
            test_loss: summary.test_loss,
            test_accuracy: summary.test_accuracy,
            baseline_accuracy: summary.baseline_accuracy,
            best_epoch: summary.best_epoch,
            milliseconds_per_step: summary.milliseconds_per_step,
            training_seconds: summary.training_seconds,
            run: &section.name,
            warnings: &summary.warnings,
        }
    }
}

/// A network's line of the answer, over its seeds.
#[derive(Serialize)]
struct NetworkLine<'a> {
    network: &'a str,
    seeds: BTreeSet<u64>,
    mean_test_accuracy: Option<f64>,
    deviation_of_test_accuracy: Option<f64>,
    mean_test_loss: f64,
    deviation_of_test_loss: f64,
}

impl<'a> NetworkLine<'a> {
    fn of(network: &'a SeedGroup) -> Self {
        Self {
            network: &network.name,
            seeds: network.seeds(),
            mean_test_accuracy: network.accuracy.map(|spread| spread.mean),
            deviation_of_test_accuracy: network.accuracy.map(|spread| spread.deviation),
            mean_test_loss: network.loss.mean,
            deviation_of_test_loss: network.loss.deviation,
        }
    }
}

fn show(
    sections: &[RunSection],
    networks: &[SeedGroup],
    verdicts: &[String],
    tasks: &[TaskResult],
) -> Result<()> {
    let several = networks.len() < sections.len();
    let rows = sections.iter().map(|section| {
        let of = ComparisonLine::of(section);
        vec![
            match several {
                true => section.name.clone(),
                false => of.cell.to_string(),
            },
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
        if several { "run" } else { "cell" },
        "parameters",
        "test accuracy",
        "test loss",
        "best epoch",
        "ms a step",
        "training, s",
    ];
    // Times first, then what all networks of a cell share.
    output::fitting_table(&header, rows.collect(), 1, &[5, 1, 6, 4])?;
    if several {
        let spread = |spread: Option<Spread>| spread.map_or("–".into(), |of| of.to_string());
        let rows = networks.iter().map(|network| {
            vec![
                network.name.clone(),
                network.seeds().len().to_string(),
                spread(network.accuracy),
                spread(Some(network.loss)),
            ]
        });
        let header = [
            "network",
            "seeds",
            "test accuracy, mean ± deviation",
            "test loss",
        ];
        output::table(&header, rows.collect(), 1)?;
    }
    verdicts
        .iter()
        .try_for_each(|sentence| output::line(sentence))?;
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
    // The measure, which the task tells.
    output::fitting_table(&header, rows.collect(), 3, &[3, 5])
}
