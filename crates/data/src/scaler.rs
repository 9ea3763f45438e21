//! Numbers of different sizes, made alike.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{DataError, Result, from_json};
use crate::sequence::Sequence;

/// The standard score of every number of a timestep: how many standard deviations it lies above its mean.
///
/// Means and deviations are those over all timesteps of what it was fitted on. The deviation of a number that
/// never changes there is 1. Its serialised form is readable: `{"mean": [0.5, 20.0], "deviation": [0.1, 4.0]}`.
///
/// One that reads [missing](Self::fit_with_missing) numbers, NaN, makes their mean of them, which is 0.
///
/// ```
/// use gatefold_data::{Scaler, Sequence};
///
/// # fn main() -> gatefold_data::Result<()> {
/// let mut sequence = Sequence::Values { width: 2, values: vec![1.0, 7.0, 5.0, 7.0] };
/// let scaler = Scaler::fit([&sequence].into_iter(), 2)?;
/// scaler.apply(&mut sequence);
/// assert_eq!(sequence, Sequence::Values { width: 2, values: vec![-1.0, 0.0, 1.0, 0.0] });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Scaler {
    mean: Vec<f32>,
    deviation: Vec<f32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    missing: bool,
}

impl Scaler {
    /// Fits one to sequences of `width` numbers a timestep, in 64-bit arithmetic and in their order. Of no
    /// sequences at all, means are 0.
    ///
    /// # Errors
    /// [`DataError::Content`] if a sequence has another width, no timestep, or a number that is not finite.
    pub fn fit<'a>(sequences: impl Iterator<Item = &'a Sequence>, width: usize) -> Result<Self> {
        Self::fit_to(sequences, width, false)
    }

    /// Fits one to sequences in which numbers may be missing: the first half of each timestep are numbers, NaN
    /// where one is missing, the second half says of each whether it is, with 1, and stays as it is. Means and
    /// deviations are those of the numbers that are there.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), but for NaN.
    pub fn fit_with_missing<'a>(
        sequences: impl Iterator<Item = &'a Sequence>,
        width: usize,
    ) -> Result<Self> {
        Self::fit_to(sequences, width, true)
    }

    fn fit_to<'a>(
        sequences: impl Iterator<Item = &'a Sequence>,
        width: usize,
        missing: bool,
    ) -> Result<Self> {
        let scaled = if missing { width / 2 } else { width };
        let mut count = vec![0.0; width];
        let mut mean = vec![0.0; width];
        let mut squares = vec![0.0; width];
        for sequence in sequences {
            let values = sequence
                .check_values(width, missing)
                .map_err(|reason| DataError::Content { reason })?;
            for timestep in values.chunks(width) {
                // Welford's update: exact where a number never changes, whatever its size.
                let there = timestep[..scaled].iter().enumerate();
                for (place, &value) in there.filter(|(_, value)| !value.is_nan()) {
                    count[place] += 1.0;
                    let before = f64::from(value) - mean[place];
                    mean[place] += before / count[place];
                    squares[place] += before * (f64::from(value) - mean[place]);
                }
            }
        }
        let deviation = squares.into_iter().zip(count).map(|(squares, count)| {
            match (squares / f64::max(count, 1.0)).sqrt() as f32 {
                0.0 => 1.0,
                deviation => deviation,
            }
        });
        Ok(Self {
            deviation: deviation.collect(),
            mean: mean.into_iter().map(|mean| mean as f32).collect(),
            missing,
        })
    }

    /// One that changes nothing but missing numbers.
    pub(crate) fn blank(width: usize) -> Self {
        Self {
            mean: vec![0.0; width],
            deviation: vec![1.0; width],
            missing: true,
        }
    }

    /// Whether numbers may be missing.
    pub fn reads_missing(&self) -> bool {
        self.missing
    }

    /// The number at `place` of a timestep whose standard score is `score`.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn number(&self, score: f32, place: usize) -> f64 {
        f64::from(score) * f64::from(self.deviation[place]) + f64::from(self.mean[place])
    }

    /// The standard score of a number at `place` of a timestep.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn score(&self, number: f64, place: usize) -> f32 {
        ((number - f64::from(self.mean[place])) / f64::from(self.deviation[place])) as f32
    }

    /// Puts standard scores in the place of `numbers`, one timestep's.
    pub(crate) fn apply_to(&self, numbers: &mut [f32]) {
        for (place, value) in numbers.iter_mut().enumerate().take(self.width()) {
            *value = match value.is_nan() && self.missing {
                true => 0.0,
                false => self.score((*value).into(), place),
            };
        }
    }

    /// Puts standard scores in the place of a sequence's numbers.
    ///
    /// # Panics
    /// If the sequence is not one of as many numbers a timestep as the scaler was fitted on.
    pub fn apply(&self, sequence: &mut Sequence) {
        match sequence {
            Sequence::Values { width, values } if *width == self.width() => {
                let timesteps = values.chunks_mut(*width);
                timesteps.for_each(|timestep| self.apply_to(timestep));
            }
            _ => panic!(
                "a scaler of {} numbers a timestep scales no others",
                self.width()
            ),
        }
    }

    /// Numbers a timestep.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// The scaler as readable JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("finite numbers always have a JSON form")
    }

    /// Reads what [`Self::to_json`] wrote; `path` is for the message of an error.
    ///
    /// # Errors
    /// [`DataError::Saved`] if the text is no such JSON, or its numbers are no means and deviations.
    pub fn from_json(json: &str, path: &Path) -> Result<Self> {
        from_json(json, path, "scaler")
    }
}

