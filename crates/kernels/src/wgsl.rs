//! The operations on Burn's WGPU backend: the kernels in `shaders/`, composed, chosen and launched.
//!
//! WGSL text runs where CubeCL compiles WGSL, on 32-bit floats. Anywhere else (Burn's CUDA, or its WGPU
//! with the `vulkan` or `metal` feature, which compiles SPIR-V and MSL) the reference serves.

mod embedding;
mod heartbeat;
mod launch;
mod limits;
#[cfg(test)]
mod portability;
mod shader;
mod walk;
mod weight_gradient;

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::DType;
use burn_cubecl::CubeBackend;
use burn_cubecl::tensor::CubeTensor;

use crate::backend::RecurrentBackend;
use crate::reference;
use crate::tensors::{
    Direction, GruGradients, GruInputs, GruSaved, GruTraining, HiddenOutputGradients,
    HiddenOutputs, LstmGradients, LstmInputs, LstmOutputGradients, LstmOutputs, LstmSaved,
    LstmTraining, OutputGradient, Places, SimpleRnnGradients, SimpleRnnInputs, SimpleRnnSaved,
    TokenInputs,
};
use shader::Cell;
use walk::{Forward, Walk};

/// Whether the kernels run where `tensor` is.
fn runs_wgsl(tensor: &CubeTensor) -> bool {
    tensor.dtype == DType::F32
        && tensor.client.name() == "wgpu<wgsl>"
        && limits::Limits::of(&tensor.client).suffice()
}

impl RecurrentBackend for CubeBackend {
    fn lstm(inputs: LstmInputs<Self>, direction: Direction) -> LstmOutputs<Self> {
        if !runs_wgsl(inputs.projections.tensor()) {
            return reference::lstm::forward(inputs, direction);
        }
        lstm_outputs(lstm_forward(inputs, direction, false)).0
    }

    fn lstm_training(inputs: LstmInputs<Self>, direction: Direction) -> LstmTraining<Self> {
        if !runs_wgsl(inputs.projections.tensor()) {
            return reference::lstm::forward_training(inputs, direction);
        }
        let (outputs, saved) = lstm_outputs(lstm_forward(inputs, direction, true));
        LstmTraining {
            outputs,
            gates_and_cell: saved.expect("the walk saves in training"),
        }
    }

    fn lstm_backward(
        saved: LstmSaved<Self>,
        output_gradients: LstmOutputGradients<Self>,
        direction: Direction,
    ) -> LstmGradients<Self> {
        if !runs_wgsl(&saved.hidden_states) {
            return reference::lstm::backward(saved, output_gradients, direction);
        }
        let walk = walk(
            Cell::Lstm,
            &saved.hidden_states,
            &saved.recurrent_weight,
            saved.lengths,
            direction,
        );
        let gradients = walk.backward(
            saved.gates_and_cell,
            &saved.recurrent_weight,
            vec![saved.initial_cell],
            vec![output_gradients.final_hidden, output_gradients.final_cell],
            given(output_gradients.hidden_states),
        );
        let [initial_hidden, initial_cell] = fields(gradients.initial_states);
        LstmGradients {
            recurrent_weight: walk.weight_gradient(
                saved.hidden_states,
                saved.initial_hidden,
                gradients.recurrent,
            ),
            projections: gradients.projections,
            initial_hidden,
            initial_cell,
        }
    }

    fn gru(inputs: GruInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        if !runs_wgsl(inputs.projections.tensor()) {
            return reference::gru::forward(inputs, direction);
        }
        hidden_outputs(gru_forward(inputs, direction, false)).0
    }

    fn gru_training(inputs: GruInputs<Self>, direction: Direction) -> GruTraining<Self> {
        if !runs_wgsl(inputs.projections.tensor()) {
            return reference::gru::forward_training(inputs, direction);
        }
        let (outputs, saved) = hidden_outputs(gru_forward(inputs, direction, true));
        GruTraining {
            outputs,
            gates_and_candidate: saved.expect("the walk saves in training"),
        }
    }

