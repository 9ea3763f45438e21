//! Reviews in a table of one's own: CSV, tab-separated values, or JSON lines.

use std::fs;
use std::path::{Path, PathBuf};

use csv::ByteRecord;
use serde_json::{Map, Value};

use super::{Progress, Unit, text};
use crate::dataset::{Dataset, Review};
use crate::error::{DataError, Result};
use crate::random::mix;

/// Rows between two reports of progress.
const REPORT_EVERY: usize = 1024;

/// Characters of an unknown label that an error shows.
const SHOWN_LABEL: usize = 40;

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Separated by commas, with a line of column names first.
    Csv,
    /// Separated by tabs, with a line of column names first.
    Tsv,
    /// A JSON object a line.
    JsonLines,
}

/// Where the reviews are in a table.
///
/// The label is 0 or 1, neg or pos, negative or positive, false or true, in any case; in JSON also
/// as a number or a truth value.
#[derive(Clone, Debug, PartialEq)]
pub struct TableOptions {
    /// The table; all of its rows are for training if there is a `test_path`.
    pub path: PathBuf,
    /// A second table, with the same columns, for testing.
    pub test_path: Option<PathBuf>,
    /// How both are written.
    pub format: TableFormat,
    /// The column, or the JSON key, of the text.
    pub text_column: String,
    /// The column, or the JSON key, of the label.
    pub label_column: String,
    /// The share of the mixed rows that is kept for testing where there is no `test_path`, between
    /// 0 and 1.
    pub test_fraction: f64,
}

/// Reads the table, or both.
pub(super) fn load(options: &TableOptions, progress: &mut dyn FnMut(Progress)) -> Result<Dataset> {
    let fraction = options.test_fraction;
    if options.test_path.is_none() && !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::TestFraction { fraction });
    }
    let read = |path: &Path| fs::read(path).map_err(DataError::reading(path));
    let train_bytes = read(&options.path)?;
    let test_bytes = options.test_path.as_deref().map(read).transpose()?;
    let total = (train_bytes.len() + test_bytes.as_ref().map_or(0, Vec::len)) as u64;
    let mut reader = Reader {
        options,
        replaced_utf8: 0,
        before: 0,
        total,
        progress,
    };

    let mut train = reader.rows(&options.path, &train_bytes)?;
    mix(&mut train);
    let test_path = options.test_path.as_ref().unwrap_or(&options.path);
    let test = match &test_bytes {
        Some(bytes) => reader.rows(test_path, bytes)?,
        None => {
            let kept = (train.len() as f64 * fraction).round() as usize;
            train.split_off(train.len() - kept)
        }
    };
    for (path, part, reviews) in [
        (&options.path, "the training split", &train),
        (test_path, "the test split", &test),
    ] {
        if reviews.is_empty() {
            let remedy = "give a table with more rows, or another test fraction";
            return Err(DataError::Empty {
                path: path.clone(),
                part,
                remedy,
            });
        }
    }
    Ok(Dataset {
        train,
        test,
        replaced_utf8: reader.replaced_utf8,
    })
}

