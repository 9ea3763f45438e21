//! Tables of one's own: separated values, or JSON objects. A table is read row by row, as a stream: it is never in
//! memory as a whole.

mod array;
mod json;
mod lines;
mod recognise;
mod separated;

use std::cell;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use encoding_rs::Encoding;
use flate2::bufread::MultiGzDecoder;

use self::array::Array;
use self::json::Values;
use self::lines::{Lines, SPLIT, too_much};
pub(super) use self::recognise::encoding;
use self::recognise::{name_of, recognise};
use self::separated::{Fault, Faulty, Separated};
use super::progress::{LoadProgress, Unit};
use crate::dataset::Note;
use crate::error::{DataError, Result, SHOWN_NAME, SHOWN_REASON, shown, shown_names};
#[cfg(feature = "files")]
use crate::files::open_sized;
use crate::form::{TableForm, TableFormat};
use crate::limits::Limits;

/// Rows between two reports of progress.
const REPORT_EVERY: usize = 1024;

/// Bytes by which a table is recognised.
const SAMPLE: u64 = 1 << 18;

/// The name of the text encoding that a name stands for, if there is one: `latin-1` is `windows-1252`, as on the web.
pub fn encoding_name(name: &str) -> Option<&'static str> {
    encoding(name).map(Encoding::name)
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
    /// An array of such values.
    List(Vec<Cell>),
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
    separator: char,
    columns: Vec<String>,
    /// The line that names them.
    named: u64,
    chosen: Vec<usize>,
    /// Whether the line of names looks as the rows do.
    named_by_row: bool,
    /// Whether a text in quotation marks may go on in the next line.
    spans: bool,
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
    JsonArray(Array, String),
}