    fn gru_backward(
        saved: GruSaved<Self>,
        output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> GruGradients<Self> {
        if !runs_wgsl(&saved.hidden_states) {
            return reference::gru::backward(saved, output_gradients, direction);
        }
        let walk = walk(
            Cell::Gru,
            &saved.hidden_states,
            &saved.recurrent_weight,
            saved.lengths,
            direction,
        );
        let gradients = walk.backward(
            saved.gates_and_candidate,
            &saved.recurrent_weight,
            vec![saved.hidden_states.clone(), saved.initial_hidden.clone()],
            vec![output_gradients.final_hidden],
            given(output_gradients.hidden_states),
        );
        let [initial_hidden] = fields(gradients.initial_states);
        GruGradients {
            recurrent_bias: weight_gradient::bias(gradients.recurrent.clone()),
            recurrent_weight: walk.weight_gradient(
                saved.hidden_states,
                saved.initial_hidden,
                gradients.recurrent,
            ),
            projections: gradients.projections,
            initial_hidden,
        }
    }

    fn simple_rnn(inputs: SimpleRnnInputs<Self>, direction: Direction) -> HiddenOutputs<Self> {
        if !runs_wgsl(inputs.projections.tensor()) {
            return reference::simple_rnn::forward(inputs, direction);
        }
        let projections = inputs.projections.per_token();
        let walk = walk(
            Cell::SimpleRnn,
            &projections,
            &inputs.recurrent_weight,
            inputs.lengths,
            direction,
        );
        let states = vec![inputs.initial_hidden];
        let output = walk.forward(projections, &inputs.recurrent_weight, vec![], states, false);
        hidden_outputs(output).0
    }

    fn simple_rnn_backward(
        saved: SimpleRnnSaved<Self>,
        output_gradients: HiddenOutputGradients<Self>,
        direction: Direction,
    ) -> SimpleRnnGradients<Self> {
        if !runs_wgsl(&saved.hidden_states) {
            return reference::simple_rnn::backward(saved, output_gradients, direction);
        }
        let walk = walk(
            Cell::SimpleRnn,
            &saved.hidden_states,
            &saved.recurrent_weight,
            saved.lengths,
            direction,
        );
        let gradients = walk.backward(
            saved.hidden_states.clone(),
            &saved.recurrent_weight,
            vec![],
            vec![output_gradients.final_hidden],
            given(output_gradients.hidden_states),
        );
        let [initial_hidden] = fields(gradients.initial_states);
        SimpleRnnGradients {
            recurrent_weight: walk.weight_gradient(
                saved.hidden_states,
                saved.initial_hidden,
                gradients.recurrent,
            ),
            projections: gradients.projections,
            initial_hidden,
        }
    }

    fn token_embedding_backward(
        tokens: TokenInputs<Self>,
        output_gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        match tokens.places {
            Places::Sorted { positions, starts } if runs_wgsl(&output_gradient) => {
                embedding::backward(positions, starts, tokens.words, output_gradient)
            }
            _ => reference::embedding::backward(tokens, output_gradient),
        }
    }

    fn heartbeat(number: FloatTensor<Self>, _after: FloatTensor<Self>) -> FloatTensor<Self> {
        if !runs_wgsl(&number) {
            return Self::float_add_scalar(number, 1.0.into());
        }
        heartbeat::next(number)
    }
}

/// `like`: any `[B, T, _]` of the walk.
fn walk(
    cell: Cell,
    like: &CubeTensor,
    weight: &CubeTensor,
    lengths: CubeTensor,
    direction: Direction,
) -> Walk {
    let [batch, time, _] = like.shape().dims();
    let [hidden, _] = weight.shape().dims();
    Walk::new(cell, [batch, time, hidden], lengths, direction)
}

fn lstm_forward(inputs: LstmInputs<CubeBackend>, direction: Direction, training: bool) -> Forward {
    let projections = inputs.projections.per_token();
    let walk = walk(
        Cell::Lstm,
        &projections,
        &inputs.recurrent_weight,
        inputs.lengths,
        direction,
    );
    walk.forward(
        projections,
        &inputs.recurrent_weight,
        vec![],
        vec![inputs.initial_hidden, inputs.initial_cell],
        training,
    )
}

fn gru_forward(inputs: GruInputs<CubeBackend>, direction: Direction, training: bool) -> Forward {
    let projections = inputs.projections.per_token();
    let walk = walk(
        Cell::Gru,
        &projections,
        &inputs.recurrent_weight,
        inputs.lengths,
        direction,
    );
    walk.forward(
        projections,
        &inputs.recurrent_weight,
        vec![inputs.recurrent_bias],
        vec![inputs.initial_hidden],
        training,
    )
}

fn lstm_outputs(forward: Forward) -> (LstmOutputs<CubeBackend>, Option<CubeTensor>) {
    let [final_hidden, final_cell] = fields(forward.final_states);
    let outputs = LstmOutputs {
        hidden_states: forward.hidden_states,
        final_hidden,
        final_cell,
    };
    (outputs, forward.saved)
}

fn hidden_outputs(forward: Forward) -> (HiddenOutputs<CubeBackend>, Option<CubeTensor>) {
    let [final_hidden] = fields(forward.final_states);
    let outputs = HiddenOutputs {
        hidden_states: forward.hidden_states,
        final_hidden,
    };
    (outputs, forward.saved)
}

fn given(gradient: OutputGradient<CubeBackend>) -> Option<CubeTensor> {
    match gradient {
        OutputGradient::Given(gradient) => Some(gradient),
        OutputGradient::Zero => None,
    }
}

fn fields<const N: usize>(states: Vec<CubeTensor>) -> [CubeTensor; N] {
    states
        .try_into()
        .expect("a cell has as many states as its walk")
}
