//! A stack of recurrent layers, each in one direction or in both.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::{Projections, State, Tokens};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::dropout::{Masks, OfDevice};
use crate::error::{
    ConfigError, MOST_LAYERS, NetworkError, at_least_1, product_to_drop_from, share_below_1,
};
use crate::initializers::{FirstWeights, Initializers, device_rng};
use crate::layers::{Cell, LayerConfig, RecurrentCell, or_panic};

/// Configuration of a [`Stack`]. All but the cell and the sizes may be left out of its JSON.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use gatefold_model::burn;
/// use gatefold_model::{Cell, StackConfig};
///
/// let device = Device::flex();
/// let encoder = StackConfig::new(Cell::Gru, 16, 64)
///     .with_layers(2)
///     .with_bidirectional(true)
///     .init(&device);
/// let input = Tensor::<3>::zeros([2, 5, 16], &device);
/// let lengths = Tensor::from_data([5, 3], &device);
/// let walked = encoder.forward(input, Some(lengths), None);
/// assert_eq!(walked.hidden_states.dims(), [2, 5, 128]);
/// assert_eq!(walked.states.layers().len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct StackConfig {
    /// Kind of the layers.
    pub cell: Cell,
    /// Size of the input vectors.
    pub d_input: usize,
    /// Size of the hidden state of each layer and direction, H.
    pub d_hidden: usize,
    /// Number of layers, one on top of the other.
    #[serde(default = "one")]
    pub layers: usize,
    /// Whether every layer also walks time backwards, beside its forward walk.
    #[serde(default)]
    pub bidirectional: bool,
    /// Share of a layer's outputs zeroed in training before the layer above, in [0, 1).
    #[serde(default)]
    pub dropout: f64,
    /// See [`LayerConfig::recurrent_dropout`].
    #[serde(default)]
    pub recurrent_dropout: f64,
    /// Whose first weights.
    #[serde(default)]
    pub initializers: Initializers,
}

fn one() -> usize {
    1
}

impl Config for StackConfig {}

impl StackConfig {
    /// One layer in one direction.
    pub fn new(cell: Cell, d_input: usize, d_hidden: usize) -> Self {
        Self {
            cell,
            d_input,
            d_hidden,
            layers: 1,
            bidirectional: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            initializers: Initializers::default(),
        }
    }

    /// Number of layers.
    pub fn with_layers(mut self, layers: usize) -> Self {
        self.layers = layers;
        self
    }

    /// Whether every layer also walks time backwards.
    pub fn with_bidirectional(mut self, bidirectional: bool) -> Self {
        self.bidirectional = bidirectional;
        self
    }

    /// Share of a layer's outputs zeroed in training before the layer above.
    pub fn with_dropout(mut self, share: f64) -> Self {
        self.dropout = share;
        self
    }

    /// Share of the hidden units that the recurrent products leave out in training.
    pub fn with_recurrent_dropout(mut self, share: f64) -> Self {
        self.recurrent_dropout = share;
        self
    }

    /// Whose first weights.
    pub fn with_initializers(mut self, initializers: Initializers) -> Self {
        self.initializers = initializers;
        self
    }

    /// A stack on `device`; `device.seed(..)` before makes it reproducible.
    ///
    /// # Panics
    /// Where [`validate`](Self::validate) is an error.
    pub fn init(&self, device: &Device) -> Stack {
        self.init_with(&mut device_rng(device), device)
    }

    /// A stack whose weights are drawn from `rng`: the same on every device.
    ///
    /// # Panics
    /// Where [`validate`](Self::validate) is an error.
    pub fn init_with(&self, rng: &mut impl Rng, device: &Device) -> Stack {
        or_panic(self.validate());
        self.stack(&mut FirstWeights::Drawn(self.initializers, rng), device)
    }

