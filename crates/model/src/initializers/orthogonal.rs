//! Random matrices with orthonormal columns, by Cholesky QR: `V = Q R` where `Vᵀ V = Rᵀ R`, so `Q = V R⁻¹`.
//!
//! Once over leaves an error of the order of V's squared condition number, and once more removes it
//! (Yamamoto, Nakatsukasa, Yanagisawa and Fukaya 2015: *Roundoff error analysis of the CholeskyQR2 algorithm*).
//! Nearly all of the work is sums of products, fast on any processor.
//!
//! Every number is one fixed sequence of additions, multiplications, divisions and roots, each rounded by itself:
//! vectors hold independent sums and threads independent blocks. So neither their widths nor their number
//! change a bit.

// Plain indices: iterators are not always inlined here, where they cost most.
#![allow(clippy::needless_range_loop)]

use pulp::{Arch, Simd, WithSimd};
use rand::Rng;
use rayon::prelude::*;

use super::draw::normals;

const LANES: usize = 8;

/// Eight vectors side by side: the i-th row holds the i-th number of each.
type Strip = Vec<[f64; LANES]>;

/// Products may be this far from the identity's.
const TOLERANCE: f64 = 1e-12;

/// `length` rows of `count` numbers, row-major, with orthonormal columns; `count` is at most `length`. A normal
/// matrix's, made orthonormal from the first column on.
pub(super) fn orthonormal_columns(length: usize, count: usize, rng: &mut dyn Rng) -> Vec<f32> {
    loop {
        let mut rows = normal_rows(length, count, rng);
        for _ in 0..3 {
            let mut products = gram(&rows, count);
            if is_identity(&products) {
                let row = |k: usize| rows[k / LANES][..count].iter().map(move |of| of[k % LANES]);
                return (0..length)
                    .flat_map(row)
                    .map(|value| value as f32)
                    .collect();
            }
            if !factor(&mut products) {
                break;
            }
            rows.par_chunks_mut(4).for_each(|strips| {
                Arch::new().dispatch(Solve {
                    strips,
                    factor: &products,
                    first: 0,
                });
            });
        }
        // As good as singular, which one square matrix in ten thousand is: another is drawn.
    }
}

/// Standard normal rows, strip after strip, with zeros where a row or a column is missing.
fn normal_rows(length: usize, count: usize, rng: &mut dyn Rng) -> Vec<Strip> {
    let padded = count.next_multiple_of(LANES);
    let mut strips = vec![vec![[0.0; LANES]; padded]; length.div_ceil(LANES)];
    for (at, value) in normals(length * count, rng).enumerate() {
        let (k, i) = (at / count, at % count);
        strips[k / LANES][i][k % LANES] = value;
    }
    strips
}

/// The upper triangle of `Vᵀ V`, strips of columns; ones where a column is missing.
fn gram(rows: &[Strip], count: usize) -> Vec<Strip> {
    let padded = rows[0].len();
    let mut products = vec![vec![[0.0; LANES]; padded]; padded / LANES];
    // As many rows as a cache holds of two strips.
    for rows in rows.chunks(32) {
        let columns: Vec<Strip> = (0..padded / LANES)
            .into_par_iter()
            .map(|strip| {
                let column = |k: usize, i: usize| rows[k / LANES][strip * LANES + i][k % LANES];
                (0..rows.len() * LANES)
                    .map(|k| std::array::from_fn(|i| column(k, i)))
                    .collect()
            })
            .collect();
        products
            .par_iter_mut()
            .zip(&columns)
            .enumerate()
            .for_each(|(i, (out, right))| {
                let left = &columns[..=i];
                Arch::new().dispatch(AddProducts { out, left, right });
            });
    }
    for i in count..padded {
        products[i / LANES][i][i % LANES] = 1.0;
    }
    products
}

fn is_identity(products: &[Strip]) -> bool {
    products.iter().enumerate().all(|(strip, rows)| {
        let first = strip * LANES;
        rows[..first + LANES].iter().enumerate().all(|(i, row)| {
            row.iter().zip(first..).all(|(value, j)| {
                let expected = f64::from(u8::from(i == j));
                i > j || (value - expected).abs() < TOLERANCE
            })
        })
    })
}

