//! Texts and their labels in a table of one's own.

mod classes;
pub(crate) mod rows;

use std::path::{Path, PathBuf};

pub(crate) use self::classes::Classes;
use super::progress::LoadProgress;
use super::table::{Cell, Row, Table};
use crate::dataset::{Dataset, Note, Record};
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::files::open_sized;
use crate::form::TableForm;
use crate::labels::Labels;
use crate::limits::{Limits, size};
use crate::random::mix;

/// Where the texts and their labels are in a table, or in two.
///
/// A label is any text without the white space around it; in JSON also a number or a truth value. Where
/// all of a table's labels are 0 or 1, neg or pos, negative or positive, false or true, in any case, they
/// are read as [`Labels::negative_positive`].
#[derive(Clone, Debug, PartialEq)]
pub struct TableOptions {
    /// The table; all of its rows are for training if there is a `test_path`.
    pub path: PathBuf,
    /// A second table, with the same columns, for testing.
    pub test_path: Option<PathBuf>,
    /// How both are written.
    pub form: TableForm,
    /// The column, or the JSON key, of the text.
    pub text_column: String,
    /// The column, or the JSON key, of the label.
    pub label_column: String,
    /// The labels there may be; else those that the first table has, in their order as numbers if all are
    /// numbers, and as texts if not. Another label is an error.
    pub labels: Option<Labels>,
    /// The share of the mixed rows that is kept for testing where there is no `test_path`, between
    /// 0 and 1.
    pub test_fraction: f64,
    /// The share of what is left that is held out to validate, between 0 and 1.
    pub validation_fraction: f64,
}

/// Reads the table, or both.
pub(super) fn load(
    options: &TableOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let fraction = options.test_fraction;
    if options.test_path.is_none() && !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::TestFraction { fraction });
    }
    if options.text_column == options.label_column {
        return Err(DataError::LabelColumn {
            path: options.path.clone(),
            reason: format!(
                "the column `{}` can't be both the texts and the labels; name another one for one of them",
                shown(&options.text_column, SHOWN_NAME)
            ),
        });
    }
    let (_, train_length) = open_sized(&options.path)?;
    let test_length = match &options.test_path {
        Some(path) => open_sized(path)?.1,
        None => 0,
    };
    let total = train_length + test_length;
    let mut reader = Reader {
        options,
        limits,
        classes: Classes::new(
            &options.label_column,
            &options.text_column,
            options.labels.as_ref(),
        ),
        notes: Vec::new(),
    };

    let mut train = reader.rows(Table::open(
        &options.path,
        &options.form,
        limits,
        &mut |part| progress(LoadProgress { total, ..part }),
    )?)?;
    reader.classes.learn(&mut train, &options.path)?;
    mix(&mut train);
    let test_path = options.test_path.as_ref().unwrap_or(&options.path);
    let test = match options.test_path {
        Some(_) => reader.rows(Table::open(
            test_path,
            &options.form,
            limits,
            &mut |part| {
                progress(LoadProgress {
                    done: train_length + part.done,
                    total,
                    ..part
                });
            },
        )?)?,
        None => {
            let kept = (train.len() as f64 * fraction).round() as usize;
            train.split_off(train.len() - kept)
        }
    };
    for (path, part, records) in [
        (&options.path, "the training split", &train),
        (test_path, "the test split", &test),
    ] {
        if records.is_empty() {
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
        labels: reader.classes.into_labels(),
        notes: reader.notes,
        ..Dataset::default()
    })
}

/// What the reading of one table or two has in common.
pub(crate) struct Reader<'a> {
    pub(crate) options: &'a TableOptions,
    pub(crate) limits: &'a Limits,
    pub(crate) classes: Classes<'a>,
    pub(crate) notes: Vec<Note>,
}

