//! A stack of recurrent layers, each in one direction or in both.

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::{Projections, Tokens};

use crate::config::NetworkConfig;
use crate::dropout::{Masks, OfDevice};
use crate::error::NetworkError;
use crate::initializers::FirstWeights;
use crate::layers::{Cell, RecurrentCell, State};

/// What a stack reads.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // One a batch.
pub enum StackInput {
    /// Vectors at every timestep.
    Vectors {
        /// `[B, T, in]`.
        vectors: Tensor<3>,
        /// Valid timesteps of each row, `[B]`.
        lengths: Tensor<1, Int>,
    },
    /// A vector a word, and the words at every timestep: the first layer projects the words alone.
    Words {
        /// `[V, in]`.
        vectors: Tensor<2>,
        /// Of V words.
        tokens: Tokens,
    },
}

impl StackInput {
    /// B and T.
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Vectors { vectors, .. } => [vectors.dims()[0], vectors.dims()[1]],
            Self::Words { tokens, .. } => tokens.dims(),
        }
    }

    /// Valid timesteps of each row, `[B]`.
    pub fn lengths(&self) -> Tensor<1, Int> {
        match self {
            Self::Vectors { lengths, .. } => lengths.clone(),
            Self::Words { tokens, .. } => tokens.lengths(),
        }
    }

    fn project(&self, cell: &RecurrentCell) -> Projections {
        match self {
            Self::Vectors { vectors, .. } => cell.project(vectors.clone()).into(),
            Self::Words { vectors, tokens } => {
                let table = cell.project_rows(vectors.clone());
                Projections::per_word(table, tokens.clone()).expect("a table has a row a word")
            }
        }
    }
}

/// What a walk over sequences gives.
#[derive(Clone, Debug)]
pub struct StackOutput {
    /// The last layer's hidden states `[B, T, N]`, N = H or, in both directions, 2H; zero past a row's length.
    pub hidden_states: Tensor<3>,
    /// Those after a row's last timestep, `[B, N]`.
    pub last: Tensor<2>,
    /// What all layers hand on, to walk further from.
    pub states: States,
}

/// What all layers of a stack hand from one walk to the next.
#[derive(Clone, Debug)]
pub struct States(Vec<LayerStates>);

#[derive(Clone, Debug)]
struct LayerStates {
    forward: State,
    reverse: Option<State>,
}

impl States {
    /// The same numbers outside any graph: what truncated backpropagation through time hands on
    /// (Williams and Peng 1990).
    pub fn detach(&self) -> Self {
        let detach = |state: &State| state.map(Tensor::detach);
        let layers = self.0.iter().map(|layer| LayerStates {
            forward: detach(&layer.forward),
            reverse: layer.reverse.as_ref().map(detach),
        });
        Self(layers.collect())
    }

    /// Layers, whether both directions are there, rows and units: what has to fit a stack.
    fn describe(&self) -> String {
        let first = self.0.first();
        let [rows, units] = first.map_or([0; 2], |layer| layer.forward.hidden.dims());
        let both = first.is_some_and(|layer| layer.reverse.is_some());
        let cell = first.is_some_and(|layer| layer.forward.cell.is_some());
        describe([self.0.len(), rows, units], both, cell)
    }
}

fn describe([layers, rows, units]: [usize; 3], both: bool, cell: bool) -> String {
    format!(
        "{layers} layers in {} of {units} units {} for {rows} rows",
        if both {
            "both directions"
        } else {
            "one direction"
        },
        if cell {
            "with a cell state"
        } else {
            "without a cell state"
        },
    )
}

/// One recurrent layer, in one direction or both.
#[derive(Module, Debug)]
pub(crate) struct StackLayer {
    pub(crate) forward: RecurrentCell,
    pub(crate) reverse: Option<RecurrentCell>,
}

impl StackLayer {
    fn walk(
        &self,
        input: &StackInput,
        states: Option<LayerStates>,
        masks: &mut impl Masks,
    ) -> (Tensor<3>, Tensor<2>, LayerStates) {
        let (forward, reverse) = match states {
            Some(states) => (Some(states.forward), states.reverse),
            None => (None, None),
        };
        let lengths = || Some(input.lengths());
        let projections = input.project(&self.forward);
        let (hidden, forward) = self.forward.walk(projections, lengths(), forward, masks);
        let last = forward.hidden.clone();
        let Some(cell) = &self.reverse else {
            let states = LayerStates {
                forward,
                reverse: None,
            };
            return (hidden, last, states);
        };
        let (reverse_hidden, reverse) = cell.walk(input.project(cell), lengths(), reverse, masks);
        (
            Tensor::cat(vec![hidden, reverse_hidden], 2),
            Tensor::cat(vec![last, reverse.hidden.clone()], 1),
            LayerStates {
                forward,
                reverse: Some(reverse),
            },
        )
    }
}

