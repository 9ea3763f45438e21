//! Line plots as SVG that scales with the page and takes its colours from the page's style.

use std::sync::Arc;

use itertools::{Itertools, MinMaxResult};
use kuva::plot::annotations::ReferenceLine;
use kuva::plot::{LinePlot, ScatterPlot};
use kuva::render::layout::{AxisLabelOverlap, Layout, TickFormat};
use kuva::render::plots::Plot as Drawing;
use kuva::render::theme::Theme;
use minijinja::Value;
use serde::Serialize;

/// In the units of the SVG; the page scales it.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
/// Lines of at most as many points show each of them.
const MARKED: usize = 30;
/// The most labels on an axis of whole numbers.
const LABELS: f64 = 8.0;

/// The most names on an axis, and the characters that are shown of each.
const NAMES: f64 = 20.0;
const NAME_LENGTH: usize = 10;

/// What a logarithmic axis shows no more.
pub(crate) const SMALLEST: f64 = 1e-30;

/// A plot of lines.
pub(crate) struct Plot {
    /// What it shows.
    pub title: String,
    /// How to read it.
    pub note: String,
    /// What the horizontal axis counts, in whole numbers unless the vertical axis has [`Scale::Shares`].
    pub x: &'static str,
    /// Names of the places 0, 1, 2 … on the horizontal axis, which is then of them; else numbers stand there.
    pub names: Vec<String>,
    /// The vertical axis.
    pub y: (&'static str, Scale),
    /// From the back to the front.
    pub lines: Vec<Line>,
}

/// How a vertical axis is divided.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// As the values need it.
    Linear,
    /// As the values need it, with a line at 0.
    Difference,
    /// From 0 to 1, with a line at a half.
    Share,
    /// From 0 to 1, and so is the horizontal axis.
    Shares,
    /// In powers of ten; values below [`SMALLEST`] are left out.
    Logarithmic,
}

/// A line of a plot. Points that are not finite are left out.
pub(crate) struct Line {
    /// In the legend.
    pub name: String,
    /// CSS.
    pub color: &'static str,
    /// Dashed and thin, or solid.
    pub dashed: bool,
    pub points: Vec<(f64, f64)>,
}

/// A plot as the templates take it.
pub(crate) struct Figure {
    pub title: String,
    pub note: String,
    /// `None` if there is no point to show.
    pub svg: Option<Value>,
    /// Of every line, from the back to the front.
    pub legend: Vec<LegendEntry>,
}

/// How a line of a plot looks and what it is called.
#[derive(PartialEq, Serialize)]
pub(crate) struct LegendEntry {
    name: String,
    color: &'static str,
    dashed: bool,
}

impl Plot {
    pub fn draw(self) -> Figure {
        let lines = self.lines.iter().map(|line| self.y.1.points(&line.points));
        let lines: Vec<Vec<(f64, f64)>> = lines.collect();
        let points = || lines.iter().flatten();
        let svg = match (
            points().map(|point| point.0).minmax(),
            points().map(|point| point.1).minmax(),
        ) {
            (MinMaxResult::NoElements, _) | (_, MinMaxResult::NoElements) => None,
            (x, y) => {
                let layout = self.layout(bounds(x), bounds(y));
                Some(self.svg(kuva::render_to_svg(self.drawings(lines), layout)))
            }
        };
        Figure {
            title: self.title,
            note: self.note,
            svg,
            legend: self
                .lines
                .into_iter()
                .map(|line| LegendEntry {
                    name: line.name,
                    color: line.color,
                    dashed: line.dashed,
                })
                .collect(),
        }
    }

