//! `gatefold devices`

use anyhow::Result;
use gatefold::device::{Adapter, ComputeDevice, DeviceChoice, adapters, api_and_number, select};
use gatefold_model::{Simd, SimdLevel, simd};
use serde::Serialize;

use crate::cli::DevicesArgs;
use crate::output::{self, Format};

/// One line of the answer.
#[derive(Serialize)]
struct Line<'a> {
    /// What `--device` takes for it.
    number: usize,
    #[serde(flatten)]
    adapter: &'a Adapter,
    auto: bool,
}

/// The CPU's line.
#[derive(Serialize)]
struct CpuLine {
    number: usize,
    name: &'static str,
    kind: &'static str,
    /// The vector instructions in use, and those that `GATEFOLD_SIMD` may name.
    simd: String,
    simd_available: Vec<String>,
    auto: bool,
}

pub fn run(args: DevicesArgs) -> Result<()> {
    let adapters = adapters();
    let auto = select(&DeviceChoice::Auto, &adapters)?;
    let Simd { level, available } = simd()?;
    let available: Vec<String> = available.iter().map(SimdLevel::to_string).collect();
    let is_auto =
        |adapter: &Adapter| matches!(&auto, ComputeDevice::Adapter(taken) if taken == adapter);
    if args.format.format == Format::Json {
        for (number, adapter) in adapters.iter().enumerate() {
            let auto = is_auto(adapter);
            output::json(&Line {
                number,
                adapter,
                auto,
            })?;
        }
        return output::json(&CpuLine {
            number: adapters.len(),
            name: "CPU",
            kind: "cpu",
            simd: level.to_string(),
            simd_available: available,
            auto: auto == ComputeDevice::Cpu,
        });
    }
    let mark = |is_auto: bool| if is_auto { "auto" } else { "" }.to_string();
    let mut rows: Vec<Vec<String>> = adapters
        .iter()
        .enumerate()
        .map(|(number, adapter)| {
            let (device, name, _) = ComputeDevice::Adapter(adapter.clone()).describe();
            let kind = format!("{:?}", adapter.kind).to_lowercase();
            let driver = adapter.driver.trim().to_string();
            vec![
                number.to_string(),
                mark(is_auto(adapter)),
                device,
                kind,
                api_and_number(adapter, &adapters),
                name,
                driver,
            ]
        })
        .collect();
    rows.push(vec![
        adapters.len().to_string(),
        mark(auto == ComputeDevice::Cpu),
        "cpu".into(),
        String::new(),
        String::new(),
        "CPU".into(),
        format!("SIMD: {level} of {}", available.join(", ")),
    ]);
    let header = ["number", "", "device", "kind", "API", "name", "driver"];
    output::fitting_table(&header, rows, 7, &[6, 2])?;
    output::line("--device takes a number, a name or part of one, or an API and its number")
}
