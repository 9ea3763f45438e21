//! `gatefold train`

#[allow(dead_code)]
mod dashboard;

use std::path::Path;

use anyhow::Result;
use gatefold::config::RunConfig;
use gatefold::dataset::{self, Prepared};
use gatefold::device;
use gatefold::progress::{self, Bar};
use gatefold::run_folder::{RunFolder, RunSummary};
use gatefold::training::{self, Event};

use crate::cli::TrainArgs;

pub fn run(args: TrainArgs) -> Result<()> {
    let mut config = match &args.config {
        Some(path) => RunConfig::read(path)?,
        None => RunConfig::default(),
    };
    args.dataset.apply(&mut config.dataset);
    args.model.apply(&mut config.model);
    args.training.apply(&mut config.training);
    config.validate()?;
    let named = config.dataset.name.is_some();
    config.dataset = dataset::with_name(config.dataset);
    let name = config.dataset.name.clone().unwrap_or_default();
    dataset::source(&config.dataset)?;
    config.dataset = dataset::with_absolute_paths(config.dataset)?;

    let (selected, device) = device::open(args.device.device)?;
    eprintln!("device: {selected}");
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

    let folder = match &args.run {
        Some(path) => RunFolder::create(path)?,
        None => RunFolder::create_numbered(&run_name(&name, &config))?,
    };
    eprintln!("run: {}", folder.path().display());
    let mut display = Display::new(config.training.epochs);
    let summary = training::train(
        &config,
        &data,
        (&selected, &device),
        &folder,
        &mut |event| {
            display.show(event);
        },
    )?;
    display.bar.finish();
    report(&summary, &folder);
    Ok(())
}

/// `imdb-lstm`; for a file, its name without folder and ending.
fn run_name(dataset: &str, config: &RunConfig) -> String {
    let stem = Path::new(dataset).file_stem().unwrap_or_default();
    let cell = serde_json::to_value(config.model.cell).unwrap_or_default();
    format!(
        "{}-{}",
        stem.to_string_lossy(),
        cell.as_str().unwrap_or_default()
    )
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
    eprintln!("try it: {} predict {run} \"Not once dull.\"", program());
}

/// How this program was called.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "gatefold".into())
}

/// A bar for the work under way, a line for each epoch that's done.
struct Display {
    bar: Bar,
    epochs: usize,
}

impl Display {
    fn new(epochs: usize) -> Self {
        Self {
            bar: Bar::new("", "steps"),
            epochs,
        }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Step {
                epoch,
                step,
                steps,
                so_far,
            } => {
                if step == 1 {
                    self.bar.restart(&format!("epoch {epoch}/{}", self.epochs));
                }
                self.bar.update(step as u64, steps as u64);
                if so_far.examples > 0 {
                    self.bar.message(format!(
                        "loss {:.3}, accuracy {:.3}",
                        so_far.loss, so_far.accuracy
                    ));
                }
            }
            Event::Evaluated { batch, batches } => {
                if batch == 1 {
                    self.bar.restart("evaluating");
                }
                self.bar.update(batch as u64, batches as u64);
            }
            Event::Epoch { metrics, best } => self.bar.say(&format!(
                "epoch {}/{}: {:.1} s, loss {:.4}, accuracy {:.4}, validation loss {:.4}, accuracy {:.4}{}",
                metrics.epoch,
                self.epochs,
                metrics.seconds,
                metrics.train_loss,
                metrics.train_accuracy,
                metrics.validation_loss,
                metrics.validation_accuracy,
                if best { " (best)" } else { "" },
            )),
        }
    }
}
