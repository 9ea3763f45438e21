//! The operations on Burn's CPU backend, Flex, for 32-bit floats. Other floats go to the reference.

mod activations;
mod adam;
mod buffers;
mod cell;
mod embedding;
mod linear;
mod prefetch;
mod product;
mod simd;
mod tensors;
mod walk;

use burn::backend::ops::{FloatTensorOps, ModuleOps};
use burn::backend::tensor::IntTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::Shape;

use crate::adam::step::AdamStep;
use crate::backend::RecurrentBackend;
use crate::reference;
use crate::tensors::{
    AdamTensors, Direction, GruGradients, GruInputs, GruSaved, GruTraining, HiddenOutputGradients,
    HiddenOutputs, LinearGradients, LinearInputs, LstmGradients, LstmInputs, LstmOutputGradients,
    LstmOutputs, LstmSaved, LstmTraining, OutputGradient, Places, Projections, SimpleRnnGradients,
    SimpleRnnInputs, SimpleRnnSaved, TokenInputs,
};
use cell::{Cell, Gru, Lstm, SimpleRnn};
use tensors::{Float, columns, integers, is_f32, read_lengths, slice, tensor, values};
use walk::{BackwardRow, ForwardRow, RowInput, Sizes};

pub use buffers::release_memory;
pub use simd::{Simd, SimdError, SimdLevel, simd};

