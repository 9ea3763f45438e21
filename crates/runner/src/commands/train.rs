//! `gatefold train`

pub mod dashboard;
pub mod display;

use std::path::Path;
use std::process::exit;

use anyhow::Result;
use gatefold::config::DatasetConfig;
use gatefold::dataset::{self, Prepared};
use gatefold::device;
use gatefold::progress;
use gatefold::run_folder::{RunFolder, RunSummary};
use gatefold::training::{self, Outcome};

use self::dashboard::Run;
use self::display::Display;
use crate::cli::TrainArgs;

/// As shells do for what Ctrl-C ended.
pub const INTERRUPTED: i32 = 130;

pub fn run(args: TrainArgs) -> Result<()> {
    let (config, resumed) = match &args.resume {
        Some(path) => {
            let folder = RunFolder::open_begun(path)?;
            if folder.is_finished() {
                eprintln!("{} is finished; there is nothing to resume", path.display());
                return Ok(());
            }
            let mut config = folder.config()?;
            args.checkpoints.apply(&mut config.training);
            config.validate()?;
            for path in dataset::paths_of_run(&config.dataset)? {
                eprintln!("reading {}, which the run names", path.display());
            }
            (config, Some(folder))
        }
        None => {
            let mut config = args.settings.into_config()?;
            args.checkpoints.apply(&mut config.training);
            config.validate()?;
            config.dataset = found(config.dataset)?;
            (config, None)
        }
    };
    let (selected, device) = device::open(args.device.device)?;
    eprintln!("device: {selected}");
    let name = config.dataset.name.clone().unwrap_or_default();
    let data = Prepared::new(
        &dataset::load(&config.dataset, &mut progress::reading(&name))?,
        &config,
    )?;
    eprintln!(
        "reviews: {} to train on, {} to validate, {} to test; {} distinct words",
        data.train.len(),
        data.validation.len(),
        data.test.len(),
        data.vocabulary.distinct()
    );
    let folder = match (resumed, &args.run) {
        (Some(folder), _) => folder,
        (None, Some(path)) => RunFolder::create(path)?,
        (None, None) => {
            let stem = run_name(&name);
            RunFolder::create_numbered(&format!("{stem}-{}", config.model.cell))?
        }
    };
    let run = folder.path().display();
    eprintln!("run: {run}");
    let mut display = Display::start(Run::of(&config, &selected, &folder), args.plain)?;
    let outcome = training::train(
        &config,
        &data,
        (&selected, &device),
        &folder,
        &mut |event| display.show(event, config.training.epochs),
    );
    let interrupted = display.finish();
    if outcome.is_err() && folder.has_checkpoint() {
        eprintln!(
            "the last checkpoint is kept; to go on from it: {} train --resume {run}",
            program()
        );
    }
    match outcome? {
        Outcome::Finished(section) => report(&section.summary, &folder),
        Outcome::Stopped { epoch, step } => {
            eprintln!(
                "stopped in epoch {epoch} after {step} steps; to go on: {} train --resume {run}",
                program()
            );
            if interrupted {
                exit(INTERRUPTED);
            }
        }
    }
    Ok(())
}

/// The dataset of a run that begins: one that is there, said by name, with absolute paths.
pub fn found(dataset: DatasetConfig) -> Result<DatasetConfig> {
    let named = dataset.name.is_some();
    let dataset = dataset::with_name(dataset);
    let name = dataset.name.clone().unwrap_or_default();
    dataset::source(&dataset)?;
    let dataset = dataset::with_absolute_paths(dataset)?;
    eprintln!("dataset: {name}");
    if !named {
        let other = match name.as_str() {
            "reviews" => format!(
                "built in; the real IMDB reviews: `{} dataset fetch imdb`, or --data PATH",
                program()
            ),
            _ => "from the data directory; the built-in reviews: --dataset reviews".into(),
        };
        eprintln!("  ({other})");
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
    eprintln!(
        "test: loss {:.4}, accuracy {:.4} over {} reviews (epoch {}, the best by validation loss); trained in {:.1} s",
        summary.test_loss,
        summary.test_accuracy,
        summary.test_examples,
        summary.best_epoch,
        summary.training_seconds,
    );
    eprintln!("report: {}", folder.report().display());
    eprintln!("try it: {} predict {run} \"Not once dull.\"", program());
}

/// How this program was called.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "gatefold".into())
}
