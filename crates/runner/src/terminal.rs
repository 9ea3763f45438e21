//! Text on a terminal: what comes from a file can't steer it, and nobody has to be there to read it.

use std::borrow::Cow;
use std::fmt::Arguments;
use std::io::{Write, stderr};
use std::path::Path;

use gatefold_data::escaped;
pub use gatefold_data::{printable, within_line};

/// Bytes of a message, at most.
const MOST: usize = 2048;

/// Says a line to people, formatted as `println!` does, on standard error.
///
/// Nothing in it steers the terminal, and standard error that is gone is no failure.
#[macro_export]
macro_rules! say {
    ($($part:tt)*) => {
        $crate::terminal::say(::std::format_args!($($part)*))
    };
}

/// What [`say!`](crate::say) does.
pub fn say(line: Arguments) {
    let line = message(&line.to_string()) + "\n";
    // Whoever read it may have gone, as `head` does.
    let _ = stderr().lock().write_all(line.as_bytes());
}

/// A path as a shell takes it for one word, in a line to paste.
pub fn word(path: &Path) -> Cow<'_, str> {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "_-./\\:".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false if cfg!(windows) => format!("\"{text}\"").into(),
        false => format!("'{}'", text.replace('\'', "'\\''")).into(),
    }
}

/// JSON as it was, but for characters that JSON may hold as they are and a terminal obeys.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    // They stand in strings alone, and all of them lie below U+10000.
    escaped(json, |_| false, |c| format!("\\u{:04x}", u32::from(c)))
}

/// `text` as a message: printable, and cut where it is longer than anybody reads.
pub fn message(text: &str) -> String {
    const END: &str = " …";
    // Before and after: escaping makes it longer, and need not see megabytes.
    let safe = printable(beginning(text, MOST));
    if safe.len().max(text.len()) <= MOST {
        return safe.into_owned();
    }
    beginning(&safe, MOST - END.len()).to_owned() + END
}

/// As many whole characters of `text` as `most` bytes hold.
fn beginning(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use gatefold_data::steers;

    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        let text = "a\u{1b}[31mb\u{7}\r\u{7f}\u{9b}2J\u{202e}c\u{2069}\u{200f}\u{61c}\n\té日本";
        assert_eq!(
            printable(text),
            "a\\u{1b}[31mb\\u{7}\\u{d}\\u{7f}\\u{9b}2J\\u{202e}c\\u{2069}\\u{200f}\\u{61c}\n\té日本"
        );
        assert_eq!(within_line("a\n\tb"), "a\\u{a}\\u{9}b");
        assert!(matches!(printable("plain\n"), Cow::Borrowed(_)));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_to_paste_is_one_word() {
        for (path, expected) in [
            ("runs/films-lstm-1", "runs/films-lstm-1"),
            ("my runs/été", "'my runs/été'"),
            ("it's", "'it'\\''s'"),
            ("$(ls)", "'$(ls)'"),
        ] {
            assert_eq!(word(Path::new(path)), expected);
        }
    }

    #[test]
    fn json_means_the_same() {
        let value = "\u{1b}[31m \u{9b}2J \u{7f} \u{202e} é";
        let json = serde_json::to_string(value).unwrap();
        let safe = printable_json(&json);
        assert!(!safe.chars().any(steers), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), value);
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        assert_eq!(message("short"), "short");
        let exact = "x".repeat(MOST);
        assert_eq!(message(&exact), exact);
        for text in [
            "é".repeat(1 << 20),
            "\u{1b}".repeat(MOST),
            "x".repeat(MOST + 1),
        ] {
            let cut = message(&text);
            assert!(cut.len() <= MOST && cut.ends_with('…'), "{}", cut.len());
            assert!(cut.len() > MOST - 8);
        }
    }
}
