//! What a run or a comparison of runs shows people: one page of HTML that loads nothing and runs nothing, with
//! its plots in it, for light and dark screens.

mod forecast;
mod learning;
pub(crate) mod page;
pub(crate) mod plots;
mod reach;
mod scores;
mod tasks;

use burn::tensor::Device;
use gatefold_data::EncodedDataset;
use gatefold_model::{Cell, Network};
use gatefold_training::config::Keep;
use gatefold_training::forecast::Stretch;
use gatefold_training::{ConfigError, EpochMetrics, RunConfig, RunSummary, Scores};
use itertools::Itertools;
use minijinja::{Value, context};

pub use self::forecast::rounded;
pub use self::learning::{Point, learning_part};
use self::page::{Table, figures, page, render, table, tables};
use self::plots::{Line, Plot, Scale};
use crate::comparison::{SeedGroup, by_network, verdicts};
use crate::error::Result;
use crate::gradient_reach::{gradient_reach, joined, measured_layer};
use crate::memory_tasks::TaskResult;

/// One trained network of a report.
#[derive(Clone, Debug)]
pub struct RunSection {
    /// What the page calls it: its cell, or its run's folder.
    pub name: String,
    /// All its settings.
    pub config: RunConfig,
    /// Its epochs, the first one first.
    pub epochs: Vec<EpochMetrics>,
    /// Its result.
    pub summary: RunSummary,
    /// What else its test found, if anything.
    pub scores: Option<Scores>,
    /// How far back its gradient reached, for each length before and after training.
    pub reach: Vec<ReachCurve>,
    /// Of a network that forecasts, what it forecast of the test part's beginning.
    pub forecast: Option<Stretch>,
}

/// Timesteps of the sequences that the gradient's reach is measured on, and how many sequences.
const REACH_LENGTHS: [usize; 3] = [50, 200, 500];
const REACH_ROWS: usize = 32;

/// How far back the gradient reaches in the network of `config` before and after training, measured on `device` with
/// the validation part of `data`; empty where it can't be: only of one layer in one direction that answers from its
/// last state.
///
/// # Errors
/// If the device fails, or a gradient is not finite.
pub fn reach(
    config: &RunConfig,
    trained: &Network,
    data: &EncodedDataset,
    device: &Device,
) -> Result<Vec<ReachCurve>> {
    let mut reach = Vec::new();
    if measured_layer(trained).is_none() {
        return Ok(reach);
    }
    let first = config.model.init(config.training.seed, device);
    let first = first.map_err(ConfigError::from)?;
    for (network, trained) in [(&first, false), (trained, true)] {
        for length in REACH_LENGTHS {
            let batch = joined(&data.validation, length, REACH_ROWS);
            let norms = gradient_reach(network, config.objective(), &batch, device)?;
            reach.push(ReachCurve {
                length,
                trained,
                norms,
            });
        }
    }
    Ok(reach)
}

/// How far back the gradient reaches in sequences of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct ReachCurve {
    /// Timesteps, T.
    pub length: usize,
    /// Whether after training, or before.
    pub trained: bool,
    /// ‖dLoss/dh_t‖ of every timestep, first to last, `[T]`.
    pub norms: Vec<f64>,
}

/// How well a network did in a memory task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRow {
    /// The task's name.
    pub task: String,
    /// Timesteps.
    pub length: usize,
    /// The network's cell.
    pub cell: String,
    /// On sequences that it was not trained on, in `unit`; NaN if the training diverged.
    pub score: f64,
    /// What an answer without memory scores.
    pub chance: f64,
    /// `accuracy` or `mean squared error`.
    pub unit: String,
    /// Whether the score counts as solved.
    pub solved: bool,
}

impl From<&TaskResult> for TaskRow {
    fn from(result: &TaskResult) -> Self {
        Self {
            task: result.task.to_string(),
            length: result.length,
            cell: result.cell.to_string(),
            score: result.score,
            chance: result.chance,
            unit: result.measure().into(),
            solved: result.solved,
        }
    }
}

/// The style of all pages, in CSS.
pub const STYLE: &str = include_str!("report/style.css");

/// The page of one run.
///
/// # Errors
/// If the configuration can't be written as TOML.
pub fn run_page(section: &RunSection) -> Result<String> {
    page(&format!("Run {}", section.name), run_body(section)?)
}

/// What [`run_page`] has between its title and its end, for a page of that [style](STYLE).
///
/// # Errors
/// As [`run_page`].
pub fn run_part(section: &RunSection) -> Result<String> {
    Ok(run_body(section)?.to_string())
}

