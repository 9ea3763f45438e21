//! The rows of a table with a timestep a row.

use std::collections::HashMap;
use std::path::Path;

use super::columns::{Columns, text};
use super::names::ClassNames;
use super::{SeriesOptions, number};
use crate::dataset::Note;
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::limits::Limits;
use crate::sources::progress::LoadProgress;
use crate::sources::table::Table;

/// A table's rows.
pub(super) struct Rows {
    /// Numbers a row.
    pub(super) width: usize,
    /// `[rows, width]`; NaN where one is missing.
    pub(super) values: Vec<f32>,
    /// The class of each row, where there is a column of them and the cell isn't empty.
    pub(super) classes: Vec<Option<u32>>,
    /// The line of each.
    pub(super) lines: Vec<u64>,
    /// The series, in the order of their first rows.
    pub(super) groups: Vec<Group>,
    pub(super) notes: Vec<Note>,
}

/// A series.
pub(super) struct Group {
    /// Its name, where a column has one.
    pub(super) name: Option<String>,
    /// Its rows.
    pub(super) rows: Vec<u32>,
    /// The time of the last one.
    time: String,
}

impl Rows {
    /// Those of one series without classes, numbered from 1.
    pub(super) fn of_one_series(values: Vec<f32>, width: usize) -> Self {
        let count = values.len() / width.max(1);
        Self {
            width,
            values,
            classes: vec![None; count],
            lines: (1..=count as u64).collect(),
            groups: vec![Group {
                name: None,
                rows: (0..count as u32).collect(),
                time: String::new(),
            }],
            notes: Vec::new(),
        }
    }
}

/// Reads them all.
pub(super) fn read(
    options: &SeriesOptions,
    columns: &Columns,
    path: &Path,
    names: &mut ClassNames,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Rows> {
    let mut table = Table::open(path, &options.form, limits, progress)?;
    let others = [&columns.class, &options.group_column, &columns.time];
    let others = others.map(|column| column.as_ref());
    let chosen = columns.values.iter().chain(others.into_iter().flatten());
    let chosen = chosen.map(|name| table.column(name));
    let chosen = chosen.collect::<Result<Vec<usize>>>()?;
    table.choose(&chosen);
    let width = columns.values.len();
    let mut rows = Rows {
        width,
        values: Vec::new(),
        classes: Vec::new(),
        lines: Vec::new(),
        groups: Vec::new(),
        notes: Vec::new(),
    };
    let mut groups = HashMap::new();
    let mut unsorted = None;
    while let Some(row) = table.next_row()? {
        let line = row.line;
        let refuse = |column: &str, reason: String| DataError::Row {
            path: path.into(),
            line,
            reason: format!("`{}`: {reason}", shown(column, SHOWN_NAME)),
        };
        if rows.values.len() + width > limits.numbers {
            return Err(DataError::TooMuch {
                path: path.into(),
                reason: format!("it has more than {} numbers", limits.numbers),
                remedy: "read fewer columns, or keep a part of its rows",
            });
        }
        let mut cells = row.cells.into_iter();
        for column in &columns.values {
            let cell = cells.next().and_then(text);
            let cell = cell.ok_or_else(|| refuse(column, "it is no number".into()))?;
            let found =
                number(&cell, options.decimal_comma).map_err(|reason| refuse(column, reason))?;
            if found.is_none() && options.missing.is_refused() {
                return Err(refuse(column, missing(&cell)));
            }
            rows.values.push(found.unwrap_or(f32::NAN));
        }
        let mut written = |column: &Option<String>| {
            column.as_ref().map(|column| {
                let cell = cells.next().and_then(text);
                cell.ok_or_else(|| refuse(column, "it is no single value".into()))
            })
        };
        let class = written(&columns.class).transpose()?;
        let group = written(&options.group_column).transpose()?;
        let time = written(&columns.time).transpose()?;
        let class = class.filter(|class| !class.trim().is_empty()).map(|class| {
            let of = columns.class.as_deref().unwrap_or_default();
            names.class(&class).map_err(|reason| refuse(of, reason))
        });
        rows.classes.push(class.transpose()?);
        let group = group.map(|name| name.trim().to_owned());
        if group.as_ref().is_some_and(String::is_empty) {
            let of = options.group_column.as_deref().unwrap_or_default();
            return Err(refuse(
                of,
                "it is empty; say which series the row belongs to".into(),
            ));
        }
        let place = *groups.entry(group.clone()).or_insert_with(|| {
            rows.groups.push(Group {
                name: group,
                rows: Vec::new(),
                time: String::new(),
            });
            rows.groups.len() - 1
        });
        let group = &mut rows.groups[place];
        group.rows.push(rows.lines.len() as u32);
        rows.lines.push(line);
        if let Some(time) = time {
            if is_earlier(&time, &group.time) {
                unsorted.get_or_insert(line);
            }
            group.time = time;
        }
    }
    if table.columns().len() == 1
        && let Some(line) = table.blank()
    {
        // Left out, it would bring what comes before and after it together.
        return Err(DataError::Row {
            path: path.into(),
            line,
            reason: "the line is blank: where a number is missing, write NaN, which --missing mask reads; else take \
                     the line out"
                .into(),
        });
    }
    rows.notes.append(&mut table.notes);
    if let Some((line, column)) = unsorted.zip(columns.time.as_ref()) {
        rows.notes.push(Note::doubtful(format!(
            "rows are read in their order, and `{}` goes back on line {line}: sort the table by it if it is the time",
            shown(column, SHOWN_NAME)
        )));
    }
    Ok(rows)
}

/// Why a missing number is refused, and how to go on.
pub(super) fn missing(cell: &str) -> String {
    let what = match cell.trim() {
        "" => "it is empty".to_owned(),
        cell => format!("\"{}\" is no number", shown(cell, SHOWN_NAME)),
    };
    format!("{what}; write one, or read missing numbers as their mean, marked, with --missing mask")
}

/// Whether a time comes before another, as far as that can be told: of numbers, and of dates with the year first.
fn is_earlier(time: &str, before: &str) -> bool {
    let number = |time: &str| time.trim().parse::<f64>().ok();
    let has_year_first = |time: &str| {
        let start: Vec<u8> = time.trim().bytes().take(5).collect();
        start.len() == 5 && start[..4].iter().all(u8::is_ascii_digit) && !start[4].is_ascii_digit()
    };
    match (number(time), number(before)) {
        (Some(time), Some(before)) => time < before,
        _ => {
            let same_form =
                time.len() == before.len() && has_year_first(time) && has_year_first(before);
            same_form && time.trim() < before.trim()
        }
    }
}
