//! What the labels of a column mean.

use std::collections::HashMap;
use std::path::Path;

use crate::choice::{Chosen, LabelChoice};
use crate::dataset::Note;
use crate::error::{DataError, Result, SHOWN_NAME, shown, shown_names};
use crate::labels::{Labels, in_order};

/// What the two classes of reviews may be called besides their names.
const SPELLINGS: &str = "0 or 1, neg or pos, negative or positive, false or true";

/// So many rows may have a label each.
const FEW_ROWS: usize = 20;

/// The different labels of a column as they are written, numbered in the order of their first appearance.
#[derive(Default)]
pub(crate) struct Spellings {
    ids: HashMap<String, u32>,
    pub(crate) all: Vec<Spelling>,
}

/// A label as it is written.
pub(crate) struct Spelling {
    pub(crate) name: String,
    /// Rows that have it, and the line of the first.
    pub(crate) rows: usize,
    pub(crate) line: u64,
}

impl Spellings {
    /// The number of a label on a line, which counts.
    pub(crate) fn count(&mut self, label: &str, line: u64) -> u32 {
        let id = match self.ids.get(label) {
            Some(id) => *id,
            None => {
                let id = self.all.len() as u32;
                self.ids.insert(label.to_owned(), id);
                self.all.push(Spelling {
                    name: label.to_owned(),
                    rows: 0,
                    line,
                });
                id
            }
        };
        self.all[id as usize].rows += 1;
        id
    }
}

/// What labels mean: their classes.
pub(crate) struct Classes {
    pub(crate) labels: Labels,
    choice: LabelChoice,
    /// Whether these are [`Labels::negative_positive`], which may be spelt otherwise.
    of_reviews: bool,
    by_name: HashMap<String, u32>,
}

impl Classes {
    /// Those of known labels.
    pub(crate) fn known(labels: Labels, choice: &LabelChoice) -> Self {
        let names = labels.names().iter().cloned();
        Self {
            choice: choice.clone(),
            of_reviews: labels == Labels::negative_positive(),
            by_name: names.zip(0..).collect(),
            labels,
        }
    }

