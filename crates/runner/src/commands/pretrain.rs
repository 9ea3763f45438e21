//! `gatefold pretrain`, and what `evaluate` says of its runs

use anyhow::{Context, Result, anyhow, ensure};
use gatefold::kernels::Kernels;
use gatefold::memory::{ensure_answers_fit, ensure_training_fits};
use gatefold::pretraining;
use gatefold::progress::{self, Bar};
use gatefold::run::Outcome;
use gatefold::run_folder::RunFolder;
use gatefold::terminal::{program, word};
use gatefold::{corpus, dataset, device, kernels, presets, say};
use gatefold_data::{EncodedDataset, Encoder};
use gatefold_training::language::{LanguageScores, told};
use gatefold_training::{
    Bundle, Event, Objective, Pretraining, RunConfig, Seen, evaluation, perplexity,
};
use serde::Serialize;

use super::runs::number;
use super::train::dashboard::Run;
use super::train::display::{self, Display};
use super::train::{folder, going_on, resume, run_name, say_how_to_go_on};
use crate::cli::{EvaluateArgs, PretrainArgs, is_sound, with_flags};
use crate::output::{self, End, Format};

pub fn run(args: PretrainArgs) -> Result<()> {
    args.given.ensure_of_language_models(&[])?;
    let data_at = args.settings.dataset.at.data.clone();
    let (mut config, resumed) = match &args.resume {
        Some(path) => {
            let folder = RunFolder::open_begun(path)?;
            ensure!(
                folder.config()?.pretraining.is_some(),
                "{} is no language model; to go on with it: {} train --resume {}",
                path.display(),
                program(),
                word(path)
            );
            let config = going_on(&folder, args.settings.training.epochs)?;
            (config, Some(folder))
        }
        None => (args.settings.into_language_model(&args.language)?, None),
    };
    if let (Some(_), Some(path)) = (&resumed, &data_at) {
        config.dataset = dataset::moved(&config.dataset, path)?;
    }
    let apply = |config: &mut RunConfig| args.checkpoints.apply(&mut config.training);
    let mut config = with_flags(config, apply, is_sound)?;
    match &resumed {
        Some(run) => {
            let paths = dataset::paths_of_run(&config.dataset)?;
            dataset::ensure_there(&paths, &config.dataset, &resume(run))?;
            for path in paths {
                say!("reading {}, which the run names", path.display());
            }
        }
        None => {
            if let Some(duration) = presets::duration(&config) {
                say!("{duration}");
            }
            config.dataset = dataset::with_name(std::mem::take(&mut config.dataset));
            corpus::source(&config)?;
            config.dataset = dataset::with_absolute_paths(std::mem::take(&mut config.dataset))?;
            config.dataset = dataset::with_hash(std::mem::take(&mut config.dataset))?;
        }
    }
    let name = config.dataset.name.clone().unwrap_or_default();
    say!("dataset: {name}");
    if let Some(path) = &args.run {
        RunFolder::ensure_free(path)?;
    }
    let (selected, device) = device::open(args.device.device)?;
    say!("device: {selected}");
    let texts = corpus::read(&config, &mut progress::reading(&name))?;
    let count = texts.texts.len();
    let data = corpus::encode(&texts, &mut config)?;
    drop(texts);
    say_data(&config, &data, count);
    ensure_training_fits(&config, &data, &selected)?;
    if resumed.is_none() || args.kernels.kernels != Kernels::Auto {
        kernels::settle(&mut config, args.kernels.kernels, (&selected, &device));
    }
    let begins = resumed.is_none();
    let stem = format!("{}-language-{}", run_name(&name), config.model.cell);
    let folder = folder(resumed, args.run.as_deref(), &stem)?;
    say!("run: {}", folder.path().display());
    let interrupt = display::listen()?;
    if begins {
        // How to go on is told by the configuration.
        folder.write_config(&config)?;
    }
    let shown = Run::of(&config, &selected, &folder);
    let mut display = Display::start(shown, args.plain, &interrupt)?;
    let epochs = config.training.epochs;
    let outcome = pretraining::pretrain(
        &config,
        &data,
        (&selected, &device),
        &folder,
        &mut |event| {
            let loss = match &event {
                Event::Epoch { metrics, .. } => Some(metrics.validation_loss),
                _ => None,
            };
            let flow = display.show(event, epochs);
            if let Some(loss) = loss {
                let text = format!(
                    "  perplexity {} on what is held out",
                    number(perplexity(loss), 2)
                );
                let _ = display.show(Event::Message(text), epochs);
            }
            flow
        },
    );
    let stopped = display.finish();
    if let Err(error) = &outcome {
        say_how_to_go_on(&folder, error);
    }
    match outcome? {
        Outcome::Finished(section) => {
            let summary = &section.summary;
            let scores = summary.language.expect("a language model has them");
            say!(
                "held out: {} over {} tokens (epoch {}); trained in {:.1} s",
                text(&scores),
                summary.test_examples,
                summary.best_epoch,
                summary.training_seconds
            );
            say!("report: {}", folder.report().display());
            let (program, run) = (program(), word(folder.path()));
            say!("try it: {program} generate {run}");
            let preset = config.preset.map(|preset| format!(" --preset {preset}"));
            let preset = preset.unwrap_or_default();
            say!(
                "to begin a classifier with it: {program} train{preset} --from {run} --dataset NAME"
            );
        }
        Outcome::Stopped { epoch, step } => {
            let resume = resume(&folder);
            say!("stopped in epoch {epoch} after {step} steps; to go on: {resume}");
        }
    }
    stopped.map_or(Ok(()), |code| Err(End::Stopped(code).into()))
}

