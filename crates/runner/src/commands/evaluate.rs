//! `gatefold evaluate`

use anyhow::{Result, ensure};
use gatefold::memory::ensure_answers_fit;
use gatefold::progress::{self, Bar};
use gatefold::run_folder::RunFolder;
use gatefold::{dataset, device, say};
use gatefold_data::{Labels, SeriesTask, beginnings, encode_all};
use gatefold_training::config::DatasetConfig;
use gatefold_training::{Predictor, RunConfig};

use crate::cli::{EvaluateArgs, is_sound, with_flags};
use crate::output::{self, Format};
use crate::score_text;

pub fn run(args: EvaluateArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let mut bundle = folder.bundle()?;
    // What a flag names in its place is the user's own choice.
    let mut of_run = bundle.config.dataset.clone();
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
    bundle.config = with_flags(bundle.config, apply, is_sound)?;
    let (selected, device) = device::open(args.device.device)?;
    let predictor = Predictor::new(bundle, &device)?;
    let config = predictor.config();

    let name = config.dataset.name.clone().unwrap_or_default();
    for path in paths_of_run {
        say!("reading {}, which the run names", path.display());
    }
    let tested = match &config.dataset.test_path {
        Some(path) => path.display().to_string(),
        None => name.clone(),
    };
    dataset::ensure_test_part_is_known(&config.dataset)?;
    let labels = predictor.labels();
    let data = dataset::load(config, labels, &mut progress::reading(&name))?;
    ensure!(
        data.labels.as_ref() == labels,
        "{tested} has other labels than the run: {} where the run has {}",
        data.labels.as_ref().map_or("none".into(), Labels::shown),
        labels.map_or("none".into(), Labels::shown)
    );
    let max_length = config.input.max_length;
    let examples = encode_all(&data.test, predictor.encoder(), labels, max_length)?;
    let texts = beginnings(&data.test);
    drop(data);
    let sequences = examples.iter().map(|example| &example.input);
    ensure_answers_fit(config, sequences, &selected)?;
    let mut bar = Bar::new("testing", "batches");
    let mut done = |done, all| bar.update(done as u64, all as u64);
    let mut result = match config.dataset.task {
        Some(SeriesTask::Forecast) => predictor.test_forecasts(&examples, &mut done)?,
        _ => predictor.test(&examples, &mut done)?,
    };
    bar.finish();
    result.quote(&texts);
    match args.format.format {
        Format::Json => output::json(&result),
        Format::Text => {
            output::line(&format!(
                "{} over {} test {} of {tested}",
                score_text::line(&result),
                result.evaluation.examples,
                config.dataset.noun()
            ))?;
            if let Some(scores) = result.forecast() {
                output::line(&score_text::forecast(scores).join("\n"))?;
            }
            let Some(scores) = result.classes() else {
                return Ok(());
            };
            output::line(&score_text::beside_accuracy(scores))?;
            output::line(&score_text::text(scores))
        }
    }
}
