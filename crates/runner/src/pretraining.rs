//! A language model's training in a folder, resumed where it stopped.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use burn::module::Module;
use burn::tensor::Device;
use gatefold_data::EncodedDataset;
use gatefold_lesson::report::{self, RunSection};
use gatefold_model::release_memory;
use gatefold_training::language::LanguageScores;
use gatefold_training::{OnEvent, Pretraining, RunConfig, RunSummary};

use crate::device::ComputeDevice;
use crate::run::{Files, Outcome, begin, go_on};
use crate::run_folder::RunFolder;
use crate::terminal::{program, word};

/// Trains the language model of `config` in `folder`, keeps the epoch that is least perplexed by what is held out, and
/// reports on it; as [`run::train`](crate::run::train) resumes.
///
/// # Errors
/// As [`run::train`](crate::run::train).
pub fn pretrain(
    config: &RunConfig,
    data: &EncodedDataset,
    (selected, device): (&ComputeDevice, &Device),
    folder: &RunFolder,
    on_event: OnEvent,
) -> Result<Outcome> {
    let pretraining = config
        .pretraining
        .as_ref()
        .context("it is no language model")?;
    let (model, seed) = (&config.model, config.training.seed);
    let mut files = Files::of(folder, data)?;
    let trained_on = (config, data, device);
    let blank = Pretraining::new(model.blank_language_model(device)?, pretraining);
    let first = || {
        Ok(Pretraining::new(
            model.language_model(seed, device)?,
            pretraining,
        ))
    };
    let (mut session, resumed) = begin((blank, first), &mut files, trained_on, on_event)?;
    let stopped = go_on(
        &mut session,
        &mut files,
        (resumed, false),
        trained_on,
        on_event,
    )?;
    if let Some(stopped) = stopped {
        return Ok(stopped);
    }
    let progress = session.progress().clone();
    let (parameters, steps) = (session.network()?.num_params(), session.steps_behind());
    drop(session);
    release_memory();
    let best = progress
        .best(config.training.keep)
        .context("no epoch was run")?;
    let summary = RunSummary {
        version: env!("CARGO_PKG_VERSION").into(),
        device: selected.to_string(),
        parameters,
        best_epoch: best.epoch,
        best: best.clone(),
        test_loss: best.validation_loss,
        test_accuracy: None,
        test_examples: data
            .validation
            .iter()
            .map(|example| example.input.len())
            .sum(),
        ngrams: None,
        refit_examples: None,
        forecast: None,
        language: Some(LanguageScores::of(best.validation_loss, data)),
        largest_class: None,
        baseline_accuracy: None,
        warnings: Vec::new(),
        training_seconds: progress.seconds,
        milliseconds_per_step: 1e3 * progress.step_seconds / steps as f64,
    };
    folder.write_summary(&summary)?;
    let name = folder.path().file_name().unwrap_or_default();
    let section = RunSection {
        name: name.to_string_lossy().into_owned(),
        config: config.clone(),
        epochs: progress.epochs,
        summary,
        scores: None,
        reach: Vec::new(),
        forecast: None,
    };
    folder.write_report(&report::run_page(&section)?)?;
    Ok(Outcome::Finished(Box::new(section)))
}

/// Whether a configuration is of what `train` trains.
///
/// # Errors
/// If it is of a language model.
pub fn ensure_classifier(config: &RunConfig) -> Result<()> {
    ensure!(
        config.pretraining.is_none(),
        "this is the configuration of a language model, which `{} pretrain` trains",
        program()
    );
    Ok(())
}

/// Whether the run of `config` in the folder `run` answers texts.
///
/// # Errors
/// If it is a language model, with what that is for.
pub fn ensure_answers(config: &RunConfig, run: &Path) -> Result<()> {
    if config.pretraining.is_some() {
        let (program, run) = (program(), word(run));
        bail!(
            "{run} is a language model, which answers nothing; what it writes: {program} generate {run}; to begin a \
             classifier with its weights: {program} train --from {run} --dataset NAME"
        );
    }
    Ok(())
}
