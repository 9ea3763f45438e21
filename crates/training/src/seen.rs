//! Which examples a run was trained on, so that a test on them is told from one on others: eight bytes an example.

use std::collections::HashSet;

use gatefold_data::{EncodedDataset, Example, Sequence};

use crate::error::{Result, TrainingError};

/// Hashes of what a network reads of the examples that it was trained and validated on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(HashSet<u64>);

impl Seen {
    /// Bytes at most: of as many examples as four tables may have rows, for a run that begins from others.
    pub const MOST_BYTES: u64 = 8 << 27;

    /// Of all that is trained and validated on.
    pub fn of(data: &EncodedDataset) -> Self {
        let examples = data.train.iter().chain(&data.validation);
        Self(examples.map(|example| hash(&example.input)).collect())
    }

    /// Whether the network reads a sequence as it read one of these.
    pub fn has(&self, sequence: &Sequence) -> bool {
        self.0.contains(&hash(sequence))
    }

    /// These and those.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// How many of the examples are read as one of these.
    pub fn count(&self, examples: &[Example]) -> usize {
        let known = |example: &&Example| self.has(&example.input);
        examples.iter().filter(known).count()
    }

    /// Those of other examples that the network doesn't read as it read one of these.
    pub fn others(&self, examples: &[Example]) -> Vec<Example> {
        let other = |example: &&Example| !self.has(&example.input);
        examples.iter().filter(other).cloned().collect()
    }

    /// As a file's bytes: the hashes from the least, little endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut hashes: Vec<u64> = self.0.iter().copied().collect();
        hashes.sort_unstable();
        hashes.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// From a file's bytes.
    ///
    /// # Errors
    /// If they are no whole hashes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (hashes, rest) = bytes.as_chunks();
        match rest.len() {
            0 => Ok(Self(
                hashes.iter().copied().map(u64::from_le_bytes).collect(),
            )),
            rest => Err(TrainingError::Bundle(format!(
                "it is damaged: {rest} bytes too many"
            ))),
        }
    }
}

/// A hash of a sequence: FNV-1a of its words of 32 bits, mixed at the end.
fn hash(sequence: &Sequence) -> u64 {
    let feed = |hash: u64, word: u32| (hash ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01b3);
    let start = 0xcbf2_9ce4_8422_2325;
    let hash = match sequence {
        Sequence::Tokens(ids) => ids.iter().copied().fold(start, feed),
        Sequence::Values { values, .. } => {
            values.iter().map(|value| value.to_bits()).fold(start, feed)
        }
    };
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: &[u32]) -> Example {
        Sequence::Tokens(ids.to_vec()).into()
    }

    #[test]
    fn examples_that_were_seen_are_known_again() {
        let known = [tokens(&[1, 5, 6]), tokens(&[1, 6, 5]), tokens(&[1])];
        let seen = Seen(known.iter().map(|example| hash(&example.input)).collect());
        assert_eq!(seen.0.len(), 3);
        let seen = Seen::from_bytes(&seen.to_bytes()).unwrap();
        assert_eq!(seen.others(&known), []);
        let other = [tokens(&[1, 5]), tokens(&[5, 6])];
        let mixed = [other[0].clone(), known[1].clone(), other[1].clone()];
        assert_eq!(seen.others(&mixed), other);
        assert_eq!(seen.count(&mixed), 1);
        let more = Seen([hash(&other[0].input)].into());
        assert_eq!(seen.and(more).others(&mixed), other[1..]);
    }

    #[test]
    fn half_a_hash_is_damage() {
        let error = Seen::from_bytes(&[0; 12]).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
    }
}
