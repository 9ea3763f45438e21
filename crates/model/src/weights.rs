//! Weights to and from SafeTensors.
//!
//! A file is somebody else's: all that can be told from its bytes is checked before a weight is taken.

use std::collections::BTreeMap;
use std::pin::Pin;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use futures_lite::future::block_on;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::network::Network;

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
    /// Two tensors of a module have one name.
    #[error("two tensors of the module are called {0}")]
    Twice(String),
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

/// What a tensor is called, from its path in a module: `layer.weight`.
pub type Naming = fn(&str) -> String;

/// A module's weights on the host, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(BTreeMap<String, Values>);

/// The numbers of one tensor.
#[derive(Clone, Debug, PartialEq)]
struct Values {
    shape: Vec<usize>,
    /// 32-bit floats, little endian, row-major.
    bytes: Vec<u8>,
}

impl Weights {
    /// Names, shapes and 32-bit floats, little endian and row-major, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize], &[u8])> {
        let tensors = self.0.iter();
        tensors.map(|(name, values)| (&name[..], &values.shape[..], &values.bytes[..]))
    }

    /// Puts in a tensor of finite 32-bit floats, little endian and row-major.
    #[cfg(feature = "interop")]
    pub(crate) fn insert(&mut self, name: String, shape: Vec<usize>, bytes: Vec<u8>) {
        self.0.insert(name, Values { shape, bytes });
    }

    /// The shape and the bytes of a tensor.
    #[cfg(feature = "interop")]
    pub(crate) fn get(&self, name: &str) -> Option<(&[usize], &[u8])> {
        let values = self.0.get(name)?;
        Some((&values.shape, &values.bytes))
    }

    /// These with two rows of a matrix in each other's place.
    ///
    /// # Panics
    /// If there is no such matrix, or a row is not its.
    pub fn with_rows_swapped(mut self, name: &str, rows: [u32; 2]) -> Self {
        let values = self.0.get_mut(name).expect("there is such a matrix");
        let width = values.bytes.len() / values.shape[0];
        let [first, second] = rows.map(|row| row as usize * width);
        for place in 0..width {
            values.bytes.swap(first + place, second + place);
        }
        self
    }

    /// The weights of these views, each 32-bit floats.
    ///
    /// # Errors
    /// [`WeightsError::Type`] if one is of another type, [`WeightsError::NotFinite`] if a number is not finite.
    pub fn from_views<'a>(
        views: impl IntoIterator<Item = (&'a str, TensorView<'a>)>,
    ) -> Result<Self, WeightsError> {
        // In a fixed order, so that the same file has the same first fault.
        let views: BTreeMap<_, _> = views.into_iter().collect();
        let mut weights = BTreeMap::new();
        for (name, view) in views {
            if view.dtype() != Dtype::F32 {
                return Err(WeightsError::Type {
                    name: shown(name),
                    found: view.dtype().to_string(),
                });
            }
            let (values, _) = view.data().as_chunks::<4>();
            let mut values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
            if let Some(index) = values.clone().position(|value| !value.is_finite()) {
                return Err(WeightsError::NotFinite {
                    name: shown(name),
                    index,
                    value: values.nth(index).expect("its index was found"),
                });
            }
            let values = Values {
                shape: view.shape().to_vec(),
                bytes: view.data().to_vec(),
            };
            weights.insert(name.to_owned(), values);
        }
        Ok(Self(weights))
    }

    /// The weights of a SafeTensors file's bytes.
    ///
    /// # Errors
    /// [`WeightsError::Format`] if the bytes are no SafeTensors file; as [`from_views`](Self::from_views).
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, WeightsError> {
        Self::from_views(SafeTensors::deserialize(bytes).map_err(format)?.iter())
    }

    /// Each tensor as a SafeTensors file holds it.
    pub fn views(&self) -> impl Iterator<Item = (&str, TensorView<'_>)> {
        self.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
            (name, view.expect("a tensor has the bytes of its shape"))
        })
    }

    /// A SafeTensors file's bytes, with the hash of the vocabulary that the weights belong to, if given:
    /// [`vocabulary_hash`] reads it. The same weights make the same bytes.
    ///
    /// # Errors
    /// [`WeightsError::Write`] if there is more than a file can hold.
    pub fn to_safetensors(&self, vocabulary: Option<&str>) -> Result<Vec<u8>, WeightsError> {
        let metadata = Metadata {
            vocabulary: vocabulary.map(str::to_owned),
        };
        let metadata = serde_json::to_string(&metadata).expect("a string is JSON");
        let metadata = [(METADATA.to_owned(), metadata)].into();
        safetensors::serialize(self.views(), Some(metadata)).map_err(write)
    }
}

