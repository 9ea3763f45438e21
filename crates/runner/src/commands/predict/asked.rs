//! What is to be answered: texts and rows of tables, as they are read.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use gatefold::terminal::{within_line, word};
use gatefold_data::{RowCell, RowLabel, TextRow};
use serde_json::{Map, Number, Value};

/// Bytes of a text of standard input.
const LONGEST: usize = 1 << 20;

/// A text to answer.
pub struct Asked {
    pub text: String,
    /// Where it stands, for people.
    pub place: String,
    /// Its class, where that is known.
    pub class: Option<u32>,
    /// Of a table's row its line and all values.
    pub row: Option<(u64, Vec<RowCell>)>,
}

impl Asked {
    pub fn text(text: String, place: String) -> Self {
        Self {
            text,
            place,
            class: None,
            row: None,
        }
    }

    pub fn row(row: TextRow, table: &str) -> Self {
        Self {
            text: row.text,
            place: format!("{table}, line {}", row.line),
            class: match row.label {
                RowLabel::Class(class) => Some(class),
                _ => None,
            },
            row: Some((row.line, row.cells)),
        }
    }

    /// Bytes that it takes, about.
    pub fn size(&self) -> usize {
        let cells = self.row.iter().flat_map(|(_, cells)| cells);
        let sizes = cells.map(|cell| match cell {
            RowCell::Text(text) | RowCell::Scalar(text) => text.len(),
            RowCell::Null => 0,
        });
        self.text.len() + sizes.sum::<usize>()
    }

    /// Its values as CSV has them: those of its row, or the text.
    pub fn csv(&self) -> Vec<&str> {
        let Some((_, cells)) = &self.row else {
            return vec![&self.text];
        };
        let cells = cells.iter().map(|cell| match cell {
            RowCell::Text(text) | RowCell::Scalar(text) => text.as_str(),
            RowCell::Null => "",
        });
        cells.collect()
    }

    /// Its row as JSON has it, by the names of the columns.
    pub fn json(&self, columns: &[String]) -> Option<Value> {
        let (_, cells) = self.row.as_ref()?;
        let cells = columns.iter().cloned().zip(cells.iter().map(json));
        Some(cells.collect::<Map<_, _>>().into())
    }
}

fn json(cell: &RowCell) -> Value {
    match cell {
        RowCell::Text(text) => text.as_str().into(),
        RowCell::Null => Value::Null,
        RowCell::Scalar(scalar) => match scalar.parse::<Number>() {
            // A number of more digits than a machine's would be another one.
            Ok(number) if number.to_string() == *scalar => number.into(),
            Ok(_) => scalar.as_str().into(),
            Err(_) => serde_json::from_str(scalar).unwrap_or_else(|_| scalar.as_str().into()),
        },
    }
}

/// Texts of standard input: a line each, or what stands before a zero byte.
pub struct Texts<R> {
    input: BufReader<R>,
    end: u8,
    number: u64,
    bytes: Vec<u8>,
    /// A column of the tables that the network was trained on.
    column: String,
}

impl<R: Read> Texts<R> {
    /// `column` tells a table's first line from a text.
    pub fn new(input: BufReader<R>, ends_with_zero: bool, column: &str) -> Self {
        Self {
            input,
            end: if ends_with_zero { 0 } else { b'\n' },
            number: 0,
            bytes: Vec::new(),
            column: column.to_owned(),
        }
    }

    /// Whether a whole text waits to be read.
    pub fn has_more(&self) -> bool {
        self.input.buffer().contains(&self.end)
    }

    /// The next one; none at the end.
    pub fn next_text(&mut self) -> Result<Option<Asked>> {
        self.number += 1;
        let what = if self.end == 0 { "text" } else { "line" };
        let place = format!("{what} {} of standard input", self.number);
        let is_text = self.read().with_context(|| place.clone())?;
        let text = str::from_utf8(&self.bytes).ok().with_context(|| {
            format!(
                "{place} is no UTF-8; convert the texts from the encoding that they are in, as from Windows-1252: \
                 iconv -f WINDOWS-1252 -t UTF-8"
            )
        })?;
        let text = match self.end {
            0 => text,
            _ => text.trim_end_matches('\r'),
        };
        Ok(is_text.then(|| Asked::text(text.to_owned(), place)))
    }

    /// Reads a text of at most [`LONGEST`] bytes, without its end. Whether there was one.
    fn read(&mut self) -> Result<bool> {
        self.bytes.clear();
        // One byte more tells a text that is too long, one its end.
        let mut input = (&mut self.input).take(LONGEST as u64 + 2);
        let read = input.read_until(self.end, &mut self.bytes);
        read.context("cannot read standard input")?;
        let is_text = !self.bytes.is_empty();
        if self.bytes.last() == Some(&self.end) {
            self.bytes.pop();
        }
        if self.number == 1 {
            self.look_at_the_first()?;
        }
        ensure!(
            self.bytes.len() <= LONGEST,
            "it has more than {LONGEST} bytes; give a text a line"
        );
        Ok(is_text)
    }

