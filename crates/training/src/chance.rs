//! What is larger than chance: spreads over seeds, and how far a share of right answers may be off.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Student's t that 95 % of all draws stay below in size, by degrees of freedom from 1.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// Mean and deviation of a measure over trainings that differ in their seed alone.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the sample; 0 of one value.
    pub deviation: f64,
    /// Of how many values.
    pub count: usize,
}

impl Spread {
    /// The spread of values; none of no value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2));
        let deviation = (squares.sum::<f64>() / (count - 1).max(1) as f64).sqrt();
        Some(Self {
            mean,
            deviation,
            count,
        })
    }

    /// How far two means may lie apart by chance, at 95 %: Welch's t times the difference's standard error. Without
    /// end where one is of a single value.
    pub fn chance(&self, other: &Self) -> f64 {
        if self.count.min(other.count) < 2 {
            return f64::INFINITY;
        }
        let [a, b] = [self, other].map(|of| of.deviation.powi(2) / of.count as f64);
        let part = |variance: f64, of: &Self| variance.powi(2) / (of.count - 1) as f64;
        let freedom = (a + b).powi(2) / (part(a, self) + part(b, other));
        (a + b).sqrt() * student(freedom)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 | 1 => write!(f, "{:.4}", self.mean),
            _ => write!(f, "{:.4} ± {:.4}", self.mean, self.deviation),
        }
    }
}

/// Student's t for 95 % on both sides; of fewer whole degrees of freedom, so it is never too small.
fn student(freedom: f64) -> f64 {
    match freedom {
        // No value differs from another: any t will do.
        _ if freedom.is_nan() => 0.0,
        0.0..31.0 => T[(freedom as usize).clamp(1, T.len()) - 1],
        31.0..121.0 => 2.042,
        _ => 1.98,
    }
}

/// How far a share that was found in `count` answers may be off by chance: two standard errors, about 95 %.
pub fn share_chance(share: f64, count: usize) -> f64 {
    2.0 * (share * (1.0 - share) / count.max(1) as f64).sqrt()
}

/// How far two shares that were each found in `count` answers may lie apart by chance, as two networks' that are as
/// good as each other.
pub fn difference_chance(one: f64, other: f64, count: usize) -> f64 {
    share_chance(one, count).hypot(share_chance(other, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-3, "{value}, not {expected}");
    }

    #[test]
    fn a_spread_is_of_the_sample() {
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((spread.mean, spread.count), (5.0, 8));
        near(spread.deviation, (32f64 / 7.0).sqrt());
        assert_eq!(Spread::of(&[3.0]).unwrap().deviation, 0.0);
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn welchs_interval_is_the_published_one() {
        // Deviations 1 and 2, four values each: standard error √1.25, 4.41 degrees of freedom, of which 4 count.
        let one = Spread {
            mean: 0.0,
            deviation: 1.0,
            count: 4,
        };
        let two = Spread {
            mean: 3.0,
            deviation: 2.0,
            count: 4,
        };
        near(one.chance(&two), 1.25f64.sqrt() * 2.776);
        assert_eq!(one.chance(&two), two.chance(&one));
        // Of equal spreads it is Student's, with 6.
        near(one.chance(&one), 0.5f64.sqrt() * 2.447);
    }

    #[test]
    fn one_value_tells_no_difference_and_equal_values_any() {
        let one = Spread::of(&[1.0]).unwrap();
        let twice = Spread::of(&[2.0, 2.0]).unwrap();
        assert_eq!(one.chance(&twice), f64::INFINITY);
        assert_eq!(twice.chance(&twice), 0.0);
    }

    #[test]
    fn shares_are_off_by_two_standard_errors() {
        near(share_chance(0.5, 100), 0.1);
        near(difference_chance(0.5, 0.5, 100), 0.1414);
        assert_eq!(share_chance(1.0, 10), 0.0);
        assert_eq!(share_chance(0.5, 0), 1.0);
    }

    #[test]
    fn t_falls_with_the_degrees_of_freedom() {
        let all: Vec<f64> = (1..200)
            .map(|freedom| student(f64::from(freedom)))
            .collect();
        assert!(all.windows(2).all(|pair| pair[0] >= pair[1]));
        assert_eq!(student(0.4), 12.706);
    }
}
