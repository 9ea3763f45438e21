//! Texts and their labels in a table of one's own.

mod classes;
mod columns;
pub(crate) mod rows;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use self::classes::{Classes, Spellings};
pub(crate) use self::columns::Columns;
use super::progress::LoadProgress;
#[cfg(feature = "files")]
use super::table::Row;
use super::table::{Cell, Table};
use crate::choice::LabelChoice;
#[cfg(feature = "files")]
use crate::corpus::Corpus;
use crate::dataset::{Content, Dataset, Note, Record};
use crate::error::{DataError, Result, SHOWN_NAME, shown, shown_names};
use crate::example::Target;
#[cfg(feature = "files")]
use crate::files::open_sized;
use crate::form::TableForm;
use crate::labels::Labels;
use crate::limits::{Limits, size};
use crate::random::mix;
use crate::split::{Fractions, Groups, note_missing_classes, parts, shared_out};

/// Where the texts and their labels are in a table, and what is done with them.
///
/// A label is any text without the white space around it; in JSON also a number or a truth value. Where
/// all of a table's labels are 0 or 1, neg or pos, negative or positive, false or true, in any case, they
/// are read as [`Labels::negative_positive`].
#[derive(Clone, Debug, PartialEq)]
pub struct TableOptions {
    /// The table; all of its rows are for training if the other parts have tables of their own.
    pub path: PathBuf,
    /// A table with the same columns to choose the best epoch with.
    pub validation_path: Option<PathBuf>,
    /// A table with the same columns for testing.
    pub test_path: Option<PathBuf>,
    /// How they are written.
    pub form: TableForm,
    /// The column, or the JSON key, of the text; else it is recognised.
    pub text_column: Option<String>,
    /// The column, or the JSON key, of the label; else it is recognised.
    pub label_column: Option<String>,
    /// A column of which equal values keep their rows in one part.
    pub group_column: Option<String>,
    /// What stands between the labels of a row that may have any number of them; else a row has one, or in JSON
    /// perhaps an array of them.
    pub label_separator: Option<String>,
    /// Which labels are kept, in which order and under which names.
    pub choice: LabelChoice,
    /// Whether rows without a label are left out; else they are an error.
    pub skip_unlabelled: bool,
    /// The labels that a network knows; else those that the first table has. Another label is an error. With a
    /// `test_path`, that table alone is read.
    pub labels: Option<Labels>,
    /// The share of the rows that is kept for testing where there is no `test_path`, between 0 and 1.
    pub test_fraction: f64,
    /// The share of what is left that is held out to validate where there is no `validation_path`, between 0 and 1.
    pub validation_fraction: f64,
}

impl TableOptions {
    /// A table of which all is recognised.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            validation_path: None,
            test_path: None,
            form: TableForm::default(),
            text_column: None,
            label_column: None,
            group_column: None,
            label_separator: None,
            choice: LabelChoice::default(),
            skip_unlabelled: false,
            labels: None,
            test_fraction: 0.2,
            validation_fraction: 0.2,
        }
    }
}

