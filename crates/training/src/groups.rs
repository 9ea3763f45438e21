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
        let group = match path.split('.').next() {
            Some("input") => self.embedding,
            Some("stack") => self.recurrent,
            _ => self.head,
        };
        group.rate_in(epoch)
    }
}
