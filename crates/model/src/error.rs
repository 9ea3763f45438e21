//! What can be wrong with the description of a network, and with what it is given to read.

use gatefold_kernels::{Cell, InputError, TokenError};
use thiserror::Error;

/// Deeper stacks are not trained without residual connections.
pub(crate) const MOST_LAYERS: usize = 64;

/// A configuration that describes no network.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A size of zero.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// A vocabulary without room for a word beside padding, start and unknown.
    #[error("vocabulary_size must be at least 4 (padding, start, unknown and one word), not {0}")]
    Vocabulary(usize),
    /// More recurrent layers than are allowed.
    #[error("layers must be at most {MOST_LAYERS}, not {0}")]
    Layers(usize),
    /// More weights than a device can be expected to hold.
    #[error("the network would have about {0:.1e} parameters, more than the 1e9 that are allowed")]
    TooLarge(f64),
    /// Layers that make no stack.
    #[error("layer {layer} of the stack: {what}")]
    Stack {
        /// Which, from 0.
        layer: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Dropout in the recurrent products of a cell that has no recurrent product.
    #[error("{setting} must be 0 for the {cell}, which has no recurrent product to drop from")]
    NoProduct {
        /// The setting.
        setting: &'static str,
        /// The cell.
        cell: &'static str,
    },
    /// Dropout of tokens' vectors where numbers are read.
    #[error("embedding_dropout must be 0 for numbers, which have no embedding to drop from")]
    NoEmbedding,
    /// What is no language model.
    #[error("this is no language model; {0}")]
    LanguageModel(&'static str),
    /// A share of dropped outputs outside [0, 1).
    #[error("{0} must be at least 0 and below 1, not {1}")]
    Dropout(&'static str, f64),
}

pub(crate) fn at_least_1(size: usize, name: &'static str) -> Result<(), ConfigError> {
    (size > 0).then_some(()).ok_or(ConfigError::Zero(name))
}

pub(crate) fn share_below_1(share: f64, name: &'static str) -> Result<(), ConfigError> {
    let fits = (0.0..1.0).contains(&share);
    fits.then_some(()).ok_or(ConfigError::Dropout(name, share))
}

/// Something that a network can't read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// Tokens that name no word of the network's vocabulary.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// An input that doesn't fit the layers.
    #[error(transparent)]
    Input(#[from] InputError),
    /// What doesn't fit a layer of a stack.
    #[error("layer {layer}: {error}")]
    Layer {
        /// Which, from 0.
        layer: usize,
        /// What doesn't fit.
        error: InputError,
    },
    /// Tokens where the network reads numbers, or the other way round.
    #[error("the network reads {reads}, and was given {given}")]
    Kind {
        /// What it reads.
        reads: &'static str,
        /// What it was given.
        given: &'static str,
    },
    /// Timesteps of another width.
    #[error("the network reads {reads} numbers a timestep, and was given {given}")]
    Width {
        /// Its own.
        reads: usize,
        /// The one given.
        given: usize,
    },
    /// States of another network, or of a batch of another size.
    #[error("the states are of {given}; the layers are {expected}")]
    States {
        /// What the network has.
        expected: String,
        /// What the states are of.
        given: String,
    },
    /// A network that can't go on where it stopped: it walks backwards too, or its answer needs all timesteps.
    #[error("a network or stack can't go a step at a time: {0}")]
    NoStream(&'static str),
}

/// Whether a cell can drop these shares of its hidden units and of its recurrent weights.
pub(crate) fn recurrent_dropouts(
    cell: Cell,
    recurrent_dropout: f64,
    weight_dropout: f64,
) -> Result<(), ConfigError> {
    for (setting, share) in [
        ("recurrent_dropout", recurrent_dropout),
        ("weight_dropout", weight_dropout),
    ] {
        share_below_1(share, setting)?;
        if share > 0.0 && !cell.has_recurrent_weight() {
            let cell = cell.title();
            return Err(ConfigError::NoProduct { setting, cell });
        }
    }
    Ok(())
}
