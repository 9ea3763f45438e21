//! The head: what of the hidden states is read, and the answer that is made of it.

use burn::module::Module;
use burn::nn::{Dropout, Linear};
use burn::tensor::{Int, Tensor};
use gatefold_kernels::{LinearWeights, perceptron};

use crate::dropout::{Masks, OfDevice};
use crate::reading::Reading;
use crate::stack::StackOutput;

/// Reads hidden states and answers: dropout, a dense layer with ReLU if there is one, a linear one.
#[derive(Module, Debug)]
pub struct Head {
    pub(crate) dropout: Dropout,
    pub(crate) dense: Option<Linear>,
    pub(crate) output: Linear,
    #[module(skip)]
    pub(crate) reading: Reading,
}

impl Head {
    /// What is answered from.
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// Answers `[rows, C]` from what was read, `[rows, N]`.
    pub fn answers(&self, read: Tensor<2>) -> Tensor<2> {
        self.answer(read, &mut OfDevice)
    }

    /// What is read of hidden states `[B, T, N]`, zero past these lengths `[B]`, of which the last ones are `last` `[B, N]`:
    /// B rows or, of every step, B·T.
    pub fn read(
        &self,
        hidden_states: Tensor<3>,
        last: Tensor<2>,
        lengths: Tensor<1, Int>,
    ) -> Tensor<2> {
        match self.reading {
            Reading::Last => last,
            Reading::EveryStep => {
                let [batch, time, width] = hidden_states.dims();
                hidden_states.reshape([batch * time, width])
            }
            Reading::Max => largest(hidden_states, lengths),
            Reading::Mean => mean(hidden_states, lengths),
            Reading::MaxMean | Reading::Concat => {
                let largest = largest(hidden_states.clone(), lengths.clone());
                let mut read = vec![largest, mean(hidden_states, lengths)];
                if self.reading == Reading::Concat {
                    read.insert(0, last);
                }
                Tensor::cat(read, 1)
            }
        }
    }

    /// Answers `[rows, C]` of a walk over rows of these lengths `[B]`.
    pub(crate) fn forward(
        &self,
        walked: StackOutput,
        lengths: Tensor<1, Int>,
        masks: &mut impl Masks,
    ) -> Tensor<2> {
        let read = self.read(walked.hidden_states, walked.last, lengths);
        self.answer(read, masks)
    }

    fn answer(&self, read: Tensor<2>, masks: &mut impl Masks) -> Tensor<2> {
        let read = masks.drop_values(&self.dropout, read);
        match &self.dense {
            Some(dense) => perceptron(read, weights(dense), weights(&self.output)),
            None => self.output.forward(read),
        }
    }
}

/// Of a layer with a bias, as a head's are.
fn weights(layer: &Linear) -> LinearWeights {
    LinearWeights {
        weight: layer.weight.val(),
        bias: layer.bias.as_ref().expect("it has a bias").val(),
    }
}

/// Each unit's largest value over a row's timesteps, `[B, N]`; 0 in a row of none.
fn largest(hidden_states: Tensor<3>, lengths: Tensor<1, Int>) -> Tensor<2> {
    let [batch, time, width] = hidden_states.dims();
    let steps = Tensor::<1, Int>::arange(0..time as i64, &lengths.device());
    let past = steps
        .unsqueeze::<2>()
        .greater_equal(lengths.clone().unsqueeze_dim(1));
    let past = past.unsqueeze_dim::<3>(2).expand([batch, time, width]);
    // No hidden state of ours reaches it, and an infinite one would have no gradient.
    let largest = hidden_states.mask_fill(past, -1e30).max_dim(1);
    let empty = lengths.equal_elem(0).unsqueeze_dim::<2>(1);
    largest
        .squeeze_dim(1)
        .mask_fill(empty.expand([batch, width]), 0.0)
}

/// Each unit's mean over a row's timesteps, `[B, N]`; 0 in a row of none. Past a row's length all states are 0.
fn mean(hidden_states: Tensor<3>, lengths: Tensor<1, Int>) -> Tensor<2> {
    let sum: Tensor<2> = hidden_states.sum_dim(1).squeeze_dim(1);
    sum / lengths.clamp_min(1).float().unsqueeze_dim(1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_is_pooled_are_a_rows_own_timesteps() {
        let device = Device::flex();
        // Zero past a row's length, as walks leave it.
        let states = [
            [[-0.5, 0.25], [-0.25, -0.75], [0.0, 0.0]],
            [[0.5, 0.0], [-1.0, 0.5], [0.25, 1.0]],
            [[0.0; 2]; 3],
        ];
        let states = Tensor::<3>::from_data(states, &device);
        let lengths = Tensor::from_data([2, 3, 0], &device);
        let of = |tensor: Tensor<2>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        let found = of(largest(states.clone(), lengths.clone()));
        assert_eq!(found, [-0.25, 0.25, 0.5, 1.0, 0.0, 0.0]);
        let found = of(mean(states, lengths));
        let expected = [-0.375, -0.25, -0.25 / 3.0, 0.5, 0.0, 0.0];
        assert_eq!(found, expected);
    }
}
