//! Checkpoints: all that an interrupted training needs to go on as if nothing had happened.
//!
//! A checkpoint is a SafeTensors file. It holds
//!
//! | entry | what it is |
//! | --- | --- |
//! | `network.NAME` | the weights, by their names |
//! | `best.NAME` | the weights of the best epoch so far, if one is done |
//! | `refitted.NAME` | the weights of the training on both parts, once that is done |
//! | `first.NAME` | the weights that the training began with, if it is to begin again |
//! | `average.PATH` | the moving average of the weights `[N]`, by their parameters' paths, if it is made |
//! | `adam.first.PATH`, `adam.second.PATH` | the optimizer's moments `[N]`, by their parameters' paths |
//! | `carried.N` | what [the network hands](crate::Answers::carried) from a batch to the next, if anything |
//! | the metadata's `gatefold` | a [`Header`] as TOML |
//!
//! Batches, dropout and learning rate follow from the seed and the position: there is no random state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gatefold_model::Weights;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::config::RunConfig;
use crate::error::TrainingError;
use crate::metrics::Progress;

const METADATA: &str = "gatefold";

/// What a checkpoint says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Gatefold's version.
    pub version: String,
    /// The hash of the examples that are trained and validated on.
    pub data: String,
    /// Adam's steps so far.
    pub optimizer_steps: u64,
    /// Where the run stands.
    pub progress: Progress,
    /// The run's settings.
    pub config: RunConfig,
}

/// A checkpoint in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// What it says of itself.
    pub header: Header,
    /// The weights.
    pub network: Arc<Weights>,
    /// The best epoch's weights.
    pub best: Option<Arc<Weights>>,
    /// The weights of the training on both parts, once that is done.
    pub refitted: Option<Arc<Weights>>,
    /// The weights that the training began with, if it is to begin again.
    pub first: Option<Arc<Weights>>,
    /// The moving average of the weights, by their parameters' paths, if it is made.
    pub average: BTreeMap<String, Vec<f32>>,
    /// Adam's first and second moments, by their parameters' paths.
    pub moments: BTreeMap<String, [Vec<f32>; 2]>,
    /// What [the network hands](crate::Answers::carried) from a batch to the next.
    pub carried: Vec<Vec<f32>>,
}

/// Why a checkpoint isn't gone on from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Refused {
    /// Its content is of no use: the one before it may serve.
    #[error("{0}")]
    Damaged(String),
    /// It is of another version, network or dataset, and so are those before it; or it can't be read.
    #[error("{0}")]
    Other(String),
}

pub(crate) fn damaged(error: impl std::fmt::Display) -> Refused {
    Refused::Damaged(error.to_string())
}

impl Checkpoint {
    /// Whether a run of these settings and examples can go on from here.
    ///
    /// # Errors
    /// [`Refused::Other`] says what is another: the settings, or the examples.
    pub fn check(&self, config: &RunConfig, data: &str) -> Result<(), Refused> {
        let mut of_checkpoint = self.header.config.clone();
        // They shape no result, and the data may have moved.
        of_checkpoint.training.checkpoint_minutes = config.training.checkpoint_minutes;
        // A run may be lengthened: what is behind stays what it is.
        of_checkpoint.training.epochs = config.training.epochs;
        of_checkpoint.dataset = config.dataset.clone();
        of_checkpoint.training.kernels = config.training.kernels.clone();
        if of_checkpoint != *config {
            let toml = |config: &RunConfig| config.to_toml().map_err(damaged);
            let (theirs, ours) = (toml(&of_checkpoint)?, toml(config)?);
            let differs: Vec<String> = theirs
                .lines()
                .filter(|line| !ours.lines().any(|other| other == *line))
                .map(|line| format!("`{line}`"))
                .collect();
            return Err(Refused::Other(format!(
                "it is of another network or training than config.toml describes: it has {}",
                if differs.is_empty() {
                    "fewer settings".into()
                } else {
                    differs.join(", ")
                }
            )));
        }
        if self.header.data != data {
            return Err(Refused::Other(
                "the dataset is not the one that it was trained on".into(),
            ));
        }
        Ok(())
    }

