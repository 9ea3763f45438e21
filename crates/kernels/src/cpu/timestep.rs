//! One timestep of a cell for a vector of hidden units, forward and backward: the arithmetic that the walks
//! share.

mod gru;
mod lstm;
mod min_gru;
mod simple_rnn;

pub(super) use gru::Gru;
pub(super) use lstm::Lstm;
pub(super) use min_gru::MinGru;
pub(super) use simple_rnn::SimpleRnn;

use pulp::Simd;

use super::activations::SIGN;
use crate::adam::step::VANISHED;
use crate::cell::Cell;

/// Calls a function that is generic over the cell's arithmetic.
macro_rules! of_cell {
    ($cell:expr, $($function:ident)::+($($argument:expr),*)) => {
        match $cell {
            Cell::Rnn => $($function)::+::<$crate::cpu::timestep::SimpleRnn>($($argument),*),
            Cell::Lstm => $($function)::+::<$crate::cpu::timestep::Lstm>($($argument),*),
            Cell::Gru => $($function)::+::<$crate::cpu::timestep::Gru>($($argument),*),
            Cell::MinGru => $($function)::+::<$crate::cpu::timestep::MinGru>($($argument),*),
        }
    };
}

pub(super) use of_cell;

/// What a step returns. Arrays are filled from the front, as far as the cell has gates or saves.
pub(super) struct Step<S: Simd> {
    pub hidden: S::f32s,
    /// Unused but by the LSTM.
    pub cell: S::f32s,
    pub saved: [S::f32s; 4],
}

/// What a step of the backward pass reads.
pub(super) struct Backward<S: Simd> {
    pub saved: [S::f32s; 4],
    pub hidden: S::f32s,
    /// The LSTM's cell, or else the hidden state, that the step started from.
    pub previous: S::f32s,
    pub d_hidden: S::f32s,
    pub d_cell: S::f32s,
}

pub(super) struct StepGradients<S: Simd> {
    /// Of the projections.
    pub x: [S::f32s; 4],
    /// Of the last gate of the product with the recurrent weights; unused where the cell doesn't split.
    pub split: S::f32s,
    /// What reaches the previous hidden state past the product.
    pub hidden: S::f32s,
    pub cell: S::f32s,
}

pub(super) trait Timestep {
    const CELL: Cell;
    /// G.
    const GATES: usize = Self::CELL.gates();
    /// Values saved a unit and timestep: none, or as many as there are gates, so that their gradients take their place.
    /// What the backward pass can derive from them and from the states is not among them.
    const SAVED: usize = Self::GATES;
    /// Whether there is a cell state beside the hidden one; it is saved last.
    const HAS_CELL: bool = Self::CELL.has_cell_state();
    /// Whether the projections and the product with the recurrent weights have different gradients, which
    /// they have in the last gate alone.
    const SPLITS_GRADIENT: bool = Self::CELL.has_recurrent_bias();

    /// `x`: projections; `u`: the product with the recurrent weights, and its bias.
    fn forward<S: Simd>(
        simd: S,
        x: [S::f32s; 4],
        u: [S::f32s; 4],
        hidden: S::f32s,
        cell: S::f32s,
    ) -> Step<S>;

    fn backward<S: Simd>(simd: S, at: Backward<S>) -> StepGradients<S>;
}

#[inline(always)]
fn sigmoid_slope<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    simd.mul_f32s(value, simd.sub_f32s(simd.splat_f32s(1.0), value))
}

#[inline(always)]
fn tanh_slope<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    simd.negate_mul_add_e_f32s(value, value, simd.splat_f32s(1.0))
}

/// `value`, not larger than `size`: what rounding makes of a difference may be.
#[inline(always)]
fn within<S: Simd>(simd: S, value: S::f32s, size: S::f32s) -> S::f32s {
    let value = simd.min_f32s(size, value);
    // Pulp's own `neg` is not inlined.
    let minus = simd.sub_f32s(simd.splat_f32s(0.0), size);
    simd.max_f32s(minus, value)
}

/// `a · b · slope`, flushed.
#[inline(always)]
fn gradient<S: Simd>(simd: S, a: S::f32s, b: S::f32s, slope: S::f32s) -> S::f32s {
    flush(simd, simd.mul_f32s(simd.mul_f32s(a, b), slope))
}

/// Gradients that have all but vanished are zero from here on: a processor computes a hundred times
/// slower with numbers below the normal range.
#[inline(always)]
fn flush<S: Simd>(simd: S, gradient: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    // Pulp's own `abs` is not inlined.
    let size = simd.and_u32s(simd.transmute_u32s_f32s(gradient), simd.splat_u32s(!SIGN));
    let size = simd.transmute_f32s_u32s(size);
    let tiny = simd.less_than_f32s(size, simd.splat_f32s(VANISHED));
    simd.select_f32s(tiny, zero, gradient)
}
