//! The classes of series, by their names.

use std::collections::HashMap;
use std::path::Path;

use super::windows::Piece;
use crate::error::{DataError, Result, SHOWN_NAME, shown, shown_names};
use crate::example::Target;
use crate::labels::{Labels, in_order};

/// Bytes of a name.
const LONGEST: usize = 1 << 10;

/// So many sequences may have a class each.
const FEW: usize = 20;

/// The classes of names: given, or in the order in which they are met until they are settled.
pub(super) struct ClassNames {
    given: Option<Labels>,
    classes: HashMap<String, u32>,
}

impl ClassNames {
    /// Those of `labels`, or those that will be met.
    pub(super) fn new(labels: Option<&Labels>) -> Self {
        let names = labels.map_or(&[][..], Labels::names);
        Self {
            given: labels.cloned(),
            classes: names.iter().cloned().zip(0..).collect(),
        }
    }

    /// The class of a name, or why it has none.
    pub(super) fn class(&mut self, name: &str) -> std::result::Result<u32, String> {
        let name = whole(name.trim());
        if let Some(&class) = self.classes.get(&name) {
            return Ok(class);
        }
        let quoted = shown(&name, SHOWN_NAME);
        if let Some(labels) = &self.given {
            return Err(format!(
                "the class \"{quoted}\" is not known; write {}",
                labels.shown()
            ));
        }
        if name.len() > LONGEST || name.contains(char::REPLACEMENT_CHARACTER) {
            return Err(format!("\"{quoted}\" is no name of a class"));
        }
        let class = self.classes.len();
        if class == Labels::MOST {
            return Err(format!(
                "there are more than {class} classes; is this a column of measurements?"
            ));
        }
        self.classes.insert(name, class as u32);
        Ok(class as u32)
    }

    /// The labels, in the order that a table's have; and all pieces get their final classes.
    pub(super) fn settle(self, path: &Path, pieces: &mut [Piece]) -> Result<Labels> {
        if let Some(labels) = self.given {
            return Ok(labels);
        }
        let names = in_order(self.classes.keys().cloned().collect());
        let refuse = |reason| {
            Err(DataError::Series {
                path: path.into(),
                reason,
            })
        };
        let count = names.len();
        if count < 2 {
            let names = shown_names(names.iter().map(String::as_str));
            return refuse(format!(
                "all have the class {names}; a classifier needs two"
            ));
        }
        let is_a_class = matches!(
            pieces.first(),
            Some(Piece {
                target: Some(Target::Class(_)),
                ..
            })
        );
        if is_a_class && pieces.len() > FEW && count > pieces.len() / 2 {
            return refuse(format!(
                "there are {count} classes in {} sequences; is the target a column of measurements?",
                pieces.len()
            ));
        }
        let mut settled = vec![0; count];
        for (name, place) in names.iter().zip(0..) {
            settled[self.classes[name] as usize] = place;
        }
        for piece in pieces {
            match &mut piece.target {
                Some(Target::Class(class)) => *class = settled[*class as usize],
                Some(Target::Classes(classes)) => {
                    classes
                        .iter_mut()
                        .for_each(|class| *class = settled[*class as usize]);
                }
                _ => {}
            }
        }
        Labels::new(names)
    }
}

/// `1.0` and `1.0000e+00` are called 1.
fn whole(name: &str) -> String {
    let is_point = |byte| matches!(byte, b'.' | b'e' | b'E');
    match name.parse::<f64>() {
        Ok(number)
            if number.fract() == 0.0 && number.abs() < 1e15 && name.bytes().any(is_point) =>
        {
            format!("{number:.0}")
        }
        _ => name.to_owned(),
    }
}
