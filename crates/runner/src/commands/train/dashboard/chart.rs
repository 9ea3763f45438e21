//! A learning curve: training as a line, validation as a point for each epoch.

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::symbols::{DOT, Marker};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, BorderType, Chart, Dataset, GraphType};

use super::history::History;
use super::theme::Theme;

/// Rows from one label of the vertical axis to the next, at least.
const LABEL_ROWS: u16 = 3;

/// What a chart shows, over epochs.
pub struct Curves<'a> {
    pub title: &'a str,
    pub training: &'a History,
    /// A value for each epoch that's done.
    pub validation: Vec<(f64, f64)>,
    /// The last epoch that has room.
    pub end: usize,
}

impl Curves<'_> {
    pub fn draw(mut self, frame: &mut Frame, area: Rect, theme: &Theme) {
        let end = self.end as f64;
        // A mean for every other column is smooth enough to follow.
        let training = self.training.curve(end, (area.width / 2).max(1));
        self.validation.retain(|(_, y)| y.is_finite());
        let values = || training.iter().chain(&self.validation).map(|(_, y)| *y);
        // Without the frame and the horizontal axis.
        let rows = area.height.saturating_sub(4).max(1);
        let scale = Scale::around(
            values().reduce(f64::min).unwrap_or(0.0),
            values().reduce(f64::max).unwrap_or(1.0),
            (rows / LABEL_ROWS).clamp(1, 8),
        );

        let quiet = |label: String| Line::styled(label, theme.quiet);
        let axis = Axis::default()
            .style(theme.quiet)
            .labels_alignment(Alignment::Right);
        let x_axis = axis
            .clone()
            .bounds([0.0, end])
            .labels(epoch_labels(self.end, area.width).map(quiet));
        let y_axis = axis
            .bounds([scale.low(), scale.high()])
            .labels(scale.labels(rows).map(quiet));
        let datasets = vec![
            Dataset::default()
                .data(&training)
                .marker(Marker::Braille)
                .graph_type(GraphType::Line)
                .style(theme.training),
            Dataset::default()
                .data(&self.validation)
                .marker(Marker::Dot)
                .style(theme.validation),
        ];
        let chart = Chart::new(datasets)
            .block(self.block(area.width, theme))
            .x_axis(x_axis)
            .y_axis(y_axis);
        frame.render_widget(chart, area);
    }

    /// The frame, with the legend where there is room for it.
    fn block(&self, width: u16, theme: &Theme) -> Block<'static> {
        let block = Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(theme.quiet)
            .title(Span::styled(format!(" {} ", self.title), theme.strong));
        let legend = Line::from(vec![
            Span::styled(" ━ training ", theme.training),
            Span::styled(format!(" {DOT} validation "), theme.validation),
        ]);
        if legend.width() + self.title.len() + 4 > usize::from(width) {
            return block;
        }
        block.title(legend.right_aligned())
    }
}

fn epoch_labels(end: usize, width: u16) -> impl Iterator<Item = String> {
    let unit = match end {
        _ if width < 32 => "",
        1 => " epoch",
        _ => " epochs",
    };
    // Labels stand at equal distances, the last one is the longest; there is no half an epoch.
    let last = format!("{end}{unit}").len() + 1;
    let most = (usize::from(width) / last).clamp(1, 5);
    let parts = (1..=most).rev().find(|parts| end.is_multiple_of(*parts));
    let distance = end / parts.unwrap_or(1);
    (0..=end)
        .step_by(distance.max(1))
        .map(move |epoch| match epoch {
            _ if epoch == end => format!("{epoch}{unit}"),
            _ => epoch.to_string(),
        })
}

/// An axis of `count` distances of `step`, which is 1, 2 or 5 times a power of ten.
struct Scale {
    /// The lowest value, in steps.
    first: f64,
    step: f64,
    count: u16,
}

impl Scale {
    /// Around all values from `low` to `high`, in about `most` distances.
    fn around(low: f64, high: f64, most: u16) -> Self {
        // A constant has no span of its own.
        let span = (high - low).max(low.abs() * 0.01).max(0.001);
        let least = span / f64::from(most);
        let power = 10f64.powf(least.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * power)
            .into_iter()
            .find(|step| *step >= least)
            .unwrap_or(10.0 * power);
        let first = (low / step).floor();
        let last = (high / step).ceil().max(first + 1.0);
        Self {
            first,
            step,
            count: (last - first) as u16,
        }
    }

    fn low(&self) -> f64 {
        self.at(0)
    }

    fn high(&self) -> f64 {
        self.at(self.count)
    }

    fn at(&self, i: u16) -> f64 {
        (self.first + f64::from(i)) * self.step
    }

    /// At every distance, or at the ends if `rows` are too few.
    fn labels(&self, rows: u16) -> impl Iterator<Item = String> {
        let every = if self.count < rows {
            1
        } else {
            self.count.max(1)
        };
        let decimals = (-self.step.log10()).ceil().clamp(0.0, 9.0) as usize;
        (0..=self.count).step_by(every.into()).map(move |i| {
            let value = self.at(i);
            if self.high().abs() < 1e5 {
                format!("{value:.decimals$}")
            } else {
                format!("{value:.1e}")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(low: f64, high: f64, most: u16, rows: u16) -> Vec<String> {
        Scale::around(low, high, most).labels(rows).collect()
    }

    #[test]
    fn axes_have_round_numbers_around_all_values() {
        assert_eq!(
            labels(0.31, 0.69, 4, 12),
            ["0.3", "0.4", "0.5", "0.6", "0.7"]
        );
        assert_eq!(
            labels(0.5, 0.93, 5, 16),
            ["0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]
        );
        assert_eq!(labels(0.0, 1.0, 1, 3), ["0", "1"]);
        assert_eq!(labels(0.861, 0.869, 4, 12), ["0.860", "0.865", "0.870"]);
    }

    #[test]
    fn epochs_are_whole() {
        let labels = |end, width| epoch_labels(end, width).collect::<Vec<_>>().join(" ");
        assert_eq!(labels(5, 60), "0 1 2 3 4 5 epochs");
        assert_eq!(labels(6, 60), "0 2 4 6 epochs");
        assert_eq!(labels(7, 60), "0 7 epochs");
        assert_eq!(labels(100, 60), "0 20 40 60 80 100 epochs");
        assert_eq!(labels(1, 60), "0 1 epoch");
        assert_eq!(labels(6, 20), "0 2 4 6");
        assert_eq!(labels(5, 34), "0 5 epochs");
    }

    #[test]
    fn few_rows_have_labels_at_the_ends() {
        assert_eq!(labels(0.31, 0.69, 4, 3), ["0.3", "0.7"]);
    }

    #[test]
    fn a_constant_lies_within_its_axis() {
        for value in [0.0, 0.5, 1.0, 0.693, -3.0, 1e9] {
            let scale = Scale::around(value, value, 4);
            assert!(scale.low() <= value && value <= scale.high(), "{value}");
            assert!(scale.low() < scale.high());
            assert!(scale.count < 10);
        }
    }
}
