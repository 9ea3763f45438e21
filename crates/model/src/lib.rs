//! Recurrent layers and a sequence classifier for Burn.
//!
//! No backend is named here: a tensor's device says where it runs, and the same code runs on all.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`layers`] | [`Lstm`], [`Gru`] and [`SimpleRnn`] over [`gatefold_kernels`]' operations |
//! | [`classifier`] | [`SequenceClassifier`]: embedding, recurrent layers, dense, one logit |
//! | [`gates`] | how far the gates of the last recurrent layer stand open at every token |
//! | [`initializers`] | first weights as Keras or PyTorch draw them |
//! | [`weights`] | weights to and from SafeTensors |
//! | [`summary`] | a network's layers, output shapes and parameter counts |
//!
//! ```
//! use burn::tensor::{Device, Distribution, Tensor};
//! use gatefold_model::LstmConfig;
//!
//! let device = Device::flex();
//! let layer = LstmConfig::new(16, 64).init(&device);
//! let input = Tensor::<3>::random([2, 5, 16], Distribution::Default, &device);
//! let lengths = Tensor::from_data([5, 3], &device);
//! let output = layer.forward(input, Some(lengths), None);
//! assert_eq!(output.hidden_states.dims(), [2, 5, 64]);
//! assert_eq!(output.final_state.hidden.dims(), [2, 64]);
//! ```
//!
//! In shapes, B is the batch size, T the time, H the hidden size.

pub mod classifier;
mod dropout;
pub mod gates;
pub mod initializers;
pub mod layers;
pub mod summary;
pub mod weights;

pub use classifier::{ConfigError, RecurrentCell, SequenceClassifier, SequenceClassifierConfig};
pub use gatefold_kernels::{
    AdamStep, Direction, Heartbeat, LostWork, LstmState, Moments, Projections, Simd, SimdError,
    SimdLevel, TokenError, Tokens, adam, linear, release_memory, simd,
};
pub use gates::Gate;
pub use initializers::Initializers;
pub use layers::{Cell, Gru, GruConfig, Lstm, LstmConfig, SimpleRnn, SimpleRnnConfig};
