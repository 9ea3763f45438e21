//! Recurrent layers: one large matrix product for all timesteps, then a sequence operation.

mod gru;
mod lstm;
mod recurrent;
mod simple_rnn;

pub use gatefold_kernels::{Cell, GruOutput, LstmOutput, LstmState, SimpleRnnOutput, State};
pub use gru::{Gru, GruConfig};
pub use lstm::{Lstm, LstmConfig};
pub use recurrent::RecurrentCell;
pub use simple_rnn::{SimpleRnn, SimpleRnnConfig};

use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Int, Tensor};
use gatefold_kernels::Projections;

use crate::error::{at_least_1, share_below_1};

/// `x W + b` for every timestep: `[B, T, in]` → `[B, T, out]`.
fn project(input: Tensor<3>, rows: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [batch, time, size] = input.dims();
    let projected = rows(input.reshape([batch * time, size]));
    let [_, width] = projected.dims();
    projected.reshape([batch, time, width])
}

/// The recurrent dropout of a layer of these sizes: input and hidden.
///
/// # Panics
/// If a size is 0, or the share is outside [0, 1).
fn recurrent_dropout([input, hidden]: [usize; 2], share: f64) -> Dropout {
    at_least_1(input, "d_input")
        .and_then(|()| at_least_1(hidden, "d_hidden"))
        .and_then(|()| share_below_1(share, "recurrent_dropout"))
        .unwrap_or_else(|error| panic!("{error}"));
    DropoutConfig::new(share).init()
}

/// The lengths given, or the whole time for every row.
fn lengths_or_all(lengths: Option<Tensor<1, Int>>, projections: &Projections) -> Tensor<1, Int> {
    let [batch, time, _] = projections.dims();
    // Uploaded, which costs a GPU less than a kernel that fills.
    lengths
        .unwrap_or_else(|| Tensor::from_data(&vec![time as i32; batch][..], &projections.device()))
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
            layer.walk(projections, None, None, &mut Drawn(&mut generator(seed)))
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