impl<'a> Table<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if it can't be opened.
    #[cfg(feature = "files")]
    pub(crate) fn open(
        path: &Path,
        form: &TableForm,
        limits: &Limits,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        Self::read(path, open_sized(path)?, form, limits, progress)
    }

    /// Reads a table from a source of so many bytes; `path` is for messages. All columns are chosen.
    ///
    /// # Errors
    /// If it is no table, or larger than its limits.
    pub(crate) fn read(
        path: &Path,
        (source, length): (impl Read + 'a, u64),
        form: &TableForm,
        limits: &Limits,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        if length > limits.table {
            return Err(too_much(path, limits));
        }
        let done = Rc::new(cell::Cell::new(0));
        let mut source = Counting {
            inner: source,
            bytes: done.clone(),
        };
        let mut magic = Vec::new();
        (&mut source)
            .take(2)
            .read_to_end(&mut magic)
            .map_err(DataError::reading(path))?;
        let packed = magic == [0x1f, 0x8b];
        let source = io::Cursor::new(magic).chain(source);
        let mut source: Box<dyn Read + 'a> = match packed {
            true => Box::new(MultiGzDecoder::new(BufReader::new(source))),
            false => Box::new(source),
        };
        let mut sample = Vec::new();
        let sampled = (&mut source).take(SAMPLE).read_to_end(&mut sample);
        // What is wrong is met again, and named, where it is read.
        let source: Box<dyn Read + 'a> = match sampled {
            Ok(_) => source,
            Err(error) => Box::new(Failed(Some(error))),
        };
        let whole = (sample.len() as u64) < SAMPLE;
        let found = recognise(path, (&sample, whole), form, limits)?;
        let source = Box::new(io::Cursor::new(sample).chain(source));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let summary = format!("{}: {}", shown(&name, SHOWN_NAME), found.summary);
        let mut table = Self {
            path: path.into(),
            lines: Lines::new(path, (source, packed), found.encoding, limits),
            rows: match found.format {
                TableFormat::Separated => Rows::Separated(Separated::new(
                    found.separator,
                    found.quoting,
                    limits.columns,
                )),
                TableFormat::JsonLines => Rows::JsonLines(String::new()),
                TableFormat::JsonArray => Rows::JsonArray(Array::default(), String::new()),
            },
            separator: found.separator,
            named_by_row: form.header && found.first_is_row,
            spans: found.spans,
            columns: Vec::new(),
            named: 0,
            chosen: Vec::new(),
            first: None,
            count: 0,
            most: limits.rows,
            length,
            done,
            progress,
            notes: vec![Note::understood(summary)],
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
        match &mut self.rows {
            Rows::Separated(row) => {
                if row.count() > row.cells().len() {
                    let reason = format!("more than {} columns", row.cells().len());
                    return Err(self.error(line, reason));
                }
                self.columns = match header {
                    true => row.cells().map(|name| name.trim().to_owned()).collect(),
                    false => (1..=row.count()).map(|column| column.to_string()).collect(),
                };
                row.keep(self.columns.len());
                if header {
                    self.first = None;
                }
            }
            Rows::JsonLines(row) | Rows::JsonArray(_, row) => match json::keys(row) {
                Ok(keys) => self.columns = keys,
                Err(error) => return Err(no_object(&self.path, line, row, &error)),
            },
        }
        Ok(())
    }

    /// The first blank line between rows that were read: in a table of one column it may be a value that is missing.
    #[cfg(feature = "files")]
    pub(crate) fn blank(&self) -> Option<u64> {
        match &self.rows {
            Rows::Separated(row) => row.blank(),
            Rows::JsonLines(_) | Rows::JsonArray(..) => None,
        }
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
                if row.count() != self.columns.len() {
                    return Err(self.uneven(line, row));
                }
                if let Some((line, column)) = row.spans().filter(|_| !self.spans) {
                    let reason = "the text in quotation marks that begins here goes on in the next line: if it does, \
                         `--quoting double`; if the mark is a character as any other, `--quoting none`";
                    return Err(place_error(&self.path, (line, column), reason));
                }
                let cell = |&place: &usize| Cell::Text(row.cell(place).to_owned());
                self.chosen.iter().map(cell).collect()
            }
            Rows::JsonLines(row) | Rows::JsonArray(_, row) => self.values(line, row)?,
        };
        Ok(Some(Row { line, cells }))
    }

    fn values(&self, line: u64, row: &str) -> Result<Vec<Cell>> {
        let name = |place: usize| self.columns[self.chosen[place]].as_str();
        let keys: Vec<&str> = (0..self.chosen.len()).map(name).collect();
        let values =
            Values::parse(row, &keys).map_err(|error| no_object(&self.path, line, row, &error))?;
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
            Rows::Separated(row) => match row.read(&mut self.lines)? {
                Ok(line) => Ok(line),
                Err(faulty) => Err(self.fault(faulty)),
            },
            Rows::JsonLines(row) => loop {
                row.clear();
                if !self.lines.append_line(row, None)? {
                    return Ok(None);
                }
                if !row.trim_ascii().is_empty() {
                    return Ok(Some(self.lines.line()));
                }
            },
            Rows::JsonArray(array, row) => array.read(&mut self.lines, row, &self.path),
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

    fn fault(&self, (fault, place): Faulty) -> DataError {
        let reason = match fault {
            Fault::Open => {
                "the quotation mark that opens here is not closed; close it, or write two for one that is part of a \
                 quoted text; if marks are characters as any other here, `--quoting none`"
            }
            Fault::After { backslash: true } => {
                "text after the quotation mark that closes, before which a backslash stands; if that makes it a part \
                 of the text, `--quoting backslash`"
            }
            Fault::After { backslash: false } => {
                "text after the quotation mark that closes; write two for one that is part of a quoted text, or if \
                 marks are characters as any other here, `--quoting none`"
            }
        };
        place_error(&self.path, place, reason)
    }

    fn uneven(&self, line: u64, row: &Separated) -> DataError {
        let (found, expected) = (row.count(), self.columns.len());
        let written = row.written().trim_end_matches(['\r', '\n']);
        let hint = if found == expected + 1 && written.ends_with(self.separator) {
            "its last one is empty: take the separator at its end away"
        } else if found > expected {
            "put quotes around a text that holds the separator"
        } else {
            "a value is missing, or the line ends within a text that has no quotes around it"
        };
        let separator = name_of(self.separator);
        self.error(
            line,
            format!(
                "{found} columns, separated by {separator}, where the first line has {expected}; {hint}"
            ),
        )
    }

    fn twice(&self, line: u64, name: &str) -> DataError {
        let what = match self.rows {
            Rows::Separated(_) => "column",
            Rows::JsonLines(_) | Rows::JsonArray(..) => "key",
        };
        let name = shown(name, SHOWN_NAME);
        let reason = format!("the {what} `{name}` is there twice; leave one out, or rename it");
        self.error(line, reason)
    }

    fn missing_column(&self, line: u64, column: &str, columns: &[String]) -> DataError {
        let alike = |name: &&String| name.to_lowercase() == column.trim().to_lowercase();
        let hint = if let Some(name) = columns.iter().find(alike) {
            format!("; did you mean `{}`?", shown(name, SHOWN_NAME))
        } else if self.named_by_row {
            ", or if the table has no line of names, `--no-header`, and name it by its number"
                .into()
        } else {
            String::new()
        };
        DataError::MissingColumn {
            path: self.path.clone(),
            line,
            column: shown(column, SHOWN_NAME),
            columns: shown_names(columns.iter().map(String::as_str)),
            hint,
        }
    }
}

