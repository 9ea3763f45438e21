//! A cell's walk through time on the CPU: a thread owns a tile of rows for the whole sequence.
//!
//! Rows are sorted by length, the longest first, so that the live rows of a tile are its first ones, and
//! nothing is computed for a row past its length. A row's values depend on that row alone: neither the
//! tiles nor the number of threads change a bit.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::cell::{Before, Cell};
use super::prefetch::prefetch;
use super::product::{Packed, product};
use super::simd::arch;
use crate::tensors::Direction;

/// The most rows of a tile: whole blocks of the product, and few enough that the gates of a step stay in the
/// first cache.
const TILE: usize = 16;

/// Rows a tile: fewer where there would else be too few tiles for the threads.
fn tile(rows: usize) -> usize {
    rows.div_ceil(rayon::current_num_threads()).clamp(1, TILE)
}

/// The sizes of a walk.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub hidden: usize,
    pub direction: Direction,
}

impl Sizes {
    /// A multiple of every vector's length, not below H.
    fn padded(&self) -> usize {
        self.hidden.next_multiple_of(16)
    }

    /// The timestep that a row of this length has at a step of its walk.
    fn timestep(&self, step: usize, length: usize) -> usize {
        match self.direction {
            Direction::Forward => step,
            Direction::Reverse => length - 1 - step,
        }
    }
}

/// Where a row's projections stand.
#[derive(Clone, Copy)]
pub(super) enum RowInput<'a> {
    /// `[T, G·H]`
    Steps(&'a [f32]),
    /// A table `[V, G·H]`, and the word of each timestep.
    Words(&'a [f32], &'a [i32]),
}

impl<'a> RowInput<'a> {
    /// `[G·H]`
    #[inline(always)]
    fn at(self, t: usize, width: usize) -> &'a [f32] {
        match self {
            Self::Steps(projections) => &projections[t * width..][..width],
            Self::Words(table, ids) => &table[ids[t] as usize * width..][..width],
        }
    }
}

/// A row of the batch in the forward pass.
pub(super) struct ForwardRow<'a> {
    pub length: usize,
    pub projections: RowInput<'a>,
    /// `[T, H]`; whatever it held.
    pub hidden_states: &'a mut [f32],
    /// `[T, SAVED·H]`, or empty; whatever it held.
    pub saved: &'a mut [f32],
    /// `[H]`: the initial state, then the final one.
    pub hidden: &'a mut [f32],
    /// The same; empty but for the LSTM.
    pub cell: &'a mut [f32],
}

/// A row of the batch in the backward pass.
pub(super) struct BackwardRow<'a> {
    pub length: usize,
    /// `[T, SAVED·H]`
    pub saved: &'a [f32],
    /// `[T, H]`
    pub hidden_states: &'a [f32],
    /// `[H]`
    pub initial_hidden: &'a [f32],
    /// `[H]`; empty but for the LSTM.
    pub initial_cell: &'a [f32],
    /// `[T, H]`, or empty.
    pub d_hidden_states: &'a [f32],
    /// The hidden state that each timestep started from, `[T, H]`, or `[T, H + 1]` with a last column of ones
    /// where the cell splits its gradient; whatever it held.
    pub previous: &'a mut [f32],
    /// `[T, G·H]`; whatever it held.
    pub d_projections: &'a mut [f32],
    /// Where the cell splits its gradient, the recurrent part's own last gate, `[T, H]`; whatever it held.
    pub d_split: &'a mut [f32],
    /// `[H]`: the gradient of the final state, then of the initial one.
    pub d_hidden: &'a mut [f32],
    /// The same; empty but for the LSTM.
    pub d_cell: &'a mut [f32],
}

