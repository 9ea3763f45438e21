//! `gatefold bench`

mod page;
mod report;

use anyhow::{Result, anyhow, ensure};
use gatefold::bench::peaks::Peaks;
use gatefold::bench::{measure, probes};
use gatefold::device::{AdapterKind, ComputeDevice, adapters, find};
use gatefold::{files, kernels, say};
use itertools::Itertools;

use self::report::{Report, legends};
use crate::cli::BenchArgs;
use crate::output::{self, End, Format};

pub fn run(args: BenchArgs) -> Result<()> {
    let workloads = match args.probes {
        true => Vec::new(),
        false => args.workloads(),
    };
    for workload in &workloads {
        workload.config().map_err(End::Misused)?;
    }
    let mut devices = match args.device {
        Some(choice) => vec![find(choice)?],
        // Every GPU once, through the API to prefer; software passes for a GPU only when asked for.
        None => adapters()
            .into_iter()
            .filter(|adapter| adapter.kind != AdapterKind::Software)
            .unique_by(|adapter| adapter.name.clone())
            .map(ComputeDevice::Adapter)
            .chain([ComputeDevice::Cpu])
            .collect(),
    };
    if args.probes {
        devices.retain(|device| *device != ComputeDevice::Cpu);
        let none = "the CPU has no probes, and there is no GPU; --device software takes an adapter in software";
        ensure!(!devices.is_empty(), End::Misused(anyhow!(none)));
    }
    let format = args.format.format;
    let steps = args.steps as usize;
    let implementations: Vec<_> = args.implementations.iter().copied().unique().collect();

    let mut reports = Vec::new();
    let mut failures = 0;
    for selected in devices {
        let device = selected.open()?;
        let is_adapter = selected != ComputeDevice::Cpu;
        let for_people = format == Format::Text || args.markdown.is_some();
        let peaks = if for_people && is_adapter {
            say!("measuring the peaks of {selected}");
            Peaks::measure(&device)
        } else {
            Peaks::default()
        };
        let mut probes = Vec::new();
        if is_adapter && (args.probes || args.markdown.is_some()) {
            say!("probing {selected}");
            match probes::measure(&selected, &device) {
                Ok(measured) => {
                    if format == Format::Json {
                        measured.iter().try_for_each(output::json)?;
                    }
                    probes = measured;
                }
                Err(error) => {
                    say!("error: probes: {error:#}");
                    failures += 1;
                }
            }
        }
        let mut records = Vec::new();
        for workload in &workloads {
            say!("measuring {selected}: {workload}, {steps} steps of each kind");
            let mut config = workload.config()?;
            kernels::settle(&mut config, args.kernels.kernels, (&selected, &device));
            kernels::follow(&config, &device)?;
            match measure(workload, &implementations, (&selected, &device), steps) {
                Ok(measured) => {
                    if format == Format::Json {
                        measured.iter().try_for_each(output::json)?;
                    }
                    records.extend(measured);
                }
                // What was measured before, and what follows, is worth having without it.
                Err(error) => {
                    say!("error: {workload}: {error:#}");
                    failures += 1;
                }
            }
        }
        let report = Report {
            selected,
            peaks,
            records,
            probes,
        };
        if format == Format::Text {
            output::line(&report.text())?;
        }
        reports.push(report);
    }
    if format == Format::Text {
        output::line(&legends(&reports))?;
    }
    if let Some(path) = args.markdown {
        files::write_output(&path, page::render(&reports).as_bytes())?;
    }
    ensure!(
        failures == 0,
        "{failures} measurements failed; the others stand above"
    );
    Ok(())
}
