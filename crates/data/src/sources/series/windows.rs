//! Sequences cut out of series.

use std::path::Path;

use super::rows::Rows;
use super::sequence;
use crate::dataset::Note;
use crate::error::{DataError, Result, SHOWN_NAME, shown};
use crate::example::Target;
use crate::limits::Limits;
use crate::sequence::Sequence;
use crate::series::{Missing, SeriesTask};
use crate::split::{Fractions, Part};

/// How sequences are cut.
pub(super) struct Shape {
    pub(super) task: SeriesTask,
    /// Timesteps; without it, a series is a sequence.
    pub(super) window: Option<usize>,
    pub(super) stride: usize,
    /// Timesteps that are forecast, or 0.
    pub(super) horizon: usize,
    /// The places of the columns that are forecast.
    pub(super) targets: Vec<usize>,
    pub(super) missing: Missing,
}

/// A sequence, and where it was cut out.
pub(super) struct Piece {
    pub(super) sequence: Sequence,
    pub(super) target: Option<Target>,
    /// The place of its series.
    pub(super) group: usize,
    /// The lines of its first and last timestep.
    pub(super) lines: (u64, u64),
    /// Its first row in its series, the one behind its last, and the one behind the last that is forecast.
    pub(super) rows: [usize; 3],
    /// Rows of its series.
    pub(super) of: usize,
}

/// Cuts all series; `open_end` keeps what has no target, and of a forecast the end of each series.
pub(super) fn cut(
    rows: &Rows,
    shape: &Shape,
    path: &Path,
    open_end: bool,
    limits: &Limits,
    notes: &mut Vec<Note>,
) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut numbers = 0_usize;
    let (mut short, mut unread, mut unknown) = (Vec::new(), 0, 0);
    let refuse = |reason| DataError::Series {
        path: path.into(),
        reason,
    };
    for (group, series) in rows.groups.iter().enumerate() {
        let all = series.rows.len();
        let spans = spans(all, shape, open_end);
        if spans.is_empty() {
            short.push(group);
            continue;
        }
        let read = spans.iter().map(|[_, _, end]| *end).max().unwrap_or(0);
        unread += all - read.min(all);
        for [start, end, last] in spans {
            numbers = numbers.saturating_add((end - start) * rows.width);
            if numbers > limits.numbers {
                return Err(DataError::TooMuch {
                    path: path.into(),
                    reason: format!(
                        "its windows have more than {} numbers together",
                        limits.numbers
                    ),
                    remedy: "take fewer of them with --stride, or shorter ones with --window",
                });
            }
            let target = target(rows, &series.rows, [start, end, last], shape, open_end);
            let target = target.map_err(|(line, reason)| DataError::Row {
                path: path.into(),
                line,
                reason,
            })?;
            if target.is_none() && !open_end {
                unknown += 1;
                continue;
            }
            let read = &series.rows[start..end];
            let of_row = |row: &u32| {
                let row = *row as usize * rows.width;
                rows.values[row..row + rows.width].iter().copied()
            };
            let values: Vec<f32> = read.iter().flat_map(of_row).collect();
            let line = |row: Option<&u32>| row.map_or(0, |row| rows.lines[*row as usize]);
            pieces.push(Piece {
                sequence: sequence(&values, rows.width, shape.missing),
                target,
                group,
                lines: (line(read.first()), line(read.last())),
                rows: [start, end, last],
                of: all,
            });
        }
    }
    let needed = shape.window.unwrap_or(1).saturating_add(shape.horizon);
    if pieces.is_empty() {
        return Err(refuse(format!(
            "no series has the {needed} rows that a window takes, or none has a target; give shorter windows with \
             --window, or more rows"
        )));
    }
    if let Some(first) = short.first() {
        let name = rows.groups[*first].name.as_deref().unwrap_or_default();
        notes.push(Note::doubtful(format!(
            "{} of {} series are shorter than the {needed} rows that a window takes, and left out; the first is `{}`",
            short.len(),
            rows.groups.len(),
            shown(name, SHOWN_NAME)
        )));
    }
    if unread > 0 {
        notes.push(Note::understood(format!(
            "{unread} rows at the end of series fill no window, and are left out"
        )));
    }
    if unknown > 0 {
        notes.push(Note::doubtful(format!(
            "{unknown} windows are left out, because a number that they should forecast is missing"
        )));
    }
    Ok(pieces)
}

