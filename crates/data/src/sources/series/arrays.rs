//! Series in arrays of NumPy's.

use std::path::Path;

use super::columns::Columns;
use super::names::ClassNames;
use super::rows::Rows;
use super::windows::{self, Piece};
use super::{Cut, SeriesOptions, is_array, sequence};
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::example::Target;
use crate::files::read_regular;
use crate::limits::Limits;
use crate::series::{RecognisedSeries, SeriesTask};
use crate::sources::npy::Array;

/// Reads an array and that of its targets; `open_end` needs no targets.
pub(super) fn cut(
    options: &SeriesOptions,
    (path, target_path): (&Path, Option<&Path>),
    names: &mut ClassNames,
    open_end: bool,
    limits: &Limits,
) -> Result<Cut> {
    let bytes = read_regular(path, limits.array)?;
    let array = array(path, &bytes, limits)?;
    match options.task {
        SeriesTask::Forecast => series(options, path, &array, open_end, limits),
        SeriesTask::Classify | SeriesTask::Tag => sequences(
            options,
            (path, target_path),
            &array,
            names,
            open_end,
            limits,
        ),
    }
}

fn array<'a>(path: &Path, bytes: &'a [u8], limits: &Limits) -> Result<Array<'a>> {
    let array = Array::new(bytes).map_err(|reason| refused(path, reason))?;
    match array.count() > limits.numbers {
        true => Err(refused(
            path,
            format!("it has more than {} numbers", limits.numbers),
        )),
        false => Ok(array),
    }
}

fn refused(path: &Path, reason: impl Into<String>) -> DataError {
    DataError::Series {
        path: path.into(),
        reason: reason.into(),
    }
}

/// One series, `[timesteps]` or `[timesteps, numbers]`.
fn series(
    options: &SeriesOptions,
    path: &Path,
    array: &Array,
    open_end: bool,
    limits: &Limits,
) -> Result<Cut> {
    let (timesteps, all) = match array.shape[..] {
        [timesteps] => (timesteps, 1),
        [timesteps, numbers] => (timesteps, numbers),
        _ => {
            return Err(refused(
                path,
                "to forecast, it should be [timesteps] or [timesteps, numbers]",
            ));
        }
    };
    if options.group_column.is_some() {
        return Err(refused(
            path,
            "an array has no groups: leave the column of groups out",
        ));
    }
    let names: Vec<String> = (1..=all).map(|number| number.to_string()).collect();
    let columns = Columns::forecast(options, path, &names)?;
    let place = |name: &String| {
        names.iter().position(|known| known == name).ok_or_else(|| {
            let name = shown(name, SHOWN_NAME);
            refused(
                path,
                format!("there is no column `{name}`; its columns are called 1 to {all}"),
            )
        })
    };
    let places = columns
        .values
        .iter()
        .map(place)
        .collect::<Result<Vec<_>>>()?;
    let numbers: Vec<f32> = array.numbers().map(|number| number as f32).collect();
    let mut values = Vec::with_capacity(timesteps * places.len());
    for (row, timestep) in numbers.chunks(all.max(1)).enumerate() {
        for &place in &places {
            check(timestep[place], options, path, row + 1)?;
            values.push(timestep[place]);
        }
    }
    let rows = Rows::of_one_series(values, places.len());
    let shape = options.shape(&columns.values, &columns.targets);
    let mut notes = columns.notes;
    Ok(Cut {
        pieces: windows::cut(&rows, &shape, path, open_end, limits, &mut notes)?,
        groups: vec![None],
        notes,
        recognised: RecognisedSeries {
            value_columns: columns.values,
            target_columns: columns.targets,
            window: shape.window,
        },
    })
}

fn check(number: f32, options: &SeriesOptions, path: &Path, row: usize) -> Result<()> {
    if number.is_infinite() {
        return Err(refused(
            path,
            format!("row {row} holds a number that is infinite, or too large"),
        ));
    }
    if number.is_nan() && options.missing.is_refused() {
        return Err(refused(
            path,
            format!(
                "row {row} holds NaN; write a number, or read missing ones as their mean, marked, with --missing mask"
            ),
        ));
    }
    Ok(())
}

