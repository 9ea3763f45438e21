//! Keras's files: HDF5, and in `.keras` archives the network's configuration beside it.

use std::collections::BTreeMap;
use std::io::Write;

use gatefold_kernels::Cell;
use serde_json::{Value, json};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::error::InteropError;
use super::export::{Activation, Export};
use super::guard::{Archive, MOST_DESCRIPTION};
use super::hdf5::{self, Hdf5};
use super::keras_config::{Described, Layer, LayerKind, class_name, class_of, describe};
use super::slots::{Linear, Slot};
use super::table::{Framework, Matrix, Row, rows};
use super::tensors::TheirTensor;
use crate::reading::Reading;
use crate::weights::shown;

/// Bytes of an archive's weights: they are within the file, whatever it is.
const ALL: u64 = u64::MAX;
/// Where the layers are, by version.
const ROOTS: [&str; 2] = ["layers", "_layer_checkpoint_dependencies"];
/// What is written is of this version's format.
const KERAS_VERSION: &str = "3.0.0";
/// Where the older format has them.
const OLD_ROOT: &str = "model_weights";

/// What a file holds.
pub(super) struct Found {
    pub tensors: Vec<TheirTensor>,
    /// Which of them has which place in a network.
    pub places: BTreeMap<Slot, usize>,
    pub cell: Option<Cell>,
    /// What the network is, where the file says so.
    pub described: Option<Described>,
}

/// Reads a `.keras` archive.
pub(super) fn read_archive(bytes: Vec<u8>) -> Result<Found, InteropError> {
    let mut archive = Archive::open(&bytes)?.stored()?;
    let config = archive.entry("config.json", MOST_DESCRIPTION)?;
    let weights = archive.entry("model.weights.h5", ALL)?;
    drop(archive);
    drop(bytes);
    let config = String::from_utf8(config);
    let config = config.map_err(|_| InteropError::File("its config.json is no UTF-8".into()))?;
    let described = describe(&config)?;
    let tensors = current(&Hdf5::open(weights)?)?;
    Ok(Found::of_current(tensors, Some(described)))
}

/// Reads `.weights.h5` or `.h5`.
pub(super) fn read_hdf5(bytes: Vec<u8>) -> Result<Found, InteropError> {
    let file = Hdf5::open(bytes)?;
    if !file.has(OLD_ROOT) {
        return Ok(Found::of_current(current(&file)?, None));
    }
    let Some(config) = file.text("/", "model_config")? else {
        return Err(InteropError::Network(
            "it says nothing of its network: save it with `model.save(\"model.keras\")`".into(),
        ));
    };
    let described = describe(&config)?;
    let mut tensors = file.tensors(OLD_ROOT)?;
    tensors.retain(|tensor| !is_state(&tensor.name));
    let there = file.texts(OLD_ROOT, "layer_names")?;
    let mut names = Vec::new();
    for Layer { name, .. } in &described.layers {
        if !there.contains(name) {
            return Err(InteropError::File(format!(
                "the layer {} of its configuration is none of those that it has weights of",
                shown(name)
            )));
        }
        let weights = file.texts(&format!("{OLD_ROOT}/{name}"), "weight_names")?;
        let weights = weights.iter().map(|weight| format!("{name}/{weight}"));
        names.push(weights.filter(|name| !is_state(name)).collect());
    }
    Found::of_named(tensors, described, names)
}

/// The tensors of a file of Keras 3's format, or of late 2's.
fn current(file: &Hdf5) -> Result<Vec<TheirTensor>, InteropError> {
    let root = ROOTS.into_iter().find(|root| file.has(root));
    let Some(root) = root else {
        return Err(InteropError::Format(
            "it is an HDF5 file without a Keras network's layers".into(),
        ));
    };
    let mut tensors = file.tensors(root)?;
    tensors.retain(|tensor| !is_state(&tensor.name));
    Ok(tensors)
}

/// Whether a tensor is no weight, but the state of what draws dropout's masks.
fn is_state(name: &str) -> bool {
    name.contains("seed_generator")
}

fn cell(kinds: &[LayerKind]) -> Option<Cell> {
    kinds.iter().find_map(|kind| match kind {
        LayerKind::Recurrent { cell, .. } => Some(*cell),
        _ => None,
    })
}