    /// Whether this describes a stack.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is off.
    pub fn validate(&self) -> Result<(), ConfigError> {
        at_least_1(self.d_input, "d_input")?;
        at_least_1(self.d_hidden, "d_hidden")?;
        at_least_1(self.layers, "layers")?;
        if self.layers > MOST_LAYERS {
            return Err(ConfigError::Layers(self.layers));
        }
        share_below_1(self.dropout, "dropout")?;
        share_below_1(self.recurrent_dropout, "recurrent_dropout")?;
        product_to_drop_from(self.cell, self.recurrent_dropout)
    }

    pub(crate) fn stack(&self, weights: &mut FirstWeights, device: &Device) -> Stack {
        let mut width = self.d_input;
        let mut direction = |width, reverse| {
            let config = LayerConfig::<RecurrentCell>::new(width, self.d_hidden)
                .with_reverse(reverse)
                .with_recurrent_dropout(self.recurrent_dropout);
            RecurrentCell::layer(self.cell, config, weights, device)
        };
        let layers = (0..self.layers)
            .map(|_| {
                let layer = StackLayer {
                    forward: direction(width, false),
                    reverse: self.bidirectional.then(|| direction(width, true)),
                };
                width = if self.bidirectional { 2 } else { 1 } * self.d_hidden;
                layer
            })
            .collect();
        Stack {
            layers,
            dropout: DropoutConfig::new(self.dropout).init(),
        }
    }
}

