//! The rows of a table whose texts are to be answered, with all that they hold.

use std::io::Read;
use std::path::Path;

use super::Classes;
use crate::choice::LabelChoice;
use crate::dataset::{Note, NoteKind};
use crate::error::{Result, SHOWN_NAME, shown};
use crate::form::TableForm;
use crate::labels::Labels;
use crate::limits::Limits;
use crate::sources::LoadProgress;
use crate::sources::table::{Cell, Table};

/// Which columns of a table are read to answer its texts.
#[derive(Clone, Copy, Debug)]
pub struct TextColumns<'a> {
    /// The texts'. Without a name, that of [`usual_text`](Self::usual_text), or the only column there is.
    pub text: Option<&'a str>,
    /// The texts' name where the network was trained.
    pub usual_text: &'a str,
    /// The labels'. Without a name, that of [`usual_label`](Self::usual_label) if it is there.
    pub label: Option<&'a str>,
    /// The labels' name where the network was trained.
    pub usual_label: &'a str,
    /// The names of the network's classes.
    pub labels: Option<&'a Labels>,
    /// How they were chosen and named where the network was trained.
    pub choice: Option<&'a LabelChoice>,
}

/// A table that is read row by row to answer its texts.
pub struct TextRows<'a> {
    table: Table<'a>,
    text: usize,
    label: Option<usize>,
    classes: Option<Classes>,
    /// Whether it was noted that what stands in a column is left out.
    left_out: bool,
}

/// A row to answer.
#[derive(Clone, Debug, PartialEq)]
pub struct TextRow {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// What is to be answered.
    pub text: String,
    /// What its label says.
    pub label: RowLabel,
    /// The values of all columns, in their order.
    pub cells: Vec<RowCell>,
}

/// What a row's label says.
#[derive(Clone, Debug, PartialEq)]
pub enum RowLabel {
    /// Nothing: it is empty, or there is no such column.
    Missing,
    /// A class of the network's.
    Class(u32),
    /// Something that is no class of the network's.
    Unknown(String),
}

/// A row's value in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum RowCell {
    /// A text.
    Text(String),
    /// A number or a truth value, as JSON writes it.
    Scalar(String),
    /// Nothing.
    Null,
}

