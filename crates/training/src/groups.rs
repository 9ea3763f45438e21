//! Groups of parameters, each with a learning rate of its own.

use serde::{Deserialize, Serialize};

/// A network's groups of parameters, by what they are a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Groups {
    /// The tokens' vectors: parameters below `input`.
    #[serde(skip_serializing_if = "Group::is_default")]
    pub embedding: Group,
    /// The recurrent layers: parameters below `stack`.
    #[serde(skip_serializing_if = "Group::is_default")]
    pub recurrent: Group,
    /// All others, as the head's.
    #[serde(skip_serializing_if = "Group::is_default")]
    pub head: Group,
}

/// How a group of parameters is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Its share of the learning rate (discriminative fine-tuning, Howard and Ruder 2018).
    pub rate: f64,
    /// Epochs at the beginning that leave it as it is (gradual unfreezing, Howard and Ruder 2018).
    pub frozen_epochs: usize,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            rate: 1.0,
            frozen_epochs: 0,
        }
    }
}

impl Group {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn rate_in(&self, epoch: usize) -> f64 {
        match epoch > self.frozen_epochs {
            true => self.rate,
            false => 0.0,
        }
    }
}

impl Groups {
    /// Whether all are trained alike.
    pub fn are_default(&self) -> bool {
        *self == Self::default()
    }

    /// Each with its name.
    pub fn named(&self) -> [(&'static str, Group); 3] {
        [
            ("embedding", self.embedding),
            ("recurrent", self.recurrent),
            ("head", self.head),
        ]
    }

    /// The share of the learning rate that the parameter at `path` has in an epoch, counted from 1.
    pub fn rate(&self, path: &str, epoch: usize) -> f64 {
        let group = match part(path) {
            EMBEDDING => self.embedding,
            "stack" => self.recurrent,
            _ => self.head,
        };
        group.rate_in(epoch)
    }
}

/// What a network calls the part that holds its tokens' vectors.
const EMBEDDING: &str = "input";

/// What a network calls its part with the parameter at `path`.
fn part(path: &str) -> &str {
    // A language model in training holds the model.
    let path = path.strip_prefix("model.").unwrap_or(path);
    path.split('.').next().unwrap_or(path)
}

/// Whether the parameter at `path` is one of the tokens' vectors.
pub(crate) fn is_of_embedding(path: &str) -> bool {
    part(path) == EMBEDDING
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, ModuleVisitor, Param};
    use burn::tensor::{Device, Tensor};
    use gatefold_model::NetworkConfig;

    use super::*;
    use crate::Pretraining;
    use crate::config::PretrainingConfig;

    /// The paths of a module's parameters.
    #[derive(Default)]
    struct Paths {
        all: Vec<String>,
        path: Vec<String>,
    }

    impl ModuleVisitor for Paths {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            self.all.push(self.path.join("."));
        }
    }

    #[test]
    fn every_parameter_of_a_network_and_of_a_language_model_is_in_its_group() {
        let groups = Groups {
            embedding: Group {
                rate: 0.1,
                frozen_epochs: 2,
            },
            recurrent: Group {
                rate: 0.2,
                frozen_epochs: 1,
            },
            head: Group::default(),
        };
        let device = Device::flex();
        let model = NetworkConfig {
            vocabulary_size: 10,
            ..NetworkConfig::default()
        };
        let (mut of_network, mut of_model) = (Paths::default(), Paths::default());
        model.init(1, &device).unwrap().visit(&mut of_network);
        let language_model = model.language_model(1, &device).unwrap();
        Pretraining::new(language_model, &PretrainingConfig::default()).visit(&mut of_model);
        for paths in [of_network, of_model] {
            let rates = |epoch| {
                let mut rates: Vec<f64> =
                    paths.all.iter().map(|of| groups.rate(of, epoch)).collect();
                rates.dedup();
                rates
            };
            assert_eq!(rates(3), [0.1, 0.2, 1.0], "{:?}", paths.all);
            assert_eq!(rates(2), [0.0, 0.2, 1.0]);
            assert_eq!(rates(1), [0.0, 1.0]);
        }
    }
}
