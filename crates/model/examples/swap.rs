//! Burn's recurrent layers swapped for ours in a program that has them: the same weights, the same outputs, and how
//! long a forward pass of each takes.
//!
//! ```sh
//! cargo run --release --package gatefold-model --example swap
//! ```

use std::time::Instant;

use burn::nn;
use burn::tensor::{Device, Distribution, Tensor};
use gatefold_model::{BurnLayerError, Gru, Lstm, Stack};

/// Shows it.
pub fn main() -> Result<(), BurnLayerError> {
    let device = Device::flex();
    let input = Tensor::<3>::random([32, 100, 16], Distribution::Normal(0.0, 1.0), &device);

    let theirs = nn::LstmConfig::new(16, 64, true).init(&device);
    let ours = Lstm::try_from(&theirs)?;
    compare(
        "LSTM",
        || theirs.forward(input.clone(), None).0,
        || ours.forward(input.clone(), None, None).hidden_states,
    );

    let theirs = nn::GruConfig::new(16, 64, true).init(&device);
    let ours = Gru::try_from(&theirs)?;
    compare(
        "GRU",
        || theirs.forward(input.clone(), None),
        || ours.forward(input.clone(), None, None).hidden_states,
    );

    let theirs = nn::BiLstmConfig::new(16, 64, true).init(&device);
    let ours = Stack::try_from(&theirs)?;
    compare(
        "BiLSTM",
        || theirs.forward(input.clone(), None).0,
        || ours.forward(input.clone(), None, None).hidden_states,
    );

    // What the fused kernels don't have is refused by name.
    let clipped = nn::LstmConfig::new(16, 64, true).with_clip(Some(3.0));
    println!("{}", Lstm::try_from(&clipped.init(&device)).unwrap_err());
    Ok(())
}

fn compare(name: &str, theirs: impl Fn() -> Tensor<3>, ours: impl Fn() -> Tensor<3>) {
    let difference: f32 = (ours() - theirs()).abs().max().into_scalar();
    assert!(difference < 1e-5, "{name}: {difference}");
    let mut milliseconds = [Vec::new(), Vec::new()];
    for _ in 0..7 {
        for (way, run) in [&theirs as &dyn Fn() -> Tensor<3>, &ours]
            .into_iter()
            .enumerate()
        {
            let start = Instant::now();
            run();
            milliseconds[way].push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    let [theirs, ours] = milliseconds.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "{name}: largest difference {difference:.1e}; {ours:.2} ms, Burn's {theirs:.2} ms ({:.1} times as long)",
        theirs / ours
    );
}
