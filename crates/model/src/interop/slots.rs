//! The places of a network's weights.

use gatefold_kernels::Cell;

use super::table::Part;
use crate::config::NetworkConfig;

/// The place of a tensor in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    Embedding,
    Recurrent {
        layer: usize,
        reverse: bool,
        part: Part,
    },
    Dense(Linear),
    Output(Linear),
}

/// A part of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Linear {
    /// Ours `[in, out]`.
    Weight,
    /// `[out]`.
    Bias,
}

impl Linear {
    fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
        }
    }
}

impl Slot {
    /// What the tensors here are called in a network's weights.
    pub fn names(self) -> Vec<String> {
        match self {
            Self::Embedding => vec!["embedding.weight".into()],
            Self::Recurrent {
                layer,
                reverse,
                part,
            } => {
                let direction = if reverse { "reverse" } else { "forward" };
                let parts: &[&str] = match part {
                    Part::InputWeight => &["input_weight"],
                    Part::RecurrentWeight => &["recurrent_weight"],
                    Part::Bias => &["bias"],
                    Part::RecurrentBias => &["recurrent_bias"],
                    Part::Biases => &["bias", "recurrent_bias"],
                };
                let name = |part: &&str| format!("recurrent.{layer}.{direction}.{part}");
                parts.iter().map(name).collect()
            }
            Self::Dense(part) => vec![format!("dense.{}", part.name())],
            Self::Output(part) => vec![format!("output.{}", part.name())],
        }
    }

    /// Whether it holds a bias, which a layer may lack as a whole.
    pub fn is_bias(self) -> bool {
        match self {
            Self::Embedding => false,
            Self::Recurrent { part, .. } => {
                matches!(part, Part::Bias | Part::RecurrentBias | Part::Biases)
            }
            Self::Dense(part) | Self::Output(part) => part == Linear::Bias,
        }
    }
}

/// Every walk of a network: its layer and whether it is the one backwards.
pub(crate) fn walks(config: &NetworkConfig) -> impl Iterator<Item = (usize, bool)> {
    let directions = if config.bidirectional { 2 } else { 1 };
    (0..config.layers).flat_map(move |layer| (0..directions).map(move |i| (layer, i == 1)))
}

/// The width of what a layer reads, of vectors of so many numbers.
pub(crate) fn layer_input(config: &NetworkConfig, layer: usize) -> usize {
    match (layer, config.input_size) {
        (0, Some(width)) => width,
        (0, None) => config.embedding_size,
        _ => config.width(),
    }
}

/// G·H.
pub(crate) fn gates_width(cell: Cell, hidden: usize) -> usize {
    cell.gates().saturating_mul(hidden)
}
