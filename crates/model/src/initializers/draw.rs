//! Numbers from a generator's bits.
//!
//! First weights are part of a run that others repeat, so their draws are spelt out here: they
//! depend neither on a sampling algorithm that a library may improve, nor on the system's `ln`, whose last
//! bit differs between processors.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The generator of a network's first weights: its 256-bit key is `weights\0`, `seed` (little endian) and zeros.
pub(crate) fn generator(seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(b"weights\0");
    key[8..16].copy_from_slice(&seed.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Uniform in [-1, 1): the upper 24 bits of a 32-bit draw, all that an f32 holds.
pub(crate) fn uniform(rng: &mut dyn Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1u32 << 23) as f32 - 1.0
}

/// Uniform in [-1, 1): the upper 53 bits of a 64-bit draw, all that an f64 holds.
fn uniform_f64(rng: &mut dyn Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Two standard normal numbers, by Marsaglia and Bray's polar method (1964).
fn normal_pair(rng: &mut dyn Rng) -> [f64; 2] {
    loop {
        let (x, y) = (uniform_f64(rng), uniform_f64(rng));
        let square = x * x + y * y;
        if 0.0 < square && square < 1.0 {
            let factor = (-2.0 * libm::log(square) / square).sqrt();
            return [x * factor, y * factor];
        }
    }
}

/// `count` standard normal numbers.
pub(crate) fn normals(count: usize, rng: &mut dyn Rng) -> impl Iterator<Item = f64> {
    std::iter::repeat_with(|| normal_pair(rng))
        .flatten()
        .take(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_numbers_fill_their_range_evenly() {
        let rng = &mut generator(7);
        let mut counts = [0; 10];
        for _ in 0..10_000 {
            counts[((uniform(rng) + 1.0) * 5.0) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn normal_numbers_have_the_shares_of_a_bell() {
        let values: Vec<f64> = normals(100_001, &mut generator(7)).collect();
        assert_eq!(values.len(), 100_001);
        for (bound, share) in [(-2.0, 0.02275), (-1.0, 0.15866), (0.0, 0.5), (1.5, 0.93319)] {
            let below = values.iter().filter(|&&value| value < bound).count();
            let found = below as f64 / values.len() as f64;
            assert!((found - share).abs() < 0.005, "{found} below {bound}");
        }
        // Neighbours come in pairs, and know nothing of each other.
        let product: f64 = values.windows(2).map(|pair| pair[0] * pair[1]).sum();
        assert!((product / values.len() as f64).abs() < 0.01, "{product}");
    }
}
