//! Scores as text for a terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use gatefold::terminal::{columns, shortened, within_line};
use gatefold_lesson::report::rounded;
use gatefold_training::forecast::{ColumnScores, Errors};
use gatefold_training::ngrams::NgramSummary;
use gatefold_training::scores::{ClassMeans, ClassScore, ClassScores, Mistake};
use gatefold_training::{Evaluation, ForecastScores};

use crate::output::{accuracy, render_table};

/// Classes of which each has its row; of more, those with the lowest F1.
const ALL_CLASSES: usize = 20;
const WORST_CLASSES: usize = 10;
/// Classes of a confusion matrix that a terminal is wide enough for.
const MATRIX: usize = 10;
/// Confusions and mistakes listed.
const LISTED: usize = 5;
/// Characters of a label in a table.
const LABEL: usize = 14;

/// Loss and accuracy.
pub fn line(evaluation: &Evaluation) -> String {
    format!(
        "loss {:.4}{}",
        evaluation.loss,
        accuracy(evaluation.accuracy)
    )
}

/// What a network and the n-grams beside it answer alone, and how they are blended.
pub fn parts(ngrams: &NgramSummary) -> [String; 2] {
    let share = |part: &Evaluation| part.accuracy.unwrap_or_default();
    let (test, blend) = (&ngrams.test, &ngrams.blend);
    [
        format!(
            "  (both together; the network alone: {:.4}; n-grams alone: {:.4}, {} of them, in {:.1} s)",
            share(&test.network),
            share(&test.ngrams),
            ngrams.features,
            ngrams.seconds
        ),
        format!(
            "  (logits: {:.3} · the network's + {:.3} · the n-grams'; validation accuracy {:.4} of both, {:.4} and {:.4} alone)",
            blend.network,
            blend.ngrams,
            share(&ngrams.validation.both),
            share(&ngrams.validation.network),
            share(&ngrams.validation.ngrams),
        ),
    ]
}

/// Errors of forecasts in the unit of the data, a line a column, and warnings of those where a forecast without a network
/// is as good or better.
pub fn forecast(scores: &ForecastScores) -> (Vec<String>, Vec<String>) {
    let line = |column: &ColumnScores| {
        let errors =
            |errors: &Errors| format!("{} and {}", rounded(errors.mae), rounded(errors.rmse));
        format!(
            "`{}`: mean absolute error and root mean square error {}; of the last value {}, of the window's mean {}",
            within_line(&column.column),
            errors(&column.network),
            errors(&column.last_value),
            errors(&column.window_mean)
        )
    };
    let warning = |column: &ColumnScores| {
        format!(
            "of `{}`, {} is as good a forecast as the network's, or better; try more epochs, a longer window, or a higher \
             learning rate",
            within_line(&column.column),
            column.baseline().0
        )
    };
    let worse = scores
        .columns
        .iter()
        .filter(|column| !column.beats_baselines());
    (
        scores.columns.iter().map(line).collect(),
        worse.map(warning).collect(),
    )
}

/// What to hold the accuracy against: that of whoever always answers the largest class, and the macro F1.
pub fn beside_accuracy(scores: &ClassScores) -> String {
    let always = scores
        .largest_class()
        .map_or(String::new(), |(class, share)| {
            let label = short(&class.label, 40);
            format!("always answering `{label}` has accuracy {share:.4}; ")
        });
    format!("{always}macro F1 {:.4}", scores.macro_mean.f1)
}

/// All that there is room for, each part with its line end but the last; on a terminal, `width` columns of it.
pub fn text(scores: &ClassScores, width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    let mut parts = vec![classes(scores)];
    if let Some(roc) = &scores.roc {
        parts.push(format!("area under the ROC curve {:.4}", roc.area));
    }
    parts.push(format!(
        "expected calibration error {:.4}",
        scores.calibration.expected_error
    ));
    parts.extend(confusion(scores, width));
    let mistakes = scores.worst_mistakes.iter().take(LISTED);
    let mistakes: Vec<_> = mistakes.map(|wrong| mistake(wrong, width)).collect();
    if !mistakes.is_empty() {
        parts.push(format!(
            "wrong answers of the highest probability:\n{}",
            mistakes.join("\n")
        ));
    }
    parts.join("\n")
}