    /// A SafeTensors file's bytes.
    ///
    /// # Errors
    /// [`TrainingError::Checkpoint`] if the settings can't be written as TOML, or a file can't hold so much.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TrainingError> {
        let written = |error: &dyn std::fmt::Display| {
            TrainingError::Checkpoint(format!("the checkpoint can't be written: {error}"))
        };
        let moments = self.moments.iter().flat_map(|(path, moments)| {
            let named = ["first", "second"].into_iter().zip(moments);
            named.map(move |(name, values)| (format!("adam.{name}.{path}"), values))
        });
        let average = self.average.iter();
        let average = average.map(|(path, values)| (format!("average.{path}"), values));
        let carried = (0..).zip(&self.carried);
        let carried = carried.map(|(i, values): (u32, _)| (format!("carried.{i:04}"), values));
        let flat: Vec<(String, Vec<u8>)> = moments
            .chain(average)
            .chain(carried)
            .map(|(path, values)| {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                (path, bytes.collect())
            })
            .collect();
        let mut views = Vec::new();
        for (part, weights) in [
            ("network", Some(&self.network)),
            ("best", self.best.as_ref()),
            ("refitted", self.refitted.as_ref()),
            ("first", self.first.as_ref()),
        ] {
            let tensors = weights.into_iter().flat_map(|weights| weights.views());
            views.extend(tensors.map(|(name, view)| (format!("{part}.{name}"), view)));
        }
        for (path, bytes) in &flat {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
            views.push((path.clone(), view.map_err(|error| written(&error))?));
        }
        let header = toml::to_string(&self.header).map_err(|error| written(&error))?;
        let metadata = HashMap::from([(METADATA.to_owned(), header)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| written(&error))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`Refused::Damaged`] if the bytes are no checkpoint, [`Refused::Other`] if they are another version's.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Refused> {
        let header = Self::header(bytes)?;
        let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let part = |name: &str| -> Result<Option<Arc<Weights>>, Refused> {
            let views: Vec<_> = file
                .iter()
                .filter_map(|(path, view)| Some((path.strip_prefix(name)?, view)))
                .collect();
            let there = !views.is_empty();
            let weights = Weights::from_views(views).map_err(damaged)?;
            Ok(there.then(|| Arc::new(weights)))
        };
        let flat = |prefix: &str| -> Result<BTreeMap<String, Vec<f32>>, Refused> {
            let views = file.iter();
            let views = views.filter_map(|(path, view)| Some((path.strip_prefix(prefix)?, view)));
            views
                .map(|(path, view)| {
                    if view.dtype() != Dtype::F32 {
                        return Err(damaged(format!("{prefix}{path:.80} is no 32-bit floats")));
                    }
                    let (values, _) = view.data().as_chunks::<4>();
                    let values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
                    Ok((path.to_owned(), values.collect()))
                })
                .collect()
        };
        let mut moments = BTreeMap::<String, [Vec<f32>; 2]>::new();
        for (i, prefix) in ["adam.first.", "adam.second."].into_iter().enumerate() {
            for (path, values) in flat(prefix)? {
                moments.entry(path).or_default()[i] = values;
            }
        }
        Ok(Self {
            header,
            network: part("network.")?.ok_or_else(|| damaged("it holds no weights"))?,
            best: part("best.")?,
            refitted: part("refitted.")?,
            first: part("first.")?,
            average: flat("average.")?,
            moments,
            carried: flat("carried.")?.into_values().collect(),
        })
    }

    fn header(bytes: &[u8]) -> Result<Header, Refused> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let header = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(METADATA))
            .ok_or_else(|| damaged("it is no checkpoint of Gatefold's"))?;
        let table: toml::Table = toml::from_str(header).map_err(damaged)?;
        // Another version's header may have other entries: its version alone is always there.
        let ours = env!("CARGO_PKG_VERSION");
        match table.get("version").and_then(toml::Value::as_str) {
            Some(version) if version != ours => Err(Refused::Other(format!(
                "it is of Gatefold {version}, and this is {ours}: go on with that version, or train anew"
            ))),
            _ => toml::from_str(header).map_err(damaged),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatefold_model::burn::tensor::Device;

    use super::*;

    fn checkpoint(step: usize) -> Checkpoint {
        let config = RunConfig::default();
        let network = config.model.init(1, &Device::flex()).unwrap();
        let progress = Progress {
            step,
            seconds: 0.1 + 0.2,
            ..Progress::default()
        };
        Checkpoint {
            header: Header {
                version: env!("CARGO_PKG_VERSION").into(),
                data: "hash".into(),
                optimizer_steps: 7,
                progress,
                config,
            },
            network: Arc::new(network.weights().unwrap()),
            best: None,
            refitted: None,
            first: None,
            average: BTreeMap::new(),
            moments: BTreeMap::from([("dense.bias".into(), [vec![0.5; 64], vec![f32::MIN; 64]])]),
            carried: vec![vec![0.25; 3], vec![-1.0; 2]],
        }
    }

    #[test]
    fn a_checkpoint_survives_the_round_trip() {
        let mut first = checkpoint(3);
        for best in [None, Some(first.network.clone())] {
            (first.best, first.refitted, first.first) = (best.clone(), best.clone(), best);
            first.average = BTreeMap::from([("dense.bias".into(), vec![0.25; 64])]);
            let read = Checkpoint::from_bytes(&first.to_bytes().unwrap()).unwrap();
            assert!(read == first);
        }
    }

    #[test]
    fn a_checkpoint_of_something_else_is_refused_with_the_reason() {
        let of = checkpoint(3);
        let config = &of.header.config;
        assert!(of.check(config, "hash").is_ok());
        let reason = |of: &Checkpoint, config: &RunConfig, data: &str| {
            of.check(config, data).unwrap_err().to_string()
        };
        assert!(reason(&of, config, "other").contains("dataset"));
        let mut other = config.clone();
        other.model.hidden_size = 65;
        assert!(reason(&of, &other, "hash").contains("`hidden_size = 64`"));
        let mut longer = config.clone();
        longer.training.epochs += 5;
        assert!(of.check(&longer, "hash").is_ok());
    }

    #[test]
    fn a_header_of_another_version_is_named_by_its_version() {
        let of = checkpoint(3);
        let header = HashMap::from([(METADATA.into(), "version = \"9.1.0\"\nnew = 1\n".into())]);
        let bytes = safetensors::serialize(of.network.views(), Some(header)).unwrap();
        let error = Checkpoint::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains("9.1.0"), "{error}");
        let weights = of.network.to_safetensors(None).unwrap();
        assert!(Checkpoint::from_bytes(&weights).is_err());
    }
}
