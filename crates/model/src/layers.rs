//! Recurrent layers: one large matrix product for all timesteps, then a sequence operation.

mod burn_layers;
mod config;
mod gru;
mod layer;
mod lstm;
mod min_gru;
mod parameters;
mod recurrent;
mod simple_rnn;

use std::fmt::Display;

pub use burn_layers::BurnLayerError;
pub use config::LayerConfig;
pub(crate) use config::setters;
pub use gatefold_kernels::{
    Cell, GruOutput, LstmOutput, LstmState, MinGruOutput, SimpleRnnOutput, State, WalkOutput,
};
pub use gru::{Gru, GruConfig};
pub use lstm::{Lstm, LstmConfig};
pub use min_gru::{MinGru, MinGruConfig};
pub(crate) use parameters::{Parameters, whole_time};
pub use recurrent::RecurrentCell;
pub use simple_rnn::{SimpleRnn, SimpleRnnConfig};

/// # Panics
/// With the words of the error.
pub(crate) fn or_panic<T>(result: Result<T, impl Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::dropout::Drawn;
    use crate::initializers::draw::generator;

    /// `[2, 5, 3]`
    fn input(device: &Device) -> Tensor<3> {
        let values: Vec<f32> = (0..30).map(|i| (i * i % 7) as f32 / 7.0).collect();
        Tensor::<1>::from_data(&values[..], device).reshape([2, 5, 3])
    }

    #[test]
    fn dropped_hidden_units_are_dropped_at_every_timestep() {
        let device = Device::flex().autodiff();
        let layer = SimpleRnnConfig::new(3, 64)
            .with_recurrent_dropout(0.5)
            .init_with(&mut generator(1), &device);
        let input = input(&device);
        let walk = |seed| {
            let projections = layer.project(input.clone()).into();
            let masks = &mut generator(seed);
            let walked = layer
                .parameters()
                .walk(projections, None, None, &mut Drawn(masks));
            walked.unwrap()
        };
        let states = |seed| walk(seed).hidden_states.into_data();
        assert_eq!(states(1), states(1));
        assert_ne!(states(1), states(2));

        // A dropped unit's row of the recurrent weight has no gradient, whatever the timestep.
        let gradients = walk(1).hidden_states.sum().backward();
        let gradient = layer.recurrent_weight.val().grad(&gradients).unwrap();
        let rows = gradient.abs().sum_dim(1).into_data();
        let dropped = rows.iter::<f32>().filter(|&sum| sum == 0.0).count();
        assert!((16..48).contains(&dropped), "{dropped}");
    }

    #[test]
    #[should_panic(expected = "recurrent_dropout must be at least 0 and below 1, not 1.5")]
    fn a_share_that_is_none_is_refused() {
        let config = LstmConfig::new(3, 4).with_recurrent_dropout(1.5);
        config.init_with(&mut generator(1), &Device::flex());
    }

    #[test]
    #[should_panic(expected = "d_hidden must be at least 1")]
    fn a_layer_without_units_is_refused() {
        GruConfig::new(3, 0).init_with(&mut generator(1), &Device::flex());
    }

    #[test]
    fn lengths_may_be_left_out() {
        let device = Device::flex();
        let layer = GruConfig::new(3, 4).init_with(&mut generator(1), &device);
        let input = input(&device);
        let all = Tensor::from_data([5, 5], &device);
        let left_out = layer.forward(input.clone(), None, None);
        let given = layer.forward(input, Some(all), None);
        left_out
            .hidden_states
            .into_data()
            .assert_eq(&given.hidden_states.into_data(), true);
    }
}
