//! Recurrent layers: one large matrix product for all timesteps, then a sequence operation.

mod gru;
mod lstm;
mod simple_rnn;

pub use gatefold_kernels::{GruOutput, LstmOutput, LstmState, SimpleRnnOutput};
pub use gru::{Gru, GruConfig};
pub use lstm::{Lstm, LstmConfig};
pub use simple_rnn::{SimpleRnn, SimpleRnnConfig};

use burn::tensor::{Int, Tensor};
use gatefold_kernels::Projections;
use serde::{Deserialize, Serialize};

/// A kind of recurrent layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// [`SimpleRnn`]
    Rnn,
    /// [`Lstm`]
    #[default]
    Lstm,
    /// [`Gru`]
    Gru,
}

/// `x W + b` for every timestep: `[B, T, in]` → `[B, T, out]`.
fn project(input: Tensor<3>, rows: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<3> {
    let [batch, time, size] = input.dims();
    let projected = rows(input.reshape([batch * time, size]));
    let [_, width] = projected.dims();
    projected.reshape([batch, time, width])
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
    use burn::tensor::{Device, Distribution, Tensor};

    use super::*;

    #[test]
    fn lengths_may_be_left_out() {
        let device = Device::flex();
        let layer = GruConfig::new(3, 4).init(&device);
        let input = Tensor::<3>::random([2, 5, 3], Distribution::Default, &device);
        let all = Tensor::from_data([5, 5], &device);
        let left_out = layer.forward(input.clone(), None, None);
        let given = layer.forward(input, Some(all), None);
        left_out
            .hidden_states
            .into_data()
            .assert_eq(&given.hidden_states.into_data(), true);
    }
}
