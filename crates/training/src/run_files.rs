//! The files of a run beside those of its [bundle](crate::bundle), and what they hold.

use serde::Serialize;

use crate::metrics::EpochMetrics;

/// The metrics of all epochs, a JSON object a line.
pub const METRICS: &str = "metrics.jsonl";
/// The [summary](crate::RunSummary) of a run that is done, as JSON.
pub const SUMMARY: &str = "summary.json";
/// What [its test](crate::TestResult) found, as JSON.
pub const EVALUATION: &str = "evaluation.json";
/// A page for people.
pub const REPORT: &str = "report.html";
/// What tells the examples that were [trained and validated on](crate::Seen).
pub const SEEN: &str = "seen.bin";

/// What [`METRICS`] holds.
pub fn metrics(epochs: &[EpochMetrics]) -> Vec<u8> {
    let line = |epoch| serde_json::to_vec(epoch).expect(WRITABLE);
    let lines = epochs.iter().map(line);
    lines
        .flat_map(|line| [line, vec![b'\n']].concat())
        .collect()
}

/// What [`SUMMARY`] or [`EVALUATION`] holds.
pub fn json(content: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(content).expect(WRITABLE);
    text.push(b'\n');
    text
}

const WRITABLE: &str = "numbers and texts can be written as JSON";
