//! What a test found beside loss and accuracy.

use gatefold_data::printable;
use gatefold_training::Scores;
use gatefold_training::scores::{Calibration, ClassMeans, ClassScores, Mistake, Roc};
use minijinja::{Value, context};

use super::page::{Table, figures, render, table};
use super::plots::{Line, Plot, Scale};
use super::{RunSection, colors, grouped, percent};
use crate::error::Result;

/// Classes that a table lists.
const CLASSES: usize = 30;
/// Classes of a confusion matrix that is shown.
const MATRIX: usize = 20;
/// Of a full cell's tint, in percent: numbers must stay readable on it.
const DEEPEST: f64 = 55.0;

/// The part of a page that shows it; `None` where answers name no classes.
pub(super) fn part(section: &RunSection) -> Result<Option<Value>> {
    let Some(Scores::Classes(scores)) = &section.scores else {
        return Ok(None);
    };
    let color = colors(std::slice::from_ref(section))[0];
    let noun = section.config.dataset.noun();
    let mut plots: Vec<Plot> = Vec::new();
    plots.extend(scores.roc.as_ref().map(|roc| roc_plot(roc, scores, color)));
    plots.push(calibration_plot(&scores.calibration, color));
    let part = render(
        "scores.html",
        context! {
            beside => beside(scores),
            noun,
            classes => table(classes(scores, noun))?,
            matrix => matrix(scores, noun),
            confused => confused(scores).map(table).transpose()?,
            figures => figures(plots)?,
            mistakes => scores.worst_mistakes.iter().map(mistake).collect::<Vec<_>>(),
            quoted => match scores.worst_mistakes.iter().any(|mistake| mistake.text.is_some()) {
                true => format!(
                    "Of each text the beginning is shown; the network reads the last {} words or characters.",
                    grouped(section.config.input.max_length)
                ),
                false => String::new(),
            },
        },
    );
    part.map(Some)
}

fn beside(scores: &ClassScores) -> String {
    scores
        .largest_class()
        .map_or(String::new(), |(class, share)| {
            format!(
                "Whoever always answers “{}”, the most frequent class, is right in {}.",
                printable(&class.label),
                percent(share)
            )
        })
}

fn classes(scores: &ClassScores, noun: &str) -> Table {
    let mut classes: Vec<_> = scores.classes.iter().collect();
    let mut caption = "Every class of the test part".to_owned();
    if classes.len() > CLASSES {
        classes.retain(|class| class.support > 0);
        classes.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        classes.truncate(CLASSES);
        caption = format!(
            "Of {} classes the {} with the lowest F1; evaluation.json has all",
            grouped(scores.classes.len()),
            classes.len()
        );
    }
    let share = |share: f64| format!("{share:.4}");
    let mut rows: Vec<Vec<String>> = classes
        .into_iter()
        .map(|class| {
            vec![
                printable(&class.label).into_owned(),
                share(class.precision),
                share(class.recall),
                share(class.f1),
                grouped(class.support),
            ]
        })
        .collect();
    let means = |name: &str, means: ClassMeans| {
        vec![
            name.to_owned(),
            share(means.precision),
            share(means.recall),
            share(means.f1),
            String::new(),
        ]
    };
    rows.push(means("macro mean", scores.macro_mean));
    rows.push(means("weighted mean", scores.weighted_mean));
    Table {
        caption,
        header: ["class", "precision", "recall", "F1", noun]
            .map(String::from)
            .to_vec(),
        rows,
    }
}

fn matrix(scores: &ClassScores, noun: &str) -> Option<Value> {
    let matrix = scores.confusion.matrix.as_ref();
    let matrix = matrix.filter(|matrix| matrix.len() <= MATRIX)?;
    let names = scores.classes.iter();
    let names = names.map(|class| printable(&class.label).into_owned());
    let names: Vec<String> = names.collect();
    let rows = names.iter().zip(matrix).map(|(name, row)| {
        let all = row.iter().sum::<usize>().max(1);
        let cells = row.iter().map(|&count| {
            let tint = format!("{:.0}", DEEPEST * count as f64 / all as f64);
            context! { count => grouped(count), tint }
        });
        context! { name, cells => cells.collect::<Vec<_>>() }
    });
    let rows: Vec<_> = rows.collect();
    Some(context! {
        caption => format!(
            "Which class is taken for which: {noun} of a class in its row, by the answer; the stronger the tint, the \
             larger the share of the row"
        ),
        names,
        rows,
    })
}

/// Where there are too many classes for a matrix.
fn confused(scores: &ClassScores) -> Option<Table> {
    let confused = &scores.confusion.most_frequent;
    (scores.classes.len() > MATRIX && !confused.is_empty()).then(|| Table {
        caption: "The most frequent confusions".into(),
        header: ["class", "answered with", "times"]
            .map(String::from)
            .to_vec(),
        rows: confused
            .iter()
            .map(|confused| {
                vec![
                    printable(&confused.label).into_owned(),
                    printable(&confused.answer).into_owned(),
                    grouped(confused.count),
                ]
            })
            .collect(),
    })
}

fn roc_plot(roc: &Roc, scores: &ClassScores, color: &'static str) -> Plot {
    let [first, second] = [0, 1].map(|class| printable(&scores.classes[class].label));
    Plot {
        title: format!("Receiver operating characteristic, area {:.4}", roc.area),
        note: format!(
            "How many of “{second}” are found, for how many of “{first}” are taken for it, as the probability from \
             which on the answer is “{second}” falls. The area is the probability that a random one of “{second}” is \
             ranked before a random one of “{first}”: 1 is perfect, a half is chance."
        ),
        x: "share of the first class taken for the second",
        names: Vec::new(),
        y: ("share of the second found", Scale::Shares),
        lines: vec![
            diagonal("chance"),
            line("the network", color, roc.points.clone()),
        ],
    }
}

fn calibration_plot(calibration: &Calibration, color: &'static str) -> Plot {
    let bins = calibration.bins.iter();
    let points = bins.map(|bin| (bin.probability, bin.accuracy)).collect();
    Plot {
        title: format!(
            "Calibration, expected error {:.4}",
            calibration.expected_error
        ),
        note: "How often answers are right, beside the probability that they are given with, in ten bins of it. On the \
               diagonal probabilities are what they say; below it the network is surer than it should be. The expected \
               error is the mean distance from the diagonal."
            .into(),
        x: "probability of the answer",
        names: Vec::new(),
        y: ("share of right answers", Scale::Shares),
        lines: vec![diagonal("as they say"), line("the network", color, points)],
    }
}

fn diagonal(name: &str) -> Line {
    Line {
        name: name.into(),
        color: "var(--quiet)",
        dashed: true,
        points: vec![(0.0, 0.0), (1.0, 1.0)],
    }
}

fn line(name: &str, color: &'static str, points: Vec<(f64, f64)>) -> Line {
    Line {
        name: name.into(),
        color,
        dashed: false,
        points,
    }
}

fn mistake(mistake: &Mistake) -> Value {
    let place = match (&mistake.text, mistake.step) {
        (Some(text), _) => format!("“{}”", printable(text)),
        (None, Some(step)) => format!("Example {}, timestep {}", mistake.example + 1, step + 1),
        (None, None) => format!("Example {}", mistake.example + 1),
    };
    context! {
        place,
        answer => printable(&mistake.answer),
        label => printable(&mistake.label),
        probability => format!("{:.4}", mistake.probability),
    }
}
