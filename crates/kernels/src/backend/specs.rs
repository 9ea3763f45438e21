//! The shapes and types of the outputs, which lazy operation needs before anything ran.

use burn::backend::fusion::custom::TensorSpec;
use burn::tensor::DType;

use super::*;

pub fn walk(inputs: &WalkInputsMetadata, cell: &Cell, _: &Direction) -> WalkOutputsMetadata {
    let [batch, _, hidden] = sizes(&inputs.projections, cell);
    let state = || TensorSpec::new([batch, hidden].into(), dtype(&inputs.projections));
    WalkOutputsMetadata {
        hidden_states: per_token(&inputs.projections, cell, 1),
        final_hidden: state(),
        final_cell: given(cell.has_cell_state(), state),
    }
}

pub fn walk_training(
    inputs: &WalkInputsMetadata,
    cell: &Cell,
    direction: &Direction,
) -> WalkTrainingMetadata {
    WalkTrainingMetadata {
        outputs: walk(inputs, cell, direction),
        saved: given(cell.saved() > 0, || {
            per_token(&inputs.projections, cell, cell.saved())
        }),
        recurrent_weight: inputs.recurrent_weight.clone(),
    }
}

pub fn walk_backward(
    saved: &WalkSavedMetadata,
    _: &WalkOutputGradientsMetadata,
    cell: &Cell,
    _: &Direction,
    wanted: &Wanted,
) -> WalkGradientsMetadata {
    let [_, _, hidden] = sizes(&saved.projections, cell);
    let width = cell.gates() * hidden;
    let dtype = dtype(&saved.projections);
    WalkGradientsMetadata {
        input: given(*wanted == Wanted::Input, || {
            input(&saved.projections).clone()
        }),
        input_weight: saved.projections.weight.clone(),
        bias: saved.projections.bias.clone(),
        recurrent_weight: given(cell.has_recurrent_weight(), || {
            TensorSpec::new([hidden, width].into(), dtype)
        }),
        recurrent_bias: given(cell.has_recurrent_bias(), || {
            TensorSpec::new([width].into(), dtype)
        }),
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

pub fn cross_entropy(inputs: &CrossEntropyInputsMetadata) -> CrossEntropyOutputsMetadata {
    CrossEntropyOutputsMetadata {
        losses: inputs.right.clone(),
        logits: inputs.logits.clone(),
        right: inputs.right.clone(),
    }
}

pub fn perceptron_forward(inputs: &PerceptronInputsMetadata) -> PerceptronOutputsMetadata {
    let rows = inputs.input.shape[0];
    let of = |bias: &TensorSpec| TensorSpec::new([rows, bias.shape[0]].into(), bias.dtype);
    PerceptronOutputsMetadata {
        output: of(&inputs.output_bias),
        hidden: of(&inputs.hidden_bias),
    }
}

pub fn perceptron_backward(
    saved: &PerceptronSavedMetadata,
    _: &TensorSpec,
) -> PerceptronInputsMetadata {
    let bias = |weight: &TensorSpec| TensorSpec::new([weight.shape[1]].into(), weight.dtype);
    PerceptronInputsMetadata {
        input: saved.input.clone(),
        hidden_weight: saved.hidden_weight.clone(),
        hidden_bias: bias(&saved.hidden_weight),
        output_weight: saved.output_weight.clone(),
        output_bias: bias(&saved.output_weight),
    }
}

pub fn adam(tensors: &AdamTensorsMetadata, _: &TensorSpec, _: &AdamStep) -> AdamTensorsMetadata {
    tensors.clone()
}

pub fn adam_pair(
    first: &AdamTensorsMetadata,
    _: &TensorSpec,
    second: &AdamTensorsMetadata,
    _: &TensorSpec,
    _: &AdamStep,
) -> AdamPairMetadata {
    AdamPairMetadata {
        first: first.clone(),
        second: second.clone(),
    }
}

pub fn heartbeat(number: &TensorSpec, _: &TensorSpec) -> TensorSpec {
    number.clone()
}

fn given(there: bool, spec: impl FnOnce() -> TensorSpec) -> OptionalMetadata {
    match there {
        true => OptionalMetadata::Given(spec()),
        false => OptionalMetadata::Absent,
    }
}

fn input(projections: &ProjectionsMetadata) -> &TensorSpec {
    match &projections.input {
        InputMetadata::PerToken(tensor) | InputMetadata::PerWord { table: tensor, .. } => tensor,
    }
}

fn dtype(projections: &ProjectionsMetadata) -> DType {
    input(projections).dtype
}

/// B, T and H.
fn sizes(projections: &ProjectionsMetadata, cell: &Cell) -> [usize; 3] {
    let [batch, time] = match &projections.input {
        InputMetadata::PerToken(tensor) => [tensor.shape[0], tensor.shape[1]],
        InputMetadata::PerWord { tokens, .. } => tokens.ids.shape.dims(),
    };
    let shape = match &projections.weight {
        OptionalMetadata::Given(weight) => &weight.shape,
        OptionalMetadata::Absent => &input(projections).shape,
    };
    [batch, time, shape[shape.num_dims() - 1] / cell.gates()]
}

/// `[B, T, count · H]`.
fn per_token(projections: &ProjectionsMetadata, cell: &Cell, count: usize) -> TensorSpec {
    let [batch, time, hidden] = sizes(projections, cell);
    let shape = [batch, time, count * hidden];
    TensorSpec::new(shape.into(), dtype(projections))
}
