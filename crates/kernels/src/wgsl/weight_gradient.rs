//! The gradients of the recurrent weights: products over all timesteps of all rows.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared, grid};
use super::shader::Shader;
use crate::tensors::Direction;

/// What each valid timestep started from, `[B, T, H]`.
pub(super) fn previous_hidden(
    hidden_states: CubeTensor,
    initial_hidden: CubeTensor,
    lengths: &CubeTensor,
    direction: Direction,
) -> CubeTensor {
    let hidden_states = into_contiguous(hidden_states);
    let initial_hidden = into_contiguous(initial_hidden);
    let [batch, time, hidden] = hidden_states.shape().dims();
    let previous = Shared::new(&hidden_states, [hidden_states.shape()]);
    let shader = Shader::PreviousHidden { hidden };
    let [x, y] = grid((batch * time * hidden).div_ceil(shader.workgroup()));
    let reverse = u32::from(direction == Direction::Reverse);
    Buffers::default()
        .read(&hidden_states)
        .read(&initial_hidden)
        .read(lengths)
        .write(&previous.handle)
        .launch(
            &hidden_states.client,
            shader,
            [x, y, 1],
            &[batch as u32, time as u32, reverse, 0],
        );
    previous.tensor(0)
}

/// `sum over b and t of previous[b, t]ᵀ recurrent[b, t]`: `[H, G·H]` from `[B, T, H]` and `[B, T, G·H]`.
///
/// The result is small and the sum is long: one product would keep few workgroups busy for long. So it
/// is cut into several sums over some of the rows each, which are then added, always in the same
/// order.
pub(super) fn weight(previous: CubeTensor, recurrent: CubeTensor) -> CubeTensor {
    let [batch, time, hidden] = previous.shape().dims();
    let [_, _, width] = recurrent.shape().dims();
    let parts = crate::sums::parts(batch * time, hidden * width);
    let cut = |tensor, width| {
        let shape = Shape::from([parts, batch * time / parts, width]);
        CubeBackend::float_reshape(tensor, shape)
    };
    let previous = CubeBackend::float_transpose(cut(previous, hidden));
    let sums = CubeBackend::float_matmul(previous, cut(recurrent, width));
    let sum = CubeBackend::float_sum_dim(sums, 0);
    CubeBackend::float_reshape(sum, [hidden, width].into())
}

/// `sum over b and t of recurrent[b, t]`: `[G·H]` from `[B, T, G·H]`.
pub(super) fn bias(recurrent: CubeTensor) -> CubeTensor {
    let [_, _, width] = recurrent.shape().dims();
    let rows = CubeBackend::float_sum_dim(recurrent, 0);
    let sum = CubeBackend::float_sum_dim(rows, 1);
    CubeBackend::float_reshape(sum, [width].into())
}
