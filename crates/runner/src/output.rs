//! Answers, on standard output: text for people, or JSON, an object a line. All else that the program
//! says goes to standard error.

use std::io::{self, ErrorKind, Write};

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use gatefold::terminal::{printable, printable_json, within_line};
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

fn write(line: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    Ok(written.map_err(WriteError)?)
}

/// Writes a table; the columns after the first `left` ones hold numbers.
pub fn table(header: &[&str], rows: Vec<Vec<String>>, left: usize) -> Result<()> {
    line(&render_table(
        header,
        rows,
        left,
        presets::UTF8_FULL_CONDENSED,
    ))
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
    fn only_standard_output_may_be_gone() {
        let gone = || io::Error::from(ErrorKind::BrokenPipe);
        assert!(is_broken_pipe(&WriteError(gone()).into()));
        assert!(!is_broken_pipe(&gone().into()));
        let full = WriteError(ErrorKind::StorageFull.into()).into();
        assert!(!is_broken_pipe(&full));
        assert!(format!("{full:#}").starts_with("cannot write to standard output: "));
    }
}
