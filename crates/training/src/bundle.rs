//! A trained network and all that it needs to answer, from the bytes of a run's files.

use burn::tensor::Device;
use gatefold_data::{Encoder, Labels, Scaler, Vocabulary};
use gatefold_model::weights::vocabulary_hash;
use gatefold_model::{LanguageModel, NetworkConfig, Weights, WeightsError};

use crate::config::{ConfigError, RunConfig};
use crate::error::{OtherError, Result, TrainingError};
use crate::hash::hash;
use crate::ngrams::{LinearPath, NGRAMS, most_bytes};
use crate::objective::Objective;

/// The settings, as TOML.
pub const CONFIG: &str = "config.toml";
/// The vocabulary of a network that reads tokens.
pub const VOCABULARY: &str = "vocabulary.json";
/// The scaler of a network that reads numbers, if they are scaled.
pub const SCALER: &str = "scaler.json";
/// The scaler of the numbers that a network answers, if they are scaled.
pub const TARGET_SCALER: &str = "target_scaler.json";
/// The names of the classes, where they are others than negative and positive.
pub const LABELS: &str = "labels.json";
/// The weights.
pub const WEIGHTS: &str = "model.safetensors";

/// Bytes of a configuration; a whole one has a kilobyte.
const MOST_CONFIG: u64 = 1 << 20;
/// Bytes of labels.
const MOST_LABELS: u64 = 1 << 26;
/// Bytes of a word, as far as vocabularies have them.
const LONGEST_WORD: u64 = 1 << 10;
/// What stands around words and weights, in words' lengths.
const HEADERS: u64 = 1 << 10;

/// A trained network and all that it needs to answer.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The run's settings.
    pub config: RunConfig,
    /// How texts or numbers become what the network reads.
    pub encoder: Encoder,
    /// The names of the classes, where answers are classes.
    pub labels: Option<Labels>,
    /// The weights.
    pub weights: Weights,
    /// The n-grams beside the network, where the settings have some.
    pub ngrams: Option<LinearPath>,
}

/// Reads a file of a run by its name, at most so many bytes of it; none if there is no such file.
pub type ReadFile<'a> = &'a dyn Fn(&str, u64) -> Result<Option<Vec<u8>>, OtherError>;

impl Bundle {
    /// Reads a run's files, wherever they come from.
    ///
    /// # Errors
    /// If one is missing or damaged, or if they don't belong together: other words' ids, other classes' names.
    pub fn read(read: ReadFile) -> Result<Self> {
        let config = Self::config(read)?;
        let (encoder, labels) = Self::encoder(&config, read)?;
        let mut bundle = Self {
            config,
            encoder,
            labels,
            weights: Weights::default(),
            ngrams: None,
        };
        bundle.check_encoder()?;
        let read_by = (&bundle.encoder, bundle.labels.as_ref());
        bundle.weights = Self::weights(&bundle.config, read_by, read)?;
        bundle.ngrams = Self::ngrams(&bundle.config, read_by, read)?;
        Ok(bundle)
    }

