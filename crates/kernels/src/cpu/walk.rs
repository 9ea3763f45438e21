//! A cell's walk through time on the CPU: a thread owns a tile of rows for the whole sequence.
//!
//! Rows are sorted by length, the longest first, so that the live rows of a tile are its first ones, and
//! nothing is computed for a row past its length. A row's values depend on that row alone, and the tiles that sum the
//! gradient of the recurrent weights on the shapes alone: the number of threads changes no bit.

use std::marker::PhantomData;
use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::aligned::Aligned;
use super::prefetch::prefetch;
use super::product::{Packed, plain_product, product};
use super::simd::arch;
use super::timestep::{Backward, Timestep};
use super::weight_gradient::WeightGradient;
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

/// H, up to a multiple of every vector's length.
pub(super) fn padded(hidden: usize) -> usize {
    hidden.next_multiple_of(16)
}

impl Sizes {
    /// Multiply-adds of so many timesteps; a gate's arithmetic counts as 32 of each unit.
    fn work<C: Timestep>(&self, steps: usize) -> usize {
        let factors = if C::CELL.has_recurrent_weight() {
            self.hidden
        } else {
            0
        };
        steps.saturating_mul(C::GATES * self.hidden * (factors + 32))
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
    /// `[T, G·H]`: what the forward pass saved, then the gradient of the projections. A cell that saves nothing finds
    /// whatever it held.
    pub saved: &'a mut [f32],
    /// `[T, H]`
    pub hidden_states: &'a [f32],
    /// `[H]`
    pub initial_hidden: &'a [f32],
    /// `[H]`; empty but for the LSTM.
    pub initial_cell: &'a [f32],
    /// `[T, H]`, or empty.
    pub d_hidden_states: &'a [f32],
    /// `[H]`: the gradient of the final state, then of the initial one.
    pub d_hidden: &'a mut [f32],
    /// The same; empty but for the LSTM.
    pub d_cell: &'a mut [f32],
}

/// The recurrent weights as a walk's product reads them.
enum Weights<'a> {
    Packed(Packed),
    /// `[H, G·H]`.
    Plain(&'a [f32]),
    /// The cell has no product with the hidden state.
    None,
}

/// Timesteps of all rows together up to which packing the weights costs more than it saves.
const FEW: usize = 8;

impl<'a> Weights<'a> {
    /// `weight`: `[H, G·H]`, or empty; `steps`: of all rows that they serve.
    fn new<C: Timestep>(sizes: Sizes, weight: &'a [f32], steps: usize) -> Self {
        if weight.is_empty() {
            Self::None
        } else if steps <= FEW {
            Self::Plain(weight)
        } else {
            Self::Packed(pack_forward::<C>(sizes.hidden, weight))
        }
    }
}

/// The recurrent weights `[H, G·H]`, every gate padded to whole vectors.
pub(super) fn pack_forward<C: Timestep>(hidden: usize, weight: &[f32]) -> Packed {
    arch().dispatch(Pack {
        rows: hidden,
        columns: C::GATES * padded(hidden),
        panel: padded_gates::<C>(hidden, weight),
    })
}

/// What fills a panel of them; for [`Packed::new`].
pub(super) fn padded_gates<C: Timestep>(size: usize, weight: &[f32]) -> impl Fn(usize, &mut [f32]) {
    let padded = padded(size);
    move |first, to| {
        let width = to.len() / size;
        // Sixteen columns at a time lie within a gate.
        for part in (0..width).step_by(16) {
            let (gate, unit) = ((first + part) / padded, (first + part) % padded);
            // The last panel may reach past the last gate.
            if gate == C::GATES {
                break;
            }
            let count = size.saturating_sub(unit).min(width - part).min(16);
            for (k, to) in to.chunks_exact_mut(width).enumerate() {
                let from = &weight[(k * C::GATES + gate) * size..][..size];
                let (from, to) = (&from[unit.min(size)..][..count], &mut to[part..][..count]);
                match (
                    <&[f32; 16]>::try_from(from),
                    <&mut [f32; 16]>::try_from(&mut *to),
                ) {
                    // Of a known length: no call.
                    (Ok(from), Ok(to)) => *to = *from,
                    _ => to.copy_from_slice(from),
                }
            }
        }
    }
}

/// Walks all rows forward. `weight`: `[H, G·H]`, or empty; `bias`: `[G·H]`, or empty.
pub(super) fn forward<C: Timestep>(
    sizes: Sizes,
    weight: &[f32],
    bias: &[f32],
    mut rows: Vec<ForwardRow<'_>>,
) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.length));
    let steps = rows.iter().map(|row| row.length).sum();
    let weights = &Weights::new::<C>(sizes, weight, steps);
    each_tile(&mut rows, sizes.work::<C>(steps), |rows| {
        arch().dispatch(ForwardTile::<C> {
            sizes,
            weights,
            bias,
            rows,
            cell: PhantomData,
        });
    });
}

