//! A table with a sequence a row.

use std::path::Path;

use super::columns::{check_names, text};
use super::names::ClassNames;
use super::rows::missing;
use super::windows::Piece;
use super::{Cut, SeriesOptions, number, sequence};
use crate::error::{DataError, Result, SHOWN_NAME, shown, shown_names};
use crate::example::Target;
use crate::limits::Limits;
use crate::series::RecognisedSeries;
use crate::sources::progress::LoadProgress;
use crate::sources::table::Table;

/// Reads a table; `open_end` keeps rows without a target.
pub(super) fn cut(
    options: &SeriesOptions,
    path: &Path,
    names: &mut ClassNames,
    open_end: bool,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Cut> {
    let mut table = Table::open(path, &options.form, limits, progress)?;
    check_names(table.columns(), options.form.header, path)?;
    let target = match &options.target_columns[..] {
        [name] if open_end && !table.columns().contains(name) => None,
        [name] => Some(table.column(name)?),
        _ => {
            let columns = shown_names(table.columns().iter().map(String::as_str));
            return Err(DataError::Series {
                path: path.into(),
                reason: format!(
                    "which column holds the classes? Name one with --target-column; the columns are {columns}"
                ),
            });
        }
    };
    let values: Vec<usize> = (0..table.columns().len())
        .filter(|place| Some(*place) != target)
        .collect();
    let columns: Vec<String> = values
        .iter()
        .map(|place| table.columns()[*place].clone())
        .collect();
    let chosen: Vec<usize> = values.iter().copied().chain(target).collect();
    table.choose(&chosen);
    let mut pieces = Vec::new();
    let mut count = 0;
    while let Some(row) = table.next_row()? {
        let line = row.line;
        let refuse = |column: &str, reason: String| DataError::Row {
            path: path.into(),
            line,
            reason: format!("`{}`: {reason}", shown(column, SHOWN_NAME)),
        };
        let mut cells = row.cells.into_iter().map(text);
        let mut numbers = Vec::with_capacity(columns.len());
        let mut gap: Option<(&String, String)> = None;
        for (place, cell) in cells.by_ref().take(columns.len()).enumerate() {
            let column = &columns[place];
            let cell = cell.ok_or_else(|| refuse(column, "it is no number".into()))?;
            match number(&cell, options.decimal_comma).map_err(|reason| refuse(column, reason))? {
                Some(number) => {
                    if let Some((column, cell)) =
                        gap.as_ref().filter(|_| options.missing.is_refused())
                    {
                        return Err(refuse(column, missing(cell)));
                    }
                    numbers.push(number);
                }
                None => {
                    gap.get_or_insert((column, cell));
                    numbers.push(f32::NAN);
                }
            }
        }
        // Missing ones at the end are what a longer sequence has there.
        let there = numbers.iter().rposition(|number| !number.is_nan());
        numbers.truncate(there.map_or(0, |last| last + 1));
        if numbers.is_empty() {
            return Err(DataError::Row {
                path: path.into(),
                line,
                reason: "the row holds no number; write some, or leave it out".into(),
            });
        }
        count += numbers.len();
        if count > limits.numbers {
            return Err(DataError::TooMuch {
                path: path.into(),
                reason: format!("it has more than {} numbers", limits.numbers),
                remedy: "keep a part of its rows",
            });
        }
        let class = cells
            .next()
            .flatten()
            .filter(|class| !class.trim().is_empty());
        let target = match class {
            Some(class) => {
                let column = options.target_columns.first().map_or("", String::as_str);
                Some(Target::Class(
                    names
                        .class(&class)
                        .map_err(|reason| refuse(column, reason))?,
                ))
            }
            None if open_end => None,
            None => {
                let column = options.target_columns.first().map_or("", String::as_str);
                return Err(refuse(
                    column,
                    "it is empty; write a class, or leave the row out".into(),
                ));
            }
        };
        pieces.push(Piece {
            sequence: sequence(&numbers, 1, options.missing),
            target,
            group: 0,
            lines: (line, line),
            rows: [0, numbers.len(), numbers.len()],
            of: numbers.len(),
        });
    }
    Ok(Cut {
        pieces,
        groups: vec![None],
        notes: std::mem::take(&mut table.notes),
        recognised: RecognisedSeries {
            value_columns: Vec::new(),
            target_columns: options.target_columns.clone(),
            window: None,
        },
    })
}
