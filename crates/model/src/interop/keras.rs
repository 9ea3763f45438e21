//! Keras's files: HDF5, and in `.keras` archives the network's configuration beside it.

use std::collections::BTreeMap;
use std::io::Write;

use gatefold_kernels::Cell;
use serde_json::{Value, json};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::InteropError;
use super::export::{Activation, Export};
use super::guard::{Archive, MOST_DESCRIPTION};
use super::hdf5::{self, Hdf5};
use super::keras_config::{Described, Layer, LayerKind, class_name, class_of, describe};
use super::slots::{Linear, Slot};
use super::table::{Framework, Matrix, rows};
use super::tensors::TheirTensor;
use crate::reading::Reading;

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
    let mut archive = Archive::open(&bytes)?;
    let config = archive.entry("config.json", MOST_DESCRIPTION)?;
    let weights = archive.entry("model.weights.h5", ALL)?;
    drop(archive);
    drop(bytes);
    let config = String::from_utf8(config);
    let config = config.map_err(|_| InteropError::File("its config.json is no UTF-8".into()))?;
    let described = describe(&config)?;
    let file = Hdf5::open(weights)?;
    let tensors = current(&file)?;
    Ok(Found::new(tensors, Some(described)))
}

/// Reads `.weights.h5` or `.h5`.
pub(super) fn read_hdf5(bytes: Vec<u8>) -> Result<Found, InteropError> {
    let file = Hdf5::open(bytes)?;
    if !file.has(OLD_ROOT) {
        return Ok(Found::new(current(&file)?, None));
    }
    let Some(config) = file.text("/", "model_config")? else {
        return Err(InteropError::Network(
            "it says nothing of its network: save it with `model.save(\"model.keras\")`".into(),
        ));
    };
    if config.len() as u64 > MOST_DESCRIPTION {
        return Err(InteropError::Refused(format!(
            "its configuration has more than {MOST_DESCRIPTION} bytes"
        )));
    }
    let described = describe(&config)?;
    let (mut tensors, mut places) = (file.tensors(OLD_ROOT)?, BTreeMap::new());
    tensors.retain(|tensor| !is_state(&tensor.name));
    let mut walks = 0;
    let mut dense = 0;
    for Layer { name, kind } in &described.layers {
        let names = file.texts(&format!("{OLD_ROOT}/{name}"), "weight_names")?;
        let names = names.iter().map(|weight| format!("{name}/{weight}"));
        let names: Vec<String> = names.filter(|name| !is_state(name)).collect();
        for (slot, name) in slots(*kind, &described, &mut walks, &mut dense).zip(names) {
            if let Some(tensor) = tensors.iter().position(|tensor| tensor.name == name) {
                places.insert(slot, tensor);
            }
        }
    }
    let cell = cell(&described);
    Ok(Found {
        tensors,
        places,
        cell,
        described: Some(described),
    })
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

fn cell(described: &Described) -> Option<Cell> {
    described.layers.iter().find_map(|layer| match layer.kind {
        LayerKind::Recurrent { cell, .. } => Some(cell),
        _ => None,
    })
}

/// The places of a layer's weights, in Keras's order.
fn slots(
    kind: LayerKind,
    described: &Described,
    walks: &mut usize,
    dense: &mut usize,
) -> std::vec::IntoIter<Slot> {
    let slots = match kind {
        LayerKind::Embedding => vec![Slot::Embedding],
        LayerKind::Dense => {
            *dense += 1;
            let all = described
                .layers
                .iter()
                .filter(|layer| layer.kind == LayerKind::Dense);
            let slot = match *dense == all.count() {
                true => Slot::Output,
                false => Slot::Dense,
            };
            vec![slot(Linear::Weight), slot(Linear::Bias)]
        }
        LayerKind::Recurrent {
            cell,
            bidirectional,
        } => {
            let layer = *walks;
            *walks += 1;
            let walk = |reverse| {
                rows(Framework::Keras, cell).map(move |row| Slot::Recurrent {
                    layer,
                    reverse,
                    part: row.part,
                })
            };
            let reverse = bidirectional.then(|| walk(true)).into_iter().flatten();
            walk(false).chain(reverse).collect()
        }
    };
    slots.into_iter()
}

impl Found {
    /// Finds the places of tensors that are named by their paths: `lstm_1/cell/vars/0`.
    fn new(tensors: Vec<TheirTensor>, described: Option<Described>) -> Self {
        let place_of = |path: String| tensors.iter().position(|tensor| tensor.name == path);
        let mut places = BTreeMap::new();
        let mut place = |slot: Slot, path: String| {
            let found = place_of(path);
            places.extend(found.map(|tensor| (slot, tensor)));
            found.is_some()
        };
        place(Slot::Embedding, "embedding/vars/0".into());
        let mut found_cell = described.as_ref().and_then(cell);
        for class in ["simple_rnn", "lstm", "gru", "bidirectional"] {
            for layer in 0.. {
                let path = numbered(class, layer);
                let walks = match class {
                    "bidirectional" => vec![
                        (format!("{path}/forward_layer"), false),
                        (format!("{path}/backward_layer"), true),
                    ],
                    _ => vec![(path, false)],
                };
                let mut any = false;
                for (path, reverse) in walks {
                    let shape =
                        |i| Some(&tensors[place_of(format!("{path}/cell/vars/{i}"))?].shape);
                    // Without a configuration the shapes of both kernels tell.
                    let by_shape = || {
                        let gates = shape(0)?.get(1)?.checked_div(*shape(1)?.first()?)?;
                        [Cell::Rnn, Cell::Lstm, Cell::Gru]
                            .into_iter()
                            .find(|cell| cell.gates() == gates)
                    };
                    let by_name = [Cell::Rnn, Cell::Lstm, Cell::Gru]
                        .into_iter()
                        .find(|&cell| class_of(cell) == class);
                    let Some(cell) = found_cell.or(by_name).or_else(by_shape) else {
                        continue;
                    };
                    for (i, row) in rows(Framework::Keras, cell).enumerate() {
                        let part = row.part;
                        if place(
                            Slot::Recurrent {
                                layer,
                                reverse,
                                part,
                            },
                            format!("{path}/cell/vars/{i}"),
                        ) {
                            found_cell = Some(cell);
                            any = true;
                        }
                    }
                }
                if !any {
                    break;
                }
            }
        }
        let dense =
            (0..).take_while(|&i| place_of(format!("{}/vars/0", numbered("dense", i))).is_some());
        let dense: Vec<usize> = dense.take(2).collect();
        for &i in &dense {
            let slot = if i + 1 == dense.len() {
                Slot::Output
            } else {
                Slot::Dense
            };
            let path = numbered("dense", i);
            place(slot(Linear::Weight), format!("{path}/vars/0"));
            place(slot(Linear::Bias), format!("{path}/vars/1"));
        }
        Self {
            tensors,
            places,
            cell: found_cell,
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
        (Reading::MaxAndMean, _) => {
            return Err(InteropError::Export(
                "a Sequential network of Keras can't put the largest and the mean state side by side".into(),
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
