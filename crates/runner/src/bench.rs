//! How fast the lesson's network runs on a device, with our recurrent layer and with Burn's own.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`launches`] | kernel launches, counted |
//! | [`work`] | the least that a recurrent layer has to compute and move |
//! | [`peaks`] | what an adapter can compute and move at most, measured |
//! | [`probes`] | what docs/kernels.md assumes of a GPU, measured |

mod burn_network;
pub mod launches;
pub mod peaks;
pub mod probes;
mod timing;
pub mod work;

use std::fmt;

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor};
use clap::ValueEnum;
use gatefold_data::{Batch, BatchInput, BatchTargets};
use gatefold_model::Cell;
use gatefold_training::{Answers, RunConfig, Trainer};
use itertools::Itertools;
use serde::Serialize;

use self::burn_network::BurnClassifier;
use self::timing::Timing;
use crate::device::ComputeDevice;
use crate::memory::{ensure_fits, training_step};

/// Whose recurrent layer, embedding and dense layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Implementation {
    /// Gatefold's network
    Gatefold,
    /// The same network of the layers in `burn::nn`
    Burn,
}

/// What a step computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pass {
    /// The logits, as outside training.
    Forward,
    /// The logits, the loss, the gradients and an update by Adam.
    Train,
}

/// The sizes of the lesson's network and of its batches; those not named here are the lesson's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Workload {
    /// The kind of recurrent layer.
    pub cell: Cell,
    /// Sequences a step.
    pub batch: usize,
    /// Tokens a sequence, at most.
    pub time: usize,
    /// Size of the recurrent layer's input.
    pub input: usize,
    /// Its hidden size.
    pub hidden: usize,
    /// Whether the sequences' lengths lie between a quarter of `time` and all of it. Else all are full, as
    /// Burn's layers take them, which know no mask.
    pub ragged: bool,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cell,
            batch,
            time,
            input,
            hidden,
            ragged,
        } = self;
        let cell = format!("{cell:?}").to_lowercase();
        write!(
            f,
            "{cell}, batch {batch}, time {time}, input {input}, hidden {hidden}{}",
            if *ragged { ", ragged" } else { "" }
        )
    }
}

impl Workload {
    /// The run that this is a step of.
    ///
    /// # Errors
    /// If no run can have these sizes.
    pub fn config(&self) -> Result<RunConfig> {
        let mut config = RunConfig::default();
        config.model.cell = self.cell;
        config.model.embedding_size = self.input;
        config.model.hidden_size = self.hidden;
        config.training.batch_size = self.batch;
        config.input.max_length = self.time;
        config
            .validate()
            .with_context(|| format!("{self} can't be measured"))?;
        Ok(config)
    }

    /// How many tokens of each sequence count.
    fn lengths(&self) -> Vec<usize> {
        let spread = (3 * self.time / 4).max(1);
        let shorter = |row: usize| if self.ragged { row * 37 % spread } else { 0 };
        (0..self.batch)
            .map(|row| self.time - shorter(row))
            .collect()
    }

    /// Tokens a step, without padding.
    pub fn tokens(&self) -> usize {
        self.lengths().iter().sum()
    }

    /// Words from all over the vocabulary; the peers' benchmarks make the same ones.
    fn batch(&self, vocabulary: usize) -> Batch {
        let lengths = self.lengths();
        let id = |row: usize, t: usize| {
            let i = row * self.time + t;
            let word = 1 + i.wrapping_mul(7919) % (vocabulary - 1);
            if t < lengths[row] { word as i32 } else { 0 }
        };
        Batch {
            input: BatchInput::Tokens(
                (0..self.batch)
                    .flat_map(|row| (0..self.time).map(move |t| (row, t)))
                    .map(|(row, t)| id(row, t))
                    .collect(),
            ),
            lengths: lengths.iter().map(|&length| length as i32).collect(),
            targets: Some(BatchTargets::Classes(
                (0..self.batch).map(|i| (i % 2) as i32).collect(),
            )),
            size: self.batch,
            time: self.time,
            indices: (0..self.batch).collect(),
        }
    }
}

