//! The product of a tile's rows with a small matrix, which one core makes at every step.

// Plain indices: iterators are not always inlined here, where they cost most.
#![allow(clippy::needless_range_loop)]

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;

/// A matrix `[K, N]` as the product reads it: panel after panel of two vectors of columns, the last of one where their
/// number is odd, each row by row; N is padded with zeros to whole vectors.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    values: Aligned,
    /// What every row of the product starts from, `[N]`: zeros, or a bias.
    start: Aligned,
    /// K.
    rows: usize,
    /// N, padded.
    pub columns: usize,
}

impl Packed {
    /// `panel(first, to)` fills `to` `[K, width]`, which is zero, with the columns from `first` on.
    pub fn new<S: Simd>(rows: usize, columns: usize, panel: impl Fn(usize, &mut [f32])) -> Self {
        let columns = columns.next_multiple_of(S::F32_LANES);
        let mut values = Aligned::zeros(columns * rows);
        let width = 2 * S::F32_LANES;
        if rows > 0 {
            for (i, to) in values.chunks_mut(rows * width).enumerate() {
                panel(i * width, to);
            }
        }
        Self {
            values,
            start: Aligned::zeros(columns),
            rows,
            columns,
        }
    }

    /// Has every row of the product start from `bias`, `[N]`.
    pub fn with_bias(mut self, bias: &[f32]) -> Self {
        self.start[..bias.len()].copy_from_slice(bias);
        self
    }
}

/// What fills a panel with columns of `matrix` `[K, N]` as they stand; for [`Packed::new`].
pub(super) fn columns(matrix: &[f32], n: usize) -> impl Fn(usize, &mut [f32]) {
    move |first, to| {
        let rows = matrix.chunks_exact(n);
        let width = to.len() / rows.len();
        let count = width.min(n - first);
        for (row, to) in rows.zip(to.chunks_exact_mut(width)) {
            to[..count].copy_from_slice(&row[first..first + count]);
        }
    }
}

/// `out[i] = start + left[i] · packed` for every row: `left[i]` has K values, `out` is `[rows, N]`.
///
/// Rows go through in blocks: eight rows by two vectors, sixteen sums, where there are 32 registers, else
/// six rows; a multiply-add's latency wants eight sums or more, so that fewer rows take more panels. All rows take a
/// panel before the next one comes: it is in the first cache for all but the first block. `back`: from the last panel
/// to the first. Where every other product of the same matrix goes back, it finds in the first cache what the one before
/// has left there, of a matrix that doesn't fit.
#[inline(always)]
pub(super) fn product<S: Simd>(
    simd: S,
    left: &[&[f32]],
    packed: &Packed,
    out: &mut [f32],
    back: bool,
) {
    // A function of its own: inlined into every walk it would take minutes to compile.
    simd.vectorize(Product {
        left,
        packed,
        out,
        back,
    });
}

struct Product<'a> {
    left: &'a [&'a [f32]],
    packed: &'a Packed,
    out: &'a mut [f32],
    back: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let vectors = self.packed.columns / S::F32_LANES;
        let panels = vectors / 2;
        let mut whole = 0;
        for i in 0..panels {
            let panel = if self.back { panels - 1 - i } else { i };
            whole = self.blocks::<S, 2>(simd, panel);
        }
        if vectors % 2 == 1 {
            whole = self.blocks::<S, 1>(simd, panels);
        }
        for row in whole..self.left.len() {
            let fours = panels / 4;
            for i in 0..fours {
                let panel = 4 * if self.back { fours - 1 - i } else { i };
                self.rows::<S, 1, 4, 2>(simd, row, panel);
            }
            let mut panel = 4 * fours;
            if panel + 2 <= panels {
                self.rows::<S, 1, 2, 2>(simd, row, panel);
                panel += 2;
            }
            if panel < panels {
                self.rows::<S, 1, 1, 2>(simd, row, panel);
            }
            if vectors % 2 == 1 {
                self.rows::<S, 1, 1, 1>(simd, row, panels);
            }
        }
    }
}

