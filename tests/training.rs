//! What training promises beside learning: the best epoch is kept, it stops in time, and it says what went
//! wrong.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use burn::tensor::Device;
use gatefold::config::{RunConfig, Schedule};
use gatefold::dataset::{self, Prepared};
use gatefold::evaluation::evaluate;
use gatefold::run_folder::EpochMetrics;
use gatefold::training::{Event, fit};
use gatefold_model::{Cell, SequenceClassifier};

/// A small network on the beginnings of the built-in reviews.
fn config() -> RunConfig {
    let mut config = RunConfig::default();
    config.dataset.name = Some("reviews".into());
    config.model.cell = Cell::Gru;
    config.model.hidden_size = 8;
    config.training.max_length = 16;
    config.training.epochs = 2;
    config
}

/// What all of them train on.
static DATA: LazyLock<Prepared> = LazyLock::new(|| dataset::prepare(&config()).unwrap());

fn train(config: &RunConfig) -> anyhow::Result<(SequenceClassifier, Vec<EpochMetrics>)> {
    let network = config.model.init(config.training.seed, &Device::flex())?;
    fit(network, &DATA, config, &mut |_| ControlFlow::Continue(()))
}

/// The validation losses of the epochs.
fn losses(history: &[EpochMetrics]) -> Vec<f64> {
    history.iter().map(|epoch| epoch.validation_loss).collect()
}

#[test]
fn the_network_returned_is_the_best_epochs() {
    let mut config = config();
    // So fast that it gets worse again.
    config.training.learning_rate = 0.1;
    config.training.epochs = 4;
    let (network, history) = train(&config).unwrap();
    assert_eq!(history.len(), 4);
    let batching = config.training.batching();
    let device = Device::flex();
    let (_, found) = evaluate(
        &network,
        &DATA.validation,
        &batching,
        &device,
        &mut |_, _| {},
    )
    .unwrap();
    let best = losses(&history).into_iter().reduce(f64::min).unwrap();
    assert_eq!(found.loss, best);
    assert_ne!(
        losses(&history)[3],
        best,
        "the last epoch is the best: the test shows nothing"
    );
}

#[test]
fn patience_ends_a_training_that_gets_no_better() {
    let mut config = config();
    config.training.learning_rate = 0.1;
    config.training.epochs = 60;
    config.training.patience = Some(2);
    let (_, history) = train(&config).unwrap();
    let losses = losses(&history);
    let best = losses.iter().copied().reduce(f64::min).unwrap();
    let best = losses.iter().position(|&loss| loss == best).unwrap();
    assert_eq!(losses.len(), best + 1 + 2, "{losses:?}");
}

#[test]
fn a_loss_that_is_no_longer_finite_is_named_with_step_rate_and_norm() {
    let mut config = config();
    config.training.learning_rate = 1e30;
    let error = train(&config).unwrap_err().to_string();
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
    let network = config.model.init(1, &Device::flex()).unwrap();
    let mut steps = 0;
    let (_, history) = fit(network, &DATA, &config, &mut |event| {
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
    config.training.epochs = 3;
    config.training.learning_rate = 0.01;
    config.training.schedule = Schedule::Cosine;
    config.training.warm_up = 20;
    config.training.clip_norm = Some(1.0);
    config.training.weight_decay = 0.01;
    config.training.class_weights = Some([1.0, 1.5]);
    let (first, history) = train(&config).unwrap();
    assert!(history[2].train_loss < history[0].train_loss);
    let (second, again) = train(&config).unwrap();
    assert_eq!(losses(&history), losses(&again));
    assert_eq!(
        first.to_safetensors().unwrap(),
        second.to_safetensors().unwrap()
    );
}