impl Reader<'_> {
    /// Reads the rows of a table. Their classes are final where labels are known.
    pub(crate) fn rows(&mut self, mut table: Table) -> Result<Vec<Record>> {
        let columns = [
            table.column(&self.options.text_column)?,
            table.column(&self.options.label_column)?,
        ];
        table.choose(&columns);
        let mut records = Vec::new();
        while let Some(row) = table.next_row()? {
            let record = self.record(&table, row, records.len())?;
            records.push(record);
        }
        self.notes.append(&mut table.notes);
        Ok(records)
    }

    /// The record of a row with `rows` rows above it.
    fn record(&mut self, table: &Table, row: Row, rows: usize) -> Result<Record> {
        let line = row.line;
        let [text, label] = <[Cell; 2]>::try_from(row.cells).expect("two columns are chosen");
        let no_label = |kind| {
            let column = shown(&self.options.label_column, SHOWN_NAME);
            let reason = format!("`{column}` is {kind}; write a text, a number or a truth value");
            table.error(line, reason)
        };
        let label = match label {
            Cell::Text(label) | Cell::Scalar(label) => label,
            Cell::Null => return Err(no_label("null")),
            Cell::Other(kind) => return Err(no_label(kind)),
        };
        let class = self.class(&label, table.path(), line, rows)?;
        match text {
            Cell::Text(text) => Ok(Record::text(text, class)),
            _ => {
                let column = shown(&self.options.text_column, SHOWN_NAME);
                let reason = format!("`{column}` is not a string; write the text as one");
                Err(table.error(line, reason))
            }
        }
    }

    /// The class of a label that has no more than a label's bytes.
    fn class(&mut self, label: &str, path: &Path, line: u64, rows: usize) -> Result<u32> {
        let most = self.limits.label;
        if label.len() > most {
            let (label, most) = (shown(label, SHOWN_NAME), size(most as u64));
            return Err(DataError::Row {
                path: path.into(),
                line,
                reason: format!("the label \"{label}\" is longer than {most}; is it a text?"),
            });
        }
        self.classes.class(label, path, line, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::Target;
    use crate::sources::Unit;
    use proptest::prelude::*;
    use std::fs;
    use tempfile::TempDir;

    use TableFormat::{Csv, JsonLines, Tsv};

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum TableFormat {
        Csv,
        Tsv,
        JsonLines,
    }

    impl TableFormat {
        fn form(self) -> TableForm {
            let (format, separator) = match self {
                Csv => (crate::TableFormat::Separated, Some(',')),
                Tsv => (crate::TableFormat::Separated, Some('\t')),
                JsonLines => (crate::TableFormat::JsonLines, None),
            };
            TableForm {
                format: Some(format),
                separator,
                ..TableForm::default()
            }
        }
    }

    fn saved(format: TableFormat, bytes: impl AsRef<[u8]>) -> (TempDir, TableOptions) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("reviews.table");
        fs::write(&path, bytes).unwrap();
        let (text_column, label_column) = ("text".into(), "label".into());
        let options = TableOptions {
            path,
            test_path: None,
            form: format.form(),
            text_column,
            label_column,
            labels: None,
            test_fraction: 0.25,
            validation_fraction: 0.2,
        };
        (root, options)
    }

    fn load_bytes(format: TableFormat, bytes: impl AsRef<[u8]>) -> Result<Dataset> {
        load_within(&Limits::default(), format, bytes)
    }

    fn load_within(
        limits: &Limits,
        format: TableFormat,
        bytes: impl AsRef<[u8]>,
    ) -> Result<Dataset> {
        let (_root, options) = saved(format, bytes);
        load(&options, limits, &mut |_| {})
    }

    fn message(format: TableFormat, bytes: impl AsRef<[u8]>) -> String {
        load_bytes(format, bytes).unwrap_err().to_string()
    }

    /// All reviews in the order of their texts.
    fn sorted(dataset: Dataset) -> Vec<(String, bool)> {
        let reviews = dataset.train.iter().chain(&dataset.test);
        let mut reviews: Vec<_> = reviews
            .map(Record::expect_review)
            .map(|(text, positive)| (text.to_owned(), positive))
            .collect();
        reviews.sort();
        reviews
    }

    /// The label of each row, in the order of the texts.
    fn learnt(dataset: &Dataset) -> Vec<String> {
        let labels = dataset.labels.as_ref().expect("a table has labels");
        let records = dataset.train.iter().chain(&dataset.test);
        let mut rows: Vec<_> = records
            .map(|record| match record.target {
                Target::Class(class) => (
                    record.expect_review().0,
                    labels.name(class as usize).unwrap(),
                ),
                _ => panic!("{record:?} has no class"),
            })
            .collect();
        rows.sort_unstable();
        rows.into_iter()
            .map(|(_, label)| label.to_owned())
            .collect()
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
        let positive = dataset
            .test
            .iter()
            .filter(|review| review.expect_review().1)
            .count();
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
        let dataset = load(&options, &Limits::default(), &mut |progress| {
            reports.push(progress)
        })
        .unwrap();
        assert_eq!((dataset.train.len(), dataset.test.len()), (10, 2));
        assert_eq!(dataset.test[0], Record::text("last", 1));
        let total = (many_rows(10).len() + test.len()) as u64;
        assert_eq!(
            reports.last(),
            Some(&LoadProgress {
                done: total,
                total,
                unit: Unit::Bytes
            })
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_are_named_with_their_place() {
        let expected = "line 3, column 11: a byte 0xe9 that is no UTF-8; \
            in Windows-1252 the word here is \"café\": if that is right, `--encoding windows-1252`";
        let csv = b"text,label\nfine,0\na nice caf\xe9 this,1\n";
        let json = b"{\"text\": \"fine\", \"label\": 0}\n\n{\"t\": \"caf\xe9 this\", \"label\": 1}";
        for (format, bytes) in [(Csv, csv.as_slice()), (JsonLines, json)] {
            let message = message(format, bytes);
            assert!(message.contains(expected), "{message}");
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
                "line 3: there is no column `label`; the columns here are `text`, `stars`"
            ),
            "{missing}"
        );
        for format in [Csv, JsonLines] {
            assert!(message(format, "\n\n").contains("reviews.table: the table is empty"));
        }
    }

    /// A table whose labels are these, one a row, and whose texts are in their order.
    fn labelled<T: std::fmt::Display>(labels: impl IntoIterator<Item = T>) -> String {
        let row = |(index, label)| format!("{index:04},{label}\n");
        let rows: String = (0..).zip(labels).map(row).collect();
        format!("text,label\n{rows}")
    }

    fn names(dataset: &Dataset) -> Vec<&str> {
        let labels = dataset.labels.as_ref().expect("a table has labels");
        labels.names().iter().map(String::as_str).collect()
    }

    #[test]
    fn labels_are_learnt_in_the_order_of_texts_or_of_numbers() {
        for (labels, expected) in [
            (
                vec!["fish", "cat", "Fish", "cat", "ähre"],
                &["Fish", "cat", "fish", "ähre"][..],
            ),
            (
                vec!["10", "9", "-1.5", "1e3", "9"],
                &["-1.5", "9", "10", "1e3"],
            ),
            (vec!["2", "1", "0", "2.0"], &["0", "1", "2", "2.0"]),
            (vec!["10", "9", "inf"], &["10", "9", "inf"]),
            (vec!["1", "2", "1"], &["1", "2"]),
            (vec!["pos", "neg", "neutral"], &["neg", "neutral", "pos"]),
        ] {
            let dataset = load_bytes(Csv, labelled(&labels)).unwrap();
            assert_eq!(names(&dataset), expected);
            assert_eq!(learnt(&dataset), labels);
        }
        // White space around a label is no part of it; JSON's numbers and truth values are labels.
        let dataset = load_bytes(Tsv, "text\tlabel\na\t b \nb\tc\nc\tb\n").unwrap();
        assert_eq!(names(&dataset), ["b", "c"]);
        let json = r#"{"text": "a", "label": 2}
            {"text": "b", "label": "2.0"}
            {"text": "c", "label": 2.0}
            {"text": "d", "label": true}"#;
        let dataset = load_bytes(JsonLines, json).unwrap();
        assert_eq!(learnt(&dataset), ["2", "2.0", "2.0", "true"]);
    }

    #[test]
    fn labels_of_reviews_are_negative_and_positive_whatever_they_are_called() {
        for labels in [
            vec!["1", "neg"],
            vec!["FALSE", "True", "0"],
            vec!["NEG", "Positive"],
            vec!["pos", "0"],
        ] {
            let dataset = load_bytes(Csv, labelled(labels.iter().cycle().take(8))).unwrap();
            assert_eq!(
                dataset.labels,
                Some(Labels::negative_positive()),
                "{labels:?}"
            );
        }
        // Numbers and truth values alone are names, the smaller one first.
        for names in [["0", "1"], ["False", "True"]] {
            let dataset = load_bytes(Csv, labelled(names.iter().rev().cycle().take(8))).unwrap();
            let expected = Labels::new(names.map(String::from).to_vec()).unwrap();
            assert_eq!(dataset.labels, Some(expected));
        }
        // Spelt in two ways, one verdict is one.
        for alike in [["1", "1"], ["pos", "1"], ["neg", "Negative"]] {
            let message = message(Csv, labelled(alike.iter().cycle().take(8)));
            assert!(message.contains("a classifier needs two"), "{message}");
        }
        // Given labels are called so too.
        let (_root, mut options) = saved(Csv, labelled(["1", "Negative", "false", "pos"]));
        options.labels = Some(Labels::negative_positive());
        let dataset = load(&options, &Limits::default(), &mut |_| {}).unwrap();
        assert_eq!(
            learnt(&dataset),
            ["positive", "negative", "negative", "positive"]
        );
    }

    #[test]
    fn given_labels_keep_their_order_and_need_not_occur() {
        let (_root, mut options) = saved(Csv, labelled(["b", "0", "b", " 0 "]));
        let labels = Labels::new(["c", "b", "0"].map(String::from).to_vec()).unwrap();
        options.labels = Some(labels.clone());
        let dataset = load(&options, &Limits::default(), &mut |_| {}).unwrap();
        assert_eq!(dataset.labels, Some(labels));
        assert_eq!(learnt(&dataset), ["b", "0", "b", "0"]);
    }

    #[test]
    fn an_unknown_label_is_named_with_its_line() {
        for (labels, spellings) in [
            (
                Labels::negative_positive(),
                "write 0 or 1, neg or pos, negative or positive, false or true",
            ),
            (
                Labels::new(vec!["0".into(), "1".into()]).unwrap(),
                "write `0`, `1`",
            ),
        ] {
            for ending in ["\n", "\r\n", "\r"] {
                let rows = ["text,label", "\"two", "lines\",1", "", "fine,1", "dull,2"];
                let (_root, mut options) = saved(Csv, rows.join(ending));
                options.labels = Some(labels.clone());
                let unknown = load(&options, &Limits::default(), &mut |_| {})
                    .unwrap_err()
                    .to_string();
                let expected =
                    format!("reviews.table, line 6: the label \"2\" is not known; {spellings}");
                assert!(unknown.ends_with(&expected), "{unknown}");
            }
        }
        // A second table has no other labels than the first.
        for (train, test, expected) in [
            (
                ["neg", "1"],
                "c",
                "line 3: the label \"c\" is not known; write 0 or 1, neg or pos",
            ),
            (
                ["3", "4"],
                "5",
                "line 3: the label \"5\" is not known; write `3`, `4`",
            ),
        ] {
            let (root, mut options) = saved(Csv, labelled(train));
            let path = root.path().join("test.csv");
            fs::write(&path, labelled([train[0].to_string(), test.to_owned()])).unwrap();
            options.test_path = Some(path);
            let unknown = load(&options, &Limits::default(), &mut |_| {})
                .unwrap_err()
                .to_string();
            assert!(
                unknown.contains("test.csv, ") && unknown.contains(expected),
                "{unknown}"
            );
        }
        let (_root, mut options) = saved(Csv, labelled(["é".repeat(500)]));
        let many = (0..1000).map(|label| label.to_string()).collect();
        options.labels = Some(Labels::new(many).unwrap());
        let long = load(&options, &Limits::default(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(
            long.contains(&format!("the label \"{}…\" is not known", "é".repeat(40))),
            "{long}"
        );
        assert!(long.ends_with("`11` and 988 more"), "{long}");
    }

    #[test]
    fn what_is_no_label_is_named_with_its_line() {
        let invalid = message(Csv, "text,label\na,caf\u{fffd}\nb,caf\u{fffd}\n");
        assert!(
            invalid
                .contains("line 2: the label holds U+FFFD, which stands for bytes that were lost"),
            "{invalid}"
        );
        let empty = message(Csv, labelled(["a", " ", "b"]));
        assert!(
            empty.contains("line 3: the label is empty; write one"),
            "{empty}"
        );
        for (value, kind) in [
            ("null", "null"),
            ("[1]", "an array"),
            ("{\"a\": 1}", "an object"),
        ] {
            let row = format!("{{\"text\": \"b\", \"label\": {value}}}");
            let message = message(
                JsonLines,
                format!("{{\"text\": \"a\", \"label\": 1}}\n{row}"),
            );
            let expected =
                format!("line 2: `label` is {kind}; write a text, a number or a truth value");
            assert!(message.contains(&expected), "{message}");
        }
        let long = message(Csv, labelled(["é".repeat(5000)]));
        let expected = format!(
            "line 2: the label \"{}…\" is longer than 1 KiB; is it a text?",
            "é".repeat(40)
        );
        assert!(long.contains(&expected), "{long}");
    }

    #[test]
    fn labels_that_no_classifier_learns_are_refused() {
        let one = message(Csv, labelled(["x"; 30]));
        assert!(
            one.ends_with("reviews.table: every row has the label `x`; a classifier needs two"),
            "{one}"
        );
        let many = message(Csv, labelled((0..22).map(|row| row.min(11) * 3)));
        assert!(
            many.contains(
                "reviews.table: the column `label` has 12 different labels in 22 rows, the first is `0` on line 2; \
                 is it the column of texts, or one of measurements? The texts are those of `text`"
            ),
            "{many}"
        );
        // Half of the rows may, and a few rows may have a label each.
        assert!(load_bytes(Csv, labelled((0..22).map(|row| row.min(10) * 3))).is_ok());
        assert!(load_bytes(Csv, labelled(0..20)).is_ok());
        let endless = message(Csv, labelled(0..1 << 17));
        assert!(
            endless.contains("has 65537 different labels in 65537 rows, the first"),
            "{endless}"
        );
        let most = labelled((0..3 << 16).map(|row| row % (1 << 16)));
        assert_eq!(names(&load_bytes(Csv, most).unwrap()).len(), 1 << 16);
    }

    #[test]
    fn a_row_that_does_not_fit_is_named_with_its_line() {
        let uneven = message(
            Csv,
            "text,label\nfine,1\n\"two\nlines\",1\nnot bad, really,1\n",
        );
        assert!(
            uneven.contains(
                "line 5: 3 columns, separated by commas, where the first line has 2; put quotes"
            ),
            "{uneven}"
        );
        let broken = message(
            JsonLines,
            "{\"text\": \"fine\", \"label\": 1}\n{\"text\": \"fi",
        );
        assert!(
            broken.contains("line 2, column 12: not a JSON object (EOF while parsing"),
            "{broken}"
        );
        assert!(message(JsonLines, "[1]").contains("not a JSON object"));
        let number = message(JsonLines, "{\"text\": 7, \"label\": 1}");
        assert!(
            number.contains("line 1: `text` is not a string"),
            "{number}"
        );
        assert!(message(JsonLines, "[".repeat(100_000)).contains("not a JSON object"));
    }

    #[test]
    fn an_empty_split_is_an_error() {
        assert!(
            message(Csv, "text,label\n").contains("reviews.table: the training split is empty")
        );
        let (root, mut options) = saved(Csv, many_rows(10));
        options.test_fraction = 0.01;
        let empty = load(&options, &Limits::default(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(
            empty.contains("reviews.table: the test split is empty"),
            "{empty}"
        );
        options.test_path = Some(root.path().join("test.csv"));
        let missing = load(&options, &Limits::default(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(
            missing.contains("test.csv: there is no such file"),
            "{missing}"
        );
        fs::write(root.path().join("test.csv"), "text,label\n").unwrap();
        let empty = load(&options, &Limits::default(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(
            empty.contains("test.csv: the test split is empty"),
            "{empty}"
        );
    }

    #[test]
    fn a_test_fraction_lies_between_0_and_1() {
        let (_root, mut options) = saved(Csv, many_rows(10));
        for fraction in [0.0, 1.0, -0.5, 20.0, f64::NAN, f64::INFINITY] {
            options.test_fraction = fraction;
            let message = load(&options, &Limits::default(), &mut |_| {})
                .unwrap_err()
                .to_string();
            assert!(message.contains("is not between 0 and 1"), "{message}");
        }
    }

    #[test]
    fn a_quotation_mark_that_is_not_closed_is_named_with_its_line() {
        let rows = |open: &str| {
            let mut rows: Vec<String> = vec!["label,text".into(), "1,\"two\nlines\"".into()];
            rows.extend((0..200).map(|index| format!("{},film {index}", index % 2)));
            rows[4] = open.into();
            rows.join("\n") + "\n"
        };
        for (open, place) in [
            ("0,\"a film that begins a quote", "line 6, column 3"),
            ("0,\"closed \"\" and not", "line 6, column 3"),
            ("\"0", "line 6, column 1"),
            ("0,\"two\nlines\"\n1,\"open", "line 8, column 3"),
        ] {
            let message = message(Csv, rows(open));
            let expected =
                format!("{place}: the quotation mark that opens here is not closed; close it");
            assert!(message.contains(&expected), "{open:?}: {message}");
        }
        assert!(
            message(Csv, "text,\"label\nfine,1\n").contains("line 1, column 6: the quotation mark")
        );
        // A table may end with the mark that closes, and a mark within a text opens nothing.
        for last in ["0,\"end\"", "0,5\" screen"] {
            let table = format!("label,text\n1,fine\n1,fine\n1,fine\n{last}");
            assert_eq!(sorted(load_bytes(Csv, table).unwrap()).len(), 4, "{last}");
        }
    }

    #[test]
    fn lines_are_counted_across_reads_of_the_file() {
        let long = "words ".repeat((1 << 16) / 40);
        for ending in ["\n", "\r\n", "\r", "\n\n"] {
            let lines = if ending == "\n\n" { 2 } else { 1 };
            let mut table = format!("text,label{ending}");
            for index in 0..50 {
                table += &format!("\"{long}{ending}\",{}{ending}", index % 2);
            }
            let message = message(Csv, table + "fine, ");
            let line = 1 + lines + 50 * 2 * lines;
            assert!(
                message.contains(&format!("line {line}: the label is empty")),
                "{ending:?}: {message}"
            );
        }
    }

    #[test]
    fn a_column_or_key_that_is_there_twice_is_refused() {
        for (format, table, twice) in [
            (
                Csv,
                "text,label,text\na,1,b\n",
                "line 1: the column `text` is there twice",
            ),
            (
                Tsv,
                "label\tlabel\ttext\n1\t1\ta\n",
                "line 1: the column `label` is there twice",
            ),
            (
                JsonLines,
                "{\"text\": \"a\", \"label\": 1}\n{\"label\": 1, \"text\": \"a\", \"label\": 0}",
                "line 2: the key `label` is there twice",
            ),
        ] {
            let message = message(format, table);
            assert!(message.contains(twice), "{message}");
        }
        // What is not asked for may be there as often as it likes.
        let table = format!("text,,,label\n{}", "fine,,,1\ndull,,,0\n".repeat(4));
        assert!(load_bytes(Csv, table).is_ok());
    }

    #[test]
    fn what_is_no_utf8_text_is_refused_with_what_to_do() {
        let good = "text,label\nfine,1\ndull,0\n";
        let utf16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            let units = [mark].into_iter().filter(|unit| *unit != 0);
            units.chain(good.encode_utf16()).flat_map(bytes).collect()
        };
        for format in [Csv, Tsv, JsonLines] {
            for bytes in [
                utf16(0xfeff, u16::to_le_bytes),
                utf16(0xfeff, u16::to_be_bytes),
                utf16(0, u16::to_le_bytes),
                utf16(0, u16::to_be_bytes),
            ] {
                assert_eq!(format == Csv, load_bytes(format, bytes).is_ok());
            }
        }
        let later = message(Csv, "text,label\nfine,1\n\0,0\n");
        assert!(later.contains("line 3: a NUL byte"), "{later}");
    }

    #[test]
    fn tables_and_rows_are_limited() {
        let table = many_rows(100);
        let all = Limits::default();
        let length = table.len() as u64;
        let exact = Limits {
            table: length,
            rows: 100,
            ..all
        };
        assert!(load_within(&exact, Csv, &table).is_ok());
        for (limits, reason) in [
            (
                Limits {
                    table: length - 1,
                    ..all
                },
                "table: it has more than",
            ),
            (
                Limits { rows: 99, ..all },
                "table: it has more than 99 rows; keep a part",
            ),
        ] {
            let message = load_within(&limits, Csv, &table).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }

        let limits = Limits {
            row: 1 << 10,
            ..all
        };
        let long = "x".repeat(2 << 10);
        for (format, table, line) in [
            (Csv, format!("text,label\nfine,1\n{long},0\nfine,1\n"), 3),
            (
                Csv,
                format!("text,label\nfine,1\n\"{}\"\nfine,1\n", "\n".repeat(2 << 10)),
                3,
            ),
            (Tsv, format!("text{long}\tlabel\nfine\t1\n"), 1),
            (
                JsonLines,
                format!("\n{{\"text\": \"a\", \"label\": 1, \"more\": \"{long}\"}}\n"),
                2,
            ),
        ] {
            let message = load_within(&limits, format, table).unwrap_err().to_string();
            let expected = format!("line {line}: the row is longer than 1 KiB; look for");
            assert!(message.contains(&expected), "{message}");
        }
    }

    #[test]
    fn a_message_shows_little_of_a_table() {
        let wide: Vec<String> = (0..100_000)
            .map(|index| format!("column-{index}"))
            .collect();
        let many_keys: String = (0..50_000)
            .map(|index| format!("\"key {index}\": 0,"))
            .collect();
        let long = "x\u{1b}[2J".repeat(20_000);
        for (format, table) in [
            (Csv, wide.join(",") + "\n"),
            (Csv, format!("{long},label\nfine,1\n")),
            (Csv, format!("text,label\nfine,{long}\n")),
            (Tsv, format!("text\tlabel\nfine\t1\t{long}\n")),
            (JsonLines, format!("{{{many_keys} \"label\": 1}}\n")),
            (
                JsonLines,
                format!("{{\"label\": \"{}\"}}\n", "x".repeat(100_000)),
            ),
            (
                JsonLines,
                format!("{{\"label\": {}}}\n", "[".repeat(100_000)),
            ),
            (JsonLines, format!("\"{}\"\n", "x".repeat(100_000))),
        ] {
            let message = message(format, table);
            assert!(message.len() < 1000, "{} bytes", message.len());
            assert!(!message.contains(char::is_control), "{message}");
        }
    }

    #[test]
    fn a_json_row_may_hold_whatever_else_it_likes() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        let row = |(text, label): (&str, bool)| {
            format!(
                "{{\"more\": {deep}, \"text\": \"{text}\", \"n\": [1, {{\"text\": 2}}], \"label\": {label}}}\n"
            )
        };
        let rows = [("a", true), ("b", false), ("c", true)];
        let table: String = rows.map(row).concat();
        let expected = rows.map(|(text, label)| (text.to_owned(), label));
        assert_eq!(sorted(load_bytes(JsonLines, table).unwrap()), expected);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let (root, mut options) = saved(Csv, many_rows(10));
        options.path = root.path().join("pipe.csv");
        let made = std::process::Command::new("mkfifo")
            .arg(&options.path)
            .status();
        assert!(made.unwrap().success());
        let message = load(&options, &Limits::default(), &mut |_| {})
            .unwrap_err()
            .to_string();
        assert!(message.contains("pipe.csv: it is a pipe"), "{message}");
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