/// Sequences, `[rows, timesteps]` or `[rows, timesteps, numbers]`, with their targets.
fn sequences(
    options: &SeriesOptions,
    (path, target_path): (&Path, Option<&Path>),
    array: &Array,
    names: &mut ClassNames,
    open_end: bool,
    limits: &Limits,
) -> Result<Cut> {
    let (rows, timesteps, width) = match array.shape[..] {
        [rows, timesteps] => (rows, timesteps, 1),
        [rows, timesteps, width] => (rows, timesteps, width),
        _ => {
            return Err(refused(
                path,
                "it should be [rows, timesteps] or [rows, timesteps, numbers]",
            ));
        }
    };
    let has_columns = !options.value_columns.is_empty() || !options.target_columns.is_empty();
    if has_columns || options.group_column.is_some() || options.window.is_some() {
        return Err(refused(
            path,
            "a row of an array is a sequence: leave columns, groups and windows out",
        ));
    }
    let mut targets = match target_path {
        Some(path) => Some(classes(options, path, [rows, timesteps], names, limits)?.into_iter()),
        None if open_end => None,
        None => {
            return Err(refused(
                path,
                "where are its targets? Name their array with --target-data",
            ));
        }
    };
    let numbers: Vec<f32> = array.numbers().map(|number| number as f32).collect();
    let mut pieces = Vec::new();
    for (row, mut numbers) in numbers.chunks((timesteps * width).max(1)).enumerate() {
        let is_there = |timestep: &[f32]| timestep.iter().any(|number| !number.is_nan());
        if options.task == SeriesTask::Classify {
            // Timesteps of NaN at the end are what a longer sequence has there.
            let last = numbers.chunks(width).rposition(is_there);
            numbers = &numbers[..last.map_or(0, |last| (last + 1) * width)];
        }
        if numbers.is_empty() {
            return Err(refused(path, format!("row {} holds no number", row + 1)));
        }
        for &number in numbers {
            check(number, options, path, row + 1)?;
        }
        let line = row as u64 + 1;
        let timesteps = numbers.len() / width;
        pieces.push(Piece {
            sequence: sequence(numbers, width, options.missing),
            target: targets.as_mut().and_then(Iterator::next),
            group: 0,
            lines: (line, line),
            rows: [0, timesteps, timesteps],
            of: timesteps,
        });
    }
    if pieces.is_empty() {
        return Err(refused(path, "it holds no sequence"));
    }
    Ok(Cut {
        pieces,
        groups: vec![None],
        notes: Vec::new(),
        recognised: RecognisedSeries {
            value_columns: Vec::new(),
            target_columns: Vec::new(),
            window: None,
        },
    })
}

/// The targets of sequences: `[rows]`, or `[rows, timesteps]` where every timestep has one.
fn classes(
    options: &SeriesOptions,
    path: &Path,
    [rows, timesteps]: [usize; 2],
    names: &mut ClassNames,
    limits: &Limits,
) -> Result<Vec<Target>> {
    if !is_array(path) {
        return Err(refused(
            path,
            "the targets of an array are one too: a file that ends in .npy",
        ));
    }
    let bytes = read_regular(path, limits.array)?;
    let array = array(path, &bytes, limits)?;
    let is_tag = options.task == SeriesTask::Tag;
    let expected = if is_tag {
        vec![rows, timesteps]
    } else {
        vec![rows]
    };
    if array.shape != expected {
        return Err(refused(
            path,
            format!(
                "it is {:?}, where the targets of these sequences are {expected:?}",
                array.shape
            ),
        ));
    }
    let class = |(place, number): (usize, f64)| {
        let class = match number.fract() == 0.0 {
            true => names.class(&format!("{number:.0}")),
            false => Err(format!("{number} is no class: write whole numbers")),
        };
        class.map_err(|reason| refused(path, format!("target {}: {reason}", place + 1)))
    };
    let classes = array
        .numbers()
        .enumerate()
        .map(class)
        .collect::<Result<Vec<u32>>>()?;
    Ok(match is_tag {
        true => classes
            .chunks(timesteps.max(1))
            .map(|row| Target::Classes(row.to_vec()))
            .collect(),
        false => classes.into_iter().map(Target::Class).collect(),
    })
}
