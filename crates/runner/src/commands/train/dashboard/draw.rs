//! Drawing: header, curves, progress, figures, messages, keys.

use std::time::Duration;

use gatefold_training::EpochMetrics;
use indicatif::FormattedDuration;
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::{Style, Stylize};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, LineGauge};

use super::chart::Curves;
use super::state::{State, ratio};
use super::theme::Theme;
use super::{Run, Wish};

/// From here on there are two columns of figures.
const WIDE: u16 = 76;

pub fn draw(frame: &mut Frame, state: &State, theme: &Theme) {
    let area = frame.area();
    if area.width < 40 || area.height < 12 {
        frame.render_widget(short(state), area);
        return;
    }
    let header = header(state, area.width - 2, theme);
    let figures = figures(state, area.width, theme);
    let messages = match area.height {
        0..18 => 0,
        height => 1 + (height / 8).max(3),
    };
    let mut rest = area;
    let top = cut_top(&mut rest, header.height() as u16);
    let keys = cut_bottom(&mut rest, 1);
    let bottom = cut_bottom(&mut rest, messages);
    let mut numbers = inset(cut_bottom(&mut rest, 2));
    let gauges = cut_bottom(&mut rest, 2);
    frame.render_widget(header, inset(top));
    draw_charts(frame, rest, state, theme);
    draw_gauges(frame, inset(gauges), state, theme);
    frame.render_widget(figures, cut_left(&mut numbers, 45));
    if area.width >= WIDE {
        frame.render_widget(Text::from(rates(state)).right_aligned(), numbers);
    }
    draw_messages(frame, bottom, state, theme);
    frame.render_widget(key_line(state.wish, area.width, theme), inset(keys));
}

/// Without the first and the last column.
fn inset(area: Rect) -> Rect {
    area.inner(Margin::new(1, 0))
}

// Areas are cut by hand: Ratatui's layouts are solved as systems of constraints, which takes longer than
// everything else in a frame.

fn cut_top(rest: &mut Rect, rows: u16) -> Rect {
    let height = rows.min(rest.height);
    let top = Rect { height, ..*rest };
    rest.y += height;
    rest.height -= height;
    top
}

fn cut_bottom(rest: &mut Rect, rows: u16) -> Rect {
    let above = rest.height.saturating_sub(rows);
    let above = cut_top(rest, above);
    std::mem::replace(rest, above)
}

fn cut_left(rest: &mut Rect, columns: u16) -> Rect {
    let width = columns.min(rest.width);
    let left = Rect { width, ..*rest };
    rest.x += width;
    rest.width -= width;
    left
}

/// For a terminal without room for curves; what matters most comes first.
fn short(state: &State) -> Text<'_> {
    let (loss, accuracy) = measured(state);
    Text::from(vec![
        Line::from(format!(
            "{}, {:.0} %",
            epoch_of(state),
            100.0 * run_ratio(state)
        )),
        Line::from(format!("loss {loss}")),
        Line::from(format!("accuracy {accuracy}")),
        Line::from(time_left(state)),
        Line::from(match state.wish {
            Wish::Continue => "q: stop, keep what there is",
            _ => "stopping … Ctrl-C: at once",
        }),
        Line::from(state.run.name.as_str()),
        Line::from(state.run.device.as_str()),
    ])
}

/// One line, or two where one can't hold all.
fn header<'a>(state: &'a State, width: u16, theme: &Theme) -> Text<'a> {
    let Run {
        name,
        device,
        network,
        ..
    } = &state.run;
    let width = usize::from(width);
    let name = Span::styled(elided(name, width), theme.strong);
    let what = format!("{network} · {device}");
    if name.width() + 2 + Span::raw(&what).width() <= width {
        let gap = width - name.width() - Span::raw(&what).width();
        return Line::from(vec![name, " ".repeat(gap).into(), what.into()]).into();
    }
    // The device first: it is the one to be seen.
    let what = elided(&format!("{device} · {network}"), width);
    Text::from(vec![Line::from(name), Line::from(what)])
}

/// `text` in at most `width` columns.
fn elided(text: &str, width: usize) -> String {
    if Span::raw(text).width() <= width {
        return text.into();
    }
    let mut short: String = text.chars().take(width).collect();
    while Span::raw(&short).width() >= width && short.pop().is_some() {}
    short + "…"
}

fn draw_charts(frame: &mut Frame, mut area: Rect, state: &State, theme: &Theme) {
    // Room to grow without an axis that is empty for hours.
    let current = state.position().ceil() as usize;
    let end = (2 * current)
        .max(5)
        .min(state.run.epochs)
        .max(current)
        .max(1);
    let points = |value: fn(&EpochMetrics) -> Option<f64>| {
        let point = |metrics: &EpochMetrics| Some((metrics.epoch as f64, value(metrics)?));
        state.epochs.iter().filter_map(point).collect()
    };
    let width = match state.run.has_accuracy {
        true => area.width / 2,
        false => area.width,
    };
    let left = cut_left(&mut area, width);
    Curves {
        title: "loss",
        training: &state.loss,
        validation: points(|metrics| Some(metrics.validation_loss)),
        end,
    }
    .draw(frame, left, theme);
    if !state.run.has_accuracy {
        return;
    }
    Curves {
        title: "accuracy",
        training: &state.accuracy,
        validation: points(|metrics| metrics.validation_accuracy),
        end,
    }
    .draw(frame, area, theme);
}

