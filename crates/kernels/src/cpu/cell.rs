//! One timestep of each cell for a vector of hidden units, forward and backward: the arithmetic that the
//! walks share.

use pulp::Simd;

use super::activations::{SIGN, divide, sigmoid, tanh};
use crate::adam::step::VANISHED;

/// What a step returns. Arrays are filled from the front, as far as the cell has gates or saves.
pub(super) struct Step<S: Simd> {
    pub hidden: S::f32s,
    /// Unused but by the LSTM.
    pub cell: S::f32s,
    pub saved: [S::f32s; 5],
}

/// What a step of the backward pass reads.
pub(super) struct Before<S: Simd> {
    pub saved: [S::f32s; 5],
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

pub(super) trait Cell {
    /// G.
    const GATES: usize;
    /// Values saved a unit and timestep.
    const SAVED: usize;
    /// Whether there is a cell state beside the hidden one; it is saved last.
    const HAS_CELL: bool = false;
    /// Whether the projections and the product with the recurrent weights have different gradients, which
    /// they have in the last gate alone.
    const SPLITS_GRADIENT: bool = false;

    /// Values kept of what a timestep started from: its hidden state and, where the gradient is split, one more,
    /// always 1, which sums the gradients for the bias in the product for the weights.
    #[inline(always)]
    fn previous_width(size: usize) -> usize {
        size + usize::from(Self::SPLITS_GRADIENT)
    }

    /// Values of a timestep's gradient that the product with the recurrent weights has for itself.
    #[inline(always)]
    fn split_width(size: usize) -> usize {
        usize::from(Self::SPLITS_GRADIENT) * size
    }

    /// `x`: projections; `u`: the product with the recurrent weights, and its bias.
    fn forward<S: Simd>(
        simd: S,
        x: [S::f32s; 4],
        u: [S::f32s; 4],
        hidden: S::f32s,
        cell: S::f32s,
    ) -> Step<S>;

    fn backward<S: Simd>(simd: S, at: Before<S>) -> StepGradients<S>;
}

pub(super) struct Lstm;
pub(super) struct Gru;
pub(super) struct SimpleRnn;

#[inline(always)]
fn sigmoid_slope<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    simd.mul_f32s(value, simd.sub_f32s(simd.splat_f32s(1.0), value))
}

#[inline(always)]
fn tanh_slope<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    simd.negate_mul_add_e_f32s(value, value, simd.splat_f32s(1.0))
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

impl Cell for Lstm {
    const GATES: usize = 4;
    const SAVED: usize = 5;
    const HAS_CELL: bool = true;

    #[inline(always)]
    fn forward<S: Simd>(
        simd: S,
        x: [S::f32s; 4],
        u: [S::f32s; 4],
        _hidden: S::f32s,
        cell: S::f32s,
    ) -> Step<S> {
        let [i, f, g, o] = divide(
            simd,
            [
                sigmoid(simd, simd.add_f32s(x[0], u[0])),
                sigmoid(simd, simd.add_f32s(x[1], u[1])),
                tanh(simd, simd.add_f32s(x[2], u[2])),
                sigmoid(simd, simd.add_f32s(x[3], u[3])),
            ],
        );
        let cell = simd.mul_add_e_f32s(f, cell, simd.mul_f32s(i, g));
        let [tanh_cell] = divide(simd, [tanh(simd, cell)]);
        Step {
            hidden: simd.mul_f32s(o, tanh_cell),
            cell,
            saved: [i, f, g, o, cell],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, at: Before<S>) -> StepGradients<S> {
        let [i, f, g, o, cell] = at.saved;
        let [tanh_cell] = divide(simd, [tanh(simd, cell)]);
        let through_hidden =
            simd.mul_f32s(simd.mul_f32s(at.d_hidden, o), tanh_slope(simd, tanh_cell));
        let d_cell = simd.add_f32s(at.d_cell, through_hidden);
        let gradient = |a, b, slope| flush(simd, simd.mul_f32s(simd.mul_f32s(a, b), slope));
        let x = [
            gradient(d_cell, g, sigmoid_slope(simd, i)),
            gradient(d_cell, at.previous, sigmoid_slope(simd, f)),
            gradient(d_cell, i, tanh_slope(simd, g)),
            gradient(at.d_hidden, tanh_cell, sigmoid_slope(simd, o)),
        ];
        StepGradients {
            x,
            split: simd.splat_f32s(0.0),
            hidden: simd.splat_f32s(0.0),
            cell: flush(simd, simd.mul_f32s(d_cell, f)),
        }
    }
}

impl Cell for Gru {
    const GATES: usize = 3;
    const SAVED: usize = 4;
    const SPLITS_GRADIENT: bool = true;

    #[inline(always)]
    fn forward<S: Simd>(
        simd: S,
        x: [S::f32s; 4],
        u: [S::f32s; 4],
        hidden: S::f32s,
        cell: S::f32s,
    ) -> Step<S> {
        let [r, z] = divide(
            simd,
            [
                sigmoid(simd, simd.add_f32s(x[0], u[0])),
                sigmoid(simd, simd.add_f32s(x[1], u[1])),
            ],
        );
        let [n] = divide(simd, [tanh(simd, simd.mul_add_e_f32s(r, u[2], x[2]))]);
        Step {
            hidden: simd.mul_add_e_f32s(z, simd.sub_f32s(hidden, n), n),
            cell,
            saved: [r, z, n, u[2], cell],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, at: Before<S>) -> StepGradients<S> {
        let [r, z, n, recurrent_candidate, _] = at.saved;
        let kept = simd.sub_f32s(simd.splat_f32s(1.0), z);
        let gradient = |a, b, slope| flush(simd, simd.mul_f32s(simd.mul_f32s(a, b), slope));
        let d_n = gradient(at.d_hidden, kept, tanh_slope(simd, n));
        let d_r = gradient(d_n, recurrent_candidate, sigmoid_slope(simd, r));
        let difference = simd.sub_f32s(at.previous, n);
        let d_z = gradient(at.d_hidden, difference, sigmoid_slope(simd, z));
        let zero = simd.splat_f32s(0.0);
        StepGradients {
            x: [d_r, d_z, d_n, zero],
            split: flush(simd, simd.mul_f32s(d_n, r)),
            hidden: flush(simd, simd.mul_f32s(at.d_hidden, z)),
            cell: zero,
        }
    }
}

impl Cell for SimpleRnn {
    const GATES: usize = 1;
    const SAVED: usize = 0;

    #[inline(always)]
    fn forward<S: Simd>(
        simd: S,
        x: [S::f32s; 4],
        u: [S::f32s; 4],
        _hidden: S::f32s,
        cell: S::f32s,
    ) -> Step<S> {
        let [hidden] = divide(simd, [tanh(simd, simd.add_f32s(x[0], u[0]))]);
        Step {
            hidden,
            cell,
            saved: [cell; 5],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, at: Before<S>) -> StepGradients<S> {
        let zero = simd.splat_f32s(0.0);
        let d = flush(
            simd,
            simd.mul_f32s(at.d_hidden, tanh_slope(simd, at.hidden)),
        );
        StepGradients {
            x: [d, zero, zero, zero],
            split: zero,
            hidden: zero,
            cell: zero,
        }
    }
}
