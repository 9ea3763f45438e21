use burn::optim::GradientsParams;
use gatefold_data::random::generator;
use gatefold_data::{BatchInput, Sequence};
use gatefold_model::NetworkConfig;
use gatefold_model::burn::module::{ModuleVisitor, Param};

use super::*;
use crate::Trainer;
use crate::config::RunConfig;
use crate::evaluation::score;
use crate::objective::Objective;

fn model(vocabulary_size: usize, bidirectional: bool) -> NetworkConfig {
    NetworkConfig {
        vocabulary_size,
        embedding_size: 5,
        hidden_size: 6,
        bidirectional,
        ..Default::default()
    }
}

fn settings(streams: bool) -> PretrainingConfig {
    PretrainingConfig {
        negatives: 20,
        streams,
        bptt: 8,
    }
}

fn pretraining(config: &NetworkConfig, streams: bool, device: &Device) -> Pretraining {
    let model = config.language_model(3, device).unwrap();
    Pretraining::new(model, &settings(streams))
}

fn example(ids: &[u32]) -> Example {
    let behind = ids[1..].iter().copied().chain([1]);
    Example {
        input: Sequence::Tokens(ids.to_vec()),
        target: Some(Target::Classes(behind.collect())),
    }
}

/// Two rows, of five tokens and of three.
fn batch() -> Batch {
    Batch {
        input: BatchInput::Tokens(vec![1, 4, 5, 6, 4, 1, 7, 2, 0, 0]),
        lengths: vec![5, 3],
        targets: Some(BatchTargets::Classes(vec![4, 5, 6, 4, 1, 7, 2, 1, -1, -1])),
        size: 2,
        time: 5,
        indices: vec![3, 1],
    }
}

#[test]
fn a_model_of_zeros_is_as_perplexed_as_there_are_tokens() {
    let device = &Device::flex();
    for bidirectional in [false, true] {
        let config = model(50, bidirectional);
        let blank = config.blank_language_model(device).unwrap();
        let network = Pretraining::new(blank, &settings(false));
        let examples = [example(&[1, 4, 5]), example(&[1, 9, 8, 7, 3])];
        let batching = RunConfig::default().batching();
        let done = &mut |_, _| {};
        let scored = score(
            &network,
            Objective::Language,
            &examples,
            &batching,
            device,
            done,
        );
        let scored = scored.unwrap();
        assert_eq!((scored.examples, scored.accuracy), (8, None));
        let found = perplexity(scored.loss);
        assert!((found - 50.0).abs() < 1e-3, "{found}");
    }
}

/// The gradients of all weights, in their order.
fn gradients(network: &Pretraining, gradients: &GradientsParams) -> Vec<Vec<f32>> {
    struct Found<'a>(&'a GradientsParams, Vec<Vec<f32>>);
    impl ModuleVisitor for Found<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).expect("it has a gradient");
            self.1.push(gradient.into_data().iter().collect());
        }
    }
    let mut found = Found(gradients, Vec::new());
    network.visit(&mut found);
    found.1
}

#[test]
fn rows_without_a_target_and_what_stands_there_count_nowhere() {
    let device = Device::flex();
    let network = pretraining(&model(30, true), false, &device);
    let config = RunConfig::default();
    let of = |batch: &Batch| {
        let trainer = Trainer::new(
            network.clone(),
            Objective::Language,
            &config.training,
            &device,
        );
        let (answers, found) = trainer.gradients(batch).unwrap();
        let answers: Vec<f32> = answers.into_data().iter().collect();
        (answers, gradients(&network, &found))
    };
    let padded = batch();
    let mut other = batch();
    if let BatchInput::Tokens(ids) = &mut other.input {
        ids[8..].fill(9);
    }
    assert_eq!(of(&padded), of(&other));
    let (answers, _) = of(&padded);
    assert_eq!(answers.len(), 20);
    assert!(answers[..16].iter().all(|loss| *loss > 0.0));
    assert!(answers[16..].iter().all(|loss| *loss == 0.0));
}

