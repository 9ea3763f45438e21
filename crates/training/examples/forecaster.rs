//! A series of numbers: the next value of a noisy wave, from the forty before it; then a step at a time.
//!
//! ```sh
//! cargo run --release --package gatefold-training --example forecaster
//! ```

use std::ops::ControlFlow;

use gatefold_data::random::{generator, unit};
use gatefold_data::{Content, Dataset, EncodedDataset, Record, Sequence, Target};
use gatefold_training::burn::tensor::Device;
use gatefold_training::{Answer, Bundle, Event, Predictor, RunConfig, fit};

/// Values that are read to forecast the one after them.
const WINDOW: usize = 40;

/// Shows it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rng = &mut generator(*b"forecast", 42, 0);
    let series: Vec<f32> = (0..3000)
        .map(|t| (t as f32 * 0.3).sin() + (t as f32 * 0.07).cos() + 0.1 * (unit(rng) - 0.5))
        .collect();
    let windows = series.windows(WINDOW + 1).map(|window| Record {
        content: Content::Sequence(values(&window[..WINDOW])),
        target: Target::Values(vec![window[WINDOW]]),
    });
    let mut train: Vec<Record> = windows.collect();
    // The end of a series is its future: nothing is shuffled before it is cut off.
    let test = train.split_off(2400);
    let dataset = Dataset {
        train,
        test,
        ..Dataset::default()
    };
    let mut config = RunConfig::default();
    config.model.hidden_size = 32;
    config.training.batch_size = 32;
    config.training.learning_rate = 5e-3;
    let data = EncodedDataset::new(&dataset, &config.encoding())?;
    config.settle(&data)?;

    let device = Device::flex();
    let network = config.model.init(config.training.seed, &device)?;
    let (network, _) = fit(network, &data, &config, &device, &mut |event| {
        if let Event::Epoch { metrics, .. } = event {
            println!(
                "{}: validation loss {:.4}",
                metrics.epoch, metrics.validation_loss
            );
        }
        ControlFlow::Continue(())
    })?;

    // What a run's folder holds, here from memory; the scaler goes with it.
    let predictor = Predictor::new(
        Bundle {
            config,
            encoder: data.encoder,
            labels: None,
            weights: network.weights()?,
            ngrams: None,
        },
        &device,
    )?;
    let (forecasts, test) = predictor.evaluate(&data.test, &mut |_, _| {})?;
    let last = dataset
        .test
        .iter()
        .map(|record| match (&record.content, &record.target) {
            (Content::Sequence(Sequence::Values { values, .. }), Target::Values(next)) => {
                (values[WINDOW - 1] - next[0]).powi(2)
            }
            _ => unreachable!("windows are numbers"),
        });
    let last = f64::from(last.sum::<f32>()) / forecasts.len() as f64;
    println!(
        "squared error {:.4}; of the last value as the forecast, {last:.4}",
        test.loss
    );
    assert!(test.loss < last / 2.0);

    // As values come in, a network that walks forward needs no window: it keeps its state.
    let mut stream = predictor.stream()?;
    for value in &series[..WINDOW] {
        let step = predictor.encode(&Content::Sequence(values(&[*value])))?;
        if let Answer::Values(next) = stream.push(step)? {
            print!("{:.2} ", next[0]);
        }
    }
    println!();
    Ok(())
}

fn values(values: &[f32]) -> Sequence {
    Sequence::Values {
        width: 1,
        values: values.to_vec(),
    }
}
