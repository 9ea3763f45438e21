//! The extension trait through which a Burn backend runs the recurrent operations.
//!
//! Every method has a default body, so `impl RecurrentBackend for MyBackend {}` is enough for a
//! backend that has no kernels of its own. [`walk_training`](RecurrentBackend::walk_training) also returns
//! what the backward pass needs; automatic differentiation calls it, people call [`crate::sequence`].

// Burn keeps NdArray as a reference only, which is its use here.
#![cfg_attr(feature = "ndarray", allow(deprecated))]

#[cfg(feature = "fusion")]
mod specs;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata, backend_extension};

use crate::adam::step::AdamStep;
use crate::cell::Cell;
use crate::reference;
use crate::tensors::*;

/// A Burn backend that runs the recurrent operations.
///
/// The methods trust their shapes; [`crate::sequence`] and [`mod@crate::embedding`] check them. A length
/// below 0 counts as 0, one above T as T.
///
/// # Panics
/// `Autodiff` differentiates once: on it, [`walk_training`](Self::walk_training) and the `*_backward` methods panic.
#[backend_extension(
    Cube,
    Flex,
    NdArray: cfg(feature = "ndarray"),
    Autodiff,
    Fusion: cfg(feature = "fusion")
)]
pub trait RecurrentBackend: Backend {
    /// A cell over a whole sequence.
    #[fusion(meta = specs::walk)]
    fn walk(
        #[extension_type] inputs: WalkInputs<Self>,
        cell: Cell,
        direction: Direction,
    ) -> WalkOutputs<Self> {
        reference::walk::<Self>(inputs, cell, direction)
    }

    /// [`walk`](Self::walk), keeping what the backward pass needs.
    #[fusion(meta = specs::walk_training)]
    fn walk_training(
        #[extension_type] inputs: WalkInputs<Self>,
        cell: Cell,
        direction: Direction,
    ) -> WalkTraining<Self> {
        reference::walk_training::<Self>(inputs, cell, direction)
    }

    /// A walk's backward pass: from the gradients of the outputs to those of the inputs, that of the projections'
    /// input where it is `wanted`.
    #[fusion(meta = specs::walk_backward)]
    fn walk_backward(
        #[extension_type] saved: WalkSaved<Self>,
        #[extension_type] output_gradients: WalkOutputGradients<Self>,
        cell: Cell,
        direction: Direction,
        wanted: Wanted,
    ) -> WalkGradients<Self> {
        reference::walk_backward::<Self>(saved, output_gradients, cell, direction, wanted)
    }

    /// The rows of `weight` `[V, D]` that the tokens name, `[B, T, D]`.
    #[fusion(meta = specs::token_embedding)]
    fn token_embedding(
        weight: FloatTensor<Self>,
        #[extension_type] tokens: TokenInputs<Self>,
    ) -> FloatTensor<Self> {
        Self::embedding(weight, tokens.ids)
    }

    /// The gradient of the weight `[V, D]`, from that of the output `[B, T, D]`. Tokens past a row's
    /// length are left out.
    #[fusion(meta = specs::token_embedding_backward)]
    fn token_embedding_backward(
        #[extension_type] tokens: TokenInputs<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        reference::embedding::backward::<Self>(tokens, output_gradient)
    }

    /// `x W + b`, `[N, M]`.
    #[fusion(meta = specs::linear_forward)]
    fn linear_forward(#[extension_type] inputs: LinearInputs<Self>) -> FloatTensor<Self> {
        reference::linear::forward::<Self>(inputs)
    }

    /// The backward pass of [`linear_forward`](Self::linear_forward), from the gradient `[N, M]` of its output.
    #[fusion(meta = specs::linear_backward)]
    fn linear_backward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> LinearGradients<Self> {
        reference::linear::backward::<Self>(input, weight, output_gradient)
    }

    /// The cross-entropy of a right answer among candidates, and its gradient.
    #[fusion(meta = specs::cross_entropy)]
    fn cross_entropy(
        #[extension_type] inputs: CrossEntropyInputs<Self>,
    ) -> CrossEntropyOutputs<Self> {
        reference::cross_entropy::losses::<Self>(inputs)
    }

    /// `relu(x W_1 + b_1) W_2 + b_2`.
    #[fusion(meta = specs::perceptron_forward)]
    fn perceptron_forward(
        #[extension_type] inputs: PerceptronInputs<Self>,
    ) -> PerceptronOutputs<Self> {
        reference::perceptron::forward::<Self>(inputs)
    }

    /// The backward pass of [`perceptron_forward`](Self::perceptron_forward), from the gradient `[N, C]` of its output.
    #[fusion(meta = specs::perceptron_backward)]
    fn perceptron_backward(
        #[extension_type] saved: PerceptronSaved<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> PerceptronInputs<Self> {
        reference::perceptron::backward::<Self>(saved, output_gradient)
    }

    /// A number `[1]` whose backward pass gives `_gradient` to `output`.
    #[fusion(default)]
    fn backpropagated(
        output: FloatTensor<Self>,
        _gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (device, dtype) = (output.device(), output.dtype());
        Self::float_empty([1].into(), &device, dtype.into())
    }

    /// A step of Adam.
    #[fusion(meta = specs::adam)]
    fn adam(
        #[extension_type] tensors: AdamTensors<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> AdamTensors<Self> {
        reference::adam::step::<Self>(tensors, gradient, step)
    }

    /// [`adam`](Self::adam) of two parameters.
    #[fusion(meta = specs::adam_pair)]
    fn adam_pair(
        #[extension_type] first: AdamTensors<Self>,
        first_gradient: FloatTensor<Self>,
        #[extension_type] second: AdamTensors<Self>,
        second_gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> AdamPair<Self> {
        AdamPair {
            first: Self::adam(first, first_gradient, step),
            second: Self::adam(second, second_gradient, step),
        }
    }

    /// The number behind `number` `[1]`, once `after` is there, if the device did what it was given since the last
    /// heartbeat; else `number` again. A device that can't lose work without an error always goes on.
    #[fusion(meta = specs::heartbeat)]
    fn heartbeat(number: FloatTensor<Self>, _after: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add_scalar(number, 1.0.into())
    }
}

#[cfg(feature = "ndarray")]
impl RecurrentBackend for burn::backend::NdArray {}
