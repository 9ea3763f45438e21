//! The operations, and the gradients of all their inputs, against PyTorch's in `values.json`.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use gatefold_kernels::{Direction, LstmState, gru, lstm, simple_rnn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    cases: Vec<Case>,
}

/// One cell in one direction. The loss is the sum of `outputs` times `loss_weights`.
#[derive(Deserialize)]
struct Case {
    cell: String,
    reverse: bool,
    weight_range: f64,
    lengths: Vec<i32>,
    inputs: BTreeMap<String, Values>,
    outputs: BTreeMap<String, Values>,
    loss_weights: BTreeMap<String, Values>,
    gradients: BTreeMap<String, Values>,
}

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// Panics where a value is further off than `tolerance` times its tensor's largest.
pub fn agrees_with_pytorch(device: &Device, dtype: DType, tolerance: f64) {
    let recording: Recording = serde_json::from_str(include_str!("values.json")).unwrap();
    for case in recording.cases {
        case.check(&device.clone().autodiff(), dtype, tolerance);
    }
}

impl Case {
    fn check(&self, device: &Device, dtype: DType, tolerance: f64) {
        let flat = |values: &Values| -> Tensor<1> {
            Tensor::from_data(&values.values[..], (device, dtype))
        };
        let inputs: BTreeMap<&str, Tensor<1>> = self
            .inputs
            .iter()
            .map(|(name, values)| (name.as_str(), flat(values).require_grad()))
            .collect();

        let outputs = self.run(&inputs, device);
        let loss = outputs
            .iter()
            .map(|(name, output)| (output.clone() * flat(&self.loss_weights[*name])).sum())
            .reduce(|sum, term| sum + term)
            .unwrap();
        let gradients = loss.backward();

        assert_eq!(outputs.len(), self.outputs.len());
        for (name, output) in outputs {
            self.assert_close(output.into_data(), &self.outputs[name], name, tolerance);
        }
        for (name, input) in inputs {
            let gradient = input.grad(&gradients).expect("a gradient").into_data();
            let what = format!("gradient of {name}");
            self.assert_close(gradient, &self.gradients[name], &what, tolerance);
        }
    }

    /// The outputs by PyTorch's names, each flat.
    fn run(
        &self,
        inputs: &BTreeMap<&str, Tensor<1>>,
        device: &Device,
    ) -> Vec<(&'static str, Tensor<1>)> {
        let vector = |name: &str| inputs[name].clone();
        let matrix = |name: &str| -> Tensor<2> {
            vector(name).reshape(Shape::from(self.inputs[name].shape.clone()))
        };
        let projections = |bias: Tensor<1>| -> Tensor<3> {
            let [batch, time, size] = self.inputs["x"].shape[..] else {
                panic!("x has three dimensions")
            };
            let rows = vector("x").reshape([batch * time, size]);
            let projected = rows.matmul(matrix("weight_ih").transpose()) + bias.unsqueeze();
            projected.reshape([batch as i32, time as i32, -1])
        };
        let recurrent_weight = matrix("weight_hh").transpose();
        let lengths = Tensor::from_data(&self.lengths[..], device);
        let direction = Direction::reversed(self.reverse);

        let output = match self.cell.as_str() {
            "lstm" => {
                let state = LstmState {
                    hidden: matrix("h_0"),
                    cell: matrix("c_0"),
                };
                let projections = projections(vector("bias_ih") + vector("bias_hh"));
                let output = lstm(
                    projections,
                    recurrent_weight,
                    Some(state),
                    lengths,
                    direction,
                )
                .unwrap();
                return vec![
                    ("output", output.hidden_states.flatten(0, 2)),
                    ("h_n", output.final_state.hidden.flatten(0, 1)),
                    ("c_n", output.final_state.cell.flatten(0, 1)),
                ];
            }
            "gru" => gru(
                projections(vector("bias_ih")),
                recurrent_weight,
                vector("bias_hh"),
                Some(matrix("h_0")),
                lengths,
                direction,
            ),
            _ => simple_rnn(
                projections(vector("bias_ih") + vector("bias_hh")),
                recurrent_weight,
                Some(matrix("h_0")),
                lengths,
                direction,
            ),
        }
        .unwrap();
        vec![
            ("output", output.hidden_states.flatten(0, 2)),
            ("h_n", output.final_hidden.flatten(0, 1)),
        ]
    }

    fn assert_close(&self, found: TensorData, expected: &Values, what: &str, tolerance: f64) {
        let found: Vec<f64> = found.iter::<f64>().collect();
        let expected = &expected.values;
        assert_eq!(found.len(), expected.len(), "{}, {what}", self.cell);
        let largest = expected.iter().fold(0f64, |most, x| most.max(x.abs()));
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(
                (found - expected).abs() <= tolerance * largest,
                "{}, reverse: {}, weights to {}: {what}[{i}]: {found}, expected {expected}",
                self.cell,
                self.reverse,
                self.weight_range
            );
        }
    }
}
