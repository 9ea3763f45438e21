//! The walk of a whole batch: its tensors taken apart into rows, which threads walk, and put together again.

use std::array::from_fn;

use burn::backend::{Flex, TensorMetadata};

use super::buffers;
use super::tensors::{Float, as_i32, contiguous, integers, read_lengths, slice, tensor, values};
use super::timestep::Timestep;
use super::walk::{self, BackwardRow, ForwardRow, RowInput, Sizes};
use crate::tensors::{
    Direction, Input, Optional, WalkGradients, WalkInputs, WalkOutputGradients, WalkOutputs,
    WalkSaved, WalkTraining, Wanted,
};

/// `training`: whether what the backward pass needs is saved.
pub(super) fn forward<C: Timestep>(
    inputs: WalkInputs<Flex>,
    direction: Direction,
    training: bool,
) -> WalkTraining<Flex> {
    let [batch, time] = inputs.projections.input.sequence();
    let size = inputs.projections.width() / C::GATES;
    let (initial_hidden, initial_cell) = inputs.initial_states(C::CELL);
    let (source, ids) = match inputs.projections.projected() {
        Input::PerToken(projections) => (contiguous(projections), None),
        Input::PerWord { table, tokens } => (contiguous(table), Some(as_i32(tokens.ids))),
    };
    let saved_width = if training { C::SAVED * size } else { 0 };
    let lengths = read_lengths(inputs.lengths, time);
    let weight = contiguous_or_none(inputs.recurrent_weight.clone());
    let bias = contiguous_or_none(inputs.recurrent_bias);
    let mut hidden_states = buffers::take(batch * time * size);
    let mut saved = buffers::take(batch * time * saved_width);
    let mut hidden = values(&initial_hidden);
    let mut cell = initial_cell.as_ref().map(values).unwrap_or_default();

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
        recurrent_weight: inputs.recurrent_weight,
    }
}

pub(super) fn backward<C: Timestep>(
    walked: WalkSaved<Flex>,
    output_gradients: WalkOutputGradients<Flex>,
    direction: Direction,
    wanted: Wanted,
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
    let has_initial = walked.initial_hidden.as_option().is_some();
    let states = |there: bool| if there { batch * size } else { 0 };
    let or_zeros = |given: Optional<Flex>, there| match given.as_option() {
        Some(state) => values(state),
        None => vec![0.0; states(there)],
    };
    let initial_hidden = or_zeros(walked.initial_hidden, true);
    let initial_cell = or_zeros(walked.initial_cell, C::HAS_CELL);
    let d_hidden_states = contiguous_or_none(output_gradients.hidden_states);
    let mut d_hidden = or_zeros(output_gradients.final_hidden, true);
    let mut d_cell = or_zeros(output_gradients.final_cell, C::HAS_CELL);

    let written = [&mut saved, &mut d_hidden, &mut d_cell];
    let rows = parts(written, batch)
        .enumerate()
        .map(|(row, [saved, d_hidden, d_cell])| BackwardRow {
            length: lengths[row],
            saved,
            hidden_states: part(slice(&hidden_states), row, batch),
            initial_hidden: part(&initial_hidden, row, batch),
            initial_cell: part(&initial_cell, row, batch),
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
    let projections = tensor(saved, [batch, time, width]);
    let [input, input_weight, bias] = walked.projections.gradients(projections);
    let state = |state| match has_initial {
        true => given(state, [batch, size]),
        false => Optional::Absent,
    };
    WalkGradients {
        input: match wanted {
            Wanted::Input => input,
            Wanted::WeightsAlone => Optional::Absent,
        },
        input_weight,
        bias,
        recurrent_weight: given(d_weight, [size, width]),
        recurrent_bias: given(d_bias, [width]),
        initial_hidden: state(d_hidden),
        initial_cell: state(d_cell),
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
