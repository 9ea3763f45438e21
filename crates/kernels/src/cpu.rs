//! The operations on Burn's CPU backend, Flex, for 32-bit floats. Other floats go to the reference.

mod activations;
mod cell;
mod embedding;
mod product;
mod walk;

use burn::backend::ops::{FloatTensorOps, IntTensorOps, ModuleOps};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::{DType, IntDType, Shape, TensorData};

use crate::backend::{
    Direction, GruGradients, GruInputs, GruSaved, GruTraining, HiddenOutputGradients,
    HiddenOutputs, LstmGradients, LstmInputs, LstmOutputGradients, LstmOutputs, LstmSaved,
    LstmTraining, OutputGradient, RecurrentBackend, SimpleRnnGradients, SimpleRnnInputs,
    SimpleRnnSaved, TokenInputs,
};
use crate::reference;
use cell::{Cell, Gru, Lstm, SimpleRnn};
use walk::{BackwardRow, ForwardRow, Sizes};

type Float = FloatTensor<Flex>;

fn is_f32(tensor: &Float) -> bool {
    tensor.dtype() == DType::F32
}

impl RecurrentBackend for Flex {
    fn lstm(inputs: LstmInputs<Self>, direction: Direction) -> LstmOutputs<Self> {
        if !is_f32(&inputs.projections) {
            return reference::lstm::forward(inputs, direction);
        }
        lstm_forward(inputs, direction, false).outputs
    }

