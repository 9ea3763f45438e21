//! The walk back.

// Plain indices: iterators are not always inlined here, where they cost most.
#![allow(clippy::needless_range_loop)]

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::aligned::Aligned;
use super::super::prefetch::prefetch;
use super::super::product::{Packed, product};
use super::super::simd::arch;
use super::super::timestep::{Backward, Timestep};
use super::super::weight_gradients::{GATHERED, Layout, Sums, WeightGradients};
use super::{
    LITTLE, Pack, RowInput, Sizes, States, TILE, Units, at, at_mut, copy, load, padded, store,
};

/// A row of the batch in the backward pass.
pub(in crate::cpu) struct BackwardRow<'a> {
    pub length: usize,
    /// What was read, where the walk multiplied it itself.
    pub input: Option<RowInput<'a>>,
    /// Where its gradient goes, `[T, D]`; whatever it held. Empty where nobody asks for it, or the projections were given.
    pub d_input: &'a mut [f32],
    /// `[T, SAVED·H]`: what the forward pass saved. Where the projections were given, `[T, G·H]`, and their gradient
    /// takes its place; a cell that saves nothing then finds whatever it held.
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

/// Walks all rows back. U is `[H, G·H]`, W `[D, G·H]`; empty where there is none, or where the input's gradient is not
/// asked for.
pub(in crate::cpu) fn backward<C: Timestep>(
    sizes: Sizes,
    [recurrent_weight, input_weight]: [&[f32]; 2],
    mut rows: Vec<BackwardRow<'_>>,
) -> Sums {
    rows.sort_by_key(|row| std::cmp::Reverse(row.length));
    let steps = rows.iter().map(|row| row.length).sum();
    let width = C::GATES * sizes.hidden;
    let layout = Layout::new::<C>(sizes.hidden, sizes.input);
    let recurrent = &(!recurrent_weight.is_empty())
        .then(|| transposed(recurrent_weight, width, padded(sizes.hidden), |k| k));
    let input = &(!input_weight.is_empty()).then(|| {
        let rows = input_weight.len() / width;
        transposed(input_weight, width, rows, |k| layout.of_projections(k))
    });
    let tile = backward_tile(rows.len());
    // A sum of its own takes as much memory as H timesteps; but there are as many as the threads of a small computer.
    let longest = rows.first().map_or(0, |row| row.length).max(1);
    let most = rows.len().div_ceil(tile).div_ceil(SUMS);
    let summed = tile * (4 * sizes.hidden).div_ceil(tile * longest).min(most).max(1);
    let walk = |rows: &mut [BackwardRow]| {
        let mut gradients = WeightGradients::zeros(layout.clone());
        for rows in rows.chunks_mut(tile) {
            arch().dispatch(BackwardTile::<C> {
                sizes,
                recurrent,
                input,
                rows,
                gradients: &mut gradients,
                cell: PhantomData,
            });
        }
        gradients
    };
    let parts = if sizes.work::<C>(steps) < LITTLE {
        rows.chunks_mut(summed).map(walk).collect()
    } else {
        let tiles = rows.par_chunks_mut(summed).with_max_len(1);
        tiles.map(walk).collect()
    };
    WeightGradients::sum(parts, &layout)
}

/// Weights `[K, width]` as `[width, columns]`, zeros past K; row k is column `from(k)`.
fn transposed(
    weights: &[f32],
    width: usize,
    columns: usize,
    from: impl Fn(usize) -> usize,
) -> Packed {
    let rows = weights.len() / width;
    arch().dispatch(Pack {
        rows: width,
        columns,
        panel: |first: usize, to: &mut [f32]| {
            let columns = to.len() / width;
            let count = rows.saturating_sub(first).min(columns);
            for (k, to) in to.chunks_exact_mut(columns).enumerate() {
                let column = from(k);
                for (n, to) in to[..count].iter_mut().enumerate() {
                    *to = weights[(first + n) * width + column];
                }
            }
        },
    })
}

/// Sums of their own that tiles have at least, if there are as many.
const SUMS: usize = 8;

/// Rows a tile on the way back. Sums are made tile by tile: it must not depend on the number of threads.
fn backward_tile(rows: usize) -> usize {
    rows.div_ceil(2).clamp(4, TILE)
}

struct BackwardTile<'t, 'a, C> {
    sizes: Sizes,
    recurrent: &'t Option<Packed>,
    input: &'t Option<Packed>,
    rows: &'t mut [BackwardRow<'a>],
    gradients: &'t mut WeightGradients,
    cell: PhantomData<C>,
}

