//! `gatefold evaluate`

use anyhow::{Context, Result, anyhow, bail, ensure};
use gatefold::memory::{ensure_answers_fit, ensure_outputs_fit};
use gatefold::progress::{self, Bar};
use gatefold::run_folder::RunFolder;
use gatefold::terminal::{program, within_line};
use gatefold::{dataset, device, say};
use gatefold_data::{Example, Labels, beginnings, encode_all};
use gatefold_training::config::DatasetConfig;
use gatefold_training::{Ensemble, Evaluation, Predictor, RunConfig, TestResult};
use serde::Serialize;

use super::averaged_runs::{self, SeenBefore, words};
use super::pretrain;
use crate::cli::{EvaluateArgs, SeriesArgs, is_sound, with_flags};
use crate::output::{self, End, Format, accuracy};
use crate::score_text;

pub fn run(args: EvaluateArgs) -> Result<()> {
    let folders = averaged_runs::open(&args.runs)?;
    let [folder, others @ ..] = &folders[..] else {
        bail!("there is no run");
    };
    let mut bundle = folder.bundle()?;
    if bundle.config.pretraining.is_some() {
        return pretrain::evaluate(args, folder.seen()?, bundle);
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
    let command = format!("{} evaluate {}", program(), words(&args.runs));
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
    let mut records = data.test;
    if others.is_empty() {
        records = Vec::new();
    }
    let inputs = || examples.iter().map(|example| &example.input);
    ensure_answers_fit(config, inputs(), &selected)?;
    ensure_outputs_fit(config, inputs())?;
    let mut bar = Bar::new("testing", "batches");
    let mut known = Known::new(&config.dataset, (folders.len(), examples.len()));
    let mut done = |done, all| bar.update(done as u64, all as u64);
    let mut mean = Ensemble::new(&predictor, &examples, &mut done)?;
    known.look(folder, &examples)?;
    let mut runs = vec![TestedRun::of(folder, mean.evaluation())];
    for other in others {
        let name = other.path().display();
        let run = Predictor::new(other.bundle()?, &device)?;
        let max_length = run.config().input.max_length;
        let as_read = encode_all(&records, run.encoder(), labels, max_length)?;
        let inputs = as_read.iter().map(|example| &example.input);
        ensure_answers_fit(run.config(), inputs, &selected)?;
        bar.restart(&format!("testing {name}"));
        let mut done = |done, all| bar.update(done as u64, all as u64);
        let added = mean.add(&run, &as_read, &mut done);
        let evaluation = added.with_context(|| format!("in the run {name}"))?;
        known.look(other, &as_read)?;
        runs.push(TestedRun::of(other, evaluation));
    }
    bar.finish();
    let mut result = mean.test();
    result.quote(&texts);
    let before = known.tested_before(&mean);
    if others.is_empty() {
        runs.clear();
    }
    match args.format.format {
        Format::Json => output::json(&Tested {
            result,
            runs,
            before,
        }),
        Format::Text => {
            output::line(&format!(
                "{} over {} test {} of {tested}{}",
                score_text::line(&result.evaluation),
                result.evaluation.examples,
                config.dataset.noun(),
                match runs.len() {
                    0 => String::new(),
                    count => format!(", the mean of {count} runs"),
                }
            ))?;
            for run in &runs {
                let line = score_text::line(&run.evaluation);
                output::line(&format!("{}: {line}", within_line(&run.run)))?;
            }
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

/// The answer as JSON.
#[derive(Serialize)]
struct Tested {
    #[serde(flatten)]
    result: TestResult,
    /// Of several runs, each alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<TestedRun>,
    #[serde(flatten)]
    before: Option<TestedBefore>,
}

/// How good the answers of one of several runs are.
#[derive(Serialize)]
struct TestedRun {
    /// Its folder.
    run: String,
    #[serde(flatten)]
    evaluation: Evaluation,
}

impl TestedRun {
    fn of(folder: &RunFolder, evaluation: Evaluation) -> Self {
        Self {
            run: folder.path().display().to_string(),
            evaluation,
        }
    }
}

/// What of the tested a run was trained on: a test on that says little.
#[derive(Serialize)]
struct TestedBefore {
    /// How many of the tested were trained or validated on, by any of the runs.
    trained_on: usize,
    /// How good the answers to the others are, where there are both.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Evaluation>,
}

/// Which of the tested any of the runs was trained on.
struct Known<'a> {
    dataset: &'a DatasetConfig,
    runs: usize,
    by_any: Vec<bool>,
    /// Whether every run tells.
    all_tell: bool,
}

impl<'a> Known<'a> {
    fn new(dataset: &'a DatasetConfig, (runs, examples): (usize, usize)) -> Self {
        Self {
            dataset,
            runs,
            by_any: vec![false; examples],
            all_tell: true,
        }
    }

    /// Looks for the examples, as a run reads them, among what it was trained on; of a run that can't tell, it is said.
    fn look(&mut self, run: &RunFolder, as_read: &[Example]) -> Result<()> {
        let seen = SeenBefore::by(run, self.runs)?;
        self.all_tell &= seen.tells(self.dataset.name.as_deref() == Some("reviews"));
        for (known, example) in self.by_any.iter_mut().zip(as_read) {
            *known |= seen.has(&example.input);
        }
        Ok(())
    }

    /// Says what was trained on; nothing is told in figures where a run can't tell.
    fn tested_before(&self, mean: &Ensemble) -> Option<TestedBefore> {
        let all = self.by_any.len();
        let trained_on = self.by_any.iter().filter(|known| **known).count();
        let others = (trained_on > 0 && trained_on < all)
            .then(|| mean.evaluation_of(|place| !self.by_any[place]));
        if trained_on > 0 {
            say!(
                "warning: {trained_on} of the {all} tested {} were trained on{}",
                self.dataset.noun(),
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
        self.all_tell.then_some(TestedBefore { trained_on, others })
    }
}
