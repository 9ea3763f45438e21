//! Training, testing and asking recurrent networks, on any device of Burn's, in a browser too.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`config`] | everything that shapes a run, as TOML |
//! | [`objective`] | what a network is trained to answer: the loss, and how an answer is scored |
//! | [`batch`] | [`Answers`], which any network implements to be trained and tested here |
//! | [`trainer`] | [`Trainer`]: gradients, their [`Exchange`], updates |
//! | [`optimizer`] | Adam, with its state in plain sight |
//! | [`session`] | [`Session`] and [`fit`]: the training loop, seeded, and resumed where it stopped |
//! | [`checkpoint`] | what an interrupted training needs to go on, as bytes |
//! | [`baseline`](mod@baseline) | what a linear model answers to the same data |
//! | [`chance`] | which differences are larger than chance |
//! | [`evaluation`] | answers to many examples, and how good they are |
//! | [`forecast`] | how far forecasts are from what came, in the unit of the data |
//! | [`generation`] | [`Generator`]: a text, token by token, from a language model |
//! | [`language`] | language models in training, and how perplexed they are |
//! | [`sampled_softmax`] | the loss of a token among very many, and its gradient |
//! | [`metrics`] | what a run measures |
//! | [`ngrams`] | a linear model on runs of tokens beside a network, and the blend of both |
//! | [`scores`] | what a test measures beside the loss: precision, recall, confusions, ROC, calibration, mistakes |
//! | [`bundle`] | [`Bundle`]: a trained network and all that it needs, from bytes |
//! | [`run_files`] | the files of a run beside its bundle's |
//! | [`predictor`] | [`Predictor`]: a bundle that answers |
//! | [`ensemble`] | [`Ensemble`]: the mean of several runs' answers |
//!
//! There is no terminal, no network and no file here: who trains is told by [events](Event), and keeps what a
//! [`Store`] keeps. What reads from the device is `async`, beside it a form that waits. The data is
//! [`gatefold_data`]'s, the networks are [`gatefold_model`]'s or anyone's.
//!
//! ```toml
//! [dependencies]
//! gatefold-data = { git = "https://github.com/gatefold/gatefold", default-features = false }
//! gatefold-training = { git = "https://github.com/gatefold/gatefold" }
//! ```
//!
//! Burn is `gatefold_training::burn`, with its backends `flex` and `wgpu`.
//!
//! ```
//! use gatefold_data::{EncodedDataset, MemoryTask};
//! use gatefold_training::burn::tensor::Device;
//! use gatefold_training::{Answer, Bundle, Predictor, RunConfig, fit};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Sequences of numbers with two of them marked; the answer is their sum.
//! let dataset = MemoryTask::Adding.dataset(10, 42)?;
//! let mut config = RunConfig::default();
//! config.model.hidden_size = 8;
//! config.training.epochs = 1;
//! let data = EncodedDataset::new(&dataset, &config.encoding())?;
//! config.settle(&data)?;
//!
//! let device = Device::flex();
//! let network = config.model.init(config.training.seed, &device)?;
//! let on_event = &mut |_| std::ops::ControlFlow::Continue(());
//! let (network, history) = fit(network, &data, &config, &device, on_event)?;
//! assert!(history[0].validation_loss < 1.0);
//!
//! let bundle = Bundle { config, encoder: data.encoder, labels: None, weights: network.weights()?, ngrams: None };
//! let predictor = Predictor::new(bundle, &device)?;
//! let answers = predictor.answer(vec![data.test[0].input.clone()])?;
//! assert!(matches!(&answers[0], Answer::Values(sum) if sum.len() == 1));
//! # Ok(())
//! # }
//! ```

mod adversary;
mod average;
pub mod baseline;
pub mod batch;
pub mod bundle;
pub mod chance;
pub mod checkpoint;
mod class_weights;
mod clipping;
pub mod config;
pub mod ensemble;
pub mod error;
pub mod evaluation;
pub mod forecast;
pub mod generation;
mod groups;
mod hash;
pub mod language;
pub mod metrics;
pub mod ngrams;
pub mod objective;
pub mod optimizer;
pub mod predictor;
pub mod run_files;
pub mod sampled_softmax;
mod schedule;
pub mod scores;
mod seen;
pub mod session;
pub mod trainer;

pub use baseline::baseline;
pub use batch::Answers;
pub use bundle::Bundle;
/// The Burn that this crate's types are of.
pub use burn;
pub use chance::Spread;
pub use checkpoint::Checkpoint;
pub use class_weights::{ClassWeights, WeightRule};
pub use config::{ConfigError, RunConfig};
pub use ensemble::Ensemble;
pub use error::{Result, TrainingError};
pub use evaluation::{evaluate, evaluate_async, score, score_async, test, test_async};
pub use forecast::ForecastScores;
pub use generation::{Generator, Sampling};
pub use groups::{Group, Groups};
pub use hash::hash;
pub use language::{LanguageScores, Pretraining, perplexity};
pub use metrics::{EpochMetrics, Evaluation, Progress, Refit, RunSummary};
pub use ngrams::{LinearPath, NgramConfig};
pub use objective::{LossOptions, Objective};
pub use optimizer::Adam;
pub use predictor::{Answer, Predictor, Stream};
pub use schedule::learning_rate;
pub use scores::{Scores, TestResult};
pub use seen::Seen;
pub use session::{Event, OnEvent, Session, Store, fit, fit_async};
pub use trainer::{Alone, Exchange, Trainer};
