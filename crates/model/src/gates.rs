//! How far the gates of the last recurrent layer stand open at every token.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

use crate::error::NetworkError;
use crate::layers::Parameters;
use crate::network::{Network, NetworkInput};

/// A gate at every token.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Its name in the literature.
    pub name: &'static str,
    /// `[B, T, H]`, from 0, closed, to 1, open.
    pub activations: Tensor<3>,
}

impl Network {
    /// The gates of the last recurrent layer, in its walk forwards: forget, input and output of an LSTM, reset
    /// and update of a GRU, update of a minGRU, none of a simple RNN. Past a row's length they mean nothing.
    ///
    /// # Errors
    /// [`NetworkError`] if the network can't read the input.
    pub fn gates(&self, input: impl Into<NetworkInput>) -> Result<Vec<Gate>, NetworkError> {
        let input = input.into();
        let lengths = input.lengths();
        let vectors = self.input.vectors(input)?;
        let (last, vectors) = self.stack.last_layer(vectors, lengths.clone())?;
        let projections = last.project(vectors);
        let walked = last.forward_projected(projections.clone(), Some(lengths), None);
        Ok(gates(&last.parameters(), projections, walked.hidden_states))
    }
}

/// `σ(x_t W + b + h_{t-1} U + b_r)` of a layer's gates, from the projections `[B, T, G·H]` and hidden states
/// `[B, T, H]` of a walk forwards from zeros.
fn gates(layer: &Parameters, projections: Tensor<3>, hidden_states: Tensor<3>) -> Vec<Gate> {
    let hidden = hidden_states.dims()[2];
    let mut preactivations = projections;
    if let Some(weight) = layer.recurrent_weight {
        let recurrent = previous(hidden_states).matmul(weight.val().unsqueeze());
        preactivations = preactivations + recurrent;
    }
    if let Some(bias) = layer.recurrent_bias {
        preactivations = preactivations + bias.val().unsqueeze();
    }
    let gate = |&(name, place): &(_, usize)| Gate {
        name,
        activations: sigmoid(preactivations.clone().narrow(2, place * hidden, hidden)),
    };
    layer.gates.iter().map(gate).collect()
}

/// The state before each timestep, `[B, T, H]`: zeros, then all states but the last.
fn previous(hidden_states: Tensor<3>) -> Tensor<3> {
    let [batch, time, hidden] = hidden_states.dims();
    let zeros = Tensor::zeros([batch, 1, hidden], &hidden_states.device());
    Tensor::cat(vec![zeros, hidden_states], 1).narrow(1, 0, time)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tolerance};
    use gatefold_kernels::Tokens;

    use super::*;
    use crate::initializers::draw::{generator, uniform};
    use crate::layers::{Cell, GruConfig, LstmConfig};
    use crate::{Initializers, NetworkConfig};

    const SIZES: [usize; 3] = [2, 6, 5];

    fn input(device: &Device) -> Tensor<3> {
        let [batch, time, _] = SIZES;
        let draws = &mut generator(2);
        let values: Vec<f32> = (0..batch * time * 3)
            .map(|_| 2.0 * uniform(draws))
            .collect();
        Tensor::<1>::from_data(&values[..], device).reshape([batch, time, 3])
    }

    fn at(states: &Tensor<3>, t: usize) -> Tensor<2> {
        states.clone().narrow(1, t, 1).squeeze_dim(1)
    }

    fn assert_close(found: Tensor<2>, expected: Tensor<2>) {
        found
            .into_data()
            .assert_approx_eq::<f32>(&expected.into_data(), Tolerance::absolute(1e-5));
    }

    #[test]
    fn the_gates_of_an_lstm_make_its_hidden_states() {
        let device = Device::flex();
        let [batch, time, hidden] = SIZES;
        // PyTorch's biases are not zero.
        let layer = LstmConfig::new(3, hidden)
            .with_initializers(Initializers::PyTorch)
            .init_with(&mut generator(1), &device);
        let projections = layer.project(input(&device));
        let output = layer.forward_projected(projections.clone(), None, None);
        let states = output.hidden_states;
        let gates = gates(&layer.parameters(), projections.clone(), states.clone());
        assert_eq!(
            [0, 1, 2].map(|gate| gates[gate].name),
            ["forget", "input", "output"]
        );

        let mut cell = Tensor::<2>::zeros([batch, hidden], &device);
        let mut last = cell.clone();
        for t in 0..time {
            let gate = |gate: usize| at(&gates[gate].activations, t);
            let candidate = at(&projections, t) + last.matmul(layer.recurrent_weight.val());
            let candidate = candidate.narrow(1, 2 * hidden, hidden).tanh();
            cell = gate(0) * cell + gate(1) * candidate;
            last = gate(2) * cell.clone().tanh();
            assert_close(last.clone(), at(&states, t));
        }
        assert_close(cell, output.final_state.cell);
    }

    #[test]
    fn the_gates_of_a_gru_make_its_hidden_states() {
        let device = Device::flex();
        let [batch, time, hidden] = SIZES;
        let layer = GruConfig::new(3, hidden)
            .with_initializers(Initializers::PyTorch)
            .init_with(&mut generator(1), &device);
        let projections = layer.project(input(&device));
        let states = layer
            .forward_projected(projections.clone(), None, None)
            .hidden_states;
        let gates = gates(&layer.parameters(), projections.clone(), states.clone());
        assert_eq!([0, 1].map(|gate| gates[gate].name), ["reset", "update"]);

        let mut last = Tensor::<2>::zeros([batch, hidden], &device);
        for t in 0..time {
            let [reset, update] = [0, 1].map(|gate: usize| at(&gates[gate].activations, t));
            let candidate = |values: Tensor<2>| values.narrow(1, 2 * hidden, hidden);
            let recurrent = last.clone().matmul(layer.recurrent_weight.val())
                + layer.recurrent_bias.val().unsqueeze();
            let candidate = (candidate(at(&projections, t)) + reset * candidate(recurrent)).tanh();
            last = (update.clone().neg() + 1.0) * candidate + update * last;
            assert_close(last.clone(), at(&states, t));
        }
    }

    #[test]
    fn a_network_has_the_gates_of_its_cell_from_its_last_layer() {
        let device = Device::flex();
        for (cell, names) in [
            (Cell::Rnn, &[][..]),
            (Cell::Lstm, &["forget", "input", "output"]),
            (Cell::Gru, &["reset", "update"]),
            (Cell::MinGru, &["update"]),
        ] {
            let config = NetworkConfig {
                cell,
                vocabulary_size: 10,
                hidden_size: 5,
                layers: 2,
                bidirectional: true,
                ..Default::default()
            };
            let network = config.init(1, &device).unwrap();
            let tokens = Tokens::sorted(&[1, 4, 5, 0, 1, 6, 7, 8], &[3, 4], 10, &device);
            let gates = network.gates(tokens.unwrap()).unwrap();
            assert_eq!(
                gates.iter().map(|gate| gate.name).collect::<Vec<_>>(),
                names
            );
            for gate in gates {
                assert_eq!(gate.activations.dims(), [2, 4, 5]);
                let data = gate.activations.into_data();
                assert!(data.iter::<f32>().all(|open| 0.0 < open && open < 1.0));
            }
        }
    }
}
