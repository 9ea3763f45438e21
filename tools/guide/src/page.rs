//! A Markdown file, and the parts of it that matter here.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A Markdown file.
pub struct Page {
    /// From the repository's root.
    pub path: PathBuf,
    /// What it says.
    pub text: String,
}

/// Something in a page, and where.
pub struct Located {
    /// What it is.
    pub what: Part,
    /// Where in the page's text.
    pub range: Range<usize>,
}

/// Something in a page.
pub enum Part {
    /// A heading's anchor.
    Heading(String),
    /// A link or a picture.
    Link {
        /// Where it leads.
        destination: String,
    },
    /// LaTeX between one or two dollar signs.
    Equation {
        /// Without the signs.
        latex: String,
        /// Whether it stands on lines of its own.
        display: bool,
    },
}

impl Page {
    /// Reads the file at `path` from the repository's root.
    pub fn read(repository: &Path, path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(repository.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { path, text })
    }

    /// All parts, in their order.
    pub fn parts(&self) -> Vec<Located> {
        let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_MATH;
        let mut heading: Option<String> = None;
        let mut parts = Vec::new();
        for (event, range) in Parser::new_ext(&self.text, options).into_offset_iter() {
            let what = match event {
                Event::Start(Tag::Heading { .. }) => {
                    heading = Some(String::new());
                    continue;
                }
                Event::End(TagEnd::Heading(_)) => {
                    Part::Heading(anchor(&heading.take().unwrap_or_default()))
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                    continue;
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    Part::Link {
                        destination: dest_url.into_string(),
                    }
                }
                Event::InlineMath(latex) => Part::Equation {
                    latex: latex.into_string(),
                    display: false,
                },
                Event::DisplayMath(latex) => Part::Equation {
                    latex: latex.into_string(),
                    display: true,
                },
                _ => continue,
            };
            parts.push(Located { what, range });
        }
        parts
    }

    /// A message that begins with the file and the line.
    pub fn problem(&self, part: &Located, reason: &str) -> String {
        let line = 1 + self.text[..part.range.start].matches('\n').count();
        format!("{}:{line}: {reason}", self.path.display())
    }
}

/// A heading's anchor by the rule that mdBook and most forges share.
fn anchor(heading: &str) -> String {
    heading
        .trim()
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            letter if letter.is_alphanumeric() || letter == '_' || letter == '-' => Some(letter),
            letter if letter.is_whitespace() => Some('-'),
            _ => None,
        })
        .collect()
}
