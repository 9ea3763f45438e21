//! Weights to and from SafeTensors.

use burn::store::{ModuleSnapshot, SafetensorsStore};
use thiserror::Error;

use crate::classifier::SequenceClassifier;

/// Weights that can't be written or don't fit.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct WeightsError(String);

impl SequenceClassifier {
    /// The weights as a SafeTensors file's bytes.
    ///
    /// # Errors
    /// [`WeightsError`] if the format can't hold them.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, WeightsError> {
        // One entry only: the store writes several in no fixed order, and the same weights must
        // make the same file.
        let mut store = SafetensorsStore::from_bytes(None)
            .skip_enum_variants(true)
            .clear_metadata()
            .metadata("producer", "gatefold");
        self.save_into(&mut store).map_err(WeightsError::new)?;
        store.get_bytes().map_err(WeightsError::new)
    }

    /// This network with the weights of a SafeTensors file's bytes.
    ///
    /// # Errors
    /// [`WeightsError`] if they are no SafeTensors file or one of another network.
    pub fn with_safetensors(mut self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        let mut store = SafetensorsStore::from_bytes(Some(bytes)).skip_enum_variants(true);
        let result = self.load_from(&mut store).map_err(WeightsError::new)?;
        if let Some(unused) = result.unused.first() {
            return Err(WeightsError(format!("no layer takes the tensor {unused}")));
        }
        Ok(self)
    }
}

impl WeightsError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use crate::{Cell, SequenceClassifierConfig};

    fn config(cell: Cell, hidden_size: usize) -> SequenceClassifierConfig {
        SequenceClassifierConfig {
            cell,
            hidden_size,
            vocabulary_size: 10,
            ..Default::default()
        }
    }

    #[test]
    fn weights_survive_the_round_trip() {
        let device = Device::flex();
        for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
            let first = config(cell, 8).init(1, &device).unwrap();
            let bytes = first.to_safetensors().unwrap();
            let other = config(cell, 8).init(2, &device).unwrap();
            assert!(
                bytes == first.to_safetensors().unwrap(),
                "another file of the same weights"
            );
            let logit = |network: &crate::SequenceClassifier| {
                let ids = Tensor::from_data([[1, 4, 5]], &device);
                let lengths = Tensor::from_data([3], &device);
                network.forward(ids, lengths).into_scalar::<f32>()
            };
            assert_ne!(logit(&first), logit(&other));
            let loaded = other.with_safetensors(bytes).unwrap();
            assert_eq!(logit(&first), logit(&loaded));
        }
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let device = Device::flex();
        let bytes = config(Cell::Lstm, 8)
            .init(1, &device)
            .unwrap()
            .to_safetensors()
            .unwrap();
        for (cell, hidden) in [(Cell::Lstm, 9), (Cell::Gru, 8), (Cell::Rnn, 8)] {
            let network = config(cell, hidden).init(1, &device).unwrap();
            assert!(
                network.with_safetensors(bytes.clone()).is_err(),
                "{cell:?} {hidden}"
            );
        }
        let network = config(Cell::Lstm, 8).init(1, &device).unwrap();
        assert!(network.with_safetensors(b"not weights".to_vec()).is_err());
    }
}