fn run_body(section: &RunSection) -> Result<Value> {
    let RunSection {
        config,
        epochs,
        summary,
        ..
    } = section;
    let sections = std::slice::from_ref(section);
    let color = colors(sections)[0];
    let curve = |name: &str, dashed, value: fn(&EpochMetrics) -> Option<f64>| {
        curve(name.into(), color, dashed, epochs, value)
    };
    let noun = config.dataset.noun();
    let loss = config.objective().loss_name();
    let mut curves = vec![Plot {
        title: "Loss by epoch".into(),
        note: format!(
            "Mean {loss}: lower is better. Training is measured while the network learns, validation on {noun} \
                 that it never learns from. Where validation rises while training falls, the network learns its \
                 training {noun} by heart."
        ),
        x: "epoch",
        names: Vec::new(),
        y: ("loss", Scale::Linear),
        lines: vec![
            curve("training", true, |epoch| Some(epoch.train_loss)),
            curve("validation", false, |epoch| Some(epoch.validation_loss)),
        ],
    }];
    if summary.test_accuracy.is_some() {
        curves.push(Plot {
            title: "Accuracy by epoch".into(),
            note: format!(
                "The share of {noun} answered rightly: higher is better. Whoever always answers the most frequent \
                 class gets its share, half where both of two are as frequent."
            ),
            x: "epoch",
            names: Vec::new(),
            y: ("accuracy", Scale::Linear),
            lines: vec![
                curve("training", true, |epoch| epoch.train_accuracy),
                curve("validation", false, |epoch| epoch.validation_accuracy),
            ],
        });
    }
    curves.extend(
        section
            .forecast
            .as_ref()
            .map(|stretch| forecast::plot(stretch, color)),
    );
    let share = |share: Option<f64>| share.map(|share| format!("{share:.4}"));
    let accuracy = share(summary.test_accuracy);
    let parts = summary.ngrams.as_ref().map(|ngrams| &ngrams.test);
    let language = summary.language;
    let (tested, test_loss) = match language {
        Some(_) => ("tokens held out".into(), "loss on them"),
        None => (format!("test {noun}"), "test loss"),
    };
    let facts = [
        (
            "perplexity",
            language.map(|scores| format!("{:.2}", scores.perplexity)),
        ),
        (
            "perplexity of frequencies alone",
            language
                .and_then(|scores| scores.unigram_perplexity)
                .map(|perplexity| format!("{perplexity:.2}")),
        ),
        (
            "bits a token",
            language.and_then(|scores| Some(format!("{:.3}", scores.bits?))),
        ),
        (test_loss, Some(format!("{:.4}", summary.test_loss))),
        ("test accuracy", accuracy),
        (
            "of the network alone",
            share(parts.and_then(|parts| parts.network.accuracy)),
        ),
        (
            "of the n-grams alone",
            share(parts.and_then(|parts| parts.ngrams.accuracy)),
        ),
        ("most frequent label alone", share(summary.largest_class)),
        ("linear baseline", share(summary.baseline_accuracy)),
        (&tested, Some(grouped(summary.test_examples))),
        (
            "best epoch",
            Some(format!("{} of {}", summary.best_epoch, epochs.len())),
        ),
        (
            "trained again on",
            summary
                .refit_examples
                .map(|all| format!("all {} {noun}", grouped(all))),
        ),
        ("parameters", Some(grouped(summary.parameters))),
        (
            "time a step",
            Some(milliseconds(section.summary.milliseconds_per_step)),
        ),
        ("training time", Some(seconds(summary.training_seconds))),
        ("device", Some(summary.device.clone())),
        ("Gatefold", Some(summary.version.clone())),
    ];
    let facts = facts
        .into_iter()
        .filter_map(|(name, value)| Some(Value::from_iter([name, &value?])));
    let tested = grouped(summary.test_examples);
    let result = summary.forecast.as_ref().and_then(forecast::lead);
    let language = summary.language.map(|scores| {
        let unigram = scores.unigram_perplexity.map(|perplexity| {
            format!(", where a model of nothing but their frequencies has {perplexity:.1}")
        });
        format!(
            "a perplexity of {:.1} over {tested} tokens that it never learnt from{}",
            scores.perplexity,
            unigram.unwrap_or_default()
        )
    });
    let result = result.or(language);
    let result = result.unwrap_or_else(|| match summary.test_accuracy {
        Some(accuracy) => format!(
            "{} of {tested} test {noun} answered rightly",
            percent(accuracy)
        ),
        None => format!(
            "{loss} of {:.4} over {tested} test {noun}",
            summary.test_loss
        ),
    });
    render(
        "run.html",
        context! {
            lead => format!(
                "{} with {} units in {}, trained on {}: {result}.",
                cell_name(config.model.cell),
                config.model.hidden_size,
                match config.model.layers {
                    1 => "one layer".into(),
                    layers => format!("{layers} layers"),
                },
                config.dataset.name.as_deref().unwrap_or("reviews"),
            ),
            facts => Value::from_iter(facts),
            warnings => &summary.warnings,
            curves => figures(curves)?,
            kept => config.training.keep.best(),
            scores => scores::part(section)?,
            forecast => summary.forecast.as_ref().map(forecast::errors).transpose()?,
            reach => reach::part(sections)?,
            config => config.to_toml()?,
        },
    )
}

