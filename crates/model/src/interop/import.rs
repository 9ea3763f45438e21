//! Opening another framework's file, and taking its tensors for a network's.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use gatefold_kernels::Cell;

use super::error::{InteropError, few};
use super::export::Activation;
use super::options::ImportOptions;
use super::recognised::{self, Recognised};
use super::slots::{Linear, Slot, gates_width, layer_input, walks};
use super::table::{Framework, Matrix, Part, Row, rows};
use super::tensors::TheirTensor;
use super::{keras, modules, pytorch, safetensors};
use crate::config::NetworkConfig;
use crate::weights::{Weights, shown};

/// What becomes of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is taken.
    Taken,
    /// It is left over, as was asked for.
    Ignored,
    /// It is none of the network's: an error.
    LeftOver,
    /// The network needs it, and it isn't there: an error.
    Missing,
}

/// One of their tensors, or one that is missing.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRow {
    /// Their name, and shape.
    pub theirs: Option<(String, Vec<usize>)>,
    /// Our name, or both where theirs holds two.
    pub ours: Option<String>,
    /// What becomes of it.
    pub fate: Fate,
}

/// A file that was opened, of which no numbers are read yet.
pub struct Import {
    framework: Framework,
    tensors: Vec<TheirTensor>,
    places: BTreeMap<Slot, usize>,
    cell: Option<Cell>,
    described: Option<super::keras_config::Described>,
    ignored: Vec<String>,
    /// The cell that was asked for.
    wanted: Option<Cell>,
    /// Of the file.
    bytes: u64,
}

impl std::fmt::Debug for Import {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import")
            .field("table", &self.table())
            .finish_non_exhaustive()
    }
}

impl Import {
    /// Opens a file and finds out which of its tensors are which of a network's.
    ///
    /// # Errors
    /// If it can't be read, is of a format that is not read, holds what is refused, or describes a network that Gatefold
    /// has not. What is left over or missing is told by [`check`](Self::check).
    pub fn open(path: &Path, options: &ImportOptions) -> Result<Self, InteropError> {
        Self::from_bytes(recognised::read(path)?, options)
    }