/// Walks all rows forward. `weight`: `[H, G·H]`; `bias`: `[G·H]`, or empty.
pub(super) fn forward<C: Cell>(
    sizes: Sizes,
    weight: &[f32],
    bias: &[f32],
    mut rows: Vec<ForwardRow<'_>>,
) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.length));
    let arch = arch();
    let padded = sizes.padded();
    let width = C::GATES * sizes.hidden;
    let packed = arch.dispatch(Pack {
        rows: sizes.hidden,
        columns: C::GATES * padded,
        value: |k: usize, n: usize| {
            let (gate, unit) = (n / padded, n % padded);
            let inside = unit < sizes.hidden;
            if inside {
                weight[k * width + gate * sizes.hidden + unit]
            } else {
                0.0
            }
        },
    });
    let tile = tile(rows.len());
    rows.par_chunks_mut(tile).with_max_len(1).for_each(|rows| {
        arch.dispatch(ForwardTile::<C> {
            sizes,
            packed: &packed,
            bias,
            rows,
            cell: std::marker::PhantomData,
        });
    });
}

/// Walks all rows back. `weight`: `[H, G·H]`.
pub(super) fn backward<C: Cell>(sizes: Sizes, weight: &[f32], mut rows: Vec<BackwardRow<'_>>) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.length));
    let arch = arch();
    let width = C::GATES * sizes.hidden;
    let packed = arch.dispatch(Pack {
        rows: width,
        columns: sizes.padded(),
        value: |k: usize, n: usize| {
            if n < sizes.hidden {
                weight[n * width + k]
            } else {
                0.0
            }
        },
    });
    let tile = tile(rows.len());
    rows.par_chunks_mut(tile).with_max_len(1).for_each(|rows| {
        arch.dispatch(BackwardTile::<C> {
            sizes,
            packed: &packed,
            rows,
            cell: std::marker::PhantomData,
        });
    });
}

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

struct Pack<F> {
    rows: usize,
    columns: usize,
    value: F,
}

impl<F: Fn(usize, usize) -> f32> WithSimd for Pack<F> {
    type Output = Packed;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Packed {
        Packed::new::<S>(self.rows, self.columns, self.value)
    }
}

struct ForwardTile<'t, 'a, C> {
    sizes: Sizes,
    packed: &'t Packed,
    bias: &'t [f32],
    rows: &'t mut [ForwardRow<'a>],
    cell: std::marker::PhantomData<C>,
}

impl<C: Cell> WithSimd for ForwardTile<'_, '_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Sizes { hidden: size, .. } = self.sizes;
        let padded = self.sizes.padded();
        let width = C::GATES * size;
        let zero = simd.splat_f32s(0.0);

        let mut hidden = vec![0.0; self.rows.len() * padded];
        let mut cell = vec![0.0; self.rows.len() * padded];
        let mut products = vec![0.0; self.rows.len() * self.packed.columns];
        for (r, row) in self.rows.iter_mut().enumerate() {
            row.hidden_states[row.length * size..].fill(0.0);
            hidden[r * padded..][..size].copy_from_slice(row.hidden);
            cell[r * padded..][..row.cell.len()].copy_from_slice(row.cell);
        }

        let longest = self.rows.first().map_or(0, |row| row.length);
        for step in 0..longest {
            let live = self.rows.partition_point(|row| row.length > step);
            // What the gates need comes while the product is made.
            for row in &self.rows[..live] {
                let t = self.sizes.timestep(step, row.length);
                prefetch(row.projections.at(t, width));
                if !row.saved.is_empty() {
                    prefetch(&row.saved[t * C::SAVED * size..][..C::SAVED * size]);
                }
            }
            let before = &hidden;
            let left = |r: usize| &before[r * padded..][..size];
            product(simd, live, left, self.packed, &mut products);
            for (r, row) in self.rows[..live].iter_mut().enumerate() {
                let t = self.sizes.timestep(step, row.length);
                let projections = row.projections.at(t, width);
                let products = &products[r * self.packed.columns..][..self.packed.columns];
                let hidden = &mut hidden[r * padded..][..padded];
                let cell = &mut cell[r * padded..][..padded];
                let hidden_states = &mut row.hidden_states[t * size..][..size];
                for unit in (0..size).step_by(S::F32_LANES) {
                    let units = unit..(unit + S::F32_LANES).min(size);
                    let here = unit..unit + S::F32_LANES;
                    let mut x = [zero; 4];
                    let mut u = [zero; 4];
                    for gate in 0..C::GATES {
                        let of = |from: usize| from + units.start..from + units.end;
                        x[gate] = load(simd, &projections[of(gate * size)]);
                        u[gate] = S::as_simd_f32s(&products[gate * padded..][here.clone()]).0[0];
                        if !self.bias.is_empty() {
                            let bias = load(simd, &self.bias[of(gate * size)]);
                            u[gate] = simd.add_f32s(u[gate], bias);
                        }
                    }
                    let (hidden, _) = S::as_mut_simd_f32s(&mut hidden[here.clone()]);
                    let (cell, _) = S::as_mut_simd_f32s(&mut cell[here.clone()]);
                    let next = C::forward(simd, x, u, hidden[0], cell[0]);
                    hidden[0] = next.hidden;
                    cell[0] = next.cell;
                    store(simd, &mut hidden_states[units.clone()], next.hidden);
                    if !row.saved.is_empty() {
                        let kept = &mut row.saved[t * C::SAVED * size..][..C::SAVED * size];
                        for i in 0..C::SAVED {
                            let at = i * size + units.start..i * size + units.end;
                            store(simd, &mut kept[at], next.saved[i]);
                        }
                    }
                }
            }
        }
        for (r, row) in self.rows.iter_mut().enumerate() {
            row.hidden.copy_from_slice(&hidden[r * padded..][..size]);
            let cell = &cell[r * padded..][..row.cell.len()];
            row.cell.copy_from_slice(cell);
        }
    }
}