/// Reads the texts of the table, whatever its labels are, and of the one for testing.
#[cfg(feature = "files")]
pub(super) fn corpus(
    options: &TableOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Corpus> {
    let mut ignored = |_| {};
    let first = Table::open(&options.path, &options.form, limits, &mut ignored)?;
    let column = columns::of_texts(first, options)?;
    let mut corpus = Corpus::default();
    let paths = [Some(&options.path), options.test_path.as_ref()];
    let parts = [&mut corpus.texts, &mut corpus.tested];
    for (path, texts) in paths.into_iter().zip(parts) {
        let Some(path) = path else { continue };
        let mut table = Table::open(path, &options.form, limits, progress)?;
        table.choose(&[table.column(&column)?]);
        while let Some(Row { line, cells }) = table.next_row()? {
            match cells.into_iter().next() {
                Some(Cell::Text(text)) if !text.trim().is_empty() => texts.push(text),
                Some(Cell::Text(_) | Cell::Null) => {}
                _ => {
                    let column = shown(&column, SHOWN_NAME);
                    let reason = format!("`{column}` is not a string; write the text as one");
                    return Err(table.error(line, reason));
                }
            }
        }
        corpus.notes.append(&mut table.notes);
    }
    let column = shown(&column, SHOWN_NAME);
    corpus
        .notes
        .push(Note::understood(format!("the texts are in `{column}`")));
    Ok(corpus.mixed())
}

/// Opens what lies at a path: what it holds, and how many bytes.
type Open<'a> = &'a dyn Fn(&Path) -> Result<(Box<dyn io::Read + 'a>, u64)>;

impl TableOptions {
    /// Reads the table from its bytes, in place of what lies at its path, which gives it a name alone. The same
    /// records in the same order every time.
    ///
    /// A table has at most 4 GiB, 2^25 rows and 2^20 columns, a row 64 MiB and the label in it 1 KiB.
    ///
    /// ```
    /// use gatefold_data::TableOptions;
    ///
    /// # fn main() -> gatefold_data::Result<()> {
    /// let table = b"text,label\nfine,1\nsad,0\nvery fine,1\nvery sad,0\nso fine,1\nso sad,0\n";
    /// let dataset = TableOptions::new("films.csv").read(table)?;
    /// assert_eq!(dataset.train.len() + dataset.validation.len() + dataset.test.len(), 6);
    /// let error = TableOptions::new("films.csv").read(b"text,label\nfine\n").unwrap_err().to_string();
    /// assert!(error.starts_with("films.csv, line 2: "));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If it is no table that can be learnt from; and if the options name another one for a part of it.
    pub fn read(&self, bytes: &[u8]) -> Result<Dataset> {
        let open = |path: &Path| match path == self.path {
            true => Ok((Box::new(bytes) as Box<dyn io::Read>, bytes.len() as u64)),
            false => Err(DataError::NotFound { path: path.into() }),
        };
        load_with(&open, self, &Limits::default(), &mut |_| {})
    }
}

/// Reads the table, or several.
#[cfg(feature = "files")]
pub(super) fn load(
    options: &TableOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let open = |path: &Path| {
        let (file, length) = open_sized(path)?;
        Ok((Box::new(file) as Box<dyn io::Read>, length))
    };
    load_with(&open, options, limits, progress)
}

fn load_with(
    open: Open,
    options: &TableOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let fraction = options.test_fraction;
    if options.test_path.is_none() && !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::TestFraction { fraction });
    }
    let (test_path, validation_path) = (&options.test_path, &options.validation_path);
    let tested_alone = options.labels.as_ref().zip(test_path.as_ref());
    let paths: Vec<&PathBuf> = match tested_alone {
        Some((_, path)) => vec![path],
        None => [
            Some(&options.path),
            validation_path.as_ref(),
            test_path.as_ref(),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    let mut total = 0;
    for path in &paths {
        total += open(path)?.1;
    }
    let mut ignored = |_| {};
    let first = Table::read(
        paths[0],
        open(paths[0])?,
        &options.form,
        limits,
        &mut ignored,
    )?;
    let columns = Columns::recognise(first, options)?;
    let mut reader = Reader::new(options, limits, columns);
    let mut before = 0;
    let mut read = |path: &Path| {
        let mut last = 0;
        let mut report = |part: LoadProgress| {
            last = part.total;
            let done = before + part.done;
            progress(LoadProgress {
                done,
                total,
                ..part
            });
        };
        let table = Table::read(path, open(path)?, &options.form, limits, &mut report)?;
        let rows = reader.rows(table);
        before += last;
        rows
    };
    let mut first = read(paths[0])?;
    if let Some((labels, path)) = tested_alone {
        let classes = Classes::known(labels.clone(), &options.choice);
        let test = first.meant(&classes, &mut reader.notes)?;
        not_empty(path, "the test split", &test)?;
        return Ok(Dataset {
            test: test.into_iter().map(|row| row.record).collect(),
            labels: Some(labels.clone()),
            notes: reader.notes,
            recognised: Some(reader.columns.recognised()),
            ..Dataset::default()
        });
    }
    let own_validation = validation_path.as_deref().map(&mut read).transpose()?;
    let own_test = test_path.as_deref().map(&mut read).transpose()?;
    let mut notes = std::mem::take(&mut reader.notes);

    not_empty(&options.path, "the training split", &first.rows)?;
    let classes = match &options.labels {
        Some(labels) => Classes::known(labels.clone(), &options.choice),
        None => {
            let rows = (options.path.as_path(), first.rows.len());
            Classes::learn(&first.spellings, &options.choice, rows, &mut notes)?
        }
    };
    first.note_rare_labels(&mut notes);
    let mut meant = |read: Option<Read>, part| match read {
        Some(mut read) => {
            let rows = read.meant(&classes, &mut notes)?;
            not_empty(&read.path, part, &rows)?;
            Ok((read.path, rows))
        }
        None => Ok((options.path.clone(), Vec::new())),
    };
    let (_, mut rows) = meant(Some(first), "the training split")?;
    let own = [
        meant(own_validation, "the validation split")?,
        meant(own_test, "the test split")?,
    ];
    let places = |[one, other]: [u64; 2]| format!("on lines {one} and {other}");
    note_repeated_texts(&rows, "rows", places, &mut notes);
    mix(&mut rows);
    let labels = classes.labels.clone();
    if reader.several == Some(false)
        && let Some(positive) = labels.positive()
    {
        notes.push(Note::understood(format!(
            "{positive}; choosing the labels in the other order turns that round"
        )));
    }
    let cut = Cut {
        path: &options.path,
        test: fraction,
        validation: options.validation_fraction,
    };
    let [train, validation, test] = share_out(rows, own, cut, &labels, &mut notes)?;
    Ok(Dataset {
        train,
        validation,
        test,
        labels: Some(labels),
        notes,
        recognised: Some(reader.columns.recognised()),
        ..Dataset::default()
    })
}

fn not_empty(path: &Path, part: &'static str, rows: &[TextRow]) -> Result<()> {
    match rows.is_empty() {
        true => Err(DataError::Empty {
            path: path.into(),
            part,
            remedy: "give a table with more rows",
        }),
        false => Ok(()),
    }
}

/// A row of a table.
pub(crate) struct TextRow {
    /// In a folder, the place of its file.
    pub(crate) line: u64,
    pub(crate) group: Option<u32>,
    /// Its classes are spellings until they are meant.
    pub(crate) record: Record,
}

impl TextRow {
    fn text(&self) -> &str {
        self.record.content.text().unwrap_or_default().trim()
    }
}

/// What was read of a table.
pub(crate) struct Read {
    path: PathBuf,
    pub(crate) rows: Vec<TextRow>,
    spellings: Spellings,
}

impl Read {
    /// The rows with their classes, without those whose label is left out.
    fn meant(&mut self, classes: &Classes, notes: &mut Vec<Note>) -> Result<Vec<TextRow>> {
        let mut meanings = Vec::with_capacity(self.spellings.all.len());
        for spelling in &self.spellings.all {
            let meaning =
                classes
                    .class(&spelling.name)
                    .map_err(|known| DataError::UnknownLabel {
                        path: self.path.clone(),
                        line: spelling.line,
                        label: format!("\"{}\"", shown(&spelling.name, SHOWN_NAME)),
                        known,
                    })?;
            meanings.push(meaning);
        }
        let read = self.rows.len();
        let mut rows = std::mem::take(&mut self.rows);
        rows.retain_mut(|row| match &mut row.record.target {
            Target::Class(class) => meanings[*class as usize]
                .map(|meant| *class = meant)
                .is_some(),
            Target::ClassSet(set) => {
                *set = set
                    .iter()
                    .filter_map(|class| meanings[*class as usize])
                    .collect();
                set.sort_unstable();
                set.dedup();
                true
            }
            _ => unreachable!("rows have classes"),
        });
        if rows.len() < read {
            let left_out = self.spellings.all.iter().zip(&meanings);
            let left_out = left_out.filter(|(_, meaning)| meaning.is_none());
            notes.push(Note::understood(format!(
                "{} of {read} rows are left out for their labels: {}",
                read - rows.len(),
                shown_names(left_out.map(|(spelling, _)| spelling.name.as_str()))
            )));
        }
        Ok(rows)
    }

    /// The records of a first table, and their labels.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn learnt(mut self) -> Result<(Vec<Record>, Labels)> {
        let (choice, mut notes) = (LabelChoice::default(), Vec::new());
        let rows = (self.path.as_path(), self.rows.len());
        let classes = Classes::learn(&self.spellings, &choice, rows, &mut notes)?;
        let rows = self.meant(&classes, &mut notes)?;
        Ok((
            rows.into_iter().map(|row| row.record).collect(),
            classes.labels,
        ))
    }

    fn note_rare_labels(&self, notes: &mut Vec<Note>) {
        let rare = || {
            self.spellings
                .all
                .iter()
                .filter(|spelling| spelling.rows == 1)
        };
        if let Some(first) = rare().next() {
            notes.push(Note::doubtful(format!(
                "{} there once: {}, the first on line {}",
                match rare().count() {
                    1 => "a label is".to_owned(),
                    count => format!("{count} labels are"),
                },
                shown_names(rare().map(|spelling| spelling.name.as_str())),
                first.line
            )));
        }
    }
}

/// What the reading of one table or several has in common.
pub(crate) struct Reader<'a> {
    options: &'a TableOptions,
    limits: &'a Limits,
    columns: Columns,
    groups: HashMap<String, u32>,
    /// Whether a row may have any number of labels; none while nobody knows.
    several: Option<bool>,
    pub(crate) notes: Vec<Note>,
}