/// First row, the one behind the last, and the one behind the last that is forecast, of each sequence of a series of
/// `all` rows.
fn spans(all: usize, shape: &Shape, open_end: bool) -> Vec<[usize; 3]> {
    let Some(window) = shape.window else {
        return vec![[0, all, all]];
    };
    let span = window.saturating_add(shape.horizon);
    let starts = (0..=all).step_by(shape.stride);
    let starts = starts.take_while(|start| start.saturating_add(span) <= all);
    let mut spans: Vec<_> = starts
        .map(|start| [start, start + window, start + span])
        .collect();
    let read = spans.last().map_or(0, |[_, end, _]| *end);
    match shape.task {
        // Every row gets its class.
        SeriesTask::Tag if read < all => spans.push([read, all, all]),
        SeriesTask::Forecast if open_end && window <= all => {
            spans.push([all - window, all, all.saturating_add(shape.horizon)]);
        }
        _ => {}
    }
    spans
}

/// What should be answered to a sequence; none where that isn't known. Or on which line what is wrong.
fn target(
    rows: &Rows,
    series: &[u32],
    [start, end, last]: [usize; 3],
    shape: &Shape,
    open_end: bool,
) -> std::result::Result<Option<Target>, (u64, String)> {
    let line = |row: u32| rows.lines[row as usize];
    let class = |row: u32| rows.classes[row as usize];
    let read = &series[start..end];
    let named = |row: u32| match (class(row), open_end) {
        (None, false) => Err((line(row), "the target is empty; write one".to_owned())),
        (class, _) => Ok(class),
    };
    match shape.task {
        SeriesTask::Forecast => {
            let Some(ahead) = series.get(end..last) else {
                return Ok(None);
            };
            let of_row = |row: &u32| {
                let row = *row as usize * rows.width;
                shape
                    .targets
                    .iter()
                    .map(move |place| rows.values[row + place])
            };
            let values: Vec<f32> = ahead.iter().flat_map(of_row).collect();
            let is_whole = values.iter().all(|value| !value.is_nan());
            Ok(is_whole.then_some(Target::Values(values)))
        }
        SeriesTask::Tag => {
            let classes = read.iter().map(|row| named(*row));
            let classes = classes.collect::<std::result::Result<Option<Vec<u32>>, _>>()?;
            Ok(classes.map(Target::Classes))
        }
        SeriesTask::Classify if shape.window.is_some() => {
            Ok(named(series[end - 1])?.map(Target::Class))
        }
        SeriesTask::Classify => {
            let first = named(series[start])?;
            match read.iter().find(|row| class(**row) != first) {
                Some(other) => Err((
                    line(*other),
                    format!(
                        "the target is another one than on line {}, where its group begins: a sequence has one class; \
                         for a class a timestep, --task tag",
                        line(series[start])
                    ),
                )),
                None => Ok(first.map(Target::Class)),
            }
        }
    }
}

/// The part of each sequence: the end of each series is tested, what stands before it validates. None of one that
/// belongs to an earlier part and reaches into a later one.
pub(super) fn by_time(pieces: &[Piece], shape: &Shape, fractions: Fractions) -> Vec<Option<Part>> {
    let share = |rows: usize, fraction: Option<f64>| {
        (rows as f64 * fraction.unwrap_or(0.0)).round() as usize
    };
    let part = |piece: &Piece| {
        let test = piece.of - share(piece.of, fractions.test).min(piece.of);
        let validation = test - share(test, fractions.validation).min(test);
        let [start, end, last] = piece.rows;
        // What a forecast reads may have been trained on: its past is known.
        let own = if shape.horizon > 0 { end } else { start };
        if own >= test {
            Some(Part::Test)
        } else if own >= validation {
            (last <= test).then_some(Part::Validation)
        } else {
            (last <= validation).then_some(Part::Train)
        }
    };
    pieces.iter().map(part).collect()
}