fn say_data(config: &RunConfig, data: &EncodedDataset, texts: usize) {
    let tokens = |examples: &[gatefold_data::Example]| -> usize {
        examples.iter().map(|example| example.input.len()).sum()
    };
    let words = data.encoder.vocabulary().expect("texts have words");
    let noun = words.tokenizer().noun();
    say!(
        "{texts} texts: {} {noun} to train on, {} held out; {} distinct {noun}, {} of them known",
        tokens(&data.train),
        tokens(&data.validation),
        words.distinct(),
        words.words().len()
    );
    let pretraining = config.pretraining.as_ref().expect("it is a language model");
    if pretraining.streams {
        say!(
            "the texts are longer than {} {noun}: they are read as {} streams, {} {noun} a step",
            config.input.max_length,
            config.training.batch_size,
            pretraining.bptt
        );
    }
}

/// How well a language model does, in words.
fn text(scores: &LanguageScores) -> String {
    let bits = scores.bits.map(|bits| format!(", {bits:.3} bits a token"));
    let unigram = scores.unigram_perplexity.map(|perplexity| {
        format!(", where a model of nothing but frequencies has {perplexity:.2}")
    });
    format!(
        "perplexity {}{}{}",
        number(scores.perplexity, 2),
        bits.unwrap_or_default(),
        unigram.unwrap_or_default()
    )
}

/// Warns where most of what is to be told are unknown tokens: that one comes is easily told.
fn warn_of_unknown(data: &EncodedDataset, name: &str) {
    let words = data.encoder.vocabulary().expect("texts have words");
    let (mut all, mut unknown) = (0usize, 0usize);
    for target in told(&data.validation) {
        all += 1;
        unknown += usize::from(words.ids().unknown == Some(target));
    }
    if 2 * unknown > all {
        say!(
            "warning: {unknown} of the {all} {} of {name} are unknown to the model, and count as one that is easily told: its \
             perplexity tells little of such texts",
            words.tokenizer().noun()
        );
    }
}

/// What `evaluate` tells of a language model.
#[derive(Serialize)]
struct Tested {
    /// Mean cross-entropy in nats.
    loss: f64,
    /// Tokens that were told.
    examples: usize,
    #[serde(flatten)]
    scores: LanguageScores,
}

