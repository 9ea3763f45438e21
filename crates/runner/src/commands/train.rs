//! `gatefold train`

pub mod dashboard;
pub mod display;

use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use gatefold::kernels::Kernels;
use gatefold::memory::ensure_training_fits;
use gatefold::run::{self, Outcome};
use gatefold::run_folder::RunFolder;
use gatefold::start::{self, Start};
use gatefold::terminal::{program, word};
use gatefold::{dataset, device, kernels, presets, pretraining, progress, say, standing};
use gatefold_data::{EncodedDataset, Encoder, Labels};
use gatefold_lesson::report::RunSection;
use gatefold_training::checkpoint::Refused;
use gatefold_training::config::Schedule;
use gatefold_training::{RunConfig, RunSummary, Scores};
use toml::Table;

use self::dashboard::Run;
use self::display::Display;
use super::compare;
use crate::cli::{TrainArgs, is_sound, with_flags};
use crate::output::{End, accuracy};
use crate::score_text;

pub fn run(args: TrainArgs) -> Result<()> {
    let settings = &args.settings;
    let (input, model) = (settings.input.clone(), settings.model.clone());
    let embedding_size = model.embedding_size;
    let data_at = settings.dataset.at.data.clone();
    let ((mut config, asked), resumed) = match &args.resume {
        Some(path) => {
            let folder = RunFolder::open_begun(path)?;
            let config = going_on(&folder, settings.training.epochs)?;
            ((config, Table::new()), Some(folder))
        }
        None => (args.settings.into_config(is_sound)?, None),
    };
    pretraining::ensure_classifier(&config)?;
    let begin = |config: &mut RunConfig| {
        if let Some(path) = &args.from {
            config.training.from = Some(path.clone());
        }
        if let Some(path) = &args.embeddings {
            config.input.embeddings = Some(path.clone());
        }
        config.model.freeze_embeddings |= args.freeze_embeddings;
    };
    if let (Some(_), Some(path)) = (&resumed, &data_at) {
        config.dataset = dataset::moved(&config.dataset, path)?;
    }
    let apply = |config: &mut RunConfig| args.checkpoints.apply(&mut config.training);
    let mut config = with_flags(config, apply, is_sound)?;
    let mut start = None;
    if resumed.is_none() {
        begin(&mut config);
        presets::ensure_start(&config, &program()).map_err(End::Misused)?;
        if let Some(duration) = presets::duration(&config) {
            say!("{duration}");
        }
        if let Some(path) = &mut config.training.from {
            *path = std::path::absolute(&path)?;
            let from = Start::open(path)?;
            from.take_over(&mut config, &asked, |config| {
                input.apply(&mut config.input);
                model.apply(&mut config.model);
                config.model.freeze_embeddings |= args.freeze_embeddings;
            })?;
            start = Some(from);
        }
        if let Some(seeds) = args.seeds.of(config.training.seed) {
            let (on, format) = ((args.device, args.kernels), args.format);
            return compare::train_seeds(&config, start, seeds, args.run, on, format);
        }
        start::take_vectors_size(&mut config, embedding_size)?;
    }
    if let Some(run) = &resumed {
        let paths = dataset::paths_of_run(&config.dataset)?;
        let command = resume(run);
        dataset::ensure_there(&paths, &config.dataset, &command)?;
        for path in paths {
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
    // A run that began with another one's weights has that one's vocabulary in its own folder.
    let own = match &resumed {
        Some(folder) if config.training.from.is_some() => Some(folder.encoder(&config)?),
        _ => None,
    };
    let own = own
        .as_ref()
        .map(|(encoder, labels)| (encoder, labels.as_ref()));
    let data = read_data(&mut config, start.as_ref(), own)?;
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
    if let Some(start) = &start {
        start.say_seen(&data, config.dataset.noun());
    }
    ensure_training_fits(&config, &data, &selected)?;
    // A run that goes on follows its record, unless the flag says otherwise.
    if resumed.is_none() || args.kernels.kernels != Kernels::Auto {
        kernels::settle(&mut config, args.kernels.kernels, (&selected, &device));
    }
    let stem = format!("{}-{}", run_name(&name), config.model.cell);
    let folder = folder(resumed, args.run.as_deref(), &stem)?;
    let path = folder.path().display();
    let first = match (&start, &config.input.embeddings) {
        (Some(start), _) => Some(start.begin(&folder, &config, data.labels.as_ref(), &device)?),
        (None, Some(file)) if args.resume.is_none() => {
            Some(start::with_word_vectors(file, &config, &data, &device)?)
        }
        _ => None,
    };
    say!("run: {path}");
    let interrupt = display::listen()?;
    let shown = Run::of(&config, &selected, &folder);
    let mut display = Display::start(shown, args.plain, &interrupt)?;
    let outcome = run::train_from(
        first,
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

/// Reads the dataset of `config` and encodes it: as `own`, or as the run that it begins with, has it.
pub fn read_data(
    config: &mut RunConfig,
    start: Option<&Start>,
    own: Option<(&Encoder, Option<&Labels>)>,
) -> Result<EncodedDataset> {
    let name = config.dataset.name.clone().unwrap_or_default();
    let mut dataset = dataset::read(config, None, &mut progress::reading(&name))?;
    if let Some(start) = start {
        start.ensure_fits(&dataset, &config.dataset)?;
    }
    let theirs = own.or_else(|| start.map(|start| (start.encoder(), start.labels())));
    if let Some((_, Some(labels))) = theirs {
        start::take_labels(&mut dataset, labels);
    }
    dataset::say_doubts(&dataset, config);
    match theirs {
        Some((encoder, _)) => start::encode(&dataset, config, encoder),
        None => dataset::encode(&dataset, config),
    }
}

/// The folder of a run that is resumed, or a new one where `path` says, or numbered after `stem`.
pub fn folder(resumed: Option<RunFolder>, path: Option<&Path>, stem: &str) -> Result<RunFolder> {
    match (resumed, path) {
        (Some(folder), _) => Ok(folder),
        (None, Some(path)) => RunFolder::create(path),
        (None, None) => RunFolder::create_numbered(stem),
    }
}

/// The settings of a run that goes on, with `epochs` in all if so many were asked for.
pub fn going_on(folder: &RunFolder, epochs: Option<usize>) -> Result<RunConfig> {
    let config = folder.config()?;
    let done = folder.metrics()?.len();
    let (run, program) = (word(folder.path()), program());
    let resume = resume(folder);
    ensure!(
        config.imported.is_none(),
        "{run} was trained by another program, and has nothing to go on from; to begin with its weights: {program} train --from \
         {run} --dataset FILE"
    );
    let planned = config.training.epochs;
    let ended_early = folder.is_finished() && done < planned;
    ensure!(
        !(folder.is_finished() && config.training.refit),
        "{run} is finished, and was trained again on the training and the validation part: it can't be lengthened; to begin \
         another one with its weights: {program} train --from {run}"
    );
    let Some(epochs) = epochs else {
        ensure!(
            !folder.is_finished(),
            "{run} is finished, after {done} epochs; {}",
            match ended_early {
                true =>
                    format!("to begin another one with its weights: {program} train --from {run}"),
                false => format!(
                    "to lengthen it to {more} epochs: {resume} --epochs {more}",
                    more = 2 * done
                ),
            }
        );
        return Ok(config);
    };
    ensure!(
        !ended_early,
        "{run} was ended after {done} epochs by its patience, which --epochs doesn't change; to begin another one with \
         its weights: {program} train --from {run}"
    );
    let misused = |what| Err(End::Misused(anyhow!("{run} {what}")).into());
    if epochs < done {
        return misused(format!(
            "has {done} epochs behind it: --epochs {epochs} is less"
        ));
    }
    if epochs == done && folder.is_finished() {
        return misused(format!(
            "has its {done} epochs: --epochs has to be more to go on"
        ));
    }
    if epochs != planned {
        say!("{epochs} epochs in all, where the run was to have {planned}");
        if config.training.schedule != Schedule::Constant {
            say!(
                "from here on the learning rate follows the schedule of {epochs} epochs: the run is not the one that was \
                 trained so from its beginning"
            );
        }
    }
    with_flags(config, |config| config.training.epochs = epochs, is_sound)
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
    let is_language_model = run
        .config()
        .is_ok_and(|config| config.pretraining.is_some());
    let command = if is_language_model {
        "pretrain"
    } else {
        "train"
    };
    format!("{} {command} --resume {}", program(), word(run.path()))
}

/// Of a run that was stopped, if an epoch of it is done.
pub fn say_how_to_test(run: &RunFolder) {
    // What answers beside a network is learnt at the end.
    let is_whole = |run: &RunFolder| run.config().is_ok_and(|config| config.ngrams.is_none());
    if RunFolder::open(run.path()).is_ok_and(|run| is_whole(&run)) {
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
    config.dataset = dataset::with_hash(std::mem::take(&mut config.dataset))?;
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
        match summary.refit_examples {
            Some(all) => format!(
                "{}; trained again on all {all}",
                config.training.keep.best()
            ),
            None => config.training.keep.best().to_owned(),
        },
        summary.training_seconds,
    );
    if let Some(Scores::Classes(scores)) = &section.scores {
        say!("  ({})", score_text::beside_accuracy(scores));
    }
    if let Some(scores) = &summary.forecast {
        let (lines, warnings) = score_text::forecast(scores);
        lines.iter().for_each(|line| say!("{line}"));
        warnings
            .iter()
            .for_each(|warning| say!("warning: {warning}"));
    }
    if let Some(ngrams) = &summary.ngrams {
        score_text::parts(ngrams)
            .iter()
            .for_each(|line| say!("{line}"));
    }
    say_standing(config, summary);
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

/// Says how a result stands beside simpler ones, and what to know before it is believed.
pub fn say_standing(config: &RunConfig, summary: &RunSummary) {
    if let Some(beside) = standing::beside(config, summary) {
        say!("  ({beside})");
    }
    for warning in &summary.warnings {
        say!("warning: {warning}");
    }
}
