//! What a report shows of forecasts.

use gatefold_training::ForecastScores;
use gatefold_training::forecast::Stretch;
use minijinja::Value;

use super::page::{Table, table};
use super::plots::{Line, Plot, Scale};
use crate::error::Result;

/// A number in a unit that the page doesn't know, with four digits that count.
pub fn rounded(number: f64) -> String {
    let digits = (3.0 - number.abs().max(1e-300).log10().floor()).clamp(0.0, 8.0);
    format!("{number:.*}", digits as usize)
}

/// The result in one sentence.
pub(super) fn lead(scores: &ForecastScores) -> Option<String> {
    let column = scores.columns.first()?;
    let (baseline, errors) = column.baseline();
    let verdict = match column.beats_baselines() {
        true => "",
        false => ": the network is no better",
    };
    Some(format!(
        "forecasts of {} are off by {} on average, {baseline} as the forecast by {}{verdict}",
        column.column,
        rounded(column.network.mae),
        rounded(errors.mae)
    ))
}

/// What came and what was forecast.
pub(super) fn plot(stretch: &Stretch, color: &'static str) -> Plot {
    let line = |name: &str, color, dashed, values: &[f64]| Line {
        name: name.into(),
        color,
        dashed,
        points: (1..).zip(values).map(|(x, y)| (f64::from(x), *y)).collect(),
    };
    Plot {
        title: format!("Forecasts of {}", stretch.column),
        note: format!(
            "The first {} windows of the test part: what came right after each, and what the network had forecast.",
            stretch.truth.len()
        ),
        x: "window",
        names: Vec::new(),
        y: ("in the unit of the data", Scale::Linear),
        lines: vec![
            line("what came", "var(--quiet)", false, &stretch.truth),
            line("forecast", color, true, &stretch.forecast),
        ],
    }
}

/// Errors of the network and of forecasts that need none.
pub(super) fn errors(scores: &ForecastScores) -> Result<Value> {
    let rows = scores.columns.iter().flat_map(|column| {
        let all = [
            ("the network", column.network),
            ("the last value stays", column.last_value),
            ("the window's mean comes", column.window_mean),
        ];
        all.map(|(name, errors)| {
            let name = format!("{}: {name}", column.column);
            vec![name, rounded(errors.mae), rounded(errors.rmse)]
        })
    });
    table(Table {
        caption: format!(
            "Over {} windows of the test part and the {} that came after each, in the unit of the data. A network is \
             worth its while where its errors are smaller than those of both forecasts that need none.",
            scores.windows,
            match scores.horizon {
                1 => "value".into(),
                steps => format!("{steps} values"),
            }
        ),
        header: ["forecast", "mean absolute error", "root mean square error"]
            .map(String::from)
            .to_vec(),
        rows: rows.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits_that_count() {
        for (number, shown) in [
            (1234.56, "1235"),
            (0.012_345_6, "0.01235"),
            (12.3, "12.30"),
            (0.0, "0.00000000"),
            (-3.0, "-3.000"),
        ] {
            assert_eq!(rounded(number), shown);
        }
    }
}
