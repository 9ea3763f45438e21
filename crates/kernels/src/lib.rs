//! The recurrent operations of Gatefold, generic over the Burn backend.
//!
//! An operation runs one recurrent layer in one direction over a whole padded batch: all timesteps,
//! respecting each row's length. There are four: [`lstm`], [`gru`], [`simple_rnn`] and [`min_gru`], fronts of one
//! [`walk`]. What a training step needs beside them stands here where Burn's own operation would hold it up:
//! [`embedding`](fn@embedding), [`linear`](fn@linear) and [`adam`](fn@adam). For a stream on the CPU there is a
//! [`Stepper`] in plain vectors. Layers that hold weights are in `gatefold-model`.
//!
//! ```toml
//! [dependencies]
//! burn = { version = "0.22.1", default-features = false, features = [
//!   "std", "autodiff", "flex", "simd", "rayon", "wgpu", "fusion",
//! ] }
//! gatefold-kernels = { git = "https://github.com/gatefold/gatefold" }
//! ```
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use gatefold_kernels::{Direction, lstm};
//!
//! # fn main() -> Result<(), gatefold_kernels::InputError> {
//! let device = Device::flex();
//! // Two sequences of five timesteps, `x W + b` of four gates of eight units each.
//! let projections = Tensor::<3>::random([2, 5, 32], Distribution::Default, &device);
//! let recurrent_weight = Tensor::<2>::random([8, 32], Distribution::Default, &device);
//! let lengths = Tensor::from_data([5, 3], &device);
//! let output = lstm(projections, recurrent_weight, None, lengths, Direction::Forward)?;
//! assert_eq!(output.hidden_states.dims(), [2, 5, 8]);
//! # Ok(())
//! # }
//! ```
//!
//! # What runs where
//! On Burn's WGPU backend a layer and direction is a handful of dispatches whatever the length of the
//! sequence, in training and outside it, and the same call gives the same bits every time. That is so where WGSL is
//! compiled, on 32-bit floats; Burn's features `vulkan` and `metal` choose other compilers. The table at
//! [`fused`](fn@fused) says which device, feature and float gets kernels and which the plain reference;
//! `fused(&device)` says it of a device.
//!
//! # Modules
//! | module | what it holds |
//! | --- | --- |
//! | [`sequence`] | the functions to call on [`Tensor`](burn::tensor::Tensor)s |
//! | [`cell`] | the kinds of layer, and what tells them apart |
//! | [`projections`], [`state`], [`error`] | what the functions read, hand on, and refuse |
//! | [`backend`] | [`RecurrentBackend`], the extension trait that a backend implements |
//! | [`tensors`] | what its methods read and return |
//! | [`mod@linear`], [`mod@perceptron`], [`mod@adam`] | a linear layer, two with a ReLU between them, a step of the optimizer |
//! | [`mod@cross_entropy`] | the loss of a right answer among very many, and its gradient |
//! | [`mod@backpropagated`] | a backward pass that begins with a known gradient |
//! | [`mod@embedding`] | the embedding, and the tokens sorted for its gradient |
//! | `cpu` | on Burn's Flex backend: a thread a tile of rows, vectors of hidden units |
//! | `wgsl` | on Burn's WGPU backend: the fused kernels in `shaders/`, and which of them run |
//! | [`heartbeat`] | whether a device did what it was given |
//! | [`kernel_choices`] | how walks are laid out on a GPU, and which layout is fastest |
//! | [`sums`] | how long sums are cut into parts |
//! | `reference` | the default body: the equations, composed of the backend's own operations |
//! | `autodiff` | the backward passes, registered with Burn's automatic differentiation |
//!
//! # Features
//! | feature | what it adds |
//! | --- | --- |
//! | `fusion` (default) | Lazy operations under Burn's fusion, which it turns on. Where anything else turns Burn's feature `fusion` on, this one has to be on too: else the build says that ``the trait bound `Fusion<CubeBackend>: RecurrentBackend` is not satisfied``. |
//! | `ndarray` | The operations on Burn's NdArray backend, a slow and independent reference for tests. |
//!
//! In shapes, B is the batch size, T the time, H the hidden size and G the number of gates.

pub mod adam;
mod autodiff;
pub mod backend;
pub mod backpropagated;
pub mod cell;
mod cpu;
pub mod cross_entropy;
pub mod embedding;
pub mod error;
mod fused;
pub mod heartbeat;
pub mod kernel_choices;
pub mod linear;
pub mod perceptron;
pub mod projections;
mod reference;
pub mod sequence;
pub mod state;
pub mod sums;
// A box would be no extension type, and there is one projection a layer.
#[allow(clippy::large_enum_variant)]
pub mod tensors;
mod wgsl;

pub use adam::{AdamParameter, AdamStep, Moments, adam};
pub use backend::RecurrentBackend;
pub use backpropagated::backpropagated;
pub use cell::Cell;
pub use cpu::{LayerWeights, Simd, SimdError, SimdLevel, Stepper, release_memory, simd};
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use embedding::{TokenError, Tokens, embedding};
pub use error::InputError;
pub use fused::fused;
pub use heartbeat::{Heartbeat, LostWork};
pub use linear::linear;
pub use perceptron::{LinearWeights, perceptron};
pub use projections::{InputWeights, Projections};
pub use sequence::*;
pub use state::{LstmState, State};
pub use tensors::Direction;
