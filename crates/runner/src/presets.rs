//! Settings that go together, and what was measured with them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use gatefold_training::{RunConfig, Spread};
use toml::{Table, Value};

use crate::say;
use crate::terminal::{within_line, word};

/// Settings that go together, under a name that says what is done.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// The settings, as a configuration file has them: those that are not named are the lesson's, or the language model's.
    pub text: &'static str,
    /// What it begins with, if that is a language model.
    pub language_model: Option<PretrainingPreset>,
    /// What it gave.
    pub measured: Measured,
}

/// Settings of a language model that a classifier is to begin with.
#[derive(Debug)]
pub struct PretrainingPreset {
    /// The settings, as a configuration file has them: those that are not named are what `pretrain` does without a preset.
    pub text: &'static str,
    /// Minutes of its training on all texts of the IMDB reviews, on two cores of a CPU.
    pub minutes: f64,
}

/// What a preset gave on the IMDB reviews: trained and tested on 25 000 each, with several seeds.
#[derive(Debug)]
pub struct Measured {
    /// The test accuracy of each seed.
    pub accuracies: &'static [f64],
    /// Minutes on two cores of a CPU, of one seed, without those of the language model.
    pub minutes: f64,
}

impl Measured {
    /// The spread of the accuracies.
    pub fn accuracy(&self) -> Spread {
        Spread::of(self.accuracies).expect("it was measured")
    }
}

/// All presets, the simplest first.
pub static PRESETS: [Preset; 4] = [
    Preset {
        name: "lesson",
        about: "embedding, LSTM, dense: the classic lesson, and what is done without a preset",
        text: include_str!("../presets/lesson.toml"),
        language_model: None,
        measured: Measured {
            accuracies: &[0.867_60, 0.871_76, 0.859_08, 0.863_96, 0.865_60],
            minutes: 0.5,
        },
    },
    Preset {
        name: "tuned",
        about: "the lesson's sizes and 512 tokens: states pooled, an adversary, regularised, trained again on everything",
        text: include_str!("../presets/tuned.toml"),
        language_model: None,
        measured: Measured {
            accuracies: &[0.898_12, 0.896_00, 0.899_56, 0.896_76, 0.896_32],
            minutes: 5.0,
        },
    },
    Preset {
        name: "strong",
        about: "begins with a small language model of both directions; n-grams answer beside the network",
        text: include_str!("../presets/strong.toml"),
        language_model: Some(PretrainingPreset {
            text: include_str!("../presets/strong-model.toml"),
            minutes: 20.5,
        }),
        measured: Measured {
            accuracies: &[0.925_28, 0.926_04, 0.925_96, 0.925_68, 0.926_72],
            minutes: 8.5,
        },
    },
    Preset {
        name: "pretrained",
        about: "begins with a language model twice as wide, trained for longer; n-grams answer beside the network",
        text: include_str!("../presets/pretrained.toml"),
        language_model: Some(PretrainingPreset {
            text: include_str!("../presets/pretrained-model.toml"),
            minutes: 132.0,
        }),
        measured: Measured {
            accuracies: &[0.932_16],
            minutes: 25.0,
        },
    },
];

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

impl Preset {
    /// Minutes of all that it trains, on two cores of a CPU.
    pub fn minutes(&self) -> f64 {
        let before = self
            .language_model
            .as_ref()
            .map_or(0.0, |model| model.minutes);
        before + self.measured.minutes
    }
}

/// A configuration, and the settings that were asked for in it: those of a preset, with those of `file` over them, the
/// contents of a configuration file and what messages call it.
///
/// # Errors
/// If `file` is none.
pub fn settings(preset: Option<&Preset>, file: Option<(&str, &str)>) -> Result<(RunConfig, Table)> {
    let mut given = Table::new();
    if let Some(preset) = preset {
        given = toml::from_str(preset.text).context("a preset is TOML")?;
    }
    if let Some((text, name)) = file {
        over(
            &mut given,
            of_file(text, name, preset.map(|preset| preset.name))?,
        );
    }
    let mut config: RunConfig = given.clone().try_into()?;
    if let Some(preset) = preset {
        config.preset = Some(preset.name.to_owned());
    }
    Ok((config, given))
}

/// The presets that begin with a language model, and how that is trained.
pub fn with_language_model() -> impl Iterator<Item = (&'static Preset, &'static PretrainingPreset)>
{
    let with_one = |preset: &'static Preset| Some((preset, preset.language_model.as_ref()?));
    PRESETS.iter().filter_map(with_one)
}

/// The commands of `program` that train the language model which the preset `name` begins with, and begin with it, on
/// `dataset` if one was named.
pub fn commands(name: &str, program: &str, dataset: Option<&str>) -> String {
    let dataset = dataset.map(|dataset| format!(" --dataset {}", word(Path::new(dataset))));
    let dataset = dataset.unwrap_or_default();
    format!(
        "{program} pretrain --preset {name}{dataset} --run runs/{name}-model, then {program} train --preset {name}{dataset} \
         --from runs/{name}-model"
    )
}