/// What the reading of one table or two has in common.
struct Reader<'a> {
    options: &'a TableOptions,
    replaced_utf8: usize,
    /// Bytes of the table that was read before this one.
    before: u64,
    /// Bytes of all tables.
    total: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Reader<'_> {
    fn rows(&mut self, path: &Path, bytes: &[u8]) -> Result<Vec<Review>> {
        let without_mark = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let reviews = match self.options.format {
            TableFormat::Csv => self.separated_rows(path, without_mark, b','),
            TableFormat::Tsv => self.separated_rows(path, without_mark, b'\t'),
            TableFormat::JsonLines => self.json_rows(path, without_mark),
        }?;
        self.report(bytes.len() as u64);
        self.before += bytes.len() as u64;
        Ok(reviews)
    }

    fn report(&mut self, done: u64) {
        (self.progress)(Progress {
            done: self.before + done,
            total: self.total,
            unit: Unit::Bytes,
        });
    }

    fn separated_rows(&mut self, path: &Path, bytes: &[u8], delimiter: u8) -> Result<Vec<Review>> {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .from_reader(bytes);
        let malformed = |error: csv::Error| malformed(path, bytes, &error);
        let names = reader.byte_headers().map_err(malformed)?.clone();
        let column = |column: &str| {
            names
                .iter()
                .position(|name| name == column.as_bytes())
                .ok_or_else(|| {
                    let names: Vec<_> = names.iter().map(String::from_utf8_lossy).collect();
                    missing_column(
                        path,
                        line_of(bytes, 0),
                        column,
                        names.iter().map(AsRef::as_ref),
                    )
                })
        };
        let text_column = column(&self.options.text_column)?;
        let label_column = column(&self.options.label_column)?;

        let mut reviews = Vec::new();
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(malformed)? {
            let position = record.position().map_or(0, csv::Position::byte);
            let label = String::from_utf8_lossy(&record[label_column]);
            let positive = verdict(&label)
                .ok_or_else(|| unknown_label(path, line_of(bytes, position), &label))?;
            reviews.push(Review {
                text: text(&record[text_column], &mut self.replaced_utf8),
                positive,
            });
            if reviews.len() % REPORT_EVERY == 0 {
                self.report(position);
            }
        }
        Ok(reviews)
    }

    fn json_rows(&mut self, path: &Path, bytes: &[u8]) -> Result<Vec<Review>> {
        let mut reviews = Vec::new();
        let mut done = 0;
        for (line, row) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
            done += row.len() as u64 + 1;
            if row.trim_ascii().is_empty() {
                continue;
            }
            let row = text(row, &mut self.replaced_utf8);
            reviews.push(self.json_row(path, line, &row)?);
            if reviews.len() % REPORT_EVERY == 0 {
                self.report(done);
            }
        }
        Ok(reviews)
    }

    fn json_row(&self, path: &Path, line: u64, row: &str) -> Result<Review> {
        let refused = |reason: String| DataError::Row {
            path: path.into(),
            line,
            reason,
        };
        let row: Map<String, Value> = serde_json::from_str(row)
            .map_err(|error| refused(format!("not a JSON object ({error}); write one a line")))?;
        let value = |column: &str| {
            row.get(column)
                .ok_or_else(|| missing_column(path, line, column, row.keys().map(String::as_str)))
        };
        let label = match value(&self.options.label_column)? {
            Value::String(label) => label.clone(),
            other => other.to_string(),
        };
        let positive = verdict(&label).ok_or_else(|| unknown_label(path, line, &label))?;
        let column = &self.options.text_column;
        match value(column)? {
            Value::String(text) => Ok(Review {
                text: text.clone(),
                positive,
            }),
            _ => Err(refused(format!(
                "`{column}` is not a string; write the review as one"
            ))),
        }
    }
}

/// The meaning of a label.
fn verdict(label: &str) -> Option<bool> {
    match label.trim().to_lowercase().as_str() {
        "1" | "pos" | "positive" | "true" => Some(true),
        "0" | "neg" | "negative" | "false" => Some(false),
        _ => None,
    }
}

fn unknown_label(path: &Path, line: u64, label: &str) -> DataError {
    let mut shown: String = label.chars().take(SHOWN_LABEL).collect();
    if shown.len() < label.len() {
        shown.push('…');
    }
    DataError::UnknownLabel {
        path: path.into(),
        line,
        label: format!("{shown:?}"),
    }
}

fn missing_column<'a>(
    path: &Path,
    line: u64,
    column: &str,
    columns: impl Iterator<Item = &'a str>,
) -> DataError {
    let columns: Vec<String> = columns.map(|name| format!("`{name}`")).collect();
    let columns = if columns.is_empty() {
        "none".to_owned()
    } else {
        columns.join(", ")
    };
    DataError::MissingColumn {
        path: path.into(),
        line,
        column: column.to_owned(),
        columns,
    }
}

fn malformed(path: &Path, bytes: &[u8], error: &csv::Error) -> DataError {
    let position = error.position().map_or(0, csv::Position::byte);
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!(
            "{len} columns where the first line has {expected_len}; \
             put quotes around a text that holds the separator"
        ),
        _ => error.to_string(),
    };
    DataError::Row {
        path: path.into(),
        line: line_of(bytes, position),
        reason,
    }
}

