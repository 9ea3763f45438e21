//! Batches on a device, and networks that answer them.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_data::random::ChaCha8Rng;
use gatefold_data::{Batch, BatchInput};
use gatefold_model::{Network, NetworkError, NetworkInput, TokenError, Tokens};

/// A network that answers batches: anyone's can be trained, tested and kept.
pub trait Answers: Module {
    /// The answers `[rows, C]` to a batch, on `device`: B rows, or B·T where every timestep has a target.
    ///
    /// # Errors
    /// If the network can't read the batch.
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError>;

    /// What its weights are called in checkpoints and files, from a tensor's path in the module.
    fn weight_name(path: &str) -> String {
        path.to_owned()
    }

    /// [`answers`](Self::answers) to learn from. Dropout draws from `_masks`, where there is any; masks that come
    /// from elsewhere are others after a resumption.
    ///
    /// # Errors
    /// If the network can't read the batch.
    fn answers_training(
        &self,
        batch: &Batch,
        device: &Device,
        _masks: &mut ChaCha8Rng,
    ) -> Result<Tensor<2>, NetworkError> {
        self.answers(batch, device)
    }

    /// What training hands from a batch to the next beside the weights, for checkpoints to hold; nothing, unless a
    /// batch's rows go on with those of the one before.
    fn carried(&self) -> Vec<Tensor<1>> {
        Vec::new()
    }

    /// Takes back what [`carried`](Self::carried) gave, onto `device`.
    ///
    /// # Errors
    /// Says why it can't be this network's.
    fn carry(&self, carried: Vec<Vec<f32>>, _device: &Device) -> Result<(), String> {
        match carried.is_empty() {
            true => Ok(()),
            false => Err("it carries states, which this network doesn't".into()),
        }
    }
}

impl Answers for Network {
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError> {
        self.forward(unsorted_input(self, batch, device)?)
    }

    fn weight_name(path: &str) -> String {
        Network::weight_name(path)
    }

    fn answers_training(
        &self,
        batch: &Batch,
        device: &Device,
        masks: &mut ChaCha8Rng,
    ) -> Result<Tensor<2>, NetworkError> {
        let input = network_input(self, batch, device)?;
        self.forward_training(input, masks)
    }
}

/// A batch as `network` reads it where nothing is learnt, its tokens as they are.
///
/// # Errors
/// As [`network_input`].
pub(crate) fn unsorted_input(
    network: &Network,
    batch: &Batch,
    device: &Device,
) -> Result<NetworkInput, NetworkError> {
    match network.input.vocabulary_size() {
        Some(words) => unsorted(batch, words, device),
        None => values(batch, device),
    }
}

/// A batch as `network` reads it, its tokens sorted for the embedding's gradient.
///
/// # Errors
/// If the batch is of numbers where the network reads tokens, or the other way round; or if a token is outside
/// the network's vocabulary.
pub fn network_input(
    network: &Network,
    batch: &Batch,
    device: &Device,
) -> Result<NetworkInput, NetworkError> {
    let Some(words) = network.input.vocabulary_size() else {
        return values(batch, device);
    };
    let ids = tokens(batch)?;
    Ok(Tokens::sorted(ids, &batch.lengths, words, device)?.into())
}

/// Its tokens as they are, each of which has to be one of `words`.
pub(crate) fn unsorted(
    batch: &Batch,
    words: usize,
    device: &Device,
) -> Result<NetworkInput, NetworkError> {
    let ids = tokens(batch)?;
    let is_word = |id: &i32| usize::try_from(*id).is_ok_and(|id| id < words);
    if let Some(position) = ids.iter().position(|id| !is_word(id)) {
        let id = ids[position];
        return Err(TokenError::UnknownWord {
            position,
            id,
            words,
        }
        .into());
    }
    let ids = TensorData::new(ids.to_vec(), [batch.size, batch.time]);
    let lengths = Tensor::from_data(&batch.lengths[..], device);
    let tokens = Tokens::unsorted(Tensor::from_data(ids, device), lengths, words)?;
    Ok(tokens.into())
}

pub(crate) fn tokens(batch: &Batch) -> Result<&[i32], NetworkError> {
    match &batch.input {
        BatchInput::Tokens(ids) => Ok(ids),
        BatchInput::Values { .. } => Err(NetworkError::Kind {
            reads: "tokens",
            given: "numbers",
        }),
    }
}

fn values(batch: &Batch, device: &Device) -> Result<NetworkInput, NetworkError> {
    match &batch.input {
        BatchInput::Values { width, values } => {
            let values = TensorData::new(values.clone(), [batch.size, batch.time, *width]);
            Ok(NetworkInput::Values {
                values: Tensor::from_data(values, device),
                lengths: Tensor::from_data(&batch.lengths[..], device),
            })
        }
        BatchInput::Tokens(_) => Err(NetworkError::Kind {
            reads: "numbers",
            given: "tokens",
        }),
    }
}
