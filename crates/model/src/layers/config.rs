//! The configuration of a recurrent layer.

use std::marker::PhantomData;

use burn::config::Config;
use burn::module::Param;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::or_panic;
use crate::error::{ConfigError, at_least_1, share_below_1};
use crate::initializers::Initializers;

/// A configuration with one of its fields set, each by a method.
macro_rules! setters {
    ($($(#[$doc:meta])* $with:ident($field:ident: $type:ty);)*) => {
        $($(#[$doc])*
        pub fn $with(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        })*
    };
}

pub(crate) use setters;

/// Configuration of a layer: [`LstmConfig`](super::LstmConfig), [`GruConfig`](super::GruConfig),
/// [`SimpleRnnConfig`](super::SimpleRnnConfig), [`MinGruConfig`](super::MinGruConfig), or of a
/// [`RecurrentCell`](super::RecurrentCell). All but the sizes may be left out of its JSON.
///
/// ```
/// use burn::tensor::Device;
/// use gatefold_model::LstmConfig;
/// use gatefold_model::burn;
///
/// let layer = LstmConfig::new(16, 64).with_reverse(true).init(&Device::flex());
/// assert_eq!(layer.recurrent_weight.val().dims(), [64, 256]);
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "", deny_unknown_fields)]
#[non_exhaustive]
pub struct LayerConfig<L> {
    /// Size of the input vectors.
    pub d_input: usize,
    /// Size of the hidden state, H.
    pub d_hidden: usize,
    /// Whether there are biases; without, they are zeros that are not trained.
    #[serde(default = "yes")]
    pub bias: bool,
    /// Whether sequences are `[B, T, _]`; else they are `[T, B, _]`, which costs a copy.
    #[serde(default = "yes")]
    pub batch_first: bool,
    /// Whether time is walked from the last valid timestep to the first.
    #[serde(default)]
    pub reverse: bool,
    /// Share of the hidden units that the recurrent products leave out in training, in [0, 1): others at
    /// every call, the same ones at every timestep and for every row (Gal and Ghahramani 2016, with one
    /// mask a batch).
    #[serde(default)]
    pub recurrent_dropout: f64,
    /// Share of the recurrent weights' numbers that are zero in training, in [0, 1): others at every call, the same
    /// ones at every timestep and for every row (Merity, Keskar and Socher 2018).
    #[serde(default)]
    pub weight_dropout: f64,
    /// Whose first weights.
    #[serde(default)]
    pub initializers: Initializers,
    #[serde(skip)]
    layer: PhantomData<fn() -> L>,
}

fn yes() -> bool {
    true
}

impl<L> Clone for LayerConfig<L> {
    fn clone(&self) -> Self {
        self.of()
    }
}

impl<L: std::fmt::Debug> Config for LayerConfig<L> {}

impl<L> LayerConfig<L> {
    /// A layer that reads vectors of `d_input` numbers into `d_hidden` units.
    pub fn new(d_input: usize, d_hidden: usize) -> Self {
        Self {
            d_input,
            d_hidden,
            bias: true,
            batch_first: true,
            reverse: false,
            recurrent_dropout: 0.0,
            weight_dropout: 0.0,
            initializers: Initializers::default(),
            layer: PhantomData,
        }
    }

    setters! {
        /// Whether there are biases.
        with_bias(bias: bool);
        /// Whether sequences are `[B, T, _]`.
        with_batch_first(batch_first: bool);
        /// Whether time is walked backwards.
        with_reverse(reverse: bool);
        /// Share of the hidden units that the recurrent products leave out in training.
        with_recurrent_dropout(recurrent_dropout: f64);
        /// Share of the recurrent weights' numbers that are zero in training.
        with_weight_dropout(weight_dropout: f64);
        /// Whose first weights.
        with_initializers(initializers: Initializers);
    }

    /// Whether this describes a layer.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is off.
    pub fn validate(&self) -> Result<(), ConfigError> {
        at_least_1(self.d_input, "d_input")?;
        at_least_1(self.d_hidden, "d_hidden")?;
        share_below_1(self.recurrent_dropout, "recurrent_dropout")?;
        share_below_1(self.weight_dropout, "weight_dropout")
    }

    /// The dropouts of a valid layer's hidden units and recurrent weights.
    ///
    /// # Panics
    /// Where [`validate`](Self::validate) is an error.
    pub(crate) fn dropouts(&self) -> [Dropout; 2] {
        or_panic(self.validate());
        [self.recurrent_dropout, self.weight_dropout].map(|share| DropoutConfig::new(share).init())
    }

    /// The bias that `draw` makes, if there are any.
    pub(crate) fn bias_or_zeros(
        &self,
        width: usize,
        device: &Device,
        draw: impl FnOnce() -> Param<Tensor<1>>,
    ) -> Param<Tensor<1>> {
        if self.bias {
            return draw();
        }
        Param::from_tensor(Tensor::zeros([width], device)).set_require_grad(false)
    }

    /// The same for a layer of another kind.
    pub(crate) fn of<M>(&self) -> LayerConfig<M> {
        LayerConfig {
            d_input: self.d_input,
            d_hidden: self.d_hidden,
            bias: self.bias,
            batch_first: self.batch_first,
            reverse: self.reverse,
            recurrent_dropout: self.recurrent_dropout,
            weight_dropout: self.weight_dropout,
            initializers: self.initializers,
            layer: PhantomData,
        }
    }
}
