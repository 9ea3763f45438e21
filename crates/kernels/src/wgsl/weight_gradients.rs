//! The gradients of a layer's weights and of its input, from those of its preactivations.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared, as_i32};
use super::shader::{Layer, Shader};
use crate::cell::Cell;
use crate::tensors::{Direction, Input, Optional, Projections, Wanted};

/// What a walk back leaves.
pub(super) struct Walked<'a> {
    pub cell: Cell,
    pub direction: Direction,
    /// Whether there is an initial state.
    pub given: bool,
    /// Of the preactivations, `[B, T, gradients · H]`.
    pub gradients: CubeTensor,
    pub lengths: &'a CubeTensor,
    /// `[B, T, H]`.
    pub hidden_states: CubeTensor,
    /// What was packed for the walk, of a cell with recurrent weights.
    pub packed: Option<CubeTensor>,
}

pub(super) struct WeightGradients {
    pub recurrent_weight: Optional<CubeBackend>,
    pub recurrent_bias: Optional<CubeBackend>,
    pub input_weight: Optional<CubeBackend>,
    pub bias: Optional<CubeBackend>,
    /// Of the input's vectors `[B, T, D]`, where there are weights and it is wanted.
    pub input: Option<CubeTensor>,
}

/// The sums are long and the results small: one sum would keep few workgroups busy for long. So it is cut into
/// parts, which are then added, always in the same order.
pub(super) fn of(
    walked: &Walked,
    projections: &Projections<CubeBackend>,
    wanted: Wanted,
) -> WeightGradients {
    let [batch, time, hidden] = walked.hidden_states.shape().dims();
    let weight = projections.weight.as_option().cloned().map(into_contiguous);
    let layer = Layer {
        cell: walked.cell,
        hidden,
        input: weight.as_ref().map_or(0, |weight| weight.shape()[0]),
    };
    let has_product = layer.recurrent() > 0;
    if !has_product && weight.is_none() {
        return WeightGradients {
            recurrent_weight: Optional::Absent,
            recurrent_bias: Optional::Absent,
            input_weight: Optional::Absent,
            bias: Optional::Absent,
            input: None,
        };
    }
    let (vectors, ids, words) = match &projections.input {
        Input::PerToken(vectors) => (vectors, None, 0),
        Input::PerWord { table, tokens } => {
            (table, Some(as_i32(tokens.ids.clone())), table.shape()[0])
        }
    };
    let vectors = weight.is_some().then(|| into_contiguous(vectors.clone()));
    let ids = ids.filter(|_| weight.is_some());
    let weight = weight.filter(|_| wanted == Wanted::Input);
    let (rows, columns) = (layer.rows(), layer.columns());
    let part = timesteps_a_part(batch * time, layer.blocks(), rows * columns);
    let parts = (batch * time).div_ceil(part);

    let mut shapes = vec![Shape::from([parts, rows, columns])];
    shapes.extend(
        weight
            .is_some()
            .then(|| Shape::from([batch, time, layer.input])),
    );
    let sums = Shared::new(&walked.gradients, shapes);
    let input_blocks = usize::from(weight.is_some()) * layer.input.div_ceil(16);
    let info = [
        batch,
        time,
        part,
        usize::from(walked.direction == Direction::Reverse),
        usize::from(walked.given),
        words,
        if weight.is_some() {
            sums.offset(1) as usize
        } else {
            0
        },
        layer.blocks(),
    ];
    let buffers = Buffers::default()
        .read(&walked.gradients)
        .read(walked.lengths)
        .write(&sums.handle);
    let buffers = match &walked.packed {
        Some(packed) => buffers.read(&walked.hidden_states).read(packed),
        None => buffers,
    };
    let read = vectors.iter().chain(&ids).chain(&weight);
    read.fold(buffers, Buffers::read).launch(
        &walked.gradients.client,
        Shader::WeightGradients {
            layer,
            words: ids.is_some(),
            input: weight.is_some(),
        },
        [layer.blocks() + input_blocks, parts, 1],
        &info.map(|value| value as u32),
    );

    let width = walked.cell.gates() * hidden;
    let shape = [
        [hidden, width].into(),
        [layer.input.max(1), width].into(),
        [width].into(),
        [width].into(),
    ];
    let added = Shared::new(&walked.gradients, shape);
    let mut info = vec![parts as u32];
    info.extend((0..4).map(|part| added.offset(part)));
    Buffers::default()
        .read(&sums.tensor(0))
        .write(&added.handle)
        .launch_many(
            &walked.gradients.client,
            Shader::SumParts { layer },
            rows * columns,
            &info,
        );
    let given = |there: bool, part| match there {
        true => Optional::Given(added.tensor(part)),
        false => Optional::Absent,
    };
    WeightGradients {
        recurrent_weight: given(has_product, 0),
        recurrent_bias: given(walked.cell.has_recurrent_bias(), 3),
        input_weight: given(vectors.is_some(), 1),
        bias: given(vectors.is_some(), 2),
        input: weight.map(|_| sums.tensor(1)),
    }
}

/// Into how many timesteps a sum over all of them is cut, whole turns of the kernel, for `size` results in so many
/// blocks: enough workgroups to keep a GPU busy, few parts to add, and no more than 32 MiB of their results.
fn timesteps_a_part(timesteps: usize, blocks: usize, size: usize) -> usize {
    const WORKGROUPS: usize = 512;
    const PARTS: usize = 64;
    const VALUES: usize = 1 << 23;
    let parts = (WORKGROUPS / blocks).min(VALUES / size).clamp(1, PARTS);
    timesteps.div_ceil(parts).next_multiple_of(64)
}

#[cfg(test)]
mod tests {
    use super::timesteps_a_part;

    #[test]
    fn sums_are_cut_into_parts_whose_results_stay_small() {
        let lesson = |timesteps| timesteps_a_part(timesteps, 2, 81 * 256);
        assert_eq!(lesson(128 * 256), 512);
        assert_eq!(lesson(128 * 1024), 2048);
        assert_eq!(lesson(5), 64);
        // 16 parts at H 256 and D 128, of 32 blocks each.
        assert_eq!(timesteps_a_part(128 * 256, 32, 385 * 1024), 2048);
        assert_eq!(timesteps_a_part(1000, 1, 1 << 30), 1024);
        assert_eq!(timesteps_a_part(1000, 10_000, 1), 1024);
    }
}
