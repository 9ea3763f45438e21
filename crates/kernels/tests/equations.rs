//! The operations against the cells' equations, written once more as scalar loops over one row's
//! valid timesteps: random shapes, lengths from 0 to T, both directions, given initial states.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use gatefold_kernels::{Direction, GruOutput, LstmState, gru, lstm, min_gru, simple_rnn};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Case {
    time: usize,
    hidden: usize,
    /// One a row.
    lengths: Vec<i32>,
    direction: Direction,
    /// Where the inputs' values come from.
    phase: f64,
}

fn cases() -> impl Strategy<Value = Case> {
    (1..6usize, 1..5usize, any::<bool>(), 0.0..6.0).prop_flat_map(
        |(time, hidden, reverse, phase)| {
            prop::collection::vec(0..=time as i32, 1..4).prop_map(move |lengths| Case {
                time,
                hidden,
                lengths,
                direction: Direction::reversed(reverse),
                phase,
            })
        },
    )
}

impl Case {
    fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Values in ±1.5 that differ from place to place and from `kind` to `kind`.
    fn values(&self, kind: usize, count: usize) -> Vec<f64> {
        let value = |i: usize| 1.5 * (self.phase + 3.7 * kind as f64 + 1.3 * i as f64).sin();
        (0..count).map(value).collect()
    }

    fn lengths(&self) -> Tensor<1, Int> {
        Tensor::from_data(&self.lengths[..], &Device::flex())
    }

    /// A row's valid timesteps in the order walked.
    fn steps(&self, row: usize) -> Vec<usize> {
        let steps = 0..self.lengths[row] as usize;
        match self.direction {
            Direction::Forward => steps.collect(),
            Direction::Reverse => steps.rev().collect(),
        }
    }
}

fn tensor<const D: usize>(values: &[f64], shape: [usize; D]) -> Tensor<D> {
    let data = TensorData::new(values.to_vec(), shape);
    Tensor::from_data(data, (&Device::flex(), DType::F64))
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `h U` of one row, column by column.
fn product(hidden: &[f64], weight: &[f64], width: usize) -> Vec<f64> {
    (0..width)
        .map(|column| {
            let terms = hidden.iter().enumerate();
            terms.map(|(i, h)| h * weight[i * width + column]).sum()
        })
        .collect()
}

fn assert_close<const D: usize>(found: Tensor<D>, expected: &[f64], what: &str) {
    let found: Vec<f64> = found.into_data().iter::<f64>().collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() < 1e-12,
            "{what}[{i}]: {found}, expected {expected}"
        );
    }
}