impl Product<'_> {
    /// The product of a panel of so many vectors with as many of the rows as make whole blocks, at least four: their
    /// number.
    #[inline(always)]
    fn blocks<S: Simd, const VECTORS: usize>(&mut self, simd: S, panel: usize) -> usize {
        let count = self.left.len();
        let mut row = 0;
        if S::REGISTER_COUNT >= 32 {
            while row + 8 <= count {
                self.rows::<S, 8, 1, VECTORS>(simd, row, panel);
                row += 8;
            }
        } else {
            while row + 6 <= count {
                self.rows::<S, 6, 1, VECTORS>(simd, row, panel);
                row += 6;
            }
        }
        if row + 4 <= count {
            self.rows::<S, 4, 1, VECTORS>(simd, row, panel);
            row += 4;
        }
        row
    }

    /// The product of ROWS rows with PANELS panels of VECTORS vectors.
    #[inline(always)]
    fn rows<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        first: usize,
        panel: usize,
    ) {
        let mut block = [self.left[first]; ROWS];
        for row in 0..ROWS {
            block[row] = &self.left[first + row][..self.packed.rows];
        }
        let columns = self.packed.columns;
        let out = &mut self.out[first * columns..][..ROWS * columns];
        panels_of::<S, ROWS, PANELS, VECTORS>(simd, panel, &block, self.packed, out);
    }
}

#[expect(
    clippy::manual_memcpy,
    reason = "copied as slices or by iterators, the sums lie in memory, not in registers: three times slower"
)]
#[inline(always)]
fn panels_of<S: Simd, const ROWS: usize, const PANELS: usize, const VECTORS: usize>(
    simd: S,
    first: usize,
    left: &[&[f32]; ROWS],
    packed: &Packed,
    out: &mut [f32],
) {
    // Only the last panel may be narrower than the others.
    let width = 2 * S::F32_LANES;
    let size = packed.rows * width;
    let mut panels: [&[S::f32s]; PANELS] = [&[]; PANELS];
    let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; PANELS]; ROWS];
    for panel in 0..PANELS {
        let values =
            &packed.values[(first + panel) * size..][..packed.rows * VECTORS * S::F32_LANES];
        panels[panel] = &S::as_simd_f32s(values).0[..VECTORS * packed.rows];
        let start = &packed.start[(first + panel) * width..][..VECTORS * S::F32_LANES];
        let (start, _) = S::as_simd_f32s(start);
        for row in 0..ROWS {
            for vector in 0..VECTORS {
                sums[row][panel][vector] = start[vector];
            }
        }
    }
    for k in 0..packed.rows {
        let mut weights = [[simd.splat_f32s(0.0); VECTORS]; PANELS];
        for panel in 0..PANELS {
            for vector in 0..VECTORS {
                weights[panel][vector] = panels[panel][VECTORS * k + vector];
            }
        }
        for row in 0..ROWS {
            let value = simd.splat_f32s(left[row][k]);
            for panel in 0..PANELS {
                for vector in 0..VECTORS {
                    sums[row][panel][vector] = simd.mul_add_e_f32s(
                        value,
                        weights[panel][vector],
                        sums[row][panel][vector],
                    );
                }
            }
        }
    }
    for row in 0..ROWS {
        for panel in 0..PANELS {
            let at = row * packed.columns + (first + panel) * width;
            let (out, _) = S::as_mut_simd_f32s(&mut out[at..at + VECTORS * S::F32_LANES]);
            for vector in 0..VECTORS {
                out[vector] = sums[row][panel][vector];
            }
        }
    }
}

/// [`product`] of `weights` `[K, G·H]` as they are, for walks too short to be worth packing. `start` is `[G·P]`, P being H
/// padded to whole vectors, and `out` `[rows, G·P]`. The sums are made in the same order.
#[inline(always)]
pub(super) fn plain_product<S: Simd>(
    simd: S,
    left: &[&[f32]],
    weights: &[f32],
    gates: usize,
    start: &[f32],
    out: &mut [f32],
) {
    simd.vectorize(PlainProduct {
        left,
        weights,
        gates,
        start,
        out,
    });
}

