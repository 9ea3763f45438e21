//! LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), σ the sigmoid:
//!
//! ```text
//! z_t = x_t W + b + h_{t-1} U            [B, 4H], cut into i, f, g, o
//! i, f, o = σ(z_i), σ(z_f), σ(z_o)       g = tanh(z_g)
//! c_t = f · c_{t-1} + i · g              h_t = o · tanh(c_t)
//! ```

use burn::backend::Backend;

use super::array::Array;
use super::walk::{After, Backward, Before, Gradients, Timestep};
use crate::cell::Cell;

pub(super) struct Lstm;

impl<B: Backend> Timestep<B> for Lstm {
    const CELL: Cell = Cell::Lstm;

    fn forward(mut at: Before<B>) -> After<B> {
        let u = at.product();
        let z: [Array<B>; 4] = (at.x + u).gates();
        let [z_i, z_f, z_g, z_o] = z;
        let (i, f, g, o) = (z_i.sigmoid(), z_f.sigmoid(), z_g.tanh(), z_o.sigmoid());
        let cell = f.clone() * at.cell + i.clone() * g.clone();
        After {
            hidden: o.clone() * cell.clone().tanh(),
            cell: Some(cell),
            saved: vec![i, f, o],
        }
    }

    fn backward(at: Backward<B>) -> Gradients<B> {
        let [i, f, o, cell] = at.saved.try_into().ok().expect("four are kept");
        // What the cell state gained is i · g; where i is all but nothing, g is lost in its rounding, and has no part
        // in any gradient.
        let gained = cell.clone() - f.clone() * at.previous.clone();
        let g = gained.divided_by(i.clone()).within_one();
        let tanh_cell = cell.tanh();
        let d_cell = at.d_cell + at.d_hidden.clone() * o.clone() * tanh_cell.clone().tanh_slope();
        Gradients {
            x: vec![
                d_cell.clone() * g.clone() * i.clone().sigmoid_slope(),
                d_cell.clone() * at.previous * f.clone().sigmoid_slope(),
                d_cell.clone() * i * g.tanh_slope(),
                at.d_hidden * tanh_cell * o.sigmoid_slope(),
            ],
            split: None,
            hidden: None,
            cell: Some(d_cell * f),
        }
    }
}
