//! A network of sequences: an input, a stack of recurrent layers, a head.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Embedding};
use burn::tensor::{Device, Int, Tensor, TensorData};
use gatefold_kernels::{Tokens, embedding};
use rand::Rng;

use crate::config::NetworkConfig;
use crate::dropout::{Drawn, Masks, OfDevice};
use crate::error::{ConfigError, NetworkError};
use crate::head::Head;
use crate::initializers::{FirstWeights, draw};
use crate::reading::Reading;
use crate::stack::{Stack, StackConfig, StackInput, States};

/// Sequences on a device, for a network to read.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // One a batch.
pub enum NetworkInput {
    /// Tokens.
    Tokens(Tokens),
    /// Numbers at every timestep.
    Values {
        /// `[B, T, in]`.
        values: Tensor<3>,
        /// Valid timesteps of each row, `[B]`.
        lengths: Tensor<1, Int>,
    },
}

impl NetworkInput {
    /// Valid timesteps of each row, `[B]`.
    pub fn lengths(&self) -> Tensor<1, Int> {
        match self {
            Self::Tokens(tokens) => tokens.lengths(),
            Self::Values { lengths, .. } => lengths.clone(),
        }
    }
}

impl From<Tokens> for NetworkInput {
    fn from(tokens: Tokens) -> Self {
        Self::Tokens(tokens)
    }
}

/// What makes vectors of what is read: an embedding, or nothing where numbers are read.
#[derive(Module, Debug)]
pub struct Input {
    pub(crate) embedding: Option<Embedding>,
    /// Of tokens, all their vector's numbers at once.
    dropout: Dropout,
    /// Numbers a timestep, E.
    width: usize,
}

impl Input {
    /// The number of token ids, V, where tokens are read.
    pub fn vocabulary_size(&self) -> Option<usize> {
        let embedding = self.embedding.as_ref()?;
        Some(embedding.weight.lazy_shape()[0])
    }

    /// Numbers of the vector at a timestep.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The vectors at every timestep, `[B, T, E]`.
    ///
    /// # Errors
    /// [`NetworkError`] if this reads something else, or the tokens are of another vocabulary.
    pub fn vectors(&self, input: NetworkInput) -> Result<Tensor<3>, NetworkError> {
        self.vectors_of(self.table(&mut OfDevice), input)
    }

    /// A vector a token, `[V, E]`, where tokens are read.
    fn table(&self, masks: &mut impl Masks) -> Option<Tensor<2>> {
        let weight = self.embedding.as_ref()?.weight.val();
        Some(masks.drop_rows(&self.dropout, weight))
    }

    fn vectors_of(
        &self,
        table: Option<Tensor<2>>,
        input: NetworkInput,
    ) -> Result<Tensor<3>, NetworkError> {
        match (table, input) {
            (Some(table), NetworkInput::Tokens(tokens)) => Ok(embedding(table, tokens)?),
            (None, NetworkInput::Values { values, .. }) => {
                let [_, _, given] = values.dims();
                let reads = self.width;
                (reads == given)
                    .then_some(values)
                    .ok_or(NetworkError::Width { reads, given })
            }
            (Some(_), NetworkInput::Values { .. }) => Err(NetworkError::Kind {
                reads: "tokens",
                given: "numbers",
            }),
            (None, NetworkInput::Tokens(_)) => Err(NetworkError::Kind {
                reads: "numbers",
                given: "tokens",
            }),
        }
    }

    pub(crate) fn for_stack(
        &self,
        input: NetworkInput,
        masks: &mut impl Masks,
    ) -> Result<StackInput, NetworkError> {
        let table = self.table(masks);
        if let (Some(vectors), NetworkInput::Tokens(tokens)) = (&table, &input) {
            let [count, _] = vectors.dims();
            let [batch, time] = tokens.dims();
            tokens.check_table(vectors)?;
            // A token's projection depends on its word alone: fewer products, forward and backward.
            if count < batch * time {
                let (vectors, tokens) = (vectors.clone(), tokens.clone());
                return Ok(StackInput::Words { vectors, tokens });
            }
        }
        let lengths = input.lengths();
        let vectors = self.vectors_of(table, input)?;
        Ok(StackInput::Vectors { vectors, lengths })
    }
}