impl Weights {
    /// The weights of any module, read from its device.
    ///
    /// # Errors
    /// [`WeightsError::Write`] if the device fails, [`WeightsError::Twice`] if `naming` calls two tensors the same.
    pub async fn read_async(module: &impl Module, naming: Naming) -> Result<Self, WeightsError> {
        let mut reads = Reads::default();
        visit(module, naming, &mut reads);
        let mut weights = BTreeMap::new();
        for (name, shape, read) in reads.0 {
            let data = read.await?;
            let bytes = data.iter::<f32>().flat_map(f32::to_le_bytes).collect();
            if weights
                .insert(name.clone(), Values { shape, bytes })
                .is_some()
            {
                return Err(WeightsError::Twice(name));
            }
        }
        Ok(Self(weights))
    }

    /// [`read_async`](Self::read_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`read_async`](Self::read_async).
    pub fn read(module: &impl Module, naming: Naming) -> Result<Self, WeightsError> {
        block_on(Self::read_async(module, naming))
    }

    /// These, with those tensors of `other` in the place of their own whose names are not in `but`.
    pub fn taking_over(mut self, other: &Self, but: &[&str]) -> Self {
        let taken = other.0.iter().filter(|(name, _)| !but.contains(&&name[..]));
        self.0
            .extend(taken.map(|(name, values)| (name.clone(), values.clone())));
        self
    }

    /// Whether these are weights of `module`.
    ///
    /// # Errors
    /// [`WeightsError`] if the tensors are not the module's in name and shape.
    pub fn check(&self, module: &impl Module, naming: Naming) -> Result<(), WeightsError> {
        let mut shapes = Shapes::default();
        visit(module, naming, &mut shapes);
        if let Some(name) = shapes.twice {
            return Err(WeightsError::Twice(name));
        }
        let mut expected = shapes.by_name;
        for (name, found, _) in self.iter() {
            let Some(expected) = expected.remove(name) else {
                return Err(WeightsError::Surplus(shown(name)));
            };
            if found != expected {
                return Err(WeightsError::Shape {
                    name: shown(name),
                    found: found.iter().copied().take(5).collect(),
                    expected,
                });
            }
        }
        match expected.pop_first() {
            Some((name, _)) => Err(WeightsError::Missing(name)),
            None => Ok(()),
        }
    }

    /// `module` with these weights in the place of its own.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn load_into<M: Module>(&self, module: M, naming: Naming) -> Result<M, WeightsError> {
        self.check(&module, naming)?;
        Ok(module.map(&mut Load {
            weights: self,
            naming,
            path: Vec::new(),
        }))
    }
}

impl Network {
    /// What its tensors are called: their paths, without the part of the network. In the files of all versions
    /// they have these names.
    pub fn weight_name(path: &str) -> String {
        if let Some(layer) = path.strip_prefix("stack.layers.") {
            return format!("recurrent.{layer}");
        }
        let other = ["input.", "head."]
            .iter()
            .find_map(|part| path.strip_prefix(part));
        other.unwrap_or(path).to_owned()
    }

    /// The weights, read from the device.
    ///
    /// # Errors
    /// [`WeightsError::Write`] if the device fails.
    pub fn weights(&self) -> Result<Weights, WeightsError> {
        Weights::read(self, Self::weight_name)
    }

    /// This network with these weights; a [blank](crate::NetworkConfig::blank) network is made for them.
    ///
    /// # Errors
    /// As [`Weights::check`].
    pub fn with_weights(self, weights: &Weights) -> Result<Self, WeightsError> {
        weights.load_into(self, Self::weight_name)
    }

    /// [`Weights::to_safetensors`] of this network's.
    ///
    /// # Errors
    /// [`WeightsError::Write`] if the device fails.
    pub fn to_safetensors(&self, vocabulary: Option<&str>) -> Result<Vec<u8>, WeightsError> {
        self.weights()?.to_safetensors(vocabulary)
    }

    /// This network with the weights of a SafeTensors file's bytes.
    ///
    /// # Errors
    /// [`WeightsError`] if the bytes are no SafeTensors file, if its tensors are not this network's in name, type
    /// and shape, or if a number is not finite.
    pub fn with_safetensors(self, bytes: &[u8]) -> Result<Self, WeightsError> {
        self.with_weights(&Weights::from_safetensors(bytes)?)
    }
}

/// The hash of the vocabulary that a SafeTensors file's weights belong to, if it was
/// [written](Weights::to_safetensors) with one.
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

fn write(error: impl std::fmt::Display) -> WeightsError {
    WeightsError::Write(shown(&error.to_string()))
}

