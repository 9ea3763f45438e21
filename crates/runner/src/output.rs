//! Answers, on standard output: text for people, or JSON, an object a line. All else that the program
//! says goes to standard error.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use gatefold::terminal::{columns, printable, printable_json, shortened, within_line};
use serde::Serialize;
use thiserror::Error;

/// An end with an exit code of its own.
#[derive(Debug, Error)]
pub enum End {
    /// By a signal, or by Ctrl-C as a key; all is said. With the exit code.
    #[error("stopped")]
    Stopped(u8),
    /// A flag's value can't be followed.
    #[error("{0:#}")]
    Misused(anyhow::Error),
}

/// An answer that can't be written.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
struct WriteError(#[from] io::Error);

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// JSON, an object a line
    Json,
}

/// How answers to texts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// For people
    Text,
    /// JSON, an object a line
    Json,
    /// Comma-separated values, with a line of column names first
    Csv,
}

/// A share of right answers behind a loss, where there is one.
pub fn accuracy(share: Option<f64>) -> String {
    share.map_or(String::new(), |share| format!(", accuracy {share:.4}"))
}

/// Writes a line of an answer, or several.
pub fn line(text: &str) -> Result<()> {
    write(&printable(text))
}

/// Writes one JSON object.
pub fn json(value: &impl Serialize) -> Result<()> {
    write(&printable_json(&serde_json::to_string(value)?))
}

/// Writes a row of comma-separated values: as they are, but where a terminal would obey them.
pub fn csv(cells: impl IntoIterator<Item = String>) -> Result<()> {
    let mut row = csv::Writer::from_writer(Vec::new());
    row.write_record(cells)?;
    let row = String::from_utf8(row.into_inner()?)?;
    match io::stdout().is_terminal() {
        true => line(row.trim_end_matches('\n')),
        false => write(row.trim_end_matches('\n')),
    }
}

fn write(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    Ok(written.map_err(WriteError)?)
}

/// A text that is written as it comes, byte by byte: on a terminal once a character is whole, and nothing that it would
/// obey but line breaks and tabs.
#[derive(Debug, Default)]
pub struct Stream {
    /// The beginning of a character.
    begun: Vec<u8>,
}

impl Stream {
    /// Writes what comes next.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        if !out.is_terminal() {
            return Ok(out
                .write_all(bytes)
                .and_then(|()| out.flush())
                .map_err(WriteError)?);
        }
        self.begun.extend(bytes);
        let whole = match std::str::from_utf8(&self.begun) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.begun.len(),
        };
        let text: Vec<u8> = self.begun.drain(..whole).collect();
        let text = printable(&String::from_utf8_lossy(&text)).into_owned();
        Ok(out
            .write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(WriteError)?)
    }

    /// Ends the text's last line.
    pub fn end(mut self) -> Result<()> {
        self.write(b"\n")
    }
}

/// Writes a table; the columns after the first `left` ones hold numbers. On a terminal too narrow for it, the first ones
/// are shortened.
pub fn table(header: &[&str], rows: Vec<Vec<String>>, left: usize) -> Result<()> {
    fitting_table(header, rows, left, &[])
}

/// Writes a table; on a terminal too narrow for it, the columns of `first_to_go` go one after the other until the rest
/// fits, the first `left` columns shortened.
pub fn fitting_table(
    header: &[&str],
    mut rows: Vec<Vec<String>>,
    left: usize,
    first_to_go: &[usize],
) -> Result<()> {
    let mut header = header.to_vec();
    let mut left = left;
    if let Some(width) = width() {
        // As wide as they will be shown.
        for cell in rows.iter_mut().flatten() {
            *cell = within_line(cell).into_owned();
        }
        left = fit(&mut header, &mut rows, left, (width, first_to_go));
    }
    let table = render_table(&header, rows, left, presets::UTF8_FULL_CONDENSED);
    line(&table)
}

/// Columns of the terminal that standard output is, if it is one.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (columns, _) = ratatui::crossterm::terminal::size().ok()?;
    (columns > 0).then_some(columns.into())
}

/// Columns that a cell of a name has at least, before columns go.
const LEAST: usize = 16;

