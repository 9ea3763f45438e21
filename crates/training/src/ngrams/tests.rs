use burn::tensor::Device;
use gatefold_data::random::{below, generator};
use gatefold_data::{Dataset, Labels, MemoryTask, Record};
use gatefold_model::NetworkError;

use super::*;
use crate::bundle::Bundle;
use crate::error::TrainingError;
use crate::predictor::Predictor;

/// 300 texts of noise, each with what `words` says of its class.
fn dataset(classes: usize, words: impl Fn(usize) -> String) -> Dataset {
    let rng = &mut generator(*b"tests\0\0\0", 1, 0);
    let mut record = |i: usize| {
        let class = i % classes;
        let noise = [0; 4].map(|_: i32| below(40, rng));
        let [a, b, c, d] = noise;
        let text = format!("n{a} n{b} {} n{c} n{d}", words(class));
        Record::text(text, class as u32)
    };
    let mut train: Vec<Record> = (0..400).map(&mut record).collect();
    let names = (0..classes).map(|class| format!("class {class}")).collect();
    Dataset {
        labels: Some(Labels::new(names).unwrap()),
        test: train.split_off(300),
        train,
        ..Dataset::default()
    }
}

/// Word `class` of each class, and which of two comes first.
fn order(class: usize) -> String {
    ["red cat", "cat red"][class % 2].to_owned()
}

fn settled(dataset: &Dataset, change: impl Fn(&mut RunConfig)) -> (RunConfig, EncodedDataset) {
    let mut config = RunConfig::default();
    config.model.hidden_size = 3;
    config.model.embedding_size = 3;
    config.model.vocabulary_size = 60;
    config.input.max_length = 12;
    config.training.batch_size = 16;
    config.ngrams = Some(NgramConfig::default());
    change(&mut config);
    let data = EncodedDataset::new(dataset, &config.encoding()).unwrap();
    config.settle(&data).unwrap();
    config.validate().unwrap();
    (config, data)
}

fn accuracy(ngrams: &Ngrams, config: &RunConfig, data: &EncodedDataset) -> f64 {
    let answers = ngrams.logits_of(&data.test);
    scored(config.objective(), &data.test, &answers)
        .accuracy
        .unwrap()
}

#[test]
fn runs_tell_classes_apart_and_their_order_does() {
    for (orders, least, most) in [(1, 0.0, 0.7), (2, 1.0, 1.0), (3, 1.0, 1.0)] {
        let (config, data) = settled(&dataset(2, order), |config| {
            config.ngrams.as_mut().unwrap().orders = orders;
        });
        let ngrams = Ngrams::learn(&data, &config);
        let accuracy = accuracy(&ngrams, &config, &data);
        assert!((least..=most).contains(&accuracy), "{orders}: {accuracy}");
    }
    for classes in [2, 3, 7] {
        let by_word = dataset(classes, |class| format!("w{class}"));
        let (config, data) = settled(&by_word, |config| {
            // Two classes may have a logit each too.
            config.training.objective = Some(Objective::Classes);
        });
        let ngrams = Ngrams::learn(&data, &config);
        assert_eq!(ngrams.outputs(), classes);
        assert_eq!(accuracy(&ngrams, &config, &data), 1.0, "{classes}");
    }
}

#[test]
fn the_same_data_give_the_same_weights_and_a_seed_nearly_those_of_another() {
    let dataset = dataset(3, |class| format!("w{class} x"));
    let learnt = |seed| {
        let (config, data) = settled(&dataset, |config| config.training.seed = seed);
        Ngrams::learn(&data, &config)
    };
    let first = learnt(1);
    assert_eq!(first, learnt(1));
    let other = learnt(2);
    assert_eq!(first.keys, other.keys);
    for (a, b) in first.weights.iter().zip(&other.weights) {
        assert!((a - b).abs() < 0.05, "{a} {b}");
    }
}

#[test]
fn the_commonest_runs_are_kept_and_weighing_a_class_answers_it_more_often() {
    let noise = dataset(2, |_| "x".into());
    let (config, data) = settled(&noise, |config| {
        config.ngrams.as_mut().unwrap().max_features = 5;
    });
    assert_eq!(Ngrams::learn(&data, &config).features(), 5);
    let answered = |weights: &str| {
        let (config, data) = settled(&noise, |config| {
            config.training.class_weights = Some(weights.parse().unwrap());
        });
        let ngrams = Ngrams::learn(&data, &config);
        let answers = ngrams.logits_of(&data.test).into_iter();
        answers.filter(|answer| answer[0] > 0.0).count()
    };
    assert!(answered("1,0.2") < answered("1,1") && answered("1,1") < answered("1,5"));
}