/// Walks all rows back. `weight`: `[H, G·H]`, or empty. Returns the gradient of it, of
/// [`previous_width`](Timestep::previous_width) rows: the last is that of the recurrent bias, where there is one.
pub(super) fn backward<C: Timestep>(
    sizes: Sizes,
    weight: &[f32],
    mut rows: Vec<BackwardRow<'_>>,
) -> Vec<f32> {
    rows.sort_by_key(|row| std::cmp::Reverse(row.length));
    let steps = rows.iter().map(|row| row.length).sum();
    let width = C::GATES * sizes.hidden;
    let packed = &(!weight.is_empty()).then(|| {
        arch().dispatch(Pack {
            rows: width,
            columns: padded(sizes.hidden),
            panel: |first: usize, to: &mut [f32]| {
                let columns = to.len() / width;
                let count = sizes.hidden.saturating_sub(first).min(columns);
                for (k, to) in to.chunks_exact_mut(columns).enumerate() {
                    for (n, to) in to[..count].iter_mut().enumerate() {
                        *to = weight[(first + n) * width + k];
                    }
                }
            },
        })
    });
    let tile = backward_tile(rows.len());
    // A sum of its own takes as much memory as H timesteps.
    let longest = rows.first().map_or(0, |row| row.length).max(1);
    let summed = tile * (4 * sizes.hidden).div_ceil(tile * longest);
    let gradient = [C::previous_width(sizes.hidden), width];
    let walk = |rows: &mut [BackwardRow]| {
        let mut gradient = WeightGradient::zeros(gradient);
        for rows in rows.chunks_mut(tile) {
            arch().dispatch(BackwardTile::<C> {
                sizes,
                packed,
                rows,
                gradient: &mut gradient,
                cell: PhantomData,
            });
        }
        gradient
    };
    let parts = if sizes.work::<C>(steps) < LITTLE {
        rows.chunks_mut(summed).map(walk).collect()
    } else {
        let tiles = rows.par_chunks_mut(summed).with_max_len(1);
        tiles.map(walk).collect()
    };
    WeightGradient::sum(parts, gradient)
}

/// Rows a tile on the way back. Sums are made tile by tile: it must not depend on the number of threads.
fn backward_tile(rows: usize) -> usize {
    rows.div_ceil(2).clamp(4, TILE)
}

/// Multiply-adds of a walk below which another thread takes longer to wake than it saves.
const LITTLE: usize = 1 << 23;

/// A thread a tile, or one for all where there is little to do. `work`: multiply-adds of all of them.
fn each_tile<R: Send>(rows: &mut [R], work: usize, walk: impl Fn(&mut [R]) + Send + Sync) {
    let tile = tile(rows.len());
    if rows.len() <= tile || work < LITTLE {
        return rows.chunks_mut(TILE).for_each(walk);
    }
    rows.par_chunks_mut(tile).with_max_len(1).for_each(walk);
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

struct ForwardTile<'t, 'a, C> {
    sizes: Sizes,
    weights: &'t Weights<'t>,
    bias: &'t [f32],
    rows: &'t mut [ForwardRow<'a>],
    cell: PhantomData<C>,
}

