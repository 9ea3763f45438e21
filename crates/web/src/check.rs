//! What a device makes of a network's first steps: whether a GPU computes what the CPU does, as browsers refuse a kernel
//! without an error to its caller; and how long it takes.

use gatefold_data::{Batch, EncodedDataset};
use gatefold_training::burn::tensor::Device;
use gatefold_training::{Answers, ConfigError, RunConfig, Trainer, TrainingError};
use js_sys::Error;
use wasm_bindgen::prelude::*;
use web_time::Instant;

use crate::device::Processor;
use crate::{Result, error};

/// Steps that are compared: the first compiles the kernels.
const STEPS: usize = 3;

/// How far answers may be apart: other orders of sums make up for less than a hundredth of it.
const APART: f32 = 1e-2;

/// Milliseconds of a training step.
#[wasm_bindgen]
pub struct Check {
    /// On the GPU, its kernels being compiled.
    pub gpu_milliseconds: f64,
    /// On the CPU.
    pub cpu_milliseconds: f64,
}

/// Trains a network for some steps on both and compares its answers.
pub(crate) async fn check(
    config: &RunConfig,
    data: &EncodedDataset,
    gpu: &Processor,
) -> Result<Check> {
    let batch = first_batch(config, data);
    let expected = first_steps(config, &batch, &Device::flex(), STEPS, 0).await?;
    let found = first_steps(config, &batch, gpu.device(), STEPS, 0).await;
    gpu.check()?;
    let found = found?;
    // What is no number is near to nothing.
    let near = |(one, other): (&f32, &f32)| (one - other).abs() <= APART * (1.0 + one.abs());
    let mut pairs = expected.answers.iter().zip(&found.answers);
    if found.answers.len() != expected.answers.len() || !pairs.all(near) {
        return Err(Error::new(
            "this GPU does not compute what the CPU does in this browser, so that it is not used",
        ));
    }
    let fastest = |first: &First| {
        first.milliseconds[1..]
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min)
    };
    Ok(Check {
        gpu_milliseconds: fastest(&found),
        cpu_milliseconds: fastest(&expected),
    })
}

/// The milliseconds of so many training steps with a full batch, and of as many passes forward.
pub(crate) async fn time(
    config: &RunConfig,
    data: &EncodedDataset,
    on: &Processor,
    steps: usize,
) -> Result<Vec<f64>> {
    let batch = first_batch(config, data);
    let first = first_steps(config, &batch, on.device(), steps, steps).await;
    on.check()?;
    Ok(first?.milliseconds)
}

fn first_batch(config: &RunConfig, data: &EncodedDataset) -> Batch {
    let batching = config.batching();
    let count = data.train.len().min(batching.batch_size);
    batching.batch(&data.train, &(0..count).collect::<Vec<_>>())
}

/// What the network answered in each step, and how long each took.
#[derive(Default)]
struct First {
    answers: Vec<f32>,
    milliseconds: Vec<f64>,
}

async fn first_steps(
    config: &RunConfig,
    batch: &Batch,
    device: &Device,
    steps: usize,
    forward: usize,
) -> Result<First> {
    let network = config.model.init(config.training.seed, device);
    let network = network.map_err(ConfigError::from).map_err(error)?;
    let mut training = config.training.clone();
    // A rule is settled by all data, which are not here.
    training.class_weights = None;
    let rate = training.learning_rate;
    let mut trainer = Trainer::new(network, config.objective(), &training, device);
    let mut first = First::default();
    for step in 0..steps + forward {
        let start = Instant::now();
        let answers = match step < steps {
            true => trainer.step(batch, rate),
            false => trainer
                .network()
                .answers(batch, device)
                .map_err(TrainingError::from),
        };
        let answers = answers.map_err(error)?.into_data_async().await;
        let answers = answers.map_err(|failed| error(TrainingError::Device(failed.to_string())))?;
        first.milliseconds.push(1e3 * start.elapsed().as_secs_f64());
        first.answers.extend(answers.iter::<f32>());
    }
    Ok(first)
}
