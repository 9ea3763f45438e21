//! `gatefold evaluate`

use anyhow::{Context, Result, anyhow, ensure};
use gatefold::memory::ensure_answers_fit;
use gatefold::progress::{self, Bar};
use gatefold::run_folder::RunFolder;
use gatefold::terminal::{program, word};
use gatefold::{dataset, device, say};
use gatefold_data::{Example, Labels, SeriesTask, beginnings, encode_all};
use gatefold_training::config::DatasetConfig;
use gatefold_training::{Evaluation, Predictor, RunConfig, TestResult};
use serde::Serialize;

use super::pretrain;
use crate::cli::{EvaluateArgs, SeriesArgs, is_sound, with_flags};
use crate::output::{self, End, Format, accuracy};
use crate::score_text;

pub fn run(args: EvaluateArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let mut bundle = folder.bundle()?;
    if bundle.config.pretraining.is_some() {
        return pretrain::evaluate(args, bundle);
    }
    let place = &args.dataset.place;
    if place.test_fraction.is_some() {
        let why = "--test-fraction must be left out: a run's own test part is tested, and another table as a whole";
        return Err(End::Misused(anyhow!(why)).into());
    }
    ensure_read_alike(&place.series, &bundle.config.dataset)?;
    ensure!(
        bundle.config.imported.is_none() || args.dataset.dataset.is_some(),
        "the run {} is imported, and has no dataset of its own to test: name one with --dataset",
        folder.path().display()
    );
    // What a flag names in its place is the user's own choice.
    let mut of_run = bundle.config.dataset.clone();
    of_run.test_path = of_run.test_path.filter(|_| place.test_data.is_none());
    if args.dataset.dataset.is_some() || args.dataset.at.data.is_some() {
        of_run = DatasetConfig {
            test_path: of_run.test_path.filter(|_| args.dataset.dataset.is_none()),
            ..DatasetConfig::default()
        };
    }
    let paths_of_run = dataset::paths_of_run(&of_run)?;
    let command = format!("{} evaluate {}", program(), word(folder.path()));
    dataset::ensure_there(&paths_of_run, &of_run, &command)?;
    let mut dataset = bundle.config.dataset.clone();
    match (&args.dataset.dataset, &args.dataset.at.data) {
        (Some(name), _) if dataset::is_own(name, &dataset)? => {
            say!("{name} is the table that the run was trained on: its own test part is tested");
            dataset.name = Some(name.clone());
        }
        (Some(name), _) => {
            if dataset::lies_at_own(name, &dataset) && dataset::has_changed(&dataset)? {
                say!("{name} has changed since the run was trained: it is tested as another table");
            }
            dataset = dataset::all_of(name, &dataset);
        }
        (None, Some(path)) => {
            let moved = dataset::moved(&dataset, path);
            dataset = moved.with_context(|| {
                format!("to test on another table as a whole: {command} --dataset PATH")
            })?;
        }
        // A test part that is a file of its own stays the same.
        (None, None) if of_run.test_path.is_none() && place.test_data.is_none() => {
            dataset::ensure_unchanged(&dataset, &command)?;
        }
        (None, None) => {}
    }
    let apply = |config: &mut RunConfig| {
        config.dataset = dataset;
        args.dataset.place.apply(&mut config.dataset);
        // Where a run's own data lie is settled by now.
        if args.dataset.dataset.is_some() {
            args.dataset.at.apply(&mut config.dataset);
        }
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
    let mut result = test(&predictor, &examples, &mut done)?;
    bar.finish();
    result.quote(&texts);
    let before = TestedBefore::of(&folder, &predictor, &examples)?;
    match args.format.format {
        Format::Json => output::json(&Tested { result, before }),
        Format::Text => {
            output::line(&format!(
                "{} over {} test {} of {tested}",
                score_text::line(&result),
                result.evaluation.examples,
                config.dataset.noun()
            ))?;
            if let Some(scores) = result.forecast() {
                let (lines, warnings) = score_text::forecast(scores);
                output::line(&lines.join("\n"))?;
                for warning in warnings {
                    say!("warning: {warning}");
                }
            }
            let Some(scores) = result.classes() else {
                return Ok(());
            };
            output::line(&score_text::beside_accuracy(scores))?;
            output::line(&score_text::text(scores, output::width()))
        }
    }
}

/// Whether flags have a series read as the run read its own.
///
/// # Errors
/// Names the flag that doesn't.
fn ensure_read_alike(given: &SeriesArgs, of_run: &DatasetConfig) -> Result<()> {
    let Some(task) = of_run.task else {
        return Ok(());
    };
    let names = |names: &Vec<String>| names.join(",");
    let number = |number: usize| number.to_string();
    let of_run = [
        task.to_string(),
        names(&of_run.target_columns),
        names(&of_run.value_columns),
        number(of_run.horizon.unwrap_or(1)),
        of_run.window.map_or("no windows".into(), number),
    ];
    let given = [
        ("--task", given.task.map(|task| task.to_string())),
        ("--target-column", given.target_column.as_ref().map(names)),
        ("--value-columns", given.value_columns.as_ref().map(names)),
        ("--horizon", given.horizon.map(number)),
        ("--window", given.window.map(number)),
    ];
    for ((flag, given), of_run) in given.into_iter().zip(of_run) {
        if given.is_some_and(|given| given != of_run) {
            let why = format!("a run is tested as it was trained, with {of_run}: leave {flag} out");
            return Err(End::Misused(anyhow!(why)).into());
        }
    }
    Ok(())
}

fn test(
    predictor: &Predictor,
    examples: &[Example],
    done: &mut dyn FnMut(usize, usize),
) -> Result<TestResult> {
    Ok(match predictor.config().dataset.task {
        Some(SeriesTask::Forecast) => predictor.test_forecasts(examples, done)?,
        _ => predictor.test(examples, done)?,
    })
}

/// The answer as JSON.
#[derive(Serialize)]
struct Tested {
    #[serde(flatten)]
    result: TestResult,
    #[serde(flatten)]
    before: Option<TestedBefore>,
}

/// What of the tested the run was trained on: a test on that says little.
#[derive(Serialize)]
struct TestedBefore {
    /// How many of the tested were trained or validated on.
    trained_on: usize,
    /// How good the answers to the others are, where there are both.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Evaluation>,
}

impl TestedBefore {
    /// Looks at what is tested, and says what was trained on; none if the run kept nothing that tells it.
    fn of(run: &RunFolder, predictor: &Predictor, examples: &[Example]) -> Result<Option<Self>> {
        let Some(seen) = run.seen()? else {
            let trainer = predictor.config().trainer();
            say!(
                "warning: {trainer} trained the run{}",
                match predictor.config().dataset.name.as_deref() {
                    Some("reviews") if predictor.config().imported.is_none() => {
                        ", on other built-in reviews than are tested here"
                    }
                    _ => " and kept nothing that tells whether it was trained on these",
                }
            );
            return Ok(None);
        };
        let others = seen.others(examples);
        let (all, trained_on) = (examples.len(), examples.len() - others.len());
        let others = match trained_on > 0 && trained_on < all {
            true => Some(test(predictor, &others, &mut |_, _| {})?.evaluation),
            false => None,
        };
        if trained_on > 0 {
            let noun = predictor.config().dataset.noun();
            say!(
                "warning: {trained_on} of the {all} tested {noun} were trained on{}",
                match &others {
                    Some(others) => format!(
                        "; the others alone: loss {:.4}{} over {}",
                        others.loss,
                        accuracy(others.accuracy),
                        others.examples
                    ),
                    None => ": this tells nothing of others".into(),
                }
            );
        }
        Ok(Some(Self { trained_on, others }))
    }
}
