//! What training promises beside learning: the best epoch is kept, it stops in time, and it says what went
//! wrong.

use std::ops::ControlFlow;

use burn::tensor::Device;
use gatefold_data::{Dataset, EncodedDataset, Labels, Record, Target};
use gatefold_model::{Cell, Network};
use gatefold_training::config::Schedule;
use gatefold_training::{EpochMetrics, Event, RunConfig, TrainingError, evaluate, fit};

/// A small network.
fn config() -> RunConfig {
    let mut config = RunConfig::default();
    config.model.cell = Cell::Gru;
    config.model.hidden_size = 8;
    config.model.vocabulary_size = 32;
    config.training.batch_size = 16;
    config.input.max_length = 8;
    config.training.learning_rate = 0.01;
    config.training.epochs = 3;
    config
}

/// Reviews that one word decides: any processor's training gets better at them, epoch by epoch.
fn data(config: &RunConfig) -> EncodedDataset {
    let review = |number: usize| {
        let text = format!("a {} film {}", ["bad", "good"][number % 2], number % 7);
        Record::text(text, number as u32 % 2)
    };
    let dataset = Dataset {
        labels: Some(Labels::negative_positive()),
        train: (0..400).map(review).collect(),
        test: (0..20).map(review).collect(),
        ..Dataset::default()
    };
    EncodedDataset::new(&dataset, &config.encoding()).unwrap()
}

/// The same, but what is held out says the contrary: the better a network learns, the higher its validation
/// loss, so that the first epoch is the best.
fn contrary_data(config: &RunConfig) -> EncodedDataset {
    let mut data = data(config);
    for example in &mut data.validation {
        let Some(Target::Class(class)) = &mut example.target else {
            panic!("reviews have classes");
        };
        *class = 1 - *class;
    }
    data
}

fn train(
    config: &RunConfig,
    data: &EncodedDataset,
) -> Result<(Network, Vec<EpochMetrics>), TrainingError> {
    let device = Device::flex();
    let network = config.model.init(config.training.seed, &device).unwrap();
    fit(network, data, config, &device, &mut |_| {
        ControlFlow::Continue(())
    })
}

/// The validation losses of the epochs.
fn losses(history: &[EpochMetrics]) -> Vec<f64> {
    history.iter().map(|epoch| epoch.validation_loss).collect()
}

#[test]
fn the_network_returned_is_the_best_epochs() {
    let config = config();
    for (data, best_epoch) in [(data(&config), 3), (contrary_data(&config), 1)] {
        let (network, history) = train(&config, &data).unwrap();
        let losses = losses(&history);
        let best = losses.iter().copied().reduce(f64::min).unwrap();
        assert_eq!(losses[best_epoch - 1], best, "{losses:?}");
        let (_, found) = evaluate(
            &network,
            config.objective(),
            &data.validation,
            &config.batching(),
            &Device::flex(),
            &mut |_, _| {},
        )
        .unwrap();
        assert_eq!(found.loss, best);
    }
}

#[test]
fn patience_ends_a_training_that_gets_no_better() {
    let mut config = config();
    config.training.epochs = 60;
    config.training.patience = Some(2);
    let (_, history) = train(&config, &contrary_data(&config)).unwrap();
    assert_eq!(history.len(), 1 + 2, "{:?}", losses(&history));
}

#[test]
fn a_loss_that_is_no_longer_finite_is_named_with_step_rate_and_norm() {
    let mut config = config();
    config.training.learning_rate = 1e30;
    let error = train(&config, &data(&config)).unwrap_err().to_string();
    for part in [
        "no longer finite at step",
        "of epoch 1",
        "learning rate 1e30",
    ] {
        assert!(error.contains(part), "{error}");
    }
    // The first step's is always measured, and the first weights are small.
    let (_, norm) = error.split_once("gradient norm ").expect(&error);
    let (norm, place) = norm.split_once(" at step ").expect(&error);
    let norm: f64 = norm.parse().unwrap();
    assert!(norm > 0.0 && norm.is_finite(), "{error}");
    assert!(place.contains("of epoch 1"), "{error}");
}

#[test]
fn a_break_ends_the_training_after_the_step() {
    let config = config();
    let device = Device::flex();
    let network = config.model.init(1, &device).unwrap();
    let mut steps = 0;
    let (_, history) = fit(network, &data(&config), &config, &device, &mut |event| {
        steps += usize::from(matches!(event, Event::Step { .. }));
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!((steps, history.len()), (1, 0));
}

#[test]
fn everything_at_once_learns_and_repeats() {
    let mut config = config();
    config.model.dropout = 0.1;
    config.model.recurrent_dropout = 0.1;
    config.training.schedule = Schedule::Cosine;
    config.training.warm_up = 10;
    config.training.clip_norm = Some(1.0);
    config.training.weight_decay = 0.01;
    config.training.class_weights = Some(gatefold_training::ClassWeights::Each(vec![1.0, 1.5]));
    let data = data(&config);
    let (first, history) = train(&config, &data).unwrap();
    assert!(history[2].train_loss < 0.8 * history[0].train_loss);
    let (second, again) = train(&config, &data).unwrap();
    assert_eq!(losses(&history), losses(&again));
    assert_eq!(
        first.to_safetensors(None).unwrap(),
        second.to_safetensors(None).unwrap()
    );
}