/// The form of a scaler in a file.
#[derive(Deserialize)]
#[serde(rename = "Scaler", deny_unknown_fields)]
struct Saved {
    mean: Vec<f32>,
    deviation: Vec<f32>,
    #[serde(default)]
    missing: bool,
}

impl TryFrom<Saved> for Scaler {
    type Error = String;

    fn try_from(saved: Saved) -> std::result::Result<Self, String> {
        let Saved {
            mean,
            deviation,
            missing,
        } = saved;
        if mean.len() != deviation.len() || mean.is_empty() {
            return Err(format!(
                "{} means do not go with {} deviations",
                mean.len(),
                deviation.len()
            ));
        }
        let mut all = mean.iter().chain(&deviation);
        if let Some(number) = all.find(|number| !number.is_finite()) {
            return Err(format!("{number} is neither a mean nor a deviation"));
        }
        match deviation.iter().find(|deviation| **deviation <= 0.0) {
            Some(deviation) => Err(format!("{deviation} is no deviation")),
            None => Ok(Self {
                mean,
                deviation,
                missing,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(width: usize, values: &[f32]) -> Sequence {
        let values = values.to_vec();
        Sequence::Values { width, values }
    }

    fn scaled(scaler: &Scaler, mut sequence: Sequence) -> Vec<f32> {
        scaler.apply(&mut sequence);
        match sequence {
            Sequence::Values { values, .. } => values,
            Sequence::Tokens(_) => unreachable!("values stay values"),
        }
    }

    #[test]
    fn means_and_deviations_are_those_of_all_timesteps() {
        let sequences = [values(2, &[1.0, 10.0]), values(2, &[2.0, 10.0, 6.0, 40.0])];
        let scaler = Scaler::fit(sequences.iter(), 2).unwrap();
        assert_eq!((scaler.width(), &scaler.mean[..]), (2, &[3.0, 20.0][..]));
        let deviations = [(14.0_f32 / 3.0).sqrt(), 200.0_f32.sqrt()];
        assert_eq!(scaler.deviation, deviations);
        let score = (40.0 - 20.0) / deviations[1];
        assert_eq!(scaled(&scaler, values(2, &[3.0, 40.0])), [0.0, score]);
    }

    #[test]
    fn what_never_changes_is_only_moved() {
        for constant in [0.0, 0.1, -3e38, 1e-40] {
            let sequence = values(1, &[constant; 1000]);
            let scaler = Scaler::fit([&sequence].into_iter(), 1).unwrap();
            assert_eq!((scaler.mean[0], scaler.deviation[0]), (constant, 1.0));
            assert_eq!(scaled(&scaler, values(1, &[constant])), [0.0]);
        }
        let scaler = Scaler::fit(std::iter::empty(), 1).unwrap();
        assert_eq!(scaled(&scaler, values(1, &[3.0])), [3.0]);
    }

    #[test]
    fn small_changes_of_large_numbers_count() {
        let sequence = values(1, &[16_000_000.0, 16_000_001.0, 16_000_002.0]);
        let scaler = Scaler::fit([&sequence].into_iter(), 1).unwrap();
        let scores = scaled(&scaler, sequence);
        assert_eq!(scores[1], 0.0);
        assert!((scores[2] - 1.5_f32.sqrt()).abs() < 1e-6, "{scores:?}");
    }

    #[test]
    fn what_is_no_sequence_of_finite_numbers_is_refused() {
        for (sequence, reason) in [
            (
                values(2, &[1.0, 2.0, f32::NAN, 4.0]),
                "number 1 of its timestep 2 is NaN",
            ),
            (
                values(2, &[1.0, f32::INFINITY]),
                "number 2 of its timestep 1 is inf",
            ),
            (
                values(2, &[1.0, 2.0, 3.0]),
                "its 3 numbers are no timesteps of 2",
            ),
            (values(2, &[]), "its 0 numbers are no timesteps of 2"),
            (
                values(3, &[1.0, 2.0, 3.0]),
                "its timesteps hold 3 numbers, where 2 are read",
            ),
            (Sequence::Tokens(vec![1]), "it holds token ids"),
        ] {
            let fitted = Scaler::fit([&values(2, &[1.0, 2.0]), &sequence].into_iter(), 2);
            let message = fitted.unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    #[should_panic(expected = "a scaler of 1 numbers a timestep scales no others")]
    fn another_width_is_not_scaled() {
        let scaler = Scaler::fit(std::iter::empty(), 1).unwrap();
        scaler.apply(&mut values(2, &[1.0, 2.0]));
    }

    #[test]
    fn damaged_json_is_refused_with_the_file_and_the_reason() {
        for (json, reason) in [
            (
                r#"{"mean": [1.0], "deviation": [1.0, 2.0]}"#,
                "1 means do not go with 2 deviations",
            ),
            (
                r#"{"mean": [], "deviation": []}"#,
                "0 means do not go with 0",
            ),
            (
                r#"{"mean": [1e39], "deviation": [1.0]}"#,
                "inf is neither a mean nor a deviation",
            ),
            (
                r#"{"mean": [1.0], "deviation": [0.0]}"#,
                "0 is no deviation",
            ),
            (
                r#"{"mean": [1.0], "deviation": [-1.0]}"#,
                "-1 is no deviation",
            ),
            (
                r#"{"mean": [null], "deviation": [1.0]}"#,
                "invalid type: null",
            ),
            (r#"{"mean": [1.0]}"#, "missing field `deviation`"),
            (
                r#"{"mean": [1.0], "deviation": [1.0], "width": 1}"#,
                "unknown field `width`",
            ),
        ] {
            let read = Scaler::from_json(json, Path::new("runs/1/scaler.json"));
            let message = read.unwrap_err().to_string();
            assert!(message.starts_with("runs/1/scaler.json: "), "{message}");
            assert!(message.contains(reason), "{message}");
            assert!(
                message.contains("the scaler belongs to its run"),
                "{message}"
            );
        }
    }

    proptest! {
        #[test]
        fn survives_its_json(numbers in prop::collection::vec(prop::num::f32::NORMAL, 2..40)) {
            let sequence = values(2, &numbers[..numbers.len() / 2 * 2]);
            let scaler = Scaler::fit([&sequence].into_iter(), 2).unwrap();
            let again = Scaler::from_json(&scaler.to_json(), Path::new("scaler.json")).unwrap();
            prop_assert_eq!(again, scaler);
        }
    }
}
