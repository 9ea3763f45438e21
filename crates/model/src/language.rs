//! A language model: which token comes next, from the tokens before it.
//!
//! A direction's hidden state is projected to the width of a token's vector, and the vectors of the vocabulary are the
//! output's weights too (Press and Wolf 2017): a token's logit is its vector times the projection, plus its bias.

use burn::module::{Module, Param};
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Tensor};
use gatefold_kernels::linear;
use rand::Rng;

use crate::config::NetworkConfig;
use crate::dropout::{Drawn, Masks, OfDevice};
use crate::error::{ConfigError, NetworkError};
use crate::initializers::{FirstWeights, draw};
use crate::network::{Input, Network, NetworkInput};
use crate::stack::{Stack, StackLayer, States};

/// A language model. Made by [`NetworkConfig::language_model`].
///
/// One layer may walk in both directions: these are two models that share the tokens' vectors, since the states of a
/// second layer would know the token that they are to predict.
#[derive(Module, Debug)]
pub struct LanguageModel {
    /// Tokens to vectors.
    pub input: Input,
    /// Vectors to hidden states.
    pub stack: Stack,
    dropout: Dropout,
    /// Hidden states to predictions, `[H, E]`, one a direction.
    pub(crate) projections: Vec<Linear>,
    /// `[V]`
    pub(crate) bias: Param<Tensor<1>>,
}

/// What a language model predicts: vectors `[B, T, E]`, of which the product with a token's vector, plus its bias, is
/// the token's logit.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// At t of the token at t + 1, from all up to t; of no meaning past a row's length.
    pub forward: Tensor<3>,
    /// At t of the token at t itself, from all behind it, where the model walks backwards too; of a row's last token
    /// from nothing.
    pub reverse: Option<Tensor<3>>,
    /// To go on from.
    pub states: States,
}