/// The places of each layer's weights in Keras's order, apart for each direction.
fn slots(kinds: &[LayerKind]) -> Vec<Vec<Vec<Slot>>> {
    let is_dense = |kind: &&LayerKind| **kind == LayerKind::Dense;
    let mut dense = kinds.iter().filter(is_dense).count();
    let mut recurrent = 0..;
    let of_layer = |kind: &LayerKind| match *kind {
        LayerKind::Embedding => vec![vec![Slot::Embedding]],
        LayerKind::Dense => {
            dense -= 1;
            let slot = if dense == 0 {
                Slot::Output
            } else {
                Slot::Dense
            };
            vec![vec![slot(Linear::Weight), slot(Linear::Bias)]]
        }
        LayerKind::Recurrent {
            cell,
            bidirectional,
        } => {
            let layer = recurrent.next().expect("numbers do not end");
            let walk = |&reverse: &bool| {
                let slot = move |row: &Row| Slot::Recurrent {
                    layer,
                    reverse,
                    part: row.part,
                };
                rows(Framework::Keras, cell).map(slot).collect()
            };
            let directions: &[bool] = if bidirectional {
                &[false, true]
            } else {
                &[false]
            };
            directions.iter().map(walk).collect()
        }
    };
    kinds.iter().map(of_layer).collect()
}

/// Where a layer's weights are that stands at `path`, apart for each direction.
fn paths(kind: LayerKind, path: &str) -> Vec<Vec<String>> {
    let vars =
        |path: String, count: usize| (0..count).map(|i| format!("{path}/vars/{i}")).collect();
    match kind {
        LayerKind::Embedding => vec![vars(path.into(), 1)],
        LayerKind::Dense => vec![vars(path.into(), 2)],
        LayerKind::Recurrent {
            bidirectional: false,
            ..
        } => vec![vars(format!("{path}/cell"), 3)],
        LayerKind::Recurrent {
            bidirectional: true,
            ..
        } => ["forward_layer", "backward_layer"]
            .map(|direction| vars(format!("{path}/{direction}/cell"), 3))
            .into(),
    }
}

/// The layers that tensors are of, by their paths and shapes.
fn kinds(tensors: &[TheirTensor]) -> Vec<LayerKind> {
    let shape = |path: &str, i: usize| {
        let path = format!("{path}/cell/vars/{i}");
        let tensor = tensors.iter().find(|tensor| tensor.name == path)?;
        Some(&tensor.shape)
    };
    let has = |path: &str| tensors.iter().any(|tensor| tensor.name.starts_with(path));
    let mut kinds = Vec::new();
    kinds.extend(has("embedding/").then_some(LayerKind::Embedding));
    for class in ["simple_rnn", "lstm", "gru", "bidirectional"] {
        for number in 0.. {
            let bidirectional = class == "bidirectional";
            let walk = match bidirectional {
                true => format!("{}/forward_layer", numbered(class, number)),
                false => numbered(class, number),
            };
            let gates = || {
                shape(&walk, 0)?
                    .get(1)?
                    .checked_div(*shape(&walk, 1)?.first()?)
            };
            let Some(gates) = gates() else { break };
            let is_its = |cell: &Cell| match bidirectional {
                true => cell.gates() == gates,
                false => class_of(*cell) == class,
            };
            let cell = [Cell::Rnn, Cell::Lstm, Cell::Gru].into_iter().find(is_its);
            kinds.extend(cell.map(|cell| LayerKind::Recurrent {
                cell,
                bidirectional,
            }));
        }
    }
    let dense = (0..).take_while(|&number| has(&format!("{}/", numbered("dense", number))));
    kinds.extend(dense.map(|_| LayerKind::Dense));
    kinds
}

impl Found {
    /// Of tensors that are named by their paths: `lstm_1/cell/vars/0`.
    fn of_current(tensors: Vec<TheirTensor>, described: Option<Described>) -> Self {
        let kinds = match &described {
            Some(network) => network.kinds(),
            None => kinds(&tensors),
        };
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let names = kinds.iter().map(|&kind| {
            let number = numbers.entry(kind.class()).or_default();
            let path = numbered(kind.class(), *number);
            *number += 1;
            paths(kind, &path)
        });
        let names = names.collect();
        Self::new(tensors, &kinds, names, described)
    }