/// What a stack reads.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // One a batch.
pub(crate) enum StackInput {
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
    fn dims(&self) -> [usize; 2] {
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

/// What a layer of a stack hands on.
#[derive(Clone, Debug)]
pub struct LayerStates {
    /// Of its walk forwards.
    pub forward: State,
    /// Of its walk backwards, where there is one.
    pub reverse: Option<State>,
}

impl States {
    /// States of layers, from the input's to the output's.
    pub fn new(layers: Vec<LayerStates>) -> Self {
        Self(layers)
    }

    /// The states of each layer, from the input's to the output's.
    pub fn layers(&self) -> &[LayerStates] {
        &self.0
    }

    /// The same numbers outside any graph: what truncated backpropagation through time hands on
    /// (Williams and Peng 1990).
    pub fn detach(&self) -> Self {
        self.map(State::detach)
    }

    /// The same numbers on the device without automatic differentiation.
    pub fn inner(&self) -> Self {
        self.map(State::inner)
    }

    fn map(&self, change: impl Fn(&State) -> State) -> Self {
        let layers = self.0.iter().map(|layer| LayerStates {
            forward: change(&layer.forward),
            reverse: layer.reverse.as_ref().map(&change),
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
pub struct StackLayer {
    /// Its walk forwards.
    pub forward: RecurrentCell,
    /// Its walk backwards, where there is one.
    pub reverse: Option<RecurrentCell>,
}

impl StackLayer {
    fn walk(
        &self,
        input: &StackInput,
        states: Option<LayerStates>,
        masks: &mut impl Masks,
    ) -> Result<(Tensor<3>, Tensor<2>, LayerStates), NetworkError> {
        let (forward, reverse) = match states {
            Some(states) => (Some(states.forward), states.reverse),
            None => (None, None),
        };
        let mut walk = |cell: &RecurrentCell, state| {
            let projections = input.project(cell);
            let lengths = Some(input.lengths());
            let walked = cell.parameters().walk(projections, lengths, state, masks)?;
            Ok::<_, NetworkError>((walked.hidden_states, walked.final_state))
        };
        let (hidden, forward) = walk(&self.forward, forward)?;
        let last = forward.hidden.clone();
        let Some(cell) = &self.reverse else {
            let states = LayerStates {
                forward,
                reverse: None,
            };
            return Ok((hidden, last, states));
        };
        let (reverse_hidden, reverse) = walk(cell, reverse)?;
        Ok((
            Tensor::cat(vec![hidden, reverse_hidden], 2),
            Tensor::cat(vec![last, reverse.hidden.clone()], 1),
            LayerStates {
                forward,
                reverse: Some(reverse),
            },
        ))
    }
}

/// Recurrent layers, one on top of the other, with dropout between them.
#[derive(Module, Debug)]
pub struct Stack {
    /// From the input's to the output's.
    pub layers: Vec<StackLayer>,
    /// Between two layers.
    pub dropout: Dropout,
}

impl Stack {
    /// Walks over whole sequences.
    ///
    /// - `input`: `[B, T, d_input]`;
    /// - `lengths`: valid timesteps of each row, `[B]`; all of them if `None`;
    /// - `states`: of all layers, to go on from; zeros if `None`.
    ///
    /// # Panics
    /// Where [`try_forward`](Self::try_forward) is an error, with its words.
    pub fn forward(
        &self,
        input: Tensor<3>,
        lengths: Option<Tensor<1, Int>>,
        states: Option<States>,
    ) -> StackOutput {
        or_panic(self.try_forward(input, lengths, states))
    }

    /// [`forward`](Self::forward), with an error that names what doesn't fit.
    ///
    /// # Errors
    /// [`NetworkError::Input`] if the input doesn't fit, [`NetworkError::States`] if the states are of another
    /// stack or of other rows.
    pub fn try_forward(
        &self,
        input: Tensor<3>,
        lengths: Option<Tensor<1, Int>>,
        states: Option<States>,
    ) -> Result<StackOutput, NetworkError> {
        let first = self.layers[0].forward.parameters();
        first.check_input(&input, "[B, T, d_input], nothing empty")?;
        let lengths = first.lengths_or_all(lengths, &input)?;
        let vectors = input;
        self.walk(
            StackInput::Vectors { vectors, lengths },
            states,
            &mut OfDevice,
        )
    }

    /// The states that sequences start from: zeros for `batch` rows.
    pub fn zero_states(&self, batch: usize) -> States {
        let zeros = |cell: &RecurrentCell| cell.zero_state(batch);
        let layers = self.layers.iter().map(|layer| LayerStates {
            forward: zeros(&layer.forward),
            reverse: layer.reverse.as_ref().map(zeros),
        });
        States(layers.collect())
    }

    /// One timestep of a stack that walks forward alone: `input` `[B, d_input]` gives the last layer's hidden
    /// state `[B, H]`, and the states to go on from.
    ///
    /// # Panics
    /// If shapes, types or devices don't fit together, or the stack walks backwards too.
    pub fn step(&self, input: Tensor<2>, states: States) -> (Tensor<2>, States) {
        let walked = self.forward_only(input.unsqueeze_dim(1), states);
        (walked.last, walked.states)
    }

    /// The next timesteps of sequences that were read up to `states`: hidden states `[B, T, H]` of the last layer,
    /// and the states to go on from.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub fn seq(&self, input: Tensor<3>, states: States) -> (Tensor<3>, States) {
        let walked = self.forward_only(input, states);
        (walked.hidden_states, walked.states)
    }

    fn forward_only(&self, input: Tensor<3>, states: States) -> StackOutput {
        assert!(
            self.is_forward_only(),
            "Stack: {}",
            NetworkError::NoStream("it walks backwards too")
        );
        self.forward(input, None, Some(states))
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
        let (mut hidden_states, mut last, after) = first.walk(&input, before, masks)?;
        let mut states = vec![after];
        for (layer, before) in layers {
            let vectors = masks.drop_values(&self.dropout, hidden_states);
            let lengths = lengths.clone();
            let input = StackInput::Vectors { vectors, lengths };
            let after;
            (hidden_states, last, after) = layer.walk(&input, before, masks)?;
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
    ) -> Result<(&RecurrentCell, Tensor<3>), NetworkError> {
        let (last, before) = self.layers.split_last().expect("there is a layer");
        let vectors = before.iter().try_fold(vectors, |vectors, layer| {
            let lengths = lengths.clone();
            let input = StackInput::Vectors { vectors, lengths };
            let (hidden_states, ..) = layer.walk(&input, None, &mut OfDevice)?;
            Ok::<_, NetworkError>(hidden_states)
        })?;
        Ok((&last.forward, vectors))
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
        self.layers[0].forward.cell()
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