fn classes(scores: &ClassScores) -> String {
    let mut classes: Vec<&ClassScore> = scores.classes.iter().collect();
    let all = classes.len();
    let mut above = String::new();
    if all > ALL_CLASSES {
        classes.retain(|class| class.support > 0);
        classes.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        classes.truncate(WORST_CLASSES);
        above = format!(
            "of {all} classes the {} with the lowest F1; --format json has all\n",
            classes.len()
        );
    }
    let mut rows: Vec<_> = classes
        .into_iter()
        .map(|class| {
            let means = ClassMeans {
                precision: class.precision,
                recall: class.recall,
                f1: class.f1,
            };
            row(short(&class.label, 40), means, class.support.to_string())
        })
        .collect();
    for (name, means) in [
        ("macro mean", scores.macro_mean),
        ("weighted mean", scores.weighted_mean),
    ] {
        rows.push(row(name.into(), means, String::new()));
    }
    let header = ["class", "precision", "recall", "F1", "examples"];
    above + &render_table(&header, rows, 1, UTF8_FULL_CONDENSED)
}

fn row(name: String, means: ClassMeans, support: String) -> Vec<String> {
    let share = |share: f64| format!("{share:.4}");
    vec![
        name,
        share(means.precision),
        share(means.recall),
        share(means.f1),
        support,
    ]
}

/// The matrix, or the most frequent confusions where it is wider than the terminal.
fn confusion(scores: &ClassScores, width: usize) -> Option<String> {
    let names = scores
        .classes
        .iter()
        .map(|class| short(&class.label, LABEL));
    let names: Vec<String> = names.collect();
    let confusion = &scores.confusion;
    if let Some(matrix) = confusion.matrix.as_ref().filter(|_| names.len() <= MATRIX) {
        let mut header = vec!["class \\ answer"];
        header.extend(names.iter().map(String::as_str));
        let rows = names.iter().zip(matrix).map(|(name, row)| {
            let counts = row.iter().map(usize::to_string);
            std::iter::once(name.clone()).chain(counts).collect()
        });
        let matrix = render_table(&header, rows.collect(), 1, UTF8_FULL_CONDENSED);
        if matrix.lines().all(|line| columns(line) <= width) {
            return Some(matrix);
        }
    }
    let listed = confusion.most_frequent.iter().take(LISTED).map(|confused| {
        let [label, answer] = [&confused.label, &confused.answer].map(|name| short(name, 40));
        let line = format!("  `{label}` answered with `{answer}`: {}", confused.count);
        shortened(&line, width).into_owned()
    });
    let listed: Vec<_> = listed.collect();
    (!listed.is_empty()).then(|| format!("the most frequent confusions:\n{}", listed.join("\n")))
}

/// In one line of the terminal, of which the text has what the labels leave, but this many columns at least.
const LEAST: usize = 16;

fn mistake(mistake: &Mistake, width: usize) -> String {
    let [answer, label] = [&mistake.answer, &mistake.label].map(|name| short(name, 40));
    let answer = format!(
        "  `{answer}` with {:.4}, but it is `{label}`: ",
        mistake.probability
    );
    let place = match (&mistake.text, mistake.step) {
        (Some(text), _) => {
            let room = width.saturating_sub(columns(&answer) + 2).max(LEAST);
            format!("\"{}\"", shortened(&short(text, 60), room))
        }
        (None, Some(step)) => format!("example {}, timestep {}", mistake.example + 1, step + 1),
        (None, None) => format!("example {}", mistake.example + 1),
    };
    shortened(&(answer + &place), width).into_owned()
}

/// A name or text from a file, in at most `most` characters.
fn short(text: &str, most: usize) -> String {
    let text = within_line(text);
    match text.char_indices().nth(most - 1) {
        Some((end, last)) if end + last.len_utf8() < text.len() => format!("{}…", &text[..end]),
        _ => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_fits_its_terminal() {
        let wrong = Mistake {
            example: 0,
            step: None,
            answer: "complaint".into(),
            label: "question".into(),
            probability: 0.9876,
            text: Some(
                "Where is it, and when does it come, I have been asking for weeks now".into(),
            ),
        };
        let whole = mistake(&wrong, usize::MAX);
        assert!(whole.contains("asking for …"), "{whole}");
        let cut = mistake(&wrong, 80);
        assert_eq!(columns(&cut), 80, "{cut}");
        assert!(cut.contains("it is `question`: \"Where is it"), "{cut}");
        assert_eq!(columns(&mistake(&wrong, 30)), 30);
    }

    #[test]
    fn names_are_cut_between_characters_and_steer_nothing() {
        assert_eq!(short("schön", 5), "schön");
        assert_eq!(short("schönes", 5), "schö…");
        assert_eq!(short("\u{1b}[31m", 40), "\\u{1b}[31m");
    }
}
