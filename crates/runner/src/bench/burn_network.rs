//! The lesson's network, of Burn's own layers alone.

use burn::module::Module;
use burn::nn::{
    Embedding, EmbeddingConfig, Gru, GruConfig, Linear, LinearConfig, Lstm, LstmConfig, Rnn,
    RnnConfig,
};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_data::{Batch, BatchInput};
use gatefold_model::{Cell, NetworkConfig, NetworkError};
use gatefold_training::Answers;

/// Embedding, one recurrent layer, dense with ReLU, dense 1, sized as [`NetworkConfig`] says
/// but with Burn's first weights.
#[derive(Module, Debug)]
pub(super) struct BurnClassifier {
    embedding: Embedding,
    recurrent: BurnCell,
    dense: Linear,
    output: Linear,
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // A network holds one.
enum BurnCell {
    Rnn(Rnn),
    Lstm(Lstm),
    Gru(Gru),
}

impl BurnClassifier {
    /// `None` if Burn has no such layer.
    pub fn new(config: &NetworkConfig, device: &Device) -> Option<Self> {
        let (input, hidden) = (config.embedding_size, config.hidden_size);
        Some(Self {
            embedding: EmbeddingConfig::new(config.vocabulary_size, input).init(device),
            recurrent: match config.cell {
                Cell::Rnn => BurnCell::Rnn(RnnConfig::new(input, hidden, true).init(device)),
                Cell::Lstm => BurnCell::Lstm(LstmConfig::new(input, hidden, true).init(device)),
                Cell::Gru => BurnCell::Gru(GruConfig::new(input, hidden, true).init(device)),
                _ => return None,
            },
            dense: LinearConfig::new(hidden, config.dense_size).init(device),
            output: LinearConfig::new(config.dense_size, 1).init(device),
        })
    }
}

impl BurnCell {
    /// The final hidden state `[B, H]`.
    fn forward(&self, input: Tensor<3>) -> Tensor<2> {
        match self {
            Self::Rnn(layer) => layer.forward(input, None).1.hidden,
            Self::Lstm(layer) => layer.forward(input, None).1.hidden,
            // Burn's GRU returns the hidden states of all timesteps, and no final one beside them.
            Self::Gru(layer) => {
                let states = layer.forward(input, None);
                let last = states.dims()[1] - 1;
                states.slice_dim(1, last..last + 1).squeeze_dim(1)
            }
        }
    }
}

impl Answers for BurnClassifier {
    /// Reads every row as full: Burn's layers take no lengths.
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError> {
        let BatchInput::Tokens(ids) = &batch.input else {
            return Err(NetworkError::Kind {
                reads: "tokens",
                given: "numbers",
            });
        };
        let ids = TensorData::new(ids.clone(), [batch.size, batch.time]);
        let ids = Tensor::from_data(ids, device);
        let last = self.recurrent.forward(self.embedding.forward(ids));
        let dense = relu(self.dense.forward(last));
        Ok(self.output.forward(dense))
    }
}
