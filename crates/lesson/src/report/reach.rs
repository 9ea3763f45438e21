//! How far back the gradient reaches.

use itertools::{Itertools, iproduct};
use minijinja::{Value, context};

use super::page::{Table, figures, render, table};
use super::plots::{Line, Plot, SMALLEST, Scale};
use super::{ReachCurve, RunSection, colors};
use crate::error::Result;

/// The share of its last value below which a gradient counts as gone.
const GONE: f64 = 0.01;

/// The part of a page that shows it; `None` if nothing was measured.
pub(super) fn part(sections: &[RunSection]) -> Result<Option<Value>> {
    if lengths(sections).is_empty() {
        return Ok(None);
    }
    let part = render(
        "reach.html",
        context! {
            figures => figures(plots(sections))?,
            fading => table(fading(sections))?,
        },
    );
    part.map(Some)
}

/// A plot for each length, with a line before and one after training of each network.
fn plots(sections: &[RunSection]) -> Vec<Plot> {
    lengths(sections)
        .into_iter()
        .map(|length| Plot {
            title: format!("Gradient over {length} timesteps"),
            note: "Dashed before training, solid after. The right end is the first timestep of the sequence.".into(),
            x: "steps back from the end",
            names: Vec::new(),
            y: ("size of the gradient", Scale::Logarithmic),
            lines: lines(sections, length),
        })
        .collect()
}

fn lines(sections: &[RunSection], length: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for (section, color) in sections.iter().zip(colors(sections)) {
        for reach in section.reach.iter().filter(|reach| reach.length == length) {
            let back = reach.norms.iter().rev().enumerate();
            lines.push(Line {
                name: format!("{}, {}", section.name, when(reach.trained)),
                color,
                dashed: !reach.trained,
                points: back.map(|(steps, &norm)| (steps as f64, norm)).collect(),
            });
        }
    }
    // What was trained lies in front.
    lines.sort_by_key(|line| !line.dashed);
    lines
}

/// Of each network, before and after training, after how many steps the gradient is gone.
fn fading(sections: &[RunSection]) -> Table {
    let lengths = lengths(sections);
    let mut rows = Vec::new();
    for (section, trained) in iproduct!(sections, [false, true]) {
        let reach = |length| {
            let of = |reach: &&ReachCurve| reach.length == length && reach.trained == trained;
            section.reach.iter().find(of)
        };
        if lengths.iter().any(|&length| reach(length).is_some()) {
            let fades = lengths
                .iter()
                .map(|&length| reach(length).map_or("–".into(), ReachCurve::fade));
            let name = format!("{}, {}", section.name, when(trained));
            rows.push(std::iter::once(name).chain(fades).collect());
        }
    }
    let mut header = vec!["network".to_string()];
    header.extend(lengths.iter().map(|length| format!("{length} timesteps")));
    Table {
        caption: "Steps back until the gradient falls below 1 % of its last value".into(),
        header,
        rows,
    }
}

fn lengths(sections: &[RunSection]) -> Vec<usize> {
    let reaches = sections.iter().flat_map(|section| &section.reach);
    reaches.map(|reach| reach.length).sorted().dedup().collect()
}

fn when(trained: bool) -> &'static str {
    if trained {
        "after training"
    } else {
        "before training"
    }
}

impl ReachCurve {
    /// After how many steps back from the end the gradient is below 1 % of its last value.
    fn fade(&self) -> String {
        let back = || self.norms.iter().rev();
        match back().next() {
            Some(last) if last.is_finite() && *last >= SMALLEST => {
                match back().position(|norm| norm.is_nan() || *norm < GONE * last) {
                    Some(steps) => steps.to_string(),
                    None => format!("over {}", self.norms.len() - 1),
                }
            }
            _ => "no gradient".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fade(norms: &[f64]) -> String {
        ReachCurve {
            length: norms.len(),
            trained: true,
            norms: norms.to_vec(),
        }
        .fade()
    }

    #[test]
    fn a_gradient_is_gone_below_a_hundredth() {
        assert_eq!(fade(&[0.0, 0.5, 1.0, 60.0, 100.0]), "3");
        assert_eq!(fade(&[2.0, 0.1, 1.0]), "over 2");
        assert_eq!(fade(&[f64::NAN, 1.0]), "1");
        assert_eq!(fade(&[1.0, 0.0]), "no gradient");
        assert_eq!(fade(&[1.0, f64::NAN]), "no gradient");
        assert_eq!(fade(&[]), "no gradient");
    }
}
