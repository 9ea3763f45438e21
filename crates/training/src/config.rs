//! Everything that shapes a run. The defaults are the lesson's.

mod hint;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use gatefold_data::{
    Batching, EncodedDataset, Encoding, Example, HELD_OUT_PARTS, MemoryTask, Missing, Padding,
    Quoting, SeriesTask, TargetKind, Tokenizer, streams_plan,
};
use gatefold_model::kernel_choices::KernelChoice;
use gatefold_model::{NetworkConfig, Reading};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use toml::de::DeTable;
use toml::{Table, Value};

use crate::class_weights::{ClassWeights, WeightRule};
use crate::groups::{Group, Groups};
use crate::ngrams::{MOST_ORDERS, MOST_TOKEN_IDS, NgramConfig};
use crate::objective::Objective;

/// Timesteps in a padded batch; its hidden states alone would take gigabytes.
const MOST_TOKENS: usize = 1 << 24;

/// Epochs, and steps of a warm-up: products of two such counts stay countable.
const MOST_COUNTED: usize = 1_000_000_000;

/// The largest number that TOML holds.
const MOST_SEED: u64 = i64::MAX as u64;

/// A configuration that no run can follow.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// It describes no network.
    #[error(transparent)]
    Network(#[from] gatefold_model::ConfigError),
    /// A setting is off: which one, and what it may be.
    #[error("{0}")]
    Setting(String),
    /// A file can't be understood: which one, where, and what was probably meant.
    #[error("{0}")]
    File(String),
    /// It can't be written as TOML: a path in it is no Unicode.
    #[error("cannot write the configuration as TOML: {0}")]
    Write(String),
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    match holds {
        true => Ok(()),
        false => Err(ConfigError::Setting(message())),
    }
}

/// A run's configuration, as `config.toml` holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The preset that the settings began from, for people: they are all here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// The data.
    pub dataset: DatasetConfig,
    /// How it becomes sequences.
    pub input: InputConfig,
    /// The network.
    pub model: NetworkConfig,
    /// How it is trained.
    pub training: TrainingConfig,
    /// Runs of tokens that are learnt beside the network, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ngrams: Option<NgramConfig>,
    /// How it is trained, where the network is a language model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretraining: Option<PretrainingConfig>,
    /// What it was made from, where it was trained elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<ImportedConfig>,
}

/// How a language model is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainingConfig {
    /// Tokens that a batch's right ones are told from in training, where the vocabulary is
    /// [large](crate::language::FEW_WORDS).
    pub negatives: usize,
    /// Whether the texts are read as so many streams as a batch has rows, each going on where the batch before it ended.
    /// Training takes it from the data.
    pub streams: bool,
    /// Timesteps of a stream that a step reads, and that its gradient goes back (Williams and Peng 1990).
    pub bptt: usize,
}

impl Default for PretrainingConfig {
    fn default() -> Self {
        Self {
            negatives: 1024,
            streams: false,
            bptt: 128,
        }
    }
}

impl PretrainingConfig {
    fn validate(&self, config: &RunConfig) -> Result<(), ConfigError> {
        config.model.validate_language_model()?;
        for (name, count) in [("negatives", self.negatives), ("bptt", self.bptt)] {
            ensure(count >= 1, || format!("{name} must be at least 1"))?;
        }
        let read_at_once = config
            .training
            .batch_size
            .saturating_mul(self.bptt)
            .saturating_mul(HELD_OUT_PARTS);
        ensure(!self.streams || read_at_once <= MOST_TOKENS, || {
            format!(
                "batch_size times bptt may be at most {}",
                MOST_TOKENS / HELD_OUT_PARTS
            )
        })?;
        ensure(!self.streams || !config.model.bidirectional, || {
            "texts longer than max_length are read as streams, forward alone: leave bidirectional out, or where a \
             preset has it, give a --config with bidirectional = false; or raise max_length"
                .into()
        })?;
        ensure(config.input.mask, || {
            "a language model reads no padding: leave mask = false out".into()
        })?;
        let training = &config.training;
        ensure(
            training.class_weights.is_none() && training.keep == Keep::Loss,
            || "a language model has no class_weights, and keep must be \"loss\"".into(),
        )?;
        ensure(
            config.input.embeddings.is_none() && training.from.is_none(),
            || "a language model begins with random weights: leave embeddings and from out".into(),
        )?;
        let regularised = training.word_dropout > 0.0
            || training.label_smoothing > 0.0
            || training.adversarial > 0.0;
        ensure(
            !regularised && !training.refit && config.ngrams.is_none(),
            || {
                "a language model has no word_dropout, label_smoothing, adversarial, refit and ngrams: leave them out"
                    .into()
            },
        )
    }
}

