//! How long steps take, side by side.

use std::time::Instant;

use anyhow::{Context, Result};
use burn::tensor::Device;

use super::{Step, launches};

/// How long one network's steps took.
pub(super) struct Timing {
    /// In milliseconds, sorted.
    pub milliseconds: Vec<f64>,
    /// Kernel launches in a warm step.
    pub launches: usize,
}

impl Timing {
    pub fn median_ms(&self) -> f64 {
        median(&self.milliseconds)
    }
}

/// The median of sorted numbers.
pub(super) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// Times `steps` steps of each network, after warming each up; the networks take turns.
pub(super) fn in_turns(
    mut networks: Vec<Step>,
    device: &Device,
    steps: usize,
) -> Result<Vec<Timing>> {
    let mut timings = Vec::new();
    for network in &mut networks {
        // The first step compiles. The second one is Adam's first with moments: it compiles the rest.
        milliseconds(network, device)?;
        milliseconds(network, device)?;
        let (warm, launches) = launches::count(|| milliseconds(network, device));
        warm?;
        // What failed shows only when a result is read: a buffer that is too large, for one.
        network()?
            .try_into_data()
            .context("the device could not compute a step")?;
        timings.push(Timing {
            milliseconds: Vec::with_capacity(steps),
            launches,
        });
    }
    for _ in 0..steps {
        for (network, timing) in networks.iter_mut().zip(&mut timings) {
            timing.milliseconds.push(milliseconds(network, device)?);
        }
    }
    for timing in &mut timings {
        timing.milliseconds.sort_by(f64::total_cmp);
    }
    Ok(timings)
}

/// One step, until the device is done with it.
fn milliseconds(network: &mut Step, device: &Device) -> Result<f64> {
    let start = Instant::now();
    // Kept until the end: work whose result nobody holds may be left out.
    let _logits = network()?;
    device
        .sync()
        .context("the device failed while it computed")?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