/// A run of an untrained network, with n-grams.
fn bundle(dataset: &Dataset, change: impl Fn(&mut RunConfig)) -> (Bundle, EncodedDataset) {
    let (config, data) = settled(dataset, change);
    let device = Device::flex();
    let network = config.model.init(3, &device).unwrap();
    let (path, scores) = LinearPath::learn(&network, &config, &data, &device).unwrap();
    assert!(scores.both.loss <= scores.network.loss && scores.both.loss <= scores.ngrams.loss);
    let (tested, scores) = path
        .test(&network, &config, &data, &device, &mut |_, _| {})
        .unwrap();
    assert_eq!(tested.evaluation, scores.both);
    assert!(scores.both.accuracy.unwrap() > 0.95 && scores.network.accuracy.unwrap() < 0.8);
    let bundle = Bundle {
        config,
        encoder: data.encoder.clone(),
        labels: data.labels.clone(),
        weights: network.weights().unwrap(),
        ngrams: Some(path),
    };
    // What a predictor answers is what was tested.
    let predictor = Predictor::new(bundle.clone(), &device).unwrap();
    let again = predictor
        .test(&data.test, &mut |_, _| {})
        .unwrap()
        .evaluation;
    assert_eq!(again.accuracy, tested.evaluation.accuracy);
    assert!((again.loss - tested.evaluation.loss).abs() < 1e-6);
    (bundle, data)
}

#[test]
fn a_predictor_blends_whatever_padding_it_reads() {
    for classes in [2, 3] {
        let dataset = dataset(classes, |class| format!("w{class}"));
        bundle(&dataset, |_| {});
        bundle(&dataset, |config| config.input.mask = false);
        bundle(&dataset, |config| {
            config.input.mask = false;
            config.input.padding = crate::config::PaddingSide::Pre;
        });
    }
}

#[test]
fn a_bundle_has_its_n_grams_and_answers_no_stream() {
    let (bundle, data) = bundle(&dataset(2, order), |_| {});
    let files = bundle.files().unwrap();
    let read = |name: &str, but: &str| {
        let file = files.iter().find(|(file, _)| *file == name && name != but);
        Ok(file.map(|(_, bytes)| bytes.clone()))
    };
    let again = Bundle::read(&|name, _| read(name, "")).unwrap();
    assert_eq!(again.ngrams, bundle.ngrams);
    let device = Device::flex();
    let predictor = Predictor::new(again, &device).unwrap();
    let answers = predictor
        .answer_texts(["n1 red cat", "n1 cat red", ""])
        .unwrap();
    let classes: Vec<_> = answers
        .iter()
        .map(|answer| answer.class().unwrap().0)
        .collect();
    assert_eq!(classes[..2], [0, 1]);
    assert!(matches!(
        predictor.stream().unwrap_err(),
        TrainingError::Network(NetworkError::NoStream(_))
    ));
    let error = Bundle::read(&|name, _| read(name, NGRAMS))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("there is no ngrams.safetensors"),
        "{error}"
    );
    let mut without = bundle.clone();
    without.ngrams = None;
    assert!(Predictor::new(without, &device).is_err());
    let mut unasked = bundle;
    unasked.config.ngrams = None;
    assert!(Predictor::new(unasked, &device).is_err());
    assert!(!data.test.is_empty());
}

#[test]
fn n_grams_are_for_texts_with_a_class_each() {
    let refused = |dataset: &Dataset, change: fn(&mut RunConfig)| {
        let mut config = RunConfig {
            ngrams: Some(NgramConfig::default()),
            ..RunConfig::default()
        };
        change(&mut config);
        let data = EncodedDataset::new(dataset, &config.encoding()).unwrap();
        let settled = config.settle(&data).and_then(|()| config.validate());
        settled.unwrap_err().to_string()
    };
    let numbers = MemoryTask::Adding.dataset(10, 42).unwrap();
    assert!(refused(&numbers, |_| {}).contains("ngrams are for texts"));
    let texts = dataset(2, order);
    for (change, expected) in [
        (
            (|config| config.ngrams.as_mut().unwrap().orders = 4) as fn(&mut RunConfig),
            "1 to 3 tokens",
        ),
        (
            |config| config.ngrams.as_mut().unwrap().orders = 0,
            "1 to 3 tokens",
        ),
        (
            |config| config.ngrams.as_mut().unwrap().min_count = 0,
            "at least 1",
        ),
        (
            |config| config.model.vocabulary_size = 1 << 21,
            "at most 2097151",
        ),
    ] {
        let error = refused(&texts, change);
        assert!(error.contains(expected), "{error}");
    }
    let read = RunConfig::from_toml("[ngrams]\norders = 2\n", "config.toml").unwrap();
    assert_eq!(read.ngrams.as_ref().unwrap().min_count, 2);
    assert_eq!(
        RunConfig::from_toml(&read.to_toml().unwrap(), "x").unwrap(),
        read
    );
    RunConfig::from_toml("[ngrams]\norder = 2\n", "config.toml").unwrap_err();
    assert!(!RunConfig::default().to_toml().unwrap().contains("ngrams"));
}
