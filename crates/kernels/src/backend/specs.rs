//! The shapes and types of the outputs, which lazy operation needs before anything ran.

use burn::backend::fusion::custom::TensorSpec;

use super::*;

pub fn walk(inputs: &WalkInputsMetadata, _: &Cell, _: &Direction) -> WalkOutputsMetadata {
    WalkOutputsMetadata {
        hidden_states: per_token(inputs, 1),
        final_hidden: inputs.initial_hidden.clone(),
        final_cell: inputs.initial_cell.clone(),
    }
}

pub fn walk_training(
    inputs: &WalkInputsMetadata,
    cell: &Cell,
    direction: &Direction,
) -> WalkTrainingMetadata {
    WalkTrainingMetadata {
        outputs: walk(inputs, cell, direction),
        saved: match cell.saved() {
            0 => OptionalMetadata::Absent,
            count => OptionalMetadata::Given(per_token(inputs, count)),
        },
    }
}

pub fn walk_backward(
    saved: &WalkSavedMetadata,
    _: &WalkOutputGradientsMetadata,
    cell: &Cell,
    _: &Direction,
) -> WalkGradientsMetadata {
    let [batch, time, hidden] = saved.hidden_states.shape.dims();
    let dtype = saved.hidden_states.dtype;
    let width = cell.gates() * hidden;
    WalkGradientsMetadata {
        projections: TensorSpec::new([batch, time, width].into(), dtype),
        recurrent_weight: saved.recurrent_weight.clone(),
        recurrent_bias: if cell.has_recurrent_bias() {
            OptionalMetadata::Given(TensorSpec::new([width].into(), dtype))
        } else {
            OptionalMetadata::Absent
        },
        initial_hidden: saved.initial_hidden.clone(),
        initial_cell: saved.initial_cell.clone(),
    }
}

pub fn token_embedding(weight: &TensorSpec, tokens: &TokenInputsMetadata) -> TensorSpec {
    let [batch, time] = tokens.ids.shape.dims();
    let [_, columns] = weight.shape.dims();
    TensorSpec::new([batch, time, columns].into(), weight.dtype)
}

pub fn token_embedding_backward(
    tokens: &TokenInputsMetadata,
    output_gradient: &TensorSpec,
) -> TensorSpec {
    let [_, _, columns] = output_gradient.shape.dims();
    TensorSpec::new([tokens.words, columns].into(), output_gradient.dtype)
}

pub fn linear_forward(inputs: &LinearInputsMetadata) -> TensorSpec {
    let [rows, _] = inputs.input.shape.dims();
    let [_, columns] = inputs.weight.shape.dims();
    TensorSpec::new([rows, columns].into(), inputs.input.dtype)
}

pub fn linear_backward(
    input: &TensorSpec,
    weight: &TensorSpec,
    _: &TensorSpec,
) -> LinearGradientsMetadata {
    LinearGradientsMetadata {
        input: input.clone(),
        weight: weight.clone(),
        bias: TensorSpec::new([weight.shape[1]].into(), weight.dtype),
    }
}

pub fn heartbeat(number: &TensorSpec, _: &TensorSpec) -> TensorSpec {
    number.clone()
}

/// `[B, T, count · H]`.
fn per_token(inputs: &WalkInputsMetadata, count: usize) -> TensorSpec {
    let [_, hidden] = inputs.initial_hidden.shape.dims();
    let [batch, time] = match &inputs.projections {
        ProjectionsMetadata::PerToken(tensor) => [tensor.shape[0], tensor.shape[1]],
        ProjectionsMetadata::PerWord { tokens, .. } => tokens.ids.shape.dims(),
    };
    TensorSpec::new(
        [batch, time, count * hidden].into(),
        inputs.initial_hidden.dtype,
    )
}