    fn drawings(&self, lines: Vec<Vec<(f64, f64)>>) -> Vec<Drawing> {
        let mut drawings = Vec::new();
        for (line, points) in self.lines.iter().zip(lines) {
            if points.len() <= MARKED {
                let markers = ScatterPlot::new()
                    .with_data(points.clone())
                    .with_size(if line.dashed { 2.5 } else { 3.5 });
                drawings.push(markers.with_color(line.color).into());
            }
            let drawn = LinePlot::new()
                .with_data(points)
                .with_color(line.color)
                .with_stroke_width(if line.dashed { 1.5 } else { 2.5 });
            drawings.push(match line.dashed {
                true => drawn.with_dashed().into(),
                false => drawn.into(),
            });
        }
        drawings
    }

    fn layout(&self, x: (f64, f64), y: (f64, f64)) -> Layout {
        let (label, scale) = self.y;
        let (x, step) = if scale == Scale::Shares {
            ((0.0, 1.0), 0.25)
        } else if x.0 < x.1 {
            (x, whole_step(x.1 - x.0))
        } else {
            ((x.0 - 0.5, x.1 + 0.5), 1.0)
        };
        let (y, y_step) = match scale {
            Scale::Linear | Scale::Difference => (y, None),
            Scale::Share | Scale::Shares => ((0.0, 1.0), Some(0.25)),
            Scale::Logarithmic => {
                let step = whole_step(y.1.ceil() - y.0.floor());
                let low = (y.0 / step).floor() * step;
                let high = (y.1 / step).ceil() * step;
                ((low, high.max(low + step)), Some(step))
            }
        };
        let layout = Layout::new(x, y)
            .with_width(WIDTH)
            .with_height(HEIGHT)
            .with_theme(theme())
            .with_label_size(15)
            .with_tick_size(14)
            .with_x_label(self.x)
            .with_x_axis_min(x.0)
            .with_x_axis_max(x.1)
            .with_x_tick_step(step)
            .with_x_tick_format(match scale {
                Scale::Shares => TickFormat::Fixed(2),
                _ => TickFormat::Integer,
            })
            .with_x_label_overlap(AxisLabelOverlap::Thin)
            .with_y_label(label);
        let layout = match scale {
            Scale::Difference => layout
                .with_reference_line(ReferenceLine::horizontal(0.0).with_color("var(--quiet)")),
            _ => layout,
        };
        let layout = self.named(layout, x);
        let Some(y_step) = y_step else {
            return layout;
        };
        let layout = layout
            .with_y_axis_min(y.0)
            .with_y_axis_max(y.1)
            .with_y_tick_step(y_step);
        match scale {
            Scale::Logarithmic => {
                layout.with_y_tick_format(TickFormat::Custom(Arc::new(power_of_ten)))
            }
            Scale::Shares => layout.with_y_tick_format(TickFormat::Fixed(2)),
            _ => layout
                .with_reference_line(ReferenceLine::horizontal(0.5).with_color("var(--quiet)")),
        }
    }

    /// With the names of its places, as many as there is room for, on a slant.
    fn named(&self, layout: Layout, x: (f64, f64)) -> Layout {
        if self.names.is_empty() {
            return layout;
        }
        let step = ((x.1 - x.0 + 1.0) / NAMES).ceil().max(1.0);
        let names: Vec<String> = self.names.iter().map(|name| short(name)).collect();
        layout
            .with_x_tick_step(step)
            .with_x_tick_rotate(-45.0)
            .with_x_label_overlap(AxisLabelOverlap::Allow)
            .with_x_tick_format(TickFormat::Custom(Arc::new(move |place| {
                let whole = place.fract() == 0.0 && place >= 0.0;
                let name = whole.then(|| names.get(place as usize)).flatten();
                name.cloned().unwrap_or_default()
            })))
    }

    /// Makes an image of it that has a name and scales.
    fn svg(&self, svg: String) -> Value {
        let size = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\"");
        let image = format!("viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\"");
        let label = minijinja::HtmlEscape(&self.title);
        let image = format!("{image} aria-label=\"{label}\"");
        Value::from_safe_string(svg.replacen(&size, &image, 1))
    }
}

