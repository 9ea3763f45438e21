//! Builds the guide in `docs/guide` and checks the links of all documentation: files, headings,
//! pictures, and the items of code that a link names. Needs no network; nor does the book that it makes.
//!
//! With the arguments `picture REPORT TITLE FILE` it cuts a plot out of a report instead, for the guide.

mod code;
mod links;
mod math;
mod page;
mod picture;

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use mdbook_driver::MDBook;

use code::LinkedCode;
use page::{Page, Part};

const CHAPTERS: &str = "docs/guide/src";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => build(),
        ["picture", report, title, file] => {
            let html =
                fs::read_to_string(report).with_context(|| format!("cannot read {report}"))?;
            let svg = picture::from_report(&html, title).with_context(|| format!("in {report}"))?;
            fs::write(file, svg).with_context(|| format!("cannot write {file}"))?;
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("expected no arguments, or picture REPORT TITLE FILE"),
    }
}

fn build() -> Result<ExitCode> {
    // As it runs, not as it was built: checkouts may share what cargo builds.
    let here = env::var_os("CARGO_MANIFEST_DIR").context("run it with `cargo run`")?;
    let repository = Path::new(&here)
        .ancestors()
        .nth(2)
        .context("the repository is two folders up")?;
    let mut problems = Vec::new();
    let mut linked_code = LinkedCode::default();

    for path in ["README.md", "SECURITY.md"]
        .map(PathBuf::from)
        .into_iter()
        .chain(markdown_in(repository, "docs")?)
    {
        let page = Page::read(repository, path)?;
        for part in page.parts() {
            if let Part::Link { destination } = &part.what
                && let Err(reason) = links::resolve(repository, &page, destination)
            {
                problems.push(page.problem(&part, &reason));
            }
        }
    }
    let mut rendered = HashMap::new();
    for path in markdown_in(repository, CHAPTERS)? {
        let page = Page::read(repository, path)?;
        let text = render(repository, &page, &mut linked_code, &mut problems);
        rendered.insert(page.path, text);
    }

    let mut book = MDBook::load(repository.join("docs/guide"))?;
    book.book.for_each_chapter_mut(|chapter| {
        let path = chapter.source_path.clone().unwrap_or_default();
        if let Some(text) = rendered.remove(&Path::new(CHAPTERS).join(path)) {
            chapter.content = text;
        }
    });
    rendered.remove(&Path::new(CHAPTERS).join("SUMMARY.md"));
    problems.extend(
        rendered
            .keys()
            .map(|path| format!("{}:1: SUMMARY.md does not list it", path.display())),
    );
    if !problems.is_empty() {
        eprintln!("{}", problems.join("\n"));
        return Ok(ExitCode::FAILURE);
    }

    for item in linked_code.chapters(repository)? {
        book.book.push_item(item);
    }
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository.join("target"), PathBuf::from);
    let destination = std::path::absolute(target.join("guide"))?;
    book.config.build.build_dir = destination.clone();
    book.build()?;
    println!(
        "The guide is at {}",
        destination.join("index.html").display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The Markdown files of a folder, from the repository's root.
fn markdown_in(repository: &Path, folder: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(repository.join(folder)).context(folder.to_owned())?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = Path::new(folder).join(entry?.file_name());
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    ensure!(!paths.is_empty(), "{folder} has no Markdown file");
    paths.sort();
    Ok(paths)
}

/// A chapter as mdBook gets it: equations as MathML, and links to code as links to the book's own
/// copy of it. An equation has to be followed by such a link before the next heading.
fn render(
    repository: &Path,
    page: &Page,
    linked_code: &mut LinkedCode,
    problems: &mut Vec<String>,
) -> String {
    let mut text = page.text.clone();
    let mut unlinked_equation: Option<String> = None;
    let mut replacements = Vec::new();
    for part in page.parts() {
        match &part.what {
            Part::Heading(_) => problems.extend(unlinked_equation.take()),
            Part::Equation { latex, display } => {
                match math::mathml(latex, *display) {
                    Ok(mathml) => replacements.push((part.range.clone(), mathml)),
                    Err(reason) => problems.push(page.problem(&part, &reason)),
                }
                if *display {
                    let problem = page.problem(&part, "no link to code follows this equation");
                    unlinked_equation = Some(problem);
                }
            }
            Part::Link { destination } => match links::resolve(repository, page, destination) {
                Err(reason) => problems.push(page.problem(&part, &reason)),
                Ok(links::Target::Code { path, item }) => {
                    unlinked_equation = None;
                    let link = &page.text[part.range.clone()];
                    let start = part.range.start + link.rfind(destination).unwrap_or_default();
                    let page_of_code = linked_code.add(path, item);
                    replacements.push((start..start + destination.len(), page_of_code));
                }
                Ok(links::Target::OutsideGuide(path)) => {
                    let reason = format!("the guide has no page of {}", path.display());
                    problems.push(page.problem(&part, &reason));
                }
                Ok(links::Target::Guide | links::Target::Web) => {}
            },
        }
    }
    problems.extend(unlinked_equation);
    for (range, replacement) in replacements.into_iter().rev() {
        text.replace_range(range, &replacement);
    }
    text
}