/// Makes R of `Vᵀ V`. False if that is not positive definite, as far as numbers can tell.
fn factor(products: &mut [Strip]) -> bool {
    for pivot in 0..products.len() {
        let (before, after) = products.split_at_mut(pivot + 1);
        let first = pivot * LANES;
        let (solved, block) = before[pivot].split_at_mut(first);
        let sums = all_sums(solved, solved);
        for (row, sums) in block.iter_mut().zip(sums.as_flattened()) {
            subtract(row, sums);
        }
        for i in 0..LANES {
            let (above, row) = block[..=i].split_at_mut(i);
            for above in above.iter() {
                subtract(&mut row[0], &above.map(|value| above[i] * value));
            }
            if row[0][i] <= 0.0 {
                return false;
            }
            let root = row[0][i].sqrt();
            row[0] = row[0].map(|value| value / root);
            row[0][..i].fill(0.0);
        }
        let factor = &before[pivot..];
        after.par_chunks_mut(1).for_each(|strips| {
            Arch::new().dispatch(Solve {
                strips,
                factor,
                first: pivot,
            });
        });
    }
    true
}

/// Adds `leftᵀ right` to `out`, for each strip on the left.
struct AddProducts<'a> {
    out: &'a mut Strip,
    left: &'a [Strip],
    right: &'a Strip,
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, left) in self.out.chunks_exact_mut(LANES).zip(self.left) {
            let sums = all_sums(left, self.right);
            for (out, sums) in out.iter_mut().zip(sums.as_flattened()) {
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out += sum;
                }
            }
        }
    }
}

/// Solves `Rᵀ x = v` for the numbers of each strip that the `factor`'s strips, from block `first` on, stand for;
/// those before are known.
struct Solve<'a> {
    strips: &'a mut [Strip],
    factor: &'a [Strip],
    first: usize,
}

impl WithSimd for Solve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (block, factor) in (self.first..).zip(self.factor) {
            for strip in self.strips.iter_mut() {
                solve_block(strip, factor, block * LANES);
            }
        }
    }
}

/// Of `Rᵀ x = v`, the eight numbers from `first` on.
#[inline(always)]
fn solve_block(strip: &mut [[f64; LANES]], factor: &[[f64; LANES]], first: usize) {
    let (solved, block) = strip.split_at_mut(first);
    let sums = all_sums(factor, solved);
    for (i, sums) in sums.as_flattened().iter().enumerate() {
        let (above, row) = block[..=i].split_at_mut(i);
        let row = &mut row[0];
        subtract(row, sums);
        for (j, above) in above.iter().enumerate() {
            subtract(row, &above.map(|value| factor[first + j][i] * value));
        }
        *row = row.map(|value| value / factor[first + i][i]);
    }
}

/// `Σ_k left[k][i] · right[k]` for every i, four and four.
#[inline(always)]
fn all_sums(left: &[[f64; LANES]], right: &[[f64; LANES]]) -> [[[f64; LANES]; 4]; 2] {
    [sums::<0>(left, right), sums::<4>(left, right)]
}

/// `Σ_k left[k][FIRST + i] · right[k]` for four i.
#[inline(always)]
fn sums<const FIRST: usize>(left: &[[f64; LANES]], right: &[[f64; LANES]]) -> [[f64; LANES]; 4] {
    let mut sums = [[0.0; LANES]; 4];
    for (left, right) in left.iter().zip(right) {
        for i in 0..4 {
            for lane in 0..LANES {
                sums[i][lane] += left[FIRST + i] * right[lane];
            }
        }
    }
    sums
}

#[inline(always)]
fn subtract(from: &mut [f64; LANES], values: &[f64; LANES]) {
    for (from, value) in from.iter_mut().zip(values) {
        *from -= value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_singular_matrix_is_told_from_others() {
        // Of four rows: the second column is all zeros, or is not.
        let rows = |second: f64| {
            let mut strip = vec![[0.0; LANES]; LANES];
            strip[0][..4].fill(3.0);
            strip[1][..2].fill(second);
            vec![strip]
        };
        let mut singular = gram(&rows(0.0), 2);
        assert!(!is_identity(&singular) && !factor(&mut singular));
        let mut regular = gram(&rows(1.0), 2);
        assert!(!is_identity(&regular) && factor(&mut regular));
        // 6, 1, √(2 - 1²): the root of [[36, 6], [6, 2]].
        assert_eq!([regular[0][0][0], regular[0][0][1]], [6.0, 1.0]);
        assert_eq!([regular[0][1][0], regular[0][1][1]], [0.0, 1.0]);
    }
}