    /// Of tensors that are listed for each layer: `lstm/lstm_cell/kernel`, with `:0` behind it before Keras 3.
    fn of_named(
        tensors: Vec<TheirTensor>,
        described: Described,
        names: Vec<Vec<String>>,
    ) -> Result<Self, InteropError> {
        let kinds = described.kinds();
        let mut ordered = Vec::new();
        for (kind, names) in kinds.iter().zip(names) {
            let (parts, both): (&[&str], _) = match kind {
                LayerKind::Embedding => (&["embeddings"], false),
                LayerKind::Dense => (&["kernel", "bias"], false),
                LayerKind::Recurrent { bidirectional, .. } => {
                    (&["kernel", "recurrent_kernel", "bias"], *bidirectional)
                }
            };
            let directions: &[&str] = if both {
                &["forward_", "backward_"]
            } else {
                &[""]
            };
            // What is not trained stands behind all that is, so that places say nothing.
            let mut layer = vec![vec![String::new(); parts.len()]; directions.len()];
            for name in names {
                let part = name
                    .rsplit('/')
                    .next()
                    .and_then(|part| part.split(':').next());
                let part = parts.iter().position(|known| Some(*known) == part);
                let is_its =
                    |direction: &&str| name.split('/').any(|step| step.starts_with(*direction));
                let direction = directions.iter().position(is_its);
                let (Some(part), Some(direction)) = (part, direction) else {
                    return Err(InteropError::Network(format!(
                        "its weight {} is none that such a layer has",
                        shown(&name)
                    )));
                };
                layer[direction][part] = name;
            }
            ordered.push(layer);
        }
        Ok(Self::new(tensors, &kinds, ordered, Some(described)))
    }

    fn new(
        tensors: Vec<TheirTensor>,
        kinds: &[LayerKind],
        names: Vec<Vec<Vec<String>>>,
        described: Option<Described>,
    ) -> Self {
        let mut places = BTreeMap::new();
        let slots = slots(kinds).into_iter().flatten();
        for (slots, names) in slots.zip(names.into_iter().flatten()) {
            for (slot, name) in slots.into_iter().zip(names) {
                let place = tensors.iter().position(|tensor| tensor.name == name);
                places.extend(place.map(|place| (slot, place)));
            }
        }
        Self {
            tensors,
            places,
            cell: cell(kinds),
            described,
        }
    }
}

/// How Keras calls the layers of a class in their order.
fn numbered(class: &str, index: usize) -> String {
    match index {
        0 => class.into(),
        _ => format!("{class}_{index}"),
    }
}

