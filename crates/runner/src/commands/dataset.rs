//! `gatefold dataset`

use anyhow::{Context, Result};
use gatefold::progress::{self, Bar};
use gatefold::{dataset, download, say};
use gatefold_data::{DatasetInfo, SplitInfo, Tokenizer};
use gatefold_training::RunConfig;
use gatefold_training::config::InputConfig;
use itertools::Itertools;

use crate::cli::{DatasetCommand, DatasetCommandArgs, FormatArgs, PlaceArgs};
use crate::output::{self, Format};

pub fn run(args: DatasetCommandArgs) -> Result<()> {
    match args.command {
        DatasetCommand::Info {
            name,
            place,
            tokenizer,
            format,
        } => info(name, place, tokenizer, format),
        DatasetCommand::Fetch { url, .. } => fetch(url),
    }
}

fn info(
    name: String,
    place: PlaceArgs,
    tokenizer: Option<Tokenizer>,
    format: FormatArgs,
) -> Result<()> {
    let mut config = RunConfig::default();
    config.dataset.name = Some(name.clone());
    place.apply(&mut config.dataset);
    let dataset = dataset::load(&config, None, &mut progress::reading(&name))?;
    let info = DatasetInfo::of(&dataset, InputConfig::default().max_length, tokenizer);
    if let (Some(used), None) = (info.tokenizer, tokenizer)
        && used != Tokenizer::default()
    {
        say!(
            "counted by --tokenizer {used}: {} can't read these texts, and `train` takes it unless told otherwise",
            Tokenizer::default()
        );
    }
    if format.format == Format::Json {
        return output::json(&info);
    }
    let splits = [
        ("training", Some(&info.train)),
        ("validation", info.validation.as_ref()),
        ("test", Some(&info.test)),
    ];
    let splits = splits
        .into_iter()
        .filter_map(|(name, split)| Some((name, split?)));
    let longer = format!("over {}", info.max_length);
    let header = [
        "split",
        config.dataset.noun(),
        "shortest",
        "5 %",
        "25 %",
        "median",
        "75 %",
        "95 %",
        "longest",
        "mean",
        &longer,
    ];
    output::table(&header, splits.clone().map(lengths).collect(), 1)?;
    if !info.train.labels.is_empty() {
        let names: Vec<&str> = splits.clone().map(|(name, _)| name).collect();
        let header = [&["label"], &names[..]].concat();
        let splits: Vec<&SplitInfo> = splits.map(|(_, split)| split).collect();
        output::table(&header, labels(&splits), 1)?;
    }
    if let Some((distinct, first)) = info.distinct_words.zip(info.first_words) {
        let noun = info.tokenizer.unwrap_or_default().noun();
        output::line(&format!(
            "{distinct} distinct {noun} in the training split; the most frequent: {}",
            first.iter().join(", ")
        ))?;
    }
    Ok(())
}

fn lengths((name, info): (&str, &SplitInfo)) -> Vec<String> {
    let of = &info.lengths;
    let counts = [
        info.examples,
        of.min,
        of.p5,
        of.p25,
        of.median,
        of.p75,
        of.p95,
        of.max,
    ];
    let mut row = vec![name.to_string()];
    row.extend(counts.map(|count| count.to_string()));
    row.push(format!("{:.1}", of.mean));
    row.push(format!("{:.1} %", 100.0 * of.longer));
    row
}

/// A row a label, a column a split.
fn labels(splits: &[&SplitInfo]) -> Vec<Vec<String>> {
    let count = splits.first().map_or(0, |split| split.labels.len());
    (0..count)
        .map(|label| {
            let name = splits[0].labels[label].label.clone();
            let counts = splits
                .iter()
                .map(|split| split.labels[label].examples.to_string());
            std::iter::once(name).chain(counts).collect()
        })
        .collect()
}

fn fetch(url: Option<String>) -> Result<()> {
    let mut published = download::imdb();
    if let Some(url) = url {
        published.url = url;
    }
    let folder = dataset::data_directory()?;
    say!("from {} into {}", published.url, folder.display());
    let mut bar = Bar::new("fetching", "bytes");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the download")?;
    let path = runtime.block_on(download::fetch(&published, &folder, &mut |done, total| {
        bar.update(done, total);
    }))?;
    bar.finish();
    say!(
        "{} is complete, size and MD5 as published. `gatefold train` reads it now",
        path.display()
    );
    Ok(())
}
