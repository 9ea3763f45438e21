//! A class for every timestep: is a number larger than all before it?
//!
//! ```sh
//! cargo run --release --package gatefold-training --example tagger
//! ```

use std::ops::ControlFlow;

use gatefold_data::random::{ChaCha8Rng, generator, unit};
use gatefold_data::{Content, Dataset, EncodedDataset, Labels, Record, Sequence, Target};
use gatefold_training::burn::tensor::Device;
use gatefold_training::{Event, RunConfig, evaluate, fit};

/// Shows it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rng = &mut generator(*b"tagger\0\0", 42, 0);
    let dataset = Dataset {
        labels: Some(Labels::new(vec!["lower".into(), "record".into()])?),
        train: (0..4000).map(|_| record(rng)).collect(),
        test: (0..500).map(|_| record(rng)).collect(),
        ..Dataset::default()
    };
    let mut config = RunConfig::default();
    config.model.hidden_size = 32;
    config.training.batch_size = 32;
    config.training.learning_rate = 5e-3;
    let data = EncodedDataset::new(&dataset, &config.encoding())?;
    // One number a timestep in, a logit a timestep out.
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
    let (objective, batching) = (config.objective(), config.batching());
    let done = &mut |_, _| {};
    let (answers, test) = evaluate(&network, objective, &data.test, &batching, &device, done)?;
    assert_eq!(
        answers[0].len(),
        data.test[0].input.len(),
        "an answer a timestep"
    );
    let accuracy = test.accuracy.ok_or("classes are right or wrong")?;
    println!(
        "{:.4} of {} timesteps tagged rightly",
        accuracy, test.examples
    );
    assert!(accuracy > 0.95);
    Ok(())
}

/// A sequence of 5 to 30 numbers, each tagged by whether it is the largest so far.
fn record(rng: &mut ChaCha8Rng) -> Record {
    let length = 5 + (26.0 * unit(rng)) as usize;
    let values: Vec<f32> = (0..length).map(|_| unit(rng)).collect();
    let mut most = f32::NEG_INFINITY;
    let classes = values.iter().map(|&value| {
        let is_record = value > most;
        most = most.max(value);
        u32::from(is_record)
    });
    Record {
        target: Target::Classes(classes.collect()),
        content: Content::Sequence(Sequence::Values { width: 1, values }),
    }
}
