//! The walk of a whole batch: its tensors taken apart into rows, which threads walk, and put together again.

use std::array::from_fn;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::IntTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;

use super::buffers;
use super::cell::Cell;
use super::tensors::{Float, as_i32, integers, read_lengths, slice, tensor, values};
use super::walk::{self, BackwardRow, ForwardRow, RowInput, Sizes};
use crate::tensors::{Direction, OutputGradient, Projections};

/// What a forward walk reads.
pub(super) struct ForwardInputs {
    pub projections: Projections<Flex>,
    pub weight: Float,
    /// Added to the product with the recurrent weights.
    pub bias: Option<Float>,
    pub lengths: IntTensor<Flex>,
    pub hidden: Float,
    /// An LSTM's.
    pub cell: Option<Float>,
    pub direction: Direction,
    /// Whether what the backward pass needs is saved.
    pub training: bool,
}

/// What a forward walk returns; what the cell doesn't have is empty.
pub(super) struct ForwardOutputs {
    pub hidden_states: Float,
    pub saved: Float,
    pub hidden: Float,
    pub cell: Float,
}

pub(super) fn forward<C: Cell>(inputs: ForwardInputs) -> ForwardOutputs {
    let [batch, size] = inputs.hidden.shape().dims();
    let (source, ids, time) = match inputs.projections {
        Projections::PerToken(projections) => {
            let time = projections.shape()[1];
            (projections.to_contiguous(), None, time)
        }
        Projections::PerWord { table, tokens } => {
            let time = tokens.ids.shape()[1];
            (table.to_contiguous(), Some(as_i32(tokens.ids)), time)
        }
    };
    let saved_width = if inputs.training { C::SAVED * size } else { 0 };
    let lengths = read_lengths(inputs.lengths, time);
    let weight = inputs.weight.to_contiguous();
    let bias = inputs.bias.map(|bias| bias.to_contiguous());
    let mut hidden_states = buffers::take(batch * time * size);
    let mut saved = buffers::take(batch * time * saved_width);
    let mut hidden = values(&inputs.hidden);
    let mut cell = values_or_none(inputs.cell);

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
        direction: inputs.direction,
    };
    walk::forward::<C>(sizes, slice(&weight), slice_or_none(&bias), rows);
    // A table is read by the other direction too.
    if ids.is_none() {
        buffers::give(source);
    }
    ForwardOutputs {
        hidden_states: tensor(hidden_states, [batch, time, size]),
        saved: tensor(saved, [batch, time, saved_width]),
        hidden: state(hidden, batch),
        cell: state(cell, batch),
    }
}

/// What a walk back reads: a forward walk, and the gradients that flow into it.
pub(super) struct BackwardInputs {
    pub weight: Float,
    pub lengths: IntTensor<Flex>,
    pub hidden_states: Float,
    pub saved: Option<Float>,
    pub initial_hidden: Float,
    /// An LSTM's.
    pub initial_cell: Option<Float>,
    pub d_hidden_states: OutputGradient<Flex>,
    pub d_hidden: Float,
    /// An LSTM's.
    pub d_cell: Option<Float>,
    pub direction: Direction,
}

/// What a walk back returns; what the cell doesn't have is empty.
pub(super) struct Gradients {
    pub projections: Float,
    pub weight: Float,
    /// Of the recurrent bias, which a cell that splits its gradient has.
    pub bias: Float,
    pub hidden: Float,
    pub cell: Float,
}

pub(super) fn backward<C: Cell>(inputs: BackwardInputs) -> Gradients {
    let [batch, time, size] = inputs.hidden_states.shape().dims();
    let width = C::GATES * size;
    let (previous_width, split_width) = (C::previous_width(size), C::split_width(size));
    let lengths = read_lengths(inputs.lengths, time);
    let weight = inputs.weight.to_contiguous();
    let hidden_states = inputs.hidden_states.to_contiguous();
    let saved = inputs.saved.map(|saved| saved.to_contiguous());
    let initial_hidden = inputs.initial_hidden.to_contiguous();
    let initial_cell = inputs.initial_cell.map(|cell| cell.to_contiguous());
    let d_hidden_states = match inputs.d_hidden_states {
        OutputGradient::Given(gradient) => Some(gradient.to_contiguous()),
        OutputGradient::Zero => None,
    };
    let mut previous = buffers::take(batch * time * previous_width);
    let mut d_projections = buffers::take(batch * time * width);
    let mut d_split = buffers::take(batch * time * split_width);
    let mut d_hidden = values(&inputs.d_hidden);
    let mut d_cell = values_or_none(inputs.d_cell);

    let written = [
        &mut previous,
        &mut d_projections,
        &mut d_split,
        &mut d_hidden,
        &mut d_cell,
    ];
    let rows = parts(written, batch)
        .enumerate()
        .map(
            |(row, [previous, d_projections, d_split, d_hidden, d_cell])| BackwardRow {
                length: lengths[row],
                saved: part(slice_or_none(&saved), row, batch),
                hidden_states: part(slice(&hidden_states), row, batch),
                initial_hidden: part(slice(&initial_hidden), row, batch),
                initial_cell: part(slice_or_none(&initial_cell), row, batch),
                d_hidden_states: part(slice_or_none(&d_hidden_states), row, batch),
                previous,
                d_projections,
                d_split,
                d_hidden,
                d_cell,
            },
        )
        .collect();
    let sizes = Sizes {
        hidden: size,
        direction: inputs.direction,
    };
    walk::backward::<C>(sizes, slice(&weight), rows);
    buffers::give(hidden_states);
    saved.into_iter().for_each(buffers::give);
    d_hidden_states.into_iter().for_each(buffers::give);

    let projections = tensor(d_projections, [batch, time, width]);
    let [weight, bias] = weight_gradients::<C>(
        tensor(previous, [batch * time, previous_width]),
        &projections,
        tensor(d_split, [batch * time, split_width]),
    );
    Gradients {
        projections,
        weight,
        bias,
        hidden: state(d_hidden, batch),
        cell: state(d_cell, batch),
    }
}

/// The gradients of the recurrent weights `[H, G·H]` and of the recurrent bias: a sum over B·T rows of what each
/// started from times its gradients.
fn weight_gradients<C: Cell>(previous: Float, d_projections: &Float, d_split: Float) -> [Float; 2] {
    let [rows, _] = previous.shape().dims();
    let [_, split_width] = d_split.shape().dims();
    let [_, _, width] = d_projections.shape().dims();
    let d_projections = Flex::float_reshape(d_projections.clone(), Shape::from([rows, width]));
    let product = |gradients| {
        let transposed = Flex::float_transpose(previous.clone());
        Flex::float_matmul(transposed, gradients)
    };
    let mut sums = product(d_projections.narrow(1, 0, width - split_width));
    let mut bias = tensor(vec![], [0]);
    if C::SPLITS_GRADIENT {
        sums = Flex::float_cat(vec![sums, product(d_split.clone())], 1);
        bias = sums.narrow(0, split_width, 1).reshape(Shape::from([width]));
    }
    buffers::give(previous);
    buffers::give(d_split);
    [sums.narrow(0, 0, width / C::GATES), bias]
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

fn values_or_none(tensor: Option<Float>) -> Vec<f32> {
    tensor.as_ref().map(values).unwrap_or_default()
}

/// `[B, H]`, or `[B, 0]`.
fn state(values: Vec<f32>, batch: usize) -> Float {
    let width = values.len() / batch;
    tensor(values, [batch, width])
}