/// A whole network of Keras 3: the least that `keras.saving.load_model` asks for.
pub(super) fn write(export: &Export) -> Result<Vec<u8>, InteropError> {
    let (config, cell) = (export.config, export.config.cell);
    let pooling = match (config.reading, export.fixed_length) {
        (Reading::Last | Reading::EveryStep, _) => None,
        (Reading::Mean, _) => Some("GlobalAveragePooling1D"),
        (Reading::Max, Some(_)) => Some("GlobalMaxPooling1D"),
        (Reading::Max, None) => {
            return Err(InteropError::Export(
                "Keras's GlobalMaxPooling1D reads padding, which this network leaves out".into(),
            ));
        }
        (Reading::MaxMean | Reading::Concat, _) => {
            return Err(InteropError::Export(
                "a Sequential network of Keras can't put several readings of the states side by side".into(),
            ));
        }
    };
    let mut network = Network::default();
    let length = export.fixed_length;
    let (shape, kind) = match config.input_size {
        Some(width) => (json!([null, length, width]), "float32"),
        None => (json!([null, length]), "int32"),
    };
    network.layer(
        "InputLayer",
        json!({"batch_shape": shape, "dtype": kind, "name": "input"}),
    );
    if config.input_size.is_none() {
        let about = json!({
            "input_dim": config.vocabulary_size, "output_dim": config.embedding_size, "mask_zero": length.is_none(),
        });
        let path = network.layer("Embedding", about);
        network.tensor(format!("{path}/vars/0"), export.matrix(Slot::Embedding)?, 2);
    }
    for layer in 0..config.layers {
        let sequences = layer + 1 < config.layers || config.reading != Reading::Last;
        let mut about = json!({"units": config.hidden_size, "return_sequences": sequences});
        if cell == Cell::Gru {
            about["reset_after"] = json!(true);
        }
        let class = class_name(cell);
        let path = match config.bidirectional {
            false => network.layer(class, about),
            true => {
                let layer = json!({
                    "module": "keras.layers", "class_name": class, "config": about, "registered_name": null,
                });
                network.layer(
                    "Bidirectional",
                    json!({"layer": layer, "merge_mode": "concat"}),
                )
            }
        };
        for &reverse in export.directions() {
            let path = match (config.bidirectional, reverse) {
                (false, _) => path.clone(),
                (true, false) => format!("{path}/forward_layer"),
                (true, true) => format!("{path}/backward_layer"),
            };
            let parts = export.recurrent(Framework::Keras, layer, reverse)?;
            for (i, part) in parts.into_iter().enumerate() {
                let path = format!("{path}/cell/vars/{i}");
                network.tensor(path, part.matrix, part.shape.len());
            }
        }
    }
    if let Some(class) = pooling {
        network.layer(class, json!({}));
    }
    for (name, slot) in export.linear() {
        let (weight, bias) = (
            export.matrix(slot(Linear::Weight))?,
            export.matrix(slot(Linear::Bias))?,
        );
        let activation = match (name, export.activation) {
            ("dense", _) => "relu",
            (_, Activation::None) => "linear",
            (_, Activation::Sigmoid) => "sigmoid",
            (_, Activation::Softmax) => "softmax",
        };
        let path = network.layer(
            "Dense",
            json!({"units": weight.columns, "activation": activation}),
        );
        network.tensor(format!("{path}/vars/0"), weight, 2);
        network.tensor(format!("{path}/vars/1"), bias, 1);
    }
    network.archive()
}

/// A network as it grows.
#[derive(Default)]
struct Network {
    layers: Vec<Value>,
    /// Layers of each class.
    classes: BTreeMap<&'static str, usize>,
    tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
}

impl Network {
    /// Adds a layer; gives where its weights stand.
    fn layer(&mut self, class: &'static str, mut config: Value) -> String {
        let number = self.classes.entry(class).or_default();
        let name = numbered(&snake_case(class), *number);
        *number += 1;
        if config["name"].is_null() {
            config["name"] = json!(name);
        }
        self.layers.push(json!({
            "module": "keras.layers", "class_name": class, "config": config, "registered_name": null,
        }));
        format!("{}/{name}", ROOTS[0])
    }

    fn tensor(&mut self, path: String, matrix: Matrix, dimensions: usize) {
        let shape = match dimensions {
            1 => vec![matrix.columns],
            _ => vec![matrix.rows, matrix.columns],
        };
        self.tensors.push((path, shape, matrix.values));
    }

    fn archive(self) -> Result<Vec<u8>, InteropError> {
        let failed = |error| InteropError::Export(format!("the archive can't be written: {error}"));
        let config = json!({
            "module": "keras", "class_name": "Sequential", "registered_name": null,
            "config": {"name": "gatefold", "layers": self.layers},
        });
        let metadata = json!({"keras_version": KERAS_VERSION, "date_saved": ""});
        let weights = hdf5::write(&self.tensors)?;
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in [
            ("metadata.json", metadata.to_string().as_bytes()),
            ("config.json", config.to_string().as_bytes()),
            ("model.weights.h5", &weights),
        ] {
            archive.start_file(name, options).map_err(failed)?;
            archive
                .write_all(bytes)
                .map_err(|error| failed(error.into()))?;
        }
        Ok(archive.finish().map_err(failed)?.into_inner())
    }
}

/// What Keras makes of a class's name for the paths of its layers.
fn snake_case(class: &str) -> String {
    match class {
        "LSTM" => "lstm".into(),
        "GRU" => "gru".into(),
        "SimpleRNN" => "simple_rnn".into(),
        "GlobalAveragePooling1D" => "global_average_pooling1d".into(),
        "GlobalMaxPooling1D" => "global_max_pooling1d".into(),
        "InputLayer" => "input_layer".into(),
        other => other.to_lowercase(),
    }
}
