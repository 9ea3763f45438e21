//! Text without what would steer whoever shows it.

use std::borrow::Cow;

/// Whether a terminal obeys a character instead of showing it: control characters, and the marks, embeddings,
/// overrides and isolates that turn the direction of writing. The joiners of Persian words and of emoji don't.
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// `text` with every character that steers, unless it `stays`, in the form that `written` gives it.
pub fn escaped(text: &str, stays: fn(char) -> bool, written: fn(char) -> String) -> Cow<'_, str> {
    if text.chars().all(|c| stays(c) || !steers(c)) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match steers(c) && !stays(c) {
            true => safe += &written(c),
            false => safe.push(c),
        }
    }
    safe.into()
}

fn as_in_rust(c: char) -> String {
    c.escape_unicode().to_string()
}

/// `text` with what would steer a terminal written as `\u{1b}`, in the lines and columns that it has.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c| matches!(c, '\n' | '\t'), as_in_rust)
}

/// The same for text within a line: a name, a table's cell, a word.
pub fn within_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false, as_in_rust)
}
