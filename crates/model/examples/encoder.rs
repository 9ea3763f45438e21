//! An encoder of two layers in both directions over sequences of different lengths, trained in a network of one's
//! own: it learns whether a sequence begins with the sign that it ends with.
//!
//! ```sh
//! cargo run --release --package gatefold-model --example encoder
//! ```

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Int, Tensor};
use gatefold_model::{Cell, Stack, StackConfig};

/// Any Burn module may hold a stack.
#[derive(Module, Debug)]
struct Encoder {
    stack: Stack,
    output: Linear,
}

impl Encoder {
    /// Logits `[B]`, from the states after the last timestep in both directions.
    fn forward(&self, input: Tensor<3>, lengths: Tensor<1, Int>) -> Tensor<1> {
        let walked = self.stack.forward(input, Some(lengths), None);
        self.output.forward(walked.last).squeeze_dim(1)
    }
}

const ROWS: usize = 64;
const TIME: usize = 12;

/// Sequences, their lengths, and 1 where the first sign is the last, else 0.
fn batch(device: &Device) -> (Tensor<3>, Tensor<1, Int>, Tensor<1>) {
    let uniform = Distribution::Uniform(0.0, 1.0);
    let draws = Tensor::<2>::random([ROWS, TIME + 1], uniform, device).into_data();
    let draws: Vec<f32> = draws.iter().collect();
    let (mut values, mut lengths, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for row in draws.chunks(TIME + 1) {
        let length = 2 + (row[TIME] * (TIME - 1) as f32) as usize;
        let sign = |t: usize| if row[t] < 0.5 { -1.0 } else { 1.0 };
        values.extend((0..TIME).map(sign));
        lengths.push(length as i32);
        targets.push(f32::from(u8::from(sign(0) == sign(length - 1))));
    }
    let values = Tensor::<1>::from_data(&values[..], device).reshape([ROWS, TIME, 1]);
    let lengths = Tensor::from_data(&lengths[..], device);
    (values, lengths, Tensor::from_data(&targets[..], device))
}

/// Shows it.
pub fn main() {
    let device = Device::flex().autodiff();
    device.seed(42);
    let mut encoder = Encoder {
        stack: StackConfig::new(Cell::Gru, 1, 24)
            .with_layers(2)
            .with_bidirectional(true)
            .init(&device),
        output: LinearConfig::new(48, 1).init(&device),
    };
    let mut optimizer = AdamConfig::new().init();
    let mut right = 0.0;
    for step in 0..400 {
        let (values, lengths, targets) = batch(&device);
        let logits = encoder.forward(values, lengths);
        let answers = logits.clone().greater_elem(0.0).float();
        let share: f32 = answers.equal(targets.clone()).float().mean().into_scalar();
        right = 0.95 * right + 0.05 * share;
        // Binary cross-entropy of logits, without overflow.
        let loss = logits.clone().clamp_min(0.0) - logits.clone() * targets
            + (logits.abs().neg().exp() + 1.0).log();
        let gradients = GradientsParams::from_grads(loss.mean().backward(), &encoder);
        encoder = optimizer.step(5e-3, encoder, gradients);
        if step % 100 == 99 {
            println!("step {}: {:.0} % right of late", step + 1, 100.0 * right);
        }
    }
    assert!(right > 0.9, "{right}");
}
