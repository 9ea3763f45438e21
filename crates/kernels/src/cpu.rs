//! The operations on Burn's CPU backend, Flex, for 32-bit floats. Other floats go to the reference.

mod activations;
mod adam;
mod aligned;
mod batch;
mod buffers;
mod cross_entropy;
mod embedding;
mod linear;
mod prefetch;
mod product;
mod simd;
mod stepper;
mod tensors;
mod threads;
mod timestep;
mod walk;
mod weight_gradients;

use burn::backend::Flex;
use burn::backend::ops::ModuleOps;

use crate::adam::step::AdamStep;
use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::reference;
use crate::tensors::{
    AdamTensors, CrossEntropyInputs, CrossEntropyOutputs, Direction, LinearGradients, LinearInputs,
    Places, TokenInputs, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs, WalkSaved,
    WalkTraining, Wanted,
};
use tensors::{Float, is_f32};
use timestep::of_cell;

pub use buffers::release_memory;
pub use simd::{Simd, SimdError, SimdLevel, simd};
pub use stepper::{LayerWeights, Stepper};

impl RecurrentBackend for Flex {
    fn walk(inputs: WalkInputs<Self>, cell: Cell, direction: Direction) -> WalkOutputs<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::walk(inputs, cell, direction);
        }
        of_cell!(cell, batch::forward(inputs, direction, false)).outputs
    }

    fn walk_training(
        inputs: WalkInputs<Self>,
        cell: Cell,
        direction: Direction,
    ) -> WalkTraining<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::walk_training(inputs, cell, direction);
        }
        of_cell!(cell, batch::forward(inputs, direction, true))
    }

    fn walk_backward(
        saved: WalkSaved<Self>,
        output_gradients: WalkOutputGradients<Self>,
        cell: Cell,
        direction: Direction,
        wanted: Wanted,
    ) -> WalkGradients<Self> {
        if !is_f32(&saved.hidden_states) {
            return reference::walk_backward(saved, output_gradients, cell, direction, wanted);
        }
        of_cell!(
            cell,
            batch::backward(saved, output_gradients, direction, wanted)
        )
    }

    fn token_embedding(weight: Float, tokens: TokenInputs<Self>) -> Float {
        if !is_f32(&weight) {
            return Self::embedding(weight, tokens.ids);
        }
        embedding::forward(weight, tokens)
    }

    fn token_embedding_backward(tokens: TokenInputs<Self>, output_gradient: Float) -> Float {
        if !is_f32(&output_gradient) {
            return reference::embedding::backward(tokens, output_gradient);
        }
        let Places::Sorted { positions, starts } = tokens.places else {
            return reference::embedding::backward(tokens, output_gradient);
        };
        embedding::backward(positions, starts, tokens.words, output_gradient)
    }

    fn linear_forward(inputs: LinearInputs<Self>) -> Float {
        if !is_f32(&inputs.input) {
            return reference::linear::forward(inputs);
        }
        linear::forward(inputs)
    }

    fn linear_backward(
        input: Float,
        weight: Float,
        output_gradient: Float,
    ) -> LinearGradients<Self> {
        if !is_f32(&input) {
            return reference::linear::backward::<Self>(input, weight, output_gradient);
        }
        linear::backward(input, weight, output_gradient)
    }

    fn cross_entropy(inputs: CrossEntropyInputs<Self>) -> CrossEntropyOutputs<Self> {
        if !is_f32(&inputs.logits) {
            return reference::cross_entropy::losses(inputs);
        }
        cross_entropy::losses(inputs)
    }

    fn adam(tensors: AdamTensors<Self>, gradient: Float, step: AdamStep) -> AdamTensors<Self> {
        if !is_f32(&gradient) {
            return reference::adam::step(tensors, gradient, step);
        }
        adam::step(tensors, gradient, step)
    }
}
