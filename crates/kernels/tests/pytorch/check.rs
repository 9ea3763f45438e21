//! The operations, and the gradients of all their inputs, against PyTorch's in `values.json`.

use std::collections::BTreeMap;

use burn::tensor::{DType, Device, Shape, Tensor, TensorData};
use gatefold_kernels::{Direction, LstmState, gru, lstm, simple_rnn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    cases: Vec<Case>,
}

type Tensors = Vec<(&'static str, Tensor<1>)>;

/// One cell in one direction. The loss is the sum of the `loss` outputs times drawn factors.
#[derive(Deserialize)]
struct Case {
    cell: String,
    reverse: bool,
    seed: u32,
    time: usize,
    input: usize,
    hidden: usize,
    lengths: Vec<i32>,
    with_state: bool,
    loss: Vec<String>,
    /// The largest weight, and the largest other input, in 1/`UNIT`.
    weight_steps: u32,
    input_steps: u32,
    /// PyTorch's own largest error in 32 bits, or where what it is given is rounded.
    f32_error: f64,
    outputs: BTreeMap<String, Record>,
    gradients: BTreeMap<String, Record>,
}

/// A tensor of PyTorch's.
#[derive(Deserialize)]
struct Record {
    largest: f64,
    /// All values; where there are norms, those at drawn places.
    values: Vec<f64>,
    /// Of the tensor's parts.
    norms: Vec<f64>,
}

/// In the order of their numbers, which seeds are made of.
const NAMES: [&str; 10] = [
    "x",
    "weight_ih",
    "weight_hh",
    "bias_ih",
    "bias_hh",
    "h_0",
    "c_0",
    "output",
    "h_n",
    "c_n",
];
const UNIT: u32 = 4096;

/// Panics where a value is further off than `tolerance` times its tensor's largest; in 32 bits, where a case amplifies
/// rounding so much that PyTorch itself is off by more than a quarter of that, than four times as much as PyTorch.
pub fn agrees_with_pytorch(device: &Device, dtype: DType, tolerance: f64) {
    let recording: Recording = serde_json::from_str(include_str!("values.json")).unwrap();
    let mut largest_errors = BTreeMap::<&str, f64>::new();
    for case in &recording.cases {
        let tolerance = match dtype {
            DType::F32 => tolerance.max(4.0 * case.f32_error),
            _ => tolerance,
        };
        let error = case.check(&device.clone().autodiff(), dtype, tolerance);
        let so_far = largest_errors.entry(&case.cell).or_default();
        *so_far = so_far.max(error);
    }
    let cases = recording.cases.len();
    eprintln!("{dtype:?}, {cases} cases on {device:?}: largest errors {largest_errors:?}");
}

/// 32 bits of each number from 0, as generate.py draws them.
fn drawn(seed: u32) -> impl Iterator<Item = u32> {
    let hashed = |value: u32| {
        let value = (value ^ (value >> 16)).wrapping_mul(0x7FEB_352D);
        let value = (value ^ (value >> 15)).wrapping_mul(0x846C_A68B);
        value ^ (value >> 16)
    };
    (0..).map(move |i| hashed(hashed(seed).wrapping_add(i)))
}

impl Case {
    /// The largest error, relative to its tensor's largest value.
    fn check(&self, device: &Device, dtype: DType, tolerance: f64) -> f64 {
        let draw = |name: &str, count: usize, steps: u32| -> Tensor<1> {
            let number = NAMES.iter().position(|known| *known == name).unwrap();
            let values: Vec<f64> = drawn(self.seed + number as u32)
                .take(count)
                .map(|bits| f64::from(bits % (2 * steps + 1)) - f64::from(steps))
                .map(|steps| steps / f64::from(UNIT))
                .collect();
            Tensor::from_data(&values[..], (device, dtype))
        };
        let shapes = self.input_shapes();
        let inputs: Tensors = shapes
            .iter()
            .map(|(&name, shape)| {
                let steps = match name {
                    "weight_ih" | "weight_hh" => self.weight_steps,
                    _ => self.input_steps,
                };
                (name, draw(name, shape.num_elements(), steps).require_grad())
            })
            .collect();
        let outputs = self.run(&shapes, inputs.iter().cloned().collect(), device);
        let gradients = outputs
            .iter()
            .filter(|(name, _)| self.loss.iter().any(|read| read == name))
            .map(|(name, output)| (output.clone() * draw(name, output.dims()[0], UNIT)).sum())
            .reduce(|sum, term| sum + term)
            .expect("a loss reads an output")
            .backward();

        let gradients = inputs.into_iter().map(|(name, input)| {
            let gradient = input.grad(&gradients).expect("a gradient");
            (name, gradient)
        });
        let of_outputs = self.compare("", outputs, &self.outputs, tolerance);
        let of_gradients = self.compare(
            "gradient of ",
            gradients.collect(),
            &self.gradients,
            tolerance,
        );
        of_outputs.max(of_gradients)
    }

    /// By PyTorch's names.
    fn input_shapes(&self) -> BTreeMap<&'static str, Shape> {
        let (batch, hidden) = (self.lengths.len(), self.hidden);
        let gates = match self.cell.as_str() {
            "lstm" => 4,
            "gru" => 3,
            _ => 1,
        };
        let width = gates * hidden;
        let mut shapes = BTreeMap::from([
            ("x", Shape::new([batch, self.time, self.input])),
            ("weight_ih", Shape::new([width, self.input])),
            ("weight_hh", Shape::new([width, hidden])),
            ("bias_ih", Shape::new([width])),
            ("bias_hh", Shape::new([width])),
        ]);
        if self.with_state {
            shapes.insert("h_0", Shape::new([batch, hidden]));
            if self.cell == "lstm" {
                shapes.insert("c_0", Shape::new([batch, hidden]));
            }
        }
        shapes
    }

    /// The outputs by PyTorch's names, each flat.
    fn run(
        &self,
        shapes: &BTreeMap<&str, Shape>,
        inputs: BTreeMap<&str, Tensor<1>>,
        device: &Device,
    ) -> Tensors {
        let vector = |name: &str| inputs[name].clone();
        let matrix = |name: &str| vector(name).reshape::<2, _>(shapes[name].clone());
        let projections = |bias: Tensor<1>| -> Tensor<3> {
            let [batch, time, size] = shapes["x"].dims();
            let rows = vector("x").reshape([batch * time, size]);
            let projected = rows.matmul(matrix("weight_ih").transpose()) + bias.unsqueeze();
            projected.reshape([batch as i32, time as i32, -1])
        };
        let recurrent_weight = matrix("weight_hh").transpose();
        let lengths = Tensor::from_data(&self.lengths[..], device);
        let direction = Direction::reversed(self.reverse);

        let output = match self.cell.as_str() {
            "lstm" => {
                let state = self.with_state.then(|| LstmState {
                    hidden: matrix("h_0"),
                    cell: matrix("c_0"),
                });
                let projections = projections(vector("bias_ih") + vector("bias_hh"));
                let output = lstm(projections, recurrent_weight, state, lengths, direction);
                let output = output.unwrap();
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
                self.with_state.then(|| matrix("h_0")),
                lengths,
                direction,
            ),
            _ => simple_rnn(
                projections(vector("bias_ih") + vector("bias_hh")),
                recurrent_weight,
                self.with_state.then(|| matrix("h_0")),
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

    /// The largest error.
    fn compare(
        &self,
        what: &str,
        found: Tensors,
        expected: &BTreeMap<String, Record>,
        tolerance: f64,
    ) -> f64 {
        assert_eq!(found.len(), expected.len());
        let errors = found.into_iter().map(|(name, found)| {
            let error = expected[name].error(found.into_data(), self.seed);
            let Self { cell, reverse, seed, .. } = self;
            assert!(
                error <= tolerance,
                "{cell}, reverse: {reverse}, seed {seed}: {what}{name} is off by {error:.1e} of its largest value"
            );
            error
        });
        errors.fold(0.0, f64::max)
    }
}

impl Record {
    /// The largest error of a value, relative to the largest value; a norm's error is that of a value if all in its
    /// part were off as much.
    fn error(&self, found: TensorData, seed: u32) -> f64 {
        let found: Vec<f64> = found.iter::<f64>().collect();
        let sampled: Vec<f64> = if self.norms.is_empty() {
            found.clone()
        } else {
            let places = drawn(seed + NAMES.len() as u32).take(self.values.len());
            places
                .map(|bits| found[bits as usize % found.len()])
                .collect()
        };
        assert_eq!(sampled.len(), self.values.len());
        let errors = sampled
            .iter()
            .zip(&self.values)
            .map(|(found, expected)| (found - expected).abs());
        let parts = found.chunks(found.len().div_ceil(self.norms.len().max(1)));
        let norm_errors = parts.zip(&self.norms).map(|(part, expected)| {
            let norm = part.iter().map(|value| value * value).sum::<f64>().sqrt();
            (norm - expected).abs() / (part.len() as f64).sqrt()
        });
        let largest = errors.chain(norm_errors).fold(0.0, f64::max);
        // Not the largest: a NaN would not be.
        assert!(found.iter().all(|value| value.is_finite()));
        if largest == 0.0 {
            0.0
        } else {
            largest / self.largest
        }
    }
}
