//! Answers, on standard output: text for people, or JSON, an object a line. All else that the program
//! says goes to standard error.

use std::io::{ErrorKind, Write};

use anyhow::Result;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// JSON, an object a line
    Json,
}

/// Writes a line of an answer.
pub fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Writes one JSON object.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string(value)?)
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
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// Whether standard output was closed by its reader, as `head` does: no failure of ours.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
