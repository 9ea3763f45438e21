//! What was measured on one device, for people.

use std::fmt::Debug;

use comfy_table::presets;
use gatefold::bench::peaks::Peaks;
use gatefold::bench::probes::{self, Probe};
use gatefold::bench::work::necessary;
use gatefold::bench::{Implementation, Record};
use gatefold::device::ComputeDevice;
use itertools::Itertools;

use crate::output::render_table;

/// What the columns of the networks' table mean.
const LEGEND: &str = "\
A step takes B sequences of T tokens; D is the size of a token's vector, H the hidden size. `faster` is
how many of our steps fit into one of Burn's. `copying` and `arithmetic` are the shares of the adapter's
peaks that the step reaches at least, counting nothing but what the recurrent layer has to move and to
compute.";

/// What the columns of the probes' table mean.
const PROBES_LEGEND: &str = "\
The last columns hold what follows for four GPUs from the assumptions, A1 to A9, of docs/kernels.md.";

const HEADER: [&str; 10] = [
    "cell",
    "B × T × D × H",
    "pass",
    "layers",
    "ms a step (from–to)",
    "dispatches",
    "tokens/s",
    "faster",
    "copying",
    "arithmetic",
];

const PROBES_HEADER: [&str; 8] = [
    "probe",
    "measured",
    "unit",
    "assumption",
    "M2",
    "Iris Xe",
    "RTX 3050",
    "780M",
];

const UNKNOWN: &str = "–";

/// The measurements of one device.
pub struct Report {
    pub selected: ComputeDevice,
    pub peaks: Peaks,
    pub records: Vec<Record>,
    pub probes: Vec<probes::Record>,
}

/// What the columns of all tables mean.
pub fn legends(reports: &[Report]) -> String {
    let networks = reports.iter().any(|report| !report.records.is_empty());
    let probes = reports.iter().any(|report| !report.probes.is_empty());
    [(networks, LEGEND), (probes, PROBES_LEGEND)]
        .into_iter()
        .filter_map(|(is_needed, legend)| is_needed.then_some(legend))
        .join("\n\n")
}

impl Report {
    pub fn text(&self) -> String {
        let tables = self.tables(presets::UTF8_FULL_CONDENSED, "Probes\n");
        format!("{}{}\n{tables}", self.selected, self.facts())
    }

    pub fn markdown(&self) -> String {
        let tables = self.tables(presets::ASCII_MARKDOWN, "### Probes\n\n");
        format!("## {}\n{}\n\n{tables}\n", self.selected, self.facts())
    }

    /// The tables that hold something, the probes' below `heading`.
    fn tables(&self, style: &str, heading: &str) -> String {
        let networks = (!self.records.is_empty()).then(|| {
            let rows = self.records.iter().map(|record| self.row(record)).collect();
            render_table(&HEADER, rows, 4, style)
        });
        let probes = (!self.probes.is_empty()).then(|| {
            let rows = self.probes.iter().map(|record| row_of(&record.probe));
            let table = render_table(&PROBES_HEADER, rows.collect(), 1, style);
            format!("{heading}{table}")
        });
        networks.into_iter().chain(probes).join("\n\n")
    }

    /// Lines of what is known of the device beside its name.
    fn facts(&self) -> String {
        let driver = match &self.selected {
            ComputeDevice::Adapter(adapter) => adapter.driver.trim(),
            ComputeDevice::Cpu => "",
        };
        let giga = |peak: Option<f64>| peak.map(|peak| peak / 1e9);
        [
            (!driver.is_empty()).then(|| format!("driver: {driver}")),
            giga(self.peaks.bytes_per_second)
                .map(|peak| format!("copies, read and written: {peak:.1} GB/s")),
            giga(self.peaks.multiply_adds_per_second)
                .map(|peak| format!("multiply-adds: {peak:.1} billion a second")),
        ]
        .into_iter()
        .flatten()
        .map(|fact| format!("\n- {fact}"))
        .collect()
    }

    fn row(&self, record: &Record) -> Vec<String> {
        let workload = &record.workload;
        let work = necessary(workload, record.pass);
        let [copying, arithmetic] = self
            .peaks
            .shares(work, record.median_ms / 1e3)
            .map(|share| match share {
                Some(share) => format!("{:.1} %", share * 100.0),
                None => UNKNOWN.into(),
            });
        let (batch, time) = (workload.batch, workload.time);
        let (input, hidden) = (workload.input, workload.hidden);
        vec![
            name(&workload.cell),
            format!("{batch} × {time} × {input} × {hidden}"),
            name(&record.pass),
            name(&record.implementation),
            format!(
                "{:.2} ({:.2}–{:.2})",
                record.median_ms, record.min_ms, record.max_ms
            ),
            record
                .dispatches
                .map_or(UNKNOWN.into(), |count| count.to_string()),
            format!("{:.0}", record.tokens_per_second),
            self.times_faster(record)
                .map_or(String::new(), |times| format!("{times:.1}×")),
            copying,
            arithmetic,
        ]
    }

    /// How many times faster a step of ours is than Burn's, where both were measured.
    fn times_faster(&self, record: &Record) -> Option<f64> {
        let is_pair = |other: &&Record| {
            other.implementation == Implementation::Burn
                && (&other.workload, other.pass) == (&record.workload, record.pass)
        };
        (record.implementation == Implementation::Gatefold)
            .then(|| self.records.iter().find(is_pair))
            .flatten()
            .map(|other| other.median_ms / record.median_ms)
    }
}

/// A row of the probes' table.
fn row_of(probe: &Probe) -> Vec<String> {
    let assumed = match probe.assumed {
        Some(assumed) => [
            assumed.m2,
            assumed.iris_xe,
            assumed.rtx_3050,
            assumed.radeon_780m,
        ]
        .map(short),
        None => [UNKNOWN; 4].map(String::from),
    };
    let words = [
        probe.probe.clone(),
        short(probe.value),
        probe.unit.into(),
        probe.assumption.into(),
    ];
    words.into_iter().chain(assumed).collect()
}

/// A number with three digits that count, or all before the point.
fn short(number: f64) -> String {
    let digits = (2.0 - number.abs().max(1e-3).log10().floor()).clamp(0.0, 5.0);
    format!("{number:.*}", digits as usize)
}

/// The name of a variant.
fn name(value: &impl Debug) -> String {
    format!("{value:?}").to_lowercase()
}