/// Rows that are left out, and the line of the first.
#[derive(Default)]
struct LeftOut {
    count: usize,
    first: u64,
}

impl LeftOut {
    fn add(&mut self, line: u64) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }

    fn note(&self, what: &str, notes: &mut Vec<Note>) {
        let (rows, first) = match self.count {
            0 => return,
            1 => ("row".to_owned(), format!("it is on line {}", self.first)),
            count => (
                format!("{count} rows"),
                format!("the first is on line {}", self.first),
            ),
        };
        let one = if self.count == 1 { "a " } else { "" };
        notes.push(Note::doubtful(format!(
            "{one}{rows} {what} left out; {first}"
        )));
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(options: &'a TableOptions, limits: &'a Limits, columns: Columns) -> Self {
        Self {
            options,
            limits,
            several: options.label_separator.as_ref().map(|_| true),
            notes: columns.notes(),
            columns,
            groups: HashMap::new(),
        }
    }

    /// Reads the rows of a table.
    pub(crate) fn rows(&mut self, mut table: Table) -> Result<Read> {
        let mut chosen = vec![
            table.column(&self.columns.text)?,
            table.column(&self.columns.label)?,
        ];
        if let Some(column) = &self.options.group_column {
            chosen.push(table.column(column)?);
        }
        table.choose(&chosen);
        let mut read = Read {
            path: table.path().into(),
            rows: Vec::new(),
            spellings: Spellings::default(),
        };
        let (mut empty, mut unlabelled) = (LeftOut::default(), LeftOut::default());
        while let Some(row) = table.next_row()? {
            let line = row.line;
            let mut cells = row.cells.into_iter();
            let mut cell = || cells.next().expect("a row has the chosen cells");
            let (text, label) = (cell(), cell());
            let group = self.options.group_column.is_some().then(cell);
            let text = match text {
                Cell::Text(text) => text,
                Cell::Null => String::new(),
                _ => {
                    let column = shown(&self.columns.text, SHOWN_NAME);
                    let reason = format!("`{column}` is not a string; write the text as one");
                    return Err(table.error(line, reason));
                }
            };
            let labels = self
                .labels(label)
                .map_err(|reason| table.error(line, reason))?;
            if text.trim().is_empty() {
                empty.add(line);
                continue;
            }
            let several = self.several == Some(true);
            let known = read.spellings.all.len();
            let mut ids = labels.iter().map(|label| read.spellings.count(label, line));
            let target = match several {
                true => Target::ClassSet(ids.collect()),
                false => match ids.next() {
                    Some(id) => Target::Class(id),
                    None if self.options.skip_unlabelled => {
                        unlabelled.add(line);
                        continue;
                    }
                    None => {
                        let reason = "the label is empty; write one, leave the row out, or have rows without a \
                                      label skipped (skip_unlabelled)";
                        return Err(table.error(line, reason.to_owned()));
                    }
                },
            };
            if read.spellings.all.len() > known && read.spellings.all.len() > Labels::MOST {
                return Err(DataError::LabelColumn {
                    path: read.path,
                    reason: format!(
                        "the column `{}` has more than {} different labels in {} rows; is it the column of texts, or \
                         one of measurements? Name another one as label_column",
                        shown(&self.columns.label, SHOWN_NAME),
                        Labels::MOST,
                        read.rows.len()
                    ),
                });
            }
            let group = group.and_then(|cell| self.group(cell));
            let record = Record {
                content: Content::Text(text),
                target,
            };
            read.rows.push(TextRow {
                line,
                group,
                record,
            });
        }
        if empty.count > read.rows.len() {
            let column = shown(&self.columns.text, SHOWN_NAME);
            return Err(table.error(
                empty.first,
                format!(
                    "{} of {} texts are empty, this one first; is `{column}` the column of texts?",
                    empty.count,
                    empty.count + read.rows.len()
                ),
            ));
        }
        self.notes.append(&mut table.notes);
        let have = |count| if count == 1 { "has" } else { "have" };
        let are = |count| if count == 1 { "is" } else { "are" };
        let what =
            |left: &LeftOut, what| format!("{} {what} and {}", have(left.count), are(left.count));
        empty.note(&what(&empty, "an empty text"), &mut self.notes);
        unlabelled.note(&what(&unlabelled, "no label"), &mut self.notes);
        Ok(read)
    }

    /// The number of a group; none of an empty one.
    fn group(&mut self, cell: Cell) -> Option<u32> {
        let (Cell::Text(name) | Cell::Scalar(name)) = cell else {
            return None;
        };
        let next = self.groups.len() as u32;
        (!name.trim().is_empty()).then(|| *self.groups.entry(name).or_insert(next))
    }

    /// The labels that a cell holds, or what is wrong with it.
    fn labels(&mut self, cell: Cell) -> std::result::Result<Vec<String>, String> {
        let column = || shown(&self.columns.label, SHOWN_NAME);
        let (labels, several) = match (cell, &self.options.label_separator) {
            (Cell::Text(text), Some(separator)) => (
                text.split(separator.as_str()).map(String::from).collect(),
                true,
            ),
            (Cell::Text(label) | Cell::Scalar(label), None) => (vec![label], false),
            (Cell::Scalar(label), Some(_)) => (vec![label], true),
            (Cell::Null, _) => (Vec::new(), self.several == Some(true)),
            (Cell::List(cells), _) => {
                let label = |cell| match cell {
                    Cell::Text(label) | Cell::Scalar(label) => Ok(label),
                    _ => Err(format!(
                        "`{}` holds something that is no label; write texts or numbers",
                        column()
                    )),
                };
                let labels: std::result::Result<Vec<_>, _> = cells.into_iter().map(label).collect();
                (labels?, true)
            }
            (Cell::Other(kind), _) => {
                let column = column();
                return Err(format!(
                    "`{column}` is {kind}; write a text, a number or a truth value"
                ));
            }
        };
        let mut kept: Vec<String> = Vec::new();
        let mut known = HashSet::new();
        if labels.len() > Labels::MOST {
            return Err(format!(
                "{} labels are more than a row may have",
                labels.len()
            ));
        }
        for label in &labels {
            let label = label.trim();
            let most = self.limits.label;
            if label.len() > most {
                let (label, most) = (shown(label, SHOWN_NAME), size(most as u64));
                return Err(format!(
                    "the label \"{label}\" is longer than {most}; is it a text?"
                ));
            }
            if label.contains(char::REPLACEMENT_CHARACTER) {
                // Labels that differ in such bytes only would become one.
                return Err(
                    "the label holds U+FFFD, which stands for bytes that were lost; save the table as UTF-8".into(),
                );
            }
            if !label.is_empty() && known.insert(label) {
                kept.push(label.to_owned());
            }
        }
        let is_settled = !kept.is_empty() || several;
        if is_settled && *self.several.get_or_insert(several) != several {
            let column = column();
            return Err(match several {
                true => format!(
                    "`{column}` is an array, where the rows above have one label; write an array in every row"
                ),
                false => format!(
                    "`{column}` is one label, where the rows above have arrays; write an array here too"
                ),
            });
        }
        Ok(kept)
    }
}

