//! The kernels on WGPU and on the CPU against the reference on NdArray: random shapes, lengths, directions and initial
//! states; long sequences; saturated gates; the same call twice.

#[path = "devices/gpu.rs"]
mod gpu;
#[path = "devices/ndarray.rs"]
mod ndarray;
#[path = "../crates/kernels/tests/pytorch/check.rs"]
mod pytorch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};
use gatefold_kernels::{
    AdamStep, Direction, LstmState, Moments, Projections, Tokens, adam, embedding, gru, linear,
    lstm, simple_rnn,
};
use gpu::gpu;
use ndarray::ndarray;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Lstm,
    Gru,
    SimpleRnn,
}

impl Cell {
    fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::SimpleRnn => 1,
        }
    }
}

/// One call of an operation.
#[derive(Clone, Debug)]
struct Case {
    cell: Cell,
    time: usize,
    hidden: usize,
    /// One a row.
    lengths: Vec<i32>,
    direction: Direction,
    with_state: bool,
    /// Whether the projections are looked up in a table by word.
    per_word: bool,
    /// Whether the loss reads the hidden states, beside the final one.
    reads_hidden_states: bool,
    /// How far from 0 the projections lie.
    scale: f32,
    seed: u64,
}

/// Each with its name, and whether it is a gradient.
type Values = Vec<(&'static str, bool, Vec<f32>)>;

impl Case {
    /// Outputs, then gradients, on `device`.
    fn run(&self, device: &Device) -> Values {
        let device = &device.clone().autodiff();
        let (batch, time, hidden) = (self.lengths.len(), self.time, self.hidden);
        let width = self.cell.gates() * hidden;
        let rng = &mut ChaCha8Rng::seed_from_u64(self.seed);
        let words = 2 + batch * time / 2;
        let table: Tensor<2> = random([words, width], self.scale, rng, device);
        let ids: Vec<i32> = (0..batch * time)
            .map(|_| rng.random_range(0..words as i32))
            .collect();
        let per_token: Tensor<3> = random([batch, time, width], self.scale, rng, device);
        let projections = if self.per_word {
            let tokens = Tokens::sorted(&ids, &self.lengths, words, device).unwrap();
            Projections::per_word(table.clone(), tokens).unwrap()
        } else {
            per_token.clone().into()
        };
        // As large as a trained network's: the product stays near 1.
        let weight: Tensor<2> = random([hidden, width], 1.5 / (hidden as f32).sqrt(), rng, device);
        let bias: Tensor<1> = random([width], 0.5, rng, device);
        let state: Tensor<2> = random([batch, hidden], 0.9, rng, device);
        let cell_state: Tensor<2> = random([batch, hidden], 1.5, rng, device);
        let lengths = Tensor::<1, Int>::from_data(&self.lengths[..], device);
        let given = self.with_state.then(|| state.clone());

        let (hidden_states, final_hidden, final_cell) = match self.cell {
            Cell::Lstm => {
                let state = given.map(|hidden| LstmState {
                    hidden,
                    cell: cell_state.clone(),
                });
                let output = lstm(
                    projections.clone(),
                    weight.clone(),
                    state,
                    lengths,
                    self.direction,
                )
                .unwrap();
                let state = output.final_state;
                (output.hidden_states, state.hidden, Some(state.cell))
            }
            Cell::Gru => {
                let output = gru(
                    projections.clone(),
                    weight.clone(),
                    bias.clone(),
                    given,
                    lengths,
                    self.direction,
                )
                .unwrap();
                (output.hidden_states, output.final_hidden, None)
            }
            Cell::SimpleRnn => {
                let output = simple_rnn(
                    projections.clone(),
                    weight.clone(),
                    given,
                    lengths,
                    self.direction,
                )
                .unwrap();
                (output.hidden_states, output.final_hidden, None)
            }
        };

        let weighted = |values: Tensor<2>, rng: &mut ChaCha8Rng| {
            let factors = random(values.dims(), 1.0, rng, device).detach();
            (values * factors).sum()
        };
        let mut loss = weighted(final_hidden.clone(), rng);
        if let Some(cell) = &final_cell {
            loss = loss + weighted(cell.clone(), rng);
        }
        if self.reads_hidden_states {
            loss = loss + weighted(hidden_states.clone().reshape([batch * time, hidden]), rng);
        }
        let gradients = loss.backward();

        let mut values = vec![
            ("hidden states", false, floats(hidden_states)),
            ("final hidden state", false, floats(final_hidden)),
        ];
        values.extend(final_cell.map(|cell| ("final cell state", false, floats(cell))));
        let gradient = |name, tensor: Option<Vec<f32>>| (name, true, tensor.expect(name));
        values.extend([
            if self.per_word {
                gradient("d table", table.grad(&gradients).map(floats))
            } else {
                gradient("d projections", per_token.grad(&gradients).map(floats))
            },
            gradient("d recurrent weight", weight.grad(&gradients).map(floats)),
        ]);
        if self.cell == Cell::Gru {
            values.push(gradient(
                "d recurrent bias",
                bias.grad(&gradients).map(floats),
            ));
        }
        if self.with_state {
            values.push(gradient(
                "d initial hidden",
                state.grad(&gradients).map(floats),
            ));
            if self.cell == Cell::Lstm {
                let gradient = cell_state.grad(&gradients).map(floats);
                values.push(("d initial cell", true, gradient.expect("d initial cell")));
            }
        }
        values
    }
}

/// A leaf of the graph with values in ±`scale`.
fn random<const D: usize>(
    shape: [usize; D],
    scale: f32,
    rng: &mut impl Rng,
    device: &Device,
) -> Tensor<D> {
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|_| rng.random_range(-scale..=scale))
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device).require_grad()
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("32-bit floats")
}

