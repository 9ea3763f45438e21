//! Data before a network can read them.

use serde::Serialize;

use crate::example::Target;
use crate::labels::Labels;
use crate::sequence::Sequence;
use crate::series::RecognisedSeries;

/// What an encoder makes a sequence of.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A text, as written.
    Text(String),
    /// Numbers; token ids have no meaning without their vocabulary, and are refused.
    Sequence(Sequence),
}

impl Content {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Sequence(_) => None,
        }
    }

    /// The sequence, if it is one.
    pub fn sequence(&self) -> Option<&Sequence> {
        match self {
            Self::Text(_) => None,
            Self::Sequence(sequence) => Some(sequence),
        }
    }
}

/// A content and what a network should answer to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What is to be read.
    pub content: Content,
    /// What should be answered.
    pub target: Target,
}

impl Record {
    /// A text and its class.
    pub fn text(text: impl Into<String>, class: u32) -> Self {
        Self {
            content: Content::Text(text.into()),
            target: Target::Class(class),
        }
    }

    /// The text of a review, and whether its class is 1.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn expect_review(&self) -> (&str, bool) {
        let text = self.content.text().expect("a review is a text");
        (text, self.target == Target::Class(1))
    }
}

/// The records of a source in its splits. All contents are of one kind, and so are all targets.
///
/// The order is part of the data set: the validation part may be cut off the end of `train`, and words
/// of equal frequency rank by their first appearance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// The names of the classes; none where targets are numbers.
    pub labels: Option<Labels>,
    /// For training.
    pub train: Vec<Record>,
    /// To choose the best epoch; where it is empty, it is cut off the end of `train`.
    pub validation: Vec<Record>,
    /// For the final test alone.
    pub test: Vec<Record>,
    /// What was recognised in the source, and what is doubtful there.
    pub notes: Vec<Note>,
    /// Whether numbers may be missing: the first half of each timestep are numbers, NaN where one is missing, the
    /// second half says of each whether it is, with 1.
    pub missing: bool,
    /// Whether targets that are numbers are scaled, as those are that are read.
    pub scale_targets: bool,
    /// Of series of numbers, what was recognised of their file.
    pub series: Option<RecognisedSeries>,
    /// Of texts with labels in a table, what was given or recognised, so that they can be read in the same way again.
    pub recognised: Option<Recognised>,
}

/// What of a table was given or recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// The column of the texts.
    pub text_column: String,
    /// The column of the labels.
    pub label_column: String,
}

impl Dataset {
    /// Numbers the classes as `labels`, an earlier run's, do, and gives them to the data, with a note which of two is
    /// the positive one; whether they have all names that these have. Else all stays as it is.
    pub fn take_labels(&mut self, labels: &Labels) -> bool {
        let ours = self.labels.iter().flat_map(Labels::names);
        let Some(classes) = ours
            .map(|name| labels.class(name))
            .collect::<Option<Vec<u32>>>()
        else {
            return false;
        };
        if self.labels.is_none() {
            return false;
        }
        let number = |class: &mut u32| {
            // A class without a label is for encoding to refuse.
            *class = classes.get(*class as usize).copied().unwrap_or(u32::MAX);
        };
        let parts = [&mut self.train, &mut self.validation, &mut self.test];
        for record in parts.into_iter().flatten() {
            match &mut record.target {
                Target::Class(class) => number(class),
                Target::Classes(classes) => classes.iter_mut().for_each(number),
                Target::ClassSet(classes) => {
                    classes.iter_mut().for_each(number);
                    classes.sort_unstable();
                }
                Target::Values(_) => {}
            }
        }
        let notes = self.notes.len();
        if let Some(before) = self.labels.as_ref().and_then(Labels::positive) {
            self.notes.retain(|note| !note.text.starts_with(&before));
        }
        let first = self.train.first().map(|record| &record.target);
        let is_one = self.recognised.is_some() && matches!(first, Some(Target::Class(_)));
        if (is_one || self.notes.len() < notes)
            && let Some(positive) = labels.positive()
        {
            self.notes.push(Note::understood(format!(
                "{positive}, as in the run that this one begins from"
            )));
        }
        self.labels = Some(labels.clone());
        true
    }
}

/// Something that whoever named the source should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// A sentence, without a full stop.
    pub text: String,
}

/// What a [`Note`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoteKind {
    /// What was recognised, and not given.
    Understood,
    /// What may be a mistake in the data.
    Doubtful,
}

impl Note {
    /// A note on what was recognised.
    pub fn understood(text: impl Into<String>) -> Self {
        Self {
            kind: NoteKind::Understood,
            text: text.into(),
        }
    }

    /// A note on what is doubtful.
    pub fn doubtful(text: impl Into<String>) -> Self {
        Self {
            kind: NoteKind::Doubtful,
            text: text.into(),
        }
    }
}
