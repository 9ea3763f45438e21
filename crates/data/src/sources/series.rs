//! Series of numbers in a file of one's own: a table of numeric columns, a table with a sequence a row, or arrays.

mod arrays;
mod columns;
mod names;
mod rows;
mod wide;
mod windows;

use std::path::{Path, PathBuf};

use self::columns::Columns;
use self::names::ClassNames;
use self::windows::{Piece, Shape};
use super::progress::LoadProgress;

use crate::dataset::{Content, Dataset, Note, Record};
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::example::Target;
use crate::form::TableForm;
use crate::labels::Labels;
use crate::limits::Limits;
use crate::sequence::Sequence;
use crate::series::{Missing, RecognisedSeries, SeriesTask};
use crate::split::{Fractions, Groups, Part, missing_classes, note_missing_classes, parts};

pub use self::columns::SeriesHint;

/// Timesteps that a forecast reads, unless it is said otherwise.
const WINDOW: usize = 48;

/// Where series of numbers are in a file, or in two, and what is learnt from them.
///
/// A table is one of these:
///
/// - a timestep a row, with `value_columns`. They are a sequence a group (`group_column`), or windows of one long
///   series, or of one a group (`window`, `stride`);
/// - a sequence a row, for [`SeriesTask::Classify`] without groups and windows: all columns but the target's are its
///   timesteps, and where the last ones are missing, the sequence is shorter.
///
/// Arrays (`.npy`) hold `[rows, timesteps]` or `[rows, timesteps, numbers]`, with `[rows]` targets, or
/// `[rows, timesteps]` where every timestep has one, in a second file; of a forecast, one series, `[timesteps]` or
/// `[timesteps, numbers]`, whose columns are called 1, 2, ….
///
/// A forecast is of the next `horizon` rows, all target columns of the first and then those of the next. What is
/// forecast is read too. The end of each series is its test part, and what stands before it its validation part; a
/// window that belongs to an earlier part ends, with what follows it, before a later one begins.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesOptions {
    /// The file.
    pub path: PathBuf,
    /// A second file, of the same form, for testing.
    pub test_path: Option<PathBuf>,
    /// Targets of arrays.
    pub target_path: Option<PathBuf>,
    /// Targets of arrays for testing.
    pub test_target_path: Option<PathBuf>,
    /// How tables are written.
    pub form: TableForm,
    /// What is learnt.
    pub task: SeriesTask,
    /// The columns that are read. Without any, a forecast reads what it forecasts, and others read all columns of
    /// numbers that are left.
    pub value_columns: Vec<String>,
    /// The column of classes, or those that are forecast.
    pub target_columns: Vec<String>,
    /// The column that says which series, or sequence, a row belongs to.
    pub group_column: Option<String>,
    /// Timesteps of a window; 48 of a forecast, where others have none.
    pub window: Option<usize>,
    /// Timesteps from one window's start to that of the next: 1 of a forecast, else the window's length.
    pub stride: Option<usize>,
    /// How many timesteps are forecast.
    pub horizon: usize,
    /// What becomes of missing numbers.
    pub missing: Missing,
    /// Whether numbers have a decimal comma.
    pub decimal_comma: bool,
    /// The labels there may be; else those that are there.
    pub labels: Option<Labels>,
    /// The share that is kept for testing where there is no `test_path`, between 0 and 1.
    pub test_fraction: f64,
    /// The share of what is left that is kept for validation, between 0 and 1.
    pub validation_fraction: f64,
}

/// A sequence of a file, and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesItem {
    /// The numbers.
    pub content: Content,
    /// What should be answered, where that is known.
    pub target: Option<Target>,
    /// The group that it is from.
    pub group: Option<String>,
    /// The lines of its first and its last timestep, from 1; of an array, its row.
    pub lines: (u64, u64),
}

/// The series of one file, cut into sequences.
pub(super) struct Cut {
    pieces: Vec<Piece>,
    /// Names of the groups.
    pub(super) groups: Vec<Option<String>>,
    pub(super) notes: Vec<Note>,
    pub(super) recognised: RecognisedSeries,
}

