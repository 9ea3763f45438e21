//! The gradient of the recurrent weights, summed while a tile walks back: what a few timesteps started from times
//! their gradients, while both are still in the cache.

// Plain indices: iterators are not always inlined here, where they cost most.
#![allow(clippy::needless_range_loop)]

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;
use super::simd::arch;

/// Timesteps of rows that are gathered before they are added: enough that the sums are seldom read and written, few
/// enough that they stay in the cache.
const GATHERED: usize = 128;

/// Sums a tile's gradient `[S, W]` in the order in which timesteps come.
pub(super) struct WeightGradient {
    /// `[GATHERED, S]`: what timesteps started from.
    states: Aligned,
    /// `[GATHERED, stride]`: their gradients, W of each.
    gradients: Aligned,
    /// `[S, columns]`, panel after panel of two vectors of columns.
    sums: Aligned,
    gathered: usize,
    sizes: [usize; 2],
}

/// W, up to whole pairs of every vector's length.
pub(super) fn columns(width: usize) -> usize {
    width.next_multiple_of(32)
}

/// Rows of gradients are a line more apart than they are long, so that they don't all fall on the same places of the
/// first cache.
fn stride(width: usize) -> usize {
    columns(width) + 16
}

impl WeightGradient {
    pub fn zeros(sizes: [usize; 2]) -> Self {
        let [height, width] = sizes;
        let gathered = if height == 0 { 0 } else { GATHERED };
        Self {
            states: Aligned::zeros(gathered * height),
            gradients: Aligned::zeros(gathered * stride(width)),
            sums: Aligned::zeros(height * columns(width)),
            gathered: 0,
            sizes,
        }
    }

    /// Room for `rows` more timesteps, at most `GATHERED`: the first of them.
    #[inline(always)]
    pub fn room<S: Simd>(&mut self, simd: S, rows: usize) -> usize {
        if self.gathered + rows > GATHERED {
            self.add(simd);
        }
        self.gathered += rows;
        self.gathered - rows
    }

    /// What timestep `i` started from, and its gradients; nothing where nothing is summed.
    #[inline(always)]
    pub fn of(&mut self, i: usize) -> [&mut [f32]; 2] {
        let [height, width] = self.sizes;
        if height == 0 {
            return [&mut [], &mut []];
        }
        [
            &mut self.states[i * height..][..height],
            &mut self.gradients[i * stride(width)..][..width],
        ]
    }

    #[inline(always)]
    pub fn gradients(&self, i: usize) -> &[f32] {
        let [_, width] = self.sizes;
        &self.gradients[i * stride(width)..][..width]
    }

    /// Adds what is gathered, a panel of two vectors of gradients after the other.
    #[inline(always)]
    pub fn add<S: Simd>(&mut self, simd: S) {
        let [height, width] = self.sizes;
        for column in (0..columns(width)).step_by(2 * S::F32_LANES) {
            let mut row = 0;
            if S::REGISTER_COUNT >= 32 {
                while row + 8 <= height {
                    self.add_block::<S, 8>(simd, row, column);
                    row += 8;
                }
            } else {
                while row + 6 <= height {
                    self.add_block::<S, 6>(simd, row, column);
                    row += 6;
                }
            }
            while row + 4 <= height {
                self.add_block::<S, 4>(simd, row, column);
                row += 4;
            }
            while row < height {
                self.add_block::<S, 1>(simd, row, column);
                row += 1;
            }
        }
        self.gathered = 0;
    }

    #[inline(always)]
    fn add_block<S: Simd, const ROWS: usize>(&mut self, simd: S, first: usize, column: usize) {
        let [height, width] = self.sizes;
        let (gradients, _) = S::as_simd_f32s(&self.gradients[column..]);
        let stride = stride(width) / S::F32_LANES;
        let panel = 2 * S::F32_LANES;
        let sums = &mut self.sums[column * height + first * panel..][..ROWS * panel];
        let (sums, _) = S::as_mut_simd_f32s(sums);
        let mut block = [[simd.splat_f32s(0.0); 2]; ROWS];
        for row in 0..ROWS {
            block[row] = [sums[2 * row], sums[2 * row + 1]];
        }
        for i in 0..self.gathered {
            let states = &self.states[i * height + first..][..ROWS];
            let gradients = &gradients[i * stride..][..2];
            for row in 0..ROWS {
                let state = simd.splat_f32s(states[row]);
                for half in 0..2 {
                    block[row][half] =
                        simd.mul_add_e_f32s(state, gradients[half], block[row][half]);
                }
            }
        }
        for row in 0..ROWS {
            [sums[2 * row], sums[2 * row + 1]] = block[row];
        }
    }

    /// `[S, W]`, `parts` added in their order.
    pub fn sum(parts: Vec<Self>, sizes: [usize; 2]) -> Vec<f32> {
        let [height, width] = sizes;
        let mut parts = parts.into_iter().map(|part| part.sums);
        let mut sums = parts.next().unwrap_or_else(|| Aligned::zeros(0));
        for part in parts {
            for (sum, value) in sums.iter_mut().zip(&*part) {
                *sum += value;
            }
        }
        arch().dispatch(Unpack {
            sums: &sums,
            height,
            width,
        })
    }
}

/// Sums in panels as `[S, W]`.
struct Unpack<'a> {
    sums: &'a [f32],
    height: usize,
    width: usize,
}

impl WithSimd for Unpack<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Vec<f32> {
        let Self {
            sums,
            height,
            width,
        } = self;
        let mut values = vec![0.0; height * width];
        if values.is_empty() {
            return values;
        }
        let panel = 2 * S::F32_LANES;
        for (i, to) in values.chunks_exact_mut(width).enumerate() {
            for (to, from) in to.chunks_mut(panel).zip(sums.chunks_exact(height * panel)) {
                to.copy_from_slice(&from[i * panel..][..to.len()]);
            }
        }
        values
    }
}
