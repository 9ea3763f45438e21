//! Seeded random order, the same on every platform.
//!
//! A data set's split and an epoch's batches are part of a run that others repeat, so both the key
//! and the shuffle are spelt out here: neither depends on the width of `usize` nor on a sampling
//! algorithm that a library may improve.

use rand::{Rng, SeedableRng};
pub use rand_chacha::ChaCha8Rng;

/// The generator whose 256-bit key is `purpose` followed by `seed` (little endian) and zeros, at
/// the given stream.
pub fn generator(purpose: [u8; 8], seed: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&purpose);
    key[8..16].copy_from_slice(&seed.to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(stream);
    generator
}

/// A number below `count`, each as likely: the high half of a 64-bit draw times `count`.
pub fn below(count: usize, generator: &mut ChaCha8Rng) -> usize {
    ((u128::from(generator.next_u64()) * count as u128) >> 64) as usize
}

/// A number uniform in [0, 1): the upper 24 bits of a 64-bit draw, all that an f32 holds.
pub fn unit(generator: &mut ChaCha8Rng) -> f32 {
    (generator.next_u64() >> 40) as f32 / (1u32 << 24) as f32
}

/// Fisher and Yates's shuffle, from the end.
pub fn shuffle<T>(items: &mut [T], generator: &mut ChaCha8Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, generator));
    }
}

/// Brings records that come sorted by label into an order that is the same every time.
pub(crate) fn mix<T>(records: &mut [T]) {
    shuffle(records, &mut generator(*b"reviews\0", 0, 0));
}

/// What a test expects for all time.
#[cfg(test)]
pub(crate) mod golden {
    /// FNV-1a with 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>).
    pub(crate) fn hash(bytes: impl IntoIterator<Item = u8>) -> u64 {
        bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(hash(*b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(*b"foobar"), 0x8594_4171_f739_67e8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_fixed_for_all_time() {
        let mut items: Vec<u32> = (0..12).collect();
        mix(&mut items);
        assert_eq!(items, [9, 11, 2, 7, 0, 5, 1, 8, 4, 6, 10, 3]);
    }

    #[test]
    fn the_draws_of_a_seed_are_fixed_for_all_time() {
        let mut generator = generator(*b"testing\0", 42, 3);
        let draws = (0..1000).flat_map(|count| {
            let place = below(count + 1, &mut generator) as u64;
            let unit = unit(&mut generator).to_bits();
            [place.to_le_bytes(), u64::from(unit).to_le_bytes()].concat()
        });
        assert_eq!(golden::hash(draws), 6_068_402_533_537_003_100);
    }

    #[test]
    fn every_order_of_three_is_as_likely() {
        let mut counts = std::collections::BTreeMap::new();
        let mut generator = generator(*b"testing\0", 7, 0);
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            shuffle(&mut items, &mut generator);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(
            counts.values().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn units_fill_their_range_evenly() {
        let mut generator = generator(*b"testing\0", 7, 0);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[(unit(&mut generator) * 10.0) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn purpose_seed_and_stream_each_change_the_draws() {
        let first = |purpose, seed, stream| generator(purpose, seed, stream).next_u64();
        let reference = first(*b"testing\0", 1, 1);
        assert_eq!(reference, first(*b"testing\0", 1, 1));
        assert_ne!(reference, first(*b"tasting\0", 1, 1));
        assert_ne!(reference, first(*b"testing\0", 2, 1));
        assert_ne!(reference, first(*b"testing\0", 1, 2));
    }
}