/// Makes a table at most `width` wide: columns of `first_to_go` go, the first `left` ones are shortened. How many of
/// those are left.
fn fit(
    header: &mut Vec<&str>,
    rows: &mut [Vec<String>],
    left: usize,
    (width, first_to_go): (usize, &[usize]),
) -> usize {
    let of_header = |title: &str| title.lines().map(columns).max().unwrap_or(0);
    let mut widths: Vec<usize> = header.iter().map(|title| of_header(title)).collect();
    for row in rows.iter() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let mut least = widths.clone();
    for (least, title) in least.iter_mut().zip(&header[..]).take(left) {
        *least = (*least).min(LEAST.max(of_header(title)));
    }
    let mut kept: Vec<usize> = (0..header.len()).collect();
    // A space on both sides of a cell, and a line between cells.
    let total = |kept: &[usize], widths: &[usize]| {
        1 + kept.iter().map(|&column| widths[column] + 3).sum::<usize>()
    };
    for going in first_to_go {
        if total(&kept, &least) <= width {
            break;
        }
        kept.retain(|column| column != going);
    }
    // What is named by one column may be shorter than what is named by another.
    while total(&kept, &widths) > width {
        let shorter = kept
            .iter()
            .filter(|column| widths[**column] > least[**column]);
        let Some(&widest) = shorter.max_by_key(|column| widths[**column]) else {
            break;
        };
        widths[widest] -= 1;
    }
    *header = kept.iter().map(|&column| header[column]).collect();
    for row in rows {
        let cell = |&column: &usize| shortened(&row[column], widths[column]).into_owned();
        *row = kept.iter().map(cell).collect();
    }
    kept.iter().filter(|column| **column < left).count()
}

/// A table as text in one of comfy-table's styles; the columns after the first `left` ones hold numbers.
pub fn render_table(header: &[&str], rows: Vec<Vec<String>>, left: usize, style: &str) -> String {
    let mut table = Table::new();
    table.load_preset(style);
    table.set_header(header.to_vec());
    // Escaped before the columns' widths are measured.
    let safe = |cell: &String| within_line(cell).into_owned();
    table.add_rows(rows.iter().map(|row| row.iter().map(safe)));
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Whether standard output was closed by its reader, as `head` does: no failure of ours.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<WriteError>()
        .is_some_and(|WriteError(error)| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_cells_stay_in_their_columns() {
        let row = |word: &str| vec![word.to_string(), "1".into()];
        let rows = vec![row("plain"), row("\u{1b}[31m\nb")];
        let table = render_table(&["word", "count"], rows, 1, presets::ASCII_FULL_CONDENSED);
        assert!(table.contains("\\u{1b}[31m\\u{a}b"), "{table}");
        let mut widths = table.lines().map(|line| line.chars().count());
        let first = widths.next().unwrap();
        assert!(widths.all(|width| width == first), "{table}");
    }

    #[test]
    fn a_table_fits_its_terminal() {
        let long = "a name of which nobody can say how long it is going to be in the end";
        let header = ["name", "kind", "count", "share"];
        let row = |name: &str| {
            [name, "some", "123456", "0.5000"]
                .map(str::to_string)
                .to_vec()
        };
        let table = |width: usize, first_to_go: &[usize]| {
            let mut header = header.to_vec();
            let mut rows = vec![row(long), row("日本語".repeat(20).as_str())];
            let left = fit(&mut header, &mut rows, 2, (width, first_to_go));
            render_table(&header, rows, left, presets::UTF8_FULL_CONDENSED)
        };
        let widest = |table: &str| table.lines().map(columns).max().unwrap();
        let whole = table(200, &[2, 1]);
        assert!(whole.contains(long) && whole.contains("123456"), "{whole}");
        let shortened = table(80, &[2, 1]);
        assert_eq!(widest(&shortened), 80, "{shortened}");
        assert!(
            shortened.contains('…') && shortened.contains("in the end"),
            "{shortened}"
        );
        assert!(shortened.contains("123456"), "{shortened}");
        let without_counts = table(40, &[2, 1]);
        assert!(
            !without_counts.contains("123456") && without_counts.contains("some"),
            "{without_counts}"
        );
        assert!(widest(&without_counts) <= 40);
        let narrow = table(10, &[2, 1]);
        assert!(
            narrow.contains("0.5000") && !narrow.contains("some"),
            "{narrow}"
        );
    }

    #[test]
    fn only_standard_output_may_be_gone() {
        let gone = || io::Error::from(ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&WriteError(gone()).into()));
        assert!(!is_broken_pipe(&gone().into()));
        let full = WriteError(ErrorKind::StorageFull.into()).into();
        assert!(!is_broken_pipe(&full));
        assert!(format!("{full:#}").starts_with("cannot write to standard output: "));
    }
}