struct PlainProduct<'a> {
    left: &'a [&'a [f32]],
    weights: &'a [f32],
    gates: usize,
    start: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for PlainProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            left,
            weights,
            gates,
            start,
            out,
        } = self;
        let (width, count) = (start.len(), left.len());
        let rows = left[0].len();
        let size = weights.len() / rows / gates;
        for out in out[..count * width].chunks_exact_mut(width) {
            out.copy_from_slice(start);
        }
        // Four rows of the weights at once, so that each value of the result is read and written a quarter as often, for
        // two rows on the left, so that a weight is read half as often.
        let mut k = 0;
        while k < rows {
            let some = if k + 4 <= rows { 4 } else { 1 };
            let weights = &weights[k * gates * size..];
            let mut row = 0;
            while row < count {
                let rows = if row + 2 <= count { 2 } else { 1 };
                let out = &mut out[row * width..][..rows * width];
                let of = |row: usize| &left[row][k..];
                let sizes = [gates, size];
                match (some, rows) {
                    (4, 2) => {
                        add_rows::<S, 4, 2>(simd, [of(row), of(row + 1)], weights, sizes, out)
                    }
                    (4, _) => add_rows::<S, 4, 1>(simd, [of(row)], weights, sizes, out),
                    (_, 2) => {
                        add_rows::<S, 1, 2>(simd, [of(row), of(row + 1)], weights, sizes, out)
                    }
                    _ => add_rows::<S, 1, 1>(simd, [of(row)], weights, sizes, out),
                }
                row += rows;
            }
            k += some;
        }
    }
}