fn draw_gauges(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let (label, done, detail) = match (state.evaluating, &state.step) {
        (Some((batch, batches)), _) => (
            if state.is_testing() {
                "testing".into()
            } else {
                "validation".into()
            },
            ratio(batch, batches),
            format!("batch {batch}/{batches}"),
        ),
        (None, Some(step)) => (
            epoch_of(state),
            ratio(step.step, step.steps),
            format!("step {}/{}", step.step, step.steps),
        ),
        (None, None) => (epoch_of(state), 0.0, "before the first step".into()),
    };
    let whole = if area.width + 2 >= WIDE {
        format!("{} elapsed, {}", time(state.elapsed()), time_left(state))
    } else {
        time_left(state)
    };
    let widest = detail.len().max(whole.len()) as u16;
    let lines = [
        (label, done, detail),
        ("run".into(), run_ratio(state), whole),
    ];
    for ((label, done, detail), mut row) in lines.into_iter().zip(area.rows()) {
        let left = cut_left(&mut row, 15);
        let width = row.width.saturating_sub(8 + widest);
        let middle = cut_left(&mut row, width);
        let percent = cut_left(&mut row, 8);
        frame.render_widget(label, left);
        let gauge = LineGauge::default()
            .ratio(done)
            .label("")
            .filled_symbol("━")
            .unfilled_symbol("─")
            .filled_style(theme.training)
            .unfilled_style(theme.quiet);
        frame.render_widget(gauge, middle);
        frame.render_widget(format!(" {:>3.0} %", 100.0 * done), percent);
        frame.render_widget(detail, row);
    }
}

/// The latest of training and the best of validation.
fn figures<'a>(state: &State, width: u16, theme: &Theme) -> Text<'a> {
    let (best_epoch, labels) = match width {
        0..46 => ("best:", 9),
        _ => ("best, epoch", 15),
    };
    let line = |style, label: String, loss: String, accuracy: String| {
        let accuracy = match state.run.has_accuracy {
            true => format!(" accuracy {accuracy}"),
            false => String::new(),
        };
        Line::from(vec![
            Span::styled(format!("{label:labels$}"), style),
            format!("loss {loss:8}{accuracy}").into(),
        ])
    };
    let (loss, accuracy) = measured(state);
    let training = line(theme.training, "training".into(), loss, accuracy);
    let best = match &state.best {
        Some(best) => line(
            theme.validation,
            format!("{best_epoch} {}", best.epoch),
            number(Some(best.validation_loss)),
            number(best.validation_accuracy),
        ),
        None => Line::styled("no epoch validated yet", theme.quiet),
    };
    Text::from(vec![training, best])
}

fn rates(state: &State) -> Vec<Line<'static>> {
    let rates = match state.rates() {
        Some((steps, examples)) => {
            let decimals = if steps < 1.0 { 3 } else { 1 };
            let noun = state.run.noun;
            format!("{steps:.decimals$} steps/s, {examples:.0} {noun}/s")
        }
        None => String::new(),
    };
    let learning_rate = match &state.step {
        Some(step) => format!("learning rate {:.2e}", step.learning_rate),
        None => String::new(),
    };
    vec![rates.into(), learning_rate.into()]
}

fn draw_messages(frame: &mut Frame, area: Rect, state: &State, theme: &Theme) {
    let block = Block::new()
        .borders(Borders::TOP)
        .border_style(theme.quiet)
        .title(Span::styled(" messages ", theme.strong));
    let inner = inset(block.inner(area));
    frame.render_widget(block, area);
    let lines: Vec<Line> = state
        .messages
        .iter()
        .take(inner.height.into())
        .rev()
        .map(|(when, text)| {
            let when = format!("{} ", time(*when));
            let room = usize::from(inner.width).saturating_sub(when.len());
            Line::from(vec![
                Span::styled(when, theme.quiet),
                elided(text, room).into(),
            ])
        })
        .collect();
    frame.render_widget(Text::from(lines), inner);
}

fn key_line<'a>(wish: Wish, width: u16, theme: &Theme) -> Line<'a> {
    let key = |name: &'a str| Span::styled(name, Style::new().reversed());
    let (first, second) = match wish {
        Wish::Continue if width >= WIDE => (
            " stop after this step and keep what there is   ",
            " twice: at once",
        ),
        Wish::Continue => (" stop   ", " twice: at once"),
        Wish::Stop | Wish::Interrupt => {
            let what = match width {
                0..WIDE => "stopping   ",
                _ => "stopping after this step   ",
            };
            return vec![what.bold(), key(" Ctrl-C "), " stop at once".into()].into();
        }
        Wish::StopNow => return Line::styled("stopping", theme.strong),
    };
    vec![key(" q "), first.into(), key(" Ctrl-C "), second.into()].into()
}

fn epoch_of(state: &State) -> String {
    let next = state.past() + 1;
    let current = state.step.as_ref().map_or(next, |step| step.epoch);
    format!(
        "{} {}/{}",
        if state.again { "again" } else { "epoch" },
        current.min(state.run.epochs),
        state.run.epochs
    )
}

/// Of the run, what's done.
fn run_ratio(state: &State) -> f64 {
    (state.position() / state.run.epochs.max(1) as f64).min(1.0)
}

/// Loss and accuracy in training.
fn measured(state: &State) -> (String, String) {
    let step = state.step.as_ref();
    (
        number(step.and_then(|step| step.loss)),
        number(step.and_then(|step| step.accuracy)),
    )
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "–".into(),
        Some(value) if value.abs() >= 1000.0 => format!("{value:.1e}"),
        Some(value) => format!("{value:.4}"),
    }
}

fn time(duration: Duration) -> String {
    FormattedDuration(duration).to_string()
}

fn time_left(state: &State) -> String {
    match state.left() {
        Some(left) => format!("{} left", time(left)),
        None => "time left unknown".into(),
    }
}
