//! A perceptron, `relu(x W_1 + b_1) W_2 + b_2`, of the backend's linear layers.

use burn::backend::tensor::FloatTensor;

use crate::backend::RecurrentBackend;
use crate::tensors::{LinearInputs, PerceptronInputs, PerceptronOutputs, PerceptronSaved};

pub(crate) fn forward<B: RecurrentBackend>(inputs: PerceptronInputs<B>) -> PerceptronOutputs<B> {
    let hidden = B::relu(B::linear_forward(LinearInputs {
        input: inputs.input,
        weight: inputs.hidden_weight,
        bias: inputs.hidden_bias,
    }));
    let output = B::linear_forward(LinearInputs {
        input: hidden.clone(),
        weight: inputs.output_weight,
        bias: inputs.output_bias,
    });
    PerceptronOutputs { output, hidden }
}

pub(crate) fn backward<B: RecurrentBackend>(
    saved: PerceptronSaved<B>,
    output_gradient: FloatTensor<B>,
) -> PerceptronInputs<B> {
    let output = B::linear_backward(saved.hidden.clone(), saved.output_weight, output_gradient);
    let through_relu = B::relu_backward(saved.hidden, output.input);
    let hidden = B::linear_backward(saved.input, saved.hidden_weight, through_relu);
    PerceptronInputs {
        input: hidden.input,
        hidden_weight: hidden.weight,
        hidden_bias: hidden.bias,
        output_weight: output.weight,
        output_bias: output.bias,
    }
}
