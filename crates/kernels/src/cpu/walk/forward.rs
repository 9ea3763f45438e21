//! The walk forward.

// Plain indices: iterators are not always inlined here, where they cost most.
#![allow(clippy::needless_range_loop)]

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::super::aligned::Aligned;
use super::super::prefetch::prefetch;
use super::super::product::{Packed, plain_product, product};
use super::super::simd::arch;
use super::super::timestep::Timestep;
use super::{LITTLE, Pack, RowInput, Sizes, States, TILE, Units, at, at_mut, load, padded, store};

/// A row of the batch in the forward pass.
pub(in crate::cpu) struct ForwardRow<'a> {
    pub length: usize,
    pub input: RowInput<'a>,
    /// `[T, H]`; whatever it held.
    pub hidden_states: &'a mut [f32],
    /// `[T, SAVED·H]`, or empty; whatever it held.
    pub saved: &'a mut [f32],
    /// `[H]`: the initial state, then the final one.
    pub hidden: &'a mut [f32],
    /// The same; empty but for the LSTM.
    pub cell: &'a mut [f32],
}

/// The weights of a layer; U and `b_r` are empty where the cell has none, W and b where the projections are given.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct LayerParts<'a> {
    /// `[H, G·H]`
    pub recurrent_weight: &'a [f32],
    /// `[G·H]`
    pub recurrent_bias: &'a [f32],
    /// `[D, G·H]`
    pub input_weight: &'a [f32],
    /// `[G·H]`
    pub bias: &'a [f32],
}

/// Weights as a walk's product reads them.
enum Weights<'a> {
    Packed(Packed),
    Plain {
        /// `[K, G·H]`
        weights: &'a [f32],
        /// `[G·P]`
        bias: Aligned,
    },
    /// There is no product.
    None,
}

/// Timesteps of all rows together up to which packing the weights costs more than it saves.
const FEW: usize = 8;

impl<'a> Weights<'a> {
    /// `weights`: `[K, G·H]`, or empty; `bias`: `[G·H]`, or empty; `steps`: of all rows that they serve.
    fn new<C: Timestep>(hidden: usize, weights: &'a [f32], bias: &[f32], steps: usize) -> Self {
        if weights.is_empty() {
            Self::None
        } else if steps <= FEW {
            let bias = padded_bias::<C>(hidden, bias);
            Self::Plain { weights, bias }
        } else {
            Self::Packed(pack_forward::<C>(hidden, weights, bias))
        }
    }

    /// The width of a row of the product.
    fn columns(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.columns,
            Self::Plain { bias, .. } => bias.len(),
            Self::None => 0,
        }
    }

    /// `out`: `[rows, columns]`; see [`product`].
    #[inline(always)]
    fn product<S: Simd, C: Timestep>(&self, simd: S, left: &[&[f32]], out: &mut [f32], back: bool) {
        match self {
            Self::Packed(packed) => product(simd, left, packed, out, back),
            Self::Plain { weights, bias } => {
                plain_product(simd, left, weights, C::GATES, bias, out);
            }
            Self::None => {}
        }
    }
}

/// Weights `[K, G·H]` and their bias, `[G·H]` or empty, every gate padded to whole vectors.
pub(in crate::cpu) fn pack_forward<C: Timestep>(
    hidden: usize,
    weights: &[f32],
    bias: &[f32],
) -> Packed {
    let packed = arch().dispatch(Pack {
        rows: weights.len() / (C::GATES * hidden),
        columns: C::GATES * padded(hidden),
        panel: padded_gates::<C>(hidden, weights),
    });
    packed.with_bias(&padded_bias::<C>(hidden, bias))
}

/// `[G·P]`, P being H padded, from `[G·H]` or nothing.
fn padded_bias<C: Timestep>(hidden: usize, bias: &[f32]) -> Aligned {
    let padded = padded(hidden);
    let mut values = Aligned::zeros(C::GATES * padded);
    let gates = values.chunks_exact_mut(padded);
    for (to, from) in gates.zip(bias.chunks_exact(hidden)) {
        to[..hidden].copy_from_slice(from);
    }
    values
}

