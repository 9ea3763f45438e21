//! The recurrent operations of Gatefold, generic over the Burn backend.
//!
//! An operation runs one recurrent layer in one direction over a whole padded batch: all timesteps,
//! respecting each row's length. There are three: [`lstm`], [`gru`] and [`simple_rnn`].
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`sequence`] | the functions to call on [`Tensor`](burn::tensor::Tensor)s, with their shape checks |
//! | [`backend`] | [`RecurrentBackend`], the extension trait that a backend implements |
//! | `reference` | the default body: the equations, composed of the backend's own operations |
//! | `autodiff` | the backward passes, registered with Burn's automatic differentiation |
//!
//! In shapes, B is the batch size, T the time, H the hidden size and G the number of gates.

mod autodiff;
pub mod backend;
mod reference;
pub mod sequence;

pub use backend::{Direction, RecurrentBackend};
pub use sequence::{
    GruOutput, LstmOutput, LstmState, ShapeError, SimpleRnnOutput, gru, lstm, simple_rnn,
};
