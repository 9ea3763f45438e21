//! `gatefold bench`

use anyhow::Result;
use gatefold::bench::{self, Record};
use gatefold::config::RunConfig;
use gatefold::device::{AdapterKind, Selected, adapters, find};
use itertools::Itertools;

use crate::cli::BenchArgs;
use crate::output::{self, Format};

pub fn run(args: BenchArgs) -> Result<()> {
    let (format, steps) = (args.format.format, args.steps as usize);
    let devices = match args.device {
        Some(choice) => vec![find(choice)?],
        // Every GPU once, through the API to prefer; software passes for a GPU only when asked for.
        None => adapters()
            .into_iter()
            .filter(|adapter| adapter.kind != AdapterKind::Software)
            .unique_by(|adapter| adapter.name.clone())
            .map(Selected::Adapter)
            .chain([Selected::Cpu])
            .collect(),
    };
    let mut config = RunConfig::default();
    args.apply(&mut config);
    config.validate()?;

    let mut rows = Vec::new();
    for selected in devices {
        eprintln!("measuring {selected}: {steps} steps forward, {steps} steps of training");
        let records = bench::measure(&config, (&selected, &selected.open()?), steps)?;
        match format {
            Format::Json => records.iter().try_for_each(output::json)?,
            Format::Text => rows.extend(records.map(row)),
        }
    }
    if format == Format::Json {
        return Ok(());
    }
    let (batch, time) = (config.training.batch_size, config.training.max_length);
    output::line(&format!("{batch} reviews of {time} tokens a step"))?;
    let header = [
        "device",
        "pass",
        "ms a step",
        "fastest",
        "slowest",
        "tokens a second",
    ];
    output::table(&header, rows, 2)
}

fn row(record: Record) -> Vec<String> {
    vec![
        record.adapter,
        record.pass.into(),
        format!("{:.1}", record.median_ms),
        format!("{:.1}", record.min_ms),
        format!("{:.1}", record.max_ms),
        format!("{:.0}", record.tokens_per_second),
    ]
}
