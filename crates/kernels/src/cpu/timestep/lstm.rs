//! A timestep of the LSTM.

use pulp::Simd;

use super::super::activations::{divide, sigmoid, tanh};
use super::{Backward, Step, StepGradients, Timestep, flush, gradient, sigmoid_slope, tanh_slope};
use crate::cell::Cell;

pub(in crate::cpu) struct Lstm;

impl Timestep for Lstm {
    const CELL: Cell = Cell::Lstm;
    const SAVED: usize = 5;

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
    fn backward<S: Simd>(simd: S, at: Backward<S>) -> StepGradients<S> {
        let [i, f, g, o, cell] = at.saved;
        let [tanh_cell] = divide(simd, [tanh(simd, cell)]);
        let through_hidden =
            simd.mul_f32s(simd.mul_f32s(at.d_hidden, o), tanh_slope(simd, tanh_cell));
        let d_cell = simd.add_f32s(at.d_cell, through_hidden);
        let x = [
            gradient(simd, d_cell, g, sigmoid_slope(simd, i)),
            gradient(simd, d_cell, at.previous, sigmoid_slope(simd, f)),
            gradient(simd, d_cell, i, tanh_slope(simd, g)),
            gradient(simd, at.d_hidden, tanh_cell, sigmoid_slope(simd, o)),
        ];
        StepGradients {
            x,
            split: simd.splat_f32s(0.0),
            hidden: simd.splat_f32s(0.0),
            cell: flush(simd, simd.mul_f32s(d_cell, f)),
        }
    }
}
