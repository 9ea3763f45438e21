//! Which columns of a table are read as series, and what a table looks like where nobody says so.

use std::path::Path;

use super::{SeriesOptions, is_missing, number};
use crate::dataset::Note;
use crate::error::{DataError, Result, SHOWN_NAME, shown, shown_names};
use crate::form::TableForm;
use crate::limits::Limits;
use crate::series::SeriesTask;
use crate::sources::table::{Cell, Table};

/// Rows by which columns are recognised.
const LOOKED_AT: usize = 200;

/// Columns of numbers, at least, of a table with a sequence a row.
const LEAST_WIDE: usize = 8;

/// The columns of a table with a timestep a row.
pub(super) struct Columns {
    /// Those that are read.
    pub(super) values: Vec<String>,
    /// Those of targets.
    pub(super) targets: Vec<String>,
    /// The column of classes; none of a forecast, whose targets are among the values, nor where there is none.
    pub(super) class: Option<String>,
    /// A column of times, by which rows should be sorted.
    pub(super) time: Option<String>,
    pub(super) notes: Vec<Note>,
}

impl Columns {
    /// Those of the table at `path`. Where `may_lack_targets`, there may be no column of classes.
    pub(super) fn of(
        options: &SeriesOptions,
        path: &Path,
        may_lack_targets: bool,
        limits: &Limits,
    ) -> Result<Self> {
        let refuse = |reason: String| {
            Err(DataError::Series {
                path: path.into(),
                reason,
            })
        };
        let look = Look::at(path, &options.form, options.decimal_comma, limits)?;
        check_names(&look.columns, options.form.header, path)?;
        if options.task == SeriesTask::Forecast {
            let columns = Self::forecast(options, path, &look.numbers())?;
            let time = look.time().filter(|name| !columns.values.contains(name));
            return Ok(Self { time, ..columns });
        }
        let mut notes = Vec::new();
        let targets = options.target_columns.clone();
        let mut values = options.value_columns.clone();
        if targets.len() != 1 {
            let columns = shown_names(look.columns.iter().map(String::as_str));
            return refuse(format!(
                "which column holds the classes? Name one with --target-column; the columns are {columns}"
            ));
        }
        if values.is_empty() {
            let group = options.group_column.as_ref();
            values = look.numbers();
            values.retain(|name| !targets.contains(name) && Some(name) != group);
            if values.is_empty() {
                return refuse(
                    "no column holds numbers alone; name those to read with --value-columns".into(),
                );
            }
            let read = shown_names(values.iter().map(String::as_str));
            let left = look.columns.iter().filter(|name| {
                !values.contains(name) && !targets.contains(name) && Some(*name) != group
            });
            let left = match shown_names(left.map(String::as_str)) {
                none if none == "none" => String::new(),
                left => format!("; not read: {left}"),
            };
            notes.push(Note::understood(format!(
                "columns of numbers read: {read}{left}"
            )));
        }
        one_use_each(options, path, &values)?;
        let class = targets.first();
        let class = class.filter(|name| !may_lack_targets || look.columns.contains(name));
        if options.window.is_none() && options.group_column.is_none() {
            return refuse(
                "where does a sequence end? Name the column that says which one a row belongs to with \
                 --group-column, or cut windows of so many rows with --window; for a table with a sequence a row, \
                 leave --value-columns out"
                    .into(),
            );
        }
        Ok(Self {
            class: class.cloned(),
            time: look.time().filter(|name| !values.contains(name)),
            values,
            targets,
            notes,
        })
    }

    /// Those of a forecast of a series with columns of `numbers`.
    pub(super) fn forecast(
        options: &SeriesOptions,
        path: &Path,
        numbers: &[String],
    ) -> Result<Self> {
        let mut notes = Vec::new();
        let mut targets = options.target_columns.clone();
        let mut values = options.value_columns.clone();
        if targets.is_empty() {
            let candidates = if values.is_empty() { numbers } else { &values };
            let [one] = candidates else {
                let columns = shown_names(candidates.iter().map(String::as_str));
                return Err(DataError::Series {
                    path: path.into(),
                    reason: format!(
                        "which column is to be forecast? Name it with --target-column; the columns of numbers are \
                         {columns}"
                    ),
                });
            };
            notes.push(Note::understood(format!(
                "forecasting `{}`, the only column of numbers",
                shown(one, SHOWN_NAME)
            )));
            targets = vec![one.clone()];
        }
        // Whoever forecasts knows what was before.
        for target in &targets {
            if !values.contains(target) {
                values.push(target.clone());
            }
        }
        one_use_each(options, path, &values)?;
        Ok(Self {
            values,
            targets,
            class: None,
            time: None,
            notes,
        })
    }
}

