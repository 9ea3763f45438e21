//! A timestep of the GRU.

use pulp::Simd;

use super::super::activations::{Quotient, divide, sigmoid, tanh};
use super::{Backward, Step, StepGradients, Timestep, flush, gradient, sigmoid_slope, within};
use crate::cell::Cell;

pub(in crate::cpu) struct Gru;

impl Timestep for Gru {
    const CELL: Cell = Cell::Gru;

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
            saved: [r, z, u[2], cell],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, at: Backward<S>) -> StepGradients<S> {
        let [r, z, recurrent_candidate, _] = at.saved;
        let rest = simd.sub_f32s(simd.splat_f32s(1.0), z);
        // (1 - z)·n, n not being saved: what the state has beside the part of the one before.
        let added = simd.negate_mul_add_e_f32s(z, at.previous, at.hidden);
        let added = within(simd, added, rest);
        // Where the rest is 0, so is what is added.
        let divisor = simd.max_f32s(rest, simd.splat_f32s(f32::MIN_POSITIVE));
        let square = simd.mul_f32s(added, added);
        let [added_n] = divide(simd, [Quotient::new(square, divisor)]);
        let d_n = flush(
            simd,
            simd.mul_f32s(at.d_hidden, simd.sub_f32s(rest, added_n)),
        );
        let d_r = gradient(simd, d_n, recurrent_candidate, sigmoid_slope(simd, r));
        // (h' - n)·(1 - z) is h' - h.
        let difference = simd.sub_f32s(at.previous, at.hidden);
        let d_z = gradient(simd, at.d_hidden, difference, z);
        let zero = simd.splat_f32s(0.0);
        StepGradients {
            x: [d_r, d_z, d_n, zero],
            split: flush(simd, simd.mul_f32s(d_n, r)),
            hidden: flush(simd, simd.mul_f32s(at.d_hidden, z)),
            cell: zero,
        }
    }
}
