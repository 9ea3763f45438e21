//! The operations on Burn's WGPU backend: the kernels in `shaders/`, composed, chosen and launched.
//!
//! WGSL text runs where CubeCL compiles WGSL, on 32-bit floats. Anywhere else (Burn's CUDA, or its WGPU
//! with the `vulkan` or `metal` feature, which compiles SPIR-V and MSL) the reference serves.

mod adam;
pub(crate) mod choices;
mod embedding;
mod heartbeat;
mod launch;
mod limits;
pub(crate) mod measure;
mod perceptron;
#[cfg(test)]
mod portability;
mod shader;
#[cfg(test)]
mod traffic;
mod walk;
mod weight_gradients;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::tensor::CubeTensor;

use crate::adam::step::AdamStep;
use crate::backend::RecurrentBackend;
use crate::cell::Cell;
use crate::reference;
use crate::tensors::{
    AdamPair, AdamTensors, Direction, PerceptronInputs, PerceptronOutputs, PerceptronSaved, Places,
    TokenInputs, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs, WalkSaved,
    WalkTraining, Wanted,
};

/// Whether the kernels run on a device, on 32-bit floats.
pub(crate) fn runs_on(client: &Client) -> bool {
    client.name() == "wgpu<wgsl>" && limits::Limits::of(client).suffice()
}

/// Whether the kernels run where `tensor` is.
fn runs_wgsl(tensor: &CubeTensor) -> bool {
    tensor.dtype == DType::F32 && runs_on(&tensor.client)
}

impl RecurrentBackend for CubeBackend {
    fn walk(inputs: WalkInputs<Self>, cell: Cell, direction: Direction) -> WalkOutputs<Self> {
        if !runs_wgsl(inputs.projections.tensor()) {
            return reference::walk(inputs, cell, direction);
        }
        walk::forward(inputs, cell, direction, false).outputs
    }

    fn walk_training(
        inputs: WalkInputs<Self>,
        cell: Cell,
        direction: Direction,
    ) -> WalkTraining<Self> {
        if !runs_wgsl(inputs.projections.tensor()) {
            return reference::walk_training(inputs, cell, direction);
        }
        walk::forward(inputs, cell, direction, true)
    }

    fn walk_backward(
        saved: WalkSaved<Self>,
        output_gradients: WalkOutputGradients<Self>,
        cell: Cell,
        direction: Direction,
        wanted: Wanted,
    ) -> WalkGradients<Self> {
        if !runs_wgsl(&saved.hidden_states) {
            return reference::walk_backward(saved, output_gradients, cell, direction, wanted);
        }
        walk::backward(saved, output_gradients, cell, direction, wanted)
    }

    fn token_embedding_backward(
        tokens: TokenInputs<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        match tokens.places {
            Places::Sorted { positions, starts } if runs_wgsl(&output_gradient) => {
                embedding::backward(positions, starts, tokens.words, output_gradient)
            }
            _ => reference::embedding::backward(tokens, output_gradient),
        }
    }

    fn perceptron_forward(inputs: PerceptronInputs<Self>) -> PerceptronOutputs<Self> {
        let (hidden, output) = (&inputs.hidden_weight, &inputs.output_weight);
        match perceptron::sizes(&inputs.input, hidden, output) {
            Some(sizes) if runs_wgsl(&inputs.input) => perceptron::forward(inputs, sizes),
            _ => reference::perceptron::forward(inputs),
        }
    }

    fn perceptron_backward(
        saved: PerceptronSaved<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> PerceptronInputs<Self> {
        match perceptron::sizes(&saved.input, &saved.hidden_weight, &saved.output_weight) {
            Some(sizes) if runs_wgsl(&saved.input) => {
                perceptron::backward(saved, output_gradient, sizes)
            }
            _ => reference::perceptron::backward(saved, output_gradient),
        }
    }

    fn adam(
        tensors: AdamTensors<Self>,
        gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> AdamTensors<Self> {
        if !runs_wgsl(&tensors.parameter) {
            return reference::adam::step(tensors, gradient, step);
        }
        adam::step(tensors, gradient, step)
    }

    fn adam_pair(
        first: AdamTensors<Self>,
        first_gradient: FloatTensor<Self>,
        second: AdamTensors<Self>,
        second_gradient: FloatTensor<Self>,
        step: AdamStep,
    ) -> AdamPair<Self> {
        if !runs_wgsl(&first.parameter) || !runs_wgsl(&second.parameter) {
            return AdamPair {
                first: reference::adam::step(first, first_gradient, step),
                second: reference::adam::step(second, second_gradient, step),
            };
        }
        adam::step_pair((first, first_gradient), (second, second_gradient), step)
    }

    fn heartbeat(number: FloatTensor<Self>, _after: FloatTensor<Self>) -> FloatTensor<Self> {
        if !runs_wgsl(&number) {
            return Self::float_add_scalar(number, 1.0.into());
        }
        heartbeat::next(number)
    }
}
