//! Which of a table's labels are trained on, in which order and under which names.

use crate::error::{DataError, Result, SHOWN_NAME, shown};

/// Which of a table's labels are trained on, in which order and under which names.
///
/// ```
/// use gatefold_data::LabelChoice;
///
/// # fn main() -> gatefold_data::Result<()> {
/// let choice = LabelChoice::new(["0=negative", "4=positive"])?;
/// assert_eq!(choice.names(), ["negative", "positive"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelChoice {
    /// Labels as the table has them, each with its name, or none where it is left out.
    entries: Vec<(String, Option<String>)>,
}

/// What becomes of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen<'a> {
    Named(&'a str),
    LeftOut,
    /// Nothing is said about it.
    Unlisted,
}

impl LabelChoice {
    /// A choice from items, of which each is a label that is kept, `FROM=TO` to name it otherwise (several to one
    /// name become one label), or `FROM=` to leave it out. If any is kept, those that no item names are left out;
    /// else they are kept. Quotation marks around a name keep commas and equals signs in it.
    ///
    /// # Errors
    /// [`DataError::Labels`] if an item is none of these, or a label is there twice.
    pub fn new<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> Result<Self> {
        let mut entries: Vec<(String, Option<String>)> = Vec::new();
        for item in items {
            let item = item.as_ref();
            let refused = |why: &str| DataError::Labels {
                reason: format!(
                    "`{}` among the labels {why}; write LABEL, FROM=TO, or FROM= to leave one out, with quotation \
                     marks around a name that holds a comma or an equals sign",
                    shown(item, SHOWN_NAME)
                ),
            };
            let parts: Vec<String> = outside_quotes(item, '=').map(unquoted).collect();
            let (from, to) = match &parts[..] {
                [from] => (from, Some(from.clone())),
                [from, to] => (from, (!to.is_empty()).then(|| to.clone())),
                _ => return Err(refused("has more than one equals sign")),
            };
            if from.is_empty() {
                return Err(refused("names no label"));
            }
            if entries.iter().any(|(known, _)| known == from) {
                return Err(refused("is there twice"));
            }
            entries.push((from.clone(), to));
        }
        Ok(Self { entries })
    }

    /// The items of a list that is separated by commas, as [`new`](Self::new) takes them.
    pub fn items(list: &str) -> Vec<String> {
        outside_quotes(list, ',')
            .map(|item| item.trim().to_owned())
            .collect()
    }

    /// The names of the labels that are kept, in their order; none if only some are left out.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.entries.iter().filter_map(|(_, name)| name.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What the table calls the labels that are chosen, named or left out.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(from, _)| from.as_str())
    }

    /// What becomes of a label.
    pub(crate) fn of(&self, label: &str) -> Chosen<'_> {
        match self.entries.iter().find(|(from, _)| from == label) {
            Some((_, Some(name))) => Chosen::Named(name),
            Some((_, None)) => Chosen::LeftOut,
            None => Chosen::Unlisted,
        }
    }
}

/// The parts of a text between separators that stand outside of quotation marks.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == separator && !quoted
    })
}

/// A name without the white space and the quotation marks around it.
fn unquoted(name: &str) -> String {
    let name = name.trim();
    let inner = name
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_chosen_named_and_left_out() {
        let choice =
            LabelChoice::new(LabelChoice::items("4=positive, 0=negative,1=negative,2=")).unwrap();
        assert_eq!(choice.names(), ["positive", "negative"]);
        assert_eq!(choice.of("1"), Chosen::Named("negative"));
        assert_eq!(choice.of("2"), Chosen::LeftOut);
        assert_eq!(choice.of("3"), Chosen::Unlisted);
        assert!(LabelChoice::new(["rare="]).unwrap().names().is_empty());
    }

    #[test]
    fn quotation_marks_keep_commas_and_equals_signs() {
        let items = LabelChoice::items(r#""red, hot",cold="a=b", "say ""no"""#);
        let choice = LabelChoice::new(&items).unwrap();
        assert_eq!(choice.names(), ["red, hot", "a=b", "say \"no\""]);
        assert_eq!(choice.of("red, hot"), Chosen::Named("red, hot"));
        assert_eq!(choice.of("cold"), Chosen::Named("a=b"));
    }

    #[test]
    fn what_is_no_item_is_refused() {
        for (item, why) in [
            ("a=b=c", "more than one equals sign"),
            ("=b", "names no label"),
            (" ", "names no label"),
        ] {
            let message = LabelChoice::new([item]).unwrap_err().to_string();
            assert!(
                message.contains(why) && message.contains("FROM=TO"),
                "{message}"
            );
        }
        let message = LabelChoice::new(["a", "a=b"]).unwrap_err().to_string();
        assert!(
            message.contains("`a=b` among the labels is there twice"),
            "{message}"
        );
    }
}
