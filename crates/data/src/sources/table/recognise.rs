//! How a table is written, from its first bytes: what isn't sure is not taken for granted.

use std::cmp::Ordering;
use std::io::Cursor;
use std::path::Path;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::json;
use super::lines::Lines;
use super::separated::{Fault, Faulty, Separated};
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::form::{Quoting, TableForm, TableFormat};
use crate::limits::Limits;

/// What separates values where nobody says so.
const SEPARATORS: [char; 4] = [',', '\t', ';', '|'];

/// Rows that are tried at most.
const MOST_ROWS: usize = 5000;

/// How a table is written.
#[derive(Debug)]
pub(super) struct Recognised {
    pub(super) encoding: &'static Encoding,
    pub(super) format: TableFormat,
    pub(super) separator: char,
    pub(super) quoting: Quoting,
    /// Whether a text in quotation marks may go on in the next line without being asked about.
    pub(super) spans: bool,
    /// Whether the first line looks as the others do.
    pub(super) first_is_row: bool,
    /// All this in words.
    pub(super) summary: String,
}

/// The encoding that a name stands for.
pub(in crate::sources) fn encoding(name: &str) -> Option<&'static Encoding> {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    [name, &plain, &plain.to_lowercase().replace("utf", "utf-")]
        .into_iter()
        .find_map(|name| Encoding::for_label_no_replacement(name.as_bytes()))
}

/// Recognises what `form` doesn't say by the table's first bytes, or all, if it is `whole`.
pub(super) fn recognise(
    path: &Path,
    (sample, whole): (&[u8], bool),
    form: &TableForm,
    limits: &Limits,
) -> Result<Recognised> {
    let refused = |reason: String| {
        Err(DataError::Table {
            path: path.into(),
            reason,
        })
    };
    if let Some(what) = no_table(sample) {
        return refused(what.to_owned());
    }
    let encoding = match &form.encoding {
        Some(name) => match encoding(name) {
            Some(encoding) => encoding,
            None => {
                let name = shown(name, SHOWN_NAME);
                return refused(format!(
                    "no encoding is called `{name}`; utf-8, utf-16le, utf-16be, windows-1252, shift_jis, gb18030, big5 \
                     and euc-kr are some"
                ));
            }
        },
        None => encoding_of(sample),
    };
    let (text, _) = encoding.decode_with_bom_removal(sample);
    // What the sample cuts off says nothing.
    let text = match text.rfind(['\n', '\r']).filter(|_| !whole) {
        Some(end) => &text[..=end],
        None => &text[..],
    };
    let ending = ending(path);
    let format = form
        .format
        .unwrap_or_else(|| format_of(text, &ending, form));
    let mut recognised = Recognised {
        encoding,
        format,
        separator: ',',
        quoting: Quoting::None,
        spans: true,
        first_is_row: false,
        summary: String::new(),
    };
    let written = match format {
        TableFormat::JsonLines => "a JSON object a line".to_owned(),
        TableFormat::JsonArray => "a JSON array of objects".to_owned(),
        TableFormat::Separated => {
            let tries = |separator, quoting| Trial::of(text, whole, separator, quoting, limits);
            let Some(separator) = form
                .separator
                .or_else(|| separator_of(&ending, form, tries))
            else {
                return refused(
                    "its values may be separated by more than one character: name the right one with `--separator`"
                        .to_owned(),
                );
            };
            if !separator.is_ascii() || matches!(separator, '"' | '\n' | '\r' | '\0') {
                return refused(format!(
                    "{separator:?} can't separate values; an ASCII character does, such as `,` or `tab`"
                ));
            }
            let (quoting, why) = quoting_of(separator, form.quoting, tries);
            let trial = tries(separator, quoting);
            recognised.separator = separator;
            recognised.quoting = quoting;
            recognised.spans = form.quoting.is_some() || separator != '\t' || trial.spans.is_some();
            recognised.first_is_row = trial.first_is_row;
            format!("values separated by {}{why}", name_of(separator))
        }
    };
    recognised.summary = format!("{written}, in {}", encoding.name());
    Ok(recognised)
}