impl<C: Timestep> WithSimd for ForwardTile<'_, '_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, weights, .. } = self;
        let size = sizes.hidden;
        let (width, saved_width) = (C::GATES * size, C::SAVED * size);
        let mut states = States::zeros(self.rows.len(), sizes.hidden);
        let columns = match weights {
            Weights::Packed(packed) => packed.columns,
            Weights::Plain(_) => C::GATES * padded(size),
            Weights::None => 0,
        };
        let mut products = vec![0.0; self.rows.len() * columns];
        for (r, row) in self.rows.iter_mut().enumerate() {
            row.hidden_states[row.length * size..].fill(0.0);
            states.set(r, row.hidden, row.cell);
        }
        let longest = self.rows.first().map_or(0, |row| row.length);
        for step in 0..longest {
            let live = self.rows.partition_point(|row| row.length > step);
            // What the gates need comes while the product is made.
            for row in &self.rows[..live] {
                let t = sizes.timestep(step, row.length);
                prefetch(row.projections.at(t, width));
                prefetch(at(row.saved, t, saved_width));
            }
            let before = &states;
            let left = |r: usize| before.hidden_of(r, size);
            match weights {
                Weights::Packed(packed) => {
                    product(simd, live, left, packed, &mut products, step % 2 == 1)
                }
                Weights::Plain(weights) => {
                    plain_product::<S, C>(simd, live, left, weights, &mut products, padded(size));
                }
                Weights::None => {}
            }
            for (r, row) in self.rows[..live].iter_mut().enumerate() {
                let t = sizes.timestep(step, row.length);
                let product = at(&products, r, columns);
                row.step::<C, S>(simd, t, product, self.bias, states.of(r));
            }
        }
        for (r, row) in self.rows.iter_mut().enumerate() {
            states.get(r, row.hidden, row.cell);
        }
    }
}

impl ForwardRow<'_> {
    /// The timestep `t`, from the product with the recurrent weights and their bias to the states after it.
    #[inline(always)]
    pub fn step<C: Timestep, S: Simd>(
        &mut self,
        simd: S,
        t: usize,
        product: &[f32],
        bias: &[f32],
        [hidden, cell]: [&mut [f32]; 2],
    ) {
        let size = self.hidden.len();
        let projections = self.projections.at(t, C::GATES * size);
        let hidden_states = at_mut(self.hidden_states, t, size);
        let saved = at_mut(self.saved, t, C::SAVED * size);
        let (product, _) = S::as_simd_f32s(product);
        let (hidden, _) = S::as_mut_simd_f32s(hidden);
        let (cell, _) = S::as_mut_simd_f32s(cell);
        let zero = simd.splat_f32s(0.0);
        for v in 0..size.div_ceil(S::F32_LANES) {
            let units = Units::of_vector::<S>(v, size);
            let (mut x, mut u) = ([zero; 4], [zero; 4]);
            for gate in 0..C::GATES {
                x[gate] = load(simd, &projections[units.of(gate)]);
                if !C::CELL.has_recurrent_weight() {
                    continue;
                }
                u[gate] = product[gate * hidden.len() + v];
                if !bias.is_empty() {
                    u[gate] = simd.add_f32s(u[gate], load(simd, &bias[units.of(gate)]));
                }
            }
            let next = C::forward(simd, x, u, hidden[v], cell[v]);
            hidden[v] = next.hidden;
            cell[v] = next.cell;
            store(simd, &mut hidden_states[units.of(0)], next.hidden);
            if !saved.is_empty() {
                for i in 0..C::SAVED {
                    store(simd, &mut saved[units.of(i)], next.saved[i]);
                }
            }
        }
    }
}

struct BackwardTile<'t, 'a, C> {
    sizes: Sizes,
    packed: &'t Option<Packed>,
    rows: &'t mut [BackwardRow<'a>],
    gradient: &'t mut WeightGradient,
    cell: PhantomData<C>,
}

impl<C: Timestep> WithSimd for BackwardTile<'_, '_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            sizes,
            packed,
            rows,
            gradient,
            ..
        } = self;
        let width = C::GATES * sizes.hidden;
        let mut gradients = States::zeros(rows.len(), sizes.hidden);
        let columns = packed.as_ref().map_or(0, |packed| packed.columns);
        let mut products = Aligned::zeros(rows.len() * columns);
        for (r, row) in rows.iter_mut().enumerate() {
            row.saved[row.length * width..].fill(0.0);
            gradients.set(r, row.d_hidden, row.d_cell);
        }
        let longest = rows.first().map_or(0, |row| row.length);
        for step in (0..longest).rev() {
            let live = rows.partition_point(|row| row.length > step);
            let first = gradient.room(simd, live);
            for (r, row) in rows[..live].iter_mut().enumerate() {
                let t = sizes.timestep(step, row.length);
                let before = (step > 0).then(|| sizes.timestep(step - 1, row.length));
                row.step::<C, S>(simd, t, before, gradient.of(first + r), gradients.of(r));
            }
            // What the gates of the step before need comes while the product is made.
            if step > 0 {
                let live = rows.partition_point(|row| row.length > step - 1);
                for row in &rows[..live] {
                    let t = sizes.timestep(step - 1, row.length);
                    prefetch(at(row.saved, t, width));
                }
            }
            let Some(packed) = packed else { continue };
            let left = |r: usize| gradient.gradients(first + r);
            product(simd, live, left, packed, &mut products, step % 2 == 1);
            for r in 0..live {
                let [d_hidden, _] = gradients.of(r);
                let (products, _) = S::as_simd_f32s(&products[r * columns..][..d_hidden.len()]);
                let (d_hidden, _) = S::as_mut_simd_f32s(d_hidden);
                for i in 0..d_hidden.len() {
                    d_hidden[i] = simd.add_f32s(d_hidden[i], products[i]);
                }
            }
        }
        gradient.add(simd);
        for (r, row) in rows.iter_mut().enumerate() {
            gradients.get(r, row.d_hidden, row.d_cell);
        }
    }
}