/// Tests the language model of `bundle` on what its run held out, or on all texts of another dataset, with a warning of
/// those that it has `seen`.
pub fn evaluate(args: EvaluateArgs, seen: Option<Seen>, bundle: Bundle) -> Result<()> {
    // Its own dataset says which texts are held out, and another one is tested whole.
    args.given.ensure_of_language_models(&["test_data"])?;
    let is_other = args.dataset.dataset.is_some();
    let mut config = bundle.config.clone();
    if is_other {
        let name = args.dataset.dataset.clone().unwrap_or_default();
        config.dataset = dataset::all_of(&name, &config.dataset);
        config.dataset.test_path = None;
    } else if let Some(path) = &args.dataset.at.data {
        config.dataset = dataset::moved(&config.dataset, path)?;
    } else {
        let command = format!("{} evaluate {}", program(), word(&args.runs[0]));
        for path in dataset::paths_of_run(&config.dataset)? {
            dataset::ensure_there(std::slice::from_ref(&path), &config.dataset, &command)?;
            say!("reading {}, which the run names", path.display());
        }
        dataset::ensure_unchanged(&config.dataset, &command)?;
    }
    let apply = |config: &mut RunConfig| {
        args.dataset.place.apply(&mut config.dataset);
        if is_other {
            args.dataset.at.apply(&mut config.dataset);
        }
    };
    let config = with_flags(config, apply, is_sound)?;
    let (selected, device) = device::open(args.device.device)?;
    bundle.check()?;
    let name = config.dataset.name.clone().unwrap_or_default();
    let texts = corpus::read(&config, &mut progress::reading(&name))?;
    let pretraining = config.pretraining.as_ref().expect("it is a language model");
    let encoding = corpus::encoding(&config, Some(pretraining.streams).filter(|_| !is_other));
    let Encoder::Text(words) = &bundle.encoder else {
        return Err(anyhow!("a language model reads texts"));
    };
    let data = match is_other {
        true => {
            let examples = texts.examples(words, &encoding);
            ensure!(!examples.is_empty(), "{name} holds no texts");
            match seen.map(|seen| seen.count(&examples)) {
                Some(0) => {}
                Some(count) => say!(
                    "warning: {count} of the {} texts were trained on: this tells nothing of others",
                    examples.len()
                ),
                None => say!(
                    "warning: the run kept nothing that tells on which texts it was trained: nobody knows whether on these"
                ),
            }
            EncodedDataset {
                encoder: bundle.encoder.clone(),
                labels: None,
                train: Vec::new(),
                validation: examples,
                test: Vec::new(),
                test_beginnings: Vec::new(),
            }
        }
        false => {
            let data = texts.encode(&encoding)?;
            ensure!(
                data.encoder == bundle.encoder,
                "{name} has changed since the run was trained, so that other texts would be held out; to test on all \
                 of it: --dataset {}",
                word(std::path::Path::new(&name))
            );
            data
        }
    };
    drop(texts);
    warn_of_unknown(&data, &name);
    let held_out = data.validation.iter().map(|example| &example.input);
    ensure_answers_fit(&config, held_out, &selected)?;
    let model = bundle.language_model(&device);
    let model = model.with_context(|| args.runs[0].display().to_string())?;
    let network = Pretraining::new(model, pretraining);
    let mut bar = Bar::new("testing", "batches");
    let mut done = |done, all| bar.update(done as u64, all as u64);
    let tested = evaluation::score(
        &network,
        Objective::Language,
        &data.validation,
        &config.batching(),
        &device,
        &mut done,
    )?;
    bar.finish();
    let scores = LanguageScores::of(tested.loss, &data);
    match args.format.format {
        Format::Json => output::json(&Tested {
            loss: tested.loss,
            examples: tested.examples,
            scores,
        }),
        Format::Text => output::line(&format!(
            "{} over {} tokens {} {name}",
            text(&scores),
            tested.examples,
            if is_other { "of" } else { "held out of" }
        )),
    }
}
