//! Which columns of a table hold the texts and the labels.

use std::collections::HashSet;

use super::TableOptions;
use crate::dataset::{Note, Recognised};
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::sources::table::{Cell, Table};

/// Rows that are looked at.
const LOOKED_AT: usize = 200;

/// What columns of texts are called, besides `text`.
const TEXTS: [&str; 15] = [
    "texts",
    "body",
    "comment",
    "content",
    "description",
    "document",
    "message",
    "post",
    "question",
    "review",
    "sentence",
    "summary",
    "title",
    "tweet",
    "utterance",
];

/// What columns of labels are called, besides `label`.
const LABELS: [&str; 17] = [
    "labels",
    "category",
    "class",
    "emotion",
    "genre",
    "intent",
    "lang",
    "language",
    "polarity",
    "rating",
    "score",
    "sentiment",
    "stars",
    "tag",
    "tags",
    "target",
    "topic",
];

/// The column of texts, where labels are of no interest: the given one, that with a well-known name, the only one, or as
/// beside a column of labels.
///
/// # Errors
/// If it can't be told.
#[cfg(feature = "files")]
pub(super) fn of_texts(table: Table, options: &TableOptions) -> Result<String> {
    let names = table.columns();
    let place = match &options.text_column {
        Some(name) => Some(table.column(name)?),
        None if names.len() == 1 => Some(0),
        None => named(names, &["text"]).or_else(|| named(names, &TEXTS)),
    };
    match place {
        Some(place) => Ok(names[place].clone()),
        None => Ok(Columns::recognise(table, options)?.text),
    }
}

/// Which columns of a table hold the texts and the labels.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    pub(crate) text: String,
    pub(crate) label: String,
    /// Whether they are not as they were given.
    recognised: bool,
}

impl Columns {
    /// Those that were given.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn given(text: &str, label: &str) -> Self {
        Self {
            text: text.into(),
            label: label.into(),
            recognised: false,
        }
    }

    /// Looks at the first rows: columns that were not given are those with a well-known name, or of two columns the
    /// one with few values is that of labels.
    ///
    /// # Errors
    /// If one can't be told, both are one, or they seem to be swapped.
    pub(super) fn recognise(mut table: Table, options: &TableOptions) -> Result<Self> {
        let path = &table.path().to_owned();
        let names = table.columns().to_vec();
        let given = [&options.text_column, &options.label_column].map(Option::as_deref);
        let given = [
            (given[0], "text", &TEXTS[..]),
            (given[1], "label", &LABELS[..]),
        ];
        let mut found: [Option<usize>; 2] = [None; 2];
        for (found, (given, usual, known)) in found.iter_mut().zip(given) {
            *found = match given {
                Some(name) => Some(table.column(name)?),
                None => named(&names, &[usual]).or_else(|| named(&names, known)),
            };
        }
        let sample = match (found, names.len()) {
            ([Some(text), Some(label)], _) => sample(&mut table, [text, label]),
            (_, 2) => sample(&mut table, [0, 1]),
            _ => None,
        };
        found = match found {
            [None, None] if names.len() == 2 => {
                sample.as_ref().and_then(Sample::by_values).unwrap_or(found)
            }
            [Some(text), None] if names.len() == 2 => [Some(text), Some(1 - text)],
            [None, Some(label)] if names.len() == 2 => [Some(1 - label), Some(label)],
            found => found,
        };
        let place = |found: Option<usize>, usual: &str| match found {
            Some(place) => Ok(place),
            None => table.column(usual).map_err(|mut error| {
                if let DataError::MissingColumn { hint, .. } = &mut error {
                    hint.insert_str(0, &format!(" as {usual}_column"));
                }
                error
            }),
        };
        let [text, label] = [place(found[0], "text")?, place(found[1], "label")?];
        let refused = |reason| {
            Err(DataError::LabelColumn {
                path: path.into(),
                reason,
            })
        };
        let (text_name, label_name) = (
            shown(&names[text], SHOWN_NAME),
            shown(&names[label], SHOWN_NAME),
        );
        if text == label {
            return refused(format!(
                "the column `{text_name}` can't be both the texts and the labels; name another one for one of them"
            ));
        }
        if options.form.header
            && options.label_column.is_none()
            && let Some(sample) = &sample
            && sample
                .values(label)
                .iter()
                .any(|value| value.trim() == names[label])
        {
            return refused(format!(
                "its first line seems to be a row, for `{label_name}` is a label further down: if there is no line of \
                 names, `--no-header`, and name columns by their numbers"
            ));
        }
        if let Some(sample) = &sample
            && sample.is_text(label)
            && !sample.is_text(text)
        {
            return refused(format!(
                "are the columns swapped? `{label_name}`, that of labels, holds texts, and `{text_name}`, that of texts, \
                 has few values: name `{label_name}` as text_column and `{text_name}` as label_column"
            ));
        }
        Ok(Self {
            recognised: given.iter().any(|(given, ..)| given.is_none())
                && (names[text].as_str(), names[label].as_str()) != ("text", "label"),
            text: names[text].clone(),
            label: names[label].clone(),
        })
    }

    /// What is to be said of them.
    pub(super) fn notes(&self) -> Vec<Note> {
        let [text, label] = [&self.text, &self.label].map(|name| shown(name, SHOWN_NAME));
        let note = || {
            Note::understood(format!(
                "the texts are those of column `{text}`, the labels those of `{label}`"
            ))
        };
        self.recognised.then(note).into_iter().collect()
    }

    pub(super) fn recognised(&self) -> Recognised {
        Recognised {
            text_column: self.text.clone(),
            label_column: self.label.clone(),
        }
    }
}