/// What rows are cut into parts, and which shares are held out where a part has no rows of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut<'a> {
    pub(super) path: &'a Path,
    pub(super) test: f64,
    pub(super) validation: f64,
}

/// The training, the validation and the test part: of the rows what is held out, or those of their own tables.
pub(super) fn share_out(
    rows: Vec<TextRow>,
    own: [(PathBuf, Vec<TextRow>); 2],
    cut: Cut,
    labels: &Labels,
    notes: &mut Vec<Note>,
) -> Result<[Vec<Record>; 3]> {
    for (path, part) in own.iter().filter(|(_, part)| !part.is_empty()) {
        note_shared_texts(&rows, path, part, notes);
        let targets = part.iter().map(|row| &row.record.target);
        note_missing_classes(path.display(), targets, labels, notes);
    }
    let [(_, own_validation), (_, own_test)] = own;
    let fractions = Fractions {
        test: own_test.is_empty().then_some(cut.test),
        validation: own_validation.is_empty().then_some(cut.validation),
    };
    let targets: Vec<&Target> = rows.iter().map(|row| &row.record.target).collect();
    let by_column = || {
        let mut groups = Groups::new(rows.len());
        // A row without a group is one of its own.
        let own = rows.iter().enumerate();
        let keys = own.map(|(row, of)| {
            of.group
                .map_or((Some(row), None), |group| (None, Some(group)))
        });
        groups.keep_together(keys);
        groups
    };
    let mut by_text = by_column();
    by_text.keep_together(rows.iter().map(TextRow::text));
    let parted = match parts(&targets, by_text, fractions) {
        Ok(parted) => parted,
        Err(_) => {
            let parted = parts(&targets, by_column(), fractions);
            let parted = parted.map_err(|lacking| lacking.error(cut.path, Some(labels)))?;
            notes.push(Note::doubtful(
                "identical texts are in several parts, because a part would lack a class otherwise: what is tested was \
                 partly trained on",
            ));
            parted
        }
    };
    let records = |rows: Vec<TextRow>| rows.into_iter().map(|row| row.record).collect();
    let [train, validation, test] = shared_out(records(rows), &parted);
    let own = |own: Vec<TextRow>, cut: Vec<Record>| if own.is_empty() { cut } else { records(own) };
    Ok([train, own(own_validation, validation), own(own_test, test)])
}

