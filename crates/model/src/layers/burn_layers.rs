//! Burn's own recurrent layers as ours, with their weights, all of which are trained.

use burn::module::Param;
use burn::nn::activation::Activation;
use burn::nn::{self, DropoutConfig, GateController, Linear};
use burn::tensor::Tensor;
use thiserror::Error;

use super::{Gru, Lstm, RecurrentCell, SimpleRnn, or_panic};
use crate::stack::{Stack, StackLayer};

/// An option of one of Burn's layers that ours don't have.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("burn::nn::{layer}: `{option}` is {found}; only {offered} can be taken over")]
pub struct BurnLayerError {
    /// Burn's layer.
    pub layer: &'static str,
    /// Its option.
    pub option: &'static str,
    /// The option's value.
    pub found: String,
    /// The only value that can be taken over.
    pub offered: &'static str,
}

/// Refuses options by name.
struct Options(&'static str);

impl Options {
    fn only(
        &self,
        fits: bool,
        option: &'static str,
        found: impl FnOnce() -> String,
        offered: &'static str,
    ) -> Result<(), BurnLayerError> {
        if fits {
            return Ok(());
        }
        Err(BurnLayerError {
            layer: self.0,
            option,
            found: found(),
            offered,
        })
    }

    fn no_clip(&self, clip: Option<f64>) -> Result<(), BurnLayerError> {
        self.only(clip.is_none(), "clip", || format!("{clip:?}"), "None")
    }

    fn sigmoid(&self, option: &'static str, found: &Activation) -> Result<(), BurnLayerError> {
        let fits = matches!(found, Activation::Sigmoid(_));
        self.only(fits, option, || name(found), "Sigmoid")
    }

    fn tanh(&self, option: &'static str, found: &Activation) -> Result<(), BurnLayerError> {
        let fits = matches!(found, Activation::Tanh(_));
        self.only(fits, option, || name(found), "Tanh")
    }

    fn batch_first(&self, batch_first: bool) -> Result<(), BurnLayerError> {
        self.only(batch_first, "batch_first", || "false".into(), "true")
    }
}

/// The variant's.
fn name(activation: &Activation) -> String {
    let text = format!("{activation:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

type Side = fn(&GateController) -> &Linear;

const OF_INPUT: Side = |gate| &gate.input_transform;
const OF_HIDDEN: Side = |gate| &gate.hidden_transform;

/// The gates' weights side by side.
fn weight(gates: &[&GateController], side: Side) -> Param<Tensor<2>> {
    let weights = gates.iter().map(|gate| side(gate).weight.val());
    Param::from_tensor(Tensor::cat(weights.collect(), 1).detach())
}

/// The gates' biases side by side; of several sides their sum. Zeros that are not trained where no gate has one.
fn bias(gates: &[&GateController], sides: &[Side]) -> Param<Tensor<1>> {
    let linears = || {
        sides
            .iter()
            .flat_map(|side| gates.iter().map(|gate| side(gate)))
    };
    let trained = linears().any(|linear| linear.bias.is_some());
    let of_gate = |linear: &Linear| match &linear.bias {
        Some(bias) => bias.val().detach(),
        None => {
            let weight = linear.weight.val();
            Tensor::zeros([weight.dims()[1]], (&weight.device(), weight.dtype()))
        }
    };
    let of_side =
        |side: &Side| Tensor::cat(gates.iter().map(|gate| of_gate(side(gate))).collect(), 0);
    let sum = sides.iter().map(of_side).reduce(|sum, bias| sum + bias);
    Param::from_tensor(sum.expect("there is a side").detach()).set_require_grad(trained)
}

/// The same layer; its two biases, which Burn adds, become one.
impl TryFrom<&nn::Lstm> for Lstm {
    type Error = BurnLayerError;

    fn try_from(theirs: &nn::Lstm) -> Result<Self, BurnLayerError> {
        let options = Options("Lstm");
        options.no_clip(theirs.clip)?;
        options.sigmoid("gate_activation", &theirs.gate_activation)?;
        options.tanh("cell_activation", &theirs.cell_activation)?;
        options.tanh("hidden_activation", &theirs.hidden_activation)?;
        let coupled = theirs.input_forget;
        options.only(!coupled, "input_forget", || "true".into(), "false")?;
        let forget_gate = theirs.forget_gate.as_ref().ok_or(BurnLayerError {
            layer: "Lstm",
            option: "forget_gate",
            found: "None".into(),
            offered: "Some(..)",
        })?;
        let gates = [
            &theirs.input_gate,
            forget_gate,
            &theirs.cell_gate,
            &theirs.output_gate,
        ];
        Ok(Self {
            input_weight: weight(&gates, OF_INPUT),
            recurrent_weight: weight(&gates, OF_HIDDEN),
            bias: bias(&gates, &[OF_INPUT, OF_HIDDEN]),
            reverse: theirs.reverse,
            batch_first: theirs.batch_first,
            recurrent_dropout: DropoutConfig::new(0.0).init(),
            weight_dropout: DropoutConfig::new(0.0).init(),
        })
    }
}

impl TryFrom<&nn::Gru> for Gru {
    type Error = BurnLayerError;

    fn try_from(theirs: &nn::Gru) -> Result<Self, BurnLayerError> {
        let options = Options("Gru");
        options.no_clip(theirs.clip)?;
        options.sigmoid("gate_activation", &theirs.gate_activation)?;
        options.tanh("hidden_activation", &theirs.hidden_activation)?;
        options.only(theirs.reset_after, "reset_after", || "false".into(), "true")?;
        let gates = [&theirs.reset_gate, &theirs.update_gate, &theirs.new_gate];
        Ok(Self {
            input_weight: weight(&gates, OF_INPUT),
            recurrent_weight: weight(&gates, OF_HIDDEN),
            bias: bias(&gates, &[OF_INPUT]),
            recurrent_bias: bias(&gates, &[OF_HIDDEN]),
            reverse: false,
            batch_first: true,
            recurrent_dropout: DropoutConfig::new(0.0).init(),
            weight_dropout: DropoutConfig::new(0.0).init(),
        })
    }
}

/// The same layer; its two biases, which Burn adds, become one.
impl TryFrom<&nn::Rnn> for SimpleRnn {
    type Error = BurnLayerError;

    fn try_from(theirs: &nn::Rnn) -> Result<Self, BurnLayerError> {
        let options = Options("Rnn");
        options.no_clip(theirs.clip)?;
        options.tanh("hidden_activation", &theirs.hidden_activation)?;
        let gates = [&theirs.gate];
        Ok(Self {
            input_weight: weight(&gates, OF_INPUT),
            recurrent_weight: weight(&gates, OF_HIDDEN),
            bias: bias(&gates, &[OF_INPUT, OF_HIDDEN]),
            reverse: theirs.reverse,
            batch_first: theirs.batch_first,
            recurrent_dropout: DropoutConfig::new(0.0).init(),
            weight_dropout: DropoutConfig::new(0.0).init(),
        })
    }
}

/// A layer in both directions, as a stack of one.
macro_rules! both_directions {
    ($theirs:ident, $layer:ident, $name:literal) => {
        #[doc = "The same layer, as a stack of one in both directions."]
        impl TryFrom<&nn::$theirs> for Stack {
            type Error = BurnLayerError;

            fn try_from(theirs: &nn::$theirs) -> Result<Self, BurnLayerError> {
                Options($name).batch_first(theirs.batch_first)?;
                let direction = |layer, reverse| {
                    let layer = $layer::try_from(layer);
                    let mut layer = layer.map_err(|error| BurnLayerError {
                        layer: $name,
                        ..error
                    })?;
                    layer.reverse = reverse;
                    layer.batch_first = true;
                    Ok::<_, BurnLayerError>(RecurrentCell::from(layer))
                };
                let layer = StackLayer {
                    forward: direction(&theirs.forward, false)?,
                    reverse: Some(direction(&theirs.reverse, true)?),
                };
                Ok(or_panic(Self::new(vec![layer], 0.0)))
            }
        }
    };
}

both_directions!(BiLstm, Lstm, "BiLstm");
both_directions!(BiGru, Gru, "BiGru");
both_directions!(BiRnn, SimpleRnn, "BiRnn");

#[cfg(test)]
mod tests {
    use burn::nn::activation::ActivationConfig;
    use burn::tensor::{Device, Distribution, Tolerance};

    use super::*;

    fn input(device: &Device) -> Tensor<3> {
        Tensor::random([3, 7, 5], Distribution::Normal(0.0, 1.0), device)
    }

    fn assert_close<const D: usize>(found: Tensor<D>, expected: Tensor<D>) {
        let expected = expected.into_data();
        found
            .into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::absolute(1e-5));
    }

    #[test]
    fn layers_taken_from_burn_answer_as_burns_do() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            for bias in [true, false] {
                let input = input(&device);
                let theirs = nn::LstmConfig::new(5, 6, bias).init(&device);
                let (states, last) = theirs.forward(input.clone(), None);
                let ours = Lstm::try_from(&theirs).unwrap();
                let found = ours.forward(input.clone(), None, None);
                assert_close(found.hidden_states, states);
                assert_close(found.final_state.cell, last.cell);

                let theirs = nn::GruConfig::new(5, 6, bias).init(&device);
                let states = theirs.forward(input.clone(), None);
                let ours = Gru::try_from(&theirs).unwrap();
                assert_close(
                    ours.forward(input.clone(), None, None).hidden_states,
                    states,
                );

                for reverse in [false, true] {
                    let theirs = nn::RnnConfig::new(5, 6, bias)
                        .with_reverse(reverse)
                        .with_batch_first(false)
                        .init(&device);
                    let (states, last) = theirs.forward(input.clone().swap_dims(0, 1), None);
                    let ours = SimpleRnn::try_from(&theirs).unwrap();
                    let found = ours.forward(input.clone().swap_dims(0, 1), None, None);
                    assert_close(found.hidden_states, states);
                    assert_close(found.final_hidden, last.hidden);
                }
            }
        }
    }

    #[test]
    fn layers_in_both_directions_answer_as_burns_do() {
        let device = Device::flex();
        let input = input(&device);
        let walk = |stack: Stack| stack.forward(input.clone(), None, None).hidden_states;

        let theirs = nn::BiLstmConfig::new(5, 6, true).init(&device);
        let ours = Stack::try_from(&theirs).unwrap();
        assert_close(walk(ours), theirs.forward(input.clone(), None).0);
        let theirs = nn::BiGruConfig::new(5, 6, true).init(&device);
        let ours = Stack::try_from(&theirs).unwrap();
        assert_close(walk(ours), theirs.forward(input.clone(), None).0);
        let theirs = nn::BiRnnConfig::new(5, 6, true).init(&device);
        let ours = Stack::try_from(&theirs).unwrap();
        assert_close(walk(ours), theirs.forward(input.clone(), None).0);
    }

    #[test]
    fn options_that_the_kernels_lack_are_refused_by_name() {
        let device = Device::flex();
        let lstm = nn::LstmConfig::new(5, 6, true);
        let gru = nn::GruConfig::new(5, 6, true);
        let of_lstm = |config: nn::LstmConfig| Lstm::try_from(&config.init(&device)).unwrap_err();
        let of_gru = |config: nn::GruConfig| Gru::try_from(&config.init(&device)).unwrap_err();
        assert_eq!(
            of_lstm(lstm.clone().with_clip(Some(1.5))).to_string(),
            "burn::nn::Lstm: `clip` is Some(1.5); only None can be taken over"
        );
        assert_eq!(
            of_lstm(lstm.clone().with_input_forget(true)).to_string(),
            "burn::nn::Lstm: `input_forget` is true; only false can be taken over"
        );
        let relu = lstm.with_gate_activation(ActivationConfig::Relu);
        assert_eq!(
            of_lstm(relu).to_string(),
            "burn::nn::Lstm: `gate_activation` is Relu; only Sigmoid can be taken over"
        );
        assert_eq!(
            of_gru(gru.clone().with_reset_after(false)).to_string(),
            "burn::nn::Gru: `reset_after` is false; only true can be taken over"
        );
        let hard = gru.with_hidden_activation(ActivationConfig::Softsign);
        assert_eq!(of_gru(hard).option, "hidden_activation");
        let rnn = nn::RnnConfig::new(5, 6, true).with_clip(Some(1.0));
        let error = SimpleRnn::try_from(&rnn.init(&device)).unwrap_err();
        assert_eq!(error.option, "clip");
        let both = nn::BiGruConfig::new(5, 6, true).with_batch_first(false);
        let error = Stack::try_from(&both.init(&device)).unwrap_err();
        assert_eq!((error.layer, error.option), ("BiGru", "batch_first"));
    }
}
