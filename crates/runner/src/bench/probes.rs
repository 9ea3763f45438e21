//! Small measurements that settle what docs/kernels.md assumes of a GPU.

mod adapter;
mod assumed;
mod kernel;

use std::iter::zip;

use anyhow::{Result, bail, ensure};
use burn::backend::DispatchDevice;
use burn::tensor::Device;
use serde::Serialize;

use self::adapter::{Adapter, medians};
pub use self::assumed::Assumed;
use self::kernel::{Kernel, NUMBERS, TILES};
use crate::device::ComputeDevice;

/// One number that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// What was measured.
    pub probe: String,
    /// The median of several samples, in `unit`.
    pub value: f64,
    /// What `value` counts.
    pub unit: &'static str,
    /// Which assumptions of docs/kernels.md it settles.
    pub assumption: &'static str,
    /// What these say of four GPUs, in `unit`, where they do.
    pub assumed: Option<Assumed>,
}

/// A probe on an adapter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// `gpu`; `software` for a graphics API without a GPU.
    pub device: String,
    /// The adapter's name.
    pub adapter: String,
    /// The graphics API.
    pub api: Option<String>,
    /// What was measured.
    #[serde(flatten)]
    pub probe: Probe,
}

/// Numbers of workgroups whose times are compared.
const WALKS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
/// Workgroups that occupy all of any GPU.
const MANY: usize = 1024;
/// Empty dispatches in a row.
const DISPATCHES: usize = 256;

/// Measures an adapter with every probe, in about a second and less than 50 ms of a GPU's time each.
///
/// # Errors
/// If the kernels don't run on the adapter, as on the CPU, or it fails.
pub fn measure(selected: &ComputeDevice, device: &Device) -> Result<Vec<Record>> {
    let client = match device.as_dispatch() {
        DispatchDevice::Cube(device) => device.client(),
        #[allow(unreachable_patterns)] // Burn has as many backends as features.
        _ => bail!("the CPU has no probes"),
    };
    let adapter = Adapter::prepare(client)?;
    let mut probes = Vec::new();
    for measure in [product, reads, barrier, dispatch, streams, at_once] {
        probes.extend(measure(&adapter)?);
    }
    let (device, adapter, api) = selected.describe();
    let record = |probe| Record {
        device: device.clone(),
        adapter: adapter.clone(),
        api: api.clone(),
        probe,
    };
    Ok(probes.into_iter().map(record).collect())
}

/// A workgroup's product with its loop rolled and unrolled, alone and with those of a whole batch.
fn product(adapter: &Adapter) -> Result<Vec<Probe>> {
    let rolled = Kernel::Product { terms: 1 };
    let unrolled = Kernel::Product { terms: 8 };
    let work = [
        (rolled, 1),
        (unrolled, 1),
        (rolled, TILES),
        (unrolled, TILES),
    ];
    let mut probes = Vec::new();
    for ((kernel, workgroups), seconds) in zip(work, adapter.seconds_a_round(work)?) {
        let text = if kernel == rolled {
            "a loop"
        } else {
            "unrolled by 8"
        };
        let giga = |seconds: f64| workgroups as f64 * Kernel::MULTIPLY_ADDS / seconds / 1e9;
        probes.push(Probe {
            probe: format!("product, {text}, {}", counted(workgroups)),
            value: giga(seconds),
            unit: "G multiply-adds/s",
            assumption: "A1, A3, A4",
            assumed: Some(Assumed::product(workgroups).map(giga)),
        });
    }
    let [loops, unrolled] = [rolled, unrolled].map(|kernel| {
        adapter.run((kernel, TILES, 50));
        adapter.output(TILES * kernel.workgroup() * 4)
    });
    let (loops, unrolled) = (loops?, unrolled?);
    ensure!(
        loops.iter().all(|number| number.is_finite()) && loops.iter().any(|number| *number != 0.0),
        "the adapter computed nothing, or no numbers"
    );
    let same = zip(&loops, &unrolled).filter(|(a, b)| a.to_bits() == b.to_bits());
    probes.push(Probe {
        probe: "product, results with the same bits both ways".into(),
        value: 100.0 * same.count() as f64 / loops.len() as f64,
        unit: "%",
        assumption: "",
        assumed: Some(Assumed::everywhere(100.0)),
    });
    Ok(probes)
}

