//! Pages of the reports' style, from templates: whatever a template prints is escaped, but what another
//! template or a plot made.

use itertools::Itertools;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::plots::{Figure, LegendEntry, Plot};
use crate::error::Result;

/// A name that ends in `.html` turns escaping on.
const TEMPLATES: [(&str, &str); 10] = [
    ("page.html", include_str!("page.html")),
    ("figure.html", include_str!("figure.html")),
    ("figures.html", include_str!("figures.html")),
    ("legend.html", include_str!("legend.html")),
    ("table.html", include_str!("table.html")),
    ("reach.html", include_str!("reach.html")),
    ("scores.html", include_str!("scores.html")),
    ("run.html", include_str!("run.html")),
    ("comparison.html", include_str!("comparison.html")),
    ("explanation.html", include_str!("explanation.html")),
];

/// A table: the first column names its row, the others are numbers.
#[derive(Serialize)]
pub(crate) struct Table {
    pub caption: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A whole page around the `body` that a template made.
///
/// # Errors
/// If the template is wrong.
pub(crate) fn page(title: &str, body: Value) -> Result<String> {
    let page = render(
        "page.html",
        context! {
            title,
            body,
            style => Value::from_safe_string(super::STYLE.into()),
            version => env!("CARGO_PKG_VERSION"),
        },
    )?;
    Ok(page.to_string())
}

/// A part of a page.
///
/// # Errors
/// If the template is wrong.
pub(crate) fn render(template: &str, context: Value) -> Result<Value> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    let text = environment.get_template(template)?.render(context)?;
    Ok(Value::from_safe_string(text))
}

/// Plots side by side, ready for a template; a legend that all of them share stands above them, once.
///
/// # Errors
/// If the template is wrong.
pub(crate) fn figures(plots: Vec<Plot>) -> Result<Value> {
    let mut figures: Vec<Figure> = plots.into_iter().map(Plot::draw).collect();
    let mut legend = Vec::new();
    if figures.len() > 1 && figures.iter().map(|figure| &figure.legend).all_equal() {
        for figure in &mut figures {
            legend = std::mem::take(&mut figure.legend);
        }
    }
    let drawn: Vec<Value> = figures
        .into_iter()
        .map(|figure| {
            let legend = legend_of(figure.legend)?;
            render(
                "figure.html",
                context! { title => figure.title, note => figure.note, svg => figure.svg, legend },
            )
        })
        .collect::<Result<_>>()?;
    let legend = legend_of(legend)?;
    render("figures.html", context! { legend, figures => drawn })
}

/// What lines mean, ready for a template; a line alone needs no name.
fn legend_of(entries: Vec<LegendEntry>) -> Result<Option<Value>> {
    if entries.len() < 2 {
        return Ok(None);
    }
    render(
        "legend.html",
        context! { legend => Value::from(Serde(entries)) },
    )
    .map(Some)
}

/// Tables, ready for a template.
///
/// # Errors
/// If the template is wrong.
pub(crate) fn tables(tables: Vec<Table>) -> Result<Value> {
    parts("table.html", tables.into_iter())
}

/// A table, ready for a template.
///
/// # Errors
/// If the template is wrong.
pub(crate) fn table(table: Table) -> Result<Value> {
    render("table.html", Value::from(Serde(table)))
}

fn parts(template: &str, of: impl Iterator<Item = impl Serialize>) -> Result<Value> {
    of.map(|part| render(template, Value::from(Serde(part))))
        .collect()
}
