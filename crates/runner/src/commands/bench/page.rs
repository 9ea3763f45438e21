//! A page of measurements to send in.

use std::env;

use gatefold::terminal::quoted;
use itertools::Itertools;

use super::report::{Report, legends};

/// The page, in Markdown.
pub fn render(reports: &[Report]) -> String {
    // Without the path that the program was called by.
    let command = env::args().skip(1).map(quoted).join(" ");
    format!(
        "# Gatefold {} on {} {}\n\n`gatefold {command}`\n\n{}\n\n{}",
        env!("CARGO_PKG_VERSION"),
        env::consts::OS,
        env::consts::ARCH,
        legends(reports),
        reports.iter().map(Report::markdown).join("\n")
    )
}