impl Scale {
    fn points(self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let finite = points
            .iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .copied();
        match self {
            Self::Logarithmic => finite
                .filter(|&(_, y)| y >= SMALLEST)
                .map(|(x, y)| (x, y.log10()))
                .collect(),
            Self::Linear | Self::Difference | Self::Share | Self::Shares => finite.collect(),
        }
    }
}

/// A name as an axis has room for it; the dollar would begin a formula.
fn short(name: &str) -> String {
    let name = name.replace('$', "\u{ff04}");
    match name.chars().nth(NAME_LENGTH) {
        Some(_) => name.chars().take(NAME_LENGTH - 1).chain(['…']).collect(),
        None => name,
    }
}

fn bounds(found: MinMaxResult<f64>) -> (f64, f64) {
    found.into_option().expect("there are points")
}

/// 1, 2 or 5 times a power of ten: the least step with few labels over `span`.
fn whole_step(span: f64) -> f64 {
    let mut power = 1.0;
    loop {
        for step in [power, 2.0 * power, 5.0 * power] {
            if span / step <= LABELS {
                return step;
            }
        }
        power *= 10.0;
    }
}

/// `10⁻³` of -3.
fn power_of_ten(exponent: f64) -> String {
    let digits = format!("{exponent:.0}");
    let raised = digits.chars().map(|digit| match digit {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        _ => '⁰',
    });
    "10".chars().chain(raised).collect()
}

fn theme() -> Theme {
    Theme {
        background: "none".into(),
        axis_color: "var(--quiet)".into(),
        tick_color: "var(--quiet)".into(),
        grid_color: "var(--rule)".into(),
        text_color: "currentColor".into(),
        font_family: Some("inherit".into()),
        ..Theme::light()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(scale: Scale, points: Vec<(f64, f64)>) -> Option<String> {
        let line = Line {
            name: "lstm".into(),
            color: "var(--line-1)",
            dashed: false,
            points,
        };
        let figure = Plot {
            title: "A <plot> & \"its\" name".into(),
            note: String::new(),
            x: "epoch",
            names: Vec::new(),
            y: ("loss", scale),
            lines: vec![line],
        }
        .draw();
        figure.svg.map(|svg| svg.to_string())
    }

    #[test]
    fn a_plot_scales_has_a_name_and_takes_the_pages_colours() {
        let svg = plot(Scale::Linear, vec![(1.0, 0.5), (2.0, 0.25)]).unwrap();
        assert!(
            svg.contains("viewBox=\"0 0 460 300\" role=\"img\""),
            "{svg}"
        );
        assert!(svg.contains("aria-label=\"A &lt;plot&gt; &amp; &quot;its&quot; name\""));
        assert!(svg.contains("stroke=\"var(--line-1)\""), "{svg}");
        assert!(!svg.contains("white") && !svg.contains("black"), "{svg}");
    }

    #[test]
    fn one_point_is_a_marker_at_a_whole_number() {
        let svg = plot(Scale::Linear, vec![(1.0, 0.5)]).unwrap();
        assert!(svg.contains("<circle"), "{svg}");
        assert!(svg.contains(">1</text>"), "{svg}");
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let bad = [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e-31];
        let mut points: Vec<_> = bad.map(|y| (1.0, y)).to_vec();
        assert_eq!(plot(Scale::Logarithmic, points.clone()), None);
        points.extend([(2.0, 1e-3), (3.0, 1e-9)]);
        let svg = plot(Scale::Logarithmic, points).unwrap();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
        assert!(svg.contains("10⁻⁹"), "{svg}");
    }

    #[test]
    fn steps_are_few_and_round() {
        for (span, step) in [
            (1.0, 1.0),
            (8.0, 1.0),
            (9.0, 2.0),
            (31.0, 5.0),
            (199.0, 50.0),
            (499.0, 100.0),
        ] {
            assert_eq!(whole_step(span), step, "{span}");
        }
        assert_eq!(power_of_ten(-12.0), "10⁻¹²");
    }
}
