//! The walk of a whole batch: its tensors taken apart into rows, which threads walk, and put together again.

use std::array::from_fn;

use burn::backend::tensor::IntTensor;
use burn::backend::{Flex, TensorMetadata};

use super::buffers;
use super::tensors::{Float, as_i32, contiguous, integers, read_lengths, slice, tensor, values};
use super::timestep::Timestep;
use super::walk::{self, BackwardRow, ForwardRow, LayerParts, RowInput, Sizes};
use crate::tensors::{
    Direction, Input, Optional, Projections, WalkGradients, WalkInputs, WalkOutputGradients,
    WalkOutputs, WalkSaved, WalkTraining, Wanted,
};

/// D up to which a token's product costs less than to write a projection and to read it again.
const NARROW: usize = 32;

/// D, where the walk multiplies the input itself: all but where a projection a word, of fewer words than tokens, saves
/// more.
fn multiplied(projections: &Projections<Flex>) -> Option<usize> {
    let [size, _]: [usize; 2] = projections.weight.as_option()?.shape().dims();
    let [batch, time] = projections.input.sequence();
    let is_narrow = match &projections.input {
        Input::PerToken(_) => true,
        Input::PerWord { table, .. } => size <= NARROW || batch * time <= table.shape()[0],
    };
    (is_narrow && size > 0).then_some(size)
}

/// What a layer reads, contiguous.
struct Source {
    values: Float,
    /// Of each timestep, where `values` has a row a word.
    ids: Option<IntTensor<Flex>>,
}

impl Source {
    fn new(input: Input<Flex>) -> Self {
        match input {
            Input::PerToken(vectors) => Self {
                values: contiguous(vectors),
                ids: None,
            },
            Input::PerWord { table, tokens } => Self {
                values: contiguous(table),
                ids: Some(as_i32(tokens.ids)),
            },
        }
    }

    fn row(&self, row: usize, batch: usize) -> RowInput<'_> {
        let values = slice(&self.values);
        match &self.ids {
            None => RowInput::Steps(part(values, row, batch)),
            Some(ids) => RowInput::Words(values, part(integers(ids), row, batch)),
        }
    }
}

/// `training`: whether what the backward pass needs is saved.
pub(super) fn forward<C: Timestep>(
    inputs: WalkInputs<Flex>,
    direction: Direction,
    training: bool,
) -> WalkTraining<Flex> {
    let [batch, time] = inputs.projections.input.sequence();
    let size = inputs.projections.width() / C::GATES;
    let (initial_hidden, initial_cell) = inputs.initial_states(C::CELL);
    let input = multiplied(&inputs.projections);
    let [input_weight, input_bias] = match input {
        Some(_) => [
            inputs.projections.weight.clone(),
            inputs.projections.bias.clone(),
        ],
        None => [Optional::Absent, Optional::Absent],
    }
    .map(contiguous_or_none);
    let source = Source::new(match input {
        Some(_) => inputs.projections.input,
        None => inputs.projections.projected(),
    });
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
            input: source.row(row, batch),
            hidden_states,
            saved,
            hidden,
            cell,
        })
        .collect();
    let sizes = Sizes {
        hidden: size,
        input,
        direction,
    };
    let layer = LayerParts {
        recurrent_weight: slice_or_none(&weight),
        recurrent_bias: slice_or_none(&bias),
        input_weight: slice_or_none(&input_weight),
        bias: slice_or_none(&input_bias),
    };
    walk::forward::<C>(sizes, layer, rows);
    // A table is read by the other direction too.
    if source.ids.is_none() {
        buffers::give(source.values);
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
    let input = multiplied(&walked.projections);
    let mut saved = match (walked.saved.into_option(), input) {
        // Read alone, but nobody else wants it.
        (Some(saved), _) => buffers::take_from(saved),
        (None, None) => buffers::take(batch * time * width),
        (None, Some(_)) => Vec::new(),
    };
    let source = input.map(|_| Source::new(walked.projections.input.clone()));
    let weights = match (input, wanted) {
        (Some(_), Wanted::Input) => walked.projections.weight.clone(),
        _ => Optional::Absent,
    };
    let input_weight = contiguous_or_none(weights);
    let read = input_weight.as_ref().and(input).unwrap_or(0);
    let mut d_input = buffers::take(batch * time * read);
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

    let written = [&mut d_input, &mut saved, &mut d_hidden, &mut d_cell];
    let rows = parts(written, batch)
        .enumerate()
        .map(|(row, [d_input, saved, d_hidden, d_cell])| BackwardRow {
            length: lengths[row],
            input: source.as_ref().map(|source| source.row(row, batch)),
            d_input,
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
        input,
        direction,
    };
    let weights = [&weight, &input_weight].map(slice_or_none);
    let sums = walk::backward::<C>(sizes, weights, rows);
    buffers::give(hidden_states);
    d_hidden_states.into_iter().for_each(buffers::give);

    let [of_input, input_weight, bias] = match input {
        None => {
            let of_projections = tensor(saved, [batch, time, width]);
            walked.projections.gradients(of_projections)
        }
        Some(read) => {
            let length = saved.len();
            buffers::give(tensor(saved, [length]));
            let of_vectors = given(d_input, [batch, time, read]).into_option();
            let input = walked.projections.input;
            [
                Optional::new(of_vectors.map(|of_vectors| input.gradient(of_vectors))),
                given(sums.input_weight, [read, width]),
                given(sums.bias, [width]),
            ]
        }
    };
    let state = |state| match has_initial {
        true => given(state, [batch, size]),
        false => Optional::Absent,
    };
    WalkGradients {
        input: match wanted {
            Wanted::Input => of_input,
            Wanted::WeightsAlone => Optional::Absent,
        },
        input_weight,
        bias,
        recurrent_weight: given(sums.recurrent_weight, [size, width]),
        recurrent_bias: given(sums.recurrent_bias, [width]),
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
