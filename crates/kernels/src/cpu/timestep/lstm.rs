//! A timestep of the LSTM.

use pulp::Simd;

use super::super::activations::{Quotient, divide, sigmoid, tanh};
use super::{Backward, Step, StepGradients, Timestep};
use super::{flush, gradient, sigmoid_slope, tanh_slope, within};
use crate::cell::Cell;

pub(in crate::cpu) struct Lstm;

impl Timestep for Lstm {
    const CELL: Cell = Cell::Lstm;

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
            saved: [i, f, o, cell],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(simd: S, at: Backward<S>) -> StepGradients<S> {
        let [i, f, o, cell] = at.saved;
        // i·g, which is not saved: what the cell state has beside the part of the one before.
        let added = simd.negate_mul_add_e_f32s(f, at.previous, cell);
        let added = within(simd, added, i);
        // i is never 0.
        let square = Quotient::new(simd.mul_f32s(added, added), i);
        let [tanh_cell, added_g] = divide(simd, [tanh(simd, cell), square]);
        let through_hidden =
            simd.mul_f32s(simd.mul_f32s(at.d_hidden, o), tanh_slope(simd, tanh_cell));
        let d_cell = simd.add_f32s(at.d_cell, through_hidden);
        let one = simd.splat_f32s(1.0);
        let x = [
            gradient(simd, d_cell, added, simd.sub_f32s(one, i)),
            gradient(simd, d_cell, at.previous, sigmoid_slope(simd, f)),
            flush(simd, simd.mul_f32s(d_cell, simd.sub_f32s(i, added_g))),
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
