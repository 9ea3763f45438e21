//! `gatefold evaluate`

use anyhow::{Result, ensure};
use gatefold::config::{DatasetConfig, RunConfig};
use gatefold::memory::ensure_answers_fit;
use gatefold::progress::{self, Bar};
use gatefold::run_folder::RunFolder;
use gatefold::{dataset, device, evaluation, say};
use gatefold_data::encode_all;

use crate::cli::{EvaluateArgs, with_flags};
use crate::output::{self, Format};

pub fn run(args: EvaluateArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let config = folder.config()?;
    let vocabulary = folder.vocabulary(&config)?;
    // What a flag names in its place is the user's own choice.
    let mut of_run = config.dataset.clone();
    let place = &args.dataset.place;
    of_run.path = of_run.path.filter(|_| place.data.is_none());
    of_run.test_path = of_run.test_path.filter(|_| place.test_data.is_none());
    if args.dataset.dataset.is_some() {
        of_run = DatasetConfig::default();
    }
    let paths_of_run = dataset::paths_of_run(&of_run)?;
    let apply = |config: &mut RunConfig| {
        if let Some(name) = &args.dataset.dataset {
            config.dataset = dataset::all_of(name, &config.dataset);
        }
        args.dataset.apply(&mut config.dataset);
    };
    let config = with_flags(config, apply, RunConfig::validate)?;
    let (selected, device) = device::open(args.device.device)?;
    let network = folder.network(&config, &vocabulary, &device)?;

    let name = config.dataset.name.clone().unwrap_or_default();
    for path in paths_of_run {
        say!("reading {}, which the run names", path.display());
    }
    let data = dataset::load(&config.dataset, &mut progress::reading(&name))?;
    ensure!(!data.test.is_empty(), "{name} has no test reviews");
    let examples = encode_all(&data.test, &vocabulary, config.training.max_length);
    ensure_answers_fit(&config, &examples, &selected)?;
    let mut bar = Bar::new("testing", "batches");
    let batching = config.training.batching();
    let (logits, evaluation) =
        evaluation::evaluate(&network, &examples, &batching, &device, &mut |done, all| {
            bar.update(done as u64, all as u64)
        })?;
    bar.finish();
    evaluation::ensure_finite(&logits)?;
    match args.format.format {
        Format::Json => output::json(&evaluation),
        Format::Text => output::line(&format!(
            "loss {:.4}, accuracy {:.4} over {} test reviews of {name}",
            evaluation.loss, evaluation.accuracy, evaluation.examples
        )),
    }
}
