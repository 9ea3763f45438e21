//! Rows of separated values.

use super::lines::Lines;
use crate::error::Result;
use crate::form::Quoting;

/// A reader of rows: one is in memory at a time, as written and as its cells.
pub(super) struct Separated {
    separator: char,
    quoting: Quoting,
    /// Cells of a row that are kept, and those that there are.
    most: usize,
    count: usize,
    /// The row as written.
    written: String,
    /// Its cells, one after the other, and where each ends.
    cells: String,
    ends: Vec<usize>,
    /// Cells in quotation marks, of all rows.
    quoted: u64,
    /// Where the first cell of the row opens that goes on in another line.
    spans: Option<(u64, usize)>,
    /// The first blank line between rows.
    blank: Option<u64>,
}

/// Why a row can't be read, where it matters to whoever recognises the quoting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A quotation mark isn't closed.
    Open,
    /// Text follows the mark that closes; a backslash stands before that.
    After { backslash: bool },
}

/// A fault and its place, line and column.
pub(super) type Faulty = (Fault, (u64, usize));

impl Separated {
    pub(super) fn new(separator: char, quoting: Quoting, most: usize) -> Self {
        Self {
            separator,
            quoting,
            most,
            count: 0,
            written: String::new(),
            cells: String::new(),
            ends: Vec::new(),
            quoted: 0,
            spans: None,
            blank: None,
        }
    }

    /// The first blank line between rows.
    #[cfg(feature = "files")]
    pub(super) fn blank(&self) -> Option<u64> {
        self.blank
    }

    /// Keeps so many cells of a row at most.
    pub(super) fn keep(&mut self, most: usize) {
        self.most = most;
    }

    /// How many cells the row has that was read last, kept or not.
    pub(super) fn count(&self) -> usize {
        self.count
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

    /// How many cells of all rows were in quotation marks.
    pub(super) fn quoted(&self) -> u64 {
        self.quoted
    }

    /// Where the first cell of the row opens that goes on in another line.
    pub(super) fn spans(&self) -> Option<(u64, usize)> {
        self.spans
    }

    /// The row as written.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// Reads the next row that is not empty, and gives the line on which it begins; a fault is none of the reader's.
    ///
    /// # Errors
    /// Those of the lines.
    pub(super) fn read(
        &mut self,
        lines: &mut Lines,
    ) -> Result<std::result::Result<Option<u64>, Faulty>> {
        self.written.clear();
        self.cells.clear();
        self.ends.clear();
        let is_between = self.count > 0;
        self.count = 0;
        self.spans = None;
        let mut blank = None;
        while self.written.trim_end_matches(['\r', '\n']).is_empty() {
            if is_between && !self.written.is_empty() {
                blank = blank.or(Some(lines.line()));
            }
            self.written.clear();
            if !lines.append_line(&mut self.written, None)? {
                return Ok(Ok(None));
            }
        }
        self.blank = self.blank.or(blank);
        let line = lines.line();
        // Where the line that is read begins, and what of the row is read.
        let (mut start, mut at) = (0, 0);
        loop {
            if self.quoting != Quoting::None && self.written[at..].starts_with('"') {
                let opened = (lines.line(), self.column(start, at));
                self.quoted += 1;
                at += 1;
                while !self.unquote(&mut at) {
                    start = at;
                    self.spans.get_or_insert(opened);
                    if !lines.append_line(&mut self.written, Some(line))? {
                        return Ok(Err((Fault::Open, opened)));
                    }
                }
            } else {
                let rest = &self.written[at..];
                let cell = rest.split(self.separator).next().unwrap_or_default();
                let cell = cell.trim_end_matches(['\r', '\n']);
                self.cells.push_str(cell);
                at += cell.len();
            }
            self.end_cell();
            let rest = &self.written[at..];
            if rest.starts_with(self.separator) {
                at += self.separator.len_utf8();
            } else if rest.trim_end_matches(['\r', '\n']).is_empty() {
                return Ok(Ok(Some(line)));
            } else {
                let backslash = self.written[..at - 1].ends_with('\\');
                let place = (lines.line(), self.column(start, at));
                return Ok(Err((Fault::After { backslash }, place)));
            }
        }
    }

    /// Takes a cell's text in quotation marks from `at` on; tells whether it ends in this line.
    fn unquote(&mut self, at: &mut usize) -> bool {
        loop {
            let rest = &self.written[*at..];
            let found = match self.quoting {
                Quoting::Backslash => rest.find(['"', '\\']),
                _ => rest.find('"'),
            };
            let Some(mark) = found else {
                self.cells.push_str(rest);
                *at = self.written.len();
                return false;
            };
            self.cells.push_str(&rest[..mark]);
            let after = rest[mark + 1..].chars().next();
            *at += mark + 1;
            let is_quote = rest[mark..].starts_with('"');
            match (is_quote, after) {
                (true, Some('"')) if self.quoting == Quoting::Double => self.cells.push('"'),
                (true, _) => return true,
                (false, Some(escaped @ ('"' | '\\'))) => self.cells.push(escaped),
                (false, _) => {
                    self.cells.push('\\');
                    continue;
                }
            }
            *at += 1;
        }
    }

    fn end_cell(&mut self) {
        self.count += 1;
        match self.count <= self.most {
            true => self.ends.push(self.cells.len()),
            false => self.cells.truncate(self.ends.last().copied().unwrap_or(0)),
        }
    }

    /// The column, in characters from 1, of a place in the line that begins at `start`.
    fn column(&self, start: usize, at: usize) -> usize {
        self.written[start..at].chars().count() + 1
    }
}