/// Refuses a first line of numbers where it should name the columns; 0, 1, 2, … may be names.
pub(super) fn check_names(names: &[String], header: bool, path: &Path) -> Result<()> {
    let counts = |first: usize| {
        (first..)
            .zip(names)
            .all(|(count, name)| *name == count.to_string())
    };
    let is_number = |name: &String| number(name, false).is_ok();
    if header && names.iter().all(is_number) && !counts(0) && !counts(1) {
        return Err(DataError::Series {
            path: path.into(),
            reason: "its first line holds numbers, and no names of columns: read it too, with --no-header, and call \
                     the columns 1, 2, …"
                .to_owned(),
        });
    }
    Ok(())
}

/// Refuses columns of values that are there twice, or are something else too.
fn one_use_each(options: &SeriesOptions, path: &Path, values: &[String]) -> Result<()> {
    let is_forecast = options.task == SeriesTask::Forecast;
    let is_used = |(place, name): &(usize, &String)| {
        values[..*place].contains(name)
            || !is_forecast && options.target_columns.contains(name)
            || options.group_column.as_ref() == Some(*name)
    };
    match values.iter().enumerate().find(is_used) {
        None => Ok(()),
        Some((_, name)) => Err(DataError::Series {
            path: path.into(),
            reason: format!(
                "the column `{}` can't be two things; name another one for one of them",
                shown(name, SHOWN_NAME)
            ),
        }),
    }
}

/// What the first rows of a table show.
struct Look {
    columns: Vec<String>,
    /// The cells of each column.
    cells: Vec<Vec<String>>,
    decimal_comma: bool,
}

impl Look {
    fn at(path: &Path, form: &TableForm, decimal_comma: bool, limits: &Limits) -> Result<Self> {
        let mut progress = |_| {};
        let mut table = Table::open(path, form, limits, &mut progress)?;
        let columns = table.columns().to_vec();
        let mut cells = vec![Vec::new(); columns.len()];
        for _ in 0..LOOKED_AT {
            let Some(row) = table.next_row()? else { break };
            for (column, cell) in cells.iter_mut().zip(row.cells) {
                column.push(text(cell).unwrap_or_default());
            }
        }
        Ok(Self {
            columns,
            cells,
            decimal_comma,
        })
    }

    /// Whether the first row of a table that is read without names holds numbers alone, and so names nothing.
    fn begins_with_numbers(&self) -> bool {
        let names = (1..).zip(&self.columns);
        let is_unnamed = names
            .into_iter()
            .all(|(place, name): (usize, _)| *name == place.to_string());
        let mut first = self
            .cells
            .iter()
            .map(|column| column.first().map_or("", String::as_str));
        let has_first = first.clone().next().is_some_and(|cell| !is_missing(cell));
        is_unnamed && has_first && first.all(|cell| number(cell, self.decimal_comma).is_ok())
    }

    fn is_of_numbers(&self, column: usize) -> bool {
        let cells = &self.cells[column];
        let is_number = |cell: &String| number(cell, self.decimal_comma).is_ok();
        cells.iter().all(is_number) && cells.iter().any(|cell| !is_missing(cell))
    }

    /// The columns of numbers, but for times.
    fn numbers(&self) -> Vec<String> {
        let columns = 0..self.columns.len();
        let columns =
            columns.filter(|&column| self.is_of_numbers(column) && !self.is_of_times(column));
        columns.map(|column| self.columns[column].clone()).collect()
    }

    /// Whether a column is called as times are, or holds what dates and times look like.
    fn is_of_times(&self, column: usize) -> bool {
        let name = self.columns[column].to_lowercase();
        let names = ["date", "time", "datetime", "timestamp", "ds", "date_time"];
        let is_time = |cell: &String| {
            let cell = cell.trim();
            cell.starts_with(|first: char| first.is_ascii_digit())
                && cell.contains(['-', '/', ':'])
                && cell
                    .chars()
                    .all(|c| c.is_ascii_digit() || "-/:.,+ TZAPM".contains(c))
        };
        let cells = &self.cells[column];
        names.contains(&name.as_str()) || !cells.is_empty() && cells.iter().all(is_time)
    }