/// Notes texts that are there several times; `places` says where the first two with different labels are.
pub(super) fn note_repeated_texts(
    rows: &[TextRow],
    what: &str,
    places: impl Fn([u64; 2]) -> String,
    notes: &mut Vec<Note>,
) {
    let mut firsts: HashMap<&str, &TextRow> = HashMap::with_capacity(rows.len());
    let mut repeated = 0;
    let mut contradicted = HashSet::new();
    let mut lines: Option<[u64; 2]> = None;
    for row in rows {
        let first = *firsts.entry(row.text()).or_insert(row);
        if std::ptr::eq(first, row) {
            continue;
        }
        repeated += 1;
        if first.record.target != row.record.target && contradicted.insert(row.text()) {
            lines = lines.or(Some([first.line, row.line]));
        }
    }
    if repeated > 0 {
        notes.push(Note::doubtful(format!(
            "{repeated} of {} {what} repeat{} the text of another one{}",
            rows.len(),
            if repeated == 1 { "s" } else { "" },
            match lines {
                None => "; identical texts stay in one part".to_owned(),
                Some(lines) => format!(
                    ", and {} with different labels, the first {}; identical texts stay in one part",
                    match contradicted.len() {
                        1 => "a text is there".to_owned(),
                        count => format!("{count} texts are there"),
                    },
                    places(lines)
                ),
            }
        )));
    }
}