impl Predictions {
    /// Those of every direction, forward first.
    pub fn directions(self) -> Vec<Tensor<3>> {
        [Some(self.forward), self.reverse]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl NetworkConfig {
    /// Whether this describes a language model: the head is no part of it.
    ///
    /// # Errors
    /// [`ConfigError`] names the first field that is off.
    pub fn validate_language_model(&self) -> Result<(), ConfigError> {
        self.validate()?;
        if self.input_size.is_some() {
            return Err(ConfigError::LanguageModel(
                "it reads tokens: leave input_size out",
            ));
        }
        if self.bidirectional && self.layers > 1 {
            return Err(ConfigError::LanguageModel(
                "in both directions it has one layer, since a second one would see what it is to predict: layers = 1, or \
                 leave bidirectional out",
            ));
        }
        Ok(())
    }

    /// The number of a language model's parameters; a float, which no size overflows.
    pub fn language_model_parameters(&self) -> f64 {
        let headless = Self {
            dense_size: 0,
            output_size: 1,
            ..self.clone()
        };
        let read = (self.width() * self.reading.widths() + 1) as f64;
        let directions = if self.bidirectional { 2.0 } else { 1.0 };
        let projection = (self.hidden_size as f64 + 1.0) * self.embedding_size as f64;
        headless.parameters() - read + directions * projection + self.vocabulary_size as f64
    }

    /// A language model with first weights from `seed`: the same on every device.
    ///
    /// # Errors
    /// As [`validate_language_model`](Self::validate_language_model).
    pub fn language_model(&self, seed: u64, device: &Device) -> Result<LanguageModel, ConfigError> {
        let rng = &mut draw::generator(seed);
        self.any_language_model(&mut FirstWeights::Drawn(self.initializers, rng), device)
    }

    /// A language model of zeros, for weights to be loaded into, as [`blank`](Self::blank).
    ///
    /// # Errors
    /// As [`validate_language_model`](Self::validate_language_model).
    pub fn blank_language_model(&self, device: &Device) -> Result<LanguageModel, ConfigError> {
        self.any_language_model(&mut FirstWeights::Blank, device)
    }

    fn any_language_model(
        &self,
        weights: &mut FirstWeights,
        device: &Device,
    ) -> Result<LanguageModel, ConfigError> {
        self.validate_language_model()?;
        let (words, width) = (self.vocabulary_size, self.embedding_size);
        let (input, stack) = self.input_and_stack(weights, device);
        let directions = if self.bidirectional { 2 } else { 1 };
        let projections =
            (0..directions).map(|_| weights.linear([self.hidden_size, width], device));
        Ok(LanguageModel {
            input,
            stack,
            dropout: DropoutConfig::new(self.head_dropout()).init(),
            projections: projections.collect(),
            bias: weights.log_frequencies(words, device),
        })
    }
}

impl LanguageModel {
    /// What its tensors are called: those of a [`Network`] of the same sizes as there.
    pub fn weight_name(path: &str) -> String {
        Network::weight_name(path)
    }

    /// The vectors of all tokens, `[V, E]`.
    pub fn vectors(&self) -> Tensor<2> {
        let words = self.input.embedding.as_ref().expect("it reads tokens");
        words.weight.val()
    }

    /// The bias of every token's logit, `[V]`.
    pub fn bias(&self) -> Tensor<1> {
        self.bias.val()
    }

    /// Predictions for sequences that were read up to `states`; nothing is read yet where there are none.
    ///
    /// # Errors
    /// [`NetworkError`] if the tokens are of another vocabulary, or the states of another model or other rows.
    pub fn forward(
        &self,
        states: Option<States>,
        input: impl Into<NetworkInput>,
    ) -> Result<Predictions, NetworkError> {
        self.predict(states, input.into(), &mut OfDevice)
    }

    /// [`forward`](Self::forward) for a training that repeats, as [`Network::forward_training`].
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_training(
        &self,
        states: Option<States>,
        input: impl Into<NetworkInput>,
        rng: &mut impl Rng,
    ) -> Result<Predictions, NetworkError> {
        self.predict(states, input.into(), &mut Drawn(rng))
    }

    fn predict(
        &self,
        states: Option<States>,
        input: NetworkInput,
        masks: &mut impl Masks,
    ) -> Result<Predictions, NetworkError> {
        let input = self.input.for_stack(input, masks)?;
        let walked = self.stack.walk(input, states, masks)?;
        let hidden = masks.drop_values(&self.dropout, walked.hidden_states);
        let [batch, time, width] = hidden.dims();
        let project = |hidden: Tensor<3>, direction: usize| {
            let [_, _, size] = hidden.dims();
            let Linear { weight, bias } = &self.projections[direction];
            let bias = bias.as_ref().expect("it has a bias").val();
            let projected = linear(hidden.reshape([batch * time, size]), weight.val(), bias);
            let width = projected.dims()[1];
            projected.reshape([batch, time, width])
        };
        let (forward, reverse) = match self.projections.len() {
            1 => (hidden, None),
            _ => {
                let size = width / 2;
                let reverse = hidden.clone().narrow(2, size, size);
                // Past a row's length all states are 0, so that its last token is predicted from such a one.
                let nothing = Tensor::zeros([batch, 1, size], &reverse.device());
                let behind = match time {
                    1 => nothing,
                    _ => Tensor::cat(vec![reverse.narrow(1, 1, time - 1), nothing], 1),
                };
                (hidden.narrow(2, 0, size), Some(behind))
            }
        };
        Ok(Predictions {
            forward: project(forward, 0),
            reverse: reverse.map(|reverse| project(reverse, 1)),
            states: walked.states,
        })
    }

    /// The logits of all tokens, `[rows, V]`, of predictions `[rows, E]`.
    pub fn logits(&self, predictions: Tensor<2>) -> Tensor<2> {
        predictions.matmul(self.vectors().transpose()) + self.bias().unsqueeze()
    }

    /// The model that walks forward alone.
    pub fn forward_alone(mut self) -> Self {
        self.projections.truncate(1);
        let layers = self.stack.layers.into_iter().map(|layer| StackLayer {
            forward: layer.forward,
            reverse: None,
        });
        self.stack.layers = layers.collect();
        self
    }
}

#[cfg(test)]
mod tests {
    use gatefold_kernels::Tokens;

    use super::*;
    use crate::Weights;

    fn config(bidirectional: bool) -> NetworkConfig {
        NetworkConfig {
            vocabulary_size: 10,
            embedding_size: 3,
            hidden_size: 4,
            bidirectional,
            ..Default::default()
        }
    }

    fn tokens<const B: usize, const T: usize>(ids: [[i32; T]; B], lengths: [i32; B]) -> Tokens {
        let device = Device::flex();
        let lengths = Tensor::from_data(lengths, &device);
        Tokens::unsorted(Tensor::from_data(ids, &device), lengths, 10).unwrap()
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().iter().collect()
    }

    #[test]
    fn a_single_token_has_nothing_behind_it() {
        let model = config(true).language_model(1, &Device::flex()).unwrap();
        let alone = model.forward(None, tokens([[1], [1]], [1, 1])).unwrap();
        let padded = model.forward(None, tokens([[1, 0]], [1])).unwrap();
        let first =
            |tensor: Option<Tensor<3>>| numbers(tensor.unwrap().narrow(0, 0, 1).narrow(1, 0, 1));
        assert_eq!(first(alone.reverse), first(padded.reverse));
    }

    #[test]
    fn a_token_is_predicted_from_one_side_of_it_alone() {
        let model = config(true).language_model(1, &Device::flex()).unwrap();
        let predict = |ids| model.forward(None, tokens([ids], [5])).unwrap();
        let (one, other) = (predict([1, 4, 5, 6, 7]), predict([1, 4, 9, 6, 7]));
        let at = |tensor: &Tensor<3>, t| numbers(tensor.clone().narrow(1, t, 1));
        for t in 0..5 {
            // The third token is another.
            let alike = at(&one.forward, t) == at(&other.forward, t);
            assert_eq!(alike, t < 2, "forward, {t}");
            let [one, other] = [&one, &other].map(|of| at(of.reverse.as_ref().unwrap(), t));
            assert_eq!(one == other, t >= 2, "reverse, {t}");
        }
    }

    #[test]
    fn a_rows_last_token_is_predicted_from_nothing_whatever_the_padding() {
        let model = config(true).language_model(1, &Device::flex()).unwrap();
        let alone = model.forward(None, tokens([[1, 4, 5]], [3])).unwrap();
        let padded = [[1, 4, 5, 0, 0], [1, 2, 3, 4, 5]];
        let padded = model.forward(None, tokens(padded, [3, 5])).unwrap();
        for (alone, padded) in alone.directions().into_iter().zip(padded.directions()) {
            let padded = padded.narrow(0, 0, 1).narrow(1, 0, 3);
            let close = |(a, b): (f32, f32)| (a - b).abs() < 1e-6;
            assert!(numbers(alone).into_iter().zip(numbers(padded)).all(close));
        }
    }

    #[test]
    fn a_stream_goes_on_where_it_stopped_and_forward_alone_predicts_the_same() {
        let both = config(true).language_model(1, &Device::flex()).unwrap();
        let whole = both.forward(None, tokens([[1, 4, 5, 6]], [4])).unwrap();
        let model = both.forward_alone();
        let first = model.forward(None, tokens([[1, 4]], [2])).unwrap();
        let second = model.forward(Some(first.states), tokens([[5, 6]], [2]));
        let parts = Tensor::cat(vec![first.forward, second.unwrap().forward], 1);
        for (part, whole) in numbers(parts).into_iter().zip(numbers(whole.forward)) {
            assert!((part - whole).abs() < 1e-6, "{part} {whole}");
        }
    }

    #[test]
    fn parameters_are_counted_and_named_as_a_networks() {
        for config in [
            config(false),
            config(true),
            NetworkConfig {
                layers: 2,
                ..config(false)
            },
        ] {
            let model = config.language_model(1, &Device::flex()).unwrap();
            assert_eq!(
                config.language_model_parameters(),
                model.num_params() as f64
            );
            let network = config.init(1, &Device::flex()).unwrap().weights().unwrap();
            let weights = Weights::read(&model, LanguageModel::weight_name).unwrap();
            let shape = |of: &Weights, name: &str| {
                let mut tensors = of.iter().filter(|(other, ..)| *other == name);
                tensors.next().map(|(_, shape, _)| shape.to_vec())
            };
            let body = network.iter().map(|(name, ..)| name);
            let body =
                body.filter(|name| !name.starts_with("dense") && !name.starts_with("output"));
            for name in body {
                assert_eq!(shape(&network, name), shape(&weights, name), "{name}");
            }
        }
    }

    #[test]
    fn a_second_layer_that_would_see_the_answer_is_refused() {
        let two = NetworkConfig {
            layers: 2,
            ..config(true)
        };
        let error = two.validate_language_model().unwrap_err().to_string();
        assert!(error.contains("layers = 1"), "{error}");
    }
}
