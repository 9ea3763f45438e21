//! What a network reads.

/// What a network reads, one timestep after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Sequence {
    /// An id a timestep.
    Tokens(Vec<u32>),
    /// As many numbers a timestep as `width` says.
    Values {
        /// Numbers a timestep.
        width: usize,
        /// Row-major `[timesteps, width]`.
        values: Vec<f32>,
    },
}

impl Sequence {
    /// How many timesteps there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Tokens(ids) => ids.len(),
            Self::Values { width, values } => values.len().checked_div(*width).unwrap_or(0),
        }
    }

    /// Whether there is no timestep.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last so many timesteps of it, or all where there are fewer.
    pub fn last(&self, timesteps: usize) -> Self {
        let skipped = self.len().saturating_sub(timesteps);
        match self {
            Self::Tokens(ids) => Self::Tokens(ids[skipped..].to_vec()),
            Self::Values { width, values } => Self::Values {
                width: *width,
                values: values[skipped * width..].to_vec(),
            },
        }
    }

    /// Its numbers, `[timesteps, expected]`; refuses what are no finite numbers, `expected` a timestep, of one
    /// timestep at least. NaN stands for a number that is missing, where one may be.
    pub(crate) fn check_values(&self, expected: usize, missing: bool) -> Result<&[f32], String> {
        let Self::Values { width, values } = self else {
            return Err("it holds token ids: give the text that they stand for".to_owned());
        };
        let is_bad = |value: &f32| !(value.is_finite() || missing && value.is_nan());
        let infinite = values.iter().position(is_bad);
        if *width != expected || expected == 0 {
            Err(format!(
                "its timesteps hold {width} numbers, where {expected} are read"
            ))
        } else if values.is_empty() || !values.len().is_multiple_of(expected) {
            Err(format!(
                "its {} numbers are no timesteps of {expected}",
                values.len()
            ))
        } else if let Some(place) = infinite {
            let (timestep, number) = (1 + place / width, 1 + place % width);
            Err(format!(
                "number {number} of its timestep {timestep} is {}",
                values[place]
            ))
        } else {
            Ok(values)
        }
    }

    /// Keeps the last `steps` timesteps, in no more memory than they take.
    pub fn keep_last(&mut self, steps: usize) {
        let surplus = self.len().saturating_sub(steps);
        if surplus > 0 {
            match self {
                Self::Tokens(ids) => *ids = ids.split_off(surplus),
                Self::Values { width, values } => *values = values.split_off(surplus * *width),
            }
        }
    }

    /// The first `steps` timesteps.
    pub fn prefix(&self, steps: usize) -> Self {
        let steps = steps.min(self.len());
        match self {
            Self::Tokens(ids) => Self::Tokens(ids[..steps].to_vec()),
            Self::Values { width, values } => Self::Values {
                width: *width,
                values: values[..steps * width].to_vec(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `timesteps` of `width` numbers, from 0 on.
    fn values(width: usize, timesteps: std::ops::Range<usize>) -> Sequence {
        let numbers = timesteps.start * width..timesteps.end * width;
        let values = numbers.map(|number| number as f32).collect();
        Sequence::Values { width, values }
    }

    #[test]
    fn both_kinds_are_cut_by_timesteps() {
        let tokens =
            |ids: std::ops::Range<usize>| Sequence::Tokens(ids.map(|id| id as u32).collect());
        let three = |timesteps| values(3, timesteps);
        let kinds: [&dyn Fn(std::ops::Range<usize>) -> Sequence; 2] = [&tokens, &three];
        for sequence in kinds {
            let whole = sequence(0..5);
            assert_eq!((whole.len(), whole.is_empty()), (5, false));
            for steps in 0..8 {
                let mut last = whole.clone();
                last.keep_last(steps);
                assert_eq!(last, sequence(5 - steps.min(5)..5));
                assert_eq!(whole.prefix(steps), sequence(0..steps.min(5)));
            }
            assert!(whole.prefix(0).is_empty());
        }
    }

    #[test]
    fn timesteps_without_numbers_are_none() {
        assert!(values(0, 0..4).is_empty());
        assert!(values(0, 0..4).prefix(1).is_empty());
    }
}