    fn lstm_training(inputs: LstmInputs<Self>, direction: Direction) -> LstmTraining<Self> {
        if !is_f32(&inputs.projections) {
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
        if !is_f32(&inputs.projections) {
            return reference::gru::forward(inputs, direction);
        }
        gru_forward(inputs, direction, false).outputs
    }

    fn gru_training(inputs: GruInputs<Self>, direction: Direction) -> GruTraining<Self> {
        if !is_f32(&inputs.projections) {
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
        let [batch, time, width] = gradients.recurrent.shape().dims();
        let rows = Flex::float_reshape(gradients.recurrent, Shape::from([batch * time, width]));
        let bias = Flex::float_sum_dim(rows, 0);
        GruGradients {
            projections: gradients.projections,
            recurrent_weight: gradients.weight,
            recurrent_bias: Flex::float_reshape(bias, Shape::from([width])),
            initial_hidden: gradients.hidden,
        }
    }

    fn simple_rnn(inputs: SimpleRnnInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        if !is_f32(&inputs.projections) {
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
        embedding::backward(tokens, output_gradient)
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
    projections: Float,
    weight: &Float,
    bias: Option<Float>,
    lengths: IntTensor<Flex>,
    hidden: Float,
    cell: Option<Float>,
    direction: Direction,
    training: bool,
) -> Forward {
    let [batch, time, width] = projections.shape().dims();
    let size = width / C::GATES;
    let lengths = read_lengths(lengths, time);
    let (projections, weight) = (projections.to_contiguous(), weight.to_contiguous());
    let bias = bias.map(|bias| values(&bias)).unwrap_or_default();
    let saved_width = if training { C::SAVED * size } else { 0 };
    let mut hidden_states = vec![0.0; batch * time * size];
    let mut saved = vec![0.0; batch * time * saved_width];
    let mut hidden = values(&hidden);
    let mut cell = cell.map(|cell| values(&cell)).unwrap_or_default();

    let mut saved_rows = rows_of(&mut saved, time * saved_width);
    let mut cell_rows = rows_of(&mut cell, size);
    let rows = slice(&projections)
        .chunks_exact(time * width)
        .zip(hidden_states.chunks_exact_mut(time * size))
        .zip(hidden.chunks_exact_mut(size))
        .zip(&lengths)
        .map(
            |(((projections, hidden_states), hidden), &length)| ForwardRow {
                length,
                projections,
                hidden_states,
                saved: saved_rows.next().unwrap_or_default(),
                hidden,
                cell: cell_rows.next().unwrap_or_default(),
            },
        )
        .collect();
    let sizes = Sizes {
        time,
        hidden: size,
        direction,
    };
    walk::forward::<C>(sizes, slice(&weight), &bias, rows);
    let has_cell = usize::from(!cell.is_empty());
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
    recurrent: Float,
    weight: Float,
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
    let recurrent_width = if C::SPLITS_GRADIENT { width } else { 0 };
    let mut d_projections = vec![0.0; batch * time * width];
    let mut d_recurrent = vec![0.0; batch * time * recurrent_width];
    let mut d_hidden = values(&walked.d_hidden);
    let mut d_cell = walked.d_cell.map(|cell| values(&cell)).unwrap_or_default();

    let mut recurrent_rows = rows_of(&mut d_recurrent, time * recurrent_width);
    let mut cell_rows = rows_of(&mut d_cell, size);
    let initial = initial_cell.as_ref().unwrap_or(&initial_hidden);
    let saved = saved.as_ref().map(slice).unwrap_or_default();
    let d_hidden_states = d_hidden_states.as_ref().map(slice).unwrap_or_default();
    let mut saved_rows = saved.chunks_exact((time * C::SAVED * size).max(1));
    let mut d_hidden_states_rows = d_hidden_states.chunks_exact(time * size);
    let rows = d_projections
        .chunks_exact_mut(time * width)
        .zip(d_hidden.chunks_exact_mut(size))
        .enumerate()
        .map(|(row, (d_projections, d_hidden))| BackwardRow {
            length: lengths[row],
            saved: saved_rows.next().unwrap_or_default(),
            hidden_states: &slice(&hidden_states)[row * time * size..][..time * size],
            initial: &initial[row * size..][..size],
            d_hidden_states: d_hidden_states_rows.next().unwrap_or_default(),
            d_projections,
            d_recurrent: recurrent_rows.next().unwrap_or_default(),
            d_hidden,
            d_cell: cell_rows.next().unwrap_or_default(),
        })
        .collect();
    let sizes = Sizes {
        time,
        hidden: size,
        direction: walked.direction,
    };
    walk::backward::<C>(sizes, slice(&weight), rows);

    let previous = previous_hidden(sizes, &lengths, slice(&hidden_states), &initial_hidden);
    let previous = Flex::float_transpose(tensor(previous, [batch * time, size]));
    let projections = tensor(d_projections, [batch, time, width]);
    let recurrent = if d_recurrent.is_empty() {
        projections.clone()
    } else {
        tensor(d_recurrent, [batch, time, width])
    };
    let rows = Flex::float_reshape(recurrent.clone(), Shape::from([batch * time, width]));
    let has_cell = usize::from(!d_cell.is_empty());
    Backward {
        weight: Flex::float_matmul(previous, rows),
        projections,
        recurrent,
        hidden: tensor(d_hidden, [batch, size]),
        cell: tensor(d_cell, [batch, has_cell * size]),
    }
}

/// What each valid timestep started from, `[B·T, H]`; zero past a row's length.
fn previous_hidden(
    sizes: Sizes,
    lengths: &[usize],
    hidden_states: &[f32],
    initial: &[f32],
) -> Vec<f32> {
    let Sizes { time, hidden, .. } = sizes;
    let mut previous = vec![0.0; hidden_states.len()];
    for (row, &length) in lengths.iter().enumerate() {
        let start = row * time * hidden;
        let states = &hidden_states[start..][..time * hidden];
        let previous = &mut previous[start..][..time * hidden];
        let initial = &initial[row * hidden..][..hidden];
        if length == 0 {
            continue;
        }
        let rest = (length - 1) * hidden;
        match sizes.direction {
            Direction::Forward => {
                previous[..hidden].copy_from_slice(initial);
                previous[hidden..hidden + rest].copy_from_slice(&states[..rest]);
            }
            Direction::Reverse => {
                previous[..rest].copy_from_slice(&states[hidden..hidden + rest]);
                previous[rest..rest + hidden].copy_from_slice(initial);
            }
        }
    }
    previous
}

/// Each row's number of valid timesteps.
fn read_lengths(lengths: IntTensor<Flex>, time: usize) -> Vec<usize> {
    let clamped = |length: i32| length.clamp(0, time as i32) as usize;
    integers(lengths).into_iter().map(clamped).collect()
}

fn integers(tensor: IntTensor<Flex>) -> Vec<i32> {
    let tensor = Flex::int_cast(tensor, IntDType::I32).to_contiguous();
    let values = tensor.as_slice::<i32>();
    values.expect("contiguous 32-bit integers").to_vec()
}

/// Rows of `length` values; none if they are empty.
fn rows_of(values: &mut [f32], length: usize) -> std::slice::ChunksExactMut<'_, f32> {
    values.chunks_exact_mut(length.max(1))
}

fn slice(tensor: &Float) -> &[f32] {
    tensor.as_slice().expect("contiguous 32-bit floats")
}

fn values(tensor: &Float) -> Vec<f32> {
    slice(&tensor.to_contiguous()).to_vec()
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Float {
    Flex::float_from_data(TensorData::new(values, shape), &Default::default())
}
