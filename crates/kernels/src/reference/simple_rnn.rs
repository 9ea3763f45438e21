//! Simple RNN (Elman 1990): `h_t = tanh(x_t W + b + h_{t-1} U)`.

use burn::backend::Backend;

use super::walk::{After, Backward, Before, Gradients, Timestep};
use crate::cell::Cell;

pub(super) struct SimpleRnn;

impl<B: Backend> Timestep<B> for SimpleRnn {
    const CELL: Cell = Cell::Rnn;

    fn forward(mut at: Before<B>) -> After<B> {
        let u = at.product();
        After {
            hidden: (at.x + u).tanh(),
            cell: None,
            saved: vec![],
        }
    }

    fn backward(at: Backward<B>) -> Gradients<B> {
        Gradients {
            x: vec![at.d_hidden * at.hidden.tanh_slope()],
            split: None,
            hidden: None,
            cell: None,
        }
    }
}