/// The largest errors seen, relative to a tensor's largest value: of outputs and of gradients.
#[derive(Clone, Copy, Debug, Default)]
struct Errors {
    outputs: f32,
    gradients: f32,
}

const OUTPUT_TOLERANCE: f32 = 1e-5;
const GRADIENT_TOLERANCE: f32 = 1e-4;

/// Where all values are smaller than `floor`, errors are relative to it.
fn compare(expected: &Values, found: &Values, floor: f32) -> Result<Errors, String> {
    let mut errors = Errors::default();
    assert_eq!(expected.len(), found.len());
    for ((name, is_gradient, expected), (_, _, found)) in expected.iter().zip(found) {
        assert_eq!(expected.len(), found.len(), "{name}");
        let largest = expected
            .iter()
            .fold(0f32, |most, value| most.max(value.abs()));
        for (i, (expected, found)) in expected.iter().zip(found).enumerate() {
            let off = (expected - found).abs() / largest.max(floor).max(f32::MIN_POSITIVE);
            let (seen, tolerance) = if *is_gradient {
                (&mut errors.gradients, GRADIENT_TOLERANCE)
            } else {
                (&mut errors.outputs, OUTPUT_TOLERANCE)
            };
            if off.is_nan() || off > tolerance {
                return Err(format!("{name}[{i}]: {found}, expected {expected}"));
            }
            *seen = seen.max(off);
        }
    }
    Ok(errors)
}

