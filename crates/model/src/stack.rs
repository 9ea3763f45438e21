//! A stack of recurrent layers, each in one direction or in both.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Int, Tensor};
use gatefold_kernels::{InputError, Projections, State, Tokens};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::dropout::{Masks, OfDevice};
use crate::error::{
    ConfigError, MOST_LAYERS, NetworkError, at_least_1, recurrent_dropouts, share_below_1,
};
use crate::initializers::{FirstWeights, Initializers, device_rng};
use crate::layers::{Cell, LayerConfig, RecurrentCell, or_panic, setters, whole_time};

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
    /// Share of the hidden units that the recurrent products leave out in training, in [0, 1); as in [`LayerConfig`].
    #[serde(default)]
    pub recurrent_dropout: f64,
    /// Share of the recurrent weights' numbers that are zero in training, in [0, 1); as in [`LayerConfig`].
    #[serde(default)]
    pub weight_dropout: f64,
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
            weight_dropout: 0.0,
            initializers: Initializers::default(),
        }
    }

    setters! {
        /// Number of layers.
        with_layers(layers: usize);
        /// Whether every layer also walks time backwards.
        with_bidirectional(bidirectional: bool);
        /// Share of a layer's outputs zeroed in training before the layer above.
        with_dropout(dropout: f64);
        /// Share of the hidden units that the recurrent products leave out in training.
        with_recurrent_dropout(recurrent_dropout: f64);
        /// Share of the recurrent weights' numbers that are zero in training.
        with_weight_dropout(weight_dropout: f64);
        /// Whose first weights.
        with_initializers(initializers: Initializers);
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
        recurrent_dropouts(self.cell, self.recurrent_dropout, self.weight_dropout)
    }

    pub(crate) fn stack(&self, weights: &mut FirstWeights, device: &Device) -> Stack {
        let mut width = self.d_input;
        let mut direction = |width, reverse| {
            let config = LayerConfig::<RecurrentCell>::new(width, self.d_hidden)
                .with_reverse(reverse)
                .with_recurrent_dropout(self.recurrent_dropout)
                .with_weight_dropout(self.weight_dropout);
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
    /// Valid timesteps of each row, `[B]`.
    pub fn lengths(&self) -> Tensor<1, Int> {
        match self {
            Self::Vectors { lengths, .. } => lengths.clone(),
            Self::Words { tokens, .. } => tokens.lengths(),
        }
    }

    fn project(&self, cell: &RecurrentCell) -> Projections {
        match self {
            Self::Vectors { vectors, .. } => cell.parameters().of_vectors(vectors.clone()),
            Self::Words { vectors, tokens } => {
                let weights = cell.parameters().input_weights();
                let (vectors, tokens) = (vectors.clone(), tokens.clone());
                Projections::of_words(vectors, tokens, weights).expect("a table has a row a word")
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

    /// With each row multiplied by its number of `[rows, 1]`: where that is 0, a row begins anew.
    pub fn scaled(&self, rows: &Tensor<2>) -> Self {
        self.map(|state| State {
            hidden: state.hidden.clone() * rows.clone(),
            cell: state.cell.clone().map(|cell| cell * rows.clone()),
        })
    }

    fn map(&self, change: impl Fn(&State) -> State) -> Self {
        let layers = self.0.iter().map(|layer| LayerStates {
            forward: change(&layer.forward),
            reverse: layer.reverse.as_ref().map(&change),
        });
        Self(layers.collect())
    }
}

/// Names the layer in which something doesn't fit.
fn at(layer: usize) -> impl Fn(InputError) -> NetworkError {
    move |error| NetworkError::Layer { layer, error }
}

/// Layers, and of which both directions are there.
fn describe(both: &[bool]) -> String {
    let there = |i: &usize| both[*i];
    let with_both: Vec<usize> = (0..both.len()).filter(there).collect();
    let directions = match with_both.len() {
        0 => "one direction".into(),
        all if all == both.len() => "both directions".into(),
        _ => format!("both directions in {with_both:?}"),
    };
    format!("{} layers, {directions}", both.len())
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
    /// Each with whether it walks backwards.
    fn directions(&self) -> impl Iterator<Item = (&RecurrentCell, bool)> {
        let reverse = self.reverse.iter().map(|cell| (cell, true));
        std::iter::once((&self.forward, false)).chain(reverse)
    }

    fn walk(
        &self,
        input: &StackInput,
        states: Option<LayerStates>,
        masks: &mut impl Masks,
    ) -> Result<(Tensor<3>, Tensor<2>, LayerStates), InputError> {
        let (forward, reverse) = match states {
            Some(states) => (Some(states.forward), states.reverse),
            None => (None, None),
        };
        let mut walk = |cell: &RecurrentCell, state| {
            let projections = input.project(cell);
            let lengths = Some(input.lengths());
            let walked = cell.parameters().walk(projections, lengths, state, masks)?;
            Ok::<_, InputError>((walked.hidden_states, walked.final_state))
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
    pub(crate) layers: Vec<StackLayer>,
    pub(crate) dropout: Dropout,
}

impl Stack {
    /// A stack of layers that are there, from the input's to the output's; `dropout`: share of a layer's outputs
    /// zeroed in training before the layer above.
    ///
    /// # Errors
    /// [`ConfigError::Stack`] if there is no layer, one is time first or walks the wrong way, or one doesn't read what
    /// the one below it gives; [`ConfigError::Dropout`] if the share is outside [0, 1).
    pub fn new(layers: Vec<StackLayer>, dropout: f64) -> Result<Self, ConfigError> {
        share_below_1(dropout, "dropout")?;
        let wrong = |layer: usize, what| Err(ConfigError::Stack { layer, what });
        if layers.is_empty() {
            return wrong(0, "there is none");
        }
        let mut width = layers[0].forward.parameters().sizes()[0];
        for (i, layer) in layers.iter().enumerate() {
            let mut given = 0;
            for (direction, reverse) in layer.directions() {
                let parameters = direction.parameters();
                let [input, hidden] = parameters.sizes();
                if !parameters.batch_first {
                    return wrong(i, "it is time first");
                }
                if parameters.reverse != reverse {
                    return wrong(i, "a direction walks the other way");
                }
                if input != width {
                    return wrong(i, "it reads another width than is given");
                }
                given += hidden;
            }
            width = given;
        }
        let dropout = DropoutConfig::new(dropout).init();
        Ok(Self { layers, dropout })
    }

    /// The layers, from the input's to the output's.
    pub fn layers(&self) -> &[StackLayer] {
        &self.layers
    }

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
        let lengths = lengths.unwrap_or_else(|| whole_time(input.dims(), &input.device()));
        let vectors = input;
        let input = StackInput::Vectors { vectors, lengths };
        self.walk(input, states, &mut OfDevice)
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

    /// One timestep of a stack that walks forward alone: `input` `[B, d_input]` gives the last layer's hidden state
    /// `[B, H]`, and the states to go on from. In training, each drops other units.
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
        if let StackInput::Vectors { vectors, .. } = &input {
            let first = self.layers[0].forward.parameters();
            first.check_sequence(vectors)?;
        }
        let lengths = input.lengths();
        let before = match states {
            Some(states) => {
                self.check(&states)?;
                states.0.into_iter().map(Some).collect()
            }
            None => vec![None; self.layers.len()],
        };
        let mut layers = self.layers.iter().zip(before);
        let (first, before) = layers.next().expect("there is a layer");
        let (mut hidden_states, mut last, after) =
            first.walk(&input, before, masks).map_err(at(0))?;
        let mut states = vec![after];
        for (i, (layer, before)) in layers.enumerate() {
            let vectors = masks.drop_values(&self.dropout, hidden_states);
            let lengths = lengths.clone();
            let input = StackInput::Vectors { vectors, lengths };
            let after;
            (hidden_states, last, after) = layer.walk(&input, before, masks).map_err(at(i + 1))?;
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
        mut vectors: Tensor<3>,
        lengths: Tensor<1, Int>,
    ) -> Result<(&RecurrentCell, Tensor<3>), NetworkError> {
        let (last, before) = self.layers.split_last().expect("there is a layer");
        for (i, layer) in before.iter().enumerate() {
            let lengths = lengths.clone();
            let input = StackInput::Vectors { vectors, lengths };
            let walked = layer.walk(&input, None, &mut OfDevice);
            (vectors, ..) = walked.map_err(at(i))?;
        }
        Ok((&last.forward, vectors))
    }

    /// Whether there is a state for every layer and direction; shapes are checked where they are walked from.
    fn check(&self, states: &States) -> Result<(), NetworkError> {
        let expected: Vec<bool> = self.layers.iter().map(|of| of.reverse.is_some()).collect();
        let given: Vec<bool> = states.0.iter().map(|of| of.reverse.is_some()).collect();
        if expected == given {
            return Ok(());
        }
        Err(NetworkError::States {
            expected: describe(&expected),
            given: describe(&given),
        })
    }

    /// The kind of the layers.
    pub fn cell(&self) -> Cell {
        self.layers[0].forward.cell()
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