/// A network that reads sequences and answers. Made by [`NetworkConfig`].
///
/// Answers are always `[rows, C]`: B rows, or B·T where every timestep is [answered](Reading::EveryStep).
#[derive(Module, Debug)]
pub struct Network {
    /// Tokens or numbers to vectors.
    pub input: Input,
    /// Vectors to hidden states.
    pub stack: Stack,
    /// Hidden states to answers.
    pub head: Head,
}

impl NetworkConfig {
    /// A network with first weights from `seed`: the same on every device.
    ///
    /// # Errors
    /// [`ConfigError`] if the configuration describes no network.
    pub fn init(&self, seed: u64, device: &Device) -> Result<Network, ConfigError> {
        let rng = &mut draw::generator(seed);
        self.network(&mut FirstWeights::Drawn(self.initializers, rng), device)
    }

    /// A network of zeros, for weights to be loaded into: it draws nothing, and takes no memory before its
    /// weights are read.
    ///
    /// # Errors
    /// [`ConfigError`] if the configuration describes no network.
    pub fn blank(&self, device: &Device) -> Result<Network, ConfigError> {
        self.network(&mut FirstWeights::Blank, device)
    }

    fn network(&self, weights: &mut FirstWeights, device: &Device) -> Result<Network, ConfigError> {
        self.validate()?;
        let (input, stack) = self.input_and_stack(weights, device);
        let mut width = self.width() * self.reading.widths();
        let dense = (self.dense_size > 0).then(|| {
            let dense = weights.linear([width, self.dense_size], device);
            width = self.dense_size;
            dense
        });
        let head = Head {
            dropout: DropoutConfig::new(self.head_dropout()).init(),
            dense,
            output: weights.linear([width, self.output_size], device),
            reading: self.reading,
        };
        Ok(Network { input, stack, head })
    }

    /// What a network and a language model begin with.
    pub(crate) fn input_and_stack(
        &self,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> (Input, Stack) {
        let (embedding, width) = match self.input_size {
            Some(width) => (None, width),
            None => {
                let shape = [self.vocabulary_size, self.embedding_size];
                let weight = weights.embedding(shape, device);
                let weight = match self.freeze_embeddings {
                    true => weight.set_require_grad(false),
                    false => weight,
                };
                (Some(Embedding { weight }), self.embedding_size)
            }
        };
        let input = Input {
            embedding,
            dropout: DropoutConfig::new(self.embedding_dropout).init(),
            width,
        };
        let stack = StackConfig::new(self.cell, width, self.hidden_size)
            .with_layers(self.layers)
            .with_bidirectional(self.bidirectional)
            .with_dropout(self.dropout)
            .with_recurrent_dropout(self.recurrent_dropout)
            .with_weight_dropout(self.weight_dropout)
            .stack(weights, device);
        (input, stack)
    }
}

impl Network {
    /// The network with these vectors `[E]` of tokens in the place of its own; the other tokens keep theirs.
    ///
    /// # Panics
    /// If it reads numbers, or a token or a vector is not of its embedding.
    pub fn with_token_vectors<'a>(
        mut self,
        vectors: impl IntoIterator<Item = (u32, &'a [f32])>,
    ) -> Self {
        let table = self.input.embedding.as_mut().expect("it reads tokens");
        table.weight = table.weight.clone().map(|weight| {
            let (shape, device) = (weight.dims(), weight.device());
            let mut values: Vec<f32> = weight.into_data().iter().collect();
            for (token, vector) in vectors {
                let first = token as usize * shape[1];
                values[first..][..shape[1]].copy_from_slice(vector);
            }
            Tensor::from_data(TensorData::new(values, shape), &device)
        });
        self
    }

    /// Answers `[rows, C]`. Sorted tokens make the embedding's gradient fast, and the same every time on a GPU
    /// too.
    ///
    /// # Errors
    /// [`NetworkError`] if the network can't read the input.
    pub fn forward(&self, input: impl Into<NetworkInput>) -> Result<Tensor<2>, NetworkError> {
        Ok(self.walk(input.into(), None, &mut OfDevice)?.0)
    }

    /// [`forward`](Self::forward) for a training that repeats: both dropouts draw their masks from
    /// `rng`, the same ones on every device, instead of from the device's generator.
    ///
    /// # Errors
    /// [`NetworkError`] if the network can't read the input.
    pub fn forward_training(
        &self,
        input: impl Into<NetworkInput>,
        rng: &mut impl Rng,
    ) -> Result<Tensor<2>, NetworkError> {
        Ok(self.walk(input.into(), None, &mut Drawn(rng))?.0)
    }