impl BackwardRow<'_> {
    /// The timestep `t`, from the gradients of the states after it to those of what it reads; `before`: the one
    /// that it started from. What it started from and the gradient of its product are kept in `summed`.
    #[inline(always)]
    fn step<C: Timestep, S: Simd>(
        &mut self,
        simd: S,
        t: usize,
        before: Option<usize>,
        summed: [&mut [f32]; 2],
        [d_hidden, d_cell]: [&mut [f32]; 2],
    ) {
        let size = self.d_hidden.len();
        let width = C::GATES * size;
        let hidden_states = at(self.hidden_states, t, size);
        let d_hidden_states = at(self.d_hidden_states, t, size);
        let previous_hidden = match before {
            None => self.initial_hidden,
            Some(before) => at(self.hidden_states, before, size),
        };
        // Only the cell state of the step before is read beside what is saved of this one, and rows go back in time.
        let (saved, previous_cell) = match before {
            Some(before) if C::HAS_CELL => {
                let of_cell = (before + 1) * width - size;
                let (saved, cell) = if before < t {
                    let (before, after) = self.saved.split_at_mut(t * width);
                    (&mut after[..width], &before[of_cell..])
                } else {
                    let (saved, before) = self.saved.split_at_mut((t + 1) * width);
                    let of_cell = of_cell - saved.len();
                    (&mut saved[t * width..], &before[of_cell..])
                };
                (saved, &cell[..size])
            }
            _ => (at_mut(self.saved, t, width), self.initial_cell),
        };
        let [started_from, of_product] = summed;
        if C::SPLITS_GRADIENT {
            started_from[size] = 1.0;
        }
        let (d_hidden, _) = S::as_mut_simd_f32s(d_hidden);
        let (d_cell, _) = S::as_mut_simd_f32s(d_cell);
        for v in 0..size.div_ceil(S::F32_LANES) {
            let units = Units::of_vector::<S>(v, size);
            if !d_hidden_states.is_empty() {
                let of_output = load(simd, &d_hidden_states[units.of(0)]);
                d_hidden[v] = simd.add_f32s(d_hidden[v], of_output);
            }
            let previous_hidden = load(simd, &previous_hidden[units.of(0)]);
            if C::CELL.has_recurrent_weight() {
                store(simd, &mut started_from[units.of(0)], previous_hidden);
            }
            let mut kept = [simd.splat_f32s(0.0); 4];
            for i in 0..C::SAVED {
                kept[i] = load(simd, &saved[units.of(i)]);
            }
            let at = Backward {
                saved: kept,
                hidden: load(simd, &hidden_states[units.of(0)]),
                previous: if C::HAS_CELL {
                    load(simd, &previous_cell[units.of(0)])
                } else {
                    previous_hidden
                },
                d_hidden: d_hidden[v],
                d_cell: d_cell[v],
            };
            let d = C::backward(simd, at);
            d_hidden[v] = d.hidden;
            d_cell[v] = d.cell;
            for gate in 0..C::GATES {
                store(simd, &mut saved[units.of(gate)], d.x[gate]);
                if C::CELL.has_recurrent_weight() {
                    let splits = C::SPLITS_GRADIENT && gate + 1 == C::GATES;
                    let value = if splits { d.split } else { d.x[gate] };
                    store(simd, &mut of_product[units.of(gate)], value);
                }
            }
        }
    }
}
