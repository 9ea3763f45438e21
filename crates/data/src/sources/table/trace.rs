//! Following a table of separated values while the CSV reader reads it: its lines, its quotation
//! marks, and bytes that no text has.

use std::collections::VecDeque;
use std::io::{self, Read};

/// A reader that notes what passes through it.
///
/// The CSV reader counts lines too, but takes its count before it skips what is left of a line's end
/// and empty lines; and it ends a field that is still open where the file ends, without a word.
pub(super) struct Trace<R> {
    inner: R,
    delimiter: u8,
    state: State,
    /// Bytes that passed.
    bytes: u64,
    /// The line of the last byte, from 1.
    line: u64,
    last: u8,
    /// The line of the quotation mark that opened last.
    quote: u64,
    /// The line of the first NUL byte, with which reading ends.
    nul: Option<u64>,
    ended: bool,
    /// Where records begin, as byte and line, that nobody asked for yet.
    records: VecDeque<(u64, u64)>,
}

/// The states of the CSV reader that quotation marks depend on.
#[derive(Clone, Copy, PartialEq)]
enum State {
    BetweenRecords,
    FieldStart,
    Field,
    Quoted,
    /// After a quotation mark within quotes: it closes them, or is the first of two.
    QuoteInQuotes,
}

impl<R> Trace<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self {
            inner,
            delimiter,
            state: State::BetweenRecords,
            bytes: 0,
            line: 1,
            last: 0,
            quote: 0,
            nul: None,
            ended: false,
            records: VecDeque::new(),
        }
    }

    /// The line of the record that the CSV reader finds from byte `position` on. Positions have to
    /// be asked for in order.
    pub(super) fn line_of(&mut self, position: u64) -> u64 {
        while self
            .records
            .front()
            .is_some_and(|(byte, _)| *byte < position)
        {
            self.records.pop_front();
        }
        self.records.front().map_or(self.line, |(_, line)| *line)
    }

    /// The line of the quotation mark that is still open at the end of the table.
    pub(super) fn unclosed(&self) -> Option<u64> {
        (self.ended && self.state == State::Quoted).then_some(self.quote)
    }

    /// The line of a NUL byte.
    pub(super) fn nul(&self) -> Option<u64> {
        self.nul
    }

    fn note(&mut self, byte: u8) {
        if self.last == b'\n' || (self.last == b'\r' && byte != b'\n') {
            self.line += 1;
        }
        self.last = byte;
        if self.state == State::BetweenRecords && !matches!(byte, b'\r' | b'\n') {
            self.records.push_back((self.bytes, self.line));
            self.state = State::FieldStart;
        }
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::QuoteInQuotes,
            (State::Quoted, _) | (State::QuoteInQuotes, b'"') => State::Quoted,
            (State::FieldStart, b'"') => {
                self.quote = self.line;
                State::Quoted
            }
            (_, b'\r' | b'\n') => State::BetweenRecords,
            (_, byte) if byte == self.delimiter => State::FieldStart,
            _ => State::Field,
        };
        self.bytes += 1;
    }
}

impl<R: Read> Read for Trace<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.ended |= count == 0;
        for &byte in &buffer[..count] {
            self.note(byte);
            if byte == 0 {
                self.nul = Some(self.line);
                return Err(io::Error::other("a NUL byte"));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csv::ByteRecord;
    use proptest::prelude::*;

    proptest! {
        /// The two agree on where records begin, whatever stands in the table.
        #[test]
        fn records_begin_where_the_csv_reader_finds_them(
            table in r#"[a",\r\n]{0,60}"#,
            buffer in 1usize..9,
        ) {
            let mut reader = csv::ReaderBuilder::new()
                .flexible(true)
                .has_headers(false)
                .buffer_capacity(buffer)
                .from_reader(Trace::new(table.as_bytes(), b','));
            let mut record = ByteRecord::new();
            while reader.read_byte_record(&mut record).unwrap() {
                let position = record.position().unwrap().byte();
                let skipped = table.as_bytes()[position as usize..]
                    .iter()
                    .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                    .count();
                let start = position as usize + skipped;
                let before = table[..start].replace("\r\n", "\n").replace('\r', "\n");
                let line = 1 + before.matches('\n').count() as u64;
                let trace = reader.get_mut();
                prop_assert_eq!(trace.line_of(position), line);
                prop_assert_eq!(trace.records.front().map(|(byte, _)| *byte), Some(start as u64));
            }
            let trace = reader.get_ref();
            prop_assert!(trace.ended);
            prop_assert!(trace.records.len() <= 1);
        }

        /// The two agree on whether a table ends within quotes.
        #[test]
        fn quotes_are_open_where_the_csv_reader_has_them_open(table in r#"[a",\r\n]{0,40}"#) {
            let fields = |end: &str| {
                let text = format!("{table}{end}");
                let mut reader = csv::ReaderBuilder::new()
                    .flexible(true)
                    .has_headers(false)
                    .from_reader(text.as_bytes());
                let records = reader.byte_records().map(Result::unwrap);
                records.map(|record| record.len()).sum::<usize>()
            };
            let mut trace = Trace::new(table.as_bytes(), b',');
            io::copy(&mut trace, &mut io::sink()).unwrap();
            // Within quotes a delimiter separates nothing.
            prop_assert_eq!(trace.unclosed().is_some(), fields("") == fields(","));
        }
    }
}
