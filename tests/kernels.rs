//! The kernels on WGPU and on the CPU, and the reference on NdArray, against the reference in 64 bits: random shapes,
//! lengths, directions, initial states and sizes of numbers; long sequences; saturated gates; the same call twice.

#[path = "devices/gpu.rs"]
mod gpu;
#[path = "devices/ndarray.rs"]
mod ndarray;
#[path = "../crates/kernels/tests/pytorch/check.rs"]
mod pytorch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};
use gatefold_kernels::kernel_choices::{KernelChoice, Pass, Product, candidates, choose};
use gatefold_kernels::{
    AdamParameter, AdamStep, Cell, Direction, InputWeights, Moments, Projections, RecurrentWeights,
    State, Tokens, adam, embedding, fused, linear, simple_rnn,
};
use gpu::gpu;
use itertools::Itertools;
use ndarray::ndarray;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Hidden states, the final hidden state, and an LSTM's final cell; `state`: hidden and cell.
fn walk(
    cell: Cell,
    projections: impl Into<Projections>,
    weight: &Tensor<2>,
    bias: &Tensor<1>,
    state: Option<[Tensor<2>; 2]>,
    lengths: Tensor<1, Int>,
    direction: Direction,
) -> (Tensor<3>, Tensor<2>, Option<Tensor<2>>) {
    let recurrent = RecurrentWeights {
        weight: cell.has_recurrent_weight().then(|| weight.clone()),
        bias: cell.has_recurrent_bias().then(|| bias.clone()),
    };
    let state = state.map(|[hidden, state]| State {
        hidden,
        cell: cell.has_cell_state().then_some(state),
    });
    let walked =
        gatefold_kernels::walk(cell, projections, recurrent, state, lengths, direction).unwrap();
    let State { hidden, cell } = walked.final_state;
    (walked.hidden_states, hidden, cell)
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
    /// D, where the operation multiplies its input itself; else it reads projections.
    input: Option<usize>,
    /// Whether what it reads is looked up in a table by word.
    per_word: bool,
    /// Whether the loss reads the hidden states, beside the final one.
    reads_hidden_states: bool,
    /// How far from 0 the projections lie, and at most everything else but the recurrent weights.
    scale: f32,
    seed: u64,
}

/// Each with its name, and whether it is a gradient.
type Values = Vec<(&'static str, bool, Vec<f64>)>;

/// A device, and the type of the floats that are computed with on it.
#[derive(Clone)]
struct Kernels {
    name: &'static str,
    device: Device,
    dtype: DType,
}

impl Kernels {
    fn of(name: &'static str, device: Device) -> Self {
        let dtype = DType::F32;
        Self {
            name,
            device,
            dtype,
        }
    }

    /// With the product where it isn't made on such an adapter for half of the hidden sizes that leave a choice: a GPU's in
    /// software, and that in software on a GPU.
    fn gpu() -> Self {
        static CHOSEN: Once = Once::new();
        CHOSEN.call_once(|| {
            let mut choices = Vec::new();
            for cell in Cell::ALL
                .into_iter()
                .filter(|cell| cell.has_recurrent_weight())
            {
                for (pass, hidden) in [Pass::Forward, Pass::Backward]
                    .into_iter()
                    .cartesian_product([3, 31, 64])
                {
                    for rows in [1, 2, 9, 33, 65] {
                        let usual = candidates(&gpu(), cell, pass, hidden, rows)[0];
                        let product = match usual.product {
                            Product::Split => Product::Fused,
                            _ => Product::Split,
                        };
                        choices.push(KernelChoice {
                            product,
                            apart: false,
                            ..usual
                        });
                    }
                }
            }
            choose(&gpu(), &choices).unwrap();
        });
        Self::of("WGPU", gpu())
    }

    fn cpu() -> Self {
        Self::of("CPU", Device::flex())
    }

    fn ndarray() -> Self {
        Self::of("NdArray", ndarray())
    }

    /// The equations in 64 bits, which no kernel computes: what the others must match.
    fn reference() -> Self {
        Self {
            name: "reference",
            device: Device::flex(),
            dtype: DType::F64,
        }
    }

    fn autodiff(&self) -> Self {
        let device = self.device.clone().autodiff();
        Self {
            device,
            ..self.clone()
        }
    }

    /// The same numbers whatever the type.
    fn tensor<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), (&self.device, self.dtype))
    }
}