    /// The same of a file's bytes.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, options: &ImportOptions) -> Result<Self, InteropError> {
        // A library that panics over a file has told that it can't read it.
        let opened = std::panic::catch_unwind(|| Self::of(bytes, options));
        opened.unwrap_or_else(|_| Err(InteropError::File("the file is damaged".into())))
    }

    fn of(bytes: Vec<u8>, options: &ImportOptions) -> Result<Self, InteropError> {
        let size = bytes.len() as u64;
        let recognised = recognised::format(bytes)?;
        let of_pytorch = |tensors: Vec<TheirTensor>| {
            let tensors = modules::under_key(tensors, options.key.as_deref())?;
            let modules::Assigned { places, cell } = modules::assign(&tensors, options)?;
            Ok(Self {
                framework: Framework::PyTorch,
                tensors,
                places,
                cell,
                described: None,
                ignored: options.ignored.clone(),
                wanted: options.cell,
                bytes: size,
            })
        };
        let of_keras = |found: keras::Found| {
            for (given, flag) in [
                (options.key.is_some(), "key"),
                (!options.maps.is_empty(), "map"),
            ] {
                if given {
                    return Err(InteropError::Network(format!(
                        "a {flag} is for PyTorch's files: Keras's say which layer is which"
                    )));
                }
            }
            Ok(Self {
                framework: Framework::Keras,
                tensors: found.tensors,
                places: found.places,
                cell: found.cell,
                described: found.described,
                ignored: options.ignored.clone(),
                wanted: options.cell,
                bytes: size,
            })
        };
        let import = match recognised {
            Recognised::PyTorch(bytes) => of_pytorch(pytorch::read(bytes)?),
            Recognised::SafeTensors(bytes) => of_pytorch(safetensors::read(bytes)?),
            Recognised::Keras(bytes) => of_keras(keras::read_archive(bytes)?),
            Recognised::Hdf5(bytes) => of_keras(keras::read_hdf5(bytes)?),
        }?;
        Ok(import)
    }

    /// Whether the cell is settled, and the one that was asked for.
    fn ensure_cell(&self) -> Result<(), InteropError> {
        let Some(cell) = self.cell else {
            return Err(InteropError::Network(format!(
                "no recurrent layer (RNN, LSTM or GRU) is in it; its tensors: {}",
                few(self.tensors.iter().map(|tensor| &tensor.name[..]))
            )));
        };
        match self.wanted {
            Some(wanted) if wanted != cell => Err(InteropError::Network(format!(
                "its recurrent layers are {}, not {}",
                cell.title(),
                wanted.title()
            ))),
            None if cell == Cell::Rnn && self.described.is_none() => Err(InteropError::Network(
                "its simple RNN may be one with tanh or with ReLU, which the file doesn't say: say --cell rnn if it is \
                 tanh; Gatefold has no other"
                    .into(),
            )),
            _ if cell == Cell::Gru && self.described.is_none() && self.framework == Framework::Keras => {
                // Without biases both forms have the same shapes.
                let has_bias = self.places.keys().any(|slot| {
                    matches!(slot, Slot::Recurrent { part: Part::Biases, .. })
                });
                match has_bias {
                    true => Ok(()),
                    false => Err(InteropError::Network(
                        "its GRU has no bias, and may be one with reset_after=False, which the file doesn't say: save the \
                         network with `model.save(\"model.keras\")`"
                            .into(),
                    )),
                }
            }
            _ => Ok(()),
        }
    }

    /// Whose file it is.
    pub fn framework(&self) -> Framework {
        self.framework
    }

    /// Whether the network leaves padding out, if the file says.
    pub fn mask(&self) -> Option<bool> {
        self.described.as_ref().map(|network| network.mask)
    }

    /// Timesteps that the network reads, if the file says.
    pub fn max_length(&self) -> Option<usize> {
        self.described.as_ref()?.length
    }

    /// What the network makes of its last layer's numbers, if the file says.
    pub fn activation(&self) -> Option<Activation> {
        self.described.as_ref().map(|network| network.activation)
    }

    /// What becomes of each tensor: those that are taken in the order of the network, then the others.
    pub fn table(&self) -> Vec<TableRow> {
        let theirs = |tensor: &TheirTensor| Some((tensor.name.clone(), tensor.shape.clone()));
        let mut table: Vec<TableRow> = self
            .places
            .iter()
            .map(|(slot, &tensor)| TableRow {
                theirs: theirs(&self.tensors[tensor]),
                ours: Some(slot.names().join(", ")),
                fate: Fate::Taken,
            })
            .collect();
        table.extend(self.missing().into_iter().map(|slot| TableRow {
            theirs: None,
            ours: Some(slot.names().join(", ")),
            fate: Fate::Missing,
        }));
        let taken: HashSet<usize> = self.places.values().copied().collect();
        let is_taken = |tensor: usize| taken.contains(&tensor);
        let others = (0..self.tensors.len()).filter(|&tensor| !is_taken(tensor));
        table.extend(others.map(|tensor| {
            let name = &self.tensors[tensor].name;
            let ignored = self.ignored.iter().any(|pattern| matches(pattern, name));
            TableRow {
                theirs: theirs(&self.tensors[tensor]),
                ours: None,
                fate: if ignored {
                    Fate::Ignored
                } else {
                    Fate::LeftOver
                },
            }
        }));
        table
    }

    /// The places that the network needs and that nothing is there for. A layer may lack its biases, all at once.
    fn missing(&self) -> Vec<Slot> {
        let Some(cell) = self.cell else {
            return Vec::new();
        };
        let (mut layers, mut both) = (1, false);
        for slot in self.places.keys() {
            if let Slot::Recurrent { layer, reverse, .. } = *slot {
                layers = layers.max(layer + 1);
                both |= reverse;
            }
        }
        let of_walk = |(layer, reverse)| {
            let slot = move |row: &Row| Slot::Recurrent {
                layer,
                reverse,
                part: row.part,
            };
            rows(self.framework, cell).map(slot)
        };
        let directions = [Some(false), both.then_some(true)].into_iter().flatten();
        let walks =
            (0..layers).flat_map(|layer| directions.clone().map(move |reverse| (layer, reverse)));
        let has = |slot: &Slot| self.places.contains_key(slot);
        let recurrent: Vec<Slot> = walks.flat_map(of_walk).collect();
        let any_recurrent_bias = recurrent.iter().any(|slot| slot.is_bias() && has(slot));
        let mut needed = vec![Slot::Embedding];
        needed.extend(
            recurrent
                .into_iter()
                .filter(|slot| !slot.is_bias() || any_recurrent_bias),
        );
        needed.push(Slot::Output(Linear::Weight));
        needed.retain(|slot| !has(slot));
        needed
    }

    /// Whether every tensor has its place, and every place its tensor.
    ///
    /// # Errors
    /// [`InteropError::Tensors`] names those that are left over and those that are missing; [`InteropError::Network`] if
    /// there is no recurrent layer, or it is not known which one.
    pub fn check(&self) -> Result<(), InteropError> {
        self.ensure_cell()?;
        let table = self.table();
        let names = |fate, name: fn(&TableRow) -> Option<&str>| {
            let names = table.iter().filter(|row| row.fate == fate);
            let mut names = names.filter_map(name).peekable();
            names.peek().is_some().then(|| few(names))
        };
        let left_over = names(Fate::LeftOver, |row| Some(&row.theirs.as_ref()?.0)).map(|names| {
            format!("the network has no place for {names}, and may go without it if it doesn't change what the network computes: --ignore")
        });
        let missing = names(Fate::Missing, |row| row.ours.as_deref())
            .map(|names| format!("{names} of the network is missing"));
        let errors: Vec<String> = [missing, left_over].into_iter().flatten().collect();
        match errors.is_empty() {
            true => Ok(()),
            false => Err(InteropError::Tensors(errors.join("; "))),
        }
    }

    /// The network that the tensors are of, as far as they tell. What is read is the last state.
    ///
    /// # Errors
    /// As [`check`](Self::check); if a tensor has not the shape that the others ask for.
    pub fn config(&self) -> Result<NetworkConfig, InteropError> {
        self.check()?;
        let cell = self.cell.expect("it was settled when the file was opened");
        let size = |slot, axis: usize| match self.tensor(slot) {
            Some(tensor) if tensor.shape.len() == 2 => Ok(tensor.shape[axis]),
            Some(tensor) => Err(wrong_shape(tensor, "two dimensions are needed".into())),
            None => Ok(0),
        };
        // PyTorch's are transposed.
        let (inner, outer) = match self.framework {
            Framework::PyTorch => (1, 0),
            _ => (0, 1),
        };
        let part = Part::RecurrentWeight;
        let recurrent = Slot::Recurrent {
            layer: 0,
            reverse: false,
            part,
        };
        let mut config = NetworkConfig {
            cell,
            vocabulary_size: size(Slot::Embedding, 0)?,
            embedding_size: size(Slot::Embedding, 1)?,
            hidden_size: size(recurrent, inner)?,
            dense_size: size(Slot::Dense(Linear::Weight), outer)?,
            output_size: size(Slot::Output(Linear::Weight), outer)?,
            ..NetworkConfig::default()
        };
        for slot in self.places.keys() {
            if let Slot::Recurrent { layer, reverse, .. } = *slot {
                config.layers = config.layers.max(layer + 1);
                config.bidirectional |= reverse;
            }
        }
        if config.dense_size == 0 && self.tensor(Slot::Dense(Linear::Weight)).is_some() {
            return Err(InteropError::Network("its dense layer has no units".into()));
        }
        for (slot, &tensor) in &self.places {
            let (tensor, expected) = (&self.tensors[tensor], shape(*slot, &config, self.framework));
            if tensor.shape != expected {
                return Err(wrong_shape(
                    tensor,
                    format!("{expected:?} is needed, by the shapes of the others"),
                ));
            }
        }
        if let Some(network) = &self.described {
            network.ensure_sizes(&config)?;
        }
        config
            .validate()
            .map_err(|error| InteropError::Network(error.to_string()))?;
        Ok(config)
    }

    fn tensor(&self, slot: Slot) -> Option<&TheirTensor> {
        self.places.get(&slot).map(|&tensor| &self.tensors[tensor])
    }

    /// Reads the network's weights.
    ///
    /// # Errors
    /// As [`config`](Self::config); if a tensor can't be read, is of another type, or a number is not finite.
    pub fn weights(&self) -> Result<Weights, InteropError> {
        let config = self.config()?;
        // Tensors may share their numbers, or repeat one; then few bytes make many.
        let taken = self
            .places
            .values()
            .map(|&tensor| self.tensors[tensor].bytes());
        if taken.fold(0, u64::saturating_add) > 2 * self.bytes {
            return Err(InteropError::Refused(
                "its tensors claim far more numbers than the file has".into(),
            ));
        }
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.read(&config)));
        read.unwrap_or_else(|_| Err(InteropError::File("the file is damaged".into())))
    }

    fn read(&self, config: &NetworkConfig) -> Result<Weights, InteropError> {
        let mut weights = Weights::default();
        let mut insert = |slot: Slot, matrix: Matrix, is_vector: bool| {
            let [name] = &slot.names()[..] else {
                unreachable!("each of ours has a place of its own")
            };
            let shape = match is_vector {
                true => vec![matrix.columns],
                false => vec![matrix.rows, matrix.columns],
            };
            weights.insert(name.clone(), shape, matrix.to_bytes());
        };
        for linear in [Slot::Dense, Slot::Output] {
            let Some(weight) = self.tensor(linear(Linear::Weight)) else {
                continue;
            };
            let weight = weight.matrix()?;
            let weight = match self.framework {
                Framework::PyTorch => weight.transposed(),
                _ => weight,
            };
            let bias = self
                .tensor(linear(Linear::Bias))
                .map(TheirTensor::matrix)
                .transpose()?;
            let bias = bias.unwrap_or_else(|| Matrix::zeros(1, weight.columns));
            insert(linear(Linear::Weight), weight, false);
            insert(linear(Linear::Bias), bias, true);
        }
        for (layer, reverse) in walks(config) {
            let slot = |part| Slot::Recurrent {
                layer,
                reverse,
                part,
            };
            let width = gates_width(config.cell, config.hidden_size);
            let mut biases = [Matrix::zeros(1, width), Matrix::zeros(1, width)];
            for row in rows(self.framework, config.cell) {
                let Some(tensor) = self.tensor(slot(row.part)) else {
                    continue;
                };
                let ours = row.to_ours(tensor.matrix()?);
                match row.part {
                    Part::InputWeight | Part::RecurrentWeight => {
                        insert(slot(row.part), ours, false)
                    }
                    Part::Bias => biases[0] = ours,
                    Part::RecurrentBias => biases[1] = ours,
                    Part::Biases => biases = ours.halves(),
                }
            }
            let [mut bias, recurrent] = biases;
            if config.cell.has_recurrent_bias() {
                insert(slot(Part::RecurrentBias), recurrent, true);
            } else {
                bias.add(&recurrent);
            }
            insert(slot(Part::Bias), bias, true);
        }
        let embedding = self.tensor(Slot::Embedding).expect("it is not missing");
        let shape = embedding.shape.clone();
        weights.insert("embedding.weight".into(), shape, embedding.read()?);
        Ok(weights)
    }
}

