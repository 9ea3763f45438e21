//! The lesson: film reviews, an embedding, an LSTM, a dense layer; does it tell good from bad?
//!
//! ```sh
//! cargo run --release --package gatefold --example lesson
//! ```

use std::ops::ControlFlow;

use gatefold::dataset;
use gatefold::device::{self, DeviceChoice};
use gatefold_training::{Event, RunConfig, fit, score};

fn main() -> anyhow::Result<()> {
    let mut config = RunConfig::default();
    config.dataset.name = Some("reviews".into());
    let (_, device) = device::open(DeviceChoice::Auto)?;

    let data = dataset::prepare(&mut config)?;
    let network = config.model.init(config.training.seed, &device)?;
    let (network, _history) = fit(network, &data, &config, &device, &mut |event| {
        if let Event::Epoch { metrics, .. } = event {
            println!(
                "{}: validation loss {:.4}",
                metrics.epoch, metrics.validation_loss
            );
        }
        ControlFlow::Continue(())
    })?;
    let (objective, batching) = (config.objective(), config.batching());
    let done = &mut |_, _| {};
    let test = score(&network, objective, &data.test, &batching, &device, done)?;
    println!(
        "test: loss {:.4}, accuracy {:.4}",
        test.loss,
        test.accuracy.unwrap_or(f64::NAN)
    );
    Ok(())
}