    fn time(&self) -> Option<String> {
        let mut columns = 0..self.columns.len();
        let column = columns.find(|&column| self.is_of_times(column))?;
        Some(self.columns[column].clone())
    }

    /// Whether a column has few values of one word that come again: what labels do, and texts don't.
    fn repeats(&self, column: usize) -> bool {
        let cells = &self.cells[column];
        let mut distinct: Vec<&str> = cells.iter().map(|cell| cell.trim()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let is_text = |cell: &&str| cell.contains(char::is_whitespace);
        (2..=cells.len() / 2).contains(&distinct.len()) && !distinct.iter().any(is_text)
    }

    fn is_of_whole_numbers(&self, column: usize) -> bool {
        let mut cells = self.cells[column].iter();
        cells.all(|cell| matches!(number(cell, self.decimal_comma), Ok(Some(number)) if number.fract() == 0.0))
    }
}

/// What a cell holds in writing; none of what is no single value.
pub(super) fn text(cell: Cell) -> Option<String> {
    match cell {
        Cell::Text(text) | Cell::Scalar(text) => Some(text),
        Cell::Null => Some(String::new()),
        Cell::List(_) | Cell::Other(_) => None,
    }
}

/// What a table looks like of which nothing is said.
#[derive(Clone, Debug, PartialEq)]
pub enum SeriesHint {
    /// A sequence of numbers a row, with its label in the named column: nothing else is in it.
    Wide {
        /// The column of labels.
        target_column: String,
        /// Columns of numbers.
        values: usize,
        /// Whether its first line names them.
        header: bool,
    },
    /// Columns of numbers, and none of texts.
    Numbers {
        /// The columns of numbers.
        numbers: Vec<String>,
        /// Columns of few values that come again, which may be labels or groups.
        labels: Vec<String>,
        /// Whether the first line names the columns.
        header: bool,
    },
    /// Something else.
    Other,
}

impl SeriesHint {
    /// Looks at the first rows of a table.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn of(path: &Path, form: &TableForm) -> Result<Self> {
        let limits = &Limits::default();
        let mut form = form.clone();
        if form.header {
            form.header = false;
            let look = Look::at(path, &form, false, limits)?;
            form.header = !look.begins_with_numbers();
        }
        let look = Look::at(path, &form, false, limits)?;
        let all = || 0..look.columns.len();
        let numbers: Vec<usize> = all().filter(|&column| look.is_of_numbers(column)).collect();
        let others: Vec<usize> = all().filter(|column| !numbers.contains(column)).collect();
        let named = |column: usize| look.columns[column].clone();
        let wide = |column: usize| Self::Wide {
            target_column: named(column),
            values: look.columns.len() - 1,
            header: form.header,
        };
        let ends = [0, look.columns.len().saturating_sub(1)];
        match others[..] {
            [other]
                if numbers.len() >= LEAST_WIDE && ends.contains(&other) && look.repeats(other) =>
            {
                return Ok(wide(other));
            }
            // UCR's form: no line of names, and a whole number first, which nothing else in the table is.
            [] if !form.header && numbers.len() > LEAST_WIDE => {
                let whole = |column: &usize| look.is_of_whole_numbers(*column);
                let is_label = whole(&0) && look.repeats(0);
                if is_label && numbers[1..].iter().filter(|column| whole(column)).count() == 0 {
                    return Ok(wide(0));
                }
            }
            _ => {}
        }
        let is_text = |&column: &usize| {
            let is_called_so = look.columns[column].eq_ignore_ascii_case("text");
            is_called_so || !look.is_of_times(column) && !look.repeats(column)
        };
        if numbers.is_empty() || others.iter().any(is_text) {
            return Ok(Self::Other);
        }
        let values: Vec<String> = look.numbers();
        let labels = all().filter(|&column| !look.is_of_times(column) && look.repeats(column));
        Ok(Self::Numbers {
            labels: labels
                .map(named)
                .filter(|name| !values.contains(name) || values.len() > 1)
                .collect(),
            numbers: values,
            header: form.header,
        })
    }
}
