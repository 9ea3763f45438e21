//! `gatefold train`

pub mod dashboard;
pub mod display;

use std::path::Path;

use anyhow::Result;
use gatefold::memory::ensure_training_fits;
use gatefold::run::{self, Outcome};
use gatefold::run_folder::RunFolder;
use gatefold::terminal::{program, word};
use gatefold::{dataset, device, progress, say};
use gatefold_lesson::report::RunSection;
use gatefold_training::checkpoint::Refused;
use gatefold_training::{RunConfig, Scores};

use self::dashboard::Run;
use self::display::Display;
use crate::cli::{TrainArgs, is_sound, with_flags};
use crate::output::{End, accuracy};
use crate::score_text;

pub fn run(args: TrainArgs) -> Result<()> {
    let (config, resumed) = match &args.resume {
        Some(path) => {
            let folder = RunFolder::open_begun(path)?;
            if folder.is_finished() {
                say!("{} is finished; there is nothing to resume", path.display());
                return Ok(());
            }
            (folder.config()?, Some(folder))
        }
        None => (args.settings.into_config(is_sound)?, None),
    };
    let apply = |config: &mut RunConfig| args.checkpoints.apply(&mut config.training);
    let mut config = with_flags(config, apply, is_sound)?;
    if resumed.is_some() {
        for path in dataset::paths_of_run(&config.dataset)? {
            say!("reading {}, which the run names", path.display());
        }
    } else {
        found(&mut config)?;
    }
    if let Some(path) = &args.run {
        RunFolder::ensure_free(path)?;
    }
    let (selected, device) = device::open(args.device.device)?;
    say!("device: {selected}");
    let name = config.dataset.name.clone().unwrap_or_default();
    let dataset = dataset::load(&config, None, &mut progress::reading(&name))?;
    let data = dataset::encode(&dataset, &mut config)?;
    drop(dataset);
    say!(
        "{}: {} to train on, {} to validate, {} to test{}",
        config.dataset.noun(),
        data.train.len(),
        data.validation.len(),
        data.test.len(),
        match data.encoder.vocabulary() {
            Some(words) => format!(
                "; {} distinct {}",
                words.distinct(),
                words.tokenizer().noun()
            ),
            None => String::new(),
        }
    );
    if let Some(labels) = &data.labels {
        say!("{} labels: {}", labels.len(), labels.shown());
    }
    ensure_training_fits(&config, &data, &selected)?;
    let folder = match (resumed, &args.run) {
        (Some(folder), _) => folder,
        (None, Some(path)) => RunFolder::create(path)?,
        (None, None) => {
            let stem = run_name(&name);
            RunFolder::create_numbered(&format!("{stem}-{}", config.model.cell))?
        }
    };
    let path = folder.path().display();
    say!("run: {path}");
    let interrupt = display::listen()?;
    let shown = Run::of(&config, &selected, &folder);
    let mut display = Display::start(shown, args.plain, &interrupt)?;
    let outcome = run::train(
        &config,
        &data,
        (&selected, &device),
        &folder,
        &mut |event| display.show(event, config.training.epochs),
    );
    let stopped = display.finish();
    if let Err(error) = &outcome {
        say_how_to_go_on(&folder, error);
    }
    match outcome? {
        Outcome::Finished(section) => report(&section, &folder),
        Outcome::Stopped { epoch, step } => {
            let resume = resume(&folder);
            say!("stopped in epoch {epoch} after {step} steps; to go on: {resume}");
            say_how_to_test(&folder);
        }
    }
    // A signal while the network was tested came too late to stop anything, and is still told.
    stopped.map_or(Ok(()), |code| Err(End::Stopped(code).into()))
}

/// Of a run that `error` ended.
pub fn say_how_to_go_on(run: &RunFolder, error: &anyhow::Error) {
    if run.has_checkpoint() && !error.is::<Refused>() {
        say!(
            "the last checkpoint is kept; to go on from it: {}",
            resume(run)
        );
    }
}

/// The command that goes on with a run.
pub fn resume(run: &RunFolder) -> String {
    format!("{} train --resume {}", program(), word(run.path()))
}

/// Of a run that was stopped, if an epoch of it is done.
pub fn say_how_to_test(run: &RunFolder) {
    if RunFolder::open(run.path()).is_ok() {
        let run = word(run.path());
        say!(
            "to test its best epoch so far: {} evaluate {run}",
            program()
        );
    }
}

/// The dataset of a run that begins: one that is there, said by name, with absolute paths.
pub fn found(config: &mut RunConfig) -> Result<()> {
    let named = config.dataset.name.is_some();
    config.dataset = dataset::with_name(std::mem::take(&mut config.dataset));
    let name = config.dataset.name.clone().unwrap_or_default();
    dataset::recognise(&mut config.dataset, &program())?;
    dataset::source(config, None)?;
    config.dataset = dataset::with_absolute_paths(std::mem::take(&mut config.dataset))?;
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
    Ok(())
}

/// What a run of this dataset is called after: for a file, its name without folder and ending.
pub fn run_name(dataset: &str) -> String {
    let stem = Path::new(dataset).file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn report(section: &RunSection, folder: &RunFolder) {
    let RunSection {
        config, summary, ..
    } = section;
    say!(
        "test: loss {:.4}{} over {} {} (epoch {}, with {}); trained in {:.1} s",
        summary.test_loss,
        accuracy(summary.test_accuracy),
        summary.test_examples,
        config.dataset.noun(),
        summary.best_epoch,
        config.training.keep.best(),
        summary.training_seconds,
    );
    if let Some(Scores::Classes(scores)) = &section.scores {
        say!("  ({})", score_text::beside_accuracy(scores));
    }
    if let Some(scores) = &summary.forecast {
        score_text::forecast(scores)
            .iter()
            .for_each(|line| say!("{line}"));
    }
    say!("report: {}", folder.report().display());
    if config.dataset.task.is_some() {
        let (run, file) = (
            word(folder.path()),
            config.dataset.name.clone().unwrap_or_default(),
        );
        say!(
            "try it: {} predict {run} --dataset {}",
            program(),
            word(Path::new(&file))
        );
    }
    if config.model.input_size.is_none() {
        let text = match config.dataset.noun() {
            "reviews" => "Not once dull.",
            _ => "A text to classify",
        };
        let run = word(folder.path());
        say!("try it: {} predict {run} \"{text}\"", program());
    }
}