    /// [`forward`](Self::forward) over the next timesteps of sequences that were read up to `states`; nothing is
    /// read yet where there are none. Read in parts of any length, a sequence has the answers that it has as a
    /// whole.
    ///
    /// # Errors
    /// [`NetworkError::NoStream`] if the network walks backwards too, or answers from the largest or mean state;
    /// else as [`forward`](Self::forward), and if the states are of another network or other rows.
    pub fn forward_from(
        &self,
        states: Option<States>,
        input: impl Into<NetworkInput>,
    ) -> Result<(Tensor<2>, States), NetworkError> {
        if !self.stack.is_forward_only() {
            return Err(NetworkError::NoStream("it walks backwards too"));
        }
        if !matches!(self.head.reading, Reading::Last | Reading::EveryStep) {
            return Err(NetworkError::NoStream("it answers from all states at once"));
        }
        self.walk(input.into(), states, &mut OfDevice)
    }

    fn walk(
        &self,
        input: NetworkInput,
        states: Option<States>,
        masks: &mut impl Masks,
    ) -> Result<(Tensor<2>, States), NetworkError> {
        let input = self.input.for_stack(input, masks)?;
        let lengths = input.lengths();
        let walked = self.stack.walk(input, states, masks)?;
        let states = walked.states.clone();
        Ok((self.head.forward(walked, lengths, masks), states))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{ModuleVisitor, Param};

    use super::*;
    use crate::{Cell, Initializers};

    /// The first answer's first number.
    fn answer(network: &Network, input: impl Into<NetworkInput>) -> f32 {
        let answers = network.forward(input).unwrap().into_data();
        answers.iter().next().unwrap()
    }

    fn tokens<const B: usize, const T: usize>(ids: [[i32; T]; B], lengths: [i32; B]) -> Tokens {
        let device = Device::flex();
        let lengths = Tensor::from_data(lengths, &device);
        Tokens::unsorted(Tensor::from_data(ids, &device), lengths, 10).unwrap()
    }

    fn parameters(config: NetworkConfig) -> usize {
        let count = config.init(1, &Device::flex()).unwrap().num_params();
        assert_eq!(config.parameters(), count as f64);
        count
    }

    #[test]
    fn the_lessons_networks_have_their_parameter_counts() {
        let count = |cell| {
            parameters(NetworkConfig {
                cell,
                ..Default::default()
            })
        };
        assert_eq!(count(Cell::Lstm), 184_961);
        assert_eq!(count(Cell::Gru), 179_969);
        assert_eq!(count(Cell::Rnn), 169_409);
        assert_eq!(count(Cell::MinGru), 166_401);
    }

    #[test]
    fn vectors_of_tokens_are_given_and_frozen() {
        let config = NetworkConfig {
            vocabulary_size: 10,
            embedding_size: 2,
            freeze_embeddings: true,
            ..Default::default()
        };
        let network = config.init(1, &Device::flex()).unwrap();
        let table = |network: &Network| {
            let words = network.input.embedding.as_ref().unwrap();
            words
                .weight
                .val()
                .into_data()
                .iter::<f32>()
                .collect::<Vec<_>>()
        };
        let before = table(&network);
        let network = network.with_token_vectors([(3, &[1.0, 2.0][..]), (9, &[-1.0, 0.5])]);
        let after = table(&network);
        assert_eq!((&after[..6], &after[8..18]), (&before[..6], &before[8..18]));
        assert_eq!(
            (&after[6..8], &after[18..]),
            (&[1.0, 2.0][..], &[-1.0, 0.5][..])
        );
        let blank = config.blank(&Device::flex()).unwrap();
        let weights = network.weights().unwrap();
        let loaded = blank.with_weights(&weights).unwrap();
        for network in [network, loaded] {
            let network = network.train();
            let words = network.input.embedding.as_ref().unwrap();
            assert!(!words.weight.is_require_grad());
            assert!(network.head.output.weight.is_require_grad());
        }
    }

    #[test]
    fn layers_stack_in_both_directions() {
        let config = NetworkConfig {
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
        let answers = network.forward(tokens([[1, 4, 5], [1, 6, 0]], [3, 2]));
        assert_eq!(answers.unwrap().dims(), [2, 1]);
    }

    /// FNV-1a of the bits of all weights, tensor after tensor.
    fn fingerprint(network: &Network) -> u64 {
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
            for cell in Cell::ALL {
                for layers in [1, 2] {
                    let config = NetworkConfig {
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
                "Keras mingru 1 f506adddc27880e8",
                "Keras mingru 2 89d6b7dc8a2779ca",
                "PyTorch rnn 1 28f27bd0b7c7c3df",
                "PyTorch rnn 2 4437794208b8e174",
                "PyTorch lstm 1 28b8125679c9f52b",
                "PyTorch lstm 2 1be6f857b7f39538",
                "PyTorch gru 1 25d00f8a7ffcf1ba",
                "PyTorch gru 2 f80afdd595ada4c6",
                "PyTorch mingru 1 8253388351351aab",
                "PyTorch mingru 2 dbe589a5c9ad1de0",
            ]
        );
    }

    #[test]
    fn masks_are_the_rngs_and_every_dropout_has_its_own() {
        let device = Device::flex();
        let config = NetworkConfig {
            vocabulary_size: 10,
            layers: 2,
            ..Default::default()
        };
        let logit = |change: fn(&mut NetworkConfig), seed| {
            let mut config = config.clone();
            change(&mut config);
            let network = config.init(1, &device).unwrap();
            let tokens = Tokens::sorted(&[1, 4, 5], &[3], 10, &device).unwrap();
            let logits = network.forward_training(tokens, &mut draw::generator(seed));
            logits.unwrap().into_scalar::<f32>()
        };
        assert_eq!(logit(|_| (), 1), logit(|_| (), 2));
        let changes: [fn(&mut NetworkConfig); 6] = [
            |config| config.dropout = 0.5,
            |config| config.recurrent_dropout = 0.5,
            |config| config.weight_dropout = 0.5,
            |config| config.embedding_dropout = 0.5,
            |config| config.head_dropout = Some(0.5),
            |config| (config.dropout, config.recurrent_dropout) = (0.5, 0.5),
        ];
        for change in changes {
            let first = logit(change, 1);
            assert_eq!(first, logit(change, 1));
            assert_ne!(first, logit(change, 2));
            assert_ne!(first, logit(|_| (), 1));
        }
        let of_layers_alone = |config: &mut NetworkConfig| {
            (config.dropout, config.head_dropout) = (0.5, Some(0.0));
        };
        assert_ne!(
            logit(of_layers_alone, 1),
            logit(|config| config.dropout = 0.5, 1)
        );
    }

    #[test]
    fn what_stands_in_the_padding_does_not_matter() {
        let device = Device::flex();
        for cell in Cell::ALL {
            let config = NetworkConfig {
                cell,
                vocabulary_size: 10,
                bidirectional: true,
                layers: 2,
                ..Default::default()
            };
            let network = config.init(1, &device).unwrap();
            let logit = |ids: [i32; 4]| answer(&network, tokens([ids], [2]));
            assert_eq!(logit([1, 4, 0, 0]), logit([1, 4, 7, 9]), "{cell:?}");
            assert_ne!(logit([1, 4, 0, 0]), logit([1, 5, 0, 0]), "{cell:?}");
        }
    }

    #[test]
    fn a_configuration_that_describes_no_network_is_refused() {
        let refused =
            |config: NetworkConfig| config.init(1, &Device::flex()).unwrap_err().to_string();
        let config = NetworkConfig::default;
        assert_eq!(
            refused(NetworkConfig {
                hidden_size: 0,
                ..config()
            }),
            "hidden_size must be at least 1"
        );
        assert!(
            refused(NetworkConfig {
                dropout: 1.0,
                ..config()
            })
            .contains("below 1, not 1")
        );
        for huge in [
            NetworkConfig {
                hidden_size: 1 << 32,
                ..config()
            },
            NetworkConfig {
                vocabulary_size: usize::MAX,
                ..config()
            },
        ] {
            assert!(refused(huge).contains("parameters, more than"));
        }
        let deep = NetworkConfig {
            hidden_size: 1,
            layers: 80_000_000,
            ..config()
        };
        assert_eq!(refused(deep), "layers must be at most 64, not 80000000");
        assert!(
            refused(NetworkConfig {
                vocabulary_size: 3,
                ..config()
            })
            .contains("not 3")
        );
    }

    fn values(config: NetworkConfig) -> NetworkConfig {
        NetworkConfig {
            input_size: Some(3),
            hidden_size: 5,
            dense_size: 0,
            output_size: 2,
            ..config
        }
    }

    /// `[2, time, 3]` from timestep `first` on.
    fn numbers(first: usize, time: usize) -> NetworkInput {
        let device = Device::flex();
        let all: Vec<f32> = (0..2 * 9 * 3).map(|i| (i * i % 11) as f32 / 11.0).collect();
        let all = Tensor::<1>::from_data(&all[..], &device).reshape([2, 9, 3]);
        NetworkInput::Values {
            values: all.narrow(1, first, time),
            lengths: Tensor::from_data([time as i32; 2], &device),
        }
    }

    #[test]
    fn every_reading_answers_sequences_of_numbers() {
        let device = Device::flex();
        for (reading, rows, of_head) in [
            (Reading::Last, 2, 2 * 5 + 2),
            (Reading::Max, 2, 2 * 5 + 2),
            (Reading::Mean, 2, 2 * 5 + 2),
            (Reading::MaxMean, 2, 2 * 10 + 2),
            (Reading::Concat, 2, 2 * 15 + 2),
            (Reading::EveryStep, 18, 2 * 5 + 2),
        ] {
            let config = values(NetworkConfig {
                reading,
                ..Default::default()
            });
            assert_eq!(parameters(config.clone()), 4 * 5 * (3 + 5 + 1) + of_head);
            let network = config.init(1, &device).unwrap();
            let answers = network.forward(numbers(0, 9)).unwrap();
            assert_eq!(answers.dims(), [rows, 2], "{reading:?}");
        }
    }

    #[test]
    fn a_sequence_read_in_parts_has_the_answers_that_it_has_as_a_whole() {
        let device = Device::flex();
        for cell in Cell::ALL {
            let config = values(NetworkConfig {
                cell,
                layers: 2,
                reading: Reading::EveryStep,
                ..Default::default()
            });
            let network = config.init(1, &device).unwrap();
            let whole = network.forward(numbers(0, 9)).unwrap().reshape([2, 9, 2]);
            let (mut states, mut first, mut parts) = (None, 0, Vec::new());
            for time in [1, 3, 5] {
                let part = network.forward_from(states, numbers(first, time));
                let (answers, after) = part.unwrap();
                parts.push(answers.reshape([2, time, 2]));
                (states, first) = (Some(after.detach()), first + time);
            }
            let parts: Tensor<3> = Tensor::cat(parts, 1);
            let difference: f32 = (parts - whole).abs().max().into_scalar();
            assert!(difference < 1e-6, "{cell:?}: {difference}");
        }
    }

    #[test]
    fn what_a_network_cannot_read_is_refused() {
        let device = Device::flex();
        let network = |config: NetworkConfig| config.init(1, &device).unwrap();
        let of_numbers = network(values(NetworkConfig::default()));
        let of_tokens = network(NetworkConfig {
            vocabulary_size: 10,
            ..Default::default()
        });
        let refused = |network: &Network, input: NetworkInput| {
            network.forward(input).unwrap_err().to_string()
        };
        let word = || tokens([[1]], [1]).into();
        assert_eq!(
            refused(&of_tokens, numbers(0, 1)),
            "the network reads tokens, and was given numbers"
        );
        assert!(refused(&of_numbers, word()).contains("reads numbers"));
        let wide = NetworkInput::Values {
            values: Tensor::zeros([1, 1, 4], &device),
            lengths: Tensor::from_data([1], &device),
        };
        assert_eq!(
            refused(&of_numbers, wide),
            "the network reads 3 numbers a timestep, and was given 4"
        );

        let (_, states) = of_numbers.forward_from(None, numbers(0, 1)).unwrap();
        let error = of_tokens.forward_from(Some(states), tokens([[1]], [1]));
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("initial hidden state has shape [2, 5], expected [1, 64]"),
            "{error}"
        );
        for config in [
            NetworkConfig {
                bidirectional: true,
                ..Default::default()
            },
            NetworkConfig {
                reading: Reading::Mean,
                ..Default::default()
            },
        ] {
            let network = network(values(config));
            let error = network.forward_from(None, numbers(0, 1)).unwrap_err();
            assert!(matches!(error, NetworkError::NoStream(_)), "{error}");
        }
    }
}