impl SeriesOptions {
    /// All sequences of the file, those too of which nothing says what should be answered: a table may lack the
    /// column of targets, and a forecast is also one of what comes after the last row.
    ///
    /// # Errors
    /// If a file can't be read, or something in it is no number, or a target is none of the labels.
    pub fn items(
        &self,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<(Vec<SeriesItem>, Vec<Note>)> {
        let limits = Limits::default();
        let mut names = ClassNames::new(self.labels.as_ref());
        let file = (self.path.as_path(), self.target_path.as_deref());
        let cut = self.cut(file, &mut names, true, &limits, progress)?;
        let groups = &cut.groups;
        let items = cut.pieces.into_iter().map(|piece| SeriesItem {
            group: groups[piece.group].clone(),
            lines: piece.lines,
            content: Content::Sequence(piece.sequence),
            target: piece.target,
        });
        Ok((items.collect(), cut.notes))
    }

    /// Reads a file and cuts it into sequences; `open_end` keeps those without targets.
    fn cut(
        &self,
        (path, target_path): (&Path, Option<&Path>),
        names: &mut ClassNames,
        open_end: bool,
        limits: &Limits,
        progress: &mut dyn FnMut(LoadProgress),
    ) -> Result<Cut> {
        if is_array(path) {
            return arrays::cut(self, (path, target_path), names, open_end, limits);
        }
        if self.is_wide() {
            return wide::cut(self, path, names, open_end, limits, progress);
        }
        let columns = Columns::of(self, path, open_end, limits)?;
        let mut read = rows::read(self, &columns, path, names, limits, progress)?;
        let mut notes = columns.notes;
        notes.append(&mut read.notes);
        let shape = self.shape(&columns.values, &columns.targets);
        let pieces = windows::cut(&read, &shape, path, open_end, limits, &mut notes)?;
        Ok(Cut {
            pieces,
            groups: read.groups.into_iter().map(|group| group.name).collect(),
            notes,
            recognised: RecognisedSeries {
                value_columns: columns.values,
                target_columns: columns.targets,
                window: shape.window,
            },
        })
    }

    /// Whether a row is a sequence.
    fn is_wide(&self) -> bool {
        self.task == SeriesTask::Classify
            && self.value_columns.is_empty()
            && self.group_column.is_none()
            && self.window.is_none()
    }

    fn shape(&self, values: &[String], targets: &[String]) -> Shape {
        let is_forecast = self.task == SeriesTask::Forecast;
        let place = |target: &String| values.iter().position(|value| value == target);
        let window = self.window.or(is_forecast.then_some(WINDOW));
        Shape {
            task: self.task,
            window,
            stride: self
                .stride
                .or(is_forecast.then_some(1))
                .or(window)
                .unwrap_or(1),
            horizon: if is_forecast { self.horizon } else { 0 },
            targets: match is_forecast {
                true => targets.iter().filter_map(place).collect(),
                false => Vec::new(),
            },
            missing: self.missing,
        }
    }

    fn check(&self) -> Result<()> {
        let refuse = |reason: &str| {
            Err(DataError::Series {
                path: self.path.clone(),
                reason: reason.to_owned(),
            })
        };
        let fraction = self.test_fraction;
        let has_test = self.test_path.is_some();
        let is_share = fraction > 0.0 && fraction < 1.0;
        if !has_test && !is_share {
            return Err(DataError::TestFraction { fraction });
        }
        let is_zero = |count: Option<usize>| count == Some(0);
        if is_zero(self.window) || is_zero(self.stride) || self.horizon == 0 {
            return refuse("window, stride and horizon are 1 at least");
        }
        if self.stride.is_some() && self.window.is_none() && self.task != SeriesTask::Forecast {
            return refuse("a stride is one of windows: say with window how long they are");
        }
        if self.horizon != 1 && self.task != SeriesTask::Forecast {
            return refuse("a horizon is one of forecasts: leave it out, or set task to forecast");
        }
        Ok(())
    }

    /// Splits the pieces of a table that is trained on.
    fn split(&self, cut: &Cut, has_labels: Option<&Labels>) -> Result<Vec<Option<Part>>> {
        let has_test = self.test_path.is_some();
        let fractions = Fractions {
            test: (!has_test).then_some(self.test_fraction),
            validation: Some(self.validation_fraction),
        };
        let shape = self.shape(
            &cut.recognised.value_columns,
            &cut.recognised.target_columns,
        );
        if self.is_split_by_time(&shape) {
            return Ok(windows::by_time(&cut.pieces, &shape, fractions));
        }
        let targets: Vec<&Target> = cut
            .pieces
            .iter()
            .filter_map(|piece| piece.target.as_ref())
            .collect();
        let mut groups = Groups::new(targets.len());
        if shape.window.is_some() && self.group_column.is_some() {
            groups.keep_together(cut.pieces.iter().map(|piece| piece.group));
        }
        let parts = parts(&targets, groups, fractions);
        let parts =
            parts.map_err(|lacking| self.lacking(lacking.part, lacking.class, has_labels))?;
        Ok(parts.into_iter().map(Some).collect())
    }

    /// Forecasts, and windows that overlap: chance would train on what is tested.
    fn is_split_by_time(&self, shape: &Shape) -> bool {
        let overlaps = shape.window.is_some_and(|window| shape.stride < window);
        self.task == SeriesTask::Forecast || overlaps && self.group_column.is_none()
    }

    /// Refuses a part that was cut off and lacks a class, or is empty; of timesteps' classes, only what is trained on
    /// must have all. Classes that a network knows already may be missing.
    fn check_parts(
        &self,
        dataset: &Dataset,
        labels: Option<&Labels>,
        notes: &mut Vec<Note>,
    ) -> Result<()> {
        for (part, records) in [
            (Part::Train, &dataset.train),
            (Part::Validation, &dataset.validation),
            (Part::Test, &dataset.test),
        ] {
            if records.is_empty() {
                return Err(self.lacking(part, None, None));
            }
            let Some(labels) = labels else { continue };
            let targets = || records.iter().map(|record| &record.target);
            let own = self.test_path.as_ref().filter(|_| part == Part::Test);
            if let Some(path) = own {
                note_missing_classes(path.display(), targets(), labels, notes);
            } else if self.task == SeriesTask::Tag && part != Part::Train {
                note_missing_classes(part, targets(), labels, notes);
            } else if self.labels.is_none()
                && let Some(class) = missing_classes(targets(), labels).first()
            {
                return Err(self.lacking(part, Some(*class), Some(labels)));
            }
        }
        Ok(())
    }

    fn lacking(&self, part: Part, class: Option<u32>, labels: Option<&Labels>) -> DataError {
        let name = class.and_then(|class| labels?.name(class as usize));
        let what = match name {
            Some(name) => format!("sequence of the class `{}`", shown(name, SHOWN_NAME)),
            None => "sequence".to_owned(),
        };
        let remedy = match (self.is_split_by_time(&self.shape(&[], &[])), self.window) {
            (true, Some(_)) if self.task != SeriesTask::Forecast => {
                "windows that overlap are split by time: give a longer stride or shorter windows"
            }
            (_, Some(_)) | (true, _) => "give more rows, or shorter windows",
            _ => "give more of them, another test fraction, or a file to test on",
        };
        DataError::Series {
            path: self.path.clone(),
            reason: format!("{part} has no {what}; {remedy}"),
        }
    }
}

/// Reads the file, or both.
pub(super) fn load(
    options: &SeriesOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    options.check()?;
    if options.test_path.as_ref() == Some(&options.path) {
        return all_tested(options, limits, progress);
    }
    let mut names = ClassNames::new(options.labels.as_ref());
    let file = (options.path.as_path(), options.target_path.as_deref());
    let mut cut = options.cut(file, &mut names, false, limits, progress)?;
    let is_forecast = options.task == SeriesTask::Forecast;
    let labels = match is_forecast {
        true => None,
        false => Some(names.settle(&options.path, &mut cut.pieces)?),
    };
    let mut notes = std::mem::take(&mut cut.notes);
    let positive = labels.as_ref().and_then(Labels::positive);
    notes.extend(positive.map(Note::understood));
    let split = options.split(&cut, labels.as_ref())?;
    let left_out = split.iter().filter(|part| part.is_none()).count();
    let shape = options.shape(
        &cut.recognised.value_columns,
        &cut.recognised.target_columns,
    );
    if options.is_split_by_time(&shape) {
        let left_out = match left_out {
            0 => String::new(),
            count => format!(
                "; windows that reach from one part into another are left out, {count} of them"
            ),
        };
        notes.push(Note::understood(format!(
            "split by time: the end is tested, what stands before it validated{left_out}"
        )));
    }
    let by_chance = options.group_column.is_none() && !options.is_split_by_time(&shape);
    if shape.window.is_some() && by_chance {
        notes.push(Note::understood(
            "windows are split by chance, so that neighbours come into different parts: a column that says which ones \
             belong together, --group-column, tests more strictly",
        ));
    }
    let mut dataset = Dataset {
        missing: options.missing == Missing::Mask,
        scale_targets: is_forecast,
        series: Some(cut.recognised),
        ..Dataset::default()
    };
    for (piece, part) in cut.pieces.into_iter().zip(split) {
        let records = match part {
            Some(Part::Train) => &mut dataset.train,
            Some(Part::Validation) => &mut dataset.validation,
            Some(Part::Test) => &mut dataset.test,
            None => continue,
        };
        records.extend(record(piece));
    }
    if let Some(path) = &options.test_path {
        let file = (path.as_path(), options.test_target_path.as_deref());
        let tested = match &dataset.series {
            Some(recognised) => options.with(recognised, labels.as_ref()),
            None => options.clone(),
        };
        let mut names = ClassNames::new(labels.as_ref());
        let cut = tested.cut(file, &mut names, false, limits, progress)?;
        dataset.test = cut.pieces.into_iter().filter_map(record).collect();
        for note in cut.notes {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    options.check_parts(&dataset, labels.as_ref(), &mut notes)?;
    dataset.labels = labels;
    dataset.notes = notes;
    Ok(dataset)
}

/// Reads one file that is all test part.
fn all_tested(
    options: &SeriesOptions,
    limits: &Limits,
    progress: &mut dyn FnMut(LoadProgress),
) -> Result<Dataset> {
    let mut names = ClassNames::new(options.labels.as_ref());
    let target_path = options
        .test_target_path
        .as_ref()
        .or(options.target_path.as_ref());
    let file = (options.path.as_path(), target_path.map(PathBuf::as_path));
    let mut cut = options.cut(file, &mut names, false, limits, progress)?;
    let is_forecast = options.task == SeriesTask::Forecast;
    let labels = match is_forecast {
        true => None,
        false => Some(names.settle(&options.path, &mut cut.pieces)?),
    };
    Ok(Dataset {
        labels,
        test: cut.pieces.into_iter().filter_map(record).collect(),
        missing: options.missing == Missing::Mask,
        scale_targets: is_forecast,
        series: Some(cut.recognised),
        notes: cut.notes,
        ..Dataset::default()
    })
}

impl SeriesOptions {
    /// The same, of what was recognised.
    fn with(&self, recognised: &RecognisedSeries, labels: Option<&Labels>) -> Self {
        Self {
            value_columns: recognised.value_columns.clone(),
            target_columns: recognised.target_columns.clone(),
            window: recognised.window,
            labels: labels.cloned(),
            ..self.clone()
        }
    }
}

fn record(piece: Piece) -> Option<Record> {
    Some(Record {
        target: piece.target?,
        content: Content::Sequence(piece.sequence),
    })
}

/// Whether a path is one of an array.
pub(crate) fn is_array(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

/// The numbers of a sequence of `width`, with what says which are missing if they may be: NaN stands for them.
pub(super) fn sequence(numbers: &[f32], width: usize, missing: Missing) -> Sequence {
    if missing.is_refused() {
        return Sequence::Values {
            width,
            values: numbers.to_vec(),
        };
    }
    let mut values = Vec::with_capacity(2 * numbers.len());
    for timestep in numbers.chunks(width) {
        values.extend_from_slice(timestep);
        values.extend(
            timestep
                .iter()
                .map(|number| f32::from(u8::from(number.is_nan()))),
        );
    }
    Sequence::Values {
        width: 2 * width,
        values,
    }
}

/// What a cell says: a number, or none.
///
/// # Errors
/// Says why it is neither.
pub(super) fn number(cell: &str, decimal_comma: bool) -> std::result::Result<Option<f32>, String> {
    let cell = cell.trim();
    if is_missing(cell) {
        return Ok(None);
    }
    if decimal_comma && cell.contains('.') {
        return Err(format!(
            "\"{}\" holds a point where commas are decimal: write thousands without a mark",
            shown(cell, SHOWN_NAME)
        ));
    }
    let parsed = match decimal_comma {
        true => cell.replace(',', ".").parse::<f64>(),
        false => cell.parse(),
    };
    let quoted = || format!("\"{}\"", shown(cell, SHOWN_NAME));
    match parsed.map(|number| number as f32) {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        Ok(_) => Err(format!("{} is larger than a number here may be", quoted())),
        Err(_) if !decimal_comma && cell.replace(',', ".").parse::<f64>().is_ok() => Err(format!(
            "{} is no number: if that is a decimal comma, say so with --decimal-comma",
            quoted()
        )),
        Err(_) => Err(format!("{} is no number", quoted())),
    }
}

/// What is written where a number is missing.
pub(super) fn is_missing(cell: &str) -> bool {
    let names = ["nan", "na", "n/a", "null", "none", "?"];
    cell.is_empty() || names.iter().any(|name| cell.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