/// What fills a panel of weights `[K, G·H]`; for [`Packed::new`].
pub(in crate::cpu) fn padded_gates<C: Timestep>(
    hidden: usize,
    weights: &[f32],
) -> impl Fn(usize, &mut [f32]) {
    let padded = padded(hidden);
    let rows = weights.len() / (C::GATES * hidden);
    move |first, to| {
        let width = to.len() / rows;
        // Sixteen columns at a time lie within a gate.
        for part in (0..width).step_by(16) {
            let (gate, unit) = ((first + part) / padded, (first + part) % padded);
            let count = hidden.saturating_sub(unit).min(width - part).min(16);
            for (k, to) in to.chunks_exact_mut(width).enumerate() {
                let from = &weights[(k * C::GATES + gate) * hidden..][..hidden];
                let (from, to) = (&from[unit.min(hidden)..][..count], &mut to[part..][..count]);
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

/// Walks all rows forward.
pub(in crate::cpu) fn forward<C: Timestep>(
    sizes: Sizes,
    layer: LayerParts<'_>,
    mut rows: Vec<ForwardRow<'_>>,
) {
    rows.sort_by_key(|row| std::cmp::Reverse(row.length));
    let steps = rows.iter().map(|row| row.length).sum();
    let weights = |weights, bias| Weights::new::<C>(sizes.hidden, weights, bias, steps);
    let recurrent = &weights(layer.recurrent_weight, layer.recurrent_bias);
    let input = &weights(layer.input_weight, layer.bias);
    each_tile(&mut rows, sizes.work::<C>(steps), |rows| {
        arch().dispatch(ForwardTile::<C> {
            sizes,
            recurrent,
            input,
            rows,
            cell: PhantomData,
        });
    });
}

/// Rows a tile: fewer where there would else be too few tiles for the threads.
fn tile(rows: usize) -> usize {
    rows.div_ceil(rayon::current_num_threads()).clamp(1, TILE)
}

/// A thread a tile, or one for all where there is little to do. `work`: multiply-adds of all of them.
fn each_tile<R: Send>(rows: &mut [R], work: usize, walk: impl Fn(&mut [R]) + Send + Sync) {
    let tile = tile(rows.len());
    if rows.len() <= tile || work < LITTLE {
        return rows.chunks_mut(TILE).for_each(walk);
    }
    if rows.len() > tile * rayon::current_num_threads() {
        return rows.par_chunks_mut(tile).with_max_len(1).for_each(walk);
    }
    // The thread that waits for a short walk takes a part of it: one fewer has to wake.
    let (own, others) = rows.split_at_mut(tile);
    rayon::in_place_scope(|scope| {
        for rows in others.chunks_mut(tile) {
            scope.spawn(|_| walk(rows));
        }
        walk(own);
    });
}

struct ForwardTile<'t, 'a, C> {
    sizes: Sizes,
    recurrent: &'t Weights<'t>,
    input: &'t Weights<'t>,
    rows: &'t mut [ForwardRow<'a>],
    cell: PhantomData<C>,
}

impl<C: Timestep> WithSimd for ForwardTile<'_, '_, C> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            sizes,
            recurrent,
            input,
            ..
        } = self;
        let size = sizes.hidden;
        let (read, saved_width) = (sizes.read::<C>(), C::SAVED * size);
        let count = self.rows.len();
        let mut states = States::zeros(count, sizes.hidden);
        let columns = recurrent.columns();
        let mut products = Aligned::zeros(count * columns);
        // Few rows read several steps at once: more rows of a product take less time each.
        let together = TILE / count;
        let mut vectors: [&[f32]; TILE] = [&[]; TILE];
        let mut projections = Aligned::zeros(together * count * input.columns());
        for (r, row) in self.rows.iter_mut().enumerate() {
            row.hidden_states[row.length * size..].fill(0.0);
            states.set(r, row.hidden, row.cell);
        }
        let longest = self.rows.first().map_or(0, |row| row.length);
        for step in 0..longest {
            let live = self.rows.partition_point(|row| row.length > step);
            let back = step % 2 == 1;
            let (ahead, steps) = (step % together, together.min(longest - step));
            // What comes after the product is asked for before it.
            let to_come = if ahead == 0 { 0..steps } else { 0..0 };
            for ahead in to_come {
                for (r, row) in self.rows.iter().enumerate() {
                    let step = step + ahead;
                    let vector = match step < row.length {
                        true => row.input.at(sizes.timestep(step, row.length), read),
                        // Any: nothing is made of its product.
                        false => vectors[0],
                    };
                    prefetch(vector);
                    vectors[ahead * count + r] = vector;
                }
            }
            for row in &self.rows[..live] {
                let t = sizes.timestep(step, row.length);
                prefetch(at(row.saved, t, saved_width));
            }
            let mut before: [&[f32]; TILE] = [&[]; TILE];
            for r in 0..live {
                before[r] = states.hidden_of(r, size);
            }
            recurrent.product::<S, C>(simd, &before[..live], &mut products, back);
            if ahead == 0 {
                let rows = (steps - 1) * count + live;
                input.product::<S, C>(simd, &vectors[..rows], &mut projections, back);
            }
            for (r, row) in self.rows[..live].iter_mut().enumerate() {
                let t = sizes.timestep(step, row.length);
                let read = ahead * count + r;
                let projections = match sizes.input {
                    Some(_) => OfGates::padded(at(&projections, read, input.columns()), C::GATES),
                    None => OfGates::of(vectors[read], size),
                };
                let product = at(&products, r, columns);
                row.step::<C, S>(simd, t, projections, product, states.of(r));
            }
        }
        for (r, row) in self.rows.iter_mut().enumerate() {
            states.get(r, row.hidden, row.cell);
        }
    }
}

/// H numbers a gate.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct OfGates<'a> {
    values: &'a [f32],
    /// How far the gates are apart.
    stride: usize,
}

impl<'a> OfGates<'a> {
    /// `[G, H]`
    fn of(values: &'a [f32], hidden: usize) -> Self {
        let stride = hidden;
        Self { values, stride }
    }

    /// `[G, P]`, P being H padded.
    pub fn padded(values: &'a [f32], gates: usize) -> Self {
        let stride = values.len() / gates;
        Self { values, stride }
    }

    #[inline(always)]
    fn load<S: Simd>(self, simd: S, gate: usize, units: Units) -> S::f32s {
        load(simd, &self.values[gate * self.stride..][units.of(0)])
    }
}

impl ForwardRow<'_> {
    /// The timestep `t`, from its projections and the product with the recurrent weights, `[G·P]` with its bias, to the
    /// states after it.
    #[inline(always)]
    pub fn step<C: Timestep, S: Simd>(
        &mut self,
        simd: S,
        t: usize,
        projections: OfGates,
        product: &[f32],
        [hidden, cell]: [&mut [f32]; 2],
    ) {
        let size = self.hidden.len();
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
                x[gate] = projections.load(simd, gate, units);
                if C::CELL.has_recurrent_weight() {
                    u[gate] = product[gate * hidden.len() + v];
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
