//! The names of classes.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result, SHOWN_NAME, from_json, shown, shown_names};

/// Labels that say yes, where one of two does.
const POSITIVE: [&str; 9] = [
    "good", "pos", "positive", "ja", "like", "spam", "true", "y", "yes",
];

/// The names of classes in their order: the first is that of class 0.
///
/// Its serialised form is a list: `["negative","positive"]`.
///
/// ```
/// use gatefold_data::Labels;
///
/// # fn main() -> gatefold_data::Result<()> {
/// let labels = Labels::new(["cat", "dog", "fish"].map(String::from).to_vec())?;
/// assert_eq!(labels.class("dog"), Some(1));
/// assert_eq!(labels.name(2), Some("fish"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Labels(Vec<String>);

impl Labels {
    /// Classes at most.
    pub const MOST: usize = 1 << 16;

    /// The names of classes.
    ///
    /// # Errors
    /// [`DataError::Labels`] if there are fewer than two or more than [`Self::MOST`], or one is empty or there
    /// twice.
    pub fn new(names: Vec<String>) -> Result<Self> {
        let mut seen = HashSet::with_capacity(names.len());
        let twice = names.iter().find(|name| !seen.insert(name.as_str()));
        let reason = if !(2..=Self::MOST).contains(&names.len()) {
            let (most, count) = (Self::MOST, names.len());
            format!("a classifier needs from 2 to {most} labels, not {count}")
        } else if names.iter().any(|name| name.trim().is_empty()) {
            "a label is empty".to_owned()
        } else if let Some(name) = twice {
            format!("the label `{}` is there twice", shown(name, SHOWN_NAME))
        } else {
            return Ok(Self(names));
        };
        Err(DataError::Labels { reason })
    }

    /// The two classes of reviews; that of class 1 is the one that praises.
    pub fn negative_positive() -> Self {
        Self(["negative", "positive"].map(String::from).to_vec())
    }

    /// All names.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// How many classes there are: two at least.
    #[expect(clippy::len_without_is_empty, reason = "they never are")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of a class.
    pub fn name(&self, class: usize) -> Option<&str> {
        self.0.get(class).map(String::as_str)
    }

    /// The class of a name.
    pub fn class(&self, name: &str) -> Option<u32> {
        (0..)
            .zip(&self.0)
            .find_map(|(class, known)| (known == name).then_some(class))
    }

    /// The first names, shortened, for people.
    pub fn shown(&self) -> String {
        shown_names(self.0.iter().map(String::as_str))
    }

    /// Which of two is the positive one, where they aren't those of reviews.
    pub(crate) fn positive(&self) -> Option<String> {
        let [negative, positive] = &self.0[..] else {
            return None;
        };
        let [negative, positive] = [negative, positive].map(|name| shown(name, SHOWN_NAME));
        (*self != Self::negative_positive()).then(|| {
            format!(
                "of the two labels `{positive}` is the positive one, `{negative}` the negative one"
            )
        })
    }

    /// The labels as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings always have a JSON form")
    }

    /// Reads what [`Self::to_json`] wrote; `path` is for the message of an error.
    ///
    /// # Errors
    /// [`DataError::Saved`] if the text is no such JSON.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        from_json(json, path, "list of labels")
    }
}

impl TryFrom<Vec<String>> for Labels {
    type Error = DataError;

    fn try_from(names: Vec<String>) -> Result<Self> {
        Self::new(names)
    }
}

/// Names in the order of their classes, each once: of numbers where all begin with one, else of texts; of two the one
/// that says yes last.
pub(crate) fn in_order(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    // `3 stars` has a number too.
    let number = |name: &String| -> Option<f64> {
        let number: f64 = name.split_whitespace().next()?.parse().ok()?;
        number.is_finite().then_some(number)
    };
    if names.iter().all(|name| number(name).is_some()) {
        // Stable: labels that are the same number stay in their order as texts.
        names.sort_by(|one, other| {
            let [one, other] = [one, other].map(|name| number(name).unwrap_or(0.0));
            one.total_cmp(&other)
        });
    }
    if let [first, second] = &names[..]
        && says_yes(first, second)
    {
        names.reverse();
    }
    names
}

