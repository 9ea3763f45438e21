//! The receiver operating characteristic of two classes.

use serde::Serialize;

/// Points that a curve keeps.
const POINTS: usize = 200;

/// How well the second of two classes is ranked before the first by its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roc {
    /// The area under the curve: the probability that an example of the second class is given a higher probability of
    /// it than one of the first, ties counted half.
    pub area: f64,
    /// The shares of the first and of the second class that are answered with the second, for falling thresholds: from
    /// (0, 0) to (1, 1). Of a long curve some points are left out.
    pub points: Vec<(f64, f64)>,
}

/// Log-odds of the second class, and whether it was right.
#[derive(Default)]
pub(super) struct Ranking(Vec<(f64, bool)>);

impl Ranking {
    pub fn add(&mut self, log_odds: f64, is_second: bool) {
        self.0.push((log_odds, is_second));
    }

    /// The curve, where there are examples of both classes.
    pub fn roc(mut self) -> Option<Roc> {
        let second = self.0.iter().filter(|(_, is_second)| *is_second).count();
        let first = self.0.len() - second;
        if first == 0 || second == 0 {
            return None;
        }
        self.0.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
        // As many as have been met of each class, after each group of equals.
        let mut met = vec![(0, 0)];
        let (mut firsts, mut seconds, mut twice_area) = (0, 0, 0u128);
        for equals in self.0.chunk_by(|a, b| a.0 == b.0) {
            let right = equals.iter().filter(|(_, is_second)| *is_second).count();
            let wrong = equals.len() - right;
            twice_area += wrong as u128 * (2 * seconds + right) as u128;
            (firsts, seconds) = (firsts + wrong, seconds + right);
            met.push((firsts, seconds));
        }
        let every = met.len().div_ceil(POINTS);
        let kept = met
            .iter()
            .enumerate()
            .filter(|(place, point)| place % every == 0 || **point == (first, second));
        let share = |(firsts, seconds): (usize, usize)| {
            (firsts as f64 / first as f64, seconds as f64 / second as f64)
        };
        Some(Roc {
            area: twice_area as f64 / (2.0 * first as f64 * second as f64),
            points: kept.map(|(_, &point)| share(point)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roc(scores: &[f64], is_second: &[bool]) -> Option<Roc> {
        Ranking(
            scores
                .iter()
                .copied()
                .zip(is_second.iter().copied())
                .collect(),
        )
        .roc()
    }

    #[test]
    fn the_curve_is_that_of_scikit_learn() {
        // roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        let found = roc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]).unwrap();
        assert_eq!(found.area, 0.75);
        assert_eq!(
            found.points,
            [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)]
        );
    }

    #[test]
    fn the_area_is_mann_whitneys_with_ties_counted_half() {
        let scores: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 11)).collect();
        let is_second: Vec<bool> = (0..60).map(|i| i * 29 % 7 < 3).collect();
        let of = |wanted: bool| {
            let pairs = scores.iter().zip(&is_second);
            pairs
                .filter(move |pair| *pair.1 == wanted)
                .map(|pair| *pair.0)
        };
        let (mut won, mut pairs) = (0.0, 0.0);
        for second in of(true) {
            for first in of(false) {
                pairs += 1.0;
                won += if second > first {
                    1.0
                } else if second == first {
                    0.5
                } else {
                    0.0
                };
            }
        }
        let area = roc(&scores, &is_second).unwrap().area;
        assert!((area - won / pairs).abs() < 1e-12, "{area}");
        // All alike: no better than chance, and no curve but its ends.
        let alike = roc(&[0.3; 4], &[true, false, true, false]).unwrap();
        assert_eq!((alike.area, alike.points.len()), (0.5, 2));
        assert_eq!(roc(&[0.3, 0.4], &[true, true]), None);
    }

    #[test]
    fn a_long_curve_keeps_its_ends_and_few_points() {
        let scores: Vec<f64> = (0..5001).map(f64::from).collect();
        let is_second: Vec<bool> = (0..5001).map(|i| i % 3 == 0).collect();
        let found = roc(&scores, &is_second).unwrap();
        assert!(found.points.len() <= POINTS + 1, "{}", found.points.len());
        assert_eq!(found.points[0], (0.0, 0.0));
        assert_eq!(found.points.last(), Some(&(1.0, 1.0)));
    }
}
