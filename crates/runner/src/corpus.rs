//! The texts that a language model reads, as a configuration names them.

use std::path::Path;

use anyhow::{Result, ensure};
use gatefold_data::{Corpus, CorpusEncoding, EncodedDataset, FolderOptions, LoadProgress, Source};
use gatefold_training::RunConfig;
use gatefold_training::config::DatasetConfig;

use crate::device::ComputeDevice;
use crate::memory::ensure_fits;
use crate::{dataset, say};

/// Where the texts are that a configuration means.
///
/// # Errors
/// If the name stands for nothing, or nothing is there.
pub fn source(config: &RunConfig) -> Result<Source> {
    match text_file(&config.dataset) {
        Some(path) => {
            ensure!(
                config.dataset.test_path.is_none(),
                "{} is a text: --test-data names a table that is tested on, beside another one",
                path.display()
            );
            Ok(Source::Folder(FolderOptions {
                path: path.into(),
                encoding: config.dataset.encoding.clone(),
                labels: None,
                test_fraction: config.dataset.test_fraction,
                validation_fraction: config.training.validation_fraction,
            }))
        }
        None => dataset::source(config, None),
    }
}

/// The file of the configuration if it is a text, and not a table.
pub fn text_file(config: &DatasetConfig) -> Option<&Path> {
    let path = Path::new(config.name.as_deref()?);
    let is_table = config.text_column.is_some() || config.separator.is_some() || !config.header;
    let is_text = path.extension().is_some_and(|ending| ending == "txt") && path.is_file();
    (is_text && !is_table).then_some(path)
}

/// Reads the texts that a configuration means, without those that the data set has for testing too, which are counted and
/// told.
///
/// # Errors
/// If they aren't there or can't be read; the message names file and place.
pub fn read(config: &RunConfig, progress: &mut dyn FnMut(LoadProgress)) -> Result<Corpus> {
    let mut corpus = source(config)?.corpus(progress)?;
    dataset::say_notes(&corpus.notes);
    let (all, tested) = (corpus.texts.len(), corpus.tested.len());
    let left_out = corpus.leave_out_tested();
    if tested > 0 {
        say!(
            "{left_out} of {all} texts are left out: they equal one of the {tested} of the test part"
        );
    }
    Ok(corpus)
}

/// How the texts of a configuration are encoded; whether as streams, they tell themselves unless it is given.
///
/// # Panics
/// If the configuration is of no language model.
pub fn encoding(config: &RunConfig, streams: Option<bool>) -> CorpusEncoding {
    let pretraining = config.pretraining.as_ref().expect("it is a language model");
    CorpusEncoding {
        tokenizer: config.input.tokenizer,
        vocabulary_size: config.model.vocabulary_size,
        max_length: config.input.max_length,
        held_out: config.training.validation_fraction,
        streams,
        batch_size: config.training.batch_size,
        bptt: pretraining.bptt,
    }
}

/// Encodes texts, and settles in the configuration what follows from them.
///
/// # Errors
/// If there are too few of them, or if the configuration doesn't fit them.
pub fn encode(corpus: &Corpus, config: &mut RunConfig) -> Result<EncodedDataset> {
    // Their ids twice, as they are read and as they are told, and once more while they are cut.
    let tokens = corpus.tokens(config.input.tokenizer);
    let noun = config.input.tokenizer.noun();
    ensure_fits(
        &format!("texts of {tokens} {noun}"),
        16.0 * tokens as f64,
        &ComputeDevice::Cpu,
    )?;
    let streams = corpus.is_read_as_streams(&encoding(config, None));
    let pretraining = config.pretraining.as_mut().expect("it is a language model");
    pretraining.streams = streams;
    config.validate()?;
    let data = corpus.encode(&encoding(config, Some(streams)))?;
    let read = data.train.len() + data.validation.len();
    let left_out = corpus.texts.len().saturating_sub(read);
    if !streams && left_out > 0 {
        say!("{left_out} texts are left out: they equal one that is held out");
    }
    let words = data.encoder.vocabulary().expect("texts have words");
    config.model.vocabulary_size = words.size();
    config.settle(&data)?;
    Ok(data)
}
