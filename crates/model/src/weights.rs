//! Weights to and from SafeTensors.
//!
//! A file is somebody else's: all that can be told from its bytes is checked before a weight is taken.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::Tensor;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::classifier::SequenceClassifier;

/// Weights that can't be written or don't fit. Names come from files: they are cut, and what could steer a
/// terminal is escaped.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum WeightsError {
    /// No SafeTensors file.
    #[error("they are no SafeTensors file: {0}")]
    Format(String),
    /// What the file says of itself is none of ours.
    #[error("their metadata's `gatefold` can't be read: {0}")]
    Metadata(String),
    /// A tensor that the network has not.
    #[error("the network has no tensor {0}")]
    Surplus(String),
    /// A tensor that the network has and the file has not.
    #[error("the tensor {0} is missing")]
    Missing(String),
    /// Numbers of another type.
    #[error("the tensor {name} is of type {found}; F32 is needed")]
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A tensor of another shape.
    #[error("the tensor {name} has the shape {found:?}; the network's has {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape, at most five dimensions of it.
        found: Vec<usize>,
        /// The network's.
        expected: Vec<usize>,
    },
    /// A number that is infinite or none.
    #[error("the tensor {name} holds a number that is not finite: {value} at index {index}")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where, row-major.
        index: usize,
        /// The number.
        value: f32,
    },
    /// The file can't be made.
    #[error("the weights can't be written: {0}")]
    Write(String),
}

/// What a file says of itself, as JSON in the metadata's entry `gatefold`.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Metadata {
    /// The hash of the vocabulary that the ids belong to.
    #[serde(skip_serializing_if = "Option::is_none")]
    vocabulary: Option<String>,
}

const METADATA: &str = "gatefold";

impl SequenceClassifier {
    /// The weights as a SafeTensors file's bytes, with the hash of the vocabulary that they belong to, if given:
    /// [`vocabulary_hash`] reads it. The same weights make the same bytes.
    ///
    /// # Errors
    /// [`WeightsError::Write`] if the device fails.
    pub fn to_safetensors(&self, vocabulary: Option<&str>) -> Result<Vec<u8>, WeightsError> {
        let metadata = Metadata {
            vocabulary: vocabulary.map(str::to_owned),
        };
        let metadata = serde_json::to_string(&metadata).expect("a string is JSON");
        // One entry only: the store writes several in no fixed order.
        let mut store = SafetensorsStore::from_bytes(None)
            .skip_enum_variants(true)
            .clear_metadata()
            .metadata(METADATA, metadata);
        let write = |error: &dyn std::fmt::Display| WeightsError::Write(shown(&error.to_string()));
        self.save_into(&mut store).map_err(|error| write(&error))?;
        store.get_bytes().map_err(|error| write(&error))
    }

    /// This network with the weights of a SafeTensors file's bytes; a [blank](crate::SequenceClassifierConfig::blank)
    /// network is made for it. The file is checked before a weight is taken.
    ///
    /// # Errors
    /// [`WeightsError`] if the bytes are no SafeTensors file, if its tensors are not this network's in name, type
    /// and shape, or if a number is not finite.
    pub fn with_safetensors(mut self, bytes: Vec<u8>) -> Result<Self, WeightsError> {
        self.check(&bytes)?;
        let mut store = SafetensorsStore::from_bytes(Some(bytes)).skip_enum_variants(true);
        self.load_from(&mut store).map_err(format)?;
        Ok(self)
    }

    fn check(&self, bytes: &[u8]) -> Result<(), WeightsError> {
        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let mut shapes = Shapes::default();
        self.visit(&mut shapes);
        let mut expected = shapes.by_name;
        // In a fixed order, so that the same file has the same first fault.
        let tensors: BTreeMap<_, _> = file.iter().collect();
        for (name, tensor) in &tensors {
            let Some(expected) = expected.remove(*name) else {
                return Err(WeightsError::Surplus(shown(name)));
            };
            if tensor.shape() != expected {
                return Err(WeightsError::Shape {
                    name: shown(name),
                    found: tensor.shape().iter().copied().take(5).collect(),
                    expected,
                });
            }
            if tensor.dtype() != Dtype::F32 {
                return Err(WeightsError::Type {
                    name: shown(name),
                    found: tensor.dtype().to_string(),
                });
            }
        }
        if let Some((name, _)) = expected.pop_first() {
            return Err(WeightsError::Missing(name));
        }
        for (name, tensor) in tensors {
            let (values, _) = tensor.data().as_chunks::<4>();
            let mut values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
            if let Some(index) = values.clone().position(|value| !value.is_finite()) {
                return Err(WeightsError::NotFinite {
                    name: shown(name),
                    index,
                    value: values.nth(index).expect("its index was found"),
                });
            }
        }
        Ok(())
    }
}

