//! The gradient of an embedding.

use burn::backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared, as_i32};
use super::shader::Shader;

/// `[V, D]`; `output_gradient`: `[B, T, D]`. For the others see [`Places`](crate::tensors::Places).
pub(super) fn backward(
    positions: CubeTensor,
    starts: CubeTensor,
    words: usize,
    output_gradient: CubeTensor,
) -> CubeTensor {
    let output_gradient = into_contiguous(output_gradient);
    let [_, _, columns] = output_gradient.shape().dims();
    let gradient = Shared::new(&output_gradient, [[words, columns].into()]);
    Buffers::default()
        .read(&output_gradient)
        .read(&as_i32(positions))
        .read(&as_i32(starts))
        .write(&gradient.handle)
        .launch_many(
            &output_gradient.client,
            Shader::EmbeddingBackward,
            words * columns,
            &[words as u32, columns as u32],
        );
    gradient.tensor(0)
}
