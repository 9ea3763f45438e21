//! What a network learns from.

use std::fmt;

use crate::sequence::Sequence;

/// What a network should answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A class.
    Class(u32),
    /// A class a timestep of the sequence; a text's first timestep is its start token.
    Classes(Vec<u32>),
    /// Any number of classes at once, in ascending order, each once.
    ClassSet(Vec<u32>),
    /// Numbers.
    Values(Vec<f32>),
}

/// What the targets of all examples have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// One class.
    Class,
    /// A class a timestep.
    ClassPerStep,
    /// Any number of classes at once.
    ClassSet,
    /// Numbers.
    Values {
        /// How many.
        width: usize,
    },
}

impl Target {
    /// Its kind.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Class(_) => TargetKind::Class,
            Self::Classes(_) => TargetKind::ClassPerStep,
            Self::ClassSet(_) => TargetKind::ClassSet,
            Self::Values(values) => TargetKind::Values {
                width: values.len(),
            },
        }
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class => f.write_str("one class"),
            Self::ClassPerStep => f.write_str("a class a timestep"),
            Self::ClassSet => f.write_str("a set of classes"),
            Self::Values { width: 1 } => f.write_str("one number"),
            Self::Values { width } => write!(f, "{width} numbers"),
        }
    }
}

/// A sequence and what a network should answer to it, where that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What is read, from its start or from where it was cut.
    pub input: Sequence,
    /// What should be answered.
    pub target: Option<Target>,
}

impl From<Sequence> for Example {
    fn from(input: Sequence) -> Self {
        Self {
            input,
            target: None,
        }
    }
}