/// What a run was made from that was trained elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedConfig {
    /// The file's name.
    pub file: String,
}

/// Which data a run reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetConfig {
    /// `reviews`, `imdb`, `adding`, `recall`, or the path of a table or of a folder of texts. Without a name: IMDB if
    /// it is in the data directory, else `reviews`.
    pub name: Option<String>,
    /// Where IMDB lies: the `aclImdb` folder, its archive, `imdb.npz`, or a folder with one of them.
    pub path: Option<PathBuf>,
    /// A table's test part; without it, a share of the table.
    pub test_path: Option<PathBuf>,
    /// What separates a table's values; without it, and without the next three, what is recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
    /// Whether a table's first line names its columns.
    #[serde(skip_serializing_if = "is_true")]
    pub header: bool,
    /// A table's encoding, such as `windows-1252`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// How a table's texts are quoted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoting: Option<Quoting>,
    /// A table to choose the best epoch with; without it, a share of the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_path: Option<PathBuf>,
    /// A table's column of texts; without it, recognised.
    pub text_column: Option<String>,
    /// A table's column of labels; without it, recognised.
    pub label_column: Option<String>,
    /// A table's column that says which rows belong together: to one part; of a series of numbers, to one sequence.
    /// `film` of IMDB's reviews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// Which of a table's labels are kept, in which order and under which names, as
    /// [`LabelChoice`](gatefold_data::LabelChoice) has them; all, if none are named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What stands between the labels of a row that may have any number of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<String>,
    /// Whether rows without a label are left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skip_unlabelled: bool,
    /// How a table's parts were drawn: versions before 0.3 took the last rows of a mixed table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// The share of a table that becomes its test part.
    pub test_fraction: f64,
    /// Timesteps of the longest sequences of `adding` and `recall`.
    pub length: Option<usize>,
    /// What is learnt from series of numbers; where it is set, the file holds some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<SeriesTask>,
    /// A series' columns that are read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub value_columns: Vec<String>,
    /// A series' column of classes, or its columns that are forecast.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_columns: Vec<String>,
    /// Timesteps of the windows that are cut out of a series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<usize>,
    /// Timesteps from one window's start to that of the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Timesteps that are forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<usize>,
    /// What becomes of numbers that are missing.
    #[serde(skip_serializing_if = "Missing::is_refused")]
    pub missing: Missing,
    /// Whether a series' numbers have a decimal comma.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub decimal_comma: bool,
    /// The array of targets of a series that is an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_path: Option<PathBuf>,
    /// The array of targets of a series' test part that is an array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_target_path: Option<PathBuf>,
    /// The MD5 of the table, by which it is known again wherever it lies; written by the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// How a table's parts are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Each keeps every class's share, and what belongs together stays in one.
    Stratified,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self {
            name: None,
            path: None,
            test_path: None,
            separator: None,
            header: true,
            encoding: None,
            quoting: None,
            validation_path: None,
            text_column: None,
            label_column: None,
            group_column: None,
            labels: Vec::new(),
            label_separator: None,
            skip_unlabelled: false,
            split: None,
            test_fraction: 0.2,
            length: None,
            task: None,
            value_columns: Vec::new(),
            target_columns: Vec::new(),
            window: None,
            stride: None,
            horizon: None,
            missing: Missing::Refuse,
            decimal_comma: false,
            target_path: None,
            test_target_path: None,
            hash: None,
        }
    }
}

impl DatasetConfig {
    /// The memory task that this is, if it is one, and the timesteps of its longest sequences; 100 unless it says
    /// otherwise.
    pub fn memory_task(&self) -> Option<(MemoryTask, usize)> {
        let task = match self.name.as_deref()? {
            "adding" => MemoryTask::Adding,
            "recall" => MemoryTask::Recall,
            _ => return None,
        };
        Some((task, self.length.unwrap_or(100)))
    }

