//! `gatefold presets`

use anyhow::{Result, anyhow};
use gatefold::presets::{self, PRESETS};
use gatefold::terminal::program;
use serde::Serialize;

use crate::cli::PresetsArgs;
use crate::output::{self, End, Format};

/// One line of the answer.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    about: &'static str,
    minutes: f64,
    accuracy: f64,
    deviation: Option<f64>,
    seeds: usize,
}

pub fn run(args: PresetsArgs) -> Result<()> {
    if let Some(name) = &args.name {
        let preset = presets::find(name).expect("it is one of the names");
        let text = match (&preset.language_model, args.language_model) {
            (_, false) => preset.text,
            (Some(model), true) => model.text,
            (None, true) => {
                let error = anyhow!("the preset {name} begins with no language model");
                return Err(End::Misused(error).into());
            }
        };
        return output::line(text.trim_end());
    }
    let lines = PRESETS.iter().map(|preset| {
        let accuracy = preset.measured.accuracy();
        Line {
            name: preset.name,
            about: preset.about,
            minutes: preset.minutes(),
            accuracy: accuracy.mean,
            deviation: (accuracy.count > 1).then_some(accuracy.deviation),
            seeds: accuracy.count,
        }
    });
    if args.format.format == Format::Json {
        let mut lines = lines;
        return lines.try_for_each(|line| output::json(&line));
    }
    let rows = lines.map(|line: Line| {
        let accuracy = match line.deviation {
            Some(deviation) => format!(
                "{:.4} ± {deviation:.4} ({} seeds)",
                line.accuracy, line.seeds
            ),
            None => format!("{:.4} (1 seed)", line.accuracy),
        };
        vec![
            line.name.to_owned(),
            format!("{:.1}", line.minutes),
            accuracy,
            line.about.to_owned(),
        ]
    });
    let header = ["preset", "minutes", "test accuracy", ""];
    output::fitting_table(&header, rows.collect(), 4, &[3])?;
    output::line(
        "on the IMDB reviews, minutes on two cores of a CPU; `gatefold presets NAME` prints the settings",
    )?;
    for (preset, _) in presets::with_language_model() {
        let (name, commands) = (
            preset.name,
            presets::commands(preset.name, &program(), None),
        );
        output::line(&format!("{name} begins with a language model: {commands}"))?;
    }
    Ok(())
}
