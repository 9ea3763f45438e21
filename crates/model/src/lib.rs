//! Recurrent layers, and networks of them, for Burn.
//!
//! No backend is named here: a tensor's device says where it runs, and the same code runs on all. Where it runs as
//! fused kernels is in the table at [`fused`](fn@fused).
//!
//! ```toml
//! [dependencies]
//! burn = { version = "0.22.1", default-features = false, features = [
//!   "std", "autodiff", "optim", "flex", "simd", "rayon", "wgpu", "fusion",
//! ] }
//! gatefold-model = { git = "https://github.com/gatefold/gatefold" }
//! ```
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use gatefold_model::LstmConfig;
//! use gatefold_model::burn;
//!
//! let device = Device::flex();
//! let layer = LstmConfig::new(16, 64).init(&device);
//! let input = Tensor::<3>::random([2, 5, 16], Distribution::Default, &device);
//! let lengths = Tensor::from_data([5, 3], &device);
//! let output = layer.forward(input.clone(), Some(lengths), None);
//! assert_eq!(output.hidden_states.dims(), [2, 5, 64]);
//! assert_eq!(output.final_state.hidden.dims(), [2, 64]);
//!
//! // A timestep at a time, from zeros.
//! let state = layer.step(input.narrow(1, 0, 1).squeeze_dim(1), layer.zero_state(2));
//! assert_eq!(state.cell.dims(), [2, 64]);
//! ```
//!
//! | to have | take |
//! | --- | --- |
//! | one layer in one direction | [`Lstm`], [`Gru`], [`SimpleRnn`], [`MinGru`], or [`RecurrentCell`] for any of them |
//! | layers on top of each other, or in both directions | [`Stack`] |
//! | a stream on the CPU, in plain vectors | [`Stepper`], from any layer's `stepper` |
//! | a layer of Burn's with its weights | `Lstm::try_from(&theirs)`, `Gru`'s or `SimpleRnn`'s; of `BiLstm`, `BiGru` and `BiRnn` `Stack::try_from(&theirs)` |
//! | tokens or numbers to answers | [`Network`] |
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`layers`] | the layers over [`gatefold_kernels`]' operations |
//! | [`stack`] | recurrent layers on top of each other, in one direction or both, with states in and out |
//! | [`network`] | [`Network`]: an input, a stack of recurrent layers, a head |
//! | [`config`] | [`NetworkConfig`], which describes a network |
//! | [`language`] | [`LanguageModel`]: which token comes next |
//! | [`head`], [`reading`] | what of the hidden states is answered from |
//! | [`gates`] | how far the gates of the last recurrent layer stand open at every timestep |
//! | [`initializers`] | first weights as Keras or PyTorch draw them |
//! | [`weights`] | weights to and from SafeTensors |
//! | `interop` (with the feature `interop`) | weights to and from PyTorch's and Keras's files, and ONNX |
//! | [`summary`] | a network's layers, output shapes and parameter counts |
//! | [`error`](mod@error) | what can be wrong with a configuration or an input |
//!
//! # Features
//! | feature | what it adds |
//! | --- | --- |
//! | `fusion` (default) | Burn's fusion; see [`gatefold_kernels`]. |
//! | `interop` | Weights to and from PyTorch's and Keras's files, and ONNX files. |
//! | `ndarray` | The layers on Burn's NdArray backend, for tests. |
//!
//! In shapes, B is the batch size, T the time, H the hidden size, G the number of gates, C the size of an answer.

pub mod config;
mod dropout;
pub mod error;
pub mod gates;
pub mod head;
pub mod initializers;
#[cfg(feature = "interop")]
pub mod interop;
pub mod language;
pub mod layers;
pub mod network;
pub mod reading;
pub mod stack;
pub mod summary;
pub mod weights;

/// The Burn that this crate's types are of.
pub use burn;
pub use config::NetworkConfig;
pub use error::{ConfigError, NetworkError};
pub use gatefold_kernels::{
    AdamParameter, AdamStep, CrossEntropy, Direction, Heartbeat, InputError, LostWork, Moments,
    Projections, Simd, SimdError, SimdLevel, Stepper, TokenError, Tokens, adam, backpropagated,
    cross_entropy, embedding, fused, gru, kernel_choices, linear, lstm, min_gru, release_memory,
    simd, simple_rnn,
};
pub use gates::Gate;
pub use head::Head;
pub use initializers::Initializers;
pub use language::{LanguageModel, Predictions};
pub use layers::*;
pub use network::{Input, Network, NetworkInput};
pub use reading::Reading;
pub use stack::{LayerStates, Stack, StackConfig, StackLayer, StackOutput, States};
pub use weights::{Naming, Weights, WeightsError};
