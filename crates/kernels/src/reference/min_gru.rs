//! minGRU (Feng et al. 2024, "Were RNNs All We Needed?"), σ the sigmoid: a GRU whose gates don't read the state.
//!
//! ```text
//! x_t W + b = x_z, x_h                   [B, 2H]
//! z = σ(x_z)                             h̃ = g(x_h), g(x) = x + 1/2 where x ≥ 0, else σ(x)
//! h_t = (1 - z) · h_{t-1} + z · h̃
//! ```

use burn::backend::{Backend, TensorMetadata, get_device_settings};

use super::array::Array;
use super::walk::{After, Backward, Before, Gradients, Timestep};
use crate::cell::Cell;

pub(super) struct MinGru;

impl<B: Backend> Timestep<B> for MinGru {
    const CELL: Cell = Cell::MinGru;

    fn forward(at: Before<B>) -> After<B> {
        let [x_z, x_h]: [Array<B>; 2] = at.x.gates();
        let z = x_z.sigmoid();
        let candidate = candidate(&x_h);
        After {
            hidden: at.hidden.clone() + z.clone() * (candidate - at.hidden),
            cell: None,
            // Not the candidate: near 1/2 rounding hides on which side of 0 it comes from.
            saved: vec![z, x_h],
        }
    }

    fn backward(at: Backward<B>) -> Gradients<B> {
        let [z, x_h] = at.saved.try_into().ok().expect("two are kept");
        let candidate = candidate(&x_h);
        let d_z =
            at.d_hidden.clone() * (candidate.clone() - at.previous) * z.clone().sigmoid_slope();
        let d_candidate = at.d_hidden.clone() * z.clone();
        let below = d_candidate.clone() * candidate.sigmoid_slope();
        let d_h = where_not_negative(&x_h, d_candidate, below);
        Gradients {
            x: vec![d_z, d_h],
            split: None,
            hidden: Some(at.d_hidden * z.one_minus()),
            cell: None,
        }
    }
}

/// g.
fn candidate<B: Backend>(x: &Array<B>) -> Array<B> {
    let above = Array(B::float_add_scalar(x.0.clone(), 0.5.into()));
    where_not_negative(x, above, x.clone().sigmoid())
}

/// `then` where `value` is at least 0, else `otherwise`; all of one shape.
fn where_not_negative<B: Backend>(
    value: &Array<B>,
    then: Array<B>,
    otherwise: Array<B>,
) -> Array<B> {
    let bools = get_device_settings::<B>(&value.0.device()).bool_dtype;
    let mask = B::float_greater_equal_elem(value.0.clone(), 0.0.into(), bools);
    Array(B::float_mask_where(otherwise.0, mask, then.0))
}
