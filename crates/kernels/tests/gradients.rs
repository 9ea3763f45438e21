//! The hand-written backward passes against finite differences, in f64: every input that has a
//! gradient, both directions, rows of different lengths, and whichever outputs the loss depends on.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use gatefold_kernels::{Direction, GruOutput, LstmState, gru, lstm, min_gru, simple_rnn};

const BATCH: usize = 3;
const TIME: usize = 4;
const HIDDEN: usize = 3;
const LENGTHS: [i32; BATCH] = [4, 0, 3];

/// Values of the inputs, each with its shape.
type Inputs = Vec<(Vec<f64>, Vec<usize>)>;

/// A scalar of the inputs, as a function that can be differentiated.
type Loss = fn(&[Tensor<3>], Tensor<1, Int>, Direction, Outputs) -> Tensor<3>;

/// The outputs that a loss depends on.
#[derive(Clone, Copy, Debug)]
struct Outputs {
    hidden_states: bool,
    final_state: bool,
}

fn lstm_loss(
    x: &[Tensor<3>],
    lengths: Tensor<1, Int>,
    way: Direction,
    outputs: Outputs,
) -> Tensor<3> {
    let state = LstmState {
        hidden: x[2].clone().squeeze_dim(0),
        cell: x[3].clone().squeeze_dim(0),
    };
    let output = lstm(
        x[0].clone(),
        x[1].clone().squeeze_dim(0),
        Some(state),
        lengths,
        way,
    )
    .unwrap();
    let last = weighted(output.final_state.hidden.unsqueeze())
        + weighted(output.final_state.cell.powf_scalar(2.0).unsqueeze());
    choose(output.hidden_states, last, outputs)
}

fn gru_loss(
    x: &[Tensor<3>],
    lengths: Tensor<1, Int>,
    way: Direction,
    outputs: Outputs,
) -> Tensor<3> {
    let output = gru(
        x[0].clone(),
        x[1].clone().squeeze_dim(0),
        x[2].clone().squeeze_dim::<2>(0).squeeze_dim(0),
        Some(x[3].clone().squeeze_dim(0)),
        lengths,
        way,
    )
    .unwrap();
    hidden_loss(output, outputs)
}

fn simple_rnn_loss(
    x: &[Tensor<3>],
    lengths: Tensor<1, Int>,
    way: Direction,
    outputs: Outputs,
) -> Tensor<3> {
    let output = simple_rnn(
        x[0].clone(),
        x[1].clone().squeeze_dim(0),
        Some(x[2].clone().squeeze_dim(0)),
        lengths,
        way,
    )
    .unwrap();
    hidden_loss(output, outputs)
}

fn min_gru_loss(
    x: &[Tensor<3>],
    lengths: Tensor<1, Int>,
    way: Direction,
    outputs: Outputs,
) -> Tensor<3> {
    let state = Some(x[1].clone().squeeze_dim(0));
    let output = min_gru(x[0].clone(), state, lengths, way).unwrap();
    hidden_loss(output, outputs)
}

fn hidden_loss(output: GruOutput, outputs: Outputs) -> Tensor<3> {
    let last = weighted(output.final_hidden.unsqueeze());
    choose(output.hidden_states, last, outputs)
}

fn choose(hidden_states: Tensor<3>, last: Tensor<3>, outputs: Outputs) -> Tensor<3> {
    match (outputs.hidden_states, outputs.final_state) {
        (true, true) => weighted(hidden_states) + last,
        (true, false) => weighted(hidden_states),
        _ => last,
    }
}

/// A sum in which no two elements count alike, so that no mix-up cancels out.
fn weighted(tensor: Tensor<3>) -> Tensor<3> {
    let shape = tensor.dims();
    let count = shape.iter().product::<usize>();
    let weights: Vec<f64> = (0..count).map(|i| (i as f64 + 1.0).sin()).collect();
    let weights = tensor_of(&weights, &shape, &tensor.device());
    (tensor * weights).sum().reshape([1, 1, 1])
}

fn tensor_of(values: &[f64], shape: &[usize], device: &Device) -> Tensor<3> {
    let data = TensorData::new(values.to_vec(), [shape[0], shape[1], shape[2]]);
    Tensor::from_data(data, (device, DType::F64))
}

/// Values in ±1 that differ from place to place and from input to input.
fn inputs(shapes: &[[usize; 3]]) -> Inputs {
    let value = |input: usize, i: usize| (1.0 + 3.7 * input as f64 + 1.3 * i as f64).sin();
    let inputs = shapes.iter().enumerate();
    inputs
        .map(|(input, shape)| {
            let count = shape.iter().product();
            let values = (0..count).map(|i| value(input, i)).collect();
            (values, shape.to_vec())
        })
        .collect()
}

fn check(loss: Loss, shapes: &[[usize; 3]]) {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let lengths = |device: &Device| Tensor::<1, Int>::from_data(LENGTHS, device);
    let inputs = inputs(shapes);
    for way in [Direction::Forward, Direction::Reverse] {
        for (hidden_states, final_state) in [(true, true), (true, false), (false, true)] {
            let outputs = Outputs {
                hidden_states,
                final_state,
            };
            let tracked: Vec<Tensor<3>> = inputs
                .iter()
                .map(|(values, shape)| tensor_of(values, shape, &device).require_grad())
                .collect();
            let gradients = loss(&tracked, lengths(&device), way, outputs)
                .sum()
                .backward();
            let value = |inputs: &Inputs| {
                let x: Vec<_> = inputs
                    .iter()
                    .map(|(values, shape)| tensor_of(values, shape, &plain))
                    .collect();
                loss(&x, lengths(&plain), way, outputs)
                    .into_data()
                    .iter::<f64>()
                    .sum::<f64>()
            };
            for (input, tensor) in tracked.iter().enumerate() {
                let gradient = tensor.grad(&gradients).expect("a gradient").into_data();
                for (i, found) in gradient.iter::<f64>().enumerate() {
                    const STEP: f64 = 1e-5;
                    let mut moved = inputs.clone();
                    moved[input].0[i] += STEP;
                    let above = value(&moved);
                    moved[input].0[i] -= 2.0 * STEP;
                    let expected = (above - value(&moved)) / (2.0 * STEP);
                    assert!(
                        (found - expected).abs() < 1e-7,
                        "{way:?}, {outputs:?}, input {input}[{i}]: {found}, expected {expected}"
                    );
                }
            }
        }
    }
}

#[test]
fn lstm_gradients_are_the_finite_differences() {
    let state = [1, BATCH, HIDDEN];
    check(
        lstm_loss,
        &[
            [BATCH, TIME, 4 * HIDDEN],
            [1, HIDDEN, 4 * HIDDEN],
            state,
            state,
        ],
    );
}

#[test]
fn gru_gradients_are_the_finite_differences() {
    check(
        gru_loss,
        &[
            [BATCH, TIME, 3 * HIDDEN],
            [1, HIDDEN, 3 * HIDDEN],
            [1, 1, 3 * HIDDEN],
            [1, BATCH, HIDDEN],
        ],
    );
}

#[test]
fn simple_rnn_gradients_are_the_finite_differences() {
    check(
        simple_rnn_loss,
        &[
            [BATCH, TIME, HIDDEN],
            [1, HIDDEN, HIDDEN],
            [1, BATCH, HIDDEN],
        ],
    );
}

#[test]
fn min_gru_gradients_are_the_finite_differences() {
    check(
        min_gru_loss,
        &[[BATCH, TIME, 2 * HIDDEN], [1, BATCH, HIDDEN]],
    );
}
