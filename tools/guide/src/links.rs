//! Where a link leads, or why it leads nowhere.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::page::{Page, Part};
use crate::{CHAPTERS, code};

/// Where a link leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// Out of the repository; not checked, for the check needs no network.
    Web,
    /// A chapter or a picture of the guide.
    Guide,
    /// A file with code.
    Code {
        /// From the repository's root.
        path: PathBuf,
        /// The item that the link names.
        item: Option<String>,
    },
    /// Any other file or folder of the repository.
    OutsideGuide(PathBuf),
}

/// Follows a link of `page`.
///
/// # Errors
/// Why it leads nowhere.
pub fn resolve(repository: &Path, page: &Page, destination: &str) -> Result<Target, String> {
    if destination.contains("://") {
        return Ok(Target::Web);
    }
    let (relative, fragment) = match destination.split_once('#') {
        Some((relative, fragment)) => (relative, Some(fragment)),
        None => (destination, None),
    };
    let path = if relative.is_empty() {
        page.path.clone()
    } else {
        join(page.path.parent().unwrap_or(Path::new("")), relative)
            .ok_or_else(|| format!("{destination} leads out of the repository"))?
    };
    if !repository.join(&path).exists() {
        return Err(format!("there is no {}", path.display()));
    }
    let is_code = ["rs", "wgsl"]
        .iter()
        .any(|kind| path.extension().is_some_and(|e| e == *kind));
    if let Some(fragment) = fragment {
        let there = if is_code {
            let text = fs::read_to_string(repository.join(&path)).map_err(|e| e.to_string())?;
            code::line_of(&text, fragment).is_some()
        } else {
            let target = Page::read(repository, path.clone()).map_err(|e| e.to_string())?;
            target
                .parts()
                .iter()
                .any(|part| matches!(&part.what, Part::Heading(anchor) if anchor == fragment))
        };
        if !there {
            let kind = if is_code { "item" } else { "heading" };
            return Err(format!("{} has no {kind} {fragment}", path.display()));
        }
    }
    Ok(if is_code {
        let item = fragment.map(str::to_owned);
        Target::Code { path, item }
    } else if path.starts_with(CHAPTERS) {
        Target::Guide
    } else {
        Target::OutsideGuide(path)
    })
}

/// `relative` from `folder`, without `..`; nothing if that leads above the root.
fn join(folder: &Path, relative: &str) -> Option<PathBuf> {
    let mut joined = folder.to_path_buf();
    for component in Path::new(relative).components() {
        match component {
            Component::ParentDir => joined.pop().then_some(())?,
            Component::Normal(name) => joined.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

    fn follow(destination: &str) -> Result<Target, String> {
        let page = Page {
            path: Path::new(CHAPTERS).join("chapter.md"),
            text: String::new(),
        };
        resolve(Path::new(REPOSITORY), &page, destination)
    }

    #[test]
    fn links_lead_to_chapters_code_and_the_web() {
        assert_eq!(follow("SUMMARY.md"), Ok(Target::Guide));
        assert_eq!(follow("https://example.org"), Ok(Target::Web));
        let readme = Target::OutsideGuide("README.md".into());
        assert_eq!(follow("../../../README.md#the-program"), Ok(readme));
        let forward = Target::Code {
            path: "crates/kernels/src/reference/lstm.rs".into(),
            item: Some("forward".into()),
        };
        let link = "../../../crates/kernels/src/reference/lstm.rs#forward";
        assert_eq!(follow(link), Ok(forward));
    }

    #[test]
    fn broken_links_say_what_is_missing() {
        for (link, reason) in [
            ("no.md", "there is no docs/guide/src/no.md"),
            ("../../../../x", "../../../../x leads out of the repository"),
            ("/etc/hosts", "/etc/hosts leads out of the repository"),
            (
                "../../../README.md#no-such",
                "README.md has no heading no-such",
            ),
            (
                "../../../crates/kernels/src/reference/lstm.rs#backwards",
                "crates/kernels/src/reference/lstm.rs has no item backwards",
            ),
        ] {
            assert_eq!(follow(link).unwrap_err(), reason);
        }
    }
}