/// What is no table, by its first bytes, and what to do.
fn no_table(sample: &[u8]) -> Option<&'static str> {
    if sample.starts_with(b"PK\x03\x04") || sample.starts_with(b"\xd0\xcf\x11\xe0") {
        Some(
            "it is a spreadsheet or an archive, not a table of text; save the sheet as CSV (in Excel as `CSV UTF-8`)",
        )
    } else if sample.starts_with(b"PAR1") {
        Some(
            "it is a Parquet file; convert it, with Python's pandas for one: \
             pandas.read_parquet(\"FILE\").to_csv(\"FILE.csv\", index=False)",
        )
    } else if sample.get(257..262) == Some(b"ustar") {
        Some("it is an archive; unpack it and name the folder or file in it")
    } else if sample.starts_with(&[0xff, 0xfe, 0, 0]) || sample.starts_with(&[0, 0, 0xfe, 0xff]) {
        Some("it is in UTF-32, which is not read; save it as UTF-8")
    } else {
        None
    }
}

/// By a mark, or because every second byte of many is 0, as in UTF-16 of letters and digits.
fn encoding_of(sample: &[u8]) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(sample) {
        return encoding;
    }
    let zeros = |first: usize| {
        let bytes = sample.iter().skip(first).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let many = sample.len() / 20;
    if sample.len() < 8 || !sample.len().is_multiple_of(2) || even.max(odd) <= many {
        UTF_8
    } else if even == 0 {
        UTF_16LE
    } else if odd == 0 {
        UTF_16BE
    } else {
        UTF_8
    }
}

/// The ending of a file's name, in lower case, without that of gzip.
fn ending(path: &Path) -> String {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.rsplit_once('.')
        .map_or("", |(_, ending)| ending)
        .to_owned()
}

fn format_of(text: &str, ending: &str, form: &TableForm) -> TableFormat {
    if form.separator.is_some() || form.quoting.is_some() {
        return TableFormat::Separated;
    }
    let is_json = matches!(ending, "json" | "jsonl" | "ndjson");
    let text = text.trim_start();
    let next = |text: &str| text.trim_start().chars().next();
    match next(text) {
        Some('[') if is_json || matches!(next(&text[1..]), Some('{' | ']')) => {
            TableFormat::JsonArray
        }
        Some('{')
            if text
                .lines()
                .next()
                .is_some_and(|line| json::keys(line).is_ok()) =>
        {
            TableFormat::JsonLines
        }
        _ if is_json => TableFormat::JsonLines,
        _ => TableFormat::Separated,
    }
}

/// The one that gives all rows as many values as the first; none where it may be more than one.
fn separator_of(
    ending: &str,
    form: &TableForm,
    tries: impl Fn(char, Quoting) -> Trial,
) -> Option<char> {
    let usual = match ending {
        "tsv" | "tab" => '\t',
        "psv" => '|',
        _ => ',',
    };
    let mut found: Vec<(f64, char)> = Vec::new();
    for separator in SEPARATORS {
        let trials = match form.quoting {
            Some(quoting) => vec![tries(separator, quoting)],
            None => [Quoting::Double, Quoting::None]
                .map(|quoting| tries(separator, quoting))
                .into(),
        };
        let shares = trials.iter().filter(|trial| trial.columns > 1);
        let share = shares.map(Trial::share).max_by(f64::total_cmp);
        found.extend(share.map(|share| (share, separator)));
    }
    found.sort_by(|one, other| match other.0.total_cmp(&one.0) {
        Ordering::Equal => (other.1 == usual).cmp(&(one.1 == usual)),
        order => order,
    });
    match found[..] {
        [] => Some(usual),
        [(one, first), (other, _), ..] if one == other && first != usual => None,
        [(_, first), ..] => Some(first),
    }
}

