//! `gatefold evaluate`

use anyhow::{Result, ensure};
use gatefold::config::DatasetConfig;
use gatefold::progress::{self, Bar};
use gatefold::run_folder::RunFolder;
use gatefold::{dataset, device, evaluation};
use gatefold_data::encode_all;

use crate::cli::EvaluateArgs;
use crate::output::{self, Format};

pub fn run(args: EvaluateArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let mut config = folder.config()?;
    let vocabulary = folder.vocabulary(&config)?;
    // What a flag names in its place is the user's own choice.
    let mut of_run = config.dataset.clone();
    if let Some(name) = &args.dataset.dataset {
        config.dataset = dataset::all_of(name, &of_run);
        of_run = DatasetConfig::default();
    }
    of_run.path = of_run.path.filter(|_| args.dataset.place.data.is_none());
    of_run.test_path = of_run
        .test_path
        .filter(|_| args.dataset.place.test_data.is_none());
    let paths_of_run = dataset::paths_of_run(&of_run)?;
    args.dataset.apply(&mut config.dataset);
    config.validate()?;
    let (_, device) = device::open(args.device.device)?;
    let network = folder.network(&config, &device)?;

    let name = config.dataset.name.clone().unwrap_or_default();
    for path in paths_of_run {
        eprintln!("reading {}, which the run names", path.display());
    }
    let data = dataset::load(&config.dataset, &mut progress::reading(&name))?;
    ensure!(!data.test.is_empty(), "{name} has no test reviews");
    let examples = encode_all(&data.test, &vocabulary, config.training.max_length);
    let mut bar = Bar::new("testing", "batches");
    let batching = config.training.batching();
    let (_, evaluation) =
        evaluation::evaluate(&network, &examples, &batching, &device, &mut |done, all| {
            bar.update(done as u64, all as u64)
        })?;
    bar.finish();
    match args.format.format {
        Format::Json => output::json(&evaluation),
        Format::Text => output::line(&format!(
            "loss {:.4}, accuracy {:.4} over {} test reviews of {name}",
            evaluation.loss, evaluation.accuracy, evaluation.examples
        )),
    }
}
