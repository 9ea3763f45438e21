//! Burn's `nn::Lstm` swapped for ours in a program that has one: the same weights, the same outputs.
//!
//! `cargo run --release --package gatefold-model --example swap_lstm`

use burn::module::Param;
use burn::nn;
use burn::tensor::{Device, Distribution, Tensor};
use gatefold_model::{Lstm, LstmConfig};

fn main() {
    let device = Device::flex();
    let theirs = nn::LstmConfig::new(16, 64, true).init(&device);
    let input = Tensor::<3>::random([8, 100, 16], Distribution::Normal(0.0, 1.0), &device);
    let (expected, _) = theirs.forward(input.clone(), None);

    // From here on, ours.
    let mut ours = LstmConfig::new(16, 64).init(&device);
    take_weights(&mut ours, &theirs);
    let found = ours.forward(input, None, None).hidden_states;

    let largest_difference: f32 = (found - expected).abs().max().into_scalar();
    println!("largest difference of 8 x 100 hidden states of 64: {largest_difference:.1e}");
    assert!(largest_difference < 1e-5);
}

/// Burn keeps a layer's gates apart, and adds two biases; ours stand side by side as i, f, g, o.
fn take_weights(ours: &mut Lstm, theirs: &nn::Lstm) {
    let forget_gate = theirs.forget_gate.as_ref().expect("made with one");
    let gates = [
        &theirs.input_gate,
        forget_gate,
        &theirs.cell_gate,
        &theirs.output_gate,
    ];
    let weights = |side: fn(&nn::GateController) -> &nn::Linear| {
        Tensor::cat(gates.map(|gate| side(gate).weight.val()).to_vec(), 1)
    };
    let biases = |side: fn(&nn::GateController) -> &nn::Linear| {
        let bias = |gate| side(gate).bias.as_ref().expect("made with biases").val();
        Tensor::cat(gates.map(bias).to_vec(), 0)
    };
    ours.input_weight = Param::from_tensor(weights(|gate| &gate.input_transform));
    ours.recurrent_weight = Param::from_tensor(weights(|gate| &gate.hidden_transform));
    ours.bias = Param::from_tensor(
        biases(|gate| &gate.input_transform) + biases(|gate| &gate.hidden_transform),
    );
}
