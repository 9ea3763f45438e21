//! The code that the guide links to, as pages of the book: its readers need no copy of the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mdbook_driver::book::{BookItem, Chapter};

const KINDS: [&str; 7] = ["fn", "struct", "enum", "trait", "const", "static", "type"];

/// The line, from 0, where Rust or WGSL defines the item `name`.
pub fn line_of(text: &str, name: &str) -> Option<usize> {
    text.lines().position(|line| {
        let words: Vec<&str> = line
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .collect();
        !line.trim_start().starts_with("//")
            && words
                .windows(2)
                .any(|pair| KINDS.contains(&pair[0]) && pair[1] == name)
    })
}

/// Whether a line belongs to the item below it: a comment or an attribute.
fn is_note(line: &str) -> bool {
    let line = line.trim_start();
    (line.starts_with("//") && !line.starts_with("//!")) || line.starts_with("#[")
}

/// Files that are linked to, and the items in them.
#[derive(Default)]
pub struct LinkedCode(BTreeMap<PathBuf, BTreeSet<String>>);

impl LinkedCode {
    /// Adds a file, and an item in it; returns the link from a chapter to its page.
    pub fn add(&mut self, path: PathBuf, item: Option<String>) -> String {
        let fragment = item
            .as_ref()
            .map_or_else(String::new, |item| format!("#{item}"));
        let link = format!("{}{fragment}", page_of(&path));
        self.0.entry(path).or_default().extend(item);
        link
    }

    /// A page a file: all of its lines, with a heading above each item that is linked to.
    pub fn chapters(&self, repository: &Path) -> Result<Vec<BookItem>> {
        let mut chapters = vec![BookItem::PartTitle("The code".into())];
        for (path, items) in &self.0 {
            let text = fs::read_to_string(repository.join(path))
                .with_context(|| format!("cannot read {}", path.display()))?;
            let name = path.display().to_string();
            let content = page(&name, &text, items);
            chapters.push(Chapter::new(&name, content, page_of(path), Vec::new()).into());
        }
        Ok(chapters)
    }
}

fn page_of(path: &Path) -> String {
    format!("code/{}.md", path.display())
}

fn page(name: &str, text: &str, items: &BTreeSet<String>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut starts: Vec<(usize, &str)> = items
        .iter()
        .filter_map(|item| {
            let line = line_of(text, item)?;
            let notes = lines[..line].iter().rev().take_while(|line| is_note(line));
            Some((line - notes.count(), item.as_str()))
        })
        .collect();
    starts.sort_unstable();

    let mut page = format!("# `{name}`\n");
    let first = starts.first().map_or(lines.len(), |start| start.0);
    push_code(&mut page, &lines[..first]);
    for (index, &(start, item)) in starts.iter().enumerate() {
        let end = starts.get(index + 1).map_or(lines.len(), |next| next.0);
        write!(page, "\n## `{item}`\n").expect("a string takes all");
        push_code(&mut page, &lines[start..end]);
    }
    page
}

/// A fenced block that may hold fences of three.
fn push_code(page: &mut String, lines: &[&str]) {
    let code = lines.join("\n");
    let code = code.trim_matches('\n');
    if !code.is_empty() {
        write!(page, "\n`````rust\n{code}\n`````\n").expect("a string takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "//! fn walk\n\nuse a::b;\n\n/// Steps; not fn walk.\n#[inline]\npub(crate) fn step() {}\n\nfn walk<B: Backend>(\n) {}\n";

    #[test]
    fn items_are_found_by_their_whole_name() {
        assert_eq!(line_of(CODE, "step"), Some(6));
        assert_eq!(line_of(CODE, "walk"), Some(8));
        assert_eq!(line_of(CODE, "wal"), None);
        assert_eq!(line_of(CODE, "b"), None);
        assert_eq!(line_of("pub const SIZE: usize = 3;", "SIZE"), Some(0));
        assert_eq!(
            line_of("fn lstm_step(gates: vec4f) -> f32 {", "lstm_step"),
            Some(0)
        );
    }

    #[test]
    fn a_page_holds_every_line_and_a_heading_an_item() {
        let items = ["walk", "step"].map(str::to_owned).into();
        let fence = "`````";
        assert_eq!(
            page("a.rs", CODE, &items),
            format!(
                "# `a.rs`\n\n{fence}rust\n//! fn walk\n\nuse a::b;\n{fence}\n\
                 \n## `step`\n\n{fence}rust\n/// Steps; not fn walk.\n#[inline]\npub(crate) fn step() {{}}\n{fence}\n\
                 \n## `walk`\n\n{fence}rust\nfn walk<B: Backend>(\n) {{}}\n{fence}\n"
            )
        );
    }
}
