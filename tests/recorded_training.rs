//! Ten steps of Adam on the lesson's network, as PyTorch took them in 64 bits: the losses and the weights.

#[path = "devices/gpu.rs"]
mod gpu;

use std::collections::BTreeMap;

use burn::tensor::Device;
use gatefold_data::{Batch, BatchInput, BatchTargets};
use gatefold_model::{Cell, NetworkConfig, Weights};
use gatefold_training::config::TrainingConfig;
use gatefold_training::{Objective, Trainer};
use gpu::gpu;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Deserialize;

#[derive(Deserialize)]
struct Recording {
    trainings: Vec<Training>,
}

#[derive(Deserialize)]
struct Training {
    cell: Cell,
    vocabulary_size: usize,
    embedding_size: usize,
    hidden_size: usize,
    dense_size: usize,
    time: usize,
    learning_rate: f64,
    first: Values,
    steps: Vec<Step>,
    r#final: Values,
}

/// Weights by their names.
type Values = BTreeMap<String, Tensor>;

#[derive(Deserialize)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// A batch, and its loss before the step.
#[derive(Deserialize)]
struct Step {
    ids: Vec<i32>,
    lengths: Vec<i32>,
    classes: Vec<i32>,
    loss: f64,
}

fn weights(of: &Values) -> Weights {
    let bytes: Vec<_> = of
        .iter()
        .map(|(name, tensor)| {
            let values = tensor.values.iter();
            let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
            (name, &tensor.shape, bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
        (name.as_str(), view.unwrap())
    });
    Weights::from_views(views).unwrap()
}

impl Training {
    /// The largest errors of a loss and of a weight.
    fn errors(&self, device: &Device) -> (f64, f64) {
        let network = NetworkConfig {
            cell: self.cell,
            vocabulary_size: self.vocabulary_size,
            embedding_size: self.embedding_size,
            hidden_size: self.hidden_size,
            dense_size: self.dense_size,
            ..NetworkConfig::default()
        };
        let network = network.blank(device).unwrap();
        let network = network.with_weights(&weights(&self.first)).unwrap();
        let objective = Objective::Binary;
        let mut trainer = Trainer::new(network, objective, &TrainingConfig::default(), device);
        let mut of_losses = 0f64;
        for step in &self.steps {
            let batch = Batch {
                input: BatchInput::Tokens(step.ids.clone()),
                lengths: step.lengths.clone(),
                targets: Some(BatchTargets::Classes(step.classes.clone())),
                size: step.lengths.len(),
                time: self.time,
                indices: (0..step.lengths.len()).collect(),
            };
            let answers = trainer.step(&batch, self.learning_rate).unwrap();
            let loss = objective.loss(answers, batch.targets.as_ref().unwrap(), Default::default());
            of_losses = of_losses.max((loss.into_scalar::<f64>() - step.loss).abs());
        }
        let found = trainer.network().weights().unwrap();
        let mut of_weights = 0f64;
        for (name, _, bytes) in found.iter() {
            let (found, _) = bytes.as_chunks::<4>();
            for (found, expected) in found.iter().zip(&self.r#final[name].values) {
                let error = (f32::from_le_bytes(*found) - expected).abs();
                assert!(error.is_finite(), "{name}");
                of_weights = of_weights.max(error.into());
            }
        }
        (of_losses, of_weights)
    }
}

fn pytorchs_steps_are_taken(device: &Device) {
    let recording = include_str!("../crates/kernels/tests/pytorch/training.json");
    let recording: Recording = serde_json::from_str(recording).unwrap();
    for training in recording.trainings {
        let (of_losses, of_weights) = training.errors(device);
        let what = format!(
            "{:?} on {device:?}: losses are up to {of_losses:.1e} off, weights {of_weights:.1e}",
            training.cell
        );
        eprintln!("{what}");
        // Adam makes as long a step of a gradient that is little more than what was rounded away.
        assert!(of_losses < 1e-6 && of_weights < 2e-5, "{what}");
    }
}

#[test]
fn on_cpu_pytorchs_steps_are_taken() {
    pytorchs_steps_are_taken(&Device::flex());
}

#[test]
fn on_gpu_pytorchs_steps_are_taken() {
    pytorchs_steps_are_taken(&gpu());
}