/// One measurement of a network on a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// `cpu` or `gpu`; `software` for a graphics API without a GPU.
    pub device: String,
    /// The adapter's name.
    pub adapter: String,
    /// The graphics API; none on the CPU.
    pub api: Option<String>,
    /// The sizes.
    #[serde(flatten)]
    pub workload: Workload,
    /// Whose layers.
    pub implementation: Implementation,
    /// What a step computed.
    pub pass: Pass,
    /// The median of the steps measured, in milliseconds.
    pub median_ms: f64,
    /// The shortest of the steps measured.
    pub min_ms: f64,
    /// The longest of the steps measured.
    pub max_ms: f64,
    /// Kernel launches in one step; none on the CPU.
    pub dispatches: Option<usize>,
    /// At the median.
    pub tokens_per_second: f64,
}

/// One step of a network; returns its answers, still on the device.
type Step<'a> = Box<dyn FnMut() -> Result<Tensor<2>> + 'a>;

/// Measures `steps` forward passes and as many training steps on a device. The implementations take
/// turns, step by step, so that what slows a machine down for a while slows them all.
///
/// # Errors
/// If no run can have these sizes, or the device fails.
pub fn measure(
    workload: &Workload,
    implementations: &[Implementation],
    (selected, device): (&ComputeDevice, &Device),
    steps: usize,
) -> Result<Vec<Record>> {
    let config = workload.config()?;
    let bytes = training_step(&config.model, workload.batch, workload.time);
    ensure_fits("a training step", bytes, selected)?;
    let batch = workload.batch(config.model.vocabulary_size);
    let mut records = Vec::new();
    for pass in [Pass::Forward, Pass::Train] {
        let (mut measured, mut networks) = (Vec::new(), Vec::<Step>::new());
        for &implementation in implementations {
            networks.push(match implementation {
                Implementation::Gatefold => {
                    let network = config.model.init(config.training.seed, device)?;
                    step(network, &config, pass, &batch, device)
                }
                Implementation::Burn => match BurnClassifier::new(&config.model, device) {
                    Some(network) => step(network, &config, pass, &batch, device),
                    None => continue,
                },
            });
            measured.push(implementation);
        }
        ensure!(
            !networks.is_empty(),
            "Burn has no {} layer to measure",
            workload.cell.title()
        );
        let timings = timing::in_turns(networks, device, steps)?;
        for (implementation, timing) in measured.into_iter().zip_eq(timings) {
            let record = record(workload, (implementation, pass), selected, timing);
            records.push(record);
        }
    }
    Ok(records)
}

fn step<'a, N: Answers + 'a>(
    network: N,
    config: &RunConfig,
    pass: Pass,
    batch: &'a Batch,
    device: &'a Device,
) -> Step<'a> {
    match pass {
        Pass::Forward => Box::new(move || Ok(network.answers(batch, device)?)),
        Pass::Train => {
            let rate = config.training.learning_rate;
            let mut trainer = Trainer::new(network, config.objective(), &config.training, device);
            Box::new(move || Ok(trainer.step(batch, rate)?))
        }
    }
}

fn record(
    workload: &Workload,
    (implementation, pass): (Implementation, Pass),
    selected: &ComputeDevice,
    timing: Timing,
) -> Record {
    let (device, adapter, api) = selected.describe();
    let median_ms = timing.median_ms();
    Record {
        device,
        adapter,
        api,
        workload: workload.clone(),
        implementation,
        pass,
        median_ms,
        min_ms: timing.milliseconds[0],
        max_ms: timing.milliseconds[timing.milliseconds.len() - 1],
        dispatches: (*selected != ComputeDevice::Cpu).then_some(timing.launches),
        tokens_per_second: workload.tokens() as f64 / (median_ms / 1e3),
    }
}