#[test]
fn states_are_carried_within_an_epoch_and_taken_back() {
    let device = Device::flex();
    let network = pretraining(&model(30, false), true, &device).train();
    let device = device.autodiff();
    let step = |network: &Pretraining, indices: [usize; 2]| {
        let batch = Batch {
            lengths: vec![5, 5],
            indices: indices.to_vec(),
            ..batch()
        };
        let draws = &mut generator(*b"testing\0", 1, 1);
        let answers = network.answers_training(&batch, &device, draws).unwrap();
        answers.into_data().iter::<f32>().collect::<Vec<_>>()
    };
    let first = step(&network, [0, 2]);
    let carried = network.carried().into_iter();
    let carried: Vec<Vec<f32>> = carried
        .map(|state| state.into_data().iter().collect())
        .collect();
    assert_eq!((carried.len(), carried[0].len()), (2, 12));
    let second = step(&network, [1, 3]);
    assert_ne!(first, second);
    assert_eq!(
        step(&network, [0, 2]),
        first,
        "an epoch begins from nothing"
    );
    let other = pretraining(&model(30, false), true, &device);
    other
        .carry(carried.clone(), &device.clone().inner())
        .unwrap();
    assert_eq!(step(&other.clone().train(), [1, 3]), second);
    let mut shorter = carried.clone();
    shorter[1].truncate(6);
    assert!(other.carry(shorter, &Device::flex()).is_err());
    let none = pretraining(&model(30, false), false, &Device::flex());
    assert!(none.carry(carried, &Device::flex()).is_err());
}

#[test]
fn a_repeated_text_is_learnt_in_both_directions() {
    let device = Device::flex();
    for (streams, bidirectional) in [(false, true), (true, false)] {
        let config = NetworkConfig {
            hidden_size: 16,
            embedding_size: 8,
            ..model(20, bidirectional)
        };
        let network = pretraining(&config, streams, &device);
        let text: Vec<u32> = [1].into_iter().chain((0..24).map(|i| 3 + i % 6)).collect();
        let examples = [example(&text), example(&text)];
        let mut run = RunConfig::default();
        run.training.clip_norm = Some(1.0);
        let batch = run.batching().batch(&examples, &[0, 1]);
        let mut trainer = Trainer::new(network, Objective::Language, &run.training, &device);
        for _ in 0..150 {
            trainer.step(&batch, 0.02).unwrap();
        }
        let (network, done) = (trainer.network(), &mut |_, _| {});
        let scored = score(
            &network,
            Objective::Language,
            &examples,
            &run.batching(),
            &device,
            done,
        );
        let (found, unigram) = (scored.unwrap().loss, unigram_loss(&examples, &examples, 20));
        assert!(found < 0.3 && unigram > 1.5, "{found} {unigram}");
    }
}

#[test]
fn weights_are_called_as_a_networks() {
    let device = Device::flex();
    let network = pretraining(&model(30, true), false, &device);
    let weights = gatefold_model::Weights::read(&network, Pretraining::weight_name).unwrap();
    let names: Vec<&str> = weights.iter().map(|(name, ..)| name).collect();
    let classifier = model(30, true).init(1, &device).unwrap().weights().unwrap();
    let mut body = classifier.iter().map(|(name, ..)| name);
    assert!(body.any(|name| name.starts_with("recurrent.0.reverse")));
    for (name, ..) in classifier.iter() {
        let of_head = name.starts_with("dense") || name.starts_with("output");
        assert_eq!(names.contains(&name), !of_head, "{name}");
    }
}

#[test]
fn a_part_of_a_stream_is_read_from_nothing_now_and_then() {
    let device = Device::flex();
    let network = pretraining(&model(10, false), true, &device);
    let size = 400;
    let part = Batch {
        input: BatchInput::Tokens(vec![4; size]),
        lengths: vec![1; size],
        targets: Some(BatchTargets::Classes(vec![5; size])),
        size,
        time: 1,
        indices: (1..=size).collect(),
    };
    let masks = &mut generator(*b"testing\0", 1, 0);
    let mut losses = || -> Vec<f32> {
        let device = device.clone().autodiff();
        let losses = network.answers_training(&part, &device, masks).unwrap();
        losses.into_data().iter().collect()
    };
    let from_nothing = losses()[0];
    let again = losses();
    let is_anew = |loss: &&f32| (**loss - from_nothing).abs() < 1e-6;
    let anew = again.iter().filter(is_anew).count();
    assert!((5..60).contains(&anew), "{anew} of {size}");
    let other = again.iter().find(|loss| !is_anew(loss)).unwrap();
    assert!(
        (other - from_nothing).abs() > 1e-5,
        "{other} {from_nothing}"
    );
}