fn wrong_shape(tensor: &TheirTensor, expected: String) -> InteropError {
    InteropError::Shape {
        name: shown(&tensor.name),
        found: tensor.shape.iter().copied().take(5).collect(),
        expected,
    }
}

/// The shape that a framework's tensor has at a place.
pub(super) fn shape(slot: Slot, config: &NetworkConfig, framework: Framework) -> Vec<usize> {
    let turned = |[rows, columns]: [usize; 2], transposed| match transposed {
        true => vec![columns, rows],
        false => vec![rows, columns],
    };
    let is_torch = framework == Framework::PyTorch;
    let read = config.width() * config.reading.widths();
    match slot {
        Slot::Embedding => vec![config.vocabulary_size, config.embedding_size],
        Slot::Dense(Linear::Weight) => turned([read, config.dense_size], is_torch),
        Slot::Dense(Linear::Bias) => vec![config.dense_size],
        Slot::Output(Linear::Weight) => {
            let input = if config.dense_size > 0 {
                config.dense_size
            } else {
                read
            };
            turned([input, config.output_size], is_torch)
        }
        Slot::Output(Linear::Bias) => vec![config.output_size],
        Slot::Recurrent { layer, part, .. } => {
            let width = gates_width(config.cell, config.hidden_size);
            let row = rows(framework, config.cell).find(|row| row.part == part);
            let transposed = row.is_some_and(|row| row.transposed);
            match part {
                Part::InputWeight => turned([layer_input(config, layer), width], transposed),
                Part::RecurrentWeight => turned([config.hidden_size, width], transposed),
                Part::Bias | Part::RecurrentBias => vec![width],
                Part::Biases => vec![2, width],
            }
        }
    }
}

/// Whether a name is what a pattern says, in which `*` is anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return left.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(place) => left = &left[place + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_stars_for_anything() {
        for (pattern, name) in [
            ("a", "a"),
            ("*", ""),
            ("*.num_batches", "bn.num_batches"),
            ("a*c*e", "abcde"),
            ("a*", "a"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "ab"), ("a*b", "abc"), ("ab*b", "ab"), ("", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
