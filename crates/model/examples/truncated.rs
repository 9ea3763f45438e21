//! One long series, walked in parts: the states are carried on from part to part, the gradients are not (truncated
//! backpropagation through time, Williams and Peng 1990). The layer learns to echo what it read three steps before.
//!
//! ```sh
//! cargo run --release --package gatefold-model --example truncated
//! ```

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use gatefold_model::{Lstm, LstmConfig};

#[derive(Module, Debug)]
struct Echo {
    lstm: Lstm,
    output: Linear,
}

const ROWS: usize = 16;
const PART: usize = 20;
const DELAY: usize = 3;

/// Shows it.
pub fn main() {
    let device = Device::flex().autodiff();
    device.seed(42);
    let mut echo = Echo {
        lstm: LstmConfig::new(1, 32).init(&device),
        output: LinearConfig::new(32, 1).init(&device),
    };
    let mut optimizer = AdamConfig::new().init();
    let mut state = echo.lstm.zero_state(ROWS);
    let mut before = Tensor::<3>::zeros([ROWS, DELAY, 1], &device);
    let mut error = 1.0;
    for part in 0..400 {
        let uniform = Distribution::Uniform(-1.0, 1.0);
        let input = Tensor::<3>::random([ROWS, PART, 1], uniform, &device);
        let series = Tensor::cat(vec![before, input.clone()], 1);
        let target = series.clone().narrow(1, 0, PART);
        before = series.narrow(1, PART, DELAY);

        // Where the last part ended, outside its graph.
        let (hidden_states, after) = echo.lstm.seq(input, state.detach());
        state = after;
        let answers = echo.output.forward(hidden_states);
        let loss = (answers - target).powi_scalar(2).mean();
        error = loss.clone().into_scalar();
        let gradients = GradientsParams::from_grads(loss.backward(), &echo);
        echo = optimizer.step(1e-2, echo, gradients);
        if part % 100 == 99 {
            println!("part {}: mean squared error {error:.4}", part + 1);
        }
    }
    // A third is the error of an echo that always says 0.
    assert!(error < 0.1, "{error}");
}
