//! `gatefold explain`

use std::io::{IsTerminal, Read, stdin};

use anyhow::{Context, Result, anyhow, ensure};
use gatefold::memory::ensure_answers_fit;
use gatefold::run_folder::RunFolder;
use gatefold::terminal::within_line;
use gatefold::{device, files, pretraining, say};
use gatefold_data::Content;
use gatefold_lesson::explanation::{Explanation, Word, explain, explainable};
use gatefold_training::Predictor;
use itertools::Itertools;

use crate::cli::ExplainArgs;
use crate::output::{self, End, Format};

/// Characters that a probability of 1 fills.
const BAR: usize = 20;
/// Words named a side.
const NAMED: usize = 5;
/// Bytes of a text on standard input.
const LONGEST: u64 = 1 << 20;

pub fn run(args: ExplainArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let bundle = folder.bundle()?;
    pretraining::ensure_answers(&bundle.config, &args.run)?;
    let text = one_text(args.text)?;
    // Every beginning of the text is an example, half as long as the text on average.
    let examples = bundle.config.input.max_length.div_ceil(2);
    let (selected, device) =
        device::open_for_answers(args.device.device, &bundle.config, examples)?;
    let predictor = Predictor::new(bundle, &device)?;
    explainable(&predictor)?;
    let whole = predictor.encode(&Content::Text(text.clone()))?;
    // As many beginnings as tokens.
    let beginnings = std::iter::repeat_n(&whole, whole.len());
    ensure_answers_fit(predictor.config(), beginnings, &selected)?;
    let explanation = explain(&predictor, &text)?;
    if explanation.is_partial {
        say!(
            "this shows the network alone: the n-grams beside it, which predict blends with it, have no part in it"
        );
    }
    if let Some(note) = explanation.cut_note() {
        say!("{note}");
    }
    let vocabulary = predictor.encoder().vocabulary();
    let unknown = vocabulary.map(|words| words.unknown(&text));
    if let Some(warning) = unknown.and_then(|unknown| unknown.warning()) {
        say!("warning: {warning}");
    }
    if let Some(path) = args.html {
        files::write_output(&path, explanation.page()?.as_bytes())?;
        say!("the page is {}", path.display());
    }
    match args.format.format {
        Format::Json => explanation.words.iter().try_for_each(output::json),
        Format::Text => show(&explanation),
    }
}

/// The text of the arguments: words that nobody quoted are one. Without any, that of standard input.
fn one_text(arguments: Vec<String>) -> Result<String> {
    let is_text = |argument: &String| argument.contains(char::is_whitespace);
    if arguments.len() > 1 && arguments.iter().any(is_text) {
        let count = arguments.len();
        return Err(End::Misused(anyhow!(
            "explain takes one text, and was given {count}; put quotes around all of it"
        ))
        .into());
    }
    if !arguments.is_empty() {
        return Ok(arguments.join(" "));
    }
    if stdin().is_terminal() {
        say!("the text; Ctrl-D on a line of its own ends it");
    }
    let mut text = Vec::new();
    let mut input = stdin().lock().take(LONGEST + 1);
    input
        .read_to_end(&mut text)
        .context("cannot read standard input")?;
    ensure!(
        text.len() as u64 <= LONGEST,
        "standard input has more than {LONGEST} bytes; explain takes one text"
    );
    Ok(String::from_utf8_lossy(&text).trim_end().into())
}

fn show(explanation: &Explanation) -> Result<()> {
    let mut header = vec!["word", "", "probability", "change"];
    let gates = explanation.words.iter().flat_map(|word| &word.gates);
    header.extend(gates.map(|(name, _)| *name).unique());
    let rows = explanation.words.iter().map(row).collect();
    // The bar, which says what the number says; then gates.
    let first_to_go: Vec<usize> = [1].into_iter().chain((4..header.len()).rev()).collect();
    output::fitting_table(&header, rows, 2, &first_to_go)?;
    let label = within_line(&explanation.label);
    for (side, words) in [
        (format!("toward {label}"), explanation.most_toward(NAMED)),
        (
            within_line(&explanation.away()).into_owned(),
            explanation.most_away(NAMED),
        ),
    ] {
        let words = words
            .iter()
            .map(|(word, change)| format!("{} {change:+.2}", word.marked()))
            .join(", ");
        let words = if words.is_empty() { "none" } else { &words };
        output::line(&format!("words {side}: {words}"))?;
    }
    output::line(&format!(
        "probability: of {label}, had the text ended there; change: of its log-odds; gates: means over units",
    ))
}

fn row(word: &Word) -> Vec<String> {
    let mut row = vec![
        word.marked(),
        bar(word.probability),
        format!("{:.4}", word.probability),
        word.change
            .map_or(String::new(), |change| format!("{change:+.2}")),
    ];
    row.extend(word.gates.iter().map(|(_, mean)| format!("{mean:.2}")));
    row
}

/// A bar of eighths of a character, padded to its full width.
fn bar(share: f64) -> String {
    const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (share * (8 * BAR) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8 - 1]);
    }
    format!("{bar:BAR$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_quotes_are_one_text() {
        let text = |arguments: &[&str]| one_text(arguments.iter().map(|a| a.to_string()).collect());
        assert_eq!(text(&["not", "once", "dull"]).unwrap(), "not once dull");
        assert_eq!(text(&["Not once dull."]).unwrap(), "Not once dull.");
        let error = text(&["not once", "dull"]).unwrap_err();
        assert!(
            error.is::<End>() && error.to_string().contains("given 2"),
            "{error}"
        );
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        for (share, blocks, last) in [
            (0.0, 0, ' '),
            (0.5, 10, ' '),
            (1.0, 20, '█'),
            (0.006, 0, ' '),
        ] {
            let bar = bar(share);
            assert_eq!(bar.chars().count(), BAR, "{share}");
            assert_eq!(bar.matches('█').count(), blocks, "{share}");
            assert!(bar.ends_with(last), "{share}");
        }
        assert!(bar(0.03).starts_with('▋'), "5 eighths");
    }
}
