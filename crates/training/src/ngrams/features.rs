//! Which runs of tokens a text has, and which of them are learnt from.

use std::cmp::Reverse;
use std::ops::Range;

use gatefold_data::{Example, Sequence, Target};
use rayon::prelude::*;

/// Bits of a token in a key: three of them fill a 64-bit number but for one bit.
const BITS: u32 = 21;

/// The largest token id that a key holds. A key holds ids plus 1, so that no run is the end of another.
pub(super) const MOST_ID: u32 = (1 << BITS) - 2;

/// The keys of all runs of `lengths` tokens in `ids`, ascending, each once. A run with an id for which `is_word` doesn't
/// hold is none.
pub(super) fn keys(ids: &[u32], lengths: Range<usize>, is_word: impl Fn(u32) -> bool) -> Vec<u64> {
    let mut keys = Vec::with_capacity(lengths.len() * ids.len());
    for start in 0..ids.len() {
        let mut key = 0;
        for (length, &id) in (1..lengths.end).zip(&ids[start..]) {
            if !is_word(id) {
                break;
            }
            key = key << BITS | u64::from(id + 1);
            if length >= lengths.start {
                keys.push(key);
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The tokens that an example has, and its class.
pub(super) fn labelled(example: &Example) -> Option<(&[u32], u32)> {
    match (&example.input, &example.target) {
        (Sequence::Tokens(ids), Some(Target::Class(class))) => Some((ids, *class)),
        _ => None,
    }
}

/// The keys of the runs of 1 to `orders` words that at least `min_count` of the texts have: the `most` that most texts
/// have, and of equals those of the smallest keys. Ascending.
///
/// A length of runs is counted at a time: beside the texts this takes the memory of two 64-bit numbers a token.
pub(super) fn frequent(
    texts: &[&[u32]],
    words: &Range<u32>,
    (orders, min_count, most): (usize, usize, usize),
) -> Vec<u64> {
    let mut counted = Vec::new();
    for order in 1..=orders {
        let runs = |ids: &&[u32]| keys(ids, order..order + 1, |id| words.contains(&id));
        let mut all: Vec<u64> = texts.par_iter().flat_map_iter(runs).collect();
        all.par_sort_unstable();
        let runs = all.chunk_by(|a, b| a == b);
        let runs = runs.filter(|texts| texts.len() >= min_count);
        counted.extend(runs.map(|texts| (Reverse(texts.len()), texts[0])));
    }
    if counted.len() > most {
        counted.select_nth_unstable(most);
        counted.truncate(most);
    }
    let mut keys: Vec<u64> = counted.into_iter().map(|(_, key)| key).collect();
    keys.sort_unstable();
    keys
}

/// The places in `known`, ascending, of those runs of 1 to `orders` tokens of `ids` that are there.
pub(super) fn places(known: &[u64], ids: &[u32], orders: usize) -> Vec<u32> {
    let mut at = 0;
    let found = keys(ids, 1..orders + 1, |id| id <= MOST_ID);
    let place = |key: u64| {
        at += known[at..].partition_point(|&other| other < key);
        (known.get(at) == Some(&key)).then_some(at as u32)
    };
    found.into_iter().filter_map(place).collect()
}

/// Texts as the places of their runs, with their classes.
pub(super) struct Rows {
    ends: Vec<usize>,
    places: Vec<u32>,
    pub classes: Vec<u32>,
}

impl Rows {
    pub fn of(known: &[u64], texts: &[(&[u32], u32)], orders: usize) -> Self {
        let found = texts.par_iter().map(|(ids, _)| places(known, ids, orders));
        let found: Vec<Vec<u32>> = found.collect();
        let mut end = 0;
        let ends = found.iter().map(|row| {
            end += row.len();
            end
        });
        Self {
            ends: ends.collect(),
            places: found.concat(),
            classes: texts.iter().map(|(_, class)| *class).collect(),
        }
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The runs of all texts.
    pub fn runs(&self) -> usize {
        self.places.len()
    }

    pub fn row(&self, row: usize) -> &[u32] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.places[start..self.ends[row]]
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u32], u32)> {
        (0..self.len()).map(|row| (self.row(row), self.classes[row]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ids: &[u32]) -> u64 {
        let id = |key: u64, &id: &u32| (key << 21) + u64::from(id) + 1;
        ids.iter().fold(0, id)
    }

    #[test]
    fn a_text_has_each_of_its_runs_once_and_none_over_what_is_no_word() {
        let runs = keys(&[1, 5, 6, 5, 6, 2, 7], 1..4, |id| id >= 3);
        let expected: [&[u32]; 7] = [&[5], &[6], &[7], &[5, 6], &[6, 5], &[5, 6, 5], &[6, 5, 6]];
        assert_eq!(runs, expected.map(key));
        let pairs = keys(&[5, 6, 5], 2..3, |_| true);
        assert_eq!(pairs, [[5, 6], [6, 5]].map(|ids| key(&ids)));
        assert_ne!(key(&[0, 5]), key(&[5]));
        let largest = keys(&[MOST_ID; 3], 3..4, |_| true);
        assert_eq!(largest, [(1 << 63) - 1]);
    }

    #[test]
    fn the_runs_of_most_texts_are_kept_and_the_smallest_of_equals() {
        let texts: [&[u32]; 3] = [&[1, 5, 6, 9], &[1, 5, 6, 8, 8], &[1, 6, 5]];
        let words = 3..100;
        let kept = |min, most| frequent(&texts, &words, (2, min, most));
        assert_eq!(kept(2, 100), [key(&[5]), key(&[6]), key(&[5, 6])]);
        assert_eq!(kept(2, 2), [key(&[5]), key(&[6])]);
        assert_eq!(kept(3, 100), [key(&[5]), key(&[6])]);
        let four = [&[5][..], &[6], &[8], &[5, 6]].map(key);
        assert_eq!(kept(1, 4), four);
        let places = places(&four, &[1, 8, 5, 6, 2, 6, 5], 2);
        assert_eq!(places, [0, 1, 2, 3]);
    }
}