/// The only column with one of these names, in any case.
fn named(columns: &[String], known: &[&str]) -> Option<usize> {
    let is_known = |place: &usize| known.contains(&columns[*place].trim().to_lowercase().as_str());
    let mut places = (0..columns.len()).filter(is_known);
    let place = places.next()?;
    places.next().is_none().then_some(place)
}

/// The first values of two columns, by the places of those.
struct Sample([(usize, Vec<String>); 2]);

/// None where a row can't be read: whoever reads the table says why.
fn sample(table: &mut Table, columns: [usize; 2]) -> Option<Sample> {
    table.choose(&columns);
    let mut sample = Sample(columns.map(|column| (column, Vec::new())));
    for _ in 0..LOOKED_AT {
        let Some(row) = table.next_row().ok()? else {
            break;
        };
        for ((_, values), cell) in sample.0.iter_mut().zip(row.cells) {
            if let Cell::Text(value) | Cell::Scalar(value) = cell {
                values.push(value);
            }
        }
    }
    Some(sample)
}

impl Sample {
    fn values(&self, column: usize) -> &[String] {
        let of = self.0.iter().find(|(place, _)| *place == column);
        of.map_or(&[], |(_, values)| values)
    }

    fn distinct(&self, column: usize) -> usize {
        let values = self.values(column).iter().map(|value| value.trim());
        values.collect::<HashSet<_>>().len()
    }

    fn words(&self, column: usize) -> usize {
        let words = |value: &String| value.split_whitespace().count();
        self.values(column).iter().map(words).sum()
    }

    /// Whether nearly all values differ, and have several words.
    fn is_text(&self, column: usize) -> bool {
        let rows = self.values(column).len();
        rows >= 4 && 10 * self.distinct(column) > 9 * rows && self.words(column) >= 2 * rows
    }

    /// The texts and the labels among the two columns: the one with many values and the one with few.
    fn by_values(&self) -> Option<[Option<usize>; 2]> {
        let [one, other] = [self.0[0].0, self.0[1].0];
        let fewer = |few: usize, many: usize| {
            2 * self.distinct(few) <= self.distinct(many) && self.words(few) <= self.words(many)
        };
        match (fewer(other, one), fewer(one, other)) {
            (true, _) => Some([Some(one), Some(other)]),
            (_, true) => Some([Some(other), Some(one)]),
            _ => None,
        }
    }
}
