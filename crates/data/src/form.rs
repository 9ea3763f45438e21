//! How a table is written.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How a table's rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Values that a character separates, a row a line.
    Separated,
    /// A JSON object a line.
    JsonLines,
    /// A JSON array of objects.
    JsonArray,
}

/// How a text is written that holds the separator of values, or the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quoting {
    /// In quotation marks, of which two stand for one that is part of the text (RFC 4180).
    Double,
    /// In quotation marks, with a backslash before one that is part of the text.
    Backslash,
    /// Not at all: a quotation mark is a character as any other.
    None,
}

impl Quoting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Double, Self::Backslash, Self::None];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Double => "double",
            Self::Backslash => "backslash",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Quoting {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Quoting {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|quoting| quoting.name() == name);
        known.ok_or_else(|| "quoting is double, backslash or none".to_owned())
    }
}

/// How a table is to be understood; what isn't given is recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableForm {
    /// How its rows are written.
    pub format: Option<TableFormat>,
    /// What separates values: an ASCII character.
    pub separator: Option<char>,
    /// Whether its first line names the columns; else they are called 1, 2, ….
    pub header: bool,
    /// The encoding, by one of the names that web pages give it, such as `windows-1252`.
    pub encoding: Option<String>,
    /// How texts with separators in them are written.
    pub quoting: Option<Quoting>,
}

impl Default for TableForm {
    fn default() -> Self {
        Self {
            format: None,
            separator: None,
            header: true,
            encoding: None,
            quoting: None,
        }
    }
}