struct BackwardTile<'t, 'a, C> {
    sizes: Sizes,
    packed: &'t Packed,
    rows: &'t mut [BackwardRow<'a>],
    cell: std::marker::PhantomData<C>,
}

impl<C: Cell> WithSimd for BackwardTile<'_, '_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Sizes { hidden: size, .. } = self.sizes;
        let padded = self.sizes.padded();
        let width = C::GATES * size;
        let zero = simd.splat_f32s(0.0);

        let split_width = if C::SPLITS_GRADIENT { size } else { 0 };
        let previous_width = size + usize::from(C::SPLITS_GRADIENT);
        let mut d_hidden = vec![0.0; self.rows.len() * padded];
        let mut d_cell = vec![0.0; self.rows.len() * padded];
        let mut products = vec![0.0; self.rows.len() * self.packed.columns];
        // The gradients of the recurrent product, where they differ from those of the projections.
        let mut d_recurrent = vec![0.0; self.rows.len() * split_width * C::GATES];
        for (r, row) in self.rows.iter_mut().enumerate() {
            row.d_projections[row.length * width..].fill(0.0);
            row.previous[row.length * previous_width..].fill(0.0);
            row.d_split[row.length * split_width..].fill(0.0);
            d_hidden[r * padded..][..size].copy_from_slice(row.d_hidden);
            d_cell[r * padded..][..row.d_cell.len()].copy_from_slice(row.d_cell);
        }

        let longest = self.rows.first().map_or(0, |row| row.length);
        for step in (0..longest).rev() {
            let live = self.rows.partition_point(|row| row.length > step);
            for (r, row) in self.rows[..live].iter_mut().enumerate() {
                let t = self.sizes.timestep(step, row.length);
                let before = (step > 0).then(|| self.sizes.timestep(step - 1, row.length));
                let hidden_states = &row.hidden_states[t * size..][..size];
                let saved = &row.saved[t * C::SAVED * size..][..C::SAVED * size];
                let previous_hidden = match before {
                    None => row.initial_hidden,
                    Some(before) => &row.hidden_states[before * size..][..size],
                };
                let previous_cell = match before {
                    Some(before) if C::HAS_CELL => {
                        let cell = before * C::SAVED + C::SAVED - 1;
                        &row.saved[cell * size..][..size]
                    }
                    _ => row.initial_cell,
                };
                let kept_previous = &mut row.previous[t * previous_width..][..previous_width];
                if C::SPLITS_GRADIENT {
                    kept_previous[size] = 1.0;
                }
                let d_hidden = &mut d_hidden[r * padded..][..padded];
                let d_cell = &mut d_cell[r * padded..][..padded];
                for unit in (0..size).step_by(S::F32_LANES) {
                    let units = unit..(unit + S::F32_LANES).min(size);
                    let here = unit..unit + S::F32_LANES;
                    let (d_hidden, _) = S::as_mut_simd_f32s(&mut d_hidden[here.clone()]);
                    let (d_cell, _) = S::as_mut_simd_f32s(&mut d_cell[here.clone()]);
                    if !row.d_hidden_states.is_empty() {
                        let of_output = &row.d_hidden_states[t * size..][units.clone()];
                        let of_output = load(simd, of_output);
                        d_hidden[0] = simd.add_f32s(d_hidden[0], of_output);
                    }
                    let previous_hidden = load(simd, &previous_hidden[units.clone()]);
                    store(simd, &mut kept_previous[units.clone()], previous_hidden);
                    let previous = if C::HAS_CELL {
                        load(simd, &previous_cell[units.clone()])
                    } else {
                        previous_hidden
                    };
                    let mut kept = [zero; 5];
                    for i in 0..C::SAVED {
                        kept[i] = load(simd, &saved[i * size + units.start..i * size + units.end]);
                    }
                    let d = C::backward(
                        simd,
                        Before {
                            saved: kept,
                            hidden: load(simd, &hidden_states[units.clone()]),
                            previous,
                            d_hidden: d_hidden[0],
                            d_cell: d_cell[0],
                        },
                    );
                    d_hidden[0] = d.hidden;
                    d_cell[0] = d.cell;
                    for gate in 0..C::GATES {
                        let at = gate * size + units.start..gate * size + units.end;
                        store(
                            simd,
                            &mut row.d_projections[t * width..][at.clone()],
                            d.x[gate],
                        );
                        if C::SPLITS_GRADIENT {
                            let last = gate + 1 == C::GATES;
                            let value = if last { d.split } else { d.x[gate] };
                            store(simd, &mut d_recurrent[r * width..][at], value);
                        }
                    }
                    if C::SPLITS_GRADIENT {
                        store(simd, &mut row.d_split[t * size..][units.clone()], d.split);
                    }
                }
            }
            // What the gates of the step before need comes while the product is made.
            if step > 0 {
                let live = self.rows.partition_point(|row| row.length > step - 1);
                for row in &self.rows[..live] {
                    let t = self.sizes.timestep(step - 1, row.length);
                    prefetch(&row.saved[t * C::SAVED * size..][..C::SAVED * size]);
                }
            }
            let (rows, sizes) = (&*self.rows, self.sizes);
            let left = |r: usize| {
                if C::SPLITS_GRADIENT {
                    return &d_recurrent[r * width..][..width];
                }
                let row: &BackwardRow = &rows[r];
                &row.d_projections[sizes.timestep(step, row.length) * width..][..width]
            };
            product(simd, live, left, self.packed, &mut products);
            for r in 0..live {
                let products = &products[r * self.packed.columns..][..padded];
                let d_hidden = &mut d_hidden[r * padded..][..padded];
                let (d_hidden, _) = S::as_mut_simd_f32s(d_hidden);
                let (products, _) = S::as_simd_f32s(products);
                for i in 0..d_hidden.len() {
                    d_hidden[i] = simd.add_f32s(d_hidden[i], products[i]);
                }
            }
        }
        for (r, row) in self.rows.iter_mut().enumerate() {
            row.d_hidden
                .copy_from_slice(&d_hidden[r * padded..][..size]);
            let d_cell = &d_cell[r * padded..][..row.d_cell.len()];
            row.d_cell.copy_from_slice(d_cell);
        }
    }
}
