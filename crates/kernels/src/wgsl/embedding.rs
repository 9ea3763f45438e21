//! The gradient of an embedding.

use burn::backend::TensorMetadata;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared, as_i32};
use super::shader::Shader;
use crate::backend::TokenInputs;

/// `[V, D]`, of the shape of `weight`; `output_gradient`: `[B, T, D]`.
pub(super) fn backward(
    weight: &CubeTensor,
    tokens: TokenInputs<CubeBackend>,
    output_gradient: CubeTensor,
) -> CubeTensor {
    let [words, columns] = weight.shape().dims();
    let output_gradient = into_contiguous(output_gradient);
    let gradient = Shared::new(weight, [weight.shape()]);
    let shader = Shader::EmbeddingBackward { columns };
    // No API promises more workgroups along one axis.
    let across = words.min(65_535);
    let blocks = columns.div_ceil(shader.workgroup());
    Buffers::default()
        .read(&output_gradient)
        .read(&as_i32(tokens.positions))
        .read(&as_i32(tokens.starts))
        .write(&gradient.handle)
        .launch(
            &weight.client,
            shader,
            [across, words.div_ceil(across), blocks],
            &[words as u32, columns as u32],
        );
    gradient.tensor(0)
}
