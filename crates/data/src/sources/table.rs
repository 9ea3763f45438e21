//! Tables of one's own: separated values, or JSON objects. A table is read row by row, as a stream: it is never in
//! memory as a whole.

mod json;
mod lines;
mod separated;

use std::cell;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use encoding_rs::{Encoding, UTF_8};

use self::json::Values;
use self::lines::{Lines, SPLIT};
use self::separated::Separated;
use super::progress::{LoadProgress, Unit};
use crate::dataset::Note;
use crate::error::{DataError, Result, SHOWN_NAME, SHOWN_REASON, shown, shown_names};
use crate::files::open_sized;
use crate::limits::Limits;

/// Rows between two reports of progress.
const REPORT_EVERY: usize = 1024;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Separated by commas, with a line of column names first.
    Csv,
    /// Separated by tabs, with a line of column names first.
    Tsv,
    /// A JSON object a line.
    JsonLines,
}

/// How a table is to be understood; what isn't given is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableForm {
    /// How it is written.
    pub format: Option<TableFormat>,
    /// Whether its first line names the columns; else they are called 1, 2, ….
    pub header: bool,
}

impl Default for TableForm {
    fn default() -> Self {
        Self {
            format: None,
            header: true,
        }
    }
}

/// A row's value in a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// A text; all that separated values hold.
    Text(String),
    /// A number or a truth value, as JSON writes it.
    Scalar(String),
    /// JSON's `null`.
    Null,
    /// What anything else is.
    Other(&'static str),
}

/// What was asked for of a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
    /// Its values, in the order of the columns that were chosen.
    pub(crate) cells: Vec<Cell>,
}

/// A table that is read row by row.
pub(crate) struct Table<'a> {
    path: PathBuf,
    lines: Lines<'a>,
    rows: Rows,
    columns: Vec<String>,
    /// The line that names them.
    named: u64,
    chosen: Vec<usize>,
    /// The first row, where it had to be read to know the columns, by its line.
    first: Option<u64>,
    /// Rows that were given, and how many there may be.
    count: usize,
    most: usize,
    /// Bytes of the file, and those that were read.
    length: u64,
    done: Rc<cell::Cell<u64>>,
    progress: &'a mut dyn FnMut(LoadProgress),
    /// What was recognised, and what is doubtful.
    pub(crate) notes: Vec<Note>,
}

/// How rows are read, with the one that was read last.
enum Rows {
    Separated(Separated),
    JsonLines(String),
}

impl<'a> Table<'a> {
    /// Opens a file. All columns are chosen.
    ///
    /// # Errors
    /// If it is no table, or larger than its limits.
    pub(crate) fn open(
        path: &Path,
        form: &TableForm,
        limits: &Limits,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let (file, length) = open_sized(path)?;
        Self::read(path, (file, length), form, limits, progress)
    }

    /// Reads a table from a source of so many bytes; `path` is for messages.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub(crate) fn read(
        path: &Path,
        (source, length): (impl Read + 'a, u64),
        form: &TableForm,
        limits: &Limits,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let done = Rc::new(cell::Cell::new(0));
        let mut source = Counting {
            inner: source,
            bytes: done.clone(),
        };
        let mut mark = Vec::new();
        (&mut source)
            .take(3)
            .read_to_end(&mut mark)
            .map_err(DataError::reading(path))?;
        let encoding = Encoding::for_bom(&mark).map_or(UTF_8, |(encoding, _)| encoding);
        let source = Box::new(io::Cursor::new(mark).chain(source));
        let mut table = Self {
            path: path.into(),
            lines: Lines::new(path, source, encoding, limits),
            rows: match form.format.unwrap_or(TableFormat::Csv) {
                TableFormat::Csv => Rows::Separated(Separated::new(',')),
                TableFormat::Tsv => Rows::Separated(Separated::new('\t')),
                TableFormat::JsonLines => Rows::JsonLines(String::new()),
            },
            columns: Vec::new(),
            named: 0,
            chosen: Vec::new(),
            first: None,
            count: 0,
            most: limits.rows,
            length,
            done,
            progress,
            notes: Vec::new(),
        };
        table.first = table.read_row()?;
        table.learn_columns(form.header)?;
        table.chosen = (0..table.columns.len()).collect();
        Ok(table)
    }

    fn learn_columns(&mut self, header: bool) -> Result<()> {
        let Some(line) = self.first else {
            return Err(DataError::Empty {
                path: self.path.clone(),
                part: "the table",
                remedy: "give one with a row an example",
            });
        };
        self.named = line;
        match &self.rows {
            Rows::Separated(row) if header => {
                self.columns = row.cells().map(|name| name.trim().to_owned()).collect();
                self.first = None;
            }
            Rows::Separated(row) => {
                self.columns = (1..=row.cells().len())
                    .map(|column| column.to_string())
                    .collect();
            }
            Rows::JsonLines(row) => {
                self.columns = json::keys(row).map_err(|error| self.no_object(line, &error))?;
            }
        }
        Ok(())
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the columns, in their order: those of the first line, or the keys of the first object.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The place of a column.
    ///
    /// # Errors
    /// If there is none of that name, or more than one.
    pub(crate) fn column(&self, name: &str) -> Result<usize> {
        let columns = self.columns();
        let mut places = (0..columns.len()).filter(|place| columns[*place] == name);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => Err(self.twice(self.named, name)),
            (None, _) => Err(self.missing_column(self.named, name, &self.columns)),
        }
    }

