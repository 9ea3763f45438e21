//! A classifier of token sequences: embedding, recurrent layers, a dense layer with ReLU, one logit.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::{Projections, TokenError, Tokens, embedding};
use rand::Rng;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::dropout::{Drawn, Masks, OfDevice};
use crate::initializers::{FirstWeights, Initializers, draw};
use crate::layers::{Cell, Gru, GruConfig, Lstm, LstmConfig, SimpleRnn, SimpleRnnConfig};

/// Configuration of a [`SequenceClassifier`]. The default is the lesson's network: 10 000 words,
/// embedding 16, one LSTM of 64 units, dense 64, dense 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SequenceClassifierConfig {
    /// Kind of recurrent layer.
    pub cell: Cell,
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
    /// Size of the dense layer.
    pub dense_size: usize,
    /// Whose first weights.
    pub initializers: Initializers,
}

impl Default for SequenceClassifierConfig {
    fn default() -> Self {
        Self {
            cell: Cell::Lstm,
            vocabulary_size: 10_000,
            embedding_size: 16,
            hidden_size: 64,
            layers: 1,
            bidirectional: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            dense_size: 64,
            initializers: Initializers::Keras,
        }
    }
}

/// 4 GB of weights; training takes four times that.
const MOST_PARAMETERS: f64 = 1e9;

/// Deeper stacks are not trained without residual connections.
const MOST_LAYERS: usize = 64;

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