/// The hash of the vocabulary that a SafeTensors file's weights belong to, if it was
/// [written](SequenceClassifier::to_safetensors) with one.
///
/// # Errors
/// [`WeightsError::Format`] if the bytes are no SafeTensors file, [`WeightsError::Metadata`] if what they say of
/// themselves can't be read.
pub fn vocabulary_hash(bytes: &[u8]) -> Result<Option<String>, WeightsError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(format)?;
    let entry = header.metadata().as_ref().and_then(|of| of.get(METADATA));
    let Some(entry) = entry else {
        return Ok(None);
    };
    let metadata: Metadata = serde_json::from_str(entry)
        .map_err(|error| WeightsError::Metadata(shown(&error.to_string())))?;
    Ok(metadata.vocabulary)
}

fn format(error: impl std::fmt::Display) -> WeightsError {
    WeightsError::Format(shown(&error.to_string()))
}

/// The beginning of a text from a file, safe to print.
fn shown(text: &str) -> String {
    const MOST: usize = 120;
    let mut shown: String = text
        .chars()
        .take(MOST)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// The shapes of a network's tensors by the names that a file has them under.
#[derive(Default)]
struct Shapes {
    path: Vec<String>,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Shapes {
    /// Names leave out which cell a layer has, as the store's `skip_enum_variants` does.
    fn is_named(container_type: &str) -> bool {
        !container_type.starts_with("Enum:")
    }
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        if Self::is_named(container_type) {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        if Self::is_named(container_type) {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().to_vec();
        self.by_name.insert(self.path.join("."), shape);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use safetensors::tensor::TensorView;

    use super::*;
    use crate::{Cell, SequenceClassifierConfig};

    fn config(cell: Cell, hidden_size: usize) -> SequenceClassifierConfig {
        SequenceClassifierConfig {
            cell,
            hidden_size,
            vocabulary_size: 10,
            ..Default::default()
        }
    }

    fn bytes(cell: Cell) -> Vec<u8> {
        let network = config(cell, 8).init(1, &Device::flex()).unwrap();
        network.to_safetensors(None).unwrap()
    }

    #[test]
    fn weights_survive_the_round_trip() {
        let device = Device::flex();
        for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
            let config = SequenceClassifierConfig {
                layers: 2,
                bidirectional: true,
                ..config(cell, 8)
            };
            let first = config.init(1, &device).unwrap();
            let bytes = first.to_safetensors(Some("hash")).unwrap();
            assert!(
                bytes == first.to_safetensors(Some("hash")).unwrap(),
                "another file of the same weights"
            );
            assert_eq!(vocabulary_hash(&bytes).unwrap().unwrap(), "hash");
            let logit = |network: &SequenceClassifier| {
                let ids = Tensor::from_data([[1, 4, 5]], &device);
                let lengths = Tensor::from_data([3], &device);
                network.forward(ids, lengths).into_scalar::<f32>()
            };
            let other = config.init(2, &device).unwrap();
            assert_ne!(logit(&first), logit(&other));
            for network in [config.blank(&device).unwrap(), other] {
                let loaded = network.with_safetensors(bytes.clone()).unwrap();
                assert_eq!(logit(&first), logit(&loaded));
                let loaded = loaded.to_safetensors(Some("hash")).unwrap();
                assert!(loaded == bytes, "others than were loaded");
            }
        }
    }

    #[test]
    fn a_blank_network_into_which_weights_were_loaded_learns() {
        let device = Device::flex().autodiff();
        let network = config(Cell::Gru, 8).blank(&device).unwrap();
        let network = network.with_safetensors(bytes(Cell::Gru)).unwrap();
        for network in [network.valid().train(), network] {
            let ids = Tensor::from_data([[1, 4, 5]], &device);
            let lengths = Tensor::from_data([3], &device);
            let gradients = network.forward(ids, lengths).backward();
            assert!(network.dense.weight.val().grad(&gradients).is_some());
        }
    }

    #[test]
    fn a_network_of_the_largest_size_is_described_in_no_time_and_memory() {
        let config = SequenceClassifierConfig {
            hidden_size: 15_000,
            ..Default::default()
        };
        let network = config.blank(&Device::flex()).unwrap();
        assert_eq!(network.num_params() as f64, config.parameters());
        assert_eq!(network.summary()[1].output_shape, "[B, 15000]");
        assert!(!network.dense.weight.is_initialized());
        let error = network.with_safetensors(bytes(Cell::Lstm)).unwrap_err();
        assert!(matches!(error, WeightsError::Shape { .. }), "{error}");
    }

    #[test]
    fn a_file_without_a_hash_belongs_to_no_vocabulary() {
        assert_eq!(vocabulary_hash(&bytes(Cell::Rnn)), Ok(None));
        // As written before there were hashes.
        let old = [("producer".to_owned(), "gatefold".to_owned())].into();
        let old = safetensors::serialize::<&str, TensorView, _>([], Some(old)).unwrap();
        assert_eq!(vocabulary_hash(&old), Ok(None));
        assert!(vocabulary_hash(b"not weights").is_err());
    }

    /// What is said of the LSTM's weights where `change` has changed its tensors' types, shapes and bytes.
    fn refused(
        change: impl FnOnce(&mut BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>),
    ) -> WeightsError {
        let bytes = bytes(Cell::Lstm);
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let (dtype, shape) = (view.dtype(), view.shape().to_vec());
            (name.to_owned(), (dtype, shape, view.data().to_vec()))
        });
        let mut tensors = tensors.collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
            (name.as_str(), view)
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        let network = config(Cell::Lstm, 8).blank(&Device::flex()).unwrap();
        network.with_safetensors(bytes).unwrap_err()
    }

    #[test]
    fn tensors_of_another_name_are_named() {
        let missing = refused(|tensors| drop(tensors.remove("dense.bias")));
        assert_eq!(missing.to_string(), "the tensor dense.bias is missing");
        let surplus = refused(|tensors| {
            let bias = tensors["dense.bias"].clone();
            tensors.insert(format!("\x1b]0;{}", "x".repeat(5000)), bias);
        });
        assert!(matches!(surplus, WeightsError::Surplus(_)), "{surplus}");
        let text = surplus.to_string();
        assert!(text.len() < 200 && text.contains("\\u{1b}"), "{text}");
        assert!(text.chars().all(|c| !c.is_control()), "{text}");
    }

    #[test]
    fn another_type_is_named_though_it_holds_the_same_numbers() {
        for (dtype, size) in [(Dtype::F64, 8), (Dtype::F16, 2), (Dtype::BF16, 2)] {
            let error = refused(|tensors| {
                let (of, shape, data) = tensors.get_mut("output.weight").unwrap();
                (*of, *data) = (dtype, vec![0; shape.iter().product::<usize>() * size]);
            });
            let expected = format!("the tensor output.weight is of type {dtype}; F32 is needed");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn another_shape_is_named_beside_the_networks() {
        let error = refused(|tensors| {
            tensors.get_mut("output.weight").unwrap().1 = vec![1, 64];
        });
        assert_eq!(
            error.to_string(),
            "the tensor output.weight has the shape [1, 64]; the network's has [64, 1]"
        );
        for (cell, hidden) in [(Cell::Lstm, 9), (Cell::Gru, 8), (Cell::Rnn, 8)] {
            let network = config(cell, hidden).blank(&Device::flex()).unwrap();
            let error = network.with_safetensors(bytes(Cell::Lstm)).unwrap_err();
            assert!(matches!(error, WeightsError::Shape { .. }), "{error}");
        }
    }

    #[test]
    fn a_number_that_is_not_finite_is_found_wherever_it_is() {
        for (value, index) in [(f32::NAN, 0), (f32::INFINITY, 7), (f32::NEG_INFINITY, 63)] {
            let error = refused(|tensors| {
                let data = &mut tensors.get_mut("dense.bias").unwrap().2;
                data[4 * index..4 * index + 4].copy_from_slice(&value.to_le_bytes());
            });
            let expected =
                format!("dense.bias holds a number that is not finite: {value} at index {index}");
            assert!(error.to_string().ends_with(&expected), "{error}");
        }
    }

    #[test]
    fn what_is_no_safetensors_file_is_refused_for_people() {
        for bytes in [&b""[..], b"not weights", &bytes(Cell::Lstm)[..1000]] {
            let network = config(Cell::Lstm, 8).blank(&Device::flex()).unwrap();
            let error = network.with_safetensors(bytes.to_vec()).unwrap_err();
            assert!(matches!(error, WeightsError::Format(_)), "{error}");
            assert!(!error.to_string().contains("allow_partial"), "{error}");
        }
    }
}