impl<'a> TextRows<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// As for [`read`](Self::read), and if it can't be opened.
    #[cfg(feature = "files")]
    pub fn open(
        path: &Path,
        form: &TableForm,
        columns: &TextColumns,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let table = Table::open(path, form, &Limits::default(), progress)?;
        Self::of(table, columns)
    }

    /// Reads a table from a stream; `name` is for messages.
    ///
    /// # Errors
    /// If it is no table, larger than [`TableOptions::read`](super::TableOptions::read) has it, or has no such columns.
    pub fn read(
        name: &Path,
        source: impl Read + 'a,
        form: &TableForm,
        columns: &TextColumns,
        progress: &'a mut dyn FnMut(LoadProgress),
    ) -> Result<Self> {
        let limits = Limits::default();
        let table = Table::read(name, (source, limits.table), form, &limits, progress)?;
        Self::of(table, columns)
    }

    fn of(mut table: Table<'a>, columns: &TextColumns) -> Result<Self> {
        let count = table.columns().len();
        let is_there = |name: &str| table.columns().iter().any(|column| column == name);
        let text = match columns.text {
            None if count == 1 && !is_there(columns.usual_text) => 0,
            name => table.column(name.unwrap_or(columns.usual_text))?,
        };
        let label = match columns.label {
            None if !is_there(columns.usual_label) => None,
            name => Some(table.column(name.unwrap_or(columns.usual_label))?),
        };
        table.choose(&(0..count).collect::<Vec<_>>());
        let choice = columns.choice.cloned().unwrap_or_default();
        Ok(Self {
            table,
            text,
            label: label.filter(|label| *label != text),
            classes: columns
                .labels
                .map(|labels| Classes::known(labels.clone(), &choice)),
            left_out: false,
        })
    }

    /// The names of all columns, in their order.
    pub fn columns(&self) -> &[String] {
        self.table.columns()
    }

    /// The name of the labels' column, if there is one.
    pub fn label_column(&self) -> Option<&str> {
        self.label.map(|label| &self.columns()[label][..])
    }

    /// What was recognised and what is doubtful, since it was last asked.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.table.notes)
    }

    /// The next row; none at the end.
    ///
    /// # Errors
    /// Names the line of a row that can't be read, or has no text.
    pub fn next_row(&mut self) -> Result<Option<TextRow>> {
        let Some(row) = self.table.next_row()? else {
            return Ok(None);
        };
        let line = row.line;
        let text = match &row.cells[self.text] {
            Cell::Text(text) | Cell::Scalar(text) => text.clone(),
            Cell::Null => return Err(self.no_text(line, "null")),
            Cell::List(_) => return Err(self.no_text(line, "an array")),
            Cell::Other(kind) => return Err(self.no_text(line, kind)),
        };
        let label = self.label.map(|label| &row.cells[label]);
        let label = match (label, &self.classes) {
            (Some(Cell::Text(label) | Cell::Scalar(label)), Some(classes))
                if !label.trim().is_empty() =>
            {
                match classes.class(label.trim()) {
                    Ok(Some(class)) => RowLabel::Class(class),
                    Ok(None) => RowLabel::Missing,
                    Err(_) => RowLabel::Unknown(shown(label, SHOWN_NAME)),
                }
            }
            _ => RowLabel::Missing,
        };
        let mut cells = Vec::with_capacity(row.cells.len());
        for (column, cell) in row.cells.into_iter().enumerate() {
            cells.push(match cell {
                Cell::Text(text) => RowCell::Text(text),
                Cell::Scalar(scalar) => RowCell::Scalar(scalar),
                Cell::Null => RowCell::Null,
                Cell::List(_) => {
                    self.note_left_out(line, column, "an array");
                    RowCell::Null
                }
                Cell::Other(kind) => {
                    self.note_left_out(line, column, kind);
                    RowCell::Null
                }
            });
        }
        Ok(Some(TextRow {
            line,
            text,
            label,
            cells,
        }))
    }

    fn note_left_out(&mut self, line: u64, column: usize, kind: &str) {
        if !std::mem::replace(&mut self.left_out, true) {
            let column = shown(&self.columns()[column], SHOWN_NAME);
            self.table.notes.push(Note {
                kind: NoteKind::Doubtful,
                text: format!("`{column}` on line {line} is {kind}: such values are left out"),
            });
        }
    }

    fn no_text(&self, line: u64, kind: &str) -> crate::error::DataError {
        let column = shown(&self.columns()[self.text], SHOWN_NAME);
        let reason = format!("`{column}` is {kind}; write the text as a string");
        self.table.error(line, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::TableFormat;

    fn rows(
        format: TableFormat,
        table: &str,
        columns: &TextColumns,
    ) -> Result<(Vec<String>, Vec<TextRow>, Vec<Note>)> {
        let form = TableForm {
            format: Some(format),
            ..TableForm::default()
        };
        let progress = &mut |_| {};
        let path = Path::new("new.csv");
        let mut rows = TextRows::read(path, table.as_bytes(), &form, columns, progress)?;
        let names = rows.columns().to_vec();
        let mut all = Vec::new();
        while let Some(row) = rows.next_row()? {
            all.push(row);
        }
        Ok((names, all, rows.take_notes()))
    }

    const COLUMNS: TextColumns = TextColumns {
        text: None,
        usual_text: "text",
        label: None,
        usual_label: "label",
        labels: None,
        choice: None,
    };

    #[test]
    fn a_row_keeps_all_that_it_holds() {
        let labels = Labels::negative_positive();
        let columns = TextColumns {
            labels: Some(&labels),
            ..COLUMNS
        };
        let table = "id,text,label\n007,\"a\nb\",pos\n8,c,\n9,d,maybe\n";
        let (names, rows, _) = rows(TableFormat::Separated, table, &columns).unwrap();
        assert_eq!(names, ["id", "text", "label"]);
        let lines: Vec<_> = rows.iter().map(|row| (row.line, &row.text[..])).collect();
        assert_eq!(lines, [(2, "a\nb"), (4, "c"), (5, "d")]);
        assert_eq!(rows[0].cells[0], RowCell::Text("007".into()));
        let found: Vec<_> = rows.into_iter().map(|row| row.label).collect();
        let unknown = RowLabel::Unknown("maybe".into());
        assert_eq!(found, [RowLabel::Class(1), RowLabel::Missing, unknown]);
    }

    #[test]
    fn the_text_stands_in_the_column_that_was_named_or_the_usual_or_only_one() {
        let named = TextColumns {
            text: Some("note"),
            ..COLUMNS
        };
        let read = |table, columns| rows(TableFormat::Separated, table, columns);
        let text = |table, columns| read(table, columns).unwrap().1.remove(0).text;
        assert_eq!(text("text,note\na,b\n", &COLUMNS), "a");
        assert_eq!(text("text,note\na,b\n", &named), "b");
        assert_eq!(text("note\na\n", &COLUMNS), "a");
        read("id,note\n1,a\n", &COLUMNS).unwrap_err();
        read("text\na\n", &named).unwrap_err();
    }

    #[test]
    fn json_keeps_numbers_and_says_what_it_leaves_out() {
        let table = "{\"text\":\"a\",\"id\":1234567890123456789,\"tags\":[1]}\n";
        let (_, rows, notes) = rows(TableFormat::JsonLines, table, &COLUMNS).unwrap();
        let scalar = RowCell::Scalar("1234567890123456789".into());
        assert_eq!(rows[0].cells[1..], [scalar, RowCell::Null]);
        let last = notes.last().unwrap();
        assert!(
            last.text.starts_with("`tags` on line 1 is an array"),
            "{notes:?}"
        );
    }
}