    /// Learns them from a table with so many rows: those that are chosen, in their order; else those of reviews if
    /// every label is one of theirs and one is no number or truth value; else all, in the order of numbers where all
    /// begin with one, else of texts, of two the one that says yes last.
    ///
    /// # Errors
    /// If these are no labels that a classifier can learn, or one that is chosen is not there.
    pub(crate) fn learn(
        spellings: &Spellings,
        choice: &LabelChoice,
        (path, rows): (&Path, usize),
        notes: &mut Vec<Note>,
    ) -> Result<Self> {
        let written = || spellings.all.iter().map(|spelling| spelling.name.as_str());
        let refused = |reason| DataError::LabelColumn {
            path: path.into(),
            reason,
        };
        let is_there =
            |label: &str| written().any(|name| name == label || whole(name) == Some(label));
        if let Some(missing) = choice.listed().find(|label| !is_there(label)) {
            return Err(refused(format!(
                "no row has the label `{}`, which is among those that were chosen; the labels here are {}",
                shown(missing, SHOWN_NAME),
                shown_names(written())
            )));
        }
        let mut names: Vec<String> = choice.names().into_iter().map(String::from).collect();
        if names.is_empty() {
            let are_both = |one| written().any(|label| verdict(label) == Some(one));
            let of_reviews = are_of_reviews(written()) && choice == &LabelChoice::default();
            if of_reviews && are_both(false) && are_both(true) {
                return Ok(Self::known(Labels::negative_positive(), choice));
            }
            // Where all are whole numbers, 1.0 is 1.
            let are_whole = written().all(|name| is_integer(name) || whole(name).is_some());
            let name = |name: &'_ str| match whole(name).filter(|_| are_whole) {
                Some(whole) => whole.to_owned(),
                None => name.to_owned(),
            };
            let kept = written().filter(|name| choice.of(name) == Chosen::Unlisted);
            names = match of_reviews {
                // All of them say the same.
                true => Vec::new(),
                false => in_order(kept.map(name).collect()),
            };
        }
        if let [name] = &choice.names()[..] {
            return Err(refused(format!(
                "`{}` alone is chosen of the labels; a classifier needs two",
                shown(name, SHOWN_NAME)
            )));
        }
        if names.len() < 2 {
            return Err(refused(format!(
                "every row has the label {}; a classifier needs two",
                shown_names(written())
            )));
        }
        if rows > FEW_ROWS && names.len() > rows / 2 {
            let first = &spellings.all[0];
            return Err(refused(format!(
                "the column of labels has {} different ones in {rows} rows, the first is `{}` on line {}; is it the \
                 column of texts, or one of measurements? Name another one as label_column",
                names.len(),
                shown(&first.name, SHOWN_NAME),
                first.line
            )));
        }
        note_look_alikes(&names, notes);
        let classes = Self::known(Labels::new(names)?, choice);
        if !choice.names().is_empty()
            && let Some(label) = written().find(|label| classes.is_taken(label))
        {
            let label = shown(label, SHOWN_NAME);
            return Err(refused(format!(
                "some rows have the label `{label}`, which isn't among those that were chosen, but a chosen one is \
                 called so now: choose it too, or leave it out by `{label}=`"
            )));
        }
        Ok(classes)
    }

    /// Whether a label that nobody chose would be taken for one that was.
    fn is_taken(&self, label: &str) -> bool {
        let unlisted = |label| self.choice.of(label) == Chosen::Unlisted;
        unlisted(label)
            && whole(label).is_none_or(unlisted)
            && matches!(self.class(label), Ok(Some(_)))
    }

    /// The class of a label, or none if it is left out.
    ///
    /// # Errors
    /// Says which labels are known.
    pub(crate) fn class(&self, label: &str) -> std::result::Result<Option<u32>, String> {
        let chosen = match (self.choice.of(label), whole(label)) {
            (Chosen::Unlisted, Some(whole)) => self.choice.of(whole),
            (chosen, _) => chosen,
        };
        let name = match chosen {
            Chosen::Named(name) => name,
            Chosen::LeftOut => return Ok(None),
            Chosen::Unlisted => label,
        };
        let class = |name: &str| self.by_name.get(name).copied();
        let known = class(name).or_else(|| class(whole(name)?));
        match known.or_else(|| verdict(name).filter(|_| self.of_reviews).map(u32::from)) {
            Some(class) => Ok(Some(class)),
            None if self.choice.names().is_empty() => Err(match self.of_reviews {
                true => SPELLINGS.to_owned(),
                false => self.labels.shown(),
            }),
            None => Ok(None),
        }
    }
}

/// A whole number that is written with a fraction, such as `1.0`, without it.
fn whole(label: &str) -> Option<&str> {
    let (whole, fraction) = label.split_once('.')?;
    let zeros = !fraction.is_empty() && fraction.bytes().all(|byte| byte == b'0');
    (zeros && is_integer(whole)).then_some(whole)
}

fn is_integer(label: &str) -> bool {
    let digits = label.strip_prefix(['-', '+']).unwrap_or(label);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether labels are spelt as those of reviews are. Numbers and truth values alone are names of their own.
fn are_of_reviews<'a>(mut labels: impl Iterator<Item = &'a str> + Clone) -> bool {
    let is_named = |label: &str| label.starts_with(['n', 'N', 'p', 'P']);
    let are_numbers = labels
        .clone()
        .all(|label| is_integer(label) || whole(label).is_some());
    let spelt = labels.clone().any(is_named) || (labels.clone().count() != 2 && !are_numbers);
    spelt && labels.all(|label| verdict(label).is_some())
}

/// The meaning of a label of reviews.
fn verdict(label: &str) -> Option<bool> {
    match label.to_lowercase().as_str() {
        "1" | "1.0" | "pos" | "positive" | "true" => Some(true),
        "0" | "0.0" | "neg" | "negative" | "false" => Some(false),
        _ => None,
    }
}

/// Notes labels that are probably one.
fn note_look_alikes(names: &[String], notes: &mut Vec<Note>) {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for name in names {
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            let [one, other] = [other, name.as_str()].map(|name| shown(name, SHOWN_NAME));
            notes.push(Note::doubtful(format!(
                "the labels `{one}` and `{other}` differ in capitals alone; `{other}={one}` among the chosen labels \
                 makes them one"
            )));
        }
    }
}