/// The quoting that leaves no doubt, and why; else that of RFC 4180, with which doubtful rows are errors.
fn quoting_of(
    separator: char,
    given: Option<Quoting>,
    tries: impl Fn(char, Quoting) -> Trial,
) -> (Quoting, String) {
    match given {
        Some(Quoting::Backslash) => {
            return (
                Quoting::Backslash,
                ", with backslashes before quotation marks".into(),
            );
        }
        Some(Quoting::None) => return (Quoting::None, ", without quoting".into()),
        Some(Quoting::Double) => return (Quoting::Double, String::new()),
        None => {}
    }
    let double = tries(separator, Quoting::Double);
    let fits = |trial: &Trial| trial.fault.is_none() && trial.even == trial.rows;
    let is_clean = fits(&double) && (double.spans.is_none() || separator != '\t');
    if double.quoted == 0 || is_clean {
        return (Quoting::Double, String::new());
    }
    if double.backslashes {
        let backslash = tries(separator, Quoting::Backslash);
        if fits(&backslash) && (backslash.spans.is_none() || separator != '\t') {
            return (
                Quoting::Backslash,
                ", with backslashes before quotation marks".into(),
            );
        }
    }
    let none = tries(separator, Quoting::None);
    let place = double.spans.or(double.fault.map(|(_, place)| place));
    match place {
        Some((line, column)) if separator == '\t' && fits(&none) && !double.doubled => (
            Quoting::None,
            format!(
                ", without quoting (the quotation mark in line {line}, column {column}, begins a text and does not end it)"
            ),
        ),
        _ => (Quoting::Double, String::new()),
    }
}

/// A separator, in the plural.
pub(super) fn name_of(separator: char) -> String {
    match separator {
        ',' => "commas".into(),
        '\t' => "tabs".into(),
        ';' => "semicolons".into(),
        '|' => "vertical bars".into(),
        ' ' => "spaces".into(),
        other => format!("{other:?}"),
    }
}

/// What a sample is with one separator and one quoting.
#[derive(Debug, Default)]
struct Trial {
    rows: usize,
    /// Values of the first row, and the rows that have as many.
    columns: usize,
    even: usize,
    fault: Option<Faulty>,
    /// Where the first text opens that goes on in another line.
    spans: Option<(u64, usize)>,
    quoted: u64,
    /// Whether there are backslashes before quotation marks, and two marks in a row within a text.
    backslashes: bool,
    doubled: bool,
    first_is_row: bool,
}

impl Trial {
    fn of(text: &str, whole: bool, separator: char, quoting: Quoting, limits: &Limits) -> Self {
        let source = (Box::new(Cursor::new(text.as_bytes())) as Box<_>, false);
        let mut lines = Lines::new(Path::new(""), source, UTF_8, limits);
        let mut row = Separated::new(separator, quoting, limits.columns);
        let mut trial = Self {
            backslashes: text.contains("\\\""),
            ..Self::default()
        };
        let mut first: Vec<String> = Vec::new();
        while trial.rows < MOST_ROWS {
            match row.read(&mut lines) {
                Ok(Ok(Some(_))) => {}
                Ok(Err((Fault::Open, _))) if !whole => break,
                Ok(Err(fault)) => {
                    trial.fault = Some(fault);
                    trial.spans = trial.spans.or(row.spans());
                    break;
                }
                // Reading the table says what is wrong.
                Ok(Ok(None)) | Err(_) => break,
            }
            trial.rows += 1;
            trial.spans = trial.spans.or(row.spans());
            trial.doubled |=
                row.written().contains("\"\"") && row.cells().any(|cell| cell.contains('"'));
            if trial.rows == 1 {
                trial.columns = row.count();
                first = row.cells().map(str::to_owned).collect();
                trial.first_is_row = first.iter().any(|cell| cell.trim().parse::<f64>().is_ok());
            } else {
                trial.first_is_row |= first
                    .iter()
                    .zip(row.cells())
                    .any(|(name, cell)| !name.trim().is_empty() && name == cell);
            }
            trial.even += usize::from(row.count() == trial.columns);
        }
        trial.quoted = row.quoted();
        trial
    }

    /// The share of rows with as many values as the first.
    fn share(&self) -> f64 {
        self.even as f64 / self.rows as f64
    }
}
