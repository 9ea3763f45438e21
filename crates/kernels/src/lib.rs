//! The recurrent operations of Gatefold, generic over the Burn backend.
//!
//! An operation runs one recurrent layer in one direction over a whole padded batch: all timesteps,
//! respecting each row's length. There are three: [`lstm`], [`gru`] and [`simple_rnn`]. A fourth,
//! [`embedding`](fn@embedding), has a gradient that is fast and reproducible.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`sequence`] | the functions to call on [`Tensor`](burn::tensor::Tensor)s, with their checks |
//! | [`backend`] | [`RecurrentBackend`], the extension trait that a backend implements |
//! | [`mod@embedding`] | the embedding, and the tokens sorted for its gradient |
//! | `cpu` | on Burn's Flex backend: a thread a tile of rows, vectors of hidden units |
//! | `wgsl` | on Burn's WGPU backend: the fused kernels in `shaders/`, and which of them run |
//! | [`sums`] | how long sums are cut into parts |
//! | `reference` | the default body: the equations, composed of the backend's own operations |
//! | `autodiff` | the backward passes, registered with Burn's automatic differentiation |
//!
//! On Burn's WGPU backend a layer and direction is a handful of dispatches whatever the length of the
//! sequence, in training and outside it, and the same call gives the same bits every time.
//!
//! # Features
//! - `fusion` (default): lazy operations under Burn's fusion. It has to be on where Burn's own feature
//!   `fusion` is on, and off where that is off.
//! - `ndarray`: the operations on Burn's NdArray backend, a slow and independent reference for tests.
//!
//! In shapes, B is the batch size, T the time, H the hidden size and G the number of gates.

mod autodiff;
pub mod backend;
mod cpu;
pub mod embedding;
mod reference;
pub mod sequence;
pub mod sums;
mod wgsl;

pub use backend::{Direction, RecurrentBackend};
pub use embedding::{SortedTokens, TokenError, embedding};
pub use sequence::{
    GruOutput, InputError, LstmOutput, LstmState, SimpleRnnOutput, gru, lstm, simple_rnn,
};