    /// What its examples are called, in the plural.
    pub fn noun(&self) -> &'static str {
        match self.name.as_deref() {
            _ if self.task == Some(SeriesTask::Forecast) => "windows",
            _ if self.task.is_some() && self.window.is_some() => "windows",
            _ if self.task.is_some() => "sequences",
            None | Some("reviews" | "imdb") => "reviews",
            Some(_) if self.memory_task().is_some() => "sequences",
            Some(_) => "texts",
        }
    }
}

/// How texts and series of numbers become sequences, in training and ever after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InputConfig {
    /// What a text is cut into.
    pub tokenizer: Tokenizer,
    /// Sequences are cut to their last timesteps, this many.
    pub max_length: usize,
    /// Whether padding is left out. Without a mask every sequence is padded to `max_length` and the padding read as
    /// if it belonged to it, as Keras does.
    pub mask: bool,
    /// Where the padding stands that is read without a mask.
    #[serde(skip_serializing_if = "PaddingSide::is_default")]
    pub padding: PaddingSide,
    /// Whether numbers are brought to mean 0 and deviation 1, by those of the training part; they are unless this
    /// is `false`. Texts have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<bool>,
    /// A file of word vectors, which the embedding began from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<PathBuf>,
}

impl Default for InputConfig {
    fn default() -> Self {
        Self {
            tokenizer: Tokenizer::default(),
            max_length: 256,
            mask: true,
            padding: PaddingSide::Post,
            scale: None,
            embeddings: None,
        }
    }
}

impl InputConfig {
    /// How long the rows of a batch are.
    pub fn padding(&self) -> Padding {
        match self.padding {
            _ if self.mask => Padding::Longest,
            PaddingSide::Post => Padding::Fixed(self.max_length),
            PaddingSide::Pre => Padding::FixedBefore(self.max_length),
        }
    }
}

/// Where padding stands, as Keras calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaddingSide {
    /// Behind a sequence.
    #[default]
    Post,
    /// Before it.
    Pre,
}

impl PaddingSide {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for PaddingSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Post => "post",
            Self::Pre => "pre",
        })
    }
}

impl FromStr for PaddingSide {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "post" => Ok(Self::Post),
            "pre" => Ok(Self::Pre),
            _ => Err("padding stands behind a sequence (post) or before it (pre)".to_owned()),
        }
    }
}

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// What the network is trained to answer; without it, what the data asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<Objective>,
    /// The run whose weights training began from, in place of random ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// Settles first weights, batches and dropout.
    pub seed: u64,
    /// Passes over the training examples.
    pub epochs: usize,
    /// Examples a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// The share of the training split, at its end, that is held out to validate.
    pub validation_fraction: f64,
    /// How the learning rate goes.
    pub schedule: Schedule,
    /// Steps over which the learning rate grows from near 0 to `learning_rate`.
    pub warm_up: usize,
    /// The epoch that is kept: the best by which measure on the validation part, or the last.
    #[serde(skip_serializing_if = "Keep::is_default")]
    pub keep: Keep,
    /// Whether the network is trained again in the end, from its first weights on, on the training and the validation
    /// part together, for as many epochs as led to the one that is kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refit: bool,
    /// Training ends after this many epochs in a row that are no better by that measure.
    pub patience: Option<usize>,
    /// The gradient of all parameters together is scaled down to this norm (Pascanu et al. 2013).
    pub clip_norm: Option<f64>,
    /// Decoupled weight decay (Loshchilov and Hutter 2019): each step takes this times the learning rate
    /// off every parameter.
    pub weight_decay: f64,
    /// Share of a text's words that are read as unknown in training, others in each epoch, in [0, 1).
    #[serde(skip_serializing_if = "is_zero")]
    pub word_dropout: f64,
    /// Of a label's probability, the share that training spreads over all classes, in [0, 1) (Szegedy et al. 2016).
    #[serde(skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
    /// How far an adversary moves the tokens' vectors, all together, the way that raises the loss most, before each step
    /// learns from its batch once more (after Miyato, Dai and Goodfellow 2017), at most 0.12 of the norm of those that the
    /// batch reads; it grows over the warm-up. At 0 there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub adversarial: f64,
    /// Decay of the exponential moving average of the weights, in (0, 1), which answers in place of the last step's
    /// (Polyak and Juditsky 1992); none is made without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// Parts of the network that learn at other rates, or later.
    #[serde(skip_serializing_if = "Groups::are_default")]
    pub groups: Groups,
    /// What the loss of an example of each class counts, in the classes' order, in training alone.
    pub class_weights: Option<ClassWeights>,
    /// A checkpoint is written after every epoch, and when the last one is this old.
    pub checkpoint_minutes: f64,
    /// How walks are laid out on a GPU, where that was measured: no layout changes a bit of the results.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<KernelChoice>,
}

