//! Whether probabilities are what they say.

use serde::Serialize;

use super::share;

/// Bins of equal width between 0 and 1.
const BINS: usize = 10;

/// Whether answers are right as often as their probabilities say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The expected calibration error: how far accuracy and mean probability lie apart in a bin, on average over
    /// the answers.
    pub expected_error: f64,
    /// Answers by their probability, in ten bins of equal width; those without an answer are left out.
    pub bins: Vec<Bin>,
}

/// Answers of similar probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// The least probability in it.
    pub from: f64,
    /// That of the next bin's begin; of the last one, 1, which belongs to it.
    pub to: f64,
    /// Answers in it.
    pub count: usize,
    /// Their mean probability.
    pub probability: f64,
    /// The share of right ones.
    pub accuracy: f64,
}

/// Bins, as answers are read.
#[derive(Default)]
pub(super) struct CalibrationTally([BinTally; BINS]);

#[derive(Clone, Copy, Default)]
struct BinTally {
    count: usize,
    right: usize,
    probability: f64,
}

impl CalibrationTally {
    /// An answer that was given with a probability.
    pub fn add(&mut self, probability: f64, is_right: bool) {
        let place = (probability * BINS as f64) as usize;
        let bin = &mut self.0[place.min(BINS - 1)];
        bin.count += 1;
        bin.right += usize::from(is_right);
        bin.probability += probability;
    }

    pub fn calibration(self) -> Calibration {
        let all: usize = self.0.iter().map(|bin| bin.count).sum();
        let filled = self.0.iter().enumerate().filter(|(_, bin)| bin.count > 0);
        let bins: Vec<_> = filled
            .map(|(place, bin)| Bin {
                from: share(place, BINS),
                to: share(place + 1, BINS),
                count: bin.count,
                probability: bin.probability / bin.count as f64,
                accuracy: share(bin.right, bin.count),
            })
            .collect();
        let errors = bins
            .iter()
            .map(|bin| share(bin.count, all) * (bin.accuracy - bin.probability).abs());
        Calibration {
            expected_error: errors.sum(),
            bins,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_mean_distance_of_accuracy_and_probability() {
        let mut tally = CalibrationTally::default();
        for (probability, is_right) in [(0.65, true), (0.65, false), (0.95, true), (1.0, true)] {
            tally.add(probability, is_right);
        }
        let found = tally.calibration();
        assert_eq!(found.bins.len(), 2);
        assert_eq!((found.bins[0].from, found.bins[0].to), (0.6, 0.7));
        assert_eq!((found.bins[0].count, found.bins[0].accuracy), (2, 0.5));
        assert_eq!((found.bins[1].count, found.bins[1].to), (2, 1.0));
        let expected = 0.5 * 0.15 + 0.5 * 0.025;
        assert!((found.expected_error - expected).abs() < 1e-12, "{found:?}");
    }
}
