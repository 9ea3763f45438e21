//! `gatefold dataset`

use anyhow::{Context, Result};
use gatefold::config::DatasetConfig;
use gatefold::progress::{self, Bar};
use gatefold::{dataset, download, say};
use gatefold_data::{DatasetInfo, SplitInfo};
use itertools::Itertools;

use crate::cli::{DatasetCommand, DatasetCommandArgs, FormatArgs, PlaceArgs};
use crate::output::{self, Format};

pub fn run(args: DatasetCommandArgs) -> Result<()> {
    match args.command {
        DatasetCommand::Info {
            name,
            place,
            format,
        } => info(name, place, format),
        DatasetCommand::Fetch { url, .. } => fetch(url),
    }
}

fn info(name: String, place: PlaceArgs, format: FormatArgs) -> Result<()> {
    let mut config = DatasetConfig {
        name: Some(name.clone()),
        ..DatasetConfig::default()
    };
    place.apply(&mut config);
    let info = DatasetInfo::of(&dataset::load(&config, &mut progress::reading(&name))?);
    match format.format {
        Format::Json => output::json(&info),
        Format::Text => {
            let rows = [("training", &info.train), ("test", &info.test)]
                .map(|(split, counts)| row(split, counts));
            let header = [
                "split",
                "reviews",
                "positive",
                "negative",
                "shortest",
                "5 %",
                "25 %",
                "median",
                "75 %",
                "95 %",
                "longest",
                "mean words",
                "over 256",
            ];
            output::table(&header, rows.to_vec(), 1)?;
            output::line(&format!(
                "{} distinct words in the training split; the most frequent: {}",
                info.distinct_words,
                info.first_words.iter().join(", ")
            ))
        }
    }
}

fn row(split: &str, info: &SplitInfo) -> Vec<String> {
    let words = &info.words_per_review;
    let mut row = vec![split.to_string()];
    row.extend(
        [
            info.reviews,
            info.positive,
            info.negative,
            words.min,
            words.p5,
            words.p25,
            words.median,
            words.p75,
            words.p95,
            words.max,
        ]
        .map(|count| count.to_string()),
    );
    row.push(format!("{:.1}", words.mean));
    row.push(format!("{:.1} %", 100.0 * words.share_over_256));
    row
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