    /// Drops a byte order mark, and refuses what is no text a line.
    fn look_at_the_first(&mut self) -> Result<()> {
        if self.bytes.starts_with(&[0xff, 0xfe]) || self.bytes.starts_with(&[0xfe, 0xff]) {
            bail!(
                "it is UTF-16, and texts of standard input are read as UTF-8; convert it: iconv -f UTF-16 -t UTF-8"
            );
        }
        if self.bytes.starts_with(b"\xef\xbb\xbf") {
            self.bytes.drain(..3);
        }
        let line = String::from_utf8_lossy(&self.bytes);
        ensure!(
            self.end == 0 || !is_header(&line, &self.column),
            "it names columns, as the first line of a table: give the table to --dataset, as a file or as - for \
             standard input, and each of its rows is answered"
        );
        Ok(())
    }
}

/// Whether a line is the first one of a table that has this column beside others.
fn is_header(line: &str, column: &str) -> bool {
    [',', ';', '\t', '|'].into_iter().any(|separator| {
        let names = line.split(separator);
        let names: Vec<_> = names.map(|name| name.trim().trim_matches('"')).collect();
        names.len() > 1 && names.contains(&column)
    })
}

/// Refuses a text that is the name of a file: whoever gives it means what stands in it.
///
/// # Errors
/// Says how the file is read.
pub fn refuse_a_file(text: &str, command: &str) -> Result<()> {
    ensure!(
        !Path::new(text).is_file(),
        "{} is a file. For an answer to each row of a table: {command} --dataset {path}; to each line of a text file: \
         {command} < {path}. To have the name itself answered, give it through standard input",
        within_line(text),
        path = word(Path::new(text)),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(input: &[u8], ends_with_zero: bool) -> Texts<&[u8]> {
        Texts::new(BufReader::new(input), ends_with_zero, "text")
    }

    fn all(mut texts: Texts<&[u8]>) -> Result<Vec<String>> {
        let mut all = Vec::new();
        while let Some(asked) = texts.next_text()? {
            all.push(asked.text);
        }
        Ok(all)
    }

    #[test]
    fn a_line_ends_with_its_end_or_the_inputs() {
        let found = all(texts(b"one\n\ntwo\r\nthree", false)).unwrap();
        assert_eq!(found, ["one", "", "two", "three"]);
        let found = all(texts(b"one\ntwo\0\0three\r", true)).unwrap();
        assert_eq!(found, ["one\ntwo", "", "three\r"]);
    }

    #[test]
    fn a_mark_is_dropped_and_what_is_no_text_a_line_refused() {
        let found = all(texts(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo", false)).unwrap();
        assert_eq!(found, ["one", "\u{feff}two"]);
        for (input, reason) in [
            (&b"\xff\xfeo\0n\0e\0\n\0"[..], "UTF-16"),
            (b"\xfe\xff\0o\0n\0e\0\n", "UTF-16"),
            (b"id,text\n1,good\n", "--dataset"),
            (b"\"text\";\"label\"\n", "--dataset"),
        ] {
            let error = format!("{:#}", all(texts(input, false)).unwrap_err());
            assert!(error.contains(reason), "{error}");
        }
        // No header: the column's name is a word like any other.
        all(texts(b"text\nid, and text of it\n", false)).unwrap();
    }

    #[test]
    fn what_is_no_utf_8_is_refused_with_its_line() {
        let mut texts = texts(b"one\ncaf\xe9\n", false);
        assert_eq!(texts.next_text().unwrap().unwrap().text, "one");
        let error = format!("{:#}", texts.next_text().err().unwrap());
        assert!(error.starts_with("line 2 of standard input"), "{error}");
        assert!(error.contains("iconv -f WINDOWS-1252 -t UTF-8"), "{error}");
    }

    #[test]
    fn a_line_without_an_end_is_not_read_for_ever() {
        let mut exact = vec![b'a'; LONGEST];
        exact.push(b'\n');
        assert_eq!(all(texts(&exact, false)).unwrap()[0].len(), LONGEST);
        let endless = BufReader::new(std::io::repeat(b'a'));
        let mut texts = Texts::new(endless, false, "text");
        assert!(texts.next_text().is_err());
        assert!(texts.bytes.len() <= LONGEST + 2);
    }

    #[test]
    fn numbers_are_kept_as_they_are() {
        for (scalar, expected) in [
            ("7", "7"),
            ("-2.5", "-2.5"),
            ("true", "true"),
            ("12345678901234567890123", "\"12345678901234567890123\""),
        ] {
            assert_eq!(json(&RowCell::Scalar(scalar.into())).to_string(), expected);
        }
    }
}