fn no_object(path: &Path, line: u64, row: &str, error: &serde_json::Error) -> DataError {
    let (within, column) = (error.line(), error.column());
    let reason = error.to_string();
    let reason = reason
        .strip_suffix(&format!(" at line {within} column {column}"))
        .unwrap_or(&reason);
    let reason = format!(
        "not a JSON object ({}); write one a line, or an array of them",
        shown(reason, SHOWN_REASON)
    );
    let text = row
        .split('\n')
        .nth(within.saturating_sub(1))
        .unwrap_or_default();
    let before = &text.as_bytes()[..column.saturating_sub(1).min(text.len())];
    let column = String::from_utf8_lossy(before).chars().count() + 1;
    let place = (line + within.saturating_sub(1) as u64, column);
    place_error(path, place, &reason)
}

fn place_error(path: &Path, (line, column): (u64, usize), reason: &str) -> DataError {
    DataError::Place {
        path: path.into(),
        line,
        column,
        reason: reason.into(),
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

/// A source that has failed.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::Other.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Quoting;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use std::io::Write;

    /// All of a table: its columns, its rows with their lines, its first note.
    type All = (Vec<String>, Vec<(u64, Vec<String>)>, String);

    fn read_as(name: &str, bytes: &[u8], form: &TableForm) -> Result<All> {
        let mut progress = |_| {};
        let source = (bytes, bytes.len() as u64);
        let mut table = Table::read(
            Path::new(name),
            source,
            form,
            &Limits::default(),
            &mut progress,
        )?;
        let mut rows = Vec::new();
        while let Some(row) = table.next_row()? {
            let cells = row.cells.into_iter().map(|cell| match cell {
                Cell::Text(text) | Cell::Scalar(text) => text,
                Cell::Null => "null".into(),
                Cell::List(_) => "an array".into(),
                Cell::Other(kind) => kind.into(),
            });
            rows.push((row.line, cells.collect()));
        }
        Ok((table.columns.clone(), rows, table.notes[0].text.clone()))
    }

    fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<All> {
        read_as(name, bytes.as_ref(), &TableForm::default())
    }

    fn message(name: &str, bytes: impl AsRef<[u8]>) -> String {
        read(name, bytes).unwrap_err().to_string()
    }

    fn rows(bytes: impl AsRef<[u8]>, form: &TableForm) -> Vec<Vec<String>> {
        let (_, rows, _) = read_as("t", bytes.as_ref(), form).unwrap();
        rows.into_iter().map(|(_, cells)| cells).collect()
    }

    #[test]
    fn separators_are_recognised_by_rows_that_agree() {
        for (name, table, separator) in [
            ("t.csv", "text,label\na; b,1\nc,0\n", "commas"),
            ("t.csv", "text;label\n\"a; b\";1\nc, d;0\n", "semicolons"),
            ("t.txt", "text\tlabel\na, b\t1\nc; d\t0\n", "tabs"),
            ("t.csv", "text|label\na, b|1\nc|0\n", "vertical bars"),
            ("t.csv", "id,text;label\n1,a, b;1\n2;0\n", "semicolons"),
            ("t", "text\na\nb\n", "commas"),
        ] {
            let (columns, rows, note) =
                read(name, table).unwrap_or_else(|error| panic!("{table:?}: {error}"));
            assert!(
                note.contains(&format!("separated by {separator}")),
                "{table:?}: {note}"
            );
            assert_eq!(rows.len(), 2, "{table:?}");
            assert_eq!(
                columns.last().unwrap(),
                if columns.len() > 1 { "label" } else { "text" }
            );
        }
        // Nothing tells which it is.
        let doubtful = message("t.txt", "a;b|c\n1;2|3\n4;5|6\n");
        assert!(
            doubtful.contains("t.txt: its values may be separated by more than one character"),
            "{doubtful}"
        );
        let form = TableForm {
            separator: Some('|'),
            ..TableForm::default()
        };
        assert_eq!(rows("a;b|c\n1;2|3\n", &form), [["1;2", "3"]]);
    }

    #[test]
    fn a_row_that_does_not_fit_is_an_error_with_a_hint() {
        for (table, expected) in [
            (
                "text,label\na,1\nb,0,\nc,1\n",
                "line 3: 3 columns, separated by commas, where the first line has 2; its last one is empty",
            ),
            (
                "text,label\na,1\nb, c,0\n",
                "line 3: 3 columns, separated by commas, where the first line has 2; put quotes",
            ),
            (
                "text,label\na,1\nb\n",
                "line 3: 1 columns, separated by commas, where the first line has 2; a value is missing",
            ),
            (
                "text,label\n\"a\" b,1\n",
                "line 2, column 4: text after the quotation mark that closes",
            ),
            (
                "text,label\na,1\n\"b \\\" c,0\n",
                "line 3, column 6: text after the quotation mark that closes, before which a backslash stands",
            ),
            (
                "text,label\na,1\n\"b,0\n",
                "line 3, column 1: the quotation mark that opens here is not closed",
            ),
        ] {
            let message = message("t.csv", table);
            assert!(message.contains(expected), "{message}");
        }
        // A column without a name is one.
        let (columns, ..) = read("t.csv", "text,label,\na,1,\nb,0,\n").unwrap();
        assert_eq!(columns, ["text", "label", ""]);
    }

    #[test]
    fn quoting_is_recognised_where_nothing_else_fits() {
        let (_, rows, note) = read(
            "t.csv",
            "text,label\n\"a \\\"fine\\\", long\\\\\",1\n\"b\",0\n",
        )
        .unwrap();
        assert_eq!(rows[0].1, ["a \"fine\", long\\", "1"]);
        assert!(
            note.contains("with backslashes before quotation marks"),
            "{note}"
        );
        // A mark that opens and closes nothing, alone and with another one that would close it lines below.
        for table in [
            "label\ttext\n1\tgood\n0\t\"so bad\n1\tfine\n",
            "label\ttext\n1\t\"good\n0\tbad\"\n1\tfine\n",
        ] {
            let (_, rows, note) = read("t.tsv", table).unwrap();
            assert_eq!(rows.len(), 3, "{table:?}");
            assert!(
                note.contains("without quoting (the quotation mark in line"),
                "{note}"
            );
        }
        // Quoted texts with line ends in them, which rows without quotes could not be.
        let (_, rows, _) = read("t.tsv", "label\ttext\n1\t\"two\nlines\"\n0\tbad\n").unwrap();
        assert_eq!(rows[0].1, ["1", "two\nlines"]);
        assert_eq!(rows[1].0, 4);
        // What the first rows leave open is asked for.
        let many = "1\tfine\n".repeat(60_000);
        let late = message("t.tsv", format!("label\ttext\n{many}1\t\"good\n0\tbad\"\n"));
        assert!(
            late.contains("line 60002, column 3: the text in quotation marks"),
            "{late}"
        );
        // Both kinds in one table.
        let both = message(
            "t.tsv",
            "label\ttext\n1\t\"a \"\"b\"\"\"\n0\t\"so bad\n1\tfine\n",
        );
        assert!(
            both.contains("line 3, column 3: the quotation mark that opens here is not closed"),
            "{both}"
        );
        // What is given decides.
        let form = |quoting| TableForm {
            quoting: Some(quoting),
            ..TableForm::default()
        };
        assert_eq!(
            super::tests::rows("a,b\n\"x\",1\n", &form(Quoting::None)),
            [["\"x\"", "1"]]
        );
        assert_eq!(
            super::tests::rows("a,b\n\"x\",1\n", &form(Quoting::Double)),
            [["x", "1"]]
        );
    }

    #[test]
    fn encodings_are_recognised_or_given() {
        let table = "text,label\nça va,1\nschön,0\n";
        let utf16 =
            |bytes: fn(u16) -> [u8; 2]| table.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        for (bytes, name) in [
            (table.as_bytes().to_vec(), "UTF-8"),
            ([b"\xef\xbb\xbf", table.as_bytes()].concat(), "UTF-8"),
            ([b"\xff\xfe", &little[..]].concat(), "UTF-16LE"),
            ([b"\xfe\xff", &big[..]].concat(), "UTF-16BE"),
            (little, "UTF-16LE"),
            (big, "UTF-16BE"),
        ] {
            let (columns, rows, note) = read("t.csv", bytes).unwrap();
            assert_eq!(columns, ["text", "label"], "{name}");
            assert_eq!(rows[0].1, ["ça va", "1"]);
            assert!(note.ends_with(&format!("in {name}")), "{note}");
        }
        let form = |name: &str| TableForm {
            encoding: Some(name.into()),
            ..TableForm::default()
        };
        let latin: Vec<u8> = table.chars().map(|c| c as u8).collect();
        for name in ["latin-1", "ISO-8859-1", "windows-1252", "cp1252"] {
            assert_eq!(rows(&latin, &form(name))[0], ["ça va", "1"], "{name}");
        }
        let (sjis, ..) = encoding_rs::SHIFT_JIS.encode("text,label\n良い,1\n");
        assert_eq!(rows(&sjis, &form("shift_jis")), [["良い", "1"]]);
        let wrong = read_as("t", b"text,label\n\xff,1\n", &form("shift-jis"));
        let wrong = wrong.unwrap_err().to_string();
        assert!(
            wrong.contains("line 2, column 1: a byte 0xff that is no Shift_JIS"),
            "{wrong}"
        );
        let unknown = read_as("t", &latin, &form("klingon"))
            .unwrap_err()
            .to_string();
        assert!(
            unknown.contains("no encoding is called `klingon`"),
            "{unknown}"
        );
        assert_eq!(encoding_name("Latin-1"), Some("windows-1252"));
        // The place of what is damaged, across reads of the file.
        let long = format!("text,label\n{}caf", "fine,1\n".repeat(20_000));
        let damaged = message("t.csv", [long.as_bytes(), b"\xe9 noir,1\n"].concat());
        assert!(
            damaged.contains("line 20002, column 4: a byte 0xe9 that is no UTF-8"),
            "{damaged}"
        );
        assert!(damaged.contains("the word here is \"café\""), "{damaged}");
    }

    #[test]
    fn without_a_header_columns_are_numbers() {
        let form = TableForm {
            header: false,
            ..TableForm::default()
        };
        let (columns, rows, _) = read_as("t.csv", b"0,a\n4,b\n", &form).unwrap();
        assert_eq!(columns, ["1", "2"]);
        assert_eq!(
            rows,
            [
                (1, vec!["0".to_owned(), "a".to_owned()]),
                (2, vec!["4".to_owned(), "b".to_owned()])
            ]
        );
        let mut progress = |_| {};
        let source = (&b"0,a\n4,b\n"[..], 8);
        let table = Table::read(
            Path::new("t.csv"),
            source,
            &TableForm::default(),
            &Limits::default(),
            &mut progress,
        );
        let missing = table.unwrap().column("text").unwrap_err().to_string();
        assert!(
            missing.contains("if the table has no line of names, `--no-header`"),
            "{missing}"
        );
    }

    #[test]
    fn a_column_in_another_case_is_named() {
        let mut progress = |_| {};
        let source = (&b"Text,label\na,b\n"[..], 15);
        let table = Table::read(
            Path::new("t.csv"),
            source,
            &TableForm::default(),
            &Limits::default(),
            &mut progress,
        );
        let missing = table.unwrap().column("text").unwrap_err().to_string();
        assert!(
            missing.ends_with("name one of them; did you mean `Text`?"),
            "{missing}"
        );
    }

    #[test]
    fn json_is_recognised_by_its_first_character() {
        let lines = "{\"text\": \"a\", \"label\": 1}\n{\"text\": null, \"label\": true}\n";
        let array = "[{\"text\": \"a\", \"label\": 1},\n  {\"text\": null,\n \"label\": true}]\n";
        for (name, table, what, line) in [
            ("t.json", lines, "a JSON object a line", 2),
            ("t.txt", lines, "a JSON object a line", 2),
            ("t.json", array, "a JSON array of objects", 2),
            ("t.csv", array, "a JSON array of objects", 2),
        ] {
            let (columns, rows, note) = read(name, table).unwrap();
            assert_eq!(columns, ["text", "label"]);
            assert_eq!(rows[0], (1, vec!["a".to_owned(), "1".to_owned()]));
            assert_eq!(
                rows[1],
                (line, vec!["null".to_owned(), "true".to_owned()]),
                "{table}"
            );
            assert!(note.contains(what), "{note}");
        }
        // Keys are names, header or not.
        let form = TableForm {
            header: false,
            ..TableForm::default()
        };
        assert_eq!(rows(lines, &form).len(), 2);
        let (columns, ..) = read("t.csv", "[text],label\na,1\n").unwrap();
        assert_eq!(columns, ["[text]", "label"]);
    }

    #[test]
    fn a_broken_array_is_named_with_its_line() {
        for (table, expected) in [
            (
                "[{\"a\": 1}\n {\"a\": 2}]",
                "line 2: no comma between two objects",
            ),
            (
                "[{\"a\": 1},\n]",
                "line 2: a comma, and no object behind it",
            ),
            ("[{\"a\": 1},\n", "line 2: the array is not closed"),
            ("[{\"a\": 1}", "line 1: the array is not closed"),
            (
                "[\n{\"a\": \"]",
                "line 2: the object that begins here is not closed",
            ),
            ("[{\"a\": 1}]\n[]", "line 2: something follows the array"),
            (
                "[{\"a\": 1},\n\n {\"a\":\n x}]",
                "line 4, column 2: not a JSON object (expected value)",
            ),
            ("[{\"a\": 1}, 7]", "not a JSON object (invalid type"),
            ("[]", "the table is empty"),
        ] {
            let message = message("t.json", table);
            assert!(message.contains(expected), "{table:?}: {message}");
        }
    }

    #[test]
    fn a_packed_table_is_unpacked_within_its_limits() {
        let packed = |bytes: &[u8]| {
            let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
            gz.write_all(bytes).unwrap();
            gz.finish().unwrap()
        };
        let table: String = (0..20_000)
            .map(|row| format!("number {row},{}\n", row % 7))
            .collect();
        let table = format!("text,label\n{table}");
        let whole = packed(table.as_bytes());
        let (_, rows, _) = read("t.csv.gz", &whole).unwrap();
        assert_eq!(rows.len(), 20_000);
        let cut = message("t.csv.gz", &whole[..whole.len() - 20]);
        assert!(
            cut.contains("t.csv.gz: the archive is truncated or damaged after line"),
            "{cut}"
        );
        let early = message("t.csv.gz", &whole[..40]);
        assert!(early.contains("truncated or damaged"), "{early}");
        let limits = Limits {
            table: table.len() as u64 - 1,
            ..Limits::default()
        };
        let mut progress = |_| {};
        let source = (&whole[..], whole.len() as u64);
        let mut table = Table::read(
            Path::new("t"),
            source,
            &TableForm::default(),
            &limits,
            &mut progress,
        )
        .unwrap();
        let error = loop {
            match table.next_row() {
                Ok(row) => assert!(row.is_some()),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("it has more than"), "{error}");
    }

    #[test]
    fn what_is_no_table_of_text_is_told() {
        for (bytes, expected) in [
            (&b"PK\x03\x04...."[..], "a spreadsheet or an archive"),
            (b"\xff\xfe\0\0t\0\0\0", "UTF-32"),
            (b"text,label\nfine,1\n\0,0\n", "line 3: a NUL byte"),
        ] {
            assert!(message("t.csv", bytes).contains(expected));
        }
    }

    proptest! {
        /// What the csv crate writes is read as it was, with the lines on which rows begin.
        #[test]
        fn what_is_written_is_read(
            cells in prop::collection::vec(prop::collection::vec("[a\"; \n,\\\\é]{0,6}", 3), 1..9),
            crlf in any::<bool>(),
        ) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            writer.write_record(["x", "y", "z"]).unwrap();
            let mut line = 2;
            let mut expected = Vec::new();
            for row in &cells {
                writer.write_record(row).unwrap();
                expected.push((line, row.clone()));
                line += 1 + row.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
            }
            let form = TableForm {
                separator: Some(','),
                quoting: Some(Quoting::Double),
                ..TableForm::default()
            };
            let (_, rows, _) = read_as("t.csv", &writer.into_inner().unwrap(), &form).unwrap();
            prop_assert_eq!(rows, expected);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), name in "t[.](csv|tsv|json|gz|txt)") {
            let _ = read(&name, &bytes);
            let _ = read(&name, [b"[{\"a\": 1},".as_slice(), &bytes].concat());
        }
    }
}