/// How the learning rate goes after its warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
    #[default]
    Constant,
    /// Half a cosine down to 0 at the last step of the last epoch (Loshchilov and Hutter 2017).
    Cosine,
    /// A line down to 0 at the last step of the last epoch; with a warm-up the slanted triangle of Howard and Ruder
    /// (2018).
    Linear,
}

/// What an epoch is kept for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The lowest loss.
    #[default]
    #[serde(alias = "best")]
    Loss,
    /// The highest share of right answers.
    Accuracy,
    /// The highest mean of the classes' F1, each class counted alike.
    F1,
    /// Nothing: the last one is kept.
    Last,
}

impl Keep {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is best in the epoch that is kept, for people: `the lowest validation loss`.
    pub fn best(self) -> &'static str {
        match self {
            Self::Loss => "the lowest validation loss",
            Self::Accuracy => "the highest validation accuracy",
            Self::F1 => "the highest macro F1 in validation",
            Self::Last => "the last weights",
        }
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            objective: None,
            from: None,
            seed: 42,
            epochs: 5,
            batch_size: 128,
            learning_rate: 1e-3,
            validation_fraction: 0.2,
            schedule: Schedule::Constant,
            warm_up: 0,
            keep: Keep::Loss,
            refit: false,
            patience: None,
            clip_norm: None,
            weight_decay: 0.0,
            word_dropout: 0.0,
            label_smoothing: 0.0,
            adversarial: 0.0,
            ema_decay: None,
            groups: Groups::default(),
            class_weights: None,
            checkpoint_minutes: 10.0,
            kernels: Vec::new(),
        }
    }
}