/// How far back the gradient reaches in networks before and after training, for a page of the reports' [style](STYLE);
/// empty where it was not measured.
///
/// # Errors
/// If a template is wrong.
pub fn reach_part(sections: &[RunSection]) -> Result<String> {
    Ok(reach::part(sections)?.map_or_else(String::new, |part| part.to_string()))
}

/// The page that sets networks side by side, with the memory tasks they were tried on, if any.
///
/// # Errors
/// If a configuration can't be written as TOML.
pub fn comparison_page(sections: &[RunSection], tasks: &[TaskRow]) -> Result<String> {
    let mut names = sections.iter().map(|section| &section.name);
    let title = format!("Comparison of {}", names.join(", "));
    page(&title, comparison_body(sections, tasks)?)
}

/// What [`comparison_page`] has between its title and its end, for a page of that [style](STYLE).
///
/// # Errors
/// As [`comparison_page`].
pub fn comparison_part(sections: &[RunSection], tasks: &[TaskRow]) -> Result<String> {
    Ok(comparison_body(sections, tasks)?.to_string())
}

fn comparison_body(sections: &[RunSection], tasks: &[TaskRow]) -> Result<Value> {
    let networks = by_network(sections);
    let all = sections;
    // Of networks with several seeds the first one is drawn; of a single network all of them.
    let first_ones: Vec<RunSection>;
    let sections = match networks.len() {
        1 => sections,
        _ => {
            first_ones = networks.iter().map(|network| network.drawn()).collect();
            &first_ones
        }
    };
    let cells = Table {
        caption: format!(
            "Of each network the epoch with {} was kept and tested. Times are means over the whole training: whatever \
             else the machine did meanwhile is in them.",
            sections
                .iter()
                .map(|section| section.config.training.keep.best())
                .unique()
                .join(" or ")
        ),
        header: [
            "network",
            "parameters",
            "test accuracy",
            "test loss",
            "best epoch",
            "time a step",
            "training time",
        ]
        .map(String::from)
        .to_vec(),
        rows: all.iter().map(cells_row).collect(),
    };
    let several = networks.len() < all.len();
    let spreads = several.then(|| spreads(&networks));
    let curves = |value: fn(&EpochMetrics) -> Option<f64>| {
        let lines = sections.iter().zip(colors(sections));
        lines
            .map(|(section, color)| {
                curve(section.name.clone(), color, false, &section.epochs, value)
            })
            .collect()
    };
    let mut names = sections.iter().map(|section| {
        let config = &section.config;
        (config.dataset.noun(), config.objective().loss_name())
    });
    let (noun, loss) = names.all_equal_value().unwrap_or(("examples", "loss"));
    let mut plots = vec![Plot {
        title: "Validation loss by epoch".into(),
        note: format!(
            "Mean {loss} over {noun} that the networks never learn from: lower is better.{}",
            match sections
                .iter()
                .all(|section| section.config.training.keep == Keep::Loss)
            {
                true => " The lowest point of a line is the epoch that was kept.",
                false => "",
            }
        ),
        x: "epoch",
        names: Vec::new(),
        y: ("loss", Scale::Linear),
        lines: curves(|epoch| Some(epoch.validation_loss)),
    }];
    if sections
        .iter()
        .any(|section| section.summary.test_accuracy.is_some())
    {
        plots.push(Plot {
            title: "Validation accuracy by epoch".into(),
            note: format!(
                "The share of these {noun} answered rightly: higher is better. A line that stays at the share of the \
                 most frequent class has learnt nothing yet."
            ),
            x: "epoch",
            names: Vec::new(),
            y: ("accuracy", Scale::Linear),
            lines: curves(|epoch| epoch.validation_accuracy),
        });
    }
    let configs: Value = sections
        .iter()
        .map(|section| Ok(context! { name => &section.name, toml => section.config.to_toml()? }))
        .collect::<Result<_>>()?;
    let mut warnings = all.iter().flat_map(|section| {
        section
            .summary
            .warnings
            .iter()
            .map(|of| (&section.name, of))
    });
    let warnings: Vec<String> = warnings
        .by_ref()
        .map(|(name, of)| format!("{name}: {of}"))
        .collect();
    render(
        "comparison.html",
        context! {
            lead => format!(
                "{} Colours stand for the same network everywhere on this page.",
                if several && networks.len() == 1 {
                    "The same network, the same data: only the seed differs."
                } else if several && only_cells_differ(sections) {
                    "The same network, the same data, the same seeds: only the recurrent cell differs. Curves are those \
                     of each network's first seed."
                } else if only_cells_differ(sections) {
                    "The same network, the same data, the same seed: only the recurrent cell differs."
                } else {
                    "Networks that differ in more than their cells; all their settings stand at the end."
                }
            ),
            cells => table(cells)?,
            spreads => spreads.map(table).transpose()?,
            verdicts => verdicts(&networks, noun),
            warnings,
            curves => figures(plots)?,
            reach => reach::part(sections)?,
            tasks => tables(tasks::tables(tasks))?,
            configs,
        },
    )
}