/// The preset of a configuration, if it has one.
fn of(config: &RunConfig) -> Option<&'static Preset> {
    find(config.preset.as_deref()?)
}

/// The name of a configuration's preset, if that begins with a language model.
pub fn begins_with_language_model(config: &RunConfig) -> Option<&'static str> {
    let preset = of(config)?;
    preset.language_model.as_ref().map(|_| preset.name)
}

/// How long the preset of a configuration takes, if it has one.
pub fn duration(config: &RunConfig) -> Option<String> {
    let preset = of(config)?;
    let minutes = match (&config.pretraining, &preset.language_model) {
        (Some(_), Some(model)) => model.minutes,
        _ => preset.measured.minutes,
    };
    Some(format!(
        "preset {}: with the IMDB reviews about {minutes} minutes on two cores of a CPU",
        preset.name
    ))
}

/// That a training has what its preset begins with.
///
/// # Errors
/// Names the commands, of `program`, that make a language model and begin with it.
pub fn ensure_start(config: &RunConfig, program: &str) -> Result<()> {
    match begins_with_language_model(config) {
        Some(name) if config.training.from.is_none() => bail!(
            "the preset {name} begins with a language model, which is trained first, on the same dataset: {}",
            commands(name, program, config.dataset.name.as_deref())
        ),
        _ => Ok(()),
    }
}

/// The settings that a TOML text has, with those of `file`, the contents of a configuration file that messages call
/// `name`, over them; a `preset` was asked for.
///
/// # Errors
/// If `file` is none.
pub fn with_file(
    settings: &str,
    (file, name): (&str, &str),
    preset: Option<&str>,
) -> Result<RunConfig> {
    let mut settings: Table = toml::from_str(settings)?;
    over(&mut settings, of_file(file, name, preset)?);
    Ok(settings.try_into()?)
}

/// The settings of a configuration file. A preset that is named in it is what a run of these settings followed: it is told
/// how to follow it again, if that isn't `asked` for.
///
/// # Errors
/// If it is none.
fn of_file(text: &str, name: &str, asked: Option<&str>) -> Result<Table> {
    let mut given = RunConfig::given_in(text, name)?;
    if let Some(Value::String(preset)) = given.remove("preset")
        && asked != Some(&preset)
    {
        let preset = within_line(&preset);
        say!(
            "{name} has preset = \"{preset}\", which is a record; to follow a preset: --preset {preset}"
        );
    }
    Ok(given)
}

/// Puts the values of `file` in the place of those of `settings`, table by table.
fn over(settings: &mut Table, file: Table) {
    for (key, value) in file {
        match (settings.get_mut(&key), value) {
            (Some(Value::Table(settings)), Value::Table(value)) => over(settings, value),
            (_, value) => drop(settings.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatefold_model::Reading;

    use super::*;

    #[test]
    fn every_preset_can_be_followed() {
        for preset in &PRESETS {
            let (config, _) = settings(Some(preset), None).unwrap();
            config.validate().unwrap();
            if let Some(model) = &preset.language_model {
                RunConfig::from_toml(model.text, preset.name).unwrap();
            }
            assert_eq!(config.preset.as_deref(), Some(preset.name));
            assert!(preset.measured.accuracy().mean < 1.0 && preset.minutes() > 0.0);
            assert_eq!(
                preset.language_model.is_some(),
                ensure_start(&config, "gatefold").is_err()
            );
        }
    }

    #[test]
    fn the_lessons_preset_is_what_is_done_without_one() {
        let (mut lesson, _) = settings(find("lesson"), None).unwrap();
        lesson.preset = None;
        assert_eq!(lesson, RunConfig::default());
    }

    #[test]
    fn a_file_decides_over_a_preset_and_says_no_more_than_it_has() {
        let file = "[model]\nhidden_size = 9\n[training.groups.head]\nrate = 0.5\n";
        let with_file = |text| settings(find("lesson"), Some((text, "my.toml")));
        let (config, given) = with_file(file).unwrap();
        assert_eq!(config.model.hidden_size, 9);
        assert_eq!(config.model.embedding_size, 16);
        assert_eq!(config.training.groups.head.rate, 0.5);
        assert_eq!(given["model"]["hidden_size"], Value::Integer(9));

        let tuned = find("tuned");
        let old = "[model]\nreading = \"mean\"\n[training]\nmax_length = 80\n";
        let (config, _) = settings(tuned, Some((old, "my.toml"))).unwrap();
        assert_eq!(
            (config.model.reading, config.input.max_length),
            (Reading::Mean, 80)
        );
        let error = with_file("[model]\nhiden_size = 9\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("my.toml, line 2"), "{error}");
    }
}