fn assert_hidden(output: GruOutput, states: &[f64], last: &[f64]) {
    assert_close(output.hidden_states, states, "hidden states");
    assert_close(output.final_hidden, last, "final hidden state");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn lstm_follows_its_equations(case in cases()) {
        let (batch, time, size) = (case.batch(), case.time, case.hidden);
        let width = 4 * size;
        let x = case.values(0, batch * time * width);
        let weight = case.values(1, size * width);
        let (h0, c0) = (case.values(2, batch * size), case.values(3, batch * size));

        let mut states = vec![0.0; batch * time * size];
        let (mut last_h, mut last_c) = (Vec::new(), Vec::new());
        for row in 0..batch {
            let mut h = h0[row * size..][..size].to_vec();
            let mut c = c0[row * size..][..size].to_vec();
            for t in case.steps(row) {
                let u = product(&h, &weight, width);
                let z = |gate: usize, j: usize| {
                    x[(row * time + t) * width + gate * size + j] + u[gate * size + j]
                };
                for j in 0..size {
                    let (i, f, g, o) = (z(0, j), z(1, j), z(2, j), z(3, j));
                    c[j] = sigmoid(f) * c[j] + sigmoid(i) * g.tanh();
                    h[j] = sigmoid(o) * c[j].tanh();
                    states[(row * time + t) * size + j] = h[j];
                }
            }
            last_h.extend(h);
            last_c.extend(c);
        }

        let state = LstmState {
            hidden: tensor(&h0, [batch, size]),
            cell: tensor(&c0, [batch, size]),
        };
        let output = lstm(
            tensor(&x, [batch, time, width]),
            tensor(&weight, [size, width]),
            Some(state),
            case.lengths(),
            case.direction,
        )
        .unwrap();
        assert_close(output.hidden_states, &states, "hidden states");
        assert_close(output.final_state.hidden, &last_h, "final hidden state");
        assert_close(output.final_state.cell, &last_c, "final cell state");
    }

    #[test]
    fn gru_follows_its_equations(case in cases()) {
        let (batch, time, size) = (case.batch(), case.time, case.hidden);
        let width = 3 * size;
        let x = case.values(0, batch * time * width);
        let weight = case.values(1, size * width);
        let bias = case.values(2, width);
        let h0 = case.values(3, batch * size);

        let mut states = vec![0.0; batch * time * size];
        let mut last_h = Vec::new();
        for row in 0..batch {
            let mut h = h0[row * size..][..size].to_vec();
            for t in case.steps(row) {
                let u = product(&h, &weight, width);
                let x = |gate: usize, j: usize| x[(row * time + t) * width + gate * size + j];
                let u = |gate: usize, j: usize| u[gate * size + j] + bias[gate * size + j];
                for j in 0..size {
                    let r = sigmoid(x(0, j) + u(0, j));
                    let z = sigmoid(x(1, j) + u(1, j));
                    let n = (x(2, j) + r * u(2, j)).tanh();
                    h[j] = (1.0 - z) * n + z * h[j];
                    states[(row * time + t) * size + j] = h[j];
                }
            }
            last_h.extend(h);
        }

        let output = gru(
            tensor(&x, [batch, time, width]),
            tensor(&weight, [size, width]),
            tensor(&bias, [width]),
            Some(tensor(&h0, [batch, size])),
            case.lengths(),
            case.direction,
        )
        .unwrap();
        assert_hidden(output, &states, &last_h);
    }

    #[test]
    fn simple_rnn_follows_its_equation(case in cases()) {
        let (batch, time, size) = (case.batch(), case.time, case.hidden);
        let x = case.values(0, batch * time * size);
        let weight = case.values(1, size * size);
        let h0 = case.values(2, batch * size);

        let mut states = vec![0.0; batch * time * size];
        let mut last_h = Vec::new();
        for row in 0..batch {
            let mut h = h0[row * size..][..size].to_vec();
            for t in case.steps(row) {
                let u = product(&h, &weight, size);
                for j in 0..size {
                    h[j] = (x[(row * time + t) * size + j] + u[j]).tanh();
                    states[(row * time + t) * size + j] = h[j];
                }
            }
            last_h.extend(h);
        }

        let output = simple_rnn(
            tensor(&x, [batch, time, size]),
            tensor(&weight, [size, size]),
            Some(tensor(&h0, [batch, size])),
            case.lengths(),
            case.direction,
        )
        .unwrap();
        assert_hidden(output, &states, &last_h);
    }

    #[test]
    fn min_gru_follows_its_equations(case in cases()) {
        let (batch, time, size) = (case.batch(), case.time, case.hidden);
        let x = case.values(0, batch * time * 2 * size);
        let h0 = case.values(1, batch * size);

        let mut states = vec![0.0; batch * time * size];
        let mut last_h = Vec::new();
        for row in 0..batch {
            let mut h = h0[row * size..][..size].to_vec();
            for t in case.steps(row) {
                let x = &x[(row * time + t) * 2 * size..][..2 * size];
                for j in 0..size {
                    let z = sigmoid(x[j]);
                    let x_h = x[size + j];
                    let candidate = if x_h >= 0.0 { x_h + 0.5 } else { sigmoid(x_h) };
                    h[j] = (1.0 - z) * h[j] + z * candidate;
                    states[(row * time + t) * size + j] = h[j];
                }
            }
            last_h.extend(h);
        }

        let output = min_gru(
            tensor(&x, [batch, time, 2 * size]),
            Some(tensor(&h0, [batch, size])),
            case.lengths(),
            case.direction,
        )
        .unwrap();
        assert_hidden(output, &states, &last_h);
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors_that_name_them() {
    let device = Device::flex();
    let zeros = |shape: [usize; 3]| Tensor::<3>::zeros(shape, &device);
    let matrix = |shape: [usize; 2]| Tensor::<2>::zeros(shape, &device);
    let lengths = |count| Tensor::<1, Int>::zeros([count], &device);
    let way = Direction::Forward;
    let lstm = |projections, weight, state| {
        lstm(projections, weight, state, lengths(2), way)
            .unwrap_err()
            .to_string()
    };
    let simple_rnn = |state, lengths| {
        simple_rnn(zeros([2, 3, 4]), matrix([4, 4]), state, lengths, way)
            .unwrap_err()
            .to_string()
    };

    assert_eq!(
        lstm(zeros([2, 3, 8]), matrix([2, 6]), None),
        "lstm: recurrent weight has shape [2, 6], expected [2, 8] ([H, G·H], nothing empty)"
    );
    let error = lstm(zeros([2, 3, 9]), matrix([2, 8]), None);
    assert!(error.contains("projections has shape [2, 3, 9], expected [2, 3, 8]"));
    let error = lstm(zeros([2, 0, 8]), matrix([2, 8]), None);
    assert!(error.contains("projections has shape [2, 0, 8], expected [2, 1, 8]"));
    let error = lstm(zeros([2, 3, 0]), matrix([0, 0]), None);
    assert!(error.contains("recurrent weight has shape [0, 0], expected [1, 4]"));
    assert!(simple_rnn(None, lengths(3)).contains("lengths has shape [3], expected [2]"));
    let error = simple_rnn(Some(matrix([1, 4])), lengths(2));
    assert!(error.contains("initial hidden state has shape [1, 4]"));

    let bias = Tensor::<1>::zeros([5], &device);
    let projections = || zeros([2, 3, 6]);
    let error = gru(projections(), matrix([2, 6]), bias, None, lengths(2), way).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("gru: recurrent bias has shape [5]")
    );

    let double = LstmState {
        hidden: matrix([2, 2]),
        cell: matrix([2, 2]).cast(DType::F64),
    };
    assert_eq!(
        lstm(zeros([2, 3, 8]), matrix([2, 8]), Some(double)),
        "lstm: initial cell state is of F64, expected F32 as the projections"
    );
}