    /// Chooses the columns that the rows are read for, by their places: the cells come in this order.
    pub(crate) fn choose(&mut self, columns: &[usize]) {
        self.chosen = columns.to_vec();
    }

    /// Reads the next row; none is left at the end.
    ///
    /// # Errors
    /// Names the line of a row that can't be read, has another number of values than there are columns, or lacks a
    /// chosen key.
    pub(crate) fn next_row(&mut self) -> Result<Option<Row>> {
        let line = match self.first.take() {
            Some(line) => Some(line),
            None => self.read_row()?,
        };
        let Some(line) = line else {
            self.report();
            return Ok(None);
        };
        if self.count == self.most {
            return Err(DataError::TooMuch {
                path: self.path.clone(),
                reason: format!("it has more than {} rows", self.most),
                remedy: SPLIT,
            });
        }
        self.count += 1;
        if self.count.is_multiple_of(REPORT_EVERY) {
            self.report();
        }
        let cells = match &self.rows {
            Rows::Separated(row) => {
                let (found, expected) = (row.cells().len(), self.columns.len());
                if found != expected {
                    let reason = format!(
                        "{found} columns where the first line has {expected}; \
                         put quotes around a text that holds the separator"
                    );
                    return Err(self.error(line, reason));
                }
                let cell = |&place: &usize| Cell::Text(row.cell(place).to_owned());
                self.chosen.iter().map(cell).collect()
            }
            Rows::JsonLines(row) => self.values(line, row)?,
        };
        Ok(Some(Row { line, cells }))
    }

    fn values(&self, line: u64, row: &str) -> Result<Vec<Cell>> {
        let name = |place: usize| self.columns[self.chosen[place]].as_str();
        let keys: Vec<&str> = (0..self.chosen.len()).map(name).collect();
        let values = Values::parse(row, &keys).map_err(|error| self.no_object(line, &error))?;
        if let Some(place) = values.twice {
            return Err(self.twice(line, name(place)));
        }
        let cells = values.cells.into_iter().enumerate();
        cells
            .map(|(place, cell)| {
                cell.ok_or_else(|| {
                    let keys = json::keys(row).unwrap_or_default();
                    self.missing_column(line, name(place), &keys)
                })
            })
            .collect()
    }

    /// Reads the next row that is not empty, as it is written, and gives the line on which it begins.
    fn read_row(&mut self) -> Result<Option<u64>> {
        match &mut self.rows {
            Rows::Separated(row) => row.read(&mut self.lines, &self.path),
            Rows::JsonLines(row) => loop {
                row.clear();
                if !self.lines.append_to(row)? {
                    return Ok(None);
                }
                if !row.trim_ascii().is_empty() {
                    return Ok(Some(self.lines.line()));
                }
            },
        }
    }

    fn report(&mut self) {
        (self.progress)(LoadProgress {
            done: self.done.get().min(self.length),
            total: self.length,
            unit: Unit::Bytes,
        });
    }

    /// An error that names a line of this table.
    pub(crate) fn error(&self, line: u64, reason: String) -> DataError {
        row_error(&self.path, line, reason)
    }

    fn no_object(&self, line: u64, error: &serde_json::Error) -> DataError {
        let error = shown(&error.to_string(), SHOWN_REASON);
        self.error(
            line,
            format!("not a JSON object ({error}); write one a line"),
        )
    }

    fn twice(&self, line: u64, name: &str) -> DataError {
        let what = match self.rows {
            Rows::Separated(_) => "column",
            Rows::JsonLines(_) => "key",
        };
        let name = shown(name, SHOWN_NAME);
        let reason = format!("the {what} `{name}` is there twice; leave one out, or rename it");
        self.error(line, reason)
    }

    fn missing_column(&self, line: u64, column: &str, columns: &[String]) -> DataError {
        DataError::MissingColumn {
            path: self.path.clone(),
            line,
            column: shown(column, SHOWN_NAME),
            columns: shown_names(columns.iter().map(String::as_str)),
        }
    }
}

fn row_error(path: &Path, line: u64, reason: String) -> DataError {
    DataError::Row {
        path: path.into(),
        line,
        reason,
    }
}

/// Counts the bytes that are read through it.
struct Counting<R> {
    inner: R,
    bytes: Rc<cell::Cell<u64>>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.set(self.bytes.get() + count as u64);
        Ok(count)
    }
}