    /// The run's files that [`read`](Self::read) reads, with their names.
    ///
    /// # Errors
    /// If the settings name a path that is no Unicode, or the weights can't be written.
    pub fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let labels = self.labels.as_ref();
        let fingerprint = fingerprint(&self.encoder, labels);
        let weights = self.weights.to_safetensors(Some(&fingerprint));
        let encoder = encoder_files(&self.encoder, labels).into_iter();
        let mut files = vec![(CONFIG, self.config.to_toml()?.into_bytes())];
        files.extend(encoder.map(|(name, content)| (name, content.into_bytes())));
        files.push((WEIGHTS, weights.map_err(unfit)?));
        if let Some(ngrams) = &self.ngrams {
            files.push((NGRAMS, ngrams.to_bytes(&fingerprint)?));
        }
        Ok(files)
    }

    /// Whether encoder, labels and n-grams are of the network that the settings describe.
    ///
    /// # Errors
    /// Says what doesn't fit.
    pub fn check(&self) -> Result<()> {
        self.check_encoder()?;
        let outputs = self.ngrams.as_ref().map(|path| path.ngrams.outputs());
        let expected = self.config.ngrams.as_ref();
        let expected = expected.map(|_| self.config.model.output_size);
        match outputs == expected {
            true => Ok(()),
            false => Err(TrainingError::Bundle(format!(
                "the n-grams are not those that {CONFIG} describes"
            ))),
        }
    }

    /// The language model.
    ///
    /// # Errors
    /// If the weights are not those of the one that the settings describe.
    pub fn language_model(&self, device: &Device) -> Result<LanguageModel> {
        let blank = self.config.model.blank_language_model(device);
        let blank = blank.map_err(ConfigError::from)?;
        let model = self.weights.load_into(blank, LanguageModel::weight_name);
        model.map_err(unfit)
    }

    fn check_encoder(&self) -> Result<()> {
        let model = &self.config.model;
        let refuse = |fits: bool, what: &dyn Fn() -> String| match fits {
            true => Ok(()),
            false => Err(TrainingError::Bundle(what())),
        };
        refuse(self.encoder.width() == model.input_size, &|| {
            let numbers = |width: Option<usize>| match width {
                Some(width) => format!("{width} numbers a timestep"),
                None => "texts".into(),
            };
            let (ours, theirs) = (numbers(self.encoder.width()), numbers(model.input_size));
            format!("the encoder is of {ours} where the network of {CONFIG} reads {theirs}")
        })?;
        if let Encoder::Text(vocabulary) = &self.encoder {
            let (found, size) = (vocabulary.size(), model.vocabulary_size);
            refuse(found == size, &|| {
                format!(
                    "{VOCABULARY} has {found} token ids where the network of {CONFIG} beside it has {size}"
                )
            })?;
        }
        if let Some(scaler) = self.encoder.scaler() {
            let (found, width) = (scaler.width(), model.input_size.unwrap_or_default());
            refuse(found == width, &|| {
                format!(
                    "{SCALER} has {found} numbers a timestep where the network of {CONFIG} beside it has {width}"
                )
            })?;
        }
        if let Some(scaler) = self.encoder.target_scaler() {
            let (found, width) = (scaler.width(), model.output_size);
            refuse(
                found == width && self.config.objective() == Objective::Values,
                &|| {
                    format!(
                        "{TARGET_SCALER} has {found} numbers where the network of {CONFIG} beside it answers {width}"
                    )
                },
            )?;
        }
        let classes = match self.config.objective() {
            Objective::Binary => Some(2),
            Objective::Classes | Objective::MultiLabel => Some(model.output_size),
            Objective::Values | Objective::Language => None,
        };
        let named = self.labels.as_ref().map(Labels::len);
        refuse(named == classes, &|| {
            let count = |count: Option<usize>| count.unwrap_or_default();
            format!(
                "{LABELS} names {} classes where the network of {CONFIG} beside it has {}",
                count(named),
                count(classes)
            )
        })
    }

    /// Reads the settings alone.
    ///
    /// # Errors
    /// If they are missing, damaged, or describe no run.
    pub fn config(read: ReadFile) -> Result<RunConfig> {
        let config = RunConfig::from_toml(&text(read, CONFIG, MOST_CONFIG)?, CONFIG)?;
        config
            .validate()
            .map_err(|error| TrainingError::Bundle(format!("in {CONFIG}: {error}")))?;
        Ok(config)
    }

    /// Reads how the run of `config` encodes what it reads, and what its classes are called.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn encoder(config: &RunConfig, read: ReadFile) -> Result<(Encoder, Option<Labels>)> {
        let model = &config.model;
        let encoder = match model.input_size {
            None => Encoder::Text(vocabulary(model, read)?),
            Some(width) => Encoder::Values {
                width,
                scaler: scaler(config, width, read)?,
                targets: target_scaler(config, read)?,
            },
        };
        let labels = match config.objective() {
            Objective::Values | Objective::Language => None,
            _ => Some(labels(read)?),
        };
        Ok((encoder, labels))
    }

    /// Reads the weights of the network that `config` describes.
    ///
    /// # Errors
    /// If they are missing or damaged, or were trained with another vocabulary, scaler or other labels.
    fn weights(
        config: &RunConfig,
        (encoder, labels): (&Encoder, Option<&Labels>),
        read: ReadFile,
    ) -> Result<Weights> {
        let bytes = file(read, WEIGHTS, most_weights(&config.model))?;
        let trained_with = vocabulary_hash(&bytes).map_err(unfit)?;
        if trained_with.is_some_and(|hash| hash != fingerprint(encoder, labels)) {
            let (file, meaning) = match encoder {
                Encoder::Text(_) => (VOCABULARY, "ids stand for other words or classes"),
                Encoder::Values { .. } => (SCALER, "numbers or classes mean something else"),
            };
            return Err(TrainingError::Bundle(format!(
                "{file}, or {LABELS}, is not the one that the weights {WEIGHTS} were trained with: their {meaning}"
            )));
        }
        Weights::from_safetensors(&bytes).map_err(unfit)
    }

    /// Reads the n-grams beside the network that `config` describes, if it has some.
    ///
    /// # Errors
    /// If they are missing or damaged, or were learnt with another vocabulary or other labels.
    fn ngrams(
        config: &RunConfig,
        (encoder, labels): (&Encoder, Option<&Labels>),
        read: ReadFile,
    ) -> Result<Option<LinearPath>> {
        if config.ngrams.is_none() {
            return Ok(None);
        }
        let outputs = config.model.output_size;
        let bytes = read(NGRAMS, most_bytes(outputs)).map_err(TrainingError::Store)?;
        let bytes = bytes.ok_or_else(|| {
            TrainingError::Bundle(format!(
                "there is no {NGRAMS}, which answers beside the network: it is made at the end of the training, so go on \
                 with that first"
            ))
        })?;
        LinearPath::from_bytes(&bytes, outputs, &fingerprint(encoder, labels)).map(Some)
    }
}

