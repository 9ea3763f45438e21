//! The elements of a JSON array, one at a time.

use std::path::Path;

use super::lines::Lines;
use super::row_error;
use crate::error::Result;

/// A reader of an array's elements, of which one is in memory at a time, as written.
#[derive(Default)]
pub(super) struct Array {
    /// An element, and what was read behind it.
    text: String,
    /// Bytes of `text` that are behind.
    at: usize,
    /// The line of the place there.
    line: u64,
    elements: u64,
}

impl Array {
    /// Reads the next element as it is written into `element`, and gives the line on which it begins.
    ///
    /// # Errors
    /// If the array doesn't go on, or end, where it has to.
    pub(super) fn read(
        &mut self,
        lines: &mut Lines,
        element: &mut String,
        path: &Path,
    ) -> Result<Option<u64>> {
        self.line = self.line.max(1);
        let broken = |line, reason: &str| Err(row_error(path, line, reason.to_owned()));
        let mut expected = match self.elements {
            0 => '[',
            _ => ',',
        };
        loop {
            match self.peek(lines)? {
                Some(next) if next == expected => self.step(next),
                Some(']') if expected != '[' => {
                    self.step(']');
                    return match self.peek(lines)? {
                        Some(_) => broken(
                            self.line,
                            "something follows the array; write one array of objects",
                        ),
                        None => Ok(None),
                    };
                }
                Some(_) if expected == ',' => {
                    return broken(self.line, "no comma between two objects of the array");
                }
                Some(_) if expected == '[' => {
                    return broken(self.line, "not a JSON array; write one of objects");
                }
                Some(_) => break,
                None => {
                    return broken(
                        self.line,
                        "the array is not closed: the table has been cut off here",
                    );
                }
            }
            // After the opening bracket or a comma, an element; the array may end too if it is empty.
            if expected == ',' && self.peek(lines)? == Some(']') {
                return broken(self.line, "a comma, and no object behind it; leave it out");
            }
            expected = '\0';
        }
        self.elements += 1;
        let line = self.line;
        element.clear();
        let (mut depth, mut quoted, mut escaped, mut closed) = (0_usize, false, false, false);
        loop {
            let end = self.text[self.at..].bytes().position(|byte| {
                if closed {
                    return true;
                }
                if quoted {
                    (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
                    return false;
                }
                match byte {
                    b'"' => quoted = true,
                    b'{' | b'[' => depth += 1,
                    b',' if depth == 0 => return true,
                    b'}' | b']' if depth == 0 => return true,
                    b'}' | b']' => {
                        depth -= 1;
                        closed = depth == 0;
                    }
                    _ => {}
                }
                false
            });
            let part = &self.text[self.at..][..end.unwrap_or(self.text.len() - self.at)];
            element.push_str(part);
            self.line += part.bytes().filter(|byte| *byte == b'\n').count() as u64;
            self.at += part.len();
            if end.is_some() {
                return Ok(Some(line));
            }
            self.text.clear();
            self.at = 0;
            // The row's limit is that of the element.
            std::mem::swap(element, &mut self.text);
            let before = self.text.len();
            let more = lines.append_part(&mut self.text, Some(line))?;
            std::mem::swap(element, &mut self.text);
            if !more && closed {
                return Ok(Some(line));
            }
            if !more {
                return broken(line, "the object that begins here is not closed");
            }
            self.text.push_str(&element[before..]);
            element.truncate(before);
        }
    }

    fn step(&mut self, character: char) {
        self.at += character.len_utf8();
    }

    /// The next character that is no white space.
    fn peek(&mut self, lines: &mut Lines) -> Result<Option<char>> {
        loop {
            let rest = &self.text[self.at..];
            let next = rest.trim_ascii_start();
            let skipped = &rest[..rest.len() - next.len()];
            self.line += skipped.bytes().filter(|byte| *byte == b'\n').count() as u64;
            self.at += skipped.len();
            if let Some(next) = next.chars().next() {
                return Ok(Some(next));
            }
            self.text.clear();
            self.at = 0;
            if !lines.append_part(&mut self.text, Some(self.line))? {
                return Ok(None);
            }
        }
    }
}
