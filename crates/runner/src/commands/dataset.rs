//! `gatefold dataset`

use std::path::Path;

use anyhow::{Context, Result, ensure};
use gatefold::progress::{self, Bar};
use gatefold::terminal::{program, word};
use gatefold::{dataset, download, files, say};
use gatefold_data::{ColumnInfo, DatasetInfo, ExampleInfo, SeriesTask, SplitInfo, Tokenizer};
use gatefold_lesson::report::rounded;
use gatefold_training::RunConfig;
use gatefold_training::config::InputConfig;
use itertools::Itertools;

use crate::cli::{DataArgs, DatasetCommand, DatasetCommandArgs, FormatArgs, PlaceArgs};
use crate::output::{self, Format};

/// Characters of a text that a table shows.
const SHOWN: usize = 60;

pub fn run(args: DatasetCommandArgs) -> Result<()> {
    match args.command {
        DatasetCommand::Info {
            name,
            at,
            place,
            tokenizer,
            format,
        } => info(name, (at, *place), tokenizer, format),
        DatasetCommand::Generate { task, file, seed } => generate(task, &file, seed),
        DatasetCommand::Fetch { url, .. } => fetch(url),
    }
}

fn info(
    name: String,
    (at, place): (DataArgs, PlaceArgs),
    tokenizer: Option<Tokenizer>,
    format: FormatArgs,
) -> Result<()> {
    let mut config = RunConfig::default();
    config.dataset.name = Some(name.clone());
    at.apply(&mut config.dataset);
    place.apply(&mut config.dataset);
    dataset::recognise(&mut config.dataset, &program())?;
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
    let lengths = splits.clone().map(lengths).collect();
    output::fitting_table(&header, lengths, 1, &[3, 7, 9, 4, 6, 2, 8])?;
    if !info.train.labels.is_empty() {
        let names: Vec<&str> = splits.clone().map(|(name, _)| name).collect();
        let header = [&["label"], &names[..]].concat();
        let splits: Vec<&SplitInfo> = splits.map(|(_, split)| split).collect();
        output::table(&header, labels(&splits), 1)?;
    }
    if !info.columns.is_empty() {
        let header = ["column", "min", "mean", "max", "missing"];
        let row = |of: &ColumnInfo| {
            let numbers = [f64::from(of.min), of.mean, f64::from(of.max)];
            let mut row = vec![of.column.clone()];
            row.extend(numbers.map(rounded));
            row.push(of.missing.to_string());
            row
        };
        output::table(&header, info.columns.iter().map(row).collect(), 1)?;
    }
    if !info.rows.is_empty() {
        let row = |row: &ExampleInfo| {
            let text = row.text.split_whitespace().join(" ");
            vec![
                row.label.clone().unwrap_or_default(),
                shortened(&text, SHOWN),
            ]
        };
        output::table(&["label", "text"], info.rows.iter().map(row).collect(), 2)?;
    }
    if let Some((distinct, first)) = info.distinct_words.zip(info.first_words) {
        let noun = info.tokenizer.unwrap_or_default().noun();
        output::line(&format!(
            "{distinct} distinct {noun} in the training split; the most frequent: {}",
            first.iter().join(", ")
        ))?;
    }
    if let Some(unknown) = info.unknown {
        output::line(&format!(
            "{:.1} % of the {} of the test split are unknown to the default vocabulary",
            100.0 * unknown,
            info.tokenizer.unwrap_or_default().noun()
        ))?;
    }
    Ok(())
}

/// The beginning of a text.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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

fn generate(task: SeriesTask, file: &Path, seed: u64) -> Result<()> {
    ensure!(
        !file.is_file(),
        "{} is there already, and isn't overwritten: name another file",
        file.display()
    );
    files::replace(file, task.table(seed).as_bytes())?;
    let columns = match task {
        SeriesTask::Forecast => {
            "--task forecast --target-column load --value-columns load,temperature"
        }
        SeriesTask::Classify => "--task classify --target-column gesture --group-column recording",
        SeriesTask::Tag => "--task tag --target-column state --group-column recording",
    };
    let (program, path) = (program(), word(file));
    say!(
        "{} is written; to learn from it: {program} train --dataset {path} {columns}",
        file.display()
    );
    Ok(())
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
        "{} is complete, size and MD5 as published. `{} train` reads it now",
        path.display(),
        program()
    );
    Ok(())
}