/// Where there are kernels.
fn devices() -> [(&'static str, Device); 2] {
    [("WGPU", gpu()), ("CPU", Device::flex())]
}

/// The largest errors on each device, or what differs.
fn check(case: &Case, floor: f32) -> Result<[Errors; 2], String> {
    let expected = case.run(&ndarray());
    let mut errors = [Errors::default(); 2];
    for ((name, device), errors) in devices().iter().zip(&mut errors) {
        let found = case.run(device);
        *errors = compare(&expected, &found, floor).map_err(|error| format!("{name}: {error}"))?;
        if bits(&found) != bits(&case.run(device)) {
            return Err(format!("{name}: twice the same, other results"));
        }
    }
    Ok(errors)
}

fn bits(values: &Values) -> Vec<u32> {
    let values = values.iter().flat_map(|(_, _, values)| values);
    values.map(|value| value.to_bits()).collect()
}

fn cases(cell: Cell, hidden: usize) -> impl Strategy<Value = Case> {
    (1..=20usize, 1..=40usize).prop_flat_map(move |(batch, time)| {
        (
            prop::collection::vec(1..=time as i32, batch),
            any::<(bool, bool, bool, bool, u64)>(),
        )
            .prop_map(
                move |(lengths, (reverse, with_state, per_word, reads_hidden_states, seed))| Case {
                    cell,
                    time,
                    hidden,
                    lengths,
                    direction: Direction::reversed(reverse),
                    with_state,
                    per_word,
                    reads_hidden_states,
                    scale: 2.0,
                    seed,
                },
            )
    })
}

/// Random cases at every hidden size; the same ones in every run.
fn compare_random_cases(cell: Cell) {
    const HIDDEN: [usize; 10] = [1, 3, 8, 31, 64, 100, 128, 200, 256, 300];
    const CASES_EACH: u32 = 10;
    let most = std::cell::Cell::new([Errors::default(); 2]);
    for hidden in HIDDEN {
        let config = Config {
            cases: CASES_EACH,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[hidden as u8; 32]);
        let result = TestRunner::new_with_rng(config, rng).run(&cases(cell, hidden), |case| {
            let errors = check(&case, 0.0).map_err(TestCaseError::fail)?;
            let mut so_far = most.get();
            for (so_far, errors) in so_far.iter_mut().zip(errors) {
                so_far.outputs = so_far.outputs.max(errors.outputs);
                so_far.gradients = so_far.gradients.max(errors.gradients);
            }
            most.set(so_far);
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("{cell:?}, H {hidden}: {error}"));
    }
    for ((device, _), errors) in devices().iter().zip(most.get()) {
        eprintln!(
            "{cell:?} on {device}: {} random cases, largest error {:.1e} of outputs, {:.1e} of gradients",
            HIDDEN.len() * CASES_EACH as usize,
            errors.outputs,
            errors.gradients
        );
    }
}

/// Notes whether a kernel of ours is launched.
#[derive(Default)]
struct OurLaunches(AtomicBool);

impl LaunchObserver for OurLaunches {
    fn launched(&self, kernel: &'static str) {
        if kernel.contains("SourceKernel") {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn what_is_tested_here_are_the_kernels() {
    let ours = Arc::new(OurLaunches::default());
    let observation = LaunchObservation::new(ours.clone());
    let case = Case {
        cell: Cell::Lstm,
        time: 2,
        hidden: 8,
        lengths: vec![2, 1],
        direction: Direction::Forward,
        with_state: false,
        per_word: false,
        reads_hidden_states: false,
        scale: 1.0,
        seed: 9,
    };
    case.run(&gpu());
    drop(observation);
    assert!(ours.0.load(Ordering::Relaxed), "the reference ran instead");
}

#[test]
fn random_lstms_agree() {
    compare_random_cases(Cell::Lstm);
}

#[test]
fn random_grus_agree() {
    compare_random_cases(Cell::Gru);
}

#[test]
fn random_simple_rnns_agree() {
    compare_random_cases(Cell::SimpleRnn);
}

fn each_cell_with(check: impl Fn(Cell)) {
    [Cell::Lstm, Cell::Gru, Cell::SimpleRnn]
        .into_iter()
        .for_each(check);
}

fn each_cell(floor: f32, case: impl Fn(Cell) -> Case) {
    each_cell_with(|cell| {
        let case = case(cell);
        let errors = check(&case, floor).unwrap_or_else(|error| panic!("{case:?}: {error}"));
        eprintln!("{cell:?}, T {}, H {}: {errors:?}", case.time, case.hidden);
    });
}

#[test]
fn hidden_sizes_too_large_for_a_workgroup_go_step_by_step() {
    for (hidden, reverse) in [(600, true), (1024, false)] {
        each_cell(0.0, |cell| Case {
            cell,
            time: 6,
            hidden,
            lengths: vec![6, 1, 4, 2, 6],
            direction: Direction::reversed(reverse),
            with_state: true,
            per_word: false,
            reads_hidden_states: true,
            scale: 2.0,
            seed: 5,
        });
    }
}

#[test]
fn pytorchs_values_agree() {
    for (_, device) in devices() {
        pytorch::agrees_with_pytorch(&device, DType::F32, 1e-5);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    each_cell_with(|cell| {
        let case = Case {
            cell,
            time: 20,
            hidden: 40,
            lengths: (0..70).map(|row| row % 21).collect(),
            direction: Direction::Reverse,
            with_state: true,
            per_word: false,
            reads_hidden_states: true,
            scale: 2.0,
            seed: 10,
        };
        let [one, many] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().expect("threads start");
            bits(&pool.install(|| case.run(&Device::flex())))
        });
        assert!(one == many, "{cell:?}");
    });
}

#[test]
fn long_sequences_agree() {
    each_cell(0.0, |cell| Case {
        cell,
        time: 2000,
        hidden: 8,
        lengths: vec![2000, 1400, 1],
        direction: Direction::Forward,
        with_state: true,
        per_word: false,
        reads_hidden_states: true,
        scale: 2.0,
        seed: 6,
    });
}

#[test]
fn saturated_gates_stay_finite_and_agree() {
    for scale in [60.0, 1e4, 1e30] {
        // Few gates are left with a slope; what is left of it is mostly rounding.
        each_cell(1.0, |cell| Case {
            cell,
            time: 12,
            hidden: 31,
            lengths: vec![12, 7],
            direction: Direction::Reverse,
            with_state: true,
            per_word: false,
            reads_hidden_states: true,
            scale,
            seed: 7,
        });
    }
}

#[test]
fn a_row_without_timesteps_passes_its_state_and_gradient_on() {
    each_cell(0.0, |cell| Case {
        cell,
        time: 3,
        hidden: 8,
        lengths: vec![0, 3, 0, 0, 0, 2, -1, 9],
        direction: Direction::Reverse,
        with_state: true,
        per_word: false,
        reads_hidden_states: true,
        scale: 2.0,
        seed: 8,
    });
}

#[test]
fn what_stands_in_the_padding_is_not_read() {
    for (device, reverse) in [
        (gpu(), false),
        (gpu(), true),
        (Device::flex(), false),
        (Device::flex(), true),
    ] {
        let device = device.autodiff();
        let states = |padding: f32| {
            let rng = &mut ChaCha8Rng::seed_from_u64(1);
            let weight: Tensor<2> = random([4, 16], 0.5, rng, &device);
            let words: Tensor<3> = random([2, 3, 16], 1.0, rng, &device);
            let padding = Tensor::full([2, 2, 16], padding, &device);
            let lengths = Tensor::<1, Int>::from_data([3, 2], &device);
            let input = Tensor::cat(vec![words, padding], 1);
            let output = lstm(input, weight, None, lengths, Direction::reversed(reverse)).unwrap();
            floats(output.hidden_states)
        };
        let expected = states(0.0);
        assert!(expected.iter().all(|value| value.is_finite()));
        assert_eq!(expected, states(f32::NAN));
    }
}

#[test]
fn the_embeddings_gradient_is_the_sum_over_each_words_places() {
    for (words, columns, [batch, time]) in [(7, 1, [2, 3]), (50, 16, [9, 40]), (300, 100, [3, 17])]
    {
        let gradient = |device: Device| {
            let device = &device.autodiff();
            let rng = &mut ChaCha8Rng::seed_from_u64(2);
            let weight: Tensor<2> = random([words, columns], 1.0, rng, device);
            let ids: Vec<i32> = (0..batch * time)
                .map(|_| rng.random_range(0..words as i32 / 2))
                .collect();
            let lengths: Vec<i32> = (0..batch).map(|row| (time - row % 2) as i32).collect();
            let tokens = Tokens::sorted(&ids, &lengths, words, device).unwrap();
            let output = embedding(weight.clone(), tokens).unwrap();
            // The padding has no gradient.
            let counts = (0..batch * time).map(|i| ((i % time) as i32) < lengths[i / time]);
            let counts: Vec<f32> = counts.map(|counts| f32::from(u8::from(counts))).collect();
            let counts = TensorData::new(counts, [batch, time, 1]);
            let factors = random(output.dims(), 1.0, rng, device).detach()
                * Tensor::<3>::from_data(counts, device);
            let gradients = (output.clone() * factors).sum().backward();
            let gradient = weight.grad(&gradients).expect("the weight's gradient");
            vec![
                ("output", false, floats(output)),
                ("d weight", true, floats(gradient)),
            ]
        };
        agree(gradient);
    }
}

/// What `run` computes is the same on every device as on NdArray, and the same again, bit for bit.
fn agree(run: impl Fn(Device) -> Values) {
    let expected = run(ndarray());
    for (name, device) in devices() {
        let found = run(device.clone());
        compare(&expected, &found, 0.0).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            bits(&found) == bits(&run(device)),
            "{name}: twice the same, other results"
        );
    }
}

#[test]
fn a_linear_layer_and_its_gradients_agree() {
    for [rows, size, columns] in [[1, 1, 1], [300, 16, 100], [1280, 3, 64]] {
        agree(|device| {
            let device = &device.autodiff();
            let rng = &mut ChaCha8Rng::seed_from_u64(3);
            let input: Tensor<2> = random([rows, size], 1.0, rng, device);
            let weight: Tensor<2> = random([size, columns], 1.0, rng, device);
            let bias: Tensor<1> = random([columns], 1.0, rng, device);
            let output = linear(input.clone(), weight.clone(), bias.clone());
            let factors = random(output.dims(), 1.0, rng, device).detach();
            let gradients = (output.clone() * factors).sum().backward();
            vec![
                ("output", false, floats(output)),
                ("d input", true, floats(input.grad(&gradients).unwrap())),
                ("d weight", true, floats(weight.grad(&gradients).unwrap())),
                ("d bias", true, floats(bias.grad(&gradients).unwrap())),
            ]
        });
    }
}

#[test]
fn the_embeddings_gradient_of_unsorted_tokens_is_the_same() {
    for (name, device) in devices() {
        let device = &device.autodiff();
        let (ids, lengths) = ([[3, 1, 3], [0, 3, 2]], [3, 2]);
        let gradient = |tokens: Tokens| {
            let rng = &mut ChaCha8Rng::seed_from_u64(4);
            let weight: Tensor<2> = random([5, 8], 1.0, rng, device);
            let output = embedding(weight.clone(), tokens).unwrap();
            let gradients = output.powi_scalar(2).sum().backward();
            floats(weight.grad(&gradients).unwrap())
        };
        let sorted = Tokens::sorted(ids.as_flattened(), &lengths, 5, device).unwrap();
        let unsorted = Tokens::unsorted(
            Tensor::from_data(ids, device),
            Tensor::from_data(lengths, device),
            5,
        );
        let (expected, found) = (gradient(sorted), gradient(unsorted));
        for (expected, found) in expected.iter().zip(&found) {
            assert!(
                (expected - found).abs() < 1e-5,
                "{name}: {expected} {found}"
            );
        }
        assert!(expected.iter().any(|value| *value != 0.0));
    }
}

/// Against the equations in 64 bits.
#[test]
fn adam_follows_its_equations() {
    const COUNT: usize = 70_000;
    for (name, device) in devices().into_iter().chain([("NdArray", ndarray())]) {
        let rng = &mut ChaCha8Rng::seed_from_u64(5);
        let mut values: Vec<f64> = (0..COUNT).map(|_| rng.random_range(-1.0..1.0)).collect();
        let (mut first, mut second) = (vec![0.0f64; COUNT], vec![0.0f64; COUNT]);
        let tensor = |values: &[f64]| {
            let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            Tensor::<1>::from_data(&values[..], &device)
        };
        let mut parameter = tensor(&values);
        let mut moments = Moments {
            first: Tensor::zeros([COUNT], &device),
            second: Tensor::zeros([COUNT], &device),
        };
        for number in 1..=3 {
            let step = AdamStep {
                learning_rate: 0.01,
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-7,
                weight_decay: 0.1,
                number,
            };
            let gradient: Vec<f64> = (0..COUNT).map(|_| rng.random_range(-0.1..0.1)).collect();
            (parameter, moments) = adam(parameter, moments, tensor(&gradient), step);
            let t = number as i32;
            for i in 0..COUNT {
                first[i] = 0.9 * first[i] + 0.1 * gradient[i];
                second[i] = 0.999 * second[i] + 0.001 * gradient[i].powi(2);
                let mean = first[i] / (1.0 - 0.9f64.powi(t));
                let root = (second[i] / (1.0 - 0.999f64.powi(t))).sqrt();
                values[i] -= 0.01 * (0.1 * values[i] + mean / (root + 1e-7));
            }
        }
        for (expected, found) in values.iter().zip(floats(parameter)) {
            assert!(
                (expected - f64::from(found)).abs() < 1e-5,
                "{name}: {expected} {found}"
            );
        }
    }
}
