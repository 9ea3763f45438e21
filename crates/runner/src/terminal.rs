//! Text on a terminal: what comes from a file can't steer it, and nobody has to be there to read it.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Arguments;
use std::io::{Write, stderr};
use std::path::Path;

use gatefold_data::{escaped, steers};
pub use gatefold_data::{printable, within_line};
use ratatui::text::Span;

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

/// How this program was called, in a line to paste.
pub fn program() -> String {
    let name = std::env::args_os().next().filter(|name| !name.is_empty());
    name.map_or("gatefold".into(), |name| word(Path::new(&name)))
}

/// A path as a shell takes it for one word that is no flag, in a line to paste.
///
/// On Unix any shell takes it. On Windows it stands in double quotes, which `cmd` and PowerShell read alike but for `%`
/// in the one and `$` and a backtick in the other; PowerShell wants `&` before a program in quotes.
pub fn word(path: &Path) -> String {
    let mut text = quoted(path.as_os_str());
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        text.insert_str(0, if cfg!(windows) { ".\\" } else { "./" });
    }
    text
}

/// An argument as a shell takes it for one word, in a line to paste.
pub fn quoted(text: impl AsRef<OsStr>) -> String {
    let os_text = text.as_ref();
    let text = os_text.to_string_lossy();
    let is_plain =
        |c: char| c.is_alphanumeric() || "_-./:+,@".contains(c) || (cfg!(windows) && c == '\\');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    if cfg!(windows) {
        // A backslash before a quote would belong to it.
        let end = if text.ends_with('\\') { "\\" } else { "" };
        return format!("\"{text}{end}\"");
    }
    if os_text.to_str().is_some() && !text.contains(steers) && !text.contains(['\n', '\t']) {
        return format!("'{}'", text.replace('\'', "'\\''"));
    }
    // What a terminal doesn't show as it is, by number.
    let byte = |byte: &u8| match byte {
        b' '..=b'~' if !b"'\\%".contains(byte) => char::from(*byte).to_string(),
        _ => format!("\\{byte:03o}"),
    };
    let bytes: String = os_text.as_encoded_bytes().iter().map(byte).collect();
    format!("\"$(printf '{bytes}')\"")
}

/// A flag with its value, in a line to paste.
pub fn flag(name: &str, value: &str) -> String {
    // A value that begins with a dash would be taken for another flag.
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!("{name}{between}{}", quoted(value))
}

/// Columns of a terminal that `text` takes.
pub fn columns(text: &str) -> usize {
    Span::raw(text).width()
}

/// `text` in at most `most` columns of a terminal: of a longer one both ends, which tell names apart.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if columns(text) <= most {
        return text.into();
    }
    // As many characters from an end as fit into so many columns.
    let fitting = |characters: &mut dyn Iterator<Item = char>, mut room: usize| -> Vec<char> {
        let fits = |c: &char| match room.checked_sub(columns(c.encode_utf8(&mut [0; 4]))) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        characters.take_while(fits).collect()
    };
    let room = most.saturating_sub(1);
    let start: String = fitting(&mut text.chars(), room.div_ceil(2))
        .iter()
        .collect();
    let end = fitting(&mut text.chars().rev(), room / 2);
    let end: String = end.iter().rev().collect();
    format!("{start}…{end}").into()
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
    fn what_is_pasted_reaches_the_program_as_it_was() {
        use std::os::unix::ffi::OsStrExt;
        use std::process::Command;
        for plain in ["runs/films-lstm-1", "été"] {
            assert_eq!(word(Path::new(plain)), plain);
        }
        for name in [
            &b"my runs"[..],
            b"it's",
            b"$(ls) `ls` $HOME",
            b"a\\b\\",
            b"~",
            b"-rf",
            b"--run",
            b"#1",
            b"*?[a]",
            b"a;b&c|d>e",
            b"\"quoted\"",
            b"50 %",
            b"line\nbreak",
            b"\x1b[31m 'red'",
            b"no utf-8 \xff",
            b"!history",
            b"",
            "日本 \u{202e}".as_bytes(),
        ] {
            let pasted = word(Path::new(OsStr::from_bytes(name)));
            assert!(
                !pasted.contains(steers) && !pasted.contains('\n'),
                "{pasted:?}"
            );
            let line = format!("printf %s {pasted}");
            let output = Command::new("sh").args(["-c", &line]).output().unwrap();
            let expected = match name.starts_with(b"-") {
                true => [b"./", name].concat(),
                false => name.to_vec(),
            };
            assert_eq!(output.stdout, expected, "{line}");
        }
    }

    #[test]
    fn a_value_is_no_flag() {
        assert_eq!(flag("--label-column", "label"), "--label-column label");
        assert_eq!(flag("--label-column", "-1"), "--label-column=-1");
    }

    #[test]
    fn what_is_too_wide_keeps_both_ends() {
        for (text, most, expected) in [
            ("runs/films-1", 12, "runs/films-1"),
            ("runs/films-1", 9, "runs…ms-1"),
            ("runs/films-1", 8, "runs…s-1"),
            ("日本語日本語", 8, "日本…語"),
            ("abc", 1, "…"),
        ] {
            assert_eq!(shortened(text, most), expected);
            assert!(columns(expected) <= most.max(1));
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
