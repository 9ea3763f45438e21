//! The classes of a column of labels.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::dataset::Record;
use crate::error::{DataError, Result, SHOWN_NAME, shown, shown_names};
use crate::example::Target;
use crate::labels::Labels;

/// What the two classes of reviews may be called besides their names.
const SPELLINGS: &str = "0 or 1, neg or pos, negative or positive, false or true";

/// So many rows may have a label each.
const FEW_ROWS: usize = 20;

/// The class of each label of a column: given, or learnt on the first table. Each label is kept once.
pub(crate) struct Classes<'a> {
    column: &'a str,
    text_column: &'a str,
    /// None while they are learnt.
    labels: Option<Labels>,
    /// Whether these are [`Labels::negative_positive`], which may be spelt otherwise.
    of_reviews: bool,
    /// While they are learnt, classes are numbered in the order of their first appearance.
    classes: HashMap<String, u32>,
    /// The line of the first label.
    line: u64,
}

impl<'a> Classes<'a> {
    /// Those of `labels`, or those that will be met.
    pub(crate) fn new(column: &'a str, text_column: &'a str, labels: Option<&Labels>) -> Self {
        let mut classes = Self {
            column,
            text_column,
            labels: None,
            of_reviews: false,
            classes: HashMap::new(),
            line: 0,
        };
        if let Some(labels) = labels {
            classes.settle_on(labels.clone());
        }
        classes
    }

    fn settle_on(&mut self, labels: Labels) {
        self.of_reviews = labels == Labels::negative_positive();
        self.classes = labels.names().iter().cloned().zip(0..).collect();
        self.labels = Some(labels);
    }

    /// The labels, once they are known.
    pub(crate) fn into_labels(self) -> Option<Labels> {
        self.labels
    }

    /// The class of a row's label, with `rows` rows above it.
    pub(super) fn class(
        &mut self,
        label: &str,
        path: &Path,
        line: u64,
        rows: usize,
    ) -> Result<u32> {
        let label = label.trim();
        let class = match self.of_reviews {
            true => verdict(label).map(u32::from),
            false => self.classes.get(label).copied(),
        };
        if let Some(class) = class {
            return Ok(class);
        }
        let refused = |reason: &str| {
            Err(DataError::Row {
                path: path.into(),
                line,
                reason: reason.to_owned(),
            })
        };
        if label.is_empty() {
            return refused("the label is empty; write one, or leave the row out");
        }
        if label.contains(char::REPLACEMENT_CHARACTER) {
            // Labels that differed in such bytes only became one.
            return refused(
                "the label holds U+FFFD, which stands for bytes that were lost; save the table anew, as UTF-8",
            );
        }
        if let Some(labels) = &self.labels {
            return Err(DataError::UnknownLabel {
                path: path.into(),
                line,
                label: format!("\"{}\"", shown(label, SHOWN_NAME)),
                known: match self.of_reviews {
                    true => SPELLINGS.to_owned(),
                    false => labels.shown(),
                },
            });
        }
        let class = self.classes.len();
        if class == 0 {
            self.line = line;
        }
        self.classes.insert(label.to_owned(), class as u32);
        match class == Labels::MOST {
            true => Err(self.too_many(path, rows + 1)),
            false => Ok(class as u32),
        }
    }

    /// Learns the labels, if they are not known, and gives all rows their final classes: those of reviews if
    /// every label is one of theirs and one is no number or truth value, else those of the labels in order, of numbers if all are numbers.
    pub(crate) fn learn(&mut self, rows: &mut [Record], path: &Path) -> Result<()> {
        if self.labels.is_some() || rows.is_empty() {
            return Ok(());
        }
        let is_verdict = |label: &String| verdict(label).is_some();
        // Numbers and truth values are names of their own, but for what else spells a verdict beside them.
        let is_named = |label: &String| label.starts_with(['n', 'N', 'p', 'P']);
        let labels = || self.classes.keys();
        let of_reviews =
            labels().all(is_verdict) && (labels().any(is_named) || self.classes.len() != 2);
        let verdicts = labels().map(|label| verdict(label));
        let alike = of_reviews && verdicts.collect::<HashSet<_>>().len() == 1;
        let mut final_classes = vec![0; self.classes.len()];
        if of_reviews && !alike {
            for (label, class) in self.classes.drain() {
                final_classes[class as usize] = verdict(&label).map_or(0, u32::from);
            }
            self.settle_on(Labels::negative_positive());
        } else if alike || self.classes.len() == 1 {
            return Err(DataError::LabelColumn {
                path: path.into(),
                reason: format!(
                    "every row has the label {}; a classifier needs two",
                    shown_names(self.classes.keys().map(String::as_str))
                ),
            });
        } else if rows.len() > FEW_ROWS && self.classes.len() > rows.len() / 2 {
            return Err(self.too_many(path, rows.len()));
        } else {
            let mut learnt: Vec<(String, u32)> = self.classes.drain().collect();
            learnt.sort_unstable();
            let number = |(label, _): &(String, u32)| {
                label.parse().ok().filter(|number: &f64| number.is_finite())
            };
            if learnt.iter().all(|label| number(label).is_some()) {
                // Stable: labels that are the same number stay in their order as texts.
                learnt.sort_by(|one, other| {
                    let order = number(one).partial_cmp(&number(other));
                    order.unwrap_or(Ordering::Equal)
                });
            }
            for ((_, class), final_class) in learnt.iter().zip(0..) {
                final_classes[*class as usize] = final_class;
            }
            let names = learnt.into_iter().map(|(label, _)| label);
            self.settle_on(Labels::new(names.collect())?);
        }
        for row in rows {
            if let Target::Class(class) = &mut row.target {
                *class = final_classes[*class as usize];
            }
        }
        Ok(())
    }

    fn too_many(&self, path: &Path, rows: usize) -> DataError {
        let first = self.classes.iter().find(|(_, class)| **class == 0);
        DataError::LabelColumn {
            path: path.into(),
            reason: format!(
                "the column `{}` has {} different labels in {rows} rows, the first is {} on line {}; is it the \
                 column of texts, or one of measurements? The texts are those of `{}`",
                shown(self.column, SHOWN_NAME),
                self.classes.len(),
                shown_names(first.map(|(label, _)| label.as_str()).into_iter()),
                self.line,
                shown(self.text_column, SHOWN_NAME),
            ),
        }
    }
}

/// The meaning of a label of reviews.
fn verdict(label: &str) -> Option<bool> {
    match label.to_lowercase().as_str() {
        "1" | "pos" | "positive" | "true" => Some(true),
        "0" | "neg" | "negative" | "false" => Some(false),
        _ => None,
    }
}
