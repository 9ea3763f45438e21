//! `gatefold train`

pub mod dashboard;
pub mod display;

use std::path::Path;

use anyhow::Result;
use gatefold::config::{DatasetConfig, RunConfig};
use gatefold::dataset::{self, Prepared};
use gatefold::memory::ensure_training_fits;
use gatefold::run_folder::{RunFolder, RunSummary};
use gatefold::training::{self, Outcome};
use gatefold::{device, progress, say};

use self::dashboard::Run;
use self::display::Display;
use crate::cli::{TrainArgs, with_flags};
use crate::output::End;

pub fn run(args: TrainArgs) -> Result<()> {
    let (config, resumed) = match &args.resume {
        Some(path) => {
            let folder = RunFolder::open_begun(path)?;
            if folder.is_finished() {
                say!("{} is finished; there is nothing to resume", path.display());
                return Ok(());
            }
            let apply = |config: &mut RunConfig| args.checkpoints.apply(&mut config.training);
            let config = with_flags(folder.config()?, apply, RunConfig::validate)?;
            for path in dataset::paths_of_run(&config.dataset)? {
                say!("reading {}, which the run names", path.display());
            }
            (config, Some(folder))
        }
        None => {
            let config = args.settings.into_config(RunConfig::validate)?;
            let apply = |config: &mut RunConfig| args.checkpoints.apply(&mut config.training);
            let mut config = with_flags(config, apply, RunConfig::validate)?;
            config.dataset = found(config.dataset)?;
            (config, None)
        }
    };
    let (selected, device) = device::open(args.device.device)?;
    say!("device: {selected}");
    let name = config.dataset.name.clone().unwrap_or_default();
    let data = Prepared::new(
        &dataset::load(&config.dataset, &mut progress::reading(&name))?,
        &config,
    )?;
    say!(
        "reviews: {} to train on, {} to validate, {} to test; {} distinct words",
        data.train.len(),
        data.validation.len(),
        data.test.len(),
        data.vocabulary.distinct()
    );
    ensure_training_fits(&config, &data, &selected)?;
    let folder = match (resumed, &args.run) {
        (Some(folder), _) => folder,
        (None, Some(path)) => RunFolder::create(path)?,
        (None, None) => {
            let stem = run_name(&name);
            RunFolder::create_numbered(&format!("{stem}-{}", config.model.cell))?
        }
    };
    let run = folder.path().display();
    say!("run: {run}");
    let interrupt = display::listen()?;
    let shown = Run::of(&config, &selected, &folder);
    let mut display = Display::start(shown, args.plain, &interrupt)?;
    let outcome = training::train(
        &config,
        &data,
        (&selected, &device),
        &folder,
        &mut |event| display.show(event, config.training.epochs),
    );
    let stopped = display.finish();
    if outcome.is_err() {
        say_how_to_go_on(&folder);
    }
    match outcome? {
        Outcome::Finished(section) => report(&section.summary, &folder),
        Outcome::Stopped { epoch, step } => {
            say!(
                "stopped in epoch {epoch} after {step} steps; to go on: {} train --resume {run}",
                program()
            );
        }
    }
    // A signal while the network was tested came too late to stop anything, and is still told.
    stopped.map_or(Ok(()), |code| Err(End::Stopped(code).into()))
}

/// Of a run that an error ended.
pub fn say_how_to_go_on(run: &RunFolder) {
    if run.has_checkpoint() {
        say!(
            "the last checkpoint is kept; to go on from it: {} train --resume {}",
            program(),
            run.path().display()
        );
    }
}

/// The dataset of a run that begins: one that is there, said by name, with absolute paths.
pub fn found(dataset: DatasetConfig) -> Result<DatasetConfig> {
    let named = dataset.name.is_some();
    let dataset = dataset::with_name(dataset);
    let name = dataset.name.clone().unwrap_or_default();
    dataset::source(&dataset)?;
    let dataset = dataset::with_absolute_paths(dataset)?;
    say!("dataset: {name}");
    if !named {
        let other = match name.as_str() {
            "reviews" => format!(
                "built in; the real IMDB reviews: `{} dataset fetch imdb`, or --data PATH",
                program()
            ),
            _ => "from the data directory; the built-in reviews: --dataset reviews".into(),
        };
        say!("  ({other})");
    }
    Ok(dataset)
}

/// What a run of this dataset is called after: for a file, its name without folder and ending.
pub fn run_name(dataset: &str) -> String {
    let stem = Path::new(dataset).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn report(summary: &RunSummary, folder: &RunFolder) {
    let run = folder.path().display();
    say!(
        "test: loss {:.4}, accuracy {:.4} over {} reviews (epoch {}, the best by validation loss); trained in {:.1} s",
        summary.test_loss,
        summary.test_accuracy,
        summary.test_examples,
        summary.best_epoch,
        summary.training_seconds,
    );
    say!("report: {}", folder.report().display());
    say!("try it: {} predict {run} \"Not once dull.\"", program());
}

/// How this program was called.
pub fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "gatefold".into())
}