/// Bytes into registers.
fn reads(adapter: &Adapter) -> Result<Vec<Probe>> {
    let cache = Kernel::Reads { from_cache: true };
    let memory = Kernel::Reads { from_cache: false };
    let work = [(cache, 1), (cache, MANY), (memory, 1), (memory, MANY)];
    let probe = |((kernel, workgroups), seconds): ((Kernel, usize), f64)| {
        let from_cache = kernel == cache;
        let source = if from_cache {
            "the cache"
        } else {
            "workgroup memory"
        };
        let (assumption, assumed) = match from_cache {
            true => ("A4", Assumed::cache(workgroups > 1)),
            false => ("A1, at least", Assumed::exchanged(workgroups > 1)),
        };
        Probe {
            probe: format!("read from {source}, {}", counted(workgroups)),
            value: workgroups as f64 * Kernel::BYTES_READ / seconds / 1e9,
            unit: "GB/s",
            assumption,
            assumed: Some(assumed.map(|bytes| bytes / 1e9)),
        }
    };
    let seconds = adapter.seconds_a_round(work)?;
    Ok(zip(work, seconds).map(probe).collect())
}

fn barrier(adapter: &Adapter) -> Result<Vec<Probe>> {
    let work = [64, 256].map(|workgroup| (Kernel::Barrier { workgroup }, 1));
    let probe = |((kernel, _), seconds): ((Kernel, usize), f64)| Probe {
        probe: format!("barrier and exchange, {} invocations", kernel.workgroup()),
        value: seconds * 1e9,
        unit: "ns",
        assumption: "A6",
        assumed: Some(Assumed::exchange().map(|seconds| seconds * 1e9)),
    };
    let seconds = adapter.seconds_a_round(work)?;
    Ok(zip(work, seconds).map(probe).collect())
}

fn dispatch(adapter: &Adapter) -> Result<Vec<Probe>> {
    let row = || (0..DISPATCHES).for_each(|_| adapter.run((Kernel::Empty, 1, 1)));
    let seconds = medians(|| Ok(adapter.seconds_of(row)?.to_vec()))?;
    let probe = |(place, seconds): (&str, f64)| Probe {
        probe: format!("empty dispatch, {place}"),
        value: seconds / DISPATCHES as f64 * 1e6,
        unit: "µs",
        assumption: "A9",
        assumed: Some(Assumed::everywhere(5.0)),
    };
    let places = ["by the adapter's clock", "with the host's work"];
    Ok(zip(places, seconds).map(probe).collect())
}

/// Copies from as many places as a walk's step touches, and from one.
fn streams(adapter: &Adapter) -> Result<Vec<Probe>> {
    let work = [true, false].map(|apart| (Kernel::Streams { apart }, TILES));
    let probe = |((kernel, _), seconds): ((Kernel, usize), f64)| Probe {
        probe: match kernel {
            Kernel::Streams { apart: true } => "copy, 640 streams of 256 B pieces",
            _ => "copy, the same in one piece",
        }
        .into(),
        value: 2.0 * size_of::<[f32; NUMBERS]>() as f64 / seconds / 1e9,
        unit: "GB/s",
        assumption: "A7",
        assumed: Some(Assumed::memory().map(|bytes| bytes / 1e9)),
    };
    let seconds = adapter.seconds_a_round(work)?;
    Ok(zip(work, seconds).map(probe).collect())
}

/// The same work of a workgroup, by more and more of them.
fn at_once(adapter: &Adapter) -> Result<Vec<Probe>> {
    let kernel = Kernel::Product { terms: 1 };
    // So short that 128 one after the other take no longer than other probes.
    let rounds = adapter.rounds(kernel, 1, 1.5e-4)?;
    let all = |workgroups| adapter.seconds((kernel, workgroups, rounds));
    let seconds = medians(|| WALKS.into_iter().map(all).collect())?;
    let step = |(workgroups, seconds): (usize, &f64)| Probe {
        probe: format!("a step's product, {}", counted(workgroups)),
        value: seconds / f64::from(rounds) * 1e6,
        unit: "µs",
        assumption: "A1, A3, A4",
        assumed: Some(Assumed::product(workgroups).map(|seconds| seconds * 1e6)),
    };
    let mut probes: Vec<Probe> = zip(WALKS, &seconds).map(step).collect();
    let as_fast = seconds.iter().take_while(|all| **all <= 1.25 * seconds[0]);
    probes.push(Probe {
        probe: "at once: most within 1.25 times the time of 1".into(),
        value: WALKS[as_fast.count() - 1] as f64,
        unit: "workgroups",
        assumption: "A3, A4: cores",
        assumed: Some(Assumed::cores()),
    });
    let most = WALKS[WALKS.len() - 1] as f64;
    probes.push(Probe {
        probe: format!("at once: {most} times the time of 1, by that of {most}"),
        value: most * seconds[0] / seconds[WALKS.len() - 1],
        unit: "workgroups",
        assumption: "A3, A4: cores",
        assumed: Some(Assumed::cores().map(|cores| most / (most / cores).ceil())),
    });
    Ok(probes)
}

fn counted(workgroups: usize) -> String {
    match workgroups {
        1 => "1 workgroup".into(),
        many => format!("{many} workgroups"),
    }
}
