//! A table's lines, as text of any encoding, numbered.

use std::io::Read;
use std::path::{Path, PathBuf};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, WINDOWS_1252};

use super::row_error;
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::limits::{Limits, size};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// Bytes of a chunk that are kept beside the next one: no encoding has characters of more.
const TAIL: usize = 4;

/// What to do about a table that is too large.
pub(super) const SPLIT: &str = "keep a part of its rows";

/// A reader of lines, of which one is in memory at a time.
pub(super) struct Lines<'a> {
    path: PathBuf,
    source: Box<dyn Read + 'a>,
    limits: Limits,
    encoding: &'static Encoding,
    decoder: Decoder,
    /// The end of the last chunk, and the chunk.
    bytes: Vec<u8>,
    /// Bytes that were read.
    read: u64,
    /// What the chunk says, and how much of it was given.
    text: String,
    given: usize,
    /// Nothing comes after `text`.
    ended: bool,
    /// What follows `text`, where it is nothing of the encoding.
    damaged: Option<Vec<u8>>,
    line: u64,
    /// The line on which the row begins.
    row: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        path: &Path,
        source: Box<dyn Read + 'a>,
        encoding: &'static Encoding,
        limits: &Limits,
    ) -> Self {
        Self {
            path: path.into(),
            source,
            limits: *limits,
            encoding,
            decoder: encoding.new_decoder_with_bom_removal(),
            bytes: Vec::new(),
            read: 0,
            text: String::new(),
            given: 0,
            ended: false,
            damaged: None,
            line: 0,
            row: 0,
        }
    }

    /// The number of the line that was given last, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Appends the next line to a row, with its end, which is `\n`, `\r\n` or `\r`; tells whether there was one.
    ///
    /// # Errors
    /// If the row, or the table, has more bytes than its limit, or bytes that are nothing of the encoding.
    pub(super) fn append_to(&mut self, row: &mut String) -> Result<bool> {
        let start = row.len();
        self.line += 1;
        if start == 0 {
            self.row = self.line;
        }
        loop {
            if self.given == self.text.len() && !self.fill()? {
                break;
            }
            let rest = &self.text[self.given..];
            if row[start..].ends_with('\r') {
                let pair = rest.starts_with('\n');
                row.push_str(if pair { "\n" } else { "" });
                self.given += usize::from(pair);
                break;
            }
            let end = rest.bytes().position(|byte| matches!(byte, b'\n' | b'\r'));
            let line = &rest[..end.map_or(rest.len(), |end| end + 1)];
            row.push_str(line);
            self.given += line.len();
            if row.len() as u64 > self.limits.row {
                let most = size(self.limits.row);
                let reason = format!(
                    "the row is longer than {most}; look for a quotation mark that is not closed, or a line end \
                     that is missing"
                );
                return Err(row_error(&self.path, self.row, reason));
            }
            if line.ends_with('\n') {
                break;
            }
        }
        if let Some(damaged) = self.damaged.take_if(|_| self.given == self.text.len())
            && !row[start..].ends_with(['\n', '\r'])
        {
            return Err(self.undecodable(&row[start..], &damaged));
        }
        if row[start..].contains('\0') {
            let reason =
                "a NUL byte, which no text has; save the table as UTF-8 (in Excel as `CSV UTF-8`)";
            return Err(row_error(&self.path, self.line, reason.into()));
        }
        if row.len() == start {
            self.line -= 1;
        }
        Ok(row.len() > start)
    }

    /// Decodes the next chunk, once the last one is given; tells whether there is more text.
    fn fill(&mut self) -> Result<bool> {
        self.text.clear();
        self.given = 0;
        while self.text.is_empty() && !self.ended {
            self.bytes.drain(..self.bytes.len().saturating_sub(TAIL));
            let tail = self.bytes.len();
            (&mut self.source)
                .take(CHUNK as u64)
                .read_to_end(&mut self.bytes)
                .map_err(DataError::reading(&self.path))?;
            let chunk = &self.bytes[tail..];
            self.read += chunk.len() as u64;
            if self.read > self.limits.table {
                return Err(DataError::TooMuch {
                    path: self.path.clone(),
                    reason: format!("it has more than {}", size(self.limits.table)),
                    remedy: SPLIT,
                });
            }
            self.ended = chunk.len() < CHUNK;
            let most = self
                .decoder
                .max_utf8_buffer_length_without_replacement(chunk.len());
            self.text
                .reserve(most.expect("a chunk is small beside the address space"));
            let (result, read) = self.decoder.decode_to_string_without_replacement(
                chunk,
                &mut self.text,
                self.ended,
            );
            if let DecoderResult::Malformed(length, after) = result {
                let from = (tail + read).saturating_sub(usize::from(length) + usize::from(after));
                self.damaged = Some(self.bytes[from..].to_vec());
                self.ended = true;
            }
        }
        Ok(!self.text.is_empty())
    }

    /// `damaged` follows `before` in the line.
    fn undecodable(&self, before: &str, damaged: &[u8]) -> DataError {
        let column = before.chars().count() + 1;
        let mut reason = format!(
            "a byte {:#04x} that is no {}",
            damaged.first().copied().unwrap_or_default(),
            self.encoding.name()
        );
        if self.encoding == UTF_8 {
            let ends = |character: char| character.is_ascii() && !character.is_alphanumeric();
            let start = before.rfind(ends).map_or(0, |end| end + 1);
            let (after, _) =
                WINDOWS_1252.decode_without_bom_handling(&damaged[..damaged.len().min(SHOWN_NAME)]);
            let after = after.split(ends).next().unwrap_or_default();
            let word = format!("{}{after}", &before[start..]);
            reason += &format!(
                "; if the table is in Windows-1252, the word is \"{}\"",
                shown(&word, SHOWN_NAME)
            );
        }
        DataError::Place {
            path: self.path.clone(),
            line: self.line,
            column,
            reason,
        }
    }
}