impl SequenceClassifierConfig {
    /// Whether this describes a network.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is off.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.vocabulary_size < 4 {
            return Err(ConfigError::Vocabulary(self.vocabulary_size));
        }
        at_least_1(self.embedding_size, "embedding_size")?;
        at_least_1(self.hidden_size, "hidden_size")?;
        at_least_1(self.layers, "layers")?;
        at_least_1(self.dense_size, "dense_size")?;
        if self.layers > MOST_LAYERS {
            return Err(ConfigError::Layers(self.layers));
        }
        share_below_1(self.dropout, "dropout")?;
        share_below_1(self.recurrent_dropout, "recurrent_dropout")?;
        let parameters = self.parameters();
        if parameters > MOST_PARAMETERS {
            return Err(ConfigError::TooLarge(parameters));
        }
        Ok(())
    }

    /// The number of parameters; a float, which no size overflows.
    pub fn parameters(&self) -> f64 {
        let [vocabulary, embedding, hidden, layers, dense] = [
            self.vocabulary_size,
            self.embedding_size,
            self.hidden_size,
            self.layers,
            self.dense_size,
        ]
        .map(|size| size as f64);
        let (gates, biases) = match self.cell {
            Cell::Rnn => (1.0, 1.0),
            Cell::Lstm => (4.0, 1.0),
            Cell::Gru => (3.0, 2.0),
        };
        let directions = if self.bidirectional { 2.0 } else { 1.0 };
        let layer = |input: f64| directions * gates * hidden * (input + hidden + biases);
        let width = directions * hidden;
        vocabulary * embedding
            + layer(embedding)
            + (layers - 1.0) * layer(width)
            + (width + 1.0) * dense
            + dense
            + 1.0
    }

    /// A network with first weights from `seed`: the same on every device.
    ///
    /// # Errors
    /// [`ConfigError`] if the configuration describes no network.
    pub fn init(&self, seed: u64, device: &Device) -> Result<SequenceClassifier, ConfigError> {
        let rng = &mut draw::generator(seed);
        self.network(&mut FirstWeights::Drawn(self.initializers, rng), device)
    }

    /// A network of zeros, for weights to be loaded into: it draws nothing, and takes no memory before its
    /// weights are read.
    ///
    /// # Errors
    /// [`ConfigError`] if the configuration describes no network.
    pub fn blank(&self, device: &Device) -> Result<SequenceClassifier, ConfigError> {
        self.network(&mut FirstWeights::Blank, device)
    }

    fn network(
        &self,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> Result<SequenceClassifier, ConfigError> {
        self.validate()?;
        let embedding = [self.vocabulary_size, self.embedding_size];
        let embedding = Embedding {
            weight: weights.embedding(embedding, device),
        };
        let mut width = self.embedding_size;
        let recurrent = (0..self.layers)
            .map(|_| {
                let layer = RecurrentLayer {
                    forward: self.direction(width, false, weights, device),
                    reverse: self
                        .bidirectional
                        .then(|| self.direction(width, true, weights, device)),
                };
                width = self.hidden_size * if self.bidirectional { 2 } else { 1 };
                layer
            })
            .collect();
        Ok(SequenceClassifier {
            embedding,
            recurrent,
            dropout: DropoutConfig::new(self.dropout).init(),
            dense: weights.linear([width, self.dense_size], device),
            output: weights.linear([self.dense_size, 1], device),
        })
    }

    fn direction(
        &self,
        input: usize,
        reverse: bool,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> RecurrentCell {
        let sizes = [input, self.hidden_size];
        RecurrentCell::layer(self.cell, sizes, reverse, weights, device)
            .with_recurrent_dropout(self.recurrent_dropout)
    }
}

/// A recurrent layer of any kind, in one direction.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A network holds a handful.
pub enum RecurrentCell {
    /// A simple RNN.
    SimpleRnn(SimpleRnn),
    /// An LSTM.
    Lstm(Lstm),
    /// A GRU.
    Gru(Gru),
}

impl RecurrentCell {
    /// A layer that reads vectors of `input` numbers into `hidden` units, its weights drawn from `rng`.
    ///
    /// # Panics
    /// If a size is 0.
    pub fn init_with(
        cell: Cell,
        [input, hidden]: [usize; 2],
        reverse: bool,
        initializers: Initializers,
        rng: &mut impl Rng,
        device: &Device,
    ) -> Self {
        let weights = &mut FirstWeights::Drawn(initializers, rng);
        Self::layer(cell, [input, hidden], reverse, weights, device)
    }

    fn layer(
        cell: Cell,
        [input, hidden]: [usize; 2],
        reverse: bool,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> Self {
        match cell {
            Cell::Rnn => {
                let config = SimpleRnnConfig::new(input, hidden).with_reverse(reverse);
                Self::SimpleRnn(config.layer(weights, device))
            }
            Cell::Lstm => {
                let config = LstmConfig::new(input, hidden).with_reverse(reverse);
                Self::Lstm(config.layer(weights, device))
            }
            Cell::Gru => {
                let config = GruConfig::new(input, hidden).with_reverse(reverse);
                Self::Gru(config.layer(weights, device))
            }
        }
    }

    fn with_recurrent_dropout(mut self, share: f64) -> Self {
        let dropout = match &mut self {
            Self::SimpleRnn(layer) => &mut layer.recurrent_dropout,
            Self::Lstm(layer) => &mut layer.recurrent_dropout,
            Self::Gru(layer) => &mut layer.recurrent_dropout,
        };
        *dropout = DropoutConfig::new(share).init();
        self
    }

    /// `x W + b` for every timestep: `[B, T, in]` → `[B, T, G·H]`.
    pub fn project(&self, input: Tensor<3>) -> Tensor<3> {
        match self {
            Self::SimpleRnn(layer) => layer.project(input),
            Self::Lstm(layer) => layer.project(input),
            Self::Gru(layer) => layer.project(input),
        }
    }

    fn project_rows(&self, rows: Tensor<2>) -> Tensor<2> {
        match self {
            Self::SimpleRnn(layer) => layer.project_rows(rows),
            Self::Lstm(layer) => layer.project_rows(rows),
            Self::Gru(layer) => layer.project_rows(rows),
        }
    }

    /// Hidden states `[B, T, H]` and the final one `[B, H]`, from what [`project`](Self::project) returns, or
    /// from a projection a word.
    ///
    /// # Panics
    /// If the shapes don't fit together.
    pub fn forward(
        &self,
        projections: impl Into<Projections>,
        lengths: Tensor<1, Int>,
    ) -> (Tensor<3>, Tensor<2>) {
        self.walk(projections.into(), lengths, &mut OfDevice)
    }

    fn walk(
        &self,
        projections: Projections,
        lengths: Tensor<1, Int>,
        masks: &mut impl Masks,
    ) -> (Tensor<3>, Tensor<2>) {
        let lengths = Some(lengths);
        match self {
            Self::SimpleRnn(layer) => {
                let output = layer.walk(projections, lengths, None, masks);
                (output.hidden_states, output.final_hidden)
            }
            Self::Lstm(layer) => {
                let output = layer.walk(projections, lengths, None, masks);
                (output.hidden_states, output.final_state.hidden)
            }
            Self::Gru(layer) => {
                let output = layer.walk(projections, lengths, None, masks);
                (output.hidden_states, output.final_hidden)
            }
        }
    }
}

/// One recurrent layer, in one direction or both.
#[derive(Module, Debug)]
pub(crate) struct RecurrentLayer {
    pub(crate) forward: RecurrentCell,
    pub(crate) reverse: Option<RecurrentCell>,
}

impl RecurrentLayer {
    /// Hidden states `[B, T, N]` and the final ones `[B, N]`, N = H or, in both directions, 2H.
    /// `project` makes a direction's projections.
    pub(crate) fn forward(
        &self,
        project: impl Fn(&RecurrentCell) -> Projections,
        lengths: Tensor<1, Int>,
        masks: &mut impl Masks,
    ) -> (Tensor<3>, Tensor<2>) {
        let forward = project(&self.forward);
        let Some(reverse) = &self.reverse else {
            return self.forward.walk(forward, lengths, masks);
        };
        let (states, last) = self.forward.walk(forward, lengths.clone(), masks);
        let (reverse_states, reverse_last) = reverse.walk(project(reverse), lengths, masks);
        (
            Tensor::cat(vec![states, reverse_states], 2),
            Tensor::cat(vec![last, reverse_last], 1),
        )
    }
}

/// Embedding, recurrent layers, dense with ReLU, dense 1: one logit a sequence, positive for the
/// positive class. Made by [`SequenceClassifierConfig`].
#[derive(Module, Debug)]
pub struct SequenceClassifier {
    pub(crate) embedding: Embedding,
    pub(crate) recurrent: Vec<RecurrentLayer>,
    pub(crate) dropout: Dropout,
    pub(crate) dense: Linear,
    pub(crate) output: Linear,
}

impl SequenceClassifier {
    /// The recurrent layer, where there is one alone and it walks forward alone.
    pub fn single_layer(&self) -> Option<&RecurrentCell> {
        match &self.recurrent[..] {
            [layer] if layer.reverse.is_none() => Some(&layer.forward),
            _ => None,
        }
    }

    /// The tokens' vectors, `[B, T, E]`.
    ///
    /// # Errors
    /// [`TokenError::Words`] if the tokens are not of [`vocabulary_size`](Self::vocabulary_size) words.
    pub fn embed(&self, tokens: Tokens) -> Result<Tensor<3>, TokenError> {
        embedding(self.embedding.weight.val(), tokens)
    }

    /// The logits `[B]` of the last layer's final hidden states `[B, N]`.
    pub fn logits(&self, last: Tensor<2>) -> Tensor<1> {
        self.answer(last, &mut OfDevice)
    }

    fn answer(&self, last: Tensor<2>, masks: &mut impl Masks) -> Tensor<1> {
        let last = masks.drop_values(&self.dropout, last);
        let dense = relu(self.dense.forward(last));
        self.output.forward(dense).squeeze_dim(1)
    }

    /// The number of token ids, V.
    pub fn vocabulary_size(&self) -> usize {
        self.embedding.weight.lazy_shape()[0]
    }

    /// - `ids`: token ids `[B, T]`, padded at the end;
    /// - `lengths`: how many tokens of each row count, `[B]`;
    /// - returns logits `[B]`.
    pub fn forward(&self, ids: Tensor<2, Int>, lengths: Tensor<1, Int>) -> Tensor<1> {
        let tokens = Tokens::unsorted(ids, lengths, self.vocabulary_size());
        self.forward_tokens(tokens)
            .expect("the tokens are of this vocabulary")
    }

    /// [`forward`](Self::forward) for tokens that may be sorted: then the embedding's gradient is fast and the
    /// same every time on a GPU too.
    ///
    /// # Errors
    /// [`TokenError::Words`] if the tokens are not of [`vocabulary_size`](Self::vocabulary_size) words.
    pub fn forward_tokens(&self, tokens: Tokens) -> Result<Tensor<1>, TokenError> {
        self.run(tokens, &mut OfDevice)
    }

    /// [`forward_tokens`](Self::forward_tokens) for a training that repeats: both dropouts draw their masks from
    /// `rng`, the same ones on every device, instead of from the device's generator.
    ///
    /// # Errors
    /// [`TokenError::Words`] if the tokens are not of [`vocabulary_size`](Self::vocabulary_size) words.
    pub fn forward_training(
        &self,
        tokens: Tokens,
        rng: &mut impl Rng,
    ) -> Result<Tensor<1>, TokenError> {
        self.run(tokens, &mut Drawn(rng))
    }

    fn run(&self, tokens: Tokens, masks: &mut impl Masks) -> Result<Tensor<1>, TokenError> {
        tokens.check_words(self.vocabulary_size())?;
        let (first, deeper) = self
            .recurrent
            .split_first()
            .expect("a configuration has at least one layer");
        let lengths = tokens.lengths();
        let [batch, time] = tokens.dims();
        let words = self.embedding.weight.val();
        let (mut sequence, mut last) = if self.vocabulary_size() < batch * time {
            // A token's projection depends on its word alone: fewer products, forward and backward.
            let project = |cell: &RecurrentCell| {
                let table = cell.project_rows(words.clone());
                Projections::per_word(table, tokens.clone()).expect("a table has a row a word")
            };
            first.forward(project, lengths.clone(), masks)
        } else {
            let sequence = self.embed(tokens)?;
            let project = |cell: &RecurrentCell| cell.project(sequence.clone()).into();
            first.forward(project, lengths.clone(), masks)
        };
        for layer in deeper {
            sequence = masks.drop_values(&self.dropout, sequence);
            let project = |cell: &RecurrentCell| cell.project(sequence.clone()).into();
            (sequence, last) = layer.forward(project, lengths.clone(), masks);
        }
        Ok(self.answer(last, masks))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleVisitor, Param};

    use super::*;

    fn parameters(config: SequenceClassifierConfig) -> usize {
        let count = config.init(1, &Device::flex()).unwrap().num_params();
        assert_eq!(config.parameters(), count as f64);
        count
    }

    #[test]
    fn the_lessons_networks_have_their_parameter_counts() {
        let count = |cell| {
            parameters(SequenceClassifierConfig {
                cell,
                ..Default::default()
            })
        };
        assert_eq!(count(Cell::Lstm), 184_961);
        assert_eq!(count(Cell::Gru), 179_969);
        assert_eq!(count(Cell::Rnn), 169_409);
    }

    #[test]
    fn layers_stack_in_both_directions() {
        let config = SequenceClassifierConfig {
            vocabulary_size: 10,
            embedding_size: 3,
            hidden_size: 5,
            layers: 2,
            bidirectional: true,
            dense_size: 4,
            ..Default::default()
        };
        let lstm = |input: usize| 2 * 4 * 5 * (input + 5 + 1);
        let expected = 10 * 3 + lstm(3) + lstm(10) + 10 * 4 + 4 + 4 + 1;
        assert_eq!(parameters(config.clone()), expected);

        let device = Device::flex();
        let network = config.init(1, &device).unwrap();
        let ids = Tensor::from_data([[1, 4, 5], [1, 6, 0]], &device);
        let lengths = Tensor::from_data([3, 2], &device);
        assert_eq!(network.forward(ids, lengths).dims(), [2]);
    }

    /// FNV-1a of the bits of all weights, tensor after tensor.
    fn fingerprint(network: &SequenceClassifier) -> u64 {
        struct Hash(u64);
        impl ModuleVisitor for Hash {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                for value in param.val().into_data().iter::<f32>() {
                    for byte in value.to_le_bytes() {
                        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                    }
                }
            }
        }
        let mut hash = Hash(0xcbf2_9ce4_8422_2325);
        network.visit(&mut hash);
        hash.0
    }

    #[test]
    fn a_seeds_first_weights_are_the_same_for_all_time_on_every_processor() {
        let mut found = Vec::new();
        for initializers in [Initializers::Keras, Initializers::PyTorch] {
            for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
                for layers in [1, 2] {
                    let config = SequenceClassifierConfig {
                        cell,
                        initializers,
                        layers,
                        vocabulary_size: 20,
                        embedding_size: 5,
                        hidden_size: 43,
                        bidirectional: layers == 2,
                        dense_size: 6,
                        ..Default::default()
                    };
                    let network = config.init(42, &Device::flex()).unwrap();
                    found.push(format!(
                        "{initializers:?} {cell} {layers} {:016x}",
                        fingerprint(&network)
                    ));
                }
            }
        }
        assert_eq!(
            found,
            [
                "Keras rnn 1 e14c061e18cd0df4",
                "Keras rnn 2 55cf2c7356aed3e7",
                "Keras lstm 1 2fbd1bb35fd59064",
                "Keras lstm 2 6ab557dbda3cf42a",
                "Keras gru 1 fe60cc714f48b432",
                "Keras gru 2 be8575d9aff8a6c1",
                "PyTorch rnn 1 28f27bd0b7c7c3df",
                "PyTorch rnn 2 4437794208b8e174",
                "PyTorch lstm 1 28b8125679c9f52b",
                "PyTorch lstm 2 1be6f857b7f39538",
                "PyTorch gru 1 25d00f8a7ffcf1ba",
                "PyTorch gru 2 f80afdd595ada4c6"
            ]
        );
    }

    #[test]
    fn masks_are_the_rngs_and_both_dropouts_have_their_own() {
        let device = Device::flex();
        let config = SequenceClassifierConfig {
            vocabulary_size: 10,
            layers: 2,
            ..Default::default()
        };
        let logit = |dropout, recurrent_dropout, seed| {
            let config = SequenceClassifierConfig {
                dropout,
                recurrent_dropout,
                ..config.clone()
            };
            let network = config.init(1, &device).unwrap();
            let tokens = Tokens::sorted(&[1, 4, 5], &[3], 10, &device).unwrap();
            let logits = network.forward_training(tokens, &mut draw::generator(seed));
            logits.unwrap().into_scalar::<f32>()
        };
        assert_eq!(logit(0.0, 0.0, 1), logit(0.0, 0.0, 2));
        for (dropout, recurrent) in [(0.5, 0.0), (0.0, 0.5), (0.5, 0.5)] {
            let first = logit(dropout, recurrent, 1);
            assert_eq!(first, logit(dropout, recurrent, 1));
            assert_ne!(first, logit(dropout, recurrent, 2));
            assert_ne!(first, logit(0.0, 0.0, 1));
        }
    }

    #[test]
    fn what_stands_in_the_padding_does_not_matter() {
        let device = Device::flex();
        for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
            let config = SequenceClassifierConfig {
                cell,
                vocabulary_size: 10,
                bidirectional: true,
                layers: 2,
                ..Default::default()
            };
            let network = config.init(1, &device).unwrap();
            let logit = |ids: [[i32; 4]; 1]| {
                let ids = Tensor::from_data(ids, &device);
                let lengths = Tensor::from_data([2], &device);
                network.forward(ids, lengths).into_scalar::<f32>()
            };
            assert_eq!(logit([[1, 4, 0, 0]]), logit([[1, 4, 7, 9]]), "{cell:?}");
            assert_ne!(logit([[1, 4, 0, 0]]), logit([[1, 5, 0, 0]]), "{cell:?}");
        }
    }

    #[test]
    fn a_configuration_that_describes_no_network_is_refused() {
        let refused = |config: SequenceClassifierConfig| {
            config.init(1, &Device::flex()).unwrap_err().to_string()
        };
        let config = SequenceClassifierConfig::default;
        assert_eq!(
            refused(SequenceClassifierConfig {
                hidden_size: 0,
                ..config()
            }),
            "hidden_size must be at least 1"
        );
        assert!(
            refused(SequenceClassifierConfig {
                dropout: 1.0,
                ..config()
            })
            .contains("below 1, not 1")
        );
        for huge in [
            SequenceClassifierConfig {
                hidden_size: 1 << 32,
                ..config()
            },
            SequenceClassifierConfig {
                vocabulary_size: usize::MAX,
                ..config()
            },
        ] {
            assert!(refused(huge).contains("parameters, more than"));
        }
        let deep = SequenceClassifierConfig {
            hidden_size: 1,
            layers: 80_000_000,
            ..config()
        };
        assert_eq!(refused(deep), "layers must be at most 64, not 80000000");
        assert!(
            refused(SequenceClassifierConfig {
                vocabulary_size: 3,
                ..config()
            })
            .contains("not 3")
        );
    }
}
