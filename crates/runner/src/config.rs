//! Everything that shapes a run. The defaults are the lesson's.

pub(crate) mod hint;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use gatefold_data::{Batching, Padding};
use gatefold_model::SequenceClassifierConfig;
use serde::{Deserialize, Serialize};

use crate::files::read_text;

/// Tokens in a padded batch; its hidden states alone would take gigabytes.
const MOST_TOKENS: usize = 1 << 24;

/// Epochs, and steps of a warm-up: products of two such counts stay countable.
const MOST_COUNTED: usize = 1_000_000_000;

/// The largest number that TOML holds.
const MOST_SEED: u64 = i64::MAX as u64;

/// Bytes of a configuration file; a whole one has a kilobyte.
const MOST_BYTES: u64 = 1 << 20;

/// A run's configuration, as `config.toml` holds it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The data.
    pub dataset: DatasetConfig,
    /// The network.
    pub model: SequenceClassifierConfig,
    /// How it is trained.
    pub training: TrainingConfig,
}

/// Which data a run reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatasetConfig {
    /// `reviews`, `imdb`, or the path of a CSV, TSV or JSON lines file. Without a name: IMDB if it is
    /// in the data directory, else `reviews`.
    pub name: Option<String>,
    /// Where IMDB lies: the `aclImdb` folder, its archive, `imdb.npz`, or a folder with one of them.
    pub path: Option<PathBuf>,
    /// A table's test part; without it, a share of the table.
    pub test_path: Option<PathBuf>,
    /// A table's column of texts.
    pub text_column: String,
    /// A table's column of labels.
    pub label_column: String,
    /// The share of a table that becomes its test part.
    pub test_fraction: f64,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self {
            name: None,
            path: None,
            test_path: None,
            text_column: "text".into(),
            label_column: "label".into(),
            test_fraction: 0.2,
        }
    }
}

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Settles first weights, batches and dropout.
    pub seed: u64,
    /// Passes over the training reviews.
    pub epochs: usize,
    /// Reviews a step.
    pub batch_size: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Reviews are cut to their last tokens, this many.
    pub max_length: usize,
    /// Whether padding is left out. Without a mask every review is padded to `max_length` and the
    /// padding read as if it were words, as Keras does.
    pub mask: bool,
    /// The share of the training split, at its end, that is held out to validate.
    pub validation_fraction: f64,
    /// How the learning rate goes.
    pub schedule: Schedule,
    /// Steps over which the learning rate grows from near 0 to `learning_rate`.
    pub warm_up: usize,
    /// Training ends after this many epochs in a row without a lower validation loss.
    pub patience: Option<usize>,
    /// The gradient of all parameters together is scaled down to this norm (Pascanu et al. 2013).
    pub clip_norm: Option<f64>,
    /// Decoupled weight decay (Loshchilov and Hutter 2019): each step takes this times the learning rate
    /// off every parameter.
    pub weight_decay: f64,
    /// What the loss of a negative and of a positive review counts, in training alone.
    pub class_weights: Option<[f64; 2]>,
    /// A checkpoint is written after every epoch, and when the last one is this old.
    pub checkpoint_minutes: f64,
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
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            seed: 42,
            epochs: 5,
            batch_size: 128,
            learning_rate: 1e-3,
            max_length: 256,
            mask: true,
            validation_fraction: 0.2,
            schedule: Schedule::Constant,
            warm_up: 0,
            patience: None,
            clip_norm: None,
            weight_decay: 0.0,
            class_weights: None,
            checkpoint_minutes: 10.0,
        }
    }
}

impl TrainingConfig {
    /// How reviews become batches.
    pub fn batching(&self) -> Batching {
        Batching {
            batch_size: self.batch_size,
            padding: if self.mask {
                Padding::Longest
            } else {
                Padding::Fixed(self.max_length)
            },
        }
    }
}

impl RunConfig {
    /// Whether a run can follow this.
    ///
    /// # Errors
    /// Says which value is off and what it may be.
    pub fn validate(&self) -> Result<()> {
        let training = &self.training;
        self.model.validate()?;
        for (name, count, least) in [
            ("epochs", Some(training.epochs), 1),
            ("warm_up", Some(training.warm_up), 0),
            ("patience", training.patience, 1),
        ] {
            let count = count.unwrap_or(least);
            ensure!(count >= least, "{name} must be at least {least}");
            ensure!(
                count <= MOST_COUNTED,
                "{name} may be at most {MOST_COUNTED}, not {count}"
            );
        }
        ensure!(
            training.seed <= MOST_SEED,
            "seed may be at most {MOST_SEED}, not {}",
            training.seed
        );
        ensure!(training.batch_size >= 1, "batch_size must be at least 1");
        ensure!(training.max_length >= 1, "max_length must be at least 1");
        let tokens = training.batch_size.checked_mul(training.max_length);
        ensure!(
            tokens.is_some_and(|tokens| tokens <= MOST_TOKENS),
            "batch_size times max_length may be at most {MOST_TOKENS} tokens a step"
        );
        ensure!(
            training.learning_rate > 0.0 && training.learning_rate.is_finite(),
            "learning_rate must be above 0, not {}",
            training.learning_rate
        );
        let clip_norm = training.clip_norm.map(|norm| ("clip_norm", norm));
        let checkpoint_minutes = ("checkpoint_minutes", training.checkpoint_minutes);
        for (name, value) in clip_norm.into_iter().chain([checkpoint_minutes]) {
            ensure!(value > 0.0, "{name} must be above 0, not {value}");
        }
        ensure!(
            (0.0..1.0 / training.learning_rate).contains(&training.weight_decay),
            "weight_decay must be at least 0 and, times learning_rate, below 1, not {}",
            training.weight_decay
        );
        for weight in training.class_weights.into_iter().flatten() {
            ensure!(
                weight > 0.0 && weight.is_finite(),
                "class_weights must be above 0, not {weight}"
            );
        }
        for (name, fraction) in [
            ("validation_fraction", training.validation_fraction),
            ("test_fraction", self.dataset.test_fraction),
        ] {
            ensure!(
                fraction > 0.0 && fraction < 1.0,
                "{name} must lie between 0 and 1, not {fraction}"
            );
        }
        Ok(())
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// Names the file, and for what it can't read the line, the key and what was probably meant.
    pub fn read(path: &std::path::Path) -> Result<Self> {
        hint::parse(&read_text(path, MOST_BYTES)?, path)
    }

    /// As TOML.
    ///
    /// # Errors
    /// If a path in it is no Unicode.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self).context("cannot write the configuration as TOML")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_survives_the_round_trip() {
        let mut config = RunConfig::default();
        config.dataset.name = Some("imdb".into());
        config.dataset.path = Some("data".into());
        config.training.mask = false;
        let read: RunConfig = toml::from_str(&config.to_toml().unwrap()).unwrap();
        assert_eq!(read, config);
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
        config.training.max_length = usize::MAX;
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