impl<C: Timestep> WithSimd for BackwardTile<'_, '_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            sizes,
            recurrent,
            input,
            rows,
            gradients,
            ..
        } = self;
        let size = sizes.hidden;
        let saved = C::SAVED * size;
        let mut states = States::zeros(rows.len(), size);
        let columns = recurrent.as_ref().map_or(0, |packed| packed.columns);
        let mut products = Aligned::zeros(rows.len() * columns);
        let mut of_input = OfInput::new(input, sizes);
        for (r, row) in rows.iter_mut().enumerate() {
            if sizes.input.is_none() {
                row.saved[row.length * C::GATES * size..].fill(0.0);
            }
            if !row.d_input.is_empty() {
                row.d_input[row.length * of_input.size..].fill(0.0);
            }
            states.set(r, row.d_hidden, row.d_cell);
        }
        let longest = rows.first().map_or(0, |row| row.length);
        for step in (0..longest).rev() {
            let live = rows.partition_point(|row| row.length > step);
            if !gradients.has_room(live) {
                of_input.write(simd, gradients, rows);
                gradients.add(simd);
            }
            let first = gradients.take(live);
            for (r, row) in rows[..live].iter_mut().enumerate() {
                let t = sizes.timestep(step, row.length);
                let before = (step > 0).then(|| sizes.timestep(step - 1, row.length));
                of_input.places[first + r] = (r, t);
                row.step::<C, S>(simd, t, before, (gradients, first + r), states.of(r));
            }
            // What the gates of the step before need comes while the product is made.
            if step > 0 {
                let live = rows.partition_point(|row| row.length > step - 1);
                for row in &rows[..live] {
                    let t = sizes.timestep(step - 1, row.length);
                    prefetch(at(row.saved, t, saved));
                    if let Some(input) = row.input {
                        prefetch(input.at(t, of_input.size));
                    }
                    if step > 1 {
                        let before = sizes.timestep(step - 2, row.length);
                        prefetch(at(row.hidden_states, before, size));
                        if C::HAS_CELL {
                            prefetch(&row.saved[(before + 1) * saved - size..][..size]);
                        }
                    }
                }
            }
            let Some(packed) = recurrent else { continue };
            let mut left: [&[f32]; TILE] = [&[]; TILE];
            for r in 0..live {
                [left[r], _] = gradients.gradients(first + r);
            }
            product(simd, &left[..live], packed, &mut products, step % 2 == 1);
            for r in 0..live {
                let [d_hidden, _] = states.of(r);
                let (products, _) = S::as_simd_f32s(&products[r * columns..][..d_hidden.len()]);
                let (d_hidden, _) = S::as_mut_simd_f32s(d_hidden);
                for i in 0..d_hidden.len() {
                    d_hidden[i] = simd.add_f32s(d_hidden[i], products[i]);
                }
            }
        }
        of_input.write(simd, gradients, rows);
        gradients.add(simd);
        for (r, row) in rows.iter_mut().enumerate() {
            states.get(r, row.d_hidden, row.d_cell);
        }
    }
}

/// The gradient of the input, made of many timesteps at once.
struct OfInput<'t> {
    /// Wᵀ, where it is asked for.
    packed: &'t Option<Packed>,
    /// D.
    size: usize,
    /// The row of the tile and the timestep of what is gathered.
    places: [(usize, usize); GATHERED],
    products: Aligned,
}

impl<'t> OfInput<'t> {
    fn new(packed: &'t Option<Packed>, sizes: Sizes) -> Self {
        let columns = packed.as_ref().map_or(0, |packed| packed.columns);
        Self {
            packed,
            size: sizes.input.unwrap_or(0),
            places: [(0, 0); GATHERED],
            products: Aligned::zeros(GATHERED * columns),
        }
    }

    /// Writes those of what is gathered.
    #[inline(always)]
    fn write<S: Simd>(
        &mut self,
        simd: S,
        gradients: &WeightGradients,
        rows: &mut [BackwardRow<'_>],
    ) {
        let Some(packed) = self.packed else { return };
        let count = gradients.gathered();
        let mut left: [&[f32]; GATHERED] = [&[]; GATHERED];
        for i in 0..count {
            [_, left[i]] = gradients.gradients(i);
        }
        product(simd, &left[..count], packed, &mut self.products, false);
        for i in 0..count {
            let (row, t) = self.places[i];
            let product = &self.products[i * packed.columns..];
            let of_input = &mut rows[row].d_input[t * self.size..][..self.size];
            copy(simd, of_input, &product[..self.size]);
        }
    }
}

impl BackwardRow<'_> {
    /// The timestep `t`, from the gradients of the states after it to those of what it reads; `before`: the one
    /// that it started from. What weights' gradients need of it becomes timestep `i` of `gathered`.
    #[inline(always)]
    fn step<C: Timestep, S: Simd>(
        &mut self,
        simd: S,
        t: usize,
        before: Option<usize>,
        (gathered, i): (&mut WeightGradients, usize),
        [d_hidden, d_cell]: [&mut [f32]; 2],
    ) {
        let size = self.d_hidden.len();
        let width = C::SAVED * size;
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
            _ => (at_mut(self.saved, t, C::GATES * size), self.initial_cell),
        };
        let is_input = self.input.is_some();
        let layout = gathered.layout();
        let mut places = [0; 4];
        for gate in 0..C::GATES {
            places[gate] = layout.place(gate, C::GATES);
        }
        let split_place = layout.split_place();
        let [started_from, read, of_timestep] = gathered.of(i);
        if let Some(input) = self.input {
            copy(simd, read, input.at(t, read.len()));
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
                if !is_input {
                    store(simd, &mut saved[units.of(gate)], d.x[gate]);
                }
                if !of_timestep.is_empty() {
                    store(
                        simd,
                        &mut of_timestep[places[gate]..][units.of(0)],
                        d.x[gate],
                    );
                }
            }
            if C::SPLITS_GRADIENT {
                store(simd, &mut of_timestep[split_place..][units.of(0)], d.split);
            }
        }
    }
}