impl Case {
    /// Outputs, then gradients.
    fn run(&self, on: &Kernels) -> Values {
        let device = &on.autodiff();
        let (batch, time, hidden) = (self.lengths.len(), self.time, self.hidden);
        let width = self.cell.gates() * hidden;
        let rng = &mut ChaCha8Rng::seed_from_u64(self.seed);
        let words = 2 + batch * time / 2;
        let size = self.input.unwrap_or(width);
        let table: Tensor<2> = random([words, size], self.scale, rng, device);
        let ids: Vec<i32> = (0..batch * time)
            .map(|_| rng.random_range(0..words as i32))
            .collect();
        let per_token: Tensor<3> = random([batch, time, size], self.scale, rng, device);
        let layer = self.input.map(|size| InputWeights {
            weight: random([size, width], 1.5 / (size as f32).sqrt(), rng, device),
            bias: random([width], self.scale.min(0.5), rng, device),
        });
        let projections = if self.per_word {
            let tokens = Tokens::sorted(&ids, &self.lengths, words, &device.device).unwrap();
            match layer.clone() {
                Some(layer) => Projections::of_words(table.clone(), tokens, layer).unwrap(),
                None => Projections::per_word(table.clone(), tokens).unwrap(),
            }
        } else {
            match layer.clone() {
                Some(layer) => Projections::of_vectors(per_token.clone(), layer),
                None => per_token.clone().into(),
            }
        };
        // As large as a trained network's: the product stays near 1.
        let weight: Tensor<2> = random([hidden, width], 1.5 / (hidden as f32).sqrt(), rng, device);
        let bias: Tensor<1> = random([width], self.scale.min(0.5), rng, device);
        let state: Tensor<2> = random([batch, hidden], self.scale.min(0.9), rng, device);
        let cell_state: Tensor<2> = random([batch, hidden], self.scale.min(1.5), rng, device);
        let lengths = Tensor::<1, Int>::from_data(&self.lengths[..], &device.device);
        let given = self.with_state.then(|| [state.clone(), cell_state.clone()]);
        let (hidden_states, final_hidden, final_cell) = walk(
            self.cell,
            projections.clone(),
            &weight,
            &bias,
            given,
            lengths,
            self.direction,
        );

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
        let gradient = |name, tensor: Option<Vec<f64>>| (name, true, tensor.expect(name));
        values.extend([if self.per_word {
            gradient("d table", table.grad(&gradients).map(floats))
        } else {
            gradient("d vectors", per_token.grad(&gradients).map(floats))
        }]);
        if let Some(InputWeights { weight, bias }) = layer {
            values.push(gradient(
                "d input weight",
                weight.grad(&gradients).map(floats),
            ));
            values.push(gradient("d bias", bias.grad(&gradients).map(floats)));
        }
        if self.cell.has_recurrent_weight() {
            values.push(gradient(
                "d recurrent weight",
                weight.grad(&gradients).map(floats),
            ));
        }
        if self.cell.has_recurrent_bias() {
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
            if self.cell.has_cell_state() {
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
    device: &Kernels,
) -> Tensor<D> {
    let count = shape.iter().product();
    let values = (0..count)
        .map(|_| rng.random_range(-scale..=scale))
        .collect();
    device.tensor(values, shape).require_grad()
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The largest errors seen, relative to a tensor's largest value: of outputs and of gradients.
#[derive(Clone, Copy, Debug, Default)]
struct Errors {
    outputs: f64,
    gradients: f64,
}

const OUTPUT_TOLERANCE: f64 = 1e-5;
const GRADIENT_TOLERANCE: f64 = 1e-4;

/// Where all values are smaller than `floor`, errors are relative to it.
fn compare(expected: &Values, found: &Values, floor: f64) -> Result<Errors, String> {
    let mut errors = Errors::default();
    assert_eq!(expected.len(), found.len());
    for ((name, is_gradient, expected), (_, _, found)) in expected.iter().zip(found) {
        assert_eq!(expected.len(), found.len(), "{name}");
        let largest = expected
            .iter()
            .fold(0f64, |most, value| most.max(value.abs()));
        for (i, (expected, found)) in expected.iter().zip(found).enumerate() {
            let off = (expected - found).abs() / largest.max(floor).max(f64::MIN_POSITIVE);
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

/// The largest errors, or what differs.
fn check(case: &Case, on: &Kernels, floor: f64) -> Result<Errors, String> {
    compare(&case.run(&Kernels::reference()), &case.run(on), floor)
}

/// Whether `run` gives the same bits again.
fn assert_repeats(on: &Kernels, run: impl Fn(&Kernels) -> Values) {
    assert!(
        bits(&run(on)) == bits(&run(on)),
        "{}: twice the same, other results",
        on.name
    );
}

fn bits(values: &Values) -> Vec<u64> {
    let values = values.iter().flat_map(|(_, _, values)| values);
    values.map(|value| value.to_bits()).collect()
}

fn cases(cell: Cell, hidden: usize, scales: &'static [f32]) -> impl Strategy<Value = Case> {
    (1..=20usize, 1..=40usize).prop_flat_map(move |(batch, time)| {
        (
            prop::collection::vec(1..=time as i32, batch),
            any::<(bool, bool, bool, bool, u64)>(),
            prop::sample::select(&[None, Some(3), Some(40)][..]),
            prop::sample::select(scales),
        )
            .prop_map(
                move |(
                    lengths,
                    (reverse, with_state, per_word, reads_hidden_states, seed),
                    input,
                    scale,
                )| Case {
                    cell,
                    time,
                    hidden,
                    lengths,
                    direction: Direction::reversed(reverse),
                    with_state,
                    input,
                    per_word,
                    reads_hidden_states,
                    scale,
                    seed,
                },
            )
    })
}

/// Random cases at every hidden size, the same ones in every run: most with numbers as a network has them, the
/// others with such small ones that all errors are relative to them.
fn compare_random_cases(cell: Cell, on: &Kernels, hidden_sizes: &[usize]) {
    for (scales, cases_each) in [(&[2.0][..], 10), (&[1e-2, 1e-4, 1e-6, 1e-8], 4)] {
        let most = std::cell::Cell::new(Errors::default());
        for &hidden in hidden_sizes {
            let config = Config {
                cases: cases_each,
                failure_persistence: None,
                ..Config::default()
            };
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[hidden as u8; 32]);
            let strategy = cases(cell, hidden, scales);
            let result = TestRunner::new_with_rng(config, rng).run(&strategy, |case| {
                let errors = check(&case, on, 0.0).map_err(TestCaseError::fail)?;
                let so_far = most.get();
                most.set(Errors {
                    outputs: so_far.outputs.max(errors.outputs),
                    gradients: so_far.gradients.max(errors.gradients),
                });
                Ok(())
            });
            result.unwrap_or_else(|error| panic!("{cell:?}, H {hidden}: {error}"));
        }
        let Errors { outputs, gradients } = most.get();
        eprintln!(
            "{cell:?} on {}, numbers to {scales:?}: largest error {outputs:.1e} of outputs, {gradients:.1e} of gradients",
            on.name
        );
    }
}

/// Each test on each device, in a module that a filter can name.
macro_rules! on_each_device {
    ($($test:ident),* $(,)?) => {
        mod on_gpu {
            $(#[test] fn $test() { super::$test(&super::Kernels::gpu()); })*
        }
        mod on_cpu {
            $(#[test] fn $test() { super::$test(&super::Kernels::cpu()); })*
        }
    };
}

on_each_device! {
    random_cases_agree,
    the_same_call_gives_the_same_bits,
    hidden_sizes_too_large_for_a_workgroup_go_step_by_step,
    pytorchs_values_agree,
    long_sequences_agree,
    saturated_gates_stay_finite_and_agree,
    a_row_without_timesteps_passes_its_state_and_gradient_on,
    what_stands_in_the_padding_is_not_read,
    what_stands_in_the_padding_of_an_embedding_is_not_read,
    the_embeddings_gradient_is_the_sum_over_each_words_places,
    the_embeddings_gradient_of_unsorted_tokens_is_the_same,
    a_linear_layer_and_its_gradients_agree,
    adam_follows_its_equations,
    adams_moments_vanish_in_time,
}

/// What a backend without kernels runs.
mod on_ndarray {
    use super::Kernels;

    #[test]
    fn random_cases_agree() {
        for cell in super::Cell::ALL {
            super::compare_random_cases(cell, &Kernels::ndarray(), &[3, 31]);
        }
    }

    #[test]
    fn what_stands_in_the_padding_is_not_read() {
        for on in [Kernels::ndarray(), Kernels::reference()] {
            super::what_stands_in_the_padding_is_not_read(&on);
            super::what_stands_in_the_padding_of_an_embedding_is_not_read(&on);
        }
    }

    #[test]
    fn pytorchs_values_agree() {
        super::pytorchs_values_agree(&Kernels::ndarray());
    }

    #[test]
    fn adam_follows_its_equations_and_its_moments_vanish() {
        super::adam_follows_its_equations(&Kernels::ndarray());
        super::adams_moments_vanish_in_time(&Kernels::ndarray());
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
fn what_is_tested_on_gpu_are_the_kernels() {
    let ours = Arc::new(OurLaunches::default());
    let observation = LaunchObservation::new(ours.clone());
    let case = Case {
        cell: Cell::Lstm,
        time: 2,
        hidden: 8,
        lengths: vec![2, 1],
        direction: Direction::Forward,
        with_state: false,
        input: None,
        per_word: false,
        reads_hidden_states: false,
        scale: 1.0,
        seed: 9,
    };
    case.run(&Kernels::gpu());
    drop(observation);
    assert!(ours.0.load(Ordering::Relaxed), "the reference ran instead");
}

#[test]
fn a_device_says_what_it_runs() {
    assert!(fused(&gpu()) && fused(&gpu().autodiff()) && fused(&Device::flex()));
    assert!(!fused(&ndarray()));
}

#[test]
fn what_is_on_another_device_is_named() {
    let (gpu, cpu) = (gpu(), Device::flex());
    let walk = |projections: &Device, weight: &Device, lengths: &Device| {
        let projections = Tensor::<3>::zeros([1, 2, 3], projections);
        let weight = Tensor::<2>::zeros([3, 3], weight);
        let lengths = Tensor::<1, Int>::from_data([2], lengths);
        simple_rnn(projections, weight, None, lengths, Direction::Forward).map(|_| ())
    };
    assert_eq!(walk(&gpu, &gpu, &gpu), Ok(()));
    for (weight, lengths, input) in [(&cpu, &gpu, "recurrent weight"), (&gpu, &cpu, "lengths")] {
        let message = walk(&gpu, weight, lengths).unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("simple_rnn: {input} is on ")),
            "{message}"
        );
    }
}

#[test]
fn a_cell_takes_the_weights_that_it_has() {
    for cell in Cell::ALL {
        for (weight, bias) in [(false, false), (true, false), (false, true), (true, true)] {
            let width = cell.gates() * 3;
            let device = Device::flex();
            let recurrent = RecurrentWeights {
                weight: weight.then(|| Tensor::zeros([3, width], &device)),
                bias: bias.then(|| Tensor::zeros([width], &device)),
            };
            let projections = Tensor::<3>::zeros([1, 2, width], &device);
            let lengths = Tensor::<1, Int>::from_data([2], &device);
            let way = Direction::Forward;
            let walked = gatefold_kernels::walk(cell, projections, recurrent, None, lengths, way);
            let fits = weight == cell.has_recurrent_weight() && bias == cell.has_recurrent_bias();
            match walked {
                Ok(_) => assert!(fits, "{cell}"),
                Err(error) => assert!(!fits && error.to_string().contains("recurrent"), "{error}"),
            }
        }
    }
}

/// They came out wrong by most of their range.
#[test]
fn doubles_are_refused_on_gpu() {
    let options = (&gpu(), DType::F64);
    let projections = Tensor::<3>::zeros([1, 2, 3], options);
    let weight = Tensor::<2>::zeros([3, 3], options);
    let lengths = Tensor::<1, Int>::from_data([2], &gpu());
    let error = simple_rnn(projections, weight, None, lengths, Direction::Forward).unwrap_err();
    assert!(error.to_string().contains("use F32 there"), "{error}");
}

const HIDDEN: [usize; 10] = [1, 3, 8, 31, 64, 100, 128, 200, 256, 300];

fn random_cases_agree(on: &Kernels) {
    for cell in Cell::ALL {
        compare_random_cases(cell, on, &HIDDEN);
    }
}

fn each_cell(on: &Kernels, floor: f64, case: impl Fn(Cell) -> Case) {
    for cell in Cell::ALL {
        let case = case(cell);
        let errors = check(&case, on, floor).unwrap_or_else(|error| panic!("{case:?}: {error}"));
        eprintln!(
            "{cell:?} on {}, T {}, H {}: {errors:?}",
            on.name, case.time, case.hidden
        );
    }
}

/// At every hidden size, tile and direction, since each may take another way through the kernels.
fn the_same_call_gives_the_same_bits(on: &Kernels) {
    for cell in Cell::ALL {
        for (i, hidden) in HIDDEN.into_iter().chain([600]).enumerate() {
            let case = Case {
                cell,
                time: 9,
                hidden,
                lengths: (0..3 * i as i32 + 1).map(|row| 1 + row % 9).collect(),
                direction: Direction::reversed(i % 2 == 0),
                with_state: i % 3 == 0,
                input: None,
                per_word: i % 2 == 1,
                reads_hidden_states: i % 4 != 0,
                scale: 2.0,
                seed: 11,
            };
            assert_repeats(on, |on| case.run(on));
        }
    }
}

fn hidden_sizes_too_large_for_a_workgroup_go_step_by_step(on: &Kernels) {
    for (hidden, reverse) in [(600, true), (1024, false)] {
        each_cell(on, 0.0, |cell| Case {
            cell,
            time: 6,
            hidden,
            lengths: vec![6, 1, 4, 2, 6],
            direction: Direction::reversed(reverse),
            with_state: true,
            input: None,
            per_word: false,
            reads_hidden_states: true,
            scale: 2.0,
            seed: 5,
        });
    }
}

fn pytorchs_values_agree(on: &Kernels) {
    pytorch::agrees_with_pytorch(&on.device, on.dtype, 1e-5);
}

#[test]
fn the_number_of_threads_changes_nothing_on_cpu() {
    for cell in Cell::ALL {
        let case = Case {
            cell,
            time: 20,
            // Less than this one thread walks alone.
            hidden: 210,
            lengths: (0..70).map(|row| row % 21).collect(),
            direction: Direction::Reverse,
            with_state: true,
            input: Some(5),
            per_word: false,
            reads_hidden_states: true,
            scale: 2.0,
            seed: 10,
        };
        let [one, many] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().expect("threads start");
            bits(&pool.install(|| case.run(&Kernels::cpu())))
        });
        assert!(one == many, "{cell:?}");
    }
}

fn long_sequences_agree(on: &Kernels) {
    each_cell(on, 0.0, |cell| Case {
        cell,
        time: 2000,
        hidden: 8,
        lengths: vec![2000, 1400, 1],
        direction: Direction::Forward,
        with_state: true,
        input: None,
        per_word: false,
        reads_hidden_states: true,
        scale: 2.0,
        seed: 6,
    });
}

fn saturated_gates_stay_finite_and_agree(on: &Kernels) {
    for scale in [60.0, 1e4, 1e30] {
        // Few gates are left with a slope; what is left of it is mostly rounding.
        each_cell(on, 1.0, |cell| Case {
            cell,
            time: 12,
            hidden: 31,
            lengths: vec![12, 7],
            direction: Direction::Reverse,
            with_state: true,
            input: None,
            per_word: false,
            reads_hidden_states: true,
            scale,
            seed: 7,
        });
    }
}

fn a_row_without_timesteps_passes_its_state_and_gradient_on(on: &Kernels) {
    each_cell(on, 0.0, |cell| Case {
        cell,
        time: 3,
        hidden: 8,
        lengths: vec![0, 3, 0, 0, 0, 2, -1, 9],
        direction: Direction::Reverse,
        with_state: true,
        input: None,
        per_word: false,
        reads_hidden_states: true,
        scale: 2.0,
        seed: 8,
    });
}

/// Neither in the input nor in the gradient of the hidden states: whatever stands there, all results and all
/// gradients are the same bits, and the padding's own are zero.
fn what_stands_in_the_padding_is_not_read(on: &Kernels) {
    const LENGTHS: [usize; 3] = [3, 0, 5];
    const TIME: usize = 5;
    const HIDDEN: usize = 4;
    let device = &on.autodiff();
    let outputs = |cell: Cell, direction: Direction, padding: f32| -> Values {
        let rng = &mut ChaCha8Rng::seed_from_u64(1);
        let width = cell.gates() * HIDDEN;
        let weight: Tensor<2> = random([HIDDEN, width], 0.5, rng, device);
        let bias: Tensor<1> = random([width], 0.5, rng, device);
        let states = [0; 2].map(|_| random([LENGTHS.len(), HIDDEN], 0.5, rng, device));
        let [state, cell_state]: [Tensor<2>; 2] = states;
        let mut padded = |width: usize| {
            let mut values = Vec::new();
            for length in LENGTHS {
                for t in 0..TIME {
                    values.extend((0..width).map(|_| {
                        let value = rng.random_range(-1.0..1.0);
                        if t < length { value } else { padding }
                    }));
                }
            }
            device.tensor(values, [LENGTHS.len(), TIME, width])
        };
        let (input, factors) = (padded(width).require_grad(), padded(HIDDEN));
        let lengths = LENGTHS.map(|length| length as i32);
        let lengths = Tensor::<1, Int>::from_data(lengths, &device.device);
        let given = Some([state.clone(), cell_state.clone()]);
        let walked = walk(
            cell,
            input.clone(),
            &weight,
            &bias,
            given,
            lengths,
            direction,
        );
        let (hidden_states, final_hidden, final_cell) = walked;
        let last = match final_cell {
            Some(cell) => final_hidden + cell,
            None => final_hidden,
        };
        let loss = (hidden_states.clone() * factors).sum() + last.clone().powi_scalar(2).sum();
        let gradients = loss.backward();
        let of_input = floats(input.grad(&gradients).expect("the input's gradient"));
        for (i, gradient) in of_input.iter().enumerate() {
            let (row, t) = (i / width / TIME, i / width % TIME);
            assert!(
                t < LENGTHS[row] || *gradient == 0.0,
                "{}: {cell:?}",
                on.name
            );
        }
        let mut values = vec![
            ("hidden states", false, floats(hidden_states)),
            ("final state", false, floats(last)),
            ("d input", true, of_input),
        ];
        let weights = cell.has_recurrent_weight();
        let others = [
            ("d weight", weights, weight.grad(&gradients).map(floats)),
            (
                "d bias",
                cell.has_recurrent_bias(),
                bias.grad(&gradients).map(floats),
            ),
            ("d initial hidden", true, state.grad(&gradients).map(floats)),
            (
                "d initial cell",
                cell.has_cell_state(),
                cell_state.grad(&gradients).map(floats),
            ),
        ];
        let others = others
            .into_iter()
            .filter(|(_, there, _)| *there)
            .map(|(name, _, values)| (name, true, values.expect(name)));
        values.extend(others);
        values
    };
    for cell in Cell::ALL {
        for direction in [Direction::Forward, Direction::Reverse] {
            let expected = outputs(cell, direction, 0.0);
            for padding in [f32::NAN, f32::INFINITY] {
                let found = outputs(cell, direction, padding);
                assert_eq!(expected.len(), found.len());
                for ((name, _, expected), (_, _, found)) in expected.iter().zip(found) {
                    let what = format!("{}: {cell:?}, {direction:?}, {name}", on.name);
                    assert!(
                        expected.iter().any(|value| *value != 0.0),
                        "{what}: all zero"
                    );
                    assert_eq!(*expected, found, "{what}, padded with {padding}");
                }
            }
        }
    }
}

/// Neither a word that stands in the padding alone, nor the gradient there.
fn what_stands_in_the_padding_of_an_embedding_is_not_read(on: &Kernels) {
    let device = &on.autodiff();
    let gradient = |in_padding: f32, sorted: bool| {
        // Word 3 stands in the padding alone.
        let (ids, lengths) = ([[0, 1, 3], [2, 3, 3]], [2, 1]);
        let weight: Vec<f32> = [0.5, -1.0, 2.0, in_padding].to_vec();
        let weight = device.tensor(weight, [4, 1]).require_grad();
        let factors = [2.0, 3.0, in_padding, 5.0, in_padding, in_padding];
        let factors = device.tensor(factors.to_vec(), [2, 3, 1]);
        let tokens = if sorted {
            Tokens::sorted(ids.as_flattened(), &lengths, 4, &device.device).unwrap()
        } else {
            let ids = Tensor::from_data(ids, &device.device);
            Tokens::unsorted(ids, Tensor::from_data(lengths, &device.device), 4).unwrap()
        };
        let loss = (embedding(weight.clone(), tokens).unwrap() * factors).sum();
        floats(
            weight
                .grad(&loss.backward())
                .expect("the weight's gradient"),
        )
    };
    for padding in [0.0, f32::NAN, f32::INFINITY] {
        for sorted in [true, false] {
            let found = gradient(padding, sorted);
            assert_eq!(found, [2.0, 3.0, 5.0, 0.0], "{}, {padding}", on.name);
        }
    }
}

fn the_embeddings_gradient_is_the_sum_over_each_words_places(on: &Kernels) {
    for (words, columns, [batch, time]) in [(7, 1, [2, 3]), (50, 16, [9, 40]), (300, 100, [3, 17])]
    {
        agree(on, |on| {
            let device = &on.autodiff();
            let rng = &mut ChaCha8Rng::seed_from_u64(2);
            let weight: Tensor<2> = random([words, columns], 1.0, rng, device);
            let ids: Vec<i32> = (0..batch * time)
                .map(|_| rng.random_range(0..words as i32 / 2))
                .collect();
            let lengths: Vec<i32> = (0..batch).map(|row| (time - row % 2) as i32).collect();
            let tokens = Tokens::sorted(&ids, &lengths, words, &device.device).unwrap();
            let output = embedding(weight.clone(), tokens).unwrap();
            // The padding has no gradient.
            let counts = (0..batch * time).map(|i| ((i % time) as i32) < lengths[i / time]);
            let counts: Vec<f32> = counts.map(|counts| f32::from(u8::from(counts))).collect();
            let counts = device.tensor(counts, [batch, time, 1]);
            let factors = random(output.dims(), 1.0, rng, device).detach() * counts;
            let gradients = (output.clone() * factors).sum().backward();
            let gradient = weight.grad(&gradients).expect("the weight's gradient");
            vec![
                ("output", false, floats(output)),
                ("d weight", true, floats(gradient)),
            ]
        });
    }
}

/// What `run` computes is the same as in 64 bits, and the same again, bit for bit.
fn agree(on: &Kernels, run: impl Fn(&Kernels) -> Values) {
    let expected = run(&Kernels::reference());
    compare(&expected, &run(on), 0.0).unwrap_or_else(|error| panic!("{}: {error}", on.name));
    assert_repeats(on, run);
}

fn a_linear_layer_and_its_gradients_agree(on: &Kernels) {
    for [rows, size, columns] in [[1, 1, 1], [300, 16, 100], [1280, 3, 64]] {
        agree(on, |on| {
            let device = &on.autodiff();
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

fn the_embeddings_gradient_of_unsorted_tokens_is_the_same(on: &Kernels) {
    let device = &on.autodiff();
    let (ids, lengths) = ([[3, 1, 3], [0, 3, 2]], [3, 2]);
    let gradient = |tokens: Tokens| {
        let rng = &mut ChaCha8Rng::seed_from_u64(4);
        let weight: Tensor<2> = random([5, 8], 1.0, rng, device);
        let output = embedding(weight.clone(), tokens).unwrap();
        let gradients = output.powi_scalar(2).sum().backward();
        let gradient = floats(weight.grad(&gradients).unwrap());
        vec![("d weight", true, gradient)]
    };
    let sorted = Tokens::sorted(ids.as_flattened(), &lengths, 5, &device.device).unwrap();
    let unsorted = Tokens::unsorted(
        Tensor::from_data(ids, &device.device),
        Tensor::from_data(lengths, &device.device),
        5,
    )
    .unwrap();
    let expected = gradient(sorted);
    assert!(expected[0].2.iter().any(|value| *value != 0.0));
    compare(&expected, &gradient(unsorted), 0.0)
        .unwrap_or_else(|error| panic!("{}: {error}", on.name));
}

const ADAM: AdamStep = AdamStep {
    learning_rate: 0.01,
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-7,
    weight_decay: 0.1,
    number: 1,
};

/// In 64 bits, with gradients from such that decide a step to such that ε outweighs.
fn adam_follows_its_equations(on: &Kernels) {
    const COUNT: usize = 70_000;
    let rng = &mut ChaCha8Rng::seed_from_u64(5);
    let mut values: Vec<f64> = (0..COUNT).map(|_| rng.random_range(-1.0..1.0)).collect();
    let (mut first, mut second) = (vec![0.0f64; COUNT], vec![0.0f64; COUNT]);
    let tensor = |values: &[f64]| {
        let values = values.iter().map(|value| *value as f32).collect();
        on.tensor(values, [COUNT])
    };
    let mut parameter = tensor(&values);
    let mut moments = Moments {
        first: tensor(&first),
        second: tensor(&second),
    };
    for number in 1..=3 {
        let scale = |i: usize| 10f64.powi(-1 - (i % 10) as i32);
        let gradient: Vec<f64> = (0..COUNT)
            .map(|i| rng.random_range(-1.0..1.0) * scale(i))
            .collect();
        let step = AdamStep { number, ..ADAM };
        (parameter, moments) = stepped(parameter, moments, tensor(&gradient), step);
        let t = number as i32;
        for i in 0..COUNT {
            first[i] = 0.9 * first[i] + 0.1 * gradient[i];
            second[i] = 0.999 * second[i] + 0.001 * gradient[i].powi(2);
            let mean = first[i] / (1.0 - 0.9f64.powi(t));
            let root = (second[i] / (1.0 - 0.999f64.powi(t))).sqrt();
            values[i] -= 0.01 * (0.1 * values[i] + mean / (root + 1e-7));
        }
    }
    let found = [parameter, moments.first, moments.second].map(floats);
    for (i, expected) in values.iter().enumerate() {
        let off = (expected - found[0][i]).abs();
        assert!(off < 1e-6, "{}: {expected} {}", on.name, found[0][i]);
        let gradient = 10f64.powi(-1 - (i % 10) as i32);
        for (name, expected, found, largest) in [
            ("m", first[i], found[1][i], gradient),
            ("v", second[i], found[2][i], gradient * gradient),
        ] {
            let off = (expected - found).abs() / largest;
            assert!(off < 1e-6, "{}: {name}[{i}] {expected} {found}", on.name);
        }
    }
}

/// A parameter, and its moments, after a step.
fn stepped(
    value: Tensor<1>,
    moments: Moments,
    gradient: Tensor<1>,
    step: AdamStep,
) -> (Tensor<1>, Moments) {
    let parameter = AdamParameter {
        value,
        moments,
        gradient,
    };
    adam(vec![parameter], step).remove(0)
}

/// Numbers below the normal range make a processor a hundred times slower, and would stay for ever.
fn adams_moments_vanish_in_time(on: &Kernels) {
    let values: Vec<f32> = (0..40).map(|i| 10f32.powi(-i)).collect();
    let tensor = |values: &[f32]| on.tensor(values.to_vec(), [values.len()]);
    let mut parameter = tensor(&vec![1.0; values.len()]);
    let mut moments = Moments {
        first: tensor(&values),
        second: tensor(&values),
    };
    for number in 1..=2000 {
        let step = AdamStep {
            number,
            // So that squares vanish in as many steps.
            beta_2: 0.9,
            ..ADAM
        };
        let gradient = tensor(&vec![0.0; values.len()]);
        (parameter, moments) = stepped(parameter, moments, gradient, step);
        if number % 50 == 0 {
            for moment in [&moments.first, &moments.second] {
                let moment: Vec<f32> = moment.to_data().try_to_vec().expect("32-bit floats");
                assert!(
                    moment.iter().all(|value| !value.is_subnormal()),
                    "{}, step {number}: {moment:?}",
                    on.name
                );
            }
        }
    }
    for moment in [moments.first, moments.second] {
        assert_eq!(floats(moment), vec![0.0; values.len()], "{}", on.name);
    }
    assert!(floats(parameter).iter().all(|value| value.is_finite()));
}
