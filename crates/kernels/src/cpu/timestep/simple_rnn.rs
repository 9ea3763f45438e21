//! A timestep of the simple RNN.

use pulp::Simd;

use super::super::activations::{divide, tanh};
use super::{Backward, Step, StepGradients, Timestep, flush, tanh_slope};
use crate::cell::Cell;

pub(in crate::cpu) struct SimpleRnn;

impl Timestep for SimpleRnn {
    const CELL: Cell = Cell::Rnn;
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
            saved: [cell; 4],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, at: Backward<S>) -> StepGradients<S> {
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