/// Recurrent layers, one on top of the other, with dropout between them.
#[derive(Module, Debug)]
pub struct Stack {
    pub(crate) layers: Vec<StackLayer>,
    pub(crate) dropout: Dropout,
}

impl Stack {
    /// The layers of `config` over vectors of `input` numbers.
    pub(crate) fn layers(
        config: &NetworkConfig,
        input: usize,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> Self {
        let mut width = input;
        let mut direction = |width, reverse| {
            let sizes = [width, config.hidden_size];
            let dropout = config.recurrent_dropout;
            RecurrentCell::layer(config.cell, sizes, reverse, dropout, weights, device)
        };
        let layers = (0..config.layers)
            .map(|_| {
                let layer = StackLayer {
                    forward: direction(width, false),
                    reverse: config.bidirectional.then(|| direction(width, true)),
                };
                width = config.width();
                layer
            })
            .collect();
        Self {
            layers,
            dropout: DropoutConfig::new(config.dropout).init(),
        }
    }

    /// Walks over whole sequences, from `states` on, or from zeros.
    ///
    /// # Errors
    /// [`NetworkError::States`] if the states are of another stack or of other rows.
    pub fn forward(
        &self,
        input: StackInput,
        states: Option<States>,
    ) -> Result<StackOutput, NetworkError> {
        self.walk(input, states, &mut OfDevice)
    }

    pub(crate) fn walk(
        &self,
        input: StackInput,
        states: Option<States>,
        masks: &mut impl Masks,
    ) -> Result<StackOutput, NetworkError> {
        let [rows, _] = input.dims();
        let lengths = input.lengths();
        let before = match states {
            Some(states) => {
                self.check(&states, rows)?;
                states.0.into_iter().map(Some).collect()
            }
            None => vec![None; self.layers.len()],
        };
        let mut layers = self.layers.iter().zip(before);
        let (first, before) = layers.next().expect("there is a layer");
        let (mut hidden_states, mut last, after) = first.walk(&input, before, masks);
        let mut states = vec![after];
        for (layer, before) in layers {
            let vectors = masks.drop_values(&self.dropout, hidden_states);
            let lengths = lengths.clone();
            let input = StackInput::Vectors { vectors, lengths };
            let after;
            (hidden_states, last, after) = layer.walk(&input, before, masks);
            states.push(after);
        }
        Ok(StackOutput {
            hidden_states,
            last,
            states: States(states),
        })
    }

    /// The last layer that walks forward, and the vectors that it reads.
    pub(crate) fn last_layer(
        &self,
        vectors: Tensor<3>,
        lengths: Tensor<1, Int>,
    ) -> (&RecurrentCell, Tensor<3>) {
        let (last, before) = self.layers.split_last().expect("there is a layer");
        let vectors = before.iter().fold(vectors, |vectors, layer| {
            let lengths = lengths.clone();
            let input = StackInput::Vectors { vectors, lengths };
            layer.walk(&input, None, &mut OfDevice).0
        });
        (&last.forward, vectors)
    }

    fn check(&self, states: &States, rows: usize) -> Result<(), NetworkError> {
        let sizes = [self.layers.len(), rows, self.hidden_size()];
        let cell = self.cell().has_cell_state();
        let expected = describe(sizes, !self.is_forward_only(), cell);
        let given = states.describe();
        (expected == given)
            .then_some(())
            .ok_or(NetworkError::States { expected, given })
    }

    /// The kind of the layers.
    pub fn cell(&self) -> Cell {
        match &self.layers[0].forward {
            RecurrentCell::SimpleRnn(_) => Cell::Rnn,
            RecurrentCell::Lstm(_) => Cell::Lstm,
            RecurrentCell::Gru(_) => Cell::Gru,
        }
    }

    fn hidden_size(&self) -> usize {
        self.layers[0].forward.hidden_size()
    }

    /// Whether no layer walks time backwards.
    pub fn is_forward_only(&self) -> bool {
        self.layers.iter().all(|layer| layer.reverse.is_none())
    }

    /// The recurrent layer, where there is one alone and it walks forward alone.
    pub fn single_layer(&self) -> Option<&RecurrentCell> {
        match &self.layers[..] {
            [layer] if layer.reverse.is_none() => Some(&layer.forward),
            _ => None,
        }
    }
}
