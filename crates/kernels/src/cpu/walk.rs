//! A cell's walk through time on the CPU: a thread owns a tile of rows for the whole sequence.
//!
//! Rows are sorted by length, the longest first, so that the live rows of a tile are its first ones, and
//! nothing is computed for a row past its length. A row's values depend on that row alone, and the tiles that sum the
//! gradients of weights on the shapes and lengths alone: the number of threads changes no bit.

mod backward;
mod forward;

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;
use super::product::Packed;
use super::timestep::Timestep;
use crate::tensors::Direction;

pub(super) use backward::{BackwardRow, backward};
#[cfg(test)]
pub(super) use forward::padded_gates;
pub(super) use forward::{ForwardRow, LayerParts, OfGates, forward, pack_forward};

/// The most rows of a tile: whole blocks of the product, and few enough that the gates of a step stay in the
/// first cache.
pub(super) const TILE: usize = 16;

/// The sizes of a walk.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub hidden: usize,
    /// D, where the walk multiplies its input itself.
    pub input: Option<usize>,
    pub direction: Direction,
}

/// H, up to a multiple of every vector's length.
pub(super) fn padded(hidden: usize) -> usize {
    hidden.next_multiple_of(16)
}

impl Sizes {
    /// Multiply-adds of so many timesteps; a gate's arithmetic counts as 32 of each unit.
    fn work<C: Timestep>(&self, steps: usize) -> usize {
        let recurrent = match C::CELL.has_recurrent_weight() {
            true => self.hidden,
            false => 0,
        };
        let factors = recurrent + self.input.unwrap_or(0);
        steps.saturating_mul(C::GATES * self.hidden * (factors + 32))
    }

    /// The width of what a timestep reads: D, or G·H where that is the projections.
    fn read<C: Timestep>(&self) -> usize {
        self.input.unwrap_or(C::GATES * self.hidden)
    }

    /// The timestep that a row of this length has at a step of its walk.
    fn timestep(&self, step: usize, length: usize) -> usize {
        match self.direction {
            Direction::Forward => step,
            Direction::Reverse => length - 1 - step,
        }
    }
}

/// What a row reads at each timestep, of N numbers: a vector, or where that is given its projection.
#[derive(Clone, Copy)]
pub(super) enum RowInput<'a> {
    /// `[T, N]`
    Steps(&'a [f32]),
    /// A table `[V, N]`, and the word of each timestep.
    Words(&'a [f32], &'a [i32]),
}

impl<'a> RowInput<'a> {
    /// `[N]`
    #[inline(always)]
    fn at(self, t: usize, width: usize) -> &'a [f32] {
        match self {
            Self::Steps(vectors) => &vectors[t * width..][..width],
            Self::Words(table, ids) => &table[ids[t] as usize * width..][..width],
        }
    }
}

/// Multiply-adds of a walk below which another thread takes longer to wake than it saves.
const LITTLE: usize = 1 << 23;

/// A vector, or the last few values of a row.
#[inline(always)]
fn load<S: Simd>(simd: S, values: &[f32]) -> S::f32s {
    if values.len() == S::F32_LANES {
        S::as_simd_f32s(values).0[0]
    } else {
        simd.partial_load_f32s(values)
    }
}

#[inline(always)]
fn store<S: Simd>(simd: S, to: &mut [f32], values: S::f32s) {
    if to.len() == S::F32_LANES {
        S::as_mut_simd_f32s(to).0[0] = values;
    } else {
        simd.partial_store_f32s(to, values);
    }
}

/// A few values, without a call.
#[inline(always)]
fn copy<S: Simd>(simd: S, to: &mut [f32], from: &[f32]) {
    for at in (0..to.len()).step_by(S::F32_LANES) {
        let end = (at + S::F32_LANES).min(to.len());
        store(simd, &mut to[at..end], load(simd, &from[at..end]));
    }
}

/// The hidden units of a vector, which are fewer at a row's end.
#[derive(Clone, Copy)]
struct Units {
    first: usize,
    end: usize,
    size: usize,
}

impl Units {
    #[inline(always)]
    fn of_vector<S: Simd>(vector: usize, size: usize) -> Self {
        let first = vector * S::F32_LANES;
        let end = (first + S::F32_LANES).min(size);
        Self { first, end, size }
    }

    /// Where they stand among `[_, H]`.
    #[inline(always)]
    fn of(self, part: usize) -> Range<usize> {
        part * self.size + self.first..part * self.size + self.end
    }
}

/// Part `i` of `[_, width]`, or of nothing.
#[inline(always)]
fn at(values: &[f32], i: usize, width: usize) -> &[f32] {
    if values.is_empty() {
        return values;
    }
    &values[i * width..][..width]
}

#[inline(always)]
fn at_mut(values: &mut [f32], i: usize, width: usize) -> &mut [f32] {
    if values.is_empty() {
        return values;
    }
    &mut values[i * width..][..width]
}

/// The states of a tile's rows, or their gradients, padded to whole vectors.
#[derive(Clone, Debug)]
pub(super) struct States {
    hidden: Aligned,
    cell: Aligned,
    padded: usize,
}

impl States {
    pub fn zeros(rows: usize, hidden: usize) -> Self {
        let padded = padded(hidden);
        Self {
            hidden: Aligned::zeros(rows * padded),
            cell: Aligned::zeros(rows * padded),
            padded,
        }
    }

    /// A row's `[H]`.
    #[inline(always)]
    pub fn hidden_of(&self, row: usize, size: usize) -> &[f32] {
        &self.hidden[row * self.padded..][..size]
    }

    pub fn cell_of(&self, row: usize, size: usize) -> &[f32] {
        &self.cell[row * self.padded..][..size]
    }

    #[inline(always)]
    pub fn of(&mut self, row: usize) -> [&mut [f32]; 2] {
        let hidden = at_mut(&mut self.hidden, row, self.padded);
        [hidden, at_mut(&mut self.cell, row, self.padded)]
    }

    pub fn set(&mut self, row: usize, hidden: &[f32], cell: &[f32]) {
        let [to_hidden, to_cell] = self.of(row);
        to_hidden[..hidden.len()].copy_from_slice(hidden);
        to_cell[..cell.len()].copy_from_slice(cell);
    }

    fn get(&mut self, row: usize, hidden: &mut [f32], cell: &mut [f32]) {
        let [from_hidden, from_cell] = self.of(row);
        hidden.copy_from_slice(&from_hidden[..hidden.len()]);
        cell.copy_from_slice(&from_cell[..cell.len()]);
    }
}

pub(super) struct Pack<F> {
    pub rows: usize,
    pub columns: usize,
    /// See [`Packed::new`].
    pub panel: F,
}

impl<F: Fn(usize, &mut [f32])> WithSimd for Pack<F> {
    type Output = Packed;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Packed {
        Packed::new::<S>(self.rows, self.columns, self.panel)
    }
}
