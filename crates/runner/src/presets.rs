//! Settings that go together, and what was measured with them.

use anyhow::{Context, Result};
use gatefold_training::{RunConfig, Spread};
use toml::{Table, Value};

/// Settings that go together, under a name that says what is done.
#[derive(Debug)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// The settings, as a configuration file has them: those that are not named are the lesson's.
    pub text: &'static str,
    /// What it gave.
    pub measured: Measured,
}

/// What a preset gave on the IMDB reviews: trained and tested on 25 000 each, with several seeds.
#[derive(Debug)]
pub struct Measured {
    /// The test accuracy of each seed.
    pub accuracies: &'static [f64],
    /// Minutes on two cores of a CPU, of one seed.
    pub minutes: f64,
}

impl Measured {
    /// The spread of the accuracies.
    pub fn accuracy(&self) -> Spread {
        Spread::of(self.accuracies).expect("it was measured")
    }
}

/// All presets, the simplest first.
pub const PRESETS: [Preset; 2] = [
    Preset {
        name: "lesson",
        about: "embedding, LSTM, dense: the classic lesson, and what is done without a preset",
        text: include_str!("../presets/lesson.toml"),
        measured: Measured {
            accuracies: &[0.867_60, 0.871_76, 0.859_08, 0.863_96, 0.865_60],
            minutes: 0.5,
        },
    },
    Preset {
        name: "tuned",
        about: "the lesson's sizes and 512 tokens: states pooled, an adversary, regularised, trained again on everything",
        text: include_str!("../presets/tuned.toml"),
        measured: Measured {
            accuracies: &[0.898_52, 0.895_20, 0.898_52, 0.902_08, 0.897_80],
            minutes: 5.0,
        },
    },
];

/// The preset of this name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

impl Preset {
    /// Its settings, with those of `file`, the contents of a configuration file that messages call `name`, over them.
    ///
    /// # Errors
    /// If `file` is none.
    pub fn with_file(&self, file: Option<(&str, &str)>) -> Result<RunConfig> {
        let mut config = match file {
            Some((text, name)) => with_file(self.text, text, name)?,
            None => toml::from_str(self.text).context("a preset is TOML")?,
        };
        config.preset = Some(self.name.to_owned());
        Ok(config)
    }
}

/// How long the preset of a configuration takes, if it has one.
pub fn duration(config: &RunConfig) -> Option<String> {
    let preset = find(config.preset.as_deref()?)?;
    Some(format!(
        "preset {}: with the IMDB reviews about {} minutes on two cores of a CPU",
        preset.name, preset.measured.minutes
    ))
}

/// The settings that a TOML text has, with those of `file`, the contents of a configuration file that messages call
/// `name`, over them.
///
/// # Errors
/// If `file` is none.
pub fn with_file(settings: &str, file: &str, name: &str) -> Result<RunConfig> {
    // What is wrong with the file is best said of the file alone.
    RunConfig::from_toml(file, name)?;
    let mut settings: Table = toml::from_str(settings)?;
    over(&mut settings, toml::from_str(file)?);
    Ok(settings.try_into()?)
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
    use super::*;

    #[test]
    fn every_preset_can_be_followed() {
        for preset in &PRESETS {
            let config = preset.with_file(None).unwrap();
            config.validate().unwrap();
            assert_eq!(config.preset.as_deref(), Some(preset.name));
            assert!(preset.measured.accuracy().mean < 1.0 && preset.measured.minutes > 0.0);
        }
    }

    #[test]
    fn the_lessons_preset_is_what_is_done_without_one() {
        let mut lesson = find("lesson").unwrap().with_file(None).unwrap();
        lesson.preset = None;
        assert_eq!(lesson, RunConfig::default());
    }

    #[test]
    fn a_file_decides_over_a_preset_and_says_no_more_than_it_has() {
        let file = "[model]\nhidden_size = 9\n[training.groups.head]\nrate = 0.5\n";
        let with_file = |text| find("lesson").unwrap().with_file(Some((text, "my.toml")));
        let config = with_file(file).unwrap();
        assert_eq!(config.model.hidden_size, 9);
        assert_eq!(config.model.embedding_size, 16);
        assert_eq!(config.training.groups.head.rate, 0.5);
        let error = with_file("[model]\nhiden_size = 9\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("my.toml, line 2"), "{error}");
    }
}
