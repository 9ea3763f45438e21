//! How good answers are where the rows have labels.

use gatefold::say;
use gatefold_data::{Example, Labels, Target};
use gatefold_training::{Evaluation, Seen};

/// Answers to rows with labels, as they are given.
pub struct Score {
    /// The labels' column, if there is one.
    pub column: Option<String>,
    /// What the run was trained on, if it kept that.
    pub seen: Option<Seen>,
    /// Who trained it, where that is nothing.
    pub trainer: &'static str,
    /// Rows with classes that it was trained on.
    trained_on: usize,
    loss: f64,
    right: f64,
    /// Rows of each class.
    classes: Vec<usize>,
    /// The first label that is no class of the network's with its line, and how many there are.
    unknown: Option<(String, u64)>,
    unknowns: usize,
}

impl Score {
    pub fn new(labels: Option<&Labels>) -> Self {
        Self {
            column: None,
            seen: None,
            trainer: "",
            trained_on: 0,
            loss: 0.0,
            right: 0.0,
            classes: vec![0; labels.map_or(0, Labels::len)],
            unknown: None,
            unknowns: 0,
        }
    }

    /// Rows, and how good the answers to those with classes are.
    pub fn add(&mut self, rows: &[Example], of_batch: Evaluation) {
        let count = of_batch.examples as f64;
        self.loss += count * of_batch.loss;
        self.right += count * of_batch.accuracy.unwrap_or(0.0);
        for row in rows {
            if let Some(Target::Class(class)) = row.target {
                self.classes[class as usize] += 1;
                let seen = self.seen.as_ref();
                self.trained_on += usize::from(seen.is_some_and(|seen| seen.has(&row.input)));
            }
        }
    }

    /// A label that is no class of the network's.
    pub fn unknown(&mut self, label: &str, line: u64) {
        self.unknown.get_or_insert_with(|| (label.to_owned(), line));
        self.unknowns += 1;
    }

    /// Says it, if there is anything to say.
    pub fn say(&self, labels: Option<&Labels>) {
        let column = self.column.as_deref().unwrap_or_default();
        if let Some((label, line)) = &self.unknown {
            say!(
                "warning: {} of `{column}` not known to the network are not scored, the first \"{label}\" on line \
                 {line}",
                match self.unknowns {
                    1 => "1 label".into(),
                    count => format!("{count} labels"),
                }
            );
        }
        let all: usize = self.classes.iter().sum();
        let largest = (0..self.classes.len())
            .rev()
            .max_by_key(|&class| self.classes[class]);
        if let (Some(largest), Some(labels), 1..) = (largest, labels, all) {
            say!(
                "loss {:.4}, accuracy {:.4} over {all} rows with a label in `{column}` (always answering `{}` has \
                 accuracy {:.4})",
                self.loss / all as f64,
                self.right / all as f64,
                labels.name(largest).unwrap_or_default(),
                self.classes[largest] as f64 / all as f64,
            );
            match (&self.seen, self.trained_on) {
                (None, _) => say!(
                    "warning: {} trained the run and kept nothing that tells whether it was trained on these",
                    self.trainer
                ),
                (Some(_), 0) => {}
                (Some(_), trained_on) => say!(
                    "warning: {trained_on} of the {all} tested texts were trained on{}",
                    match trained_on < all {
                        true => "; `evaluate` scores the others alone too",
                        false => ": this tells nothing of others",
                    }
                ),
            }
        }
    }
}
