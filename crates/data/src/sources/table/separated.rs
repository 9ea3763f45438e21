//! Rows of separated values, quoted as RFC 4180 has it.

use std::path::Path;

use super::lines::Lines;
use crate::error::{DataError, Result};

/// A reader of rows: one is in memory at a time, as written and as its cells.
pub(super) struct Separated {
    separator: char,
    /// The row as written.
    written: String,
    /// Its cells, one after the other, and where each ends.
    cells: String,
    ends: Vec<usize>,
}

impl Separated {
    pub(super) fn new(separator: char) -> Self {
        Self {
            separator,
            written: String::new(),
            cells: String::new(),
            ends: Vec::new(),
        }
    }

    /// The cells of the row that was read last.
    pub(super) fn cells(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.ends.len()).map(|index| self.cell(index))
    }

    /// One of them.
    pub(super) fn cell(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.cells[start..self.ends[index]]
    }

    /// Reads the next row that is not empty, and gives the line on which it begins.
    ///
    /// # Errors
    /// If a quotation mark is not closed, or is followed by something else than a separator.
    pub(super) fn read(&mut self, lines: &mut Lines, path: &Path) -> Result<Option<u64>> {
        self.written.clear();
        self.cells.clear();
        self.ends.clear();
        while self.written.trim_end_matches(['\r', '\n']).is_empty() {
            self.written.clear();
            if !lines.append_to(&mut self.written)? {
                return Ok(None);
            }
        }
        let line = lines.line();
        // Where the line that is read begins, and what of it is read.
        let (mut start, mut at) = (0, 0);
        loop {
            if self.written[at..].starts_with('"') {
                let opened = (lines.line(), self.column(start, at));
                at += 1;
                loop {
                    let Some(length) = self.written[at..].find('"') else {
                        self.cells.push_str(&self.written[at..]);
                        at = self.written.len();
                        start = at;
                        if lines.append_to(&mut self.written)? {
                            continue;
                        }
                        let reason = "the quotation mark that opens here is not closed; close it, or write two \
                             for one that is part of a quoted text";
                        return Err(place_error(path, opened, reason));
                    };
                    self.cells.push_str(&self.written[at..at + length]);
                    at += length + 1;
                    if !self.written[at..].starts_with('"') {
                        break;
                    }
                    self.cells.push('"');
                    at += 1;
                }
            } else {
                let rest = &self.written[at..];
                let cell = rest.split(self.separator).next().unwrap_or_default();
                let cell = cell.trim_end_matches(['\r', '\n']);
                self.cells.push_str(cell);
                at += cell.len();
            }
            self.ends.push(self.cells.len());
            let rest = &self.written[at..];
            if rest.starts_with(self.separator) {
                at += self.separator.len_utf8();
            } else if rest.trim_end_matches(['\r', '\n']).is_empty() {
                return Ok(Some(line));
            } else {
                let place = (lines.line(), self.column(start, at));
                let reason = "text after the quotation mark that closes; write two for one that is part of a quoted \
                     text";
                return Err(place_error(path, place, reason));
            }
        }
    }

    /// The column, in characters from 1, of a place in the line that begins at `start`.
    fn column(&self, start: usize, at: usize) -> usize {
        self.written[start..at].chars().count() + 1
    }
}

fn place_error(path: &Path, (line, column): (u64, usize), reason: &str) -> DataError {
    DataError::Place {
        path: path.into(),
        line,
        column,
        reason: reason.into(),
    }
}