pub(crate) fn unfit(error: WeightsError) -> TrainingError {
    TrainingError::Bundle(format!(
        "the weights {WEIGHTS} do not fit the network of {CONFIG} beside them: {error}"
    ))
}

/// The files, each with its name, that say what a network's ids, numbers and classes stand for.
pub fn encoder_files(encoder: &Encoder, labels: Option<&Labels>) -> Vec<(&'static str, String)> {
    let name = match encoder {
        Encoder::Text(_) => VOCABULARY,
        Encoder::Values { .. } => SCALER,
    };
    let labels = labels.filter(|labels| **labels != Labels::negative_positive());
    let targets = encoder.target_scaler();
    let targets = targets.map(|scaler| (TARGET_SCALER, scaler.to_json()));
    let encoder = encoder.to_json().map(|json| (name, json));
    let labels = labels.map(|labels| (LABELS, labels.to_json()));
    [encoder, targets, labels].into_iter().flatten().collect()
}

/// A hash of what a network's ids, numbers and classes stand for: its weights are of no use with others.
pub fn fingerprint(encoder: &Encoder, labels: Option<&Labels>) -> String {
    let files = encoder_files(encoder, labels).into_iter();
    hash(
        files
            .map(|(_, content)| content)
            .collect::<String>()
            .as_bytes(),
    )
}

/// The bytes of the weights that `config` describes, and of what is said about them; twice, because another
/// network's are better told by their names.
pub fn most_weights(config: &NetworkConfig) -> u64 {
    2 * (4 * config.parameters() as u64 + HEADERS * LONGEST_WORD)
}

fn vocabulary(model: &NetworkConfig, read: ReadFile) -> Result<Vocabulary> {
    let most = (model.vocabulary_size as u64 + HEADERS) * LONGEST_WORD;
    Ok(Vocabulary::from_json(
        &text(read, VOCABULARY, most)?,
        VOCABULARY.as_ref(),
    )?)
}

fn scaler(config: &RunConfig, width: usize, read: ReadFile) -> Result<Option<Scaler>> {
    if config.input.scale == Some(false) {
        return Ok(None);
    }
    let most = (width as u64 + HEADERS) * LONGEST_WORD;
    let scaler = text(read, SCALER, most)?;
    Ok(Some(Scaler::from_json(&scaler, SCALER.as_ref())?))
}

/// Runs of memory tasks, and of before targets were scaled, have none.
fn target_scaler(config: &RunConfig, read: ReadFile) -> Result<Option<Scaler>> {
    if config.objective() != Objective::Values || config.input.scale == Some(false) {
        return Ok(None);
    }
    let most = (config.model.output_size as u64 + HEADERS) * LONGEST_WORD;
    let Some(bytes) = read(TARGET_SCALER, most).map_err(TrainingError::Store)? else {
        return Ok(None);
    };
    let scaler = utf8(bytes, TARGET_SCALER)?;
    Ok(Some(Scaler::from_json(&scaler, TARGET_SCALER.as_ref())?))
}

fn labels(read: ReadFile) -> Result<Labels> {
    match read(LABELS, MOST_LABELS).map_err(TrainingError::Store)? {
        Some(bytes) => Ok(Labels::from_json(&utf8(bytes, LABELS)?, LABELS.as_ref())?),
        None => Ok(Labels::negative_positive()),
    }
}

fn file(read: ReadFile, name: &str, most: u64) -> Result<Vec<u8>> {
    let bytes = read(name, most).map_err(TrainingError::Store)?;
    bytes.ok_or_else(|| TrainingError::Bundle(format!("there is no {name}")))
}

fn text(read: ReadFile, name: &str, most: u64) -> Result<String> {
    utf8(file(read, name, most)?, name)
}

fn utf8(bytes: Vec<u8>, name: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| TrainingError::Bundle(format!("{name} is no UTF-8")))
}
