//! The page of an explanation.

use gatefold_data::printable;
use minijinja::{Value, context};

use super::{Explanation, START, Word};
use crate::error::Result;
use crate::report::page::{self, Table, figures, render, table};
use crate::report::plots::{Line, Plot, Scale};

/// Words listed a side.
const LISTED: usize = 5;
/// Of the strongest word's tint, in percent: text must stay readable on it.
const DEEPEST: f64 = 55.0;
/// Words of a text whose numbers are shown at once.
const FEW: usize = 60;

pub(super) fn page(explanation: &Explanation) -> Result<String> {
    let page = page::page("What the network did, word by word", body(explanation)?)?;
    Ok(printable(&page).into_owned())
}

pub(super) fn part(explanation: &Explanation) -> Result<String> {
    let part = body(explanation)?.to_string();
    Ok(printable(&part).into_owned())
}

fn body(explanation: &Explanation) -> Result<Value> {
    let words = &explanation.words;
    let last = words.last().map_or(0.5, |word| word.probability);
    let label = &explanation.label;
    let answer = match &explanation.other {
        Some(other) if last <= 0.5 => other,
        _ => label,
    };
    let toward = format!("toward {label}");
    let away = explanation.away();
    render(
        "explanation.html",
        context! {
            lead => format!(
                "The network’s answer: {answer}, with a probability of {last:.4} of {label}.{}",
                match explanation.is_partial {
                    true => " The n-grams beside it, which the run’s own answer is blended with, have no part in this.",
                    false => "",
                }
            ),
            cut => explanation.cut_note(),
            words => tinted(words),
            after => spaced(&explanation.after),
            strongest => strongest(explanation),
            few => words.len() <= FEW,
            up => table(movers(&toward, explanation.most_toward(LISTED)))?,
            down => table(movers(&away, explanation.most_away(LISTED)))?,
            toward,
            away,
            figures => figures(plots(words, label))?,
            numbers => table(numbers(words))?,
        },
    )
}

fn tinted(words: &[Word]) -> Value {
    let strongest = words.iter().filter_map(|word| word.change);
    let strongest = strongest.fold(0.0, |most: f64, change| most.max(change.abs()));
    let first = |place: usize| place == 1 && words[0].word == START;
    words
        .iter()
        .enumerate()
        .map(|(place, word)| {
            let change = word.change.filter(|change| *change != 0.0);
            let share = change.map(|change| change.abs() / strongest);
            context! {
                written => &word.written,
                before => match first(place) {
                    true => format!(" {}", spaced(&word.before)),
                    false => spaced(&word.before),
                },
                start => place == 0 && word.word == START,
                unknown => !word.known,
                direction => match change {
                    Some(change) if change > 0.0 => " up",
                    Some(_) => " down",
                    None => "",
                },
                tint => share.map(|share| (DEEPEST * share).round() as u32),
                title => format!(
                    "{}: log-odds {}, probability {:.4}{}",
                    word.word,
                    word.change.map_or("not known".into(), |change| format!("{change:+.3}")),
                    word.probability,
                    if word.known { "" } else { ", not in the vocabulary" },
                ),
            }
        })
        .collect()
}

/// Text between words, in which every white space but the end of a line is a space.
fn spaced(text: &str) -> String {
    let space = |c: char| c.is_whitespace() && c != '\n';
    text.replace(space, " ")
}

/// What the word did that moved the answer most.
fn strongest(explanation: &Explanation) -> Option<String> {
    let (word, before, with) = explanation.strongest_word()?;
    Some(format!(
        "Here “{}” changed the answer most: with it the probability of {} went from {before:.4} to {with:.4}.",
        word.written, explanation.label
    ))
}

fn movers(caption: &str, words: Vec<(&Word, f64)>) -> Table {
    Table {
        caption: sentence(caption),
        header: vec!["word".into(), "log-odds".into()],
        rows: words
            .into_iter()
            .map(|(word, change)| vec![word.marked(), format!("{change:+.3}")])
            .collect(),
    }
}

/// A caption with a capital letter.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

fn plots(words: &[Word], label: &str) -> Vec<Plot> {
    let names: Vec<String> = words.iter().map(|word| word.word.clone()).collect();
    let line = |name: &str, color, value: &dyn Fn(&Word) -> f64| Line {
        name: name.into(),
        color,
        dashed: false,
        points: words
            .iter()
            .enumerate()
            .map(|(place, word)| (place as f64, value(word)))
            .collect(),
    };
    let mut plots = vec![Plot {
        title: format!("Probability of {label} after each word"),
        note: "What the network would have answered, had the text ended at this word. Above the dashed line at a \
               half it is likelier than all other answers together."
            .into(),
        x: "",
        names: names.clone(),
        y: ("probability", Scale::Share),
        lines: vec![line("probability", "var(--line-2)", &|word| word.probability)],
    }];
    let gates = words.first().map_or(&[][..], |word| &word.gates);
    let colors = ["var(--line-2)", "var(--line-1)", "var(--line-3)"];
    let lines: Vec<Line> = gates
        .iter()
        .zip(colors)
        .enumerate()
        .map(|(gate, ((name, _), color))| {
            let sum: f64 = words.iter().map(|word| word.gates[gate].1).sum();
            let mean = sum / words.len() as f64;
            line(&format!("{name}, mean {mean:.2}"), color, &|word| {
                word.gates[gate].1 - mean
            })
        })
        .collect();
    if !lines.is_empty() {
        plots.push(Plot {
            title: "Gates at each word, beside their mean over the text".into(),
            note: gates_note(gates),
            x: "",
            names,
            y: ("more or less open", Scale::Difference),
            lines,
        });
    }
    plots
}

fn gates_note(gates: &[(&str, f64)]) -> String {
    let has = |name| gates.iter().any(|gate| gate.0 == name);
    let meaning = if has("forget") {
        "The forget gate near 1 keeps the cell state, near 0 drops it; the input gate lets the word into the cell \
         state, the output gate lets the cell state out into the hidden state."
    } else if !has("reset") {
        "The update gate near 0 keeps the old state, near 1 takes the new one."
    } else {
        "The update gate near 1 keeps the old state, near 0 takes the new one; the reset gate says how much of the \
         old state goes into the new one."
    };
    format!(
        "A gate stands open from 0 to 1. Shown is how much further the gates of the last recurrent layer open (above 0) \
         or close (below 0) at a word than on average over this text, as a mean over the layer’s units. {meaning}"
    )
}

fn numbers(words: &[Word]) -> Table {
    let mut header: Vec<String> = ["word", "probability", "log-odds"]
        .map(String::from)
        .to_vec();
    let gates = words.first().map_or(&[][..], |word| &word.gates);
    header.extend(gates.iter().map(|(name, _)| format!("{name} gate")));
    Table {
        caption: "Probability after each word, what it changed, and the gates’ means".into(),
        header,
        rows: words
            .iter()
            .map(|word| {
                let change = word
                    .change
                    .map_or("–".into(), |change| format!("{change:+.3}"));
                let mut row = vec![word.marked(), format!("{:.4}", word.probability), change];
                row.extend(word.gates.iter().map(|(_, mean)| format!("{mean:.3}")));
                row
            })
            .collect(),
    }
}