/// The beginning of a text from a file, safe to print.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 120;
    let mut shown = String::new();
    for character in text.chars() {
        if shown.len() >= MOST {
            shown.push('…');
            break;
        }
        match character {
            // They steer nothing.
            '\'' | '"' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

/// Whether what is entered has a part in the path. The variant of an enum has none: a file of one cell's weights names
/// what another cell would read there.
fn is_named(container_type: &str) -> bool {
    !container_type.starts_with("Enum:")
}

/// Visits each tensor with its name.
fn visit(module: &impl Module, naming: Naming, to: &mut impl VisitNamed) {
    module.visit(&mut Named {
        path: Vec::new(),
        naming,
        to,
    });
}

trait VisitNamed {
    fn tensor<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>);
}

struct Named<'a, V> {
    path: Vec<String>,
    naming: Naming,
    to: &'a mut V,
}

impl<V: VisitNamed> ModuleVisitor for Named<'_, V> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        if is_named(container_type) {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        if is_named(container_type) {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.to.tensor((self.naming)(&self.path.join(".")), param);
    }
}

#[derive(Default)]
struct Shapes {
    by_name: BTreeMap<String, Vec<usize>>,
    /// A name that two have.
    twice: Option<String>,
}

impl VisitNamed for Shapes {
    fn tensor<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        // A module may keep its tensor in another form than it saves. One that is not there yet is not made for this.
        let shape = match param.is_initialized() {
            true => param.transform_for_save().lazy_shape(),
            false => param.lazy_shape(),
        };
        if self.by_name.insert(name.clone(), shape.to_vec()).is_some() {
            self.twice.get_or_insert(name);
        }
    }
}

type Read = Pin<Box<dyn Future<Output = Result<TensorData, WeightsError>> + Send>>;

/// Reads that begin when they are waited for.
#[derive(Default)]
struct Reads(Vec<(String, Vec<usize>, Read)>);

impl VisitNamed for Reads {
    fn tensor<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        let tensor = param.transform_for_save().val();
        let shape = tensor.dims().to_vec();
        let read = Box::pin(async { tensor.into_data_async().await.map_err(write) });
        self.0.push((name, shape, read));
    }
}

/// Gives every parameter its tensor of weights that are known to fit.
struct Load<'a> {
    weights: &'a Weights,
    naming: Naming,
    path: Vec<String>,
}

impl ModuleMapper for Load<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        if is_named(container_type) {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        if is_named(container_type) {
            self.path.pop();
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Values { shape, bytes } = &self.weights.0[&(self.naming)(&self.path.join("."))];
        let (values, _) = bytes.as_chunks::<4>();
        let values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
        let data = TensorData::new(values.collect(), shape.clone());
        let (tensor, id) = (Tensor::from_data(data, &param.lazy_device()), param.id);
        param.transform_for_load(tensor, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cell, NetworkConfig};
    use burn::tensor::Device;
    use gatefold_kernels::Tokens;

    fn config(cell: Cell, hidden_size: usize) -> NetworkConfig {
        NetworkConfig {
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
        for cell in Cell::ALL {
            let config = NetworkConfig {
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
            let logit = |network: &Network| {
                let tokens = Tokens::sorted(&[1, 4, 5], &[3], 10, &device).unwrap();
                network.forward(tokens).unwrap().into_scalar::<f32>()
            };
            let other = config.init(2, &device).unwrap();
            assert_ne!(logit(&first), logit(&other));
            for network in [config.blank(&device).unwrap(), other] {
                let loaded = network.with_safetensors(&bytes).unwrap();
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
        let network = network.with_safetensors(&bytes(Cell::Gru)).unwrap();
        for network in [network.valid().train(), network] {
            let tokens = Tokens::sorted(&[1, 4, 5], &[3], 10, &device).unwrap();
            let gradients = network.forward(tokens).unwrap().backward();
            let dense = network.head.dense.as_ref().unwrap();
            assert!(dense.weight.val().grad(&gradients).is_some());
        }
    }

    #[test]
    fn a_network_of_the_largest_size_is_described_in_no_time_and_memory() {
        let config = NetworkConfig {
            hidden_size: 15_000,
            ..Default::default()
        };
        let network = config.blank(&Device::flex()).unwrap();
        assert_eq!(network.num_params() as f64, config.parameters());
        assert_eq!(network.summary()[1].output_shape, "[B, 15000]");
        assert!(!network.head.output.weight.is_initialized());
        let error = network.with_safetensors(&bytes(Cell::Lstm)).unwrap_err();
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
        network.with_safetensors(&bytes).unwrap_err()
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
            let error = network.with_safetensors(&bytes(Cell::Lstm)).unwrap_err();
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
            let error = network.with_safetensors(bytes).unwrap_err();
            assert!(matches!(error, WeightsError::Format(_)), "{error}");
            assert!(!error.to_string().contains("allow_partial"), "{error}");
        }
    }
}
