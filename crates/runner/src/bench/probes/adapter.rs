//! Launches on an adapter, timed by its own clock where it has one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::ir::attributes::BufferIOAttr;
use burn_cubecl::cubecl::prelude::{CubeCount, CubeDim};
use burn_cubecl::cubecl::server::{Handle, KernelArguments, MetadataBindingInfo};
use burn_cubecl::template::SourceKernel;

use super::kernel::{Kernel, NUMBERS, TILES};
use crate::bench::timing::median;

/// Samples of which the median counts.
const SAMPLES: usize = 5;
/// Seconds that a sample takes at least,
const SAMPLE: f64 = 1e-3;
/// and in empty launches, so that those don't count.
const SAMPLE_IN_LAUNCHES: f64 = 20.0;
/// Rounds that no sample exceeds, whatever a clock says.
const MOST_ROUNDS: f64 = (1 << 24) as f64;
/// A GPU that was idle takes about this long to come to its full clock rate.
const WARM_UP: Duration = Duration::from_millis(400);

/// A kernel, its workgroups, and rounds of a launch.
pub type Launch = (Kernel, usize, u32);

/// An adapter with the probes' buffers.
pub struct Adapter {
    client: Client,
    input: Handle,
    output: Handle,
    /// Seconds of an empty launch.
    launch: f64,
}

impl Adapter {
    /// Fills the buffers, compiles all kernels and warms the adapter up.
    pub fn prepare(client: Client) -> Result<Self> {
        let bytes: Vec<u8> = numbers().flat_map(f32::to_ne_bytes).collect();
        let mut adapter = Self {
            input: client.create_from_slice(&bytes),
            output: client.empty(bytes.len()),
            client,
            launch: 0.0,
        };
        for kernel in Kernel::ALL {
            adapter.run((kernel, 1, 1));
            // A kernel that can't be compiled or launched shows when its output is read.
            adapter
                .output(1)
                .with_context(|| format!("{kernel:?} can't be probed"))?;
        }
        let product = Kernel::Product { terms: 8 };
        let rounds = adapter.rounds(product, TILES, SAMPLE)?;
        let start = Instant::now();
        while start.elapsed() < WARM_UP {
            adapter.seconds((product, TILES, rounds))?;
        }
        let empty = || Ok(vec![adapter.seconds((Kernel::Empty, 1, 1))?]);
        adapter.launch = medians(empty)?[0];
        Ok(adapter)
    }

    /// Rounds with which a launch takes `seconds` or somewhat more, and many times as long as an empty one.
    pub fn rounds(&self, kernel: Kernel, workgroups: usize, seconds: f64) -> Result<u32> {
        let seconds = seconds.max(SAMPLE_IN_LAUNCHES * self.launch);
        let mut rounds = 1.0;
        loop {
            let taken = self.seconds((kernel, workgroups, rounds as u32))?;
            if taken >= seconds || rounds >= MOST_ROUNDS {
                return Ok(rounds as u32);
            }
            // The first launches may be slow for other reasons than their work.
            rounds = (rounds * (1.2 * seconds / taken).clamp(1.5, 16.0)).ceil();
        }
    }

    /// Seconds a round of each kernel with its workgroups, which take turns.
    pub fn seconds_a_round<const N: usize>(&self, work: [(Kernel, usize); N]) -> Result<[f64; N]> {
        let mut launches = [(Kernel::Empty, 0, 0); N];
        for (launch, (kernel, workgroups)) in launches.iter_mut().zip(work) {
            *launch = (kernel, workgroups, self.rounds(kernel, workgroups, SAMPLE)?);
        }
        let samples = |launch: &Launch| self.seconds(*launch).map(|all| all / f64::from(launch.2));
        medians(|| launches.iter().map(samples).collect())?
            .try_into()
            .map_err(|_| anyhow::anyhow!("a sample of each"))
    }

    /// Seconds of one launch.
    pub fn seconds(&self, launch: Launch) -> Result<f64> {
        Ok(self.seconds_of(|| self.run(launch))?[0])
    }

    /// Seconds from the start of what `run` launches to its end: on the adapter, and with all that the host does.
    /// The first is the second where the adapter has no clock.
    pub fn seconds_of(&self, run: impl FnOnce()) -> Result<[f64; 2]> {
        let window = self.client.profile_start().map_err(failed)?;
        let start = Instant::now();
        run();
        let timed = self.client.profile_end(window).map_err(failed)?;
        let ticks = burn::tensor::read_sync(timed.resolve());
        let host = start.elapsed().as_secs_f64();
        let adapter = ticks.map_or(host, |ticks| ticks.duration().as_secs_f64());
        Ok([adapter, host])
    }

    pub fn run(&self, (kernel, workgroups, rounds): Launch) {
        let buffers = KernelArguments::default()
            .with_buffer_io(self.input.clone().binding(), BufferIOAttr::ReadOnly)
            .with_buffer_io(self.output.clone().binding(), BufferIOAttr::WriteOnly);
        self.client.launch(
            Box::new(SourceKernel::new(
                kernel,
                CubeDim::new_1d(kernel.workgroup() as u32),
            )),
            CubeCount::Static(workgroups as u32, 1, 1),
            buffers.with_info(MetadataBindingInfo::custom(vec![u64::from(rounds)])),
        );
    }

    /// The first `count` numbers of what the last kernel wrote.
    pub fn output(&self, count: usize) -> Result<Vec<f32>> {
        let rest = self.output.size() - (count * size_of::<f32>()) as u64;
        let bytes = self.client.read_one(self.output.clone().offset_end(rest))?;
        let (numbers, _) = bytes.as_chunks();
        Ok(numbers.iter().copied().map(f32::from_ne_bytes).collect())
    }
}

/// The median of each of several values, measured [`SAMPLES`] times.
pub fn medians(measure: impl Fn() -> Result<Vec<f64>>) -> Result<Vec<f64>> {
    let samples = (0..SAMPLES)
        .map(|_| measure())
        .collect::<Result<Vec<_>>>()?;
    let of_value = |value: usize| {
        let mut sorted: Vec<f64> = samples.iter().map(|sample| sample[value]).collect();
        sorted.sort_by(f64::total_cmp);
        median(&sorted)
    };
    Ok((0..samples[0].len()).map(of_value).collect())
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("the adapter's time can't be read: {error}")
}

/// Numbers between -1 and 1 without a pattern.
fn numbers() -> impl Iterator<Item = f32> {
    (0..NUMBERS as u32).map(|i| {
        let mixed = i.wrapping_add(1).wrapping_mul(0x9e37_79b9);
        let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x85eb_ca6b);
        (mixed ^ mixed >> 13) as i32 as f32 / (1u32 << 31) as f32
    })
}
