//! The walk of a whole batch: its tensors taken apart into rows, which threads walk, and put together again.

use std::array::from_fn;

use burn::backend::{Flex, TensorMetadata};

use super::buffers;
use super::tensors::{Float, as_i32, contiguous, integers, read_lengths, slice, tensor, values};
use super::timestep::Timestep;
use super::walk::{self, BackwardRow, ForwardRow, RowInput, Sizes};
use crate::tensors::{
    Direction, Optional, Projections, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs,
    WalkSaved, WalkTraining,
};

/// `training`: whether what the backward pass needs is saved.
pub(super) fn forward<C: Timestep>(
    inputs: WalkInputs<Flex>,
    direction: Direction,
    training: bool,
) -> WalkTraining<Flex> {
    let [batch, size] = inputs.initial_hidden.shape().dims();
    let (source, ids, time) = match inputs.projections {
        Projections::PerToken(projections) => {
            let time = projections.shape()[1];
            (contiguous(projections), None, time)
        }
        Projections::PerWord { table, tokens } => {
            let time = tokens.ids.shape()[1];
            (contiguous(table), Some(as_i32(tokens.ids)), time)
        }
    };
    let saved_width = if training { C::SAVED * size } else { 0 };
    let lengths = read_lengths(inputs.lengths, time);
    let weight = contiguous_or_none(inputs.recurrent_weight);
    let bias = contiguous_or_none(inputs.recurrent_bias);
    let mut hidden_states = buffers::take(batch * time * size);
    let mut saved = buffers::take(batch * time * saved_width);
    let mut hidden = values(&inputs.initial_hidden);
    let mut cell = values_or_none(inputs.initial_cell);

    let written = [&mut hidden_states, &mut saved, &mut hidden, &mut cell];
    let rows = parts(written, batch)
        .enumerate()
        .map(|(row, [hidden_states, saved, hidden, cell])| ForwardRow {
            length: lengths[row],
            projections: match &ids {
                None => RowInput::Steps(part(slice(&source), row, batch)),
                Some(ids) => RowInput::Words(slice(&source), part(integers(ids), row, batch)),
            },
            hidden_states,
            saved,
            hidden,
            cell,
        })
        .collect();
    let sizes = Sizes {
        hidden: size,
        direction,
    };
    walk::forward::<C>(sizes, slice_or_none(&weight), slice_or_none(&bias), rows);
    // A table is read by the other direction too.
    if ids.is_none() {
        buffers::give(source);
    }
    let shape = [batch, time, size];
    WalkTraining {
        outputs: WalkOutputs {
            // The way back gives them back itself.
            hidden_states: match training {
                true => tensor(hidden_states, shape),
                false => buffers::lend(hidden_states, shape),
            },
            final_hidden: tensor(hidden, [batch, size]),
            final_cell: given(cell, [batch, size]),
        },
        saved: given(saved, [batch, time, saved_width]),
    }
}

pub(super) fn backward<C: Timestep>(
    walked: WalkSaved<Flex>,
    output_gradients: WalkOutputGradients<Flex>,
    direction: Direction,
) -> WalkGradients<Flex> {
    let [batch, time, size] = walked.hidden_states.shape().dims();
    let width = C::GATES * size;
    let lengths = read_lengths(walked.lengths, time);
    let weight = contiguous_or_none(walked.recurrent_weight);
    let hidden_states = contiguous(walked.hidden_states);
    let mut saved = match walked.saved.into_option() {
        Some(saved) => buffers::take_from(saved),
        None => buffers::take(batch * time * width),
    };
    let initial_hidden = contiguous(walked.initial_hidden);
    let initial_cell = contiguous_or_none(walked.initial_cell);
    let d_hidden_states = contiguous_or_none(output_gradients.hidden_states);
    let mut d_hidden = values(&output_gradients.final_hidden);
    let mut d_cell = values_or_none(output_gradients.final_cell);

    let written = [&mut saved, &mut d_hidden, &mut d_cell];
    let rows = parts(written, batch)
        .enumerate()
        .map(|(row, [saved, d_hidden, d_cell])| BackwardRow {
            length: lengths[row],
            saved,
            hidden_states: part(slice(&hidden_states), row, batch),
            initial_hidden: part(slice(&initial_hidden), row, batch),
            initial_cell: part(slice_or_none(&initial_cell), row, batch),
            d_hidden_states: part(slice_or_none(&d_hidden_states), row, batch),
            d_hidden,
            d_cell,
        })
        .collect();
    let sizes = Sizes {
        hidden: size,
        direction,
    };
    let mut d_weight = walk::backward::<C>(sizes, slice_or_none(&weight), rows);
    buffers::give(hidden_states);
    d_hidden_states.into_iter().for_each(buffers::give);

    let d_bias = d_weight.split_off(d_weight.len().min(size * width));
    WalkGradients {
        projections: tensor(saved, [batch, time, width]),
        recurrent_weight: given(d_weight, [size, width]),
        recurrent_bias: given(d_bias, [width]),
        initial_hidden: tensor(d_hidden, [batch, size]),
        initial_cell: given(d_cell, [batch, size]),
    }
}

/// A row's part of a batch's values.
fn part<T>(values: &[T], row: usize, batch: usize) -> &[T] {
    let length = values.len() / batch;
    &values[row * length..][..length]
}

/// Every row's parts of a batch's values.
fn parts<const N: usize>(
    values: [&mut Vec<f32>; N],
    batch: usize,
) -> impl Iterator<Item = [&mut [f32]; N]> {
    let mut rest = values.map(Vec::as_mut_slice);
    let lengths = rest.each_ref().map(|values| values.len() / batch);
    (0..batch).map(move |_| {
        from_fn(|i| {
            let part = rest[i].split_off_mut(..lengths[i]);
            part.expect("a batch has a part for every row")
        })
    })
}

fn slice_or_none(tensor: &Option<Float>) -> &[f32] {
    tensor.as_ref().map(slice).unwrap_or_default()
}

fn values_or_none(tensor: Optional<Flex>) -> Vec<f32> {
    tensor.as_option().map(values).unwrap_or_default()
}

fn contiguous_or_none(tensor: Optional<Flex>) -> Option<Float> {
    tensor.into_option().map(contiguous)
}

/// What the cell doesn't have is empty.
fn given<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Optional<Flex> {
    match values.is_empty() {
        true => Optional::Absent,
        false => Optional::Given(tensor(values, shape)),
    }
}