impl RunConfig {
    /// Who trained a run that kept nothing of what it was trained on.
    pub fn trainer(&self) -> &'static str {
        match &self.imported {
            Some(_) => "another program",
            None => "an earlier version",
        }
    }

    /// How examples become batches.
    pub fn batching(&self) -> Batching {
        Batching {
            batch_size: self.training.batch_size,
            padding: self.input.padding(),
        }
    }

    /// How a dataset becomes examples.
    pub fn encoding(&self) -> Encoding {
        Encoding {
            tokenizer: self.input.tokenizer,
            vocabulary_size: self.model.vocabulary_size,
            max_length: self.input.max_length,
            scale: self.input.scale,
            validation_fraction: self.training.validation_fraction,
        }
    }

    /// Which examples each batch of a training epoch, from 1, holds.
    pub fn training_plan(&self, examples: &[Example], epoch: u64) -> Vec<Vec<usize>> {
        let batching = self.batching();
        match &self.pretraining {
            Some(pretraining) if pretraining.streams => {
                streams_plan(examples.len(), batching.batch_size)
            }
            _ => batching.training_plan(examples, self.training.seed, epoch),
        }
    }

    /// The number of parameters; a float, which no size overflows.
    pub fn parameters(&self) -> f64 {
        match &self.pretraining {
            Some(_) => self.model.language_model_parameters(),
            None => self.model.parameters(),
        }
    }

    /// What the network is trained to answer.
    pub fn objective(&self) -> Objective {
        self.training.objective.unwrap_or_default()
    }

    /// Settles what follows from the data: what the network reads, how many numbers it answers, when, and what it
    /// is trained for.
    ///
    /// # Errors
    /// If this configuration says otherwise, or has class weights for other classes.
    pub fn settle(&mut self, data: &EncodedDataset) -> Result<(), ConfigError> {
        if self.pretraining.is_some() {
            ensure(data.encoder.vocabulary().is_some(), || {
                "a language model reads texts, and the data is numbers".into()
            })?;
            self.training.objective = Some(Objective::Language);
            return Ok(());
        }
        let target = data.target();
        let classes = data.labels.as_ref().map_or(0, |labels| labels.len());
        let fitting: &[(Objective, usize)] = match target {
            TargetKind::Values { width } => &[(Objective::Values, width)],
            TargetKind::ClassSet => &[(Objective::MultiLabel, classes)],
            _ if classes == 2 => &[(Objective::Binary, 1), (Objective::Classes, 2)],
            _ => &[(Objective::Classes, classes)],
        };
        let wanted = self.training.objective.unwrap_or(fitting[0].0);
        let Some(&(objective, size)) = fitting.iter().find(|(objective, _)| *objective == wanted)
        else {
            return Err(ConfigError::Setting(format!(
                "objective = \"{wanted}\" does not fit the data, of which the targets are {}: leave it out",
                match target {
                    TargetKind::Values { .. } => "numbers".into(),
                    TargetKind::ClassSet => format!("any of {classes} classes at once"),
                    _ => format!("{classes} classes"),
                }
            )));
        };
        let default = NetworkConfig::default();
        let model = &mut self.model;
        ensure(
            [default.output_size, size].contains(&model.output_size),
            || {
                format!(
                    "output_size must be {size} for this data, not {}: leave it out",
                    model.output_size
                )
            },
        )?;
        model.output_size = size;
        let input_size = data.encoder.width();
        ensure(
            model.input_size.is_none() || model.input_size == input_size,
            || match input_size {
                Some(width) => format!("input_size must be {width} for this data: leave it out"),
                None => "input_size is for numbers, and the data is texts: leave it out".into(),
            },
        )?;
        model.input_size = input_size;
        let sizes = [model.vocabulary_size, model.embedding_size];
        let usual = [default.vocabulary_size, default.embedding_size];
        ensure(input_size.is_none() || sizes == usual, || {
            "numbers have no vocabulary_size and no embedding_size: leave them out".into()
        })?;
        ensure(
            input_size.is_none() || (self.input.embeddings.is_none() && !model.freeze_embeddings),
            || "numbers have no embeddings: leave embeddings and freeze_embeddings out".into(),
        )?;
        if target == TargetKind::ClassPerStep {
            ensure(
                [default.reading, Reading::EveryStep].contains(&model.reading),
                || {
                    "the data has a target a timestep, which pooling = \"every-step\" alone answers: leave it out".into()
                },
            )?;
            model.reading = Reading::EveryStep;
        } else {
            ensure(model.reading != Reading::EveryStep, || {
                "pooling = \"every-step\" is for data with a target a timestep: leave it out".into()
            })?;
        }
        ensure(
            input_size.is_none() || self.input.tokenizer == Tokenizer::default(),
            || "numbers have no tokenizer: leave it out".into(),
        )?;
        if let Some(weights) = &self.training.class_weights {
            ensure(classes > 0, || {
                "numbers as targets have no class_weights: leave them out".into()
            })?;
            match weights {
                ClassWeights::Each(weights) => ensure(weights.len() == classes, || {
                    format!(
                        "class_weights must be one a class, {classes} for this data, not {}",
                        weights.len()
                    )
                }),
                ClassWeights::Rule(WeightRule::Balanced) => {
                    ensure(objective != Objective::MultiLabel, || {
                        "class_weights can't be \"balanced\" where an example may have several labels: give numbers, or \
                         leave them out"
                            .into()
                    })
                }
            }?;
        }
        ensure(
            objective.has_accuracy() || matches!(self.training.keep, Keep::Loss | Keep::Last),
            || {
                "numbers as targets have no accuracy and no F1: keep must be \"loss\" or \"last\""
                    .into()
            },
        )?;
        ensure(
            objective.has_accuracy() || self.training.label_smoothing == 0.0,
            || "numbers as targets have no label_smoothing: leave it out".into(),
        )?;
        let unknown = data.encoder.vocabulary().map(|words| words.ids().unknown);
        ensure(
            self.training.word_dropout == 0.0 || matches!(unknown, Some(Some(_))),
            || {
                match unknown {
                None => "numbers have no words: leave word_dropout out".into(),
                Some(_) => {
                    "word_dropout reads words as unknown, which this vocabulary has no id for: leave it out".into()
                }
            }
            },
        )?;
        ensure(
            self.ngrams.is_none() || (input_size.is_none() && target == TargetKind::Class),
            || {
                "ngrams are for texts with one of several classes each, and the data is something else: leave them out"
                    .into()
            },
        )?;
        self.training.objective = Some(objective);
        Ok(())
    }

    /// Forgets what [`settle`](Self::settle) took from the data, for other data.
    pub fn unsettle(&mut self) {
        let default = NetworkConfig::default();
        (self.training.objective, self.model.input_size) = (None, None);
        self.model.output_size = default.output_size;
        if self.model.reading == Reading::EveryStep {
            self.model.reading = default.reading;
        }
    }

    /// Whether this is [settled](Self::settle) for `data`.
    ///
    /// # Errors
    /// Says what doesn't fit.
    pub fn check(&self, data: &EncodedDataset) -> Result<(), ConfigError> {
        let mut settled = self.clone();
        settled.settle(data)?;
        ensure(settled.objective() == self.objective(), || {
            format!(
                "objective = \"{}\" does not fit the data: settle the configuration for it first",
                self.objective()
            )
        })
    }

    /// Whether a run can follow this.
    ///
    /// # Errors
    /// Says which value is off and what it may be.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let training = &self.training;
        self.model.validate()?;
        if let Some(pretraining) = &self.pretraining {
            pretraining.validate(self)?;
        }
        let is_language = training.objective == Some(Objective::Language);
        let fits = match self.pretraining {
            Some(_) => is_language || training.objective.is_none(),
            None => !is_language,
        };
        ensure(fits, || {
            "objective = \"language\" and [pretraining] belong together: leave out the one that stands alone".into()
        })?;
        for (name, count, least) in [
            ("epochs", Some(training.epochs), 1),
            ("warm_up", Some(training.warm_up), 0),
            ("patience", training.patience, 1),
        ] {
            let count = count.unwrap_or(least);
            ensure(count >= least, || {
                format!("{name} must be at least {least}")
            })?;
            ensure(count <= MOST_COUNTED, || {
                format!("{name} may be at most {MOST_COUNTED}, not {count}")
            })?;
        }
        ensure(training.seed <= MOST_SEED, || {
            format!("seed may be at most {MOST_SEED}, not {}", training.seed)
        })?;
        let size = self.model.output_size;
        let fits = match training.objective {
            Some(Objective::Binary) => size == 1,
            Some(Objective::Classes | Objective::MultiLabel) => size >= 2,
            _ => true,
        };
        ensure(fits, || {
            format!(
                "output_size = {size} does not fit objective = \"{}\"",
                self.objective()
            )
        })?;
        ensure(
            !self.input.mask || self.input.padding == PaddingSide::Post,
            || "padding = \"pre\" is for mask = false: a mask leaves padding out".into(),
        )?;
        let max_length = self.input.max_length;
        ensure(training.batch_size >= 1, || {
            "batch_size must be at least 1".into()
        })?;
        ensure(max_length >= 1, || "max_length must be at least 1".into())?;
        let tokens = training.batch_size.checked_mul(max_length);
        ensure(tokens.is_some_and(|tokens| tokens <= MOST_TOKENS), || {
            format!("batch_size times max_length may be at most {MOST_TOKENS} tokens a step")
        })?;
        ensure(
            training.learning_rate > 0.0 && training.learning_rate.is_finite(),
            || {
                format!(
                    "learning_rate must be above 0, not {}",
                    training.learning_rate
                )
            },
        )?;
        let clip_norm = training.clip_norm.map(|norm| ("clip_norm", norm));
        let checkpoint_minutes = ("checkpoint_minutes", training.checkpoint_minutes);
        for (name, value) in clip_norm.into_iter().chain([checkpoint_minutes]) {
            ensure(value > 0.0, || {
                format!("{name} must be above 0, not {value}")
            })?;
        }
        ensure(
            (0.0..1.0 / training.learning_rate).contains(&training.weight_decay),
            || {
                format!(
                    "weight_decay must be at least 0 and, times learning_rate, below 1, not {}",
                    training.weight_decay
                )
            },
        )?;
        for (name, share) in [
            ("word_dropout", training.word_dropout),
            ("label_smoothing", training.label_smoothing),
        ] {
            ensure((0.0..1.0).contains(&share), || {
                format!("{name} must be at least 0 and below 1, not {share}")
            })?;
        }
        if let Some(decay) = training.ema_decay {
            ensure(decay > 0.0 && decay < 1.0, || {
                format!("ema_decay must lie between 0 and 1, not {decay}")
            })?;
        }
        for (name, group) in training.groups.named() {
            let (rate, frozen) = (group.rate, group.frozen_epochs);
            ensure(rate >= 0.0 && rate.is_finite(), || {
                format!("rate must be at least 0, not {rate} of {name}")
            })?;
            ensure(frozen <= MOST_COUNTED, || {
                format!("frozen_epochs may be at most {MOST_COUNTED}, not {frozen} of {name}")
            })?;
        }
        let has_vectors = self.model.input_size.is_none() && !self.model.freeze_embeddings;
        let length = training.adversarial;
        ensure(length >= 0.0 && length.is_finite(), || {
            format!("adversarial must be at least 0, not {length}")
        })?;
        ensure(length == 0.0 || has_vectors, || {
            "adversarial moves the vectors of tokens that are learnt, and there are none: leave it out".into()
        })?;
        let trained = |(name, group): (&str, Group)| {
            let learns = group.rate > 0.0 && group.frozen_epochs < training.epochs;
            learns && (has_vectors || name != "embedding")
        };
        ensure(training.groups.named().into_iter().any(trained), || {
            "no group of parameters is ever trained: their rate is 0, or they are frozen in all epochs".into()
        })?;
        ensure(
            training.keep != Keep::Last || training.patience.is_none(),
            || {
                "patience waits for a better epoch, and keep = \"last\" keeps none for being better: leave one out".into()
            },
        )?;
        let weights = training.class_weights.as_ref().and_then(ClassWeights::each);
        for &weight in weights.into_iter().flatten() {
            ensure(weight > 0.0 && weight.is_finite(), || {
                format!("class_weights must be above 0, not {weight}")
            })?;
        }
        if let Some((_, length)) = self.dataset.memory_task() {
            ensure(length <= max_length, || {
                format!(
                    "length must be at most max_length, {max_length}, not {length}: what is to be remembered would be cut \
                     away"
                )
            })?;
        }
        ensure(self.dataset.label_separator.as_deref() != Some(""), || {
            "label_separator must hold a character".into()
        })?;
        if let Some(ngrams) = &self.ngrams {
            ensure((1..=MOST_ORDERS).contains(&ngrams.orders), || {
                format!(
                    "ngrams are of 1 to {MOST_ORDERS} tokens: orders can't be {}",
                    ngrams.orders
                )
            })?;
            ensure(ngrams.min_count >= 1 && ngrams.max_features >= 1, || {
                "min_count and max_features of ngrams must be at least 1".into()
            })?;
            let ids = self.model.vocabulary_size;
            ensure(ids <= MOST_TOKEN_IDS, || {
                format!("ngrams are for a vocabulary_size of at most {MOST_TOKEN_IDS}, not {ids}")
            })?;
            ensure(
                matches!(
                    training.objective,
                    None | Some(Objective::Binary | Objective::Classes)
                ) && self.model.reading != Reading::EveryStep
                    && self.model.input_size.is_none(),
                || {
                    "ngrams are for networks that answer a text with one class: leave them out"
                        .into()
                },
            )?;
        }
        for (name, fraction) in [
            ("validation_fraction", training.validation_fraction),
            ("test_fraction", self.dataset.test_fraction),
        ] {
            ensure(fraction > 0.0 && fraction < 1.0, || {
                format!("{name} must lie between 0 and 1, not {fraction}")
            })?;
        }
        Ok(())
    }

    /// Reads TOML; `name` is what messages call the file.
    ///
    /// # Errors
    /// Names the file, and for what it can't read the line, the key and what was probably meant.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, ConfigError> {
        let moved = with_input_moved(text);
        hint::parse(moved.as_deref().unwrap_or(text), name).map_err(ConfigError::File)
    }

    /// The settings that a TOML text has, and no others, under the names of today.
    ///
    /// # Errors
    /// As [`from_toml`](Self::from_toml).
    pub fn given_in(text: &str, name: &str) -> Result<Table, ConfigError> {
        Self::from_toml(text, name)?;
        let moved = with_input_moved(text);
        let given = toml::from_str(moved.as_deref().unwrap_or(text));
        let mut given: Table = given.map_err(|error| ConfigError::File(error.to_string()))?;
        if let Some(Value::Table(model)) = given.get_mut("model")
            && let Some(reading) = model.remove("reading")
        {
            model.insert("pooling".into(), reading);
        }
        Ok(given)
    }

    /// As TOML.
    ///
    /// # Errors
    /// If a path in it is no Unicode.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string_pretty(self).map_err(|error| ConfigError::Write(error.to_string()))
    }
}

