//! The lesson: film reviews, an embedding, an LSTM, a dense layer; does it tell good from bad?
//!
//! ```sh
//! cargo run --release --package gatefold --example lesson
//! ```

use std::ops::ControlFlow;

use gatefold::config::RunConfig;
use gatefold::dataset;
use gatefold::device::{self, DeviceChoice};
use gatefold::evaluation::evaluate;
use gatefold::training::{Event, fit};

fn main() -> anyhow::Result<()> {
    let mut config = RunConfig::default();
    config.dataset.name = Some("reviews".into());
    let (_, device) = device::open(DeviceChoice::Auto)?;

    let data = dataset::prepare(&config)?;
    let network = config.model.init(config.training.seed, &device)?;
    let (network, _history) = fit(network, &data, &config, &mut |event| {
        if let Event::Epoch { metrics, .. } = event {
            println!("{}: {:.4}", metrics.epoch, metrics.validation_accuracy);
        }
        ControlFlow::Continue(())
    })?;
    let batching = config.training.batching();
    let (_, test) = evaluate(&network, &data.test, &batching, &device, &mut |_, _| {})?;
    println!("test: loss {:.4}, accuracy {:.4}", test.loss, test.accuracy);
    Ok(())
}
