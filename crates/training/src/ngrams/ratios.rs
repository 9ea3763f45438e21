//! How much more often a class has a run than the rest does (Wang and Manning 2012, "Baselines and bigrams: simple, good
//! sentiment and topic classification").

use super::features::Rows;

/// How many rows have each run.
pub(super) struct Counts {
    /// Of each class, `[classes, runs]`.
    of_classes: Vec<u32>,
    all: Vec<u32>,
}

impl Counts {
    pub fn of(rows: &Rows, runs: usize, classes: usize) -> Self {
        let (mut of_classes, mut all) = (vec![0; runs * classes], vec![0; runs]);
        for (row, class) in rows.iter() {
            for &run in row {
                of_classes[class as usize * runs + run as usize] += 1;
                all[run as usize] += 1;
            }
        }
        Self { of_classes, all }
    }

    /// Of each run r = ln((p + 1) / |p + 1|) - ln((q + 1) / |q + 1|), where p counts the rows of the class that have it,
    /// q the others.
    pub fn ratios(&self, class: u32) -> Vec<f32> {
        let runs = self.all.len();
        let of_class = &self.of_classes[class as usize * runs..][..runs];
        let pairs = of_class.iter().zip(&self.all);
        let pairs =
            pairs.map(|(&count, &all)| (f64::from(count) + 1.0, f64::from(all - count) + 1.0));
        let sums = pairs
            .clone()
            .fold((0.0, 0.0), |sums, (p, q)| (sums.0 + p, sums.1 + q));
        let ratio = pairs.map(|(p, q)| (p / sums.0).ln() - (q / sums.1).ln());
        ratio.map(|ratio| ratio as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_computed_by_hand() {
        // Three rows of class 1, one of class 0, one of class 2; runs 5, 6 and 7.
        let known = [6, 7, 8];
        let texts: [(&[u32], u32); 5] = [
            (&[5, 6], 1),
            (&[5], 1),
            (&[5, 7], 1),
            (&[6, 7], 0),
            (&[7], 2),
        ];
        let rows = Rows::of(&known, &texts, 1);
        let counts = Counts::of(&rows, 3, 3);
        // p + 1 = 4, 2, 2 of 8; q + 1 = 1, 2, 3 of 6.
        let expected = [
            (4.0 / 8.0) / (1.0 / 6.0),
            (2.0 / 8.0) / (2.0 / 6.0),
            (2.0 / 8.0) / (3.0 / 6.0),
        ];
        for (found, expected) in counts.ratios(1).iter().zip(expected) {
            assert!(
                (f64::from(*found) - f64::ln(expected)).abs() < 1e-6,
                "{found}"
            );
        }
    }
}