/// Mean and deviation of each network over its seeds.
fn spreads(networks: &[SeedGroup]) -> Table {
    let row = |network: &SeedGroup| {
        vec![
            network.name.clone(),
            network.sections.len().to_string(),
            network
                .accuracy
                .map_or("–".into(), |spread| spread.to_string()),
            network.loss.to_string(),
        ]
    };
    Table {
        caption: "Mean and standard deviation over the seeds.".into(),
        header: ["network", "seeds", "test accuracy", "test loss"]
            .map(String::from)
            .to_vec(),
        rows: networks.iter().map(row).collect(),
    }
}

fn only_cells_differ(sections: &[RunSection]) -> bool {
    let mut configs = sections.iter().map(|section| {
        let mut config = section.config.clone();
        config.model.cell = Cell::default();
        config
    });
    configs.all_equal()
}

fn cells_row(section: &RunSection) -> Vec<String> {
    let summary = &section.summary;
    vec![
        section.name.clone(),
        grouped(summary.parameters),
        summary
            .test_accuracy
            .map_or("–".into(), |share| format!("{share:.4}")),
        format!("{:.4}", summary.test_loss),
        format!("{} of {}", summary.best_epoch, section.epochs.len()),
        milliseconds(section.summary.milliseconds_per_step),
        seconds(summary.training_seconds),
    ]
}

fn curve(
    name: String,
    color: &'static str,
    dashed: bool,
    epochs: &[EpochMetrics],
    value: fn(&EpochMetrics) -> Option<f64>,
) -> Line {
    Line {
        name,
        color,
        dashed,
        points: epochs
            .iter()
            .filter_map(|epoch| Some((epoch.epoch as f64, value(epoch)?)))
            .collect(),
    }
}

/// A colour for each network: its cell's, or another if that is taken.
fn colors(sections: &[RunSection]) -> Vec<&'static str> {
    let mut taken: Vec<&str> = Vec::new();
    for section in sections {
        let own = cell_color(section.config.model.cell);
        let free = std::iter::once(own)
            .chain(COLORS)
            .find(|color| !taken.contains(color));
        taken.push(free.unwrap_or(own));
    }
    taken
}

const COLORS: [&str; 5] = [
    "var(--line-1)",
    "var(--line-2)",
    "var(--line-3)",
    "var(--line-4)",
    "var(--line-5)",
];

fn cell_color(cell: Cell) -> &'static str {
    let place = Cell::ALL.iter().position(|of| *of == cell);
    COLORS[place.unwrap_or_default() % COLORS.len()]
}

fn cell_name(cell: Cell) -> String {
    let article = if cell == Cell::Lstm { "An" } else { "A" };
    format!("{article} {}", cell.title())
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", 100.0 * share)
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1}\u{a0}s")
}

fn milliseconds(milliseconds: f64) -> String {
    format!("{milliseconds:.1}\u{a0}ms")
}

#[cfg(test)]
mod tests;
