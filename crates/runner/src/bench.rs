//! How fast a network runs on a device.

use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::Device;
use gatefold_data::Batch;
use gatefold_model::Cell;
use itertools::Itertools;
use serde::Serialize;

use crate::config::RunConfig;
use crate::device::Selected;
use crate::evaluation::to_device;
use crate::training::Trainer;

/// One measurement of a network on a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// `cpu` or `gpu`; `software` for a graphics API without a GPU.
    pub device: String,
    /// The adapter's name.
    pub adapter: String,
    /// The graphics API; none on the CPU.
    pub api: Option<String>,
    /// The kind of recurrent layer.
    pub cell: Cell,
    /// Whose layer.
    pub implementation: &'static str,
    /// `forward`, or `train` for a whole step with backward pass and optimizer.
    pub pass: &'static str,
    /// Reviews a step.
    pub batch: usize,
    /// Tokens a review.
    pub time: usize,
    /// Size of the recurrent layer's input.
    pub input: usize,
    /// Its hidden size.
    pub hidden: usize,
    /// Of the steps measured.
    pub median_ms: f64,
    /// Of the steps measured.
    pub min_ms: f64,
    /// Of the steps measured.
    pub max_ms: f64,
    /// At the median.
    pub tokens_per_second: f64,
}

/// Measures `config`'s network on a device: `steps` forward passes and as many training steps, after
/// one of each to warm up, on full batches of `max_length` tokens.
///
/// # Errors
/// If the device fails.
pub fn measure(
    config: &RunConfig,
    (selected, device): (&Selected, &Device),
    steps: usize,
) -> Result<[Record; 2]> {
    let batch = full_batch(config);
    let mut trainer = Trainer::new(config, device)?;
    let network = trainer.network();
    let forward = time(device, steps, || {
        let (ids, lengths) = to_device(&batch, device);
        network.forward(ids, lengths);
    })?;
    let train = time(device, steps, || {
        trainer.step(&batch).expect("the batch's words are known");
    })?;
    Ok([
        record(config, selected, "forward", forward),
        record(config, selected, "train", train),
    ])
}

/// Reviews of `max_length` words each, all over the vocabulary.
fn full_batch(config: &RunConfig) -> Batch {
    let (size, time) = (config.training.batch_size, config.training.max_length);
    let words = config.model.vocabulary_size;
    Batch {
        ids: (0..size * time)
            .map(|i| (i.wrapping_mul(7919) % words) as i32)
            .collect(),
        lengths: vec![time as i32; size],
        labels: (0..size).map(|i| (i % 2) as f32).collect(),
        size,
        time,
        indices: (0..size).collect(),
    }
}

/// Milliseconds of `steps` runs after one to warm up, sorted.
fn time(device: &Device, steps: usize, mut run: impl FnMut()) -> Result<Vec<f64>> {
    let mut once = || -> Result<f64> {
        let start = Instant::now();
        run();
        device
            .sync()
            .context("the device failed while it computed")?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    once()?;
    let times: Vec<f64> = (0..steps).map(|_| once()).try_collect()?;
    Ok(times.into_iter().sorted_by(f64::total_cmp).collect())
}

fn record(config: &RunConfig, selected: &Selected, pass: &'static str, times: Vec<f64>) -> Record {
    let middle = times.len() / 2;
    let median_ms = if times.len() % 2 == 1 {
        times[middle]
    } else {
        (times[middle - 1] + times[middle]) / 2.0
    };
    let (batch, time) = (config.training.batch_size, config.training.max_length);
    let (device, adapter, api) = selected.describe();
    Record {
        device,
        adapter,
        api,
        cell: config.model.cell,
        implementation: "gatefold",
        pass,
        batch,
        time,
        input: config.model.embedding_size,
        hidden: config.model.hidden_size,
        median_ms,
        min_ms: times[0],
        max_ms: times[times.len() - 1],
        tokens_per_second: (batch * time) as f64 / (median_ms / 1e3),
    }
}
