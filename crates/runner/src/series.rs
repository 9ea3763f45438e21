//! What a configuration says of series of numbers, and what a file looks like of which it says nothing.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use gatefold_data::{Dataset, Labels, SeriesHint, SeriesOptions, SeriesTask, TableForm};
use gatefold_training::RunConfig;
use gatefold_training::config::DatasetConfig;

use crate::terminal::{flag, within_line, word};

/// Names that a message lists.
const SHOWN: usize = 8;

/// Whether a name is that of an array.
pub fn is_array(name: &str) -> bool {
    name.to_lowercase().ends_with(".npy")
}

/// What a configuration with a task says of the file `name`.
pub fn options(
    name: &str,
    task: SeriesTask,
    config: &RunConfig,
    form: TableForm,
    labels: Option<&Labels>,
) -> SeriesOptions {
    let dataset = &config.dataset;
    SeriesOptions {
        path: name.into(),
        test_path: dataset.test_path.clone(),
        target_path: dataset.target_path.clone(),
        test_target_path: dataset.test_target_path.clone(),
        form,
        task,
        value_columns: dataset.value_columns.clone(),
        target_columns: dataset.target_columns.clone(),
        group_column: dataset.group_column.clone(),
        window: dataset.window,
        stride: dataset.stride,
        horizon: dataset.horizon.unwrap_or(1),
        missing: dataset.missing,
        decimal_comma: dataset.decimal_comma,
        labels: labels.cloned(),
        test_fraction: dataset.test_fraction,
        validation_fraction: config.training.validation_fraction,
    }
}

/// Refuses settings of series where no series is read.
///
/// # Errors
/// If there is one.
pub fn refuse_settings(config: &DatasetConfig) -> Result<()> {
    let given = [
        ("--task", config.task.is_some()),
        ("--value-columns", !config.value_columns.is_empty()),
        ("--target-column", !config.target_columns.is_empty()),
        ("--window", config.window.is_some()),
        ("--stride", config.stride.is_some()),
        ("--horizon", config.horizon.is_some()),
        ("--missing", !config.missing.is_refused()),
        ("--decimal-comma", config.decimal_comma),
        ("--target-data", config.target_path.is_some()),
        ("--test-target-data", config.test_target_path.is_some()),
    ];
    let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) else {
        return Ok(());
    };
    let name = config.name.as_deref().unwrap_or("reviews");
    match flag {
        "--task" => bail!(
            "--task is for series of numbers in a file of one's own, and {name} is none: leave it out"
        ),
        _ => bail!(
            "{flag} is for series of numbers: say with --task classify, tag or forecast what to learn from them"
        ),
    }
}

/// Settles what was recognised of a series, so that a run reads the same again.
pub fn settle(config: &mut DatasetConfig, dataset: &Dataset) {
    if let Some(recognised) = &dataset.series {
        config.value_columns = recognised.value_columns.clone();
        config.target_columns = recognised.target_columns.clone();
        config.window = recognised.window;
    }
}

/// A file of which nothing is said, with what it unmistakably is: a table with a sequence of numbers a row. With what to say
/// about it.
///
/// # Errors
/// If it holds numbers and no texts, with commands that say what to learn from them.
pub fn recognise(
    config: &mut DatasetConfig,
    form: &TableForm,
    program: &str,
) -> Result<Option<String>> {
    // What isn't there, whoever reads it says.
    let there = |name: &String| Path::new(name).is_file();
    let Some(name) = config.name.clone().filter(there) else {
        return Ok(None);
    };
    let command = format!("{program} train --dataset {}", word(Path::new(&name)));
    if is_array(&name) {
        bail!(
            "{name} is an array of numbers: what is to be learnt from it? For a sequence a row, with their classes in \
             a second file: {command} --task classify --target-data FILE.npy; for one long series: {command} --task \
             forecast"
        );
    }
    match SeriesHint::of(Path::new(&name), form)? {
        SeriesHint::Other => Ok(None),
        SeriesHint::Wide {
            target_column,
            values,
            header,
        } => {
            let note = format!(
                "a sequence of {values} numbers a row, with its class in the column `{}`, as if called with --task \
                 classify{} {}",
                within_line(&target_column),
                if header { "" } else { " --no-header" },
                flag("--target-column", &target_column)
            );
            config.header = header;
            config.task = Some(SeriesTask::Classify);
            config.target_columns = vec![target_column];
            Ok(Some(note))
        }
        SeriesHint::Numbers {
            numbers,
            labels,
            header,
        } => {
            let command = match header {
                true => command,
                false => format!("{command} --no-header"),
            };
            ensure!(
                !numbers.is_empty(),
                "{name} holds neither texts nor numbers"
            );
            let list = |names: &[String]| {
                let shown: Vec<_> = names
                    .iter()
                    .take(SHOWN)
                    .map(|name| within_line(name))
                    .collect();
                match names.len() > SHOWN {
                    true => format!("{} and {} more", shown.join(", "), names.len() - SHOWN),
                    false => shown.join(", "),
                }
            };
            let last = numbers.last().map_or("", String::as_str);
            let target = flag("--target-column", last);
            let forecast = format!("{command} --task forecast {target}");
            let is_number = |name: &&String| numbers.contains(name);
            let label = labels.iter().find(|name| !is_number(name));
            let ends = match labels.iter().find(is_number) {
                Some(group) => flag("--group-column", group),
                None => "--window 48".to_owned(),
            };
            let classify = label.map(|label| {
                format!(
                    "; to learn the classes of `{}`: {command} --task classify {} {ends}, or with --task \
                     tag, a class a row",
                    within_line(label),
                    flag("--target-column", label)
                )
            });
            bail!(
                "{name} holds no texts; its columns of numbers are {}. What is to be learnt from them? To forecast one: \
                 {forecast}{}",
                list(&numbers),
                classify.unwrap_or_default()
            )
        }
    }
}

/// How many sequences are longer than what is read of them, in words.
pub fn longer(dataset: &Dataset, max_length: usize, noun: &str) -> Option<String> {
    dataset.series.as_ref()?;
    let all = [&dataset.train, &dataset.validation, &dataset.test];
    let lengths = all.into_iter().flatten();
    let lengths = lengths.filter_map(|record| Some(record.content.sequence()?.len()));
    let longer: Vec<usize> = lengths.filter(|&length| length > max_length).collect();
    let longest = longer.iter().max()?;
    Some(format!(
        "{} {noun} are longer than {max_length} timesteps, and their last {max_length} are read: --max-length {longest} \
         reads all",
        longer.len()
    ))
}