/// Whether `one` of two labels says yes and `other` doesn't, or only says that it isn't the one.
fn says_yes(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(str::to_lowercase);
    let is_positive = |label: &String| POSITIVE.contains(&label.as_str());
    let denied = |prefix: &str| {
        let rest = other.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.trim_start_matches([' ', '-', '_']) == one)
    };
    is_positive(&one) && !is_positive(&other) || ["not", "non", "no", "un"].into_iter().any(denied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &[&str]) -> Result<Labels> {
        Labels::new(names.iter().map(|&name| name.to_owned()).collect())
    }

    #[test]
    fn names_and_classes_lead_to_each_other() {
        let labels = labels(&["b", "a", "c"]).unwrap();
        assert_eq!((labels.len(), labels.names().len()), (3, 3));
        for (class, name) in ["b", "a", "c"].into_iter().enumerate() {
            assert_eq!(labels.name(class), Some(name));
            assert_eq!(labels.class(name), Some(class as u32));
        }
        assert_eq!((labels.name(3), labels.class("d")), (None, None));
        assert_eq!(Labels::negative_positive().class("positive"), Some(1));
    }

    #[test]
    fn labels_have_one_order() {
        for (given, expected) in [
            (&["10 stars", "3 stars"][..], &["3 stars", "10 stars"][..]),
            (&["1.0", "-1.0", "1.0"], &["-1.0", "1.0"]),
            (&["yes", "no"], &["no", "yes"]),
            (&["b", "a", "10"], &["10", "a", "b"]),
        ] {
            assert_eq!(
                in_order(given.iter().map(|&name| name.to_owned()).collect()),
                expected
            );
        }
        let said = labels(&["no", "yes"]).unwrap().positive().unwrap();
        assert_eq!(
            said,
            "of the two labels `yes` is the positive one, `no` the negative one"
        );
        assert_eq!(labels(&["a", "b", "c"]).unwrap().positive(), None);
        assert_eq!(Labels::negative_positive().positive(), None);
    }

    #[test]
    fn survive_their_json() {
        let labels = Labels::negative_positive();
        let json = labels.to_json();
        assert_eq!(json, r#"["negative","positive"]"#);
        assert_eq!(
            Labels::from_json(&json, Path::new("labels.json")).unwrap(),
            labels
        );
    }

    #[test]
    fn what_names_no_classes_is_refused() {
        let most: Vec<String> = (0..=Labels::MOST).map(|class| class.to_string()).collect();
        assert!(Labels::new(most[1..].to_vec()).is_ok());
        let message = Labels::new(most).unwrap_err().to_string();
        assert_eq!(
            message,
            "a classifier needs from 2 to 65536 labels, not 65537"
        );
        for (names, reason) in [
            (&[][..], "from 2 to 65536 labels, not 0"),
            (&["a"], "from 2 to 65536 labels, not 1"),
            (&["a", " "], "a label is empty"),
            (&["a", "b", "a"], "the label `a` is there twice"),
        ] {
            let message = labels(names).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
            let json = serde_json::to_string(names).unwrap();
            let message = Labels::from_json(&json, Path::new("runs/1/labels.json"));
            let message = message.unwrap_err().to_string();
            assert!(message.starts_with("runs/1/labels.json: "), "{message}");
            assert!(message.contains(reason), "{message}");
            assert!(
                message.contains("the list of labels belongs to its run"),
                "{message}"
            );
        }
        let long = serde_json::to_string(&vec!["x\u{7}".repeat(100_000); 2]).unwrap();
        for json in [&long, "{}", "[1, 2]", "[\"a\""] {
            let message = Labels::from_json(json, Path::new("labels.json"));
            let message = message.unwrap_err().to_string();
            assert!(message.len() < 1000, "{} bytes", message.len());
            assert!(!message.contains(char::is_control), "{message}");
        }
    }
}
