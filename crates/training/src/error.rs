//! What can go wrong in training, testing and answering.

use gatefold_data::DataError;
use gatefold_model::{LostWork, NetworkError, WeightsError};
use thiserror::Error;

use crate::config::ConfigError;

/// A result of this crate.
pub type Result<T, E = TrainingError> = std::result::Result<T, E>;

/// What somebody else's code ran into, such as a [`Store`](crate::Store).
pub type OtherError = Box<dyn std::error::Error + Send + Sync>;

/// Why a network could not be trained, tested or asked.
///
/// Where another error lies beneath, it is the [`source`](std::error::Error::source) and no part of
/// the message: print the chain.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// No run can follow the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data can't be read as the network reads it.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network can't read what it was given.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Weights can't be written, or don't fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device failed.
    #[error("the device failed while it computed: {0}")]
    Device(String),
    /// The device left work out.
    #[error(
        "these results are wrong: try a smaller batch_size or max_length, or the CPU. A run keeps its last \
         checkpoint, from which it can go on"
    )]
    LostWork(#[source] LostWork),
    /// The loss is no finite number any longer.
    #[error(
        "the loss is no longer finite at step {step} of epoch {epoch} (learning rate {learning_rate:e}, {}): try a \
         lower learning_rate, or clip_norm = 1",
        shown_norm(gradient_norm)
    )]
    Diverged {
        /// From 1.
        epoch: usize,
        /// From 1.
        step: usize,
        /// That step's.
        learning_rate: f64,
        /// The last finite norm of a gradient that was measured: its epoch, its step and the norm.
        gradient_norm: Option<(usize, usize, f64)>,
    },
    /// Adam's state is of no use.
    #[error(
        "Adam's moments are no longer finite after {steps} steps: try a lower learning_rate, or clip_norm = 1"
    )]
    Moments {
        /// Steps behind.
        steps: u64,
    },
    /// A network's answers are not as many as the targets, or of another width.
    #[error("the network answers {rows} rows of {width} numbers where {expected}")]
    Answers {
        /// Rows that it answers.
        rows: usize,
        /// Numbers a row.
        width: usize,
        /// What the batch and its targets ask for.
        expected: String,
    },
    /// Runs answer different questions, so that their answers have no mean.
    #[error("{0}")]
    Unlike(String),
    /// An answer is infinite or no number.
    #[error(
        "the network's answer is no finite number: its weights are too large, or damaged; train it again with a \
         lower learning_rate, or with clip_norm = 1"
    )]
    NotFinite,
    /// A checkpoint holds what no training leaves.
    #[error("{0}")]
    Checkpoint(String),
    /// A network's folder or bundle lacks something, or its parts don't belong together.
    #[error("{0}")]
    Bundle(String),
    /// What is kept can't be.
    #[error(transparent)]
    Store(OtherError),
}

fn shown_norm(norm: &Option<(usize, usize, f64)>) -> String {
    match norm {
        Some((epoch, step, norm)) => {
            format!("gradient norm {norm:.3e} at step {step} of epoch {epoch}")
        }
        None => "gradient norm not finite either".into(),
    }
}