/// Adds the first K rows of `weights`, each times its value on the left, to ROWS rows of `out`.
#[inline(always)]
fn add_rows<S: Simd, const K: usize, const ROWS: usize>(
    simd: S,
    left: [&[f32]; ROWS],
    weights: &[f32],
    [gates, size]: [usize; 2],
    out: &mut [f32],
) {
    let (out, _) = S::as_mut_simd_f32s(out);
    let vectors = out.len() / (ROWS * gates);
    let mut factors = [[simd.splat_f32s(0.0); K]; ROWS];
    for row in 0..ROWS {
        for i in 0..K {
            factors[row][i] = simd.splat_f32s(left[row][i]);
        }
    }
    for gate in 0..gates {
        let mut heads: [&[S::f32s]; K] = [&[]; K];
        let mut tails: [&[f32]; K] = [&[]; K];
        for i in 0..K {
            let of_gate = &weights[(i * gates + gate) * size..][..size];
            (heads[i], tails[i]) = S::as_simd_f32s(of_gate);
        }
        let whole = size / S::F32_LANES;
        for i in 0..K {
            heads[i] = &heads[i][..whole];
        }
        let mut weights = [simd.splat_f32s(0.0); K];
        for v in 0..size.div_ceil(S::F32_LANES) {
            for i in 0..K {
                weights[i] = if v < whole {
                    heads[i][v]
                } else {
                    simd.partial_load_f32s(tails[i])
                };
            }
            for row in 0..ROWS {
                let sum = &mut out[(row * gates + gate) * vectors + v];
                for i in 0..K {
                    *sum = simd.mul_add_e_f32s(factors[row][i], weights[i], *sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use std::marker::PhantomData;

    use super::*;
    use crate::cpu::simd::available;
    use crate::cpu::timestep::{Gru, Lstm, SimpleRnn, Timestep};
    use crate::cpu::walk::{padded, padded_gates};

    /// `[count, K]` times `[K, N]`.
    struct Multiply<'a> {
        left: &'a [f32],
        right: &'a [f32],
        sizes: [usize; 3],
    }

    impl WithSimd for Multiply<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let [count, k, n] = self.sizes;
            let packed = Packed::new::<S>(k, n, columns(self.right, n));
            let mut out = vec![0.0; count * packed.columns];
            let left: Vec<&[f32]> = self.left.chunks_exact(k).collect();
            product(simd, &left, &packed, &mut out, count % 2 == 1);
            let rows = out.chunks_exact(packed.columns);
            rows.flat_map(|row| row[..n].to_vec()).collect()
        }
    }

    /// What [`product`] and [`plain_product`] make of the same recurrent weights.
    struct BothProducts<'a, C> {
        left: &'a [f32],
        weight: &'a [f32],
        size: usize,
        cell: PhantomData<C>,
    }

    impl<C: Timestep> WithSimd for BothProducts<'_, C> {
        type Output = [Vec<u32>; 2];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> [Vec<u32>; 2] {
            let Self {
                left, weight, size, ..
            } = self;
            let count = left.len() / size;
            let left: Vec<&[f32]> = left.chunks_exact(size).collect();
            let padded = padded(size);
            let rows = padded_gates::<C>(size, weight);
            let packed = Packed::new::<S>(size, C::GATES * padded, rows);
            let mut products = vec![0.0; count * packed.columns];
            product(simd, &left, &packed, &mut products, count % 2 == 1);
            let mut plain = vec![f32::NAN; count * C::GATES * padded];
            let start = vec![0.0; C::GATES * padded];
            plain_product(simd, &left, weight, C::GATES, &start, &mut plain);
            [(products, packed.columns), (plain, C::GATES * padded)].map(|(values, columns)| {
                let of_row = |row: usize| &values[row * columns..][..C::GATES * padded];
                let values = (0..count).flat_map(of_row);
                values.map(|value| value.to_bits()).collect()
            })
        }
    }

    fn plain_is_packed<C: Timestep>() {
        let value = |i: usize| ((i * 7919 % 2003) as f32 / 1001.5 - 1.0) / 3.0;
        for size in [1, 3, 4, 5, 16, 17, 33, 64] {
            for count in 1..=9 {
                let left: Vec<f32> = (0..count * size).map(value).collect();
                let width = C::GATES * size;
                let weight: Vec<f32> = (7..7 + size * width).map(value).collect();
                for (level, arch) in available() {
                    let [packed, plain] = arch.dispatch(BothProducts::<C> {
                        left: &left,
                        weight: &weight,
                        size,
                        cell: PhantomData,
                    });
                    assert!(packed == plain, "{level}, H {size}, {count} rows");
                }
            }
        }
    }

    /// So that a sequence in parts gives the bits of the whole.
    #[test]
    fn plain_weights_give_the_bits_of_packed_ones() {
        plain_is_packed::<SimpleRnn>();
        plain_is_packed::<Lstm>();
        plain_is_packed::<Gru>();
    }

    #[test]
    fn any_number_of_rows_and_columns_is_multiplied() {
        // Small whole numbers: every order of adding gives the same sum.
        let whole = |i: usize| (i * 7 % 11) as f32 - 5.0;
        for count in 0..=21 {
            for (k, n) in [(1, 1), (3, 16), (64, 64), (5, 200), (192, 64)] {
                let left: Vec<f32> = (0..count * k).map(whole).collect();
                let right: Vec<f32> = (0..k * n).map(whole).collect();
                let (left, right) = (&left[..], &right[..]);
                let sizes = [count, k, n];
                let sum = |row: usize, column: usize| {
                    let terms = (0..k).map(|i| left[row * k + i] * right[i * n + column]);
                    terms.sum::<f32>()
                };
                let expected: Vec<f32> = (0..count * n).map(|i| sum(i / n, i % n)).collect();
                for (level, arch) in available() {
                    let found = arch.dispatch(Multiply { left, right, sizes });
                    assert_eq!(found, expected, "{level}, {sizes:?}");
                }
            }
        }
    }
}
