//! The same network, weights and batch on Burn's NdArray, Flex and WGPU backends: the same logits and
//! the same gradient for every weight. NdArray is the slow and simple one that the others must match.

#[path = "devices/gpu.rs"]
mod gpu;
#[path = "devices/ndarray.rs"]
mod ndarray;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use gatefold_data::BatchTargets;
use gatefold_model::{Cell, NetworkConfig, Reading, Tokens};
use gatefold_training::Objective;
use gpu::gpu;
use ndarray::ndarray;

/// The values and the gradient of every weight, in the order of the layers.
struct Weights<'a> {
    gradients: &'a Gradients,
    found: Vec<(String, Vec<f32>)>,
    path: Vec<String>,
}

impl ModuleVisitor for Weights<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let gradient = param
            .val()
            .grad(self.gradients)
            .unwrap_or_else(|| panic!("{name} has no gradient"));
        let values = gradient.into_data().try_to_vec().expect("floats");
        self.found.push((name, values));
    }
}

/// Logits, then the gradients by name.
fn run(config: &NetworkConfig, lengths: &[i32], device: Device) -> Vec<(String, Vec<f32>)> {
    const TIME: usize = 9;
    let device = device.autodiff();
    let batch = lengths.len();
    let network = config.init(3, &device).unwrap();
    let ids: Vec<i32> = (0..batch * TIME)
        .map(|i| (i * 37 % config.vocabulary_size) as i32)
        .collect();
    let tokens = Tokens::sorted(&ids, lengths, config.vocabulary_size, &device).unwrap();
    let classes = config.output_size.max(2);
    let targets = BatchTargets::Classes((0..batch).map(|i| (i % classes) as i32).collect());
    let objective = match config.output_size {
        1 => Objective::Binary,
        _ => Objective::Classes,
    };
    let logits = network.forward(tokens).unwrap();
    let gradients = objective
        .loss(logits.clone(), &targets, Default::default())
        .backward();
    let mut weights = Weights {
        gradients: &gradients,
        found: vec![(
            "logits".into(),
            logits.into_data().try_to_vec().expect("floats"),
        )],
        path: Vec::new(),
    };
    network.visit(&mut weights);
    weights.found
}

/// Every value within `tolerance` of the reference, relative to the tensor's largest.
fn assert_close(expected: &[(String, Vec<f32>)], found: &[(String, Vec<f32>)], backend: &str) {
    const TOLERANCE: f32 = 1e-4;
    assert_eq!(expected.len(), found.len());
    for ((name, expected), (_, found)) in expected.iter().zip(found) {
        assert_eq!(expected.len(), found.len(), "{backend}, {name}");
        let largest = expected
            .iter()
            .fold(0f32, |most, value| most.max(value.abs()));
        assert!(
            largest > 0.0,
            "{name}: all zero, which would hide a difference"
        );
        for (i, (expected, found)) in expected.iter().zip(found).enumerate() {
            let off = (expected - found).abs() / largest;
            assert!(
                off <= TOLERANCE,
                "{backend}, {name}[{i}]: {found}, expected {expected}"
            );
        }
    }
}

fn compare(config: NetworkConfig) {
    for lengths in [[9, 9, 9, 9, 9], [9, 1, 4, 8, 2]] {
        let expected = run(&config, &lengths, ndarray());
        assert_close(&expected, &run(&config, &lengths, Device::flex()), "flex");
        let on_gpu = run(&config, &lengths, gpu());
        assert_close(&expected, &on_gpu, "wgpu");
        assert!(
            on_gpu == run(&config, &lengths, gpu()),
            "wgpu: twice the same, other results"
        );
    }
}

fn config(cell: Cell) -> NetworkConfig {
    NetworkConfig {
        cell,
        vocabulary_size: 29,
        embedding_size: 6,
        hidden_size: 13,
        dense_size: 7,
        ..Default::default()
    }
}

#[test]
fn every_cell_agrees_on_all_backends() {
    for cell in Cell::ALL {
        compare(config(cell));
    }
}

#[test]
fn stacked_layers_in_both_directions_agree_on_all_backends() {
    for cell in Cell::ALL {
        compare(NetworkConfig {
            // More words than tokens: tokens are projected one by one.
            vocabulary_size: 61,
            layers: 2,
            bidirectional: true,
            ..config(cell)
        });
    }
}

#[test]
fn every_reading_with_many_classes_agrees_on_all_backends() {
    for reading in [Reading::Max, Reading::Mean, Reading::Concat] {
        compare(NetworkConfig {
            reading,
            output_size: 3,
            ..config(Cell::Gru)
        });
    }
}
