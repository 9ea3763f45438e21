//! Recurrent layers: one large matrix product for all timesteps, then a sequence operation.

mod gru;
mod lstm;
mod simple_rnn;

pub use gatefold_kernels::{GruOutput, LstmOutput, LstmState, SimpleRnnOutput};
pub use gru::{Gru, GruConfig};
pub use lstm::{Lstm, LstmConfig};
pub use simple_rnn::{SimpleRnn, SimpleRnnConfig};

use burn::tensor::{Int, Tensor};
use gatefold_kernels::sums;
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
///
/// W and b are shared by parts of the rows, so their gradients are the sums of the parts' gradients: over
/// all B·T rows at once they would be long sums for few results, and keep a GPU's cores idle.
fn project(input: Tensor<3>, weight: Tensor<2>, bias: Tensor<1>) -> Tensor<3> {
    let [batch, time, size] = input.dims();
    let [_, width] = weight.dims();
    let rows = batch * time;
    let parts = sums::parts(rows, size * width);
    let rows = input.reshape([parts, rows / parts, size]);
    let bias = bias.reshape([1, 1, width]).expand([parts, 1, width]);
    let projected = rows.matmul(weight.unsqueeze::<3>()) + bias;
    projected.reshape([batch, time, width])
}

/// The lengths given, or the whole time for every row.
fn lengths_or_all(lengths: Option<Tensor<1, Int>>, projections: &Tensor<3>) -> Tensor<1, Int> {
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