/// The line, from 1, of the record that the CSV reader finds from byte `position` on.
///
/// The reader counts lines too, but takes its count before it skips what is left of a line's end
/// and empty lines.
fn line_of(bytes: &[u8], position: u64) -> u64 {
    let position = usize::try_from(position)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let skipped = bytes[position..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let before = &bytes[..position + skipped];
    let feeds = before.iter().filter(|&&byte| byte == b'\n').count();
    let bare_returns = before
        .windows(2)
        .filter(|pair| pair[0] == b'\r' && pair[1] != b'\n')
        .count()
        + usize::from(before.last() == Some(&b'\r'));
    (1 + feeds + bare_returns) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tempfile::TempDir;

    use TableFormat::{Csv, JsonLines, Tsv};

    fn saved(format: TableFormat, bytes: impl AsRef<[u8]>) -> (TempDir, TableOptions) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("reviews.table");
        fs::write(&path, bytes).unwrap();
        let (text_column, label_column) = ("text".into(), "label".into());
        let options = TableOptions {
            path,
            test_path: None,
            format,
            text_column,
            label_column,
            test_fraction: 0.25,
        };
        (root, options)
    }

    fn load_bytes(format: TableFormat, bytes: impl AsRef<[u8]>) -> Result<Dataset> {
        let (_root, options) = saved(format, bytes);
        load(&options, &mut |_| {})
    }

    fn message(format: TableFormat, bytes: impl AsRef<[u8]>) -> String {
        load_bytes(format, bytes).unwrap_err().to_string()
    }

    /// All reviews in the order of their texts.
    fn sorted(dataset: Dataset) -> Vec<(String, bool)> {
        let reviews = dataset.train.into_iter().chain(dataset.test);
        let mut reviews: Vec<_> = reviews
            .map(|review| (review.text, review.positive))
            .collect();
        reviews.sort();
        reviews
    }

    #[test]
    fn reads_every_format() {
        let expected = [
            ("a \"fine\" film".to_owned(), true),
            ("dull, long".to_owned(), false),
            ("one\nmore".to_owned(), false),
            ("ça va".to_owned(), true),
        ];
        let csv = "id,text,label\n1,\"a \"\"fine\"\" film\",1\n2,\"dull, long\",neg\n\
            3,\"one\nmore\",FALSE\n4,ça va, Positive\n";
        let tsv = "label\ttext\npos\t\"a \"\"fine\"\" film\"\r\n\
            0\tdull, long\r\nNegative\t\"one\nmore\"\r\ntrue\tça va";
        let json = r#"{"text": "a \"fine\" film", "label": 1}
            {"label": "neg", "text": "dull, long", "stars": [1]}

            {"label": false, "text": "one\nmore"}
            {"label": "TRUE", "text": "\u00e7a va"}"#;
        for (format, bytes) in [(Csv, csv), (Tsv, tsv), (JsonLines, json)] {
            assert_eq!(
                sorted(load_bytes(format, bytes).unwrap()),
                expected,
                "{format:?}"
            );
            let marked = format!("\u{feff}{bytes}");
            assert_eq!(
                sorted(load_bytes(format, marked).unwrap()),
                expected,
                "{format:?} with a byte order mark"
            );
        }
    }

    fn many_rows(count: usize) -> String {
        let row = |index| format!("number {index},{}\n", u8::from(index < count / 2));
        "text,label\n"
            .chars()
            .chain((0..count).map(row).collect::<String>().chars())
            .collect()
    }

    #[test]
    fn keeps_the_same_mixed_rows_for_testing_every_time() {
        let dataset = load_bytes(Csv, many_rows(100)).unwrap();
        assert_eq!((dataset.train.len(), dataset.test.len()), (75, 25));
        let positive = dataset.test.iter().filter(|review| review.positive).count();
        assert!(
            (6..=19).contains(&positive),
            "{positive} positive reviews of 25"
        );
        assert_eq!(load_bytes(Csv, many_rows(100)).unwrap(), dataset);
    }

    #[test]
    fn a_second_table_is_the_test_split() {
        let (root, mut options) = saved(Csv, many_rows(10));
        let test_path = root.path().join("test.csv");
        let test = "text,label\nlast,1\ninvalid \u{fffd},0\n".replace('\u{fffd}', "?");
        fs::write(&test_path, &test).unwrap();
        options.test_path = Some(test_path);
        options.test_fraction = 0.0;
        let mut reports = Vec::new();
        let dataset = load(&options, &mut |progress| reports.push(progress)).unwrap();
        assert_eq!((dataset.train.len(), dataset.test.len()), (10, 2));
        assert_eq!(
            dataset.test[0],
            Review {
                text: "last".into(),
                positive: true
            }
        );
        let total = (many_rows(10).len() + test.len()) as u64;
        assert_eq!(
            reports.last(),
            Some(&Progress {
                done: total,
                total,
                unit: Unit::Bytes
            })
        );
    }

    #[test]
    fn invalid_utf8_is_replaced_and_counted() {
        let csv = b"text,label\ncaf\xe9,1\nfine,0\n";
        let json = b"{\"text\": \"caf\xe9\", \"label\": 1}\n{\"text\": \"fine\", \"label\": 0}";
        for (format, bytes) in [(Csv, csv.as_slice()), (JsonLines, json)] {
            let dataset = load_bytes(format, bytes).unwrap();
            assert_eq!(dataset.replaced_utf8, 1);
            assert_eq!(sorted(dataset)[0].0, "caf\u{fffd}");
        }
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_are_there() {
        let missing = message(Csv, "id,review,label\n1,fine,1\n");
        assert!(
            missing.contains("reviews.table, line 1: there is no column `text`"),
            "{missing}"
        );
        assert!(missing.contains("`id`, `review`, `label`"), "{missing}");
        let missing = message(Tsv, "text\tsentiment\nfine\t1\n");
        assert!(
            missing.contains(
                "line 1: there is no column `label`; the columns here are `text`, `sentiment`"
            ),
            "{missing}"
        );
        let missing = message(
            JsonLines,
            "{\"text\": \"fine\", \"label\": 1}\n\n{\"text\": \"fine\", \"stars\": 1}\n",
        );
        assert!(
            missing.contains(
                "line 3: there is no column `label`; the columns here are `stars`, `text`"
            ),
            "{missing}"
        );
        assert!(
            message(Csv, "")
                .contains("line 1: there is no column `text`; the columns here are none")
        );
    }

    #[test]
    fn an_unknown_label_is_named_with_its_line() {
        for ending in ["\n", "\r\n", "\r"] {
            let rows = ["text,label", "\"two", "lines\",1", "", "fine,1", "dull,2"].join(ending);
            let unknown = message(Csv, rows);
            assert!(
                unknown
                    .contains("reviews.table, line 6: the label \"2\" is not known; write 0 or 1"),
                "{unknown}"
            );
        }
        let unknown = message(
            JsonLines,
            "{\"text\": \"fine\", \"label\": 1}\n{\"text\": \"fine\", \"label\": null}",
        );
        assert!(
            unknown.contains("line 2: the label \"null\" is not known"),
            "{unknown}"
        );
        let long = message(Csv, format!("text,label\nfine,{}\n", "é".repeat(5000)));
        assert!(
            long.contains(&format!("the label \"{}…\" is not known", "é".repeat(40))),
            "{long}"
        );
    }

    #[test]
    fn a_row_that_does_not_fit_is_named_with_its_line() {
        let uneven = message(
            Csv,
            "text,label\nfine,1\n\"two\nlines\",1\nnot bad, really,1\n",
        );
        assert!(
            uneven.contains("line 5: 3 columns where the first line has 2; put quotes"),
            "{uneven}"
        );
        let broken = message(
            JsonLines,
            "{\"text\": \"fine\", \"label\": 1}\n{\"text\": \"fi",
        );
        assert!(
            broken.contains("line 2: not a JSON object (EOF while parsing"),
            "{broken}"
        );
        assert!(message(JsonLines, "[1]").contains("line 1: not a JSON object"));
        let number = message(JsonLines, "{\"text\": 7, \"label\": 1}");
        assert!(
            number.contains("line 1: `text` is not a string"),
            "{number}"
        );
        assert!(message(JsonLines, "[".repeat(100_000)).contains("line 1: not a JSON object"));
    }

    #[test]
    fn an_empty_split_is_an_error() {
        assert!(
            message(Csv, "text,label\n")
                .contains("reviews.table: the training split holds no reviews")
        );
        assert!(
            message(Csv, "text,label\nfine,1\n")
                .contains("reviews.table: the test split holds no reviews")
        );
        let (root, mut options) = saved(Csv, many_rows(10));
        options.test_path = Some(root.path().join("test.csv"));
        let missing = load(&options, &mut |_| {}).unwrap_err().to_string();
        assert!(
            missing.contains("test.csv: there is no such file"),
            "{missing}"
        );
        fs::write(root.path().join("test.csv"), "text,label\n").unwrap();
        let empty = load(&options, &mut |_| {}).unwrap_err().to_string();
        assert!(
            empty.contains("test.csv: the test split holds no reviews"),
            "{empty}"
        );
    }

    #[test]
    fn a_test_fraction_lies_between_0_and_1() {
        let (_root, mut options) = saved(Csv, many_rows(10));
        for fraction in [0.0, 1.0, -0.5, 20.0, f64::NAN, f64::INFINITY] {
            options.test_fraction = fraction;
            let message = load(&options, &mut |_| {}).unwrap_err().to_string();
            assert!(message.contains("is not between 0 and 1"), "{message}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for format in [Csv, Tsv, JsonLines] {
                let _ = load_bytes(format, &bytes);
                let _ = load_bytes(format, [b"text,label\n\r\n".as_slice(), &bytes].concat());
            }
        }
    }
}
