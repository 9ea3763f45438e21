//! GRU (Cho et al. 2014) in the reset-after form of cuDNN, Keras and PyTorch, σ the sigmoid:
//!
//! ```text
//! x_t W + b = x_r, x_z, x_n              [B, 3H]
//! h_{t-1} U + b_r = u_r, u_z, u_n        [B, 3H]
//! r, z = σ(x_r + u_r), σ(x_z + u_z)      n = tanh(x_n + r · u_n)
//! h_t = (1 - z) · n + z · h_{t-1}
//! ```

use burn::backend::Backend;

use super::walk::{After, Backward, Before, Gradients, Timestep};
use crate::cell::Cell;

pub(super) struct Gru;

impl<B: Backend> Timestep<B> for Gru {
    const CELL: Cell = Cell::Gru;

    fn forward(mut at: Before<B>) -> After<B> {
        let u = at.product();
        let ([x_r, x_z, x_n], [u_r, u_z, u_n]) = (at.x.gates(), u.gates());
        let r = (x_r + u_r).sigmoid();
        let z = (x_z + u_z).sigmoid();
        let n = (x_n + r.clone() * u_n.clone()).tanh();
        After {
            hidden: n.clone() + z.clone() * (at.hidden - n.clone()),
            cell: None,
            saved: vec![r, z, n, u_n],
        }
    }

    fn backward(at: Backward<B>) -> Gradients<B> {
        let [r, z, n, u_n] = at.saved.try_into().ok().expect("four are kept");
        let d_z = at.d_hidden.clone() * (at.previous - n.clone()) * z.clone().sigmoid_slope();
        let d_n = at.d_hidden.clone() * z.clone().one_minus() * n.tanh_slope();
        let d_r = d_n.clone() * u_n * r.clone().sigmoid_slope();
        Gradients {
            split: Some(d_n.clone() * r),
            x: vec![d_r, d_z, d_n],
            hidden: Some(at.d_hidden * z),
            cell: None,
        }
    }
}