fn note_shared_texts(train: &[TextRow], path: &Path, part: &[TextRow], notes: &mut Vec<Note>) {
    let known: HashMap<&str, &Target> = train
        .iter()
        .map(|row| (row.text(), &row.record.target))
        .collect();
    let shared = || {
        part.iter()
            .filter_map(|row| Some((row, *known.get(row.text())?)))
    };
    let count = shared().count();
    if count > 0 {
        let other = shared().filter(|(row, target)| row.record.target != **target);
        notes.push(Note::doubtful(format!(
            "{count} of {} texts of {} are trained on too, {} of them with another label: of new texts fewer will be \
             answered rightly",
            part.len(),
            path.display(),
            other.count()
        )));
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
        let options = TableOptions {
            form: format.form(),
            test_fraction: 0.25,
            ..TableOptions::new(path)
        };
        (root, options)
    }

    fn load_bytes(format: TableFormat, bytes: impl AsRef<[u8]>) -> Result<Dataset> {
        load_within(&Limits::default(), format, bytes)
    }

    /// All rows as a training part, in their order: not shared out.
    fn read_bytes(format: TableFormat, bytes: impl AsRef<[u8]>) -> Result<Dataset> {
        let (_root, options) = saved(format, bytes);
        let limits = Limits::default();
        let columns = Columns::given("text", "label");
        let mut reader = Reader::new(&options, &limits, columns);
        let mut ignored = |_| {};
        let table = Table::open(&options.path, &options.form, &limits, &mut ignored)?;
        let (train, labels) = reader.rows(table)?.learnt()?;
        Ok(Dataset {
            train,
            labels: Some(labels),
            ..Dataset::default()
        })
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
        let records = dataset
            .train
            .iter()
            .chain(&dataset.validation)
            .chain(&dataset.test);
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
                sorted(read_bytes(format, bytes).unwrap()),
                expected,
                "{format:?}"
            );
            let marked = format!("\u{feff}{bytes}");
            assert_eq!(
                sorted(read_bytes(format, marked).unwrap()),
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
        assert_eq!((dataset.train.len(), dataset.validation.len()), (60, 15));
        assert_eq!(dataset.test.len(), 25);
        let positive = dataset
            .test
            .iter()
            .filter(|review| review.expect_review().1)
            .count();
        assert!(
            (12..=13).contains(&positive),
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
        let sizes = [&dataset.train, &dataset.validation, &dataset.test].map(Vec::len);
        assert_eq!(sizes, [8, 2, 2]);
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
        let missing = message(Csv, "id,opinion,label\n1,fine,1\n");
        assert!(
            missing.contains("reviews.table, line 1: there is no column `text`"),
            "{missing}"
        );
        assert!(missing.contains("`id`, `opinion`, `label`"), "{missing}");
        let missing = message(Tsv, "text\tmood\tage\nfine\t1\t2\n");
        assert!(
            missing.contains(
                "line 1: there is no column `label`; the columns here are `text`, `mood`, `age`"
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
            (vec!["10", "9", "inf"], &["10", "9", "inf"]),
            (vec!["1", "2", "1"], &["1", "2"]),
            (vec!["pos", "neg", "neutral"], &["neg", "neutral", "pos"]),
        ] {
            let dataset = read_bytes(Csv, labelled(&labels)).unwrap();
            assert_eq!(names(&dataset), expected);
            assert_eq!(learnt(&dataset), labels);
        }
        // White space around a label is no part of it; JSON's numbers and truth values are labels.
        let dataset = read_bytes(Tsv, "text\tlabel\na\t b \nb\tc\nc\tb\n").unwrap();
        assert_eq!(names(&dataset), ["b", "c"]);
        let json = r#"{"text": "a", "label": 2}
            {"text": "b", "label": "2.0"}
            {"text": "c", "label": 2.0}
            {"text": "d", "label": true}"#;
        let dataset = read_bytes(JsonLines, json).unwrap();
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
            let dataset = read_bytes(Csv, labelled(labels.iter().cycle().take(8))).unwrap();
            assert_eq!(
                dataset.labels,
                Some(Labels::negative_positive()),
                "{labels:?}"
            );
        }
        // Numbers and truth values alone are names, the smaller one first.
        for names in [["0", "1"], ["False", "True"]] {
            let dataset = read_bytes(Csv, labelled(names.iter().rev().cycle().take(8))).unwrap();
            let expected = Labels::new(names.map(String::from).to_vec()).unwrap();
            assert_eq!(dataset.labels, Some(expected));
        }
        // Spelt in two ways, one verdict is one.
        for alike in [["1", "1"], ["pos", "1"], ["neg", "Negative"]] {
            let message = message(Csv, labelled(alike.iter().cycle().take(8)));
            assert!(message.contains("a classifier needs two"), "{message}");
        }
        // Given labels are called so too.
        let (_root, mut options) = saved(
            Csv,
            labelled(["1", "Negative", "false", "pos"].iter().cycle().take(12)),
        );
        options.labels = Some(Labels::negative_positive());
        let dataset = load(&options, &Limits::default(), &mut |_| {}).unwrap();
        assert_eq!(
            learnt(&dataset)[..4],
            ["positive", "negative", "negative", "positive"]
        );
    }

    #[test]
    fn given_labels_keep_their_order_and_need_not_occur() {
        let (_root, mut options) = saved(
            Csv,
            labelled(["b", "0", "b", " 0 "].iter().cycle().take(12)),
        );
        let labels = Labels::new(["c", "b", "0"].map(String::from).to_vec()).unwrap();
        options.labels = Some(labels.clone());
        let dataset = load(&options, &Limits::default(), &mut |_| {}).unwrap();
        assert_eq!(dataset.labels, Some(labels));
        assert_eq!(learnt(&dataset)[..4], ["b", "0", "b", "0"]);
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
        for (value, reason) in [
            ("null", "the label is empty; write one"),
            (
                "[1]",
                "`label` is an array, where the rows above have one label",
            ),
            (
                "{\"a\": 1}",
                "`label` is an object; write a text, a number or a truth value",
            ),
        ] {
            let row = format!("{{\"text\": \"b\", \"label\": {value}}}");
            let message = message(
                JsonLines,
                format!("{{\"text\": \"a\", \"label\": 1}}\n{row}"),
            );
            assert!(message.contains(&format!("line 2: {reason}")), "{message}");
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
                "reviews.table: the column of labels has 12 different ones in 22 rows, the first is `0` on line 2; \
                 is it the column of texts, or one of measurements? Name another one as label_column"
            ),
            "{many}"
        );
        // Half of the rows may, and a few rows may have a label each.
        assert!(read_bytes(Csv, labelled((0..22).map(|row| row.min(10) * 3))).is_ok());
        assert!(read_bytes(Csv, labelled(0..20)).is_ok());
        let endless = message(Csv, labelled(0..1 << 17));
        assert!(
            endless.contains("has more than 65536 different labels in 65536 rows"),
            "{endless}"
        );
        let most = labelled((0..3 << 16).map(|row| row % (1 << 16)));
        assert_eq!(names(&read_bytes(Csv, most).unwrap()).len(), 1 << 16);
    }

    fn load_with(
        bytes: impl AsRef<[u8]>,
        change: impl FnOnce(&mut TableOptions),
    ) -> Result<Dataset> {
        let (_root, mut options) = saved(Csv, bytes);
        change(&mut options);
        load(&options, &Limits::default(), &mut |_| {})
    }

    fn choose(items: &str) -> LabelChoice {
        LabelChoice::new(LabelChoice::items(items)).unwrap()
    }

    fn notes(dataset: &Dataset) -> String {
        let notes = dataset.notes.iter();
        notes
            .map(|note| format!("{:?}: {}\n", note.kind, note.text))
            .collect()
    }

    fn all(dataset: &Dataset) -> usize {
        dataset.train.len() + dataset.validation.len() + dataset.test.len()
    }

    #[test]
    fn whole_numbers_and_stars_are_in_the_order_of_numbers() {
        for (labels, expected) in [
            (vec!["1.0", "0.0", "1", "0"], &["0", "1"][..]),
            (vec!["2", "1", "0", "2.0"], &["0", "1", "2"]),
            (
                vec!["10 stars", "1 star", "3.0 stars"],
                &["1 star", "3.0 stars", "10 stars"],
            ),
            (vec!["0.5", "1.0", "1.5"], &["0.5", "1.0", "1.5"]),
        ] {
            let dataset = read_bytes(Csv, labelled(&labels)).unwrap();
            assert_eq!(names(&dataset), expected);
        }
        let json = "{\"text\": \"a\", \"label\": 1.0}\n{\"text\": \"b\", \"label\": 0}\n";
        assert_eq!(names(&read_bytes(JsonLines, json).unwrap()), ["0", "1"]);
    }

    #[test]
    fn of_two_labels_the_one_that_says_yes_is_the_second() {
        for (labels, expected) in [
            (["good", "poor"], ["poor", "good"]),
            (["yes", "no"], ["no", "yes"]),
            (["cook", "not cook"], ["not cook", "cook"]),
            (["toxic", "non-toxic"], ["non-toxic", "toxic"]),
            (["1", "2"], ["1", "2"]),
            (["left", "right"], ["left", "right"]),
        ] {
            let rows = || labels.iter().cycle().take(20);
            let dataset = load_bytes(Csv, labelled(rows())).unwrap();
            assert_eq!(names(&dataset), expected);
            let said = format!("of the two labels `{}` is the positive one", expected[1]);
            assert!(notes(&dataset).contains(&said), "{}", notes(&dataset));
            let turned = [expected[1], expected[0]].join(",");
            let dataset = load_with(labelled(rows()), |options| options.choice = choose(&turned));
            assert_eq!(names(&dataset.unwrap()), [expected[1], expected[0]]);
        }
    }

    #[test]
    fn labels_are_chosen_ordered_and_named() {
        let table = || labelled(["4", "0", "2"].iter().cycle().take(60));
        let dataset = load_with(table(), |options| options.choice = choose("0=bad,4=good"));
        let dataset = dataset.unwrap();
        assert_eq!((names(&dataset), all(&dataset)), (vec!["bad", "good"], 40));
        assert!(
            notes(&dataset).contains("20 of 60 rows are left out for their labels: `2`"),
            "{}",
            notes(&dataset)
        );
        // Several become one, and what is only left out leaves the others.
        let dataset = load_with(table(), |options| options.choice = choose("4=x,2=x,0"));
        let dataset = dataset.unwrap();
        assert_eq!((names(&dataset), all(&dataset)), (vec!["x", "0"], 60));
        let dataset = load_with(table(), |options| options.choice = choose("2=")).unwrap();
        assert_eq!((names(&dataset), all(&dataset)), (vec!["0", "4"], 40));
        let taken = load_with(table(), |options| options.choice = choose("0=2,4"));
        let taken = taken.unwrap_err().to_string();
        assert!(taken.contains("some rows have the label `2`"), "{taken}");
        let missing = load_with(table(), |options| options.choice = choose("0,5"));
        let missing = missing.unwrap_err().to_string();
        assert!(missing.contains("no row has the label `5`"), "{missing}");
        assert!(missing.contains("`4`, `0`, `2`"), "{missing}");
        // A network's labels are found under both names, and what is not chosen is left out.
        let labels = ["4", "bad", "0.0", "7"];
        let dataset = load_with(labelled(labels.iter().cycle().take(40)), |options| {
            options.choice = choose("0=bad,4=good");
            options.labels = Some(Labels::new(vec!["bad".into(), "good".into()]).unwrap());
            options.test_path = Some(options.path.clone());
        });
        let dataset = dataset.unwrap();
        assert_eq!((all(&dataset), dataset.test.len()), (30, 30));
        assert_eq!(learnt(&dataset)[..3], ["good", "bad", "bad"]);
    }

    #[test]
    fn columns_are_recognised_and_said() {
        let row = |row| format!("{},a text {row},{row}\n", row % 2);
        let rows: String = (0..20).map(row).collect();
        for (header, [text, label]) in [
            ("sentiment,review,id", ["review", "sentiment"]),
            ("Label,Text,id", ["Text", "Label"]),
        ] {
            let dataset = load_bytes(Csv, format!("{header}\n{rows}")).unwrap();
            let recognised = dataset.recognised.as_ref().unwrap();
            let found = [&recognised.text_column, &recognised.label_column];
            assert_eq!(found, [text, label]);
            let said = format!(
                "Understood: the texts are those of column `{text}`, the labels those of `{label}`"
            );
            assert!(notes(&dataset).contains(&said), "{}", notes(&dataset));
        }
        let several = message(Csv, format!("class,message,sentence\n{rows}"));
        let expected = "the columns here are `class`, `message`, `sentence`";
        assert!(several.contains(expected), "{several}");
        // Of two columns, the one with few values is that of the labels.
        let row = |row| format!("{},a text {row}\n", row % 2);
        let rows: String = (0..20).map(row).collect();
        let dataset = load_bytes(Csv, format!("this,that\n{rows}")).unwrap();
        assert_eq!(dataset.recognised.unwrap().text_column, "that");
        let swapped = message(Csv, format!("text,label\n{rows}"));
        let expected = "are the columns swapped? `label`, that of labels, holds texts";
        assert!(swapped.contains(expected), "{swapped}");
        // A row where the names belong would be lost.
        let nameless = message(Csv, rows.clone());
        assert!(
            nameless.contains("`0` is a label further down"),
            "{nameless}"
        );
        let dataset = load_with(rows.clone(), |options| options.form.header = false);
        assert_eq!(dataset.unwrap().recognised.unwrap().text_column, "2");
        let one = load_with(format!("text,label\n{rows}"), |options| {
            options.label_column = Some("text".into());
        });
        let one = one.unwrap_err().to_string();
        assert!(
            one.contains("the column `text` can't be both the texts and the labels"),
            "{one}"
        );
    }

    #[test]
    fn rows_without_a_text_or_a_label_are_said() {
        let row = |row| format!("a text {row},{}\n", row % 2);
        let rows: String = (0..20).map(row).collect();
        let dataset = load_bytes(Csv, format!("text,label\n{rows}\" \",1\n,0\n")).unwrap();
        assert_eq!(all(&dataset), 20);
        let said = "Doubtful: 2 rows have an empty text and are left out; the first is on line 22";
        assert!(notes(&dataset).contains(said), "{}", notes(&dataset));
        let many = message(Csv, format!("text,label\n{}{rows}", ",1\n".repeat(30)));
        let expected = "line 2: 30 of 50 texts are empty, this one first; is `text`";
        assert!(many.contains(expected), "{many}");
        let unlabelled = format!("text,label\n{rows}a text,\n");
        let empty = message(Csv, &unlabelled);
        assert!(
            empty.contains("line 22: the label is empty; write one"),
            "{empty}"
        );
        let dataset = load_with(&unlabelled, |options| options.skip_unlabelled = true).unwrap();
        assert_eq!(all(&dataset), 20);
        let said = "a row has no label and is left out; it is on line 22";
        assert!(notes(&dataset).contains(said), "{}", notes(&dataset));
    }

    #[test]
    fn identical_texts_and_groups_stay_in_one_part() {
        let row = |row: usize| format!("a text {},{},{}\n", row / 2, row / 2 % 2, row / 10);
        let rows: String = (0..200).map(row).collect();
        let table = format!("text,label,author\n{rows}a text 3,0,\n");
        let parts = |dataset: &Dataset| {
            [&dataset.train, &dataset.validation, &dataset.test].map(|part| {
                let texts = part.iter().map(|record| record.expect_review().0);
                let numbers = texts.map(|text| text[7..].parse::<usize>().unwrap());
                numbers.collect::<HashSet<_>>()
            })
        };
        let dataset = load_bytes(Csv, &table).unwrap();
        let [train, validation, test] = parts(&dataset);
        assert!(train.is_disjoint(&validation) && train.is_disjoint(&test));
        assert!(validation.is_disjoint(&test));
        let said = "101 of 201 rows repeat the text of another one, and a text is there with different labels, the \
                    first on lines 8 and 202; identical texts stay in one part";
        assert!(notes(&dataset).contains(said), "{}", notes(&dataset));
        let grouped = load_with(&table, |options| {
            options.group_column = Some("author".into())
        });
        for part in parts(&grouped.unwrap()) {
            // Five texts an author.
            let authors: HashSet<usize> = part.iter().map(|text| text / 5).collect();
            assert_eq!(part.len(), 5 * authors.len());
        }
        // Where that can't be, it is said.
        let few: String = (0..20).map(|row| ["yes,a\n", "no,b\n"][row % 2]).collect();
        let dataset = load_bytes(Csv, format!("text,label\n{few}")).unwrap();
        let said = "identical texts are in several parts";
        assert!(notes(&dataset).contains(said), "{}", notes(&dataset));
    }

    #[test]
    fn a_label_that_is_too_rare_for_every_part_is_named() {
        let labels = ["a", "b"].iter().cycle().take(40).chain(&["c"; 2]);
        let table = labelled(labels);
        let rare = message(Csv, &table);
        let expected = "reviews.table: `c` has 2 rows, too few for 3 parts";
        assert!(rare.contains(expected) && rare.contains("`c=`"), "{rare}");
        let without = load_with(&table, |options| options.choice = choose("c=")).unwrap();
        assert_eq!(all(&without), 40);
    }

    #[test]
    fn parts_may_have_tables_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let other = root.path().join("other.csv");
        fs::write(&other, "text,label\n0001,b\nnew,a\n0000,b\n").unwrap();
        let labels = ["a", "b"].iter().cycle().take(40).chain(&["c", "C", "C"]);
        let dataset = load_with(labelled(labels), |options| {
            options.validation_path = Some(other.clone());
            options.test_path = Some(other.clone());
        });
        let dataset = dataset.unwrap();
        let sizes = [&dataset.train, &dataset.validation, &dataset.test].map(Vec::len);
        assert_eq!(sizes, [43, 3, 3]);
        let notes = notes(&dataset);
        for said in [
            "a label is there once: `c`, the first on line 42",
            "the labels `C` and `c` differ in capitals alone",
            "other.csv are trained on too, 1 of them with another label",
            "other.csv has no row of `C`, `c`, so that its figures say nothing about them",
        ] {
            assert!(notes.contains(said), "{said}: {notes}");
        }
    }

    #[test]
    fn a_row_may_have_any_number_of_labels() {
        let sets = ["red; big", "big;", "", "red;red", "odd;red"];
        let row = |row: usize| format!("text {row},{}\n", sets[row % 5]);
        let rows: String = (0..60).map(row).collect();
        let dataset = load_with(format!("text,label\n{rows}"), |options| {
            options.label_separator = Some(";".into());
        });
        let dataset = dataset.unwrap();
        assert_eq!(names(&dataset), ["big", "odd", "red"]);
        let parts = [&dataset.train, &dataset.validation, &dataset.test];
        for record in parts.into_iter().flatten() {
            let row: usize = record.content.text().unwrap()[5..].parse().unwrap();
            let expected = [vec![0, 2], vec![0], vec![], vec![2], vec![1, 2]];
            assert_eq!(record.target, Target::ClassSet(expected[row % 5].clone()));
        }
        assert_eq!(all(&dataset), 60);
        assert!((12..=18).contains(&dataset.test.len()));
        let sets = ["[\"a\", \"b\"]", "[]", "[\"b\"]"];
        let row = |row: usize| format!("{{\"text\": \"t {row}\", \"label\": {}}}\n", sets[row % 3]);
        let json: String = (0..20).map(row).collect();
        let dataset = load_bytes(JsonLines, &json).unwrap();
        assert_eq!((names(&dataset), all(&dataset)), (vec!["a", "b"], 20));
        let mixed = message(JsonLines, json + "{\"text\": \"last\", \"label\": \"a\"}\n");
        let expected = "line 21: `label` is one label, where the rows above have arrays";
        assert!(mixed.contains(expected), "{mixed}");
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
        // However small the share, each class is tested.
        options.test_fraction = 0.01;
        let dataset = load(&options, &Limits::default(), &mut |_| {}).unwrap();
        assert_eq!(dataset.test.len(), 2);
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
            assert_eq!(sorted(read_bytes(Csv, table).unwrap()).len(), 4, "{last}");
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
        assert!(read_bytes(Csv, table).is_ok());
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
                assert_eq!(format == Csv, read_bytes(format, bytes).is_ok());
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
        assert_eq!(sorted(read_bytes(JsonLines, table).unwrap()), expected);
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