/// The text with what version 0.1 had in `[training]` of that which `[input]` has, if it is of that version. All
/// else stays on its line.
fn with_input_moved(text: &str) -> Option<String> {
    let document = DeTable::parse(text).ok()?.into_inner();
    if document.contains_key("input") {
        return None;
    }
    let training = document.get("training")?.get_ref().as_table()?;
    let (mut left, mut moved) = (text.to_owned(), String::new());
    for key in ["max_length", "mask"] {
        if let Some((name, value)) = training.get_key_value(key) {
            let entry = name.span().start..value.span().end;
            moved += &format!("{}\n", &text[entry.clone()]);
            left.replace_range(entry.clone(), &" ".repeat(entry.len()));
        }
    }
    (!moved.is_empty()).then(|| format!("{left}\n[input]\n{moved}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_of_version_0_1_is_read() {
        let old = "[training]\nseed = 7\nmax_length = 80\nmask = false\n";
        let read = RunConfig::from_toml(old, "config.toml").unwrap();
        assert_eq!(read.training.seed, 7);
        assert_eq!((read.input.max_length, read.input.mask), (80, false));
        let error = RunConfig::from_toml(&format!("{old}epoch = 3"), "config.toml");
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("line 5: [training] has no key `epoch`"),
            "{error}"
        );
        let both = format!("{old}[input]\nmask = true\n");
        let error = RunConfig::from_toml(&both, "config.toml").unwrap_err();
        assert!(
            error.to_string().contains("[training] has no key"),
            "{error}"
        );
    }

    #[test]
    fn a_configuration_survives_the_round_trip() {
        let mut config = RunConfig::default();
        config.dataset.name = Some("imdb".into());
        config.dataset.path = Some("data".into());
        config.input.mask = false;
        let read: RunConfig = toml::from_str(&config.to_toml().unwrap()).unwrap();
        assert_eq!(read, config);
    }

    #[test]
    fn padding_stands_before_sequences_only_where_it_is_read() {
        let read = |text| RunConfig::from_toml(text, "config.toml");
        let mut config = read("[input]\nmask = false\npadding = \"pre\"\n").unwrap();
        config.validate().unwrap();
        assert_eq!(config.input.padding(), Padding::FixedBefore(256));
        assert!(config.to_toml().unwrap().contains("padding = \"pre\""));
        config.input.mask = true;
        let error = config.validate().unwrap_err().to_string();
        assert!(
            error.starts_with("padding = \"pre\" is for mask = false"),
            "{error}"
        );
        assert!(!RunConfig::default().to_toml().unwrap().contains("padding"));
        let error = read("[input]\npadding = \"front\"\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("must be one of post, pre, not \"front\""),
            "{error}"
        );
    }

    #[test]
    fn what_is_not_named_is_the_lessons() {
        let read: RunConfig = toml::from_str("[model]\ncell = \"gru\"\n").unwrap();
        assert_eq!(read.training, TrainingConfig::default());
        assert_eq!(read.model.hidden_size, 64);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let mut config = RunConfig::default();
        config.training.batch_size = 0;
        assert_eq!(
            config.validate().unwrap_err().to_string(),
            "batch_size must be at least 1"
        );
        config = RunConfig::default();
        config.training.validation_fraction = 1.0;
        assert!(config.validate().unwrap_err().to_string().contains("not 1"));
        config = RunConfig::default();
        config.input.max_length = usize::MAX;
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("tokens a step")
        );
        config = RunConfig::default();
        config.training.learning_rate = f64::NAN;
        assert!(config.validate().is_err());
    }

    #[test]
    fn counts_that_overflow_are_refused() {
        let refused = |change: fn(&mut TrainingConfig)| {
            let mut config = RunConfig::default();
            change(&mut config.training);
            config.validate().unwrap_err().to_string()
        };
        let most = usize::MAX;
        for (error, expected) in [
            (refused(|training| training.epochs = usize::MAX), "epochs"),
            (refused(|training| training.warm_up = usize::MAX), "warm_up"),
            (
                refused(|training| training.patience = Some(usize::MAX)),
                "patience",
            ),
        ] {
            assert_eq!(
                error,
                format!("{expected} may be at most 1000000000, not {most}")
            );
        }
        assert!(refused(|training| training.seed = u64::MAX).starts_with("seed may be at most"));
        assert_eq!(
            refused(|training| training.patience = Some(0)),
            "patience must be at least 1"
        );
        let mut config = RunConfig::default();
        config.training.seed = MOST_SEED;
        config.validate().unwrap();
        config.to_toml().unwrap();
    }
}
