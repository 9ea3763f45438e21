//! A cell's walk through time on the CPU: a thread owns a tile of rows for the whole sequence.
//!
//! Rows are sorted by length, the longest first, so that the live rows of a tile are its first ones, and
//! nothing is computed for a row past its length. A row's values depend on that row alone: neither the
//! tiles nor the number of threads change a bit.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::cell::{Before, Cell};
use super::product::{BLOCK, Packed, product};
use crate::backend::Direction;

/// Rows of a tile: whole blocks, and few enough that what they exchange stays in the first cache.
const TILE: usize = 4 * BLOCK;

/// The sizes of a walk.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub time: usize,
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

/// A row of the batch in the forward pass.
pub(super) struct ForwardRow<'a> {
    pub length: usize,
    /// `[T, G·H]`
    pub projections: &'a [f32],
    /// `[T, H]`, zeros.
    pub hidden_states: &'a mut [f32],
    /// `[T, SAVED·H]`, or empty.
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
    /// `[H]`: the initial cell state (LSTM) or hidden state.
    pub initial: &'a [f32],
    /// `[T, H]`, or empty.
    pub d_hidden_states: &'a [f32],
    /// `[T, G·H]`, zeros.
    pub d_projections: &'a mut [f32],
    /// `[T, G·H]`, zeros; empty where it is the same.
    pub d_recurrent: &'a mut [f32],
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
    let arch = Arch::new();
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
    rows.par_chunks_mut(TILE).for_each(|rows| {
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
    let arch = Arch::new();
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
    rows.par_chunks_mut(TILE).for_each(|rows| {
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

/// Puts a row's K values where the product reads them: in blocks of rows, each `[K, BLOCK]`.
#[inline(always)]
fn publish(exchange: &mut [f32], row: usize, values: &[f32]) {
    let length = values.len() * BLOCK;
    let block = &mut exchange[row / BLOCK * length..][..length];
    for k in 0..values.len() {
        block[k * BLOCK + row % BLOCK] = values[k];
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

        let mut hidden = vec![0.0; TILE * padded];
        let mut cell = vec![0.0; TILE * padded];
        let mut exchange = vec![0.0; TILE * size];
        let mut products = vec![0.0; TILE * self.packed.columns];
        for (r, row) in self.rows.iter().enumerate() {
            hidden[r * padded..][..size].copy_from_slice(row.hidden);
            cell[r * padded..][..row.cell.len()].copy_from_slice(row.cell);
            publish(&mut exchange, r, row.hidden);
        }

        let longest = self.rows.first().map_or(0, |row| row.length);
        for step in 0..longest {
            let live = self.rows.partition_point(|row| row.length > step);
            product(
                simd,
                live.div_ceil(BLOCK),
                &exchange,
                self.packed,
                &mut products,
            );
            for (r, row) in self.rows[..live].iter_mut().enumerate() {
                let t = self.sizes.timestep(step, row.length);
                let projections = &row.projections[t * width..][..width];
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
                publish(&mut exchange, r, &hidden[..size]);
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

        let mut d_hidden = vec![0.0; TILE * padded];
        let mut d_cell = vec![0.0; TILE * padded];
        let mut exchange = vec![0.0; TILE * width];
        let mut products = vec![0.0; TILE * self.packed.columns];
        for (r, row) in self.rows.iter().enumerate() {
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
                let previous = match before {
                    None => row.initial,
                    Some(before) if C::HAS_CELL => {
                        let cell = before * C::SAVED + C::SAVED - 1;
                        &row.saved[cell * size..][..size]
                    }
                    Some(before) => &row.hidden_states[before * size..][..size],
                };
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
                    let mut kept = [zero; 5];
                    for i in 0..C::SAVED {
                        kept[i] = load(simd, &saved[i * size + units.start..i * size + units.end]);
                    }
                    let d = C::backward(
                        simd,
                        Before {
                            saved: kept,
                            hidden: load(simd, &hidden_states[units.clone()]),
                            previous: load(simd, &previous[units.clone()]),
                            d_hidden: d_hidden[0],
                            d_cell: d_cell[0],
                        },
                    );
                    d_hidden[0] = d.hidden;
                    d_cell[0] = d.cell;
                    for gate in 0..C::GATES {
                        let at = t * width + gate * size;
                        let at = at + units.start..at + units.end;
                        store(simd, &mut row.d_projections[at.clone()], d.x[gate]);
                        if !row.d_recurrent.is_empty() {
                            store(simd, &mut row.d_recurrent[at], d.u[gate]);
                        }
                    }
                }
                let d_u = if row.d_recurrent.is_empty() {
                    &row.d_projections
                } else {
                    &row.d_recurrent
                };
                publish(&mut exchange, r, &d_u[t * width..][..width]);
            }
            product(
                simd,
                live.div_ceil(BLOCK),
                &exchange,
                self.packed,
                &mut products,
            );
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
