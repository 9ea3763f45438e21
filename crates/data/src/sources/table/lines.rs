//! A table's lines, as text of any encoding, numbered.

use std::io::{self, Read};
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

/// A reader of lines, of which no more than a row's is in memory at a time.
pub(super) struct Lines<'a> {
    path: PathBuf,
    source: Box<dyn Read + 'a>,
    /// Whether the source unpacks what it reads.
    packed: bool,
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
    /// The line of the part that was given last, the characters of it that were given, and how it ends.
    line: u64,
    characters: usize,
    last: char,
}

impl<'a> Lines<'a> {
    pub(super) fn new(
        path: &Path,
        (source, packed): (Box<dyn Read + 'a>, bool),
        encoding: &'static Encoding,
        limits: &Limits,
    ) -> Self {
        Self {
            path: path.into(),
            source,
            packed,
            limits: *limits,
            encoding,
            decoder: encoding.new_decoder_with_bom_removal(),
            bytes: Vec::new(),
            read: 0,
            text: String::new(),
            given: 0,
            ended: false,
            damaged: None,
            line: 1,
            characters: 0,
            last: ' ',
        }
    }

    /// The number of the line of which a part was given last, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Appends the next line to a row, with its end, which is `\n`, `\r\n` or `\r`; tells whether there was one.
    ///
    /// # Errors
    /// Those of [`append_part`](Self::append_part).
    pub(super) fn append_line(&mut self, row: &mut String, begun: Option<u64>) -> Result<bool> {
        let start = row.len();
        let mut begun = begun;
        while self.append_part(row, begun)? {
            begun = begun.or(Some(self.line));
            if row.ends_with('\n') || (row.ends_with('\r') && !self.is_pair()?) {
                break;
            }
        }
        Ok(row.len() > start)
    }

    /// Whether what comes next belongs to the line's end before it.
    fn is_pair(&mut self) -> Result<bool> {
        Ok(self.fill()? && self.text[self.given..].starts_with('\n'))
    }

    /// Appends a part of a line to a row that has `begun` on some line, or begins here; tells whether there was one.
    ///
    /// # Errors
    /// If the row, or the table, has more bytes than its limit, or bytes that are nothing of the encoding, or NUL.
    pub(super) fn append_part(&mut self, row: &mut String, begun: Option<u64>) -> Result<bool> {
        if !self.fill()? {
            return match self.damaged.take() {
                Some(damaged) => {
                    self.next_line('\0');
                    Err(self.undecodable(row, &damaged))
                }
                None => Ok(false),
            };
        }
        let rest = &self.text[self.given..];
        self.next_line(if rest.starts_with('\n') { '\n' } else { '\0' });
        let rest = &self.text[self.given..];
        let end = rest
            .bytes()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .map_or(rest.len(), |end| end + 1);
        let part = &rest[..end];
        if part.contains('\0') {
            let reason =
                "a NUL byte, which no text has; save the table as UTF-8 (in Excel as `CSV UTF-8`)";
            return Err(row_error(&self.path, self.line, reason.into()));
        }
        if (row.len() + part.len()) as u64 > self.limits.row {
            let most = size(self.limits.row);
            let reason = format!(
                "the row is longer than {most}; look for a quotation mark that is not closed, or a line end that is \
                 missing"
            );
            return Err(row_error(&self.path, begun.unwrap_or(self.line), reason));
        }
        row.push_str(part);
        self.characters += part.chars().count();
        self.last = part.chars().next_back().unwrap_or(self.last);
        self.given += end;
        Ok(true)
    }

    /// Begins a new line, if the last one has ended before a character.
    fn next_line(&mut self, next: char) {
        if self.last == '\n' || (self.last == '\r' && next != '\n') {
            self.line += 1;
            self.characters = 0;
            self.last = ' ';
        }
    }

    /// Decodes the next chunk, once the last one is given; tells whether there is more text.
    fn fill(&mut self) -> Result<bool> {
        if self.given < self.text.len() {
            return Ok(true);
        }
        self.text.clear();
        self.given = 0;
        while self.text.is_empty() && !self.ended {
            self.bytes.drain(..self.bytes.len().saturating_sub(TAIL));
            let tail = self.bytes.len();
            let read = (&mut self.source)
                .take(CHUNK as u64)
                .read_to_end(&mut self.bytes);
            read.map_err(|error| self.unreadable(error))?;
            let chunk = &self.bytes[tail..];
            self.read += chunk.len() as u64;
            if self.read > self.limits.table {
                return Err(too_much(&self.path, &self.limits));
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

    fn unreadable(&self, source: io::Error) -> DataError {
        match self.packed {
            true => DataError::Archive {
                path: self.path.clone(),
                place: format!("after line {}", self.line),
                source,
            },
            false => DataError::reading(&self.path)(source),
        }
    }

    /// `damaged` follows a row as far as it could be read.
    fn undecodable(&self, row: &str, damaged: &[u8]) -> DataError {
        let mut reason = format!(
            "a byte {:#04x} that is no {}",
            damaged.first().copied().unwrap_or_default(),
            self.encoding.name()
        );
        if self.encoding == UTF_8 {
            let ends = |character: char| character.is_ascii() && !character.is_alphanumeric();
            let start = row.rfind(ends).map_or(0, |end| end + 1);
            let damaged = &damaged[..damaged.len().min(SHOWN_NAME)];
            let (after, _) = WINDOWS_1252.decode_without_bom_handling(damaged);
            let after = after.split(ends).next().unwrap_or_default();
            let word = shown(&format!("{}{after}", &row[start..]), SHOWN_NAME);
            reason += &format!(
                "; in Windows-1252 the word here is \"{word}\": if that is right, `--encoding windows-1252`; else \
                 name the table's encoding"
            );
        } else {
            reason += "; is that its encoding? `--encoding` names another";
        }
        DataError::Place {
            path: self.path.clone(),
            line: self.line,
            column: self.characters + 1,
            reason,
        }
    }
}

pub(super) fn too_much(path: &Path, limits: &Limits) -> DataError {
    DataError::TooMuch {
        path: path.into(),
        reason: format!("it has more than {}", size(limits.table)),
        remedy: SPLIT,
    }
}
