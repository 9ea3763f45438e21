//! A timestep of the minGRU.

use pulp::Simd;

use super::super::activations::{divide, sigmoid};
use super::{Backward, Step, StepGradients, Timestep, flush, gradient, sigmoid_slope};
use crate::cell::Cell;

pub(in crate::cpu) struct MinGru;

impl Timestep for MinGru {
    const CELL: Cell = Cell::MinGru;

    #[inline(always)]
    fn forward<S: Simd>(
        simd: S,
        x: [S::f32s; 4],
        _u: [S::f32s; 4],
        hidden: S::f32s,
        cell: S::f32s,
    ) -> Step<S> {
        let [z, below] = divide(simd, [sigmoid(simd, x[0]), sigmoid(simd, x[1])]);
        let candidate = candidate(simd, x[1], below);
        Step {
            hidden: simd.mul_add_e_f32s(z, simd.sub_f32s(candidate, hidden), hidden),
            cell,
            // Not the candidate: near 1/2 rounding hides on which side of 0 it comes from.
            saved: [z, x[1], cell, cell],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, at: Backward<S>) -> StepGradients<S> {
        let [z, x_h, ..] = at.saved;
        let [zero, one] = [0.0, 1.0].map(|value| simd.splat_f32s(value));
        let [below] = divide(simd, [sigmoid(simd, x_h)]);
        let difference = simd.sub_f32s(candidate(simd, x_h, below), at.previous);
        let negative = simd.less_than_f32s(x_h, zero);
        let slope = simd.select_f32s(negative, sigmoid_slope(simd, below), one);
        StepGradients {
            x: [
                gradient(simd, at.d_hidden, difference, sigmoid_slope(simd, z)),
                gradient(simd, at.d_hidden, z, slope),
                zero,
                zero,
            ],
            split: zero,
            hidden: flush(simd, simd.mul_f32s(at.d_hidden, simd.sub_f32s(one, z))),
            cell: zero,
        }
    }
}

/// g, from x and its sigmoid.
#[inline(always)]
fn candidate<S: Simd>(simd: S, x: S::f32s, below: S::f32s) -> S::f32s {
    let above = simd.add_f32s(x, simd.splat_f32s(0.5));
    let negative = simd.less_than_f32s(x, simd.splat_f32s(0.0));
    simd.select_f32s(negative, below, above)
}