impl RecurrentBackend for Flex {
    fn lstm(inputs: LstmInputs<Self>, direction: Direction) -> LstmOutputs<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::lstm::forward(inputs, direction);
        }
        lstm_forward(inputs, direction, false).outputs
    }

    fn lstm_training(inputs: LstmInputs<Self>, direction: Direction) -> LstmTraining<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::lstm::forward_training(inputs, direction);
        }
        lstm_forward(inputs, direction, true)
    }

    fn lstm_backward(
        saved: LstmSaved<Self>,
        output_gradients: LstmOutputGradients<Self>,
        direction: Direction,
    ) -> LstmGradients<Self> {
        if !is_f32(&saved.hidden_states) {
            return reference::lstm::backward(saved, output_gradients, direction);
        }
        let gradients = backward::<Lstm>(Walked {
            weight: saved.recurrent_weight,
            lengths: saved.lengths,
            hidden_states: saved.hidden_states,
            saved: Some(saved.gates_and_cell),
            initial_hidden: saved.initial_hidden,
            initial_cell: Some(saved.initial_cell),
            d_hidden_states: output_gradients.hidden_states,
            d_hidden: output_gradients.final_hidden,
            d_cell: Some(output_gradients.final_cell),
            direction,
        });
        LstmGradients {
            projections: gradients.projections,
            recurrent_weight: gradients.weight,
            initial_hidden: gradients.hidden,
            initial_cell: gradients.cell,
        }
    }

    fn gru(inputs: GruInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::gru::forward(inputs, direction);
        }
        gru_forward(inputs, direction, false).outputs
    }

    fn gru_training(inputs: GruInputs<Self>, direction: Direction) -> GruTraining<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::gru::forward_training(inputs, direction);
        }
        gru_forward(inputs, direction, true)
    }

    fn gru_backward(
        saved: GruSaved<Self>,
        output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> GruGradients<Self> {
        if !is_f32(&saved.hidden_states) {
            return reference::gru::backward(saved, output_gradients, direction);
        }
        let gradients = backward::<Gru>(Walked {
            weight: saved.recurrent_weight,
            lengths: saved.lengths,
            hidden_states: saved.hidden_states,
            saved: Some(saved.gates_and_candidate),
            initial_hidden: saved.initial_hidden,
            initial_cell: None,
            d_hidden_states: output_gradients.hidden_states,
            d_hidden: output_gradients.final_hidden,
            d_cell: None,
            direction,
        });
        GruGradients {
            projections: gradients.projections,
            recurrent_weight: gradients.weight,
            recurrent_bias: gradients.bias,
            initial_hidden: gradients.hidden,
        }
    }

    fn simple_rnn(inputs: SimpleRnnInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        if !is_f32(inputs.projections.tensor()) {
            return reference::simple_rnn::forward(inputs, direction);
        }
        let forward = forward::<SimpleRnn>(
            inputs.projections,
            &inputs.recurrent_weight,
            None,
            inputs.lengths,
            inputs.initial_hidden,
            None,
            direction,
            false,
        );
        HiddenOutputs {
            hidden_states: forward.hidden_states,
            final_hidden: forward.hidden,
        }
    }

    fn simple_rnn_backward(
        saved: SimpleRnnSaved<Self>,
        output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> SimpleRnnGradients<Self> {
        if !is_f32(&saved.hidden_states) {
            return reference::simple_rnn::backward(saved, output_gradients, direction);
        }
        let gradients = backward::<SimpleRnn>(Walked {
            weight: saved.recurrent_weight,
            lengths: saved.lengths,
            hidden_states: saved.hidden_states,
            saved: None,
            initial_hidden: saved.initial_hidden,
            initial_cell: None,
            d_hidden_states: output_gradients.hidden_states,
            d_hidden: output_gradients.final_hidden,
            d_cell: None,
            direction,
        });
        SimpleRnnGradients {
            projections: gradients.projections,
            recurrent_weight: gradients.weight,
            initial_hidden: gradients.hidden,
        }
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

    fn adam(tensors: AdamTensors<Self>, gradient: Float, step: AdamStep) -> AdamTensors<Self> {
        if !is_f32(&gradient) {
            return reference::adam::step(tensors, gradient, step);
        }
        adam::step(tensors, gradient, step)
    }
}

fn lstm_forward(
    inputs: LstmInputs<Flex>,
    direction: Direction,
    training: bool,
) -> LstmTraining<Flex> {
    let walked = forward::<Lstm>(
        inputs.projections,
        &inputs.recurrent_weight,
        None,
        inputs.lengths,
        inputs.initial_hidden,
        Some(inputs.initial_cell),
        direction,
        training,
    );
    LstmTraining {
        outputs: LstmOutputs {
            hidden_states: walked.hidden_states,
            final_hidden: walked.hidden,
            final_cell: walked.cell,
        },
        gates_and_cell: walked.saved,
    }
}

fn gru_forward(inputs: GruInputs<Flex>, direction: Direction, training: bool) -> GruTraining<Flex> {
    let walked = forward::<Gru>(
        inputs.projections,
        &inputs.recurrent_weight,
        Some(inputs.recurrent_bias),
        inputs.lengths,
        inputs.initial_hidden,
        None,
        direction,
        training,
    );
    GruTraining {
        outputs: HiddenOutputs {
            hidden_states: walked.hidden_states,
            final_hidden: walked.hidden,
        },
        gates_and_candidate: walked.saved,
    }
}

/// What a forward walk returns; what the cell doesn't have is empty.
struct Forward {
    hidden_states: Float,
    saved: Float,
    hidden: Float,
    cell: Float,
}

#[allow(clippy::too_many_arguments)] // What the cells read, and no more.
fn forward<C: Cell>(
    projections: Projections<Flex>,
    weight: &Float,
    bias: Option<Float>,
    lengths: IntTensor<Flex>,
    hidden: Float,
    cell: Option<Float>,
    direction: Direction,
    training: bool,
) -> Forward {
    let (rows_of_input, ids) = match projections {
        Projections::PerToken(projections) => (projections.to_contiguous(), None),
        Projections::PerWord { table, tokens } => {
            (table.to_contiguous(), Some(integers(tokens.ids)))
        }
    };
    let [batch, size] = hidden.shape().dims();
    let width = C::GATES * size;
    let inputs = slice(&rows_of_input);
    let time = ids.as_ref().map_or(inputs.len() / width, Vec::len) / batch;
    let lengths = read_lengths(lengths, time);
    let weight = weight.to_contiguous();
    let bias = bias.map(|bias| values(&bias)).unwrap_or_default();
    let saved_width = if training { C::SAVED * size } else { 0 };
    let mut hidden_states = buffers::take(batch * time * size);
    let mut saved = buffers::take(batch * time * saved_width);
    let mut hidden = values(&hidden);
    let mut cell = cell.map(|cell| values(&cell)).unwrap_or_default();

    let mut saved_rows = rows_of(&mut saved, time * saved_width);
    let mut cell_rows = rows_of(&mut cell, size);
    let rows = hidden_states
        .chunks_exact_mut(time * size)
        .zip(hidden.chunks_exact_mut(size))
        .zip(&lengths)
        .enumerate()
        .map(|(row, ((hidden_states, hidden), &length))| ForwardRow {
            length,
            projections: match &ids {
                None => RowInput::Steps(&inputs[row * time * width..][..time * width]),
                Some(ids) => RowInput::Words(inputs, &ids[row * time..][..time]),
            },
            hidden_states,
            saved: saved_rows.next().unwrap_or_default(),
            hidden,
            cell: cell_rows.next().unwrap_or_default(),
        })
        .collect();
    let sizes = Sizes {
        hidden: size,
        direction,
    };
    walk::forward::<C>(sizes, slice(&weight), &bias, rows);
    let has_cell = usize::from(!cell.is_empty());
    if ids.is_none() {
        buffers::give(rows_of_input);
    }
    Forward {
        hidden_states: tensor(hidden_states, [batch, time, size]),
        saved: tensor(saved, [batch, time, saved_width]),
        hidden: tensor(hidden, [batch, size]),
        cell: tensor(cell, [batch, has_cell * size]),
    }
}

/// A forward walk, and the gradients that flow back into it.
struct Walked {
    weight: Float,
    lengths: IntTensor<Flex>,
    hidden_states: Float,
    saved: Option<Float>,
    initial_hidden: Float,
    initial_cell: Option<Float>,
    d_hidden_states: OutputGradient<Flex>,
    d_hidden: Float,
    d_cell: Option<Float>,
    direction: Direction,
}

struct Backward {
    projections: Float,
    weight: Float,
    /// Of the recurrent bias, which a cell that splits its gradient has.
    bias: Float,
    hidden: Float,
    cell: Float,
}

fn backward<C: Cell>(walked: Walked) -> Backward {
    let [batch, time, size] = walked.hidden_states.shape().dims();
    let width = C::GATES * size;
    let lengths = read_lengths(walked.lengths, time);
    let weight = walked.weight.to_contiguous();
    let hidden_states = walked.hidden_states.to_contiguous();
    let saved = walked.saved.map(|saved| saved.to_contiguous());
    let initial_hidden = values(&walked.initial_hidden);
    let initial_cell = walked.initial_cell.map(|cell| values(&cell));
    let d_hidden_states = match walked.d_hidden_states {
        OutputGradient::Given(gradient) => Some(gradient.to_contiguous()),
        OutputGradient::Zero => None,
    };
    // One more column, of ones, sums the gradients for the bias in the product for the weights.
    let previous_width = size + usize::from(C::SPLITS_GRADIENT);
    let split_width = if C::SPLITS_GRADIENT { size } else { 0 };
    let mut previous = buffers::take(batch * time * previous_width);
    let mut d_projections = buffers::take(batch * time * width);
    let mut d_split = buffers::take(batch * time * split_width);
    let mut d_hidden = values(&walked.d_hidden);
    let mut d_cell = walked.d_cell.map(|cell| values(&cell)).unwrap_or_default();

    let mut split_rows = rows_of(&mut d_split, time * split_width);
    let mut cell_rows = rows_of(&mut d_cell, size);
    let mut initial_cell_rows = initial_cell.iter().flat_map(|cell| cell.chunks_exact(size));
    let of_walk = saved.as_ref().map(slice).unwrap_or_default();
    let of_output = d_hidden_states.as_ref().map(slice).unwrap_or_default();
    let mut saved_rows = of_walk.chunks_exact((time * C::SAVED * size).max(1));
    let mut d_hidden_states_rows = of_output.chunks_exact(time * size);
    let rows = d_projections
        .chunks_exact_mut(time * width)
        .zip(previous.chunks_exact_mut(time * previous_width))
        .zip(d_hidden.chunks_exact_mut(size))
        .enumerate()
        .map(|(row, ((d_projections, previous), d_hidden))| BackwardRow {
            length: lengths[row],
            saved: saved_rows.next().unwrap_or_default(),
            hidden_states: &slice(&hidden_states)[row * time * size..][..time * size],
            initial_hidden: &initial_hidden[row * size..][..size],
            initial_cell: initial_cell_rows.next().unwrap_or_default(),
            d_hidden_states: d_hidden_states_rows.next().unwrap_or_default(),
            previous,
            d_projections,
            d_split: split_rows.next().unwrap_or_default(),
            d_hidden,
            d_cell: cell_rows.next().unwrap_or_default(),
        })
        .collect();
    let sizes = Sizes {
        hidden: size,
        direction: walked.direction,
    };
    walk::backward::<C>(sizes, slice(&weight), rows);
    buffers::give(hidden_states);
    saved.into_iter().for_each(buffers::give);
    d_hidden_states.into_iter().for_each(buffers::give);

    let rows = |tensor: &Float, width| {
        Flex::float_reshape(tensor.clone(), Shape::from([batch * time, width]))
    };
    let projections = tensor(d_projections, [batch, time, width]);
    let split = tensor(d_split, [batch, time, split_width]);
    let previous = tensor(previous, [batch * time, previous_width]);
    let transposed = Flex::float_transpose(previous.clone());
    let mut sums = Flex::float_matmul(
        transposed.clone(),
        columns(rows(&projections, width), 0..width - split_width),
    );
    if C::SPLITS_GRADIENT {
        let of_split = Flex::float_matmul(transposed.clone(), rows(&split, split_width));
        sums = Flex::float_cat(vec![sums, of_split], 1);
    }
    drop(transposed);
    buffers::give(previous);
    buffers::give(split);
    let bias = if C::SPLITS_GRADIENT {
        sums.narrow(0, size, 1).reshape(Shape::from([width]))
    } else {
        tensor(vec![], [0])
    };
    let has_cell = usize::from(!d_cell.is_empty());
    Backward {
        weight: sums.narrow(0, 0, size),
        bias,
        projections,
        hidden: tensor(d_hidden, [batch, size]),
        cell: tensor(d_cell, [batch, has_cell * size]),
    }
}

/// Rows of `length` values; none if they are empty.
fn rows_of(values: &mut [f32], length: usize) -> std::slice::ChunksExactMut<'_, f32> {
    values.chunks_exact_mut(length.max(1))
}
