//! How good answers are where the rows have labels.

use gatefold::say;
use gatefold_data::{Example, Labels, Target};
use gatefold_training::Evaluation;

use crate::commands::averaged_runs::SeenBefore;

/// Answers to rows with labels, as they are given.
pub struct Score {
    /// The labels' column, if there is one.
    pub column: Option<String>,
    /// What the runs were trained on, where rows have labels.
    pub seen: Vec<SeenBefore>,
    /// Rows with classes that one of them was trained on.
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
            seen: Vec::new(),
            trained_on: 0,
            loss: 0.0,
            right: 0.0,
            classes: vec![0; labels.map_or(0, Labels::len)],
            unknown: None,
            unknowns: 0,
        }
    }

    /// Rows, as each of the runs reads them, and how good the answers to those with classes are.
    pub fn add(&mut self, as_read: &[Vec<Example>], of_batch: Evaluation) {
        let count = of_batch.examples as f64;
        self.loss += count * of_batch.loss;
        self.right += count * of_batch.accuracy.unwrap_or(0.0);
        for (place, row) in as_read[0].iter().enumerate() {
            if let Some(Target::Class(class)) = row.target {
                self.classes[class as usize] += 1;
                let mut runs = self.seen.iter().zip(as_read);
                let is_seen = runs.any(|(seen, rows)| seen.has(&rows[place].input));
                self.trained_on += usize::from(is_seen);
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
            for seen in &self.seen {
                seen.tells(false);
            }
            if self.trained_on > 0 {
                say!(
                    "warning: {} of the {all} tested texts were trained on{}",
                    self.trained_on,
                    match self.trained_on < all {
                        true => "; `evaluate` scores the others alone too",
                        false => ": this tells nothing of others",
                    }
                );
            }
        }
    }
}
