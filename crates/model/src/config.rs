//! The description of a network.

use serde::{Deserialize, Serialize};

use crate::error::{ConfigError, MOST_LAYERS, at_least_1, recurrent_dropouts, share_below_1};
use crate::initializers::Initializers;
use crate::layers::Cell;
use crate::reading::Reading;

/// Configuration of a [`Network`](crate::Network). The default is the lesson's: 10 000 words, embedding 16, one
/// LSTM of 64 units, dense 64, one number as the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Kind of recurrent layer.
    pub cell: Cell,
    /// Numbers a timestep, where the network reads numbers; without it, it reads tokens. Training takes it from
    /// the data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_size: Option<usize>,
    /// Number of token ids, the reserved ones included.
    pub vocabulary_size: usize,
    /// Size of a token's vector.
    pub embedding_size: usize,
    /// Hidden size of each recurrent layer and direction.
    pub hidden_size: usize,
    /// Number of recurrent layers, one on top of the other.
    pub layers: usize,
    /// Whether every layer also walks time backwards, beside its forward walk.
    pub bidirectional: bool,
    /// Share of a recurrent layer's outputs zeroed in training, in [0, 1).
    pub dropout: f64,
    /// Share of a recurrent layer's hidden units that its recurrent products leave out in training, the
    /// same ones at every timestep of a step, in [0, 1).
    pub recurrent_dropout: f64,
    /// Share of the recurrent weights' numbers zeroed in training, the same ones at every timestep of a step, in
    /// [0, 1): DropConnect (Wan et al. 2013) on U (Merity, Keskar and Socher 2018).
    #[serde(skip_serializing_if = "is_zero")]
    pub weight_dropout: f64,
    /// Share of the tokens whose vectors are zeroed in training wherever they stand in a step's texts, in [0, 1) (Gal and
    /// Ghahramani 2016, with one mask a batch).
    #[serde(skip_serializing_if = "is_zero")]
    pub embedding_dropout: f64,
    /// Share of what the head reads that is zeroed in training, in [0, 1), where it is another one than `dropout`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dropout: Option<f64>,
    /// What of the last recurrent layer's hidden states is answered from.
    #[serde(rename = "pooling", alias = "reading")]
    pub reading: Reading,
    /// Size of the dense layer before the output; 0 leaves it out.
    pub dense_size: usize,
    /// Numbers an answer, C. Training takes it from the data.
    pub output_size: usize,
    /// Whose first weights.
    pub initializers: Initializers,
    /// Whether training leaves the tokens' vectors as they are.
    #[serde(skip_serializing_if = "is_false")]
    pub freeze_embeddings: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            input_size: None,
            vocabulary_size: 10_000,
            embedding_size: 16,
            hidden_size: 64,
            layers: 1,
            bidirectional: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            weight_dropout: 0.0,
            embedding_dropout: 0.0,
            head_dropout: None,
            reading: Reading::Last,
            dense_size: 64,
            output_size: 1,
            initializers: Initializers::Keras,
            freeze_embeddings: false,
        }
    }
}

/// 4 GB of weights; training takes four times that.
const MOST_PARAMETERS: f64 = 1e9;

impl NetworkConfig {
    /// Whether this describes a network.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is off.
    pub fn validate(&self) -> Result<(), ConfigError> {
        match self.input_size {
            Some(width) => at_least_1(width, "input_size")?,
            None if self.vocabulary_size < 4 => {
                return Err(ConfigError::Vocabulary(self.vocabulary_size));
            }
            None => at_least_1(self.embedding_size, "embedding_size")?,
        }
        at_least_1(self.hidden_size, "hidden_size")?;
        at_least_1(self.layers, "layers")?;
        at_least_1(self.output_size, "output_size")?;
        if self.layers > MOST_LAYERS {
            return Err(ConfigError::Layers(self.layers));
        }
        share_below_1(self.dropout, "dropout")?;
        share_below_1(self.embedding_dropout, "embedding_dropout")?;
        share_below_1(self.head_dropout(), "head_dropout")?;
        recurrent_dropouts(self.cell, self.recurrent_dropout, self.weight_dropout)?;
        if self.input_size.is_some() && self.embedding_dropout > 0.0 {
            return Err(ConfigError::NoEmbedding);
        }
        let parameters = self.parameters();
        if parameters > MOST_PARAMETERS {
            return Err(ConfigError::TooLarge(parameters));
        }
        Ok(())
    }

    /// Share of what the head reads that is zeroed in training.
    pub fn head_dropout(&self) -> f64 {
        self.head_dropout.unwrap_or(self.dropout)
    }

    /// The width of a layer's hidden states: H or, in both directions, 2H.
    pub fn width(&self) -> usize {
        self.hidden_size
            .saturating_mul(if self.bidirectional { 2 } else { 1 })
    }

    /// The number of parameters; a float, which no size overflows.
    pub fn parameters(&self) -> f64 {
        let [vocabulary, embedding, hidden, layers, dense, output] = [
            self.vocabulary_size,
            self.embedding_size,
            self.hidden_size,
            self.layers,
            self.dense_size,
            self.output_size,
        ]
        .map(|size| size as f64);
        let gates = self.cell.gates() as f64;
        let biases = 1.0 + f64::from(u8::from(self.cell.has_recurrent_bias()));
        let directions = if self.bidirectional { 2.0 } else { 1.0 };
        let recurrent = if self.cell.has_recurrent_weight() {
            hidden
        } else {
            0.0
        };
        let layer = |input: f64| directions * gates * hidden * (input + recurrent + biases);
        let width = directions * hidden;
        let linear = |input: f64, output: f64| (input + 1.0) * output;
        let read = width * self.reading.widths() as f64;
        let (words, input) = match self.input_size {
            Some(width) => (0.0, width as f64),
            None => (vocabulary * embedding, embedding),
        };
        words
            + layer(input)
            + (layers - 1.0) * layer(width)
            + match self.dense_size {
                0 => linear(read, output),
                _ => linear(read, dense) + linear(dense, output),
            }
    }
}
