//! What whoever brings a network, a place to keep it, or others to train with may rely on.

use std::cell::Cell as StdCell;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, LinearLayout};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_data::{
    Batch, BatchInput, Content, Dataset, EncodedDataset, Encoder, Labels, MemoryTask, Record,
    Scaler, Sequence, Target, Vocabulary,
};
use gatefold_model::{Cell, NetworkError, Reading, Weights};
use gatefold_training::bundle::{CONFIG, LABELS, SCALER, WEIGHTS, fingerprint};
use gatefold_training::config::{Keep, PaddingSide};
use gatefold_training::error::OtherError;
use gatefold_training::{
    Answer, Answers, Bundle, Checkpoint, EpochMetrics, Event, Exchange, Predictor, RunConfig,
    Session, Store, TrainingError, burn, evaluate, fit,
};

/// A network of somebody else's: no recurrence at all, and parts that are called as ours are.
#[derive(Module, Debug)]
struct Mine {
    input: Linear,
    head: Linear,
}

const STEPS: usize = 4;

impl Mine {
    fn new(device: &Device) -> Self {
        // A layout that keeps its weight transposed, and saves it as everybody does.
        let layer = |from, to| {
            let config = LinearConfig::new(from, to).with_layout(LinearLayout::Col);
            config.init(device)
        };
        device.seed(7);
        Self {
            input: layer(STEPS, 6),
            head: layer(6, 1),
        }
    }
}

impl Answers for Mine {
    fn answers(&self, batch: &Batch, device: &Device) -> Result<Tensor<2>, NetworkError> {
        let BatchInput::Values { values, .. } = &batch.input else {
            panic!("numbers are read");
        };
        let values = TensorData::new(values.clone(), [batch.size, batch.time]);
        let hidden = self.input.forward(Tensor::from_data(values, device)).tanh();
        Ok(self.head.forward(hidden))
    }
}

/// Rows of numbers whose sum says their class.
fn sums() -> Dataset {
    let record = |row: usize| {
        let values: Vec<f32> = (0..STEPS)
            .map(|t| ((row * 7 + t * 5) % 11) as f32 - 5.0)
            .collect();
        let class = u32::from(values.iter().sum::<f32>() > 0.0);
        Record {
            content: Content::Sequence(Sequence::Values { width: 1, values }),
            target: Target::Class(class),
        }
    };
    Dataset {
        labels: Some(Labels::negative_positive()),
        train: (0..200).map(record).collect(),
        test: (200..240).map(record).collect(),
        ..Dataset::default()
    }
}

fn settled(dataset: &Dataset, change: impl Fn(&mut RunConfig)) -> (RunConfig, EncodedDataset) {
    let mut config = RunConfig::default();
    config.training.epochs = 3;
    config.training.batch_size = 16;
    config.training.learning_rate = 0.02;
    config.model.hidden_size = 5;
    config.model.dense_size = 0;
    change(&mut config);
    let data = EncodedDataset::new(dataset, &config.encoding()).unwrap();
    config.settle(&data).unwrap();
    (config, data)
}

fn go_on(_: Event) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn stop_after(mut steps: i32) -> impl FnMut(Event) -> ControlFlow<()> {
    move |event| {
        steps -= i32::from(matches!(event, Event::Step { .. }));
        match steps {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// What is kept, in its order.
#[derive(Default)]
struct Kept {
    order: Vec<&'static str>,
    checkpoints: Vec<Vec<u8>>,
    weights: Option<Weights>,
    epochs: Vec<EpochMetrics>,
}

impl Store for Kept {
    fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), OtherError> {
        self.order.push("checkpoint");
        self.checkpoints.push(bytes.to_vec());
        Ok(())
    }

    fn weights(&mut self, weights: &Weights) -> Result<(), OtherError> {
        self.order.push("weights");
        self.weights = Some(weights.clone());
        Ok(())
    }

    fn metrics(&mut self, epochs: &[EpochMetrics]) -> Result<(), OtherError> {
        self.order.push("metrics");
        self.epochs = epochs.to_vec();
        Ok(())
    }

    fn scalars(&mut self, _: u64, values: &[(&str, f64)]) -> Result<(), OtherError> {
        assert!(values.iter().all(|(_, value)| value.is_finite()));
        Ok(())
    }
}

#[test]
fn anyones_network_is_trained_kept_and_gone_on_with() {
    let device = Device::flex();
    let (config, data) = settled(&sums(), |_| ());
    let (network, history) = fit(Mine::new(&device), &data, &config, &device, &mut go_on).unwrap();
    let (objective, batching) = (config.objective(), config.batching());
    let validated = |network: &Mine| {
        let done = &mut |_, _| {};
        evaluate(
            network,
            objective,
            &data.validation,
            &batching,
            &device,
            done,
        )
        .unwrap()
    };
    let best = EpochMetrics::best_of(&history, Keep::Loss).unwrap();
    // A weight that is kept transposed is read in another order, and adds up to other last bits.
    let difference = validated(&network).1.loss - best.validation_loss;
    assert!(difference.abs() < 1e-6, "{difference}");
    assert!(best.validation_accuracy > Some(0.8), "{best:?}");

    // Stopped in the middle of an epoch, gone on by another session.
    let mut kept = Kept::default();
    let mut session = Session::new(Mine::new(&device), &data, &config, &device).unwrap();
    let stopped = session.run(&mut kept, &mut stop_after(14));
    assert!(stopped.unwrap().is_break());
    let checkpoint = Checkpoint::from_bytes(kept.checkpoints.last().unwrap()).unwrap();
    let mut second = Session::new(Mine::new(&device), &data, &config, &device).unwrap();
    second.restore(checkpoint).unwrap();
    assert!(second.run(&mut kept, &mut go_on).unwrap().is_continue());
    let losses = |epochs: &[EpochMetrics]| -> Vec<f64> {
        epochs.iter().map(|epoch| epoch.validation_loss).collect()
    };
    for (found, expected) in losses(&kept.epochs).iter().zip(losses(&history)) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    let found = second.network().unwrap();
    let difference = validated(&found).1.loss - validated(&network).1.loss;
    assert!(difference.abs() < 1e-5, "{difference}");
    assert_eq!(kept.weights.as_ref(), second.best_weights().map(|of| &**of));
    // After an epoch, the checkpoint comes first.
    for (place, what) in kept.order.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| kept.order[before]);
        match *what {
            "weights" => assert_eq!(before, Some("checkpoint")),
            "metrics" => assert_ne!(before, Some("metrics")),
            _ => {}
        }
    }
}

/// Texts of two classes, of which a word tells.
fn texts(count: usize) -> Vec<Record> {
    let text = |i: usize| {
        let word = ["good", "bad"][i % 2];
        let filler = "scene after scene ".repeat(i % 5);
        Record::text(
            format!("a {word} film of {filler} number {}", i % 23),
            (i % 2) as u32,
        )
    };
    (0..count).map(text).collect()
}

fn of_texts() -> Dataset {
    let mut train = texts(250);
    let test = train.split_off(200);
    Dataset {
        labels: Some(Labels::negative_positive()),
        train,
        test,
        ..Dataset::default()
    }
}

/// Settings with all that regularises.
fn regularised(config: &mut RunConfig) {
    config.model.vocabulary_size = 40;
    config.model.embedding_dropout = 0.1;
    config.model.weight_dropout = 0.1;
    config.model.head_dropout = Some(0.2);
    config.model.reading = Reading::Concat;
    config.training.word_dropout = 0.1;
    config.training.label_smoothing = 0.1;
    config.training.adversarial = 0.3;
    config.training.ema_decay = Some(0.9);
    config.training.keep = Keep::Last;
}

/// Trains, stops after `steps` steps if so many are given, goes on in another session, and gives the weights that are
/// kept in the end.
fn kept_weights(config: &RunConfig, data: &EncodedDataset, steps: Option<i32>) -> Weights {
    let device = Device::flex();
    let network = || config.model.init(config.training.seed, &device).unwrap();
    let mut kept = Kept::default();
    let mut session = Session::new(network(), data, config, &device).unwrap();
    if let Some(steps) = steps {
        let stopped = session.run(&mut kept, &mut stop_after(steps));
        assert!(stopped.unwrap().is_break());
        let checkpoint = Checkpoint::from_bytes(kept.checkpoints.last().unwrap()).unwrap();
        let blank = config.model.blank(&device).unwrap();
        session = Session::new(blank, data, config, &device).unwrap();
        session.restore(checkpoint).unwrap();
    }
    assert!(session.run(&mut kept, &mut go_on).unwrap().is_continue());
    assert!(session.is_done());
    let weights = kept.weights.unwrap();
    assert_eq!(&weights, &**session.best_weights().unwrap());
    weights
}

#[test]
fn a_network_that_is_trained_again_is_what_it_would_be_without_a_validation_part() {
    let (mut config, data) = settled(&of_texts(), regularised);
    let alone = kept_weights(&config, &data, None);
    config.training.refit = true;
    let refitted = kept_weights(&config, &data, None);
    assert_ne!(refitted, alone);
    let mut both = data.clone();
    both.train.extend(both.validation.iter().cloned());
    config.training.refit = false;
    assert_eq!(refitted, kept_weights(&config, &both, None));
    // 10 steps an epoch, and 13 of both parts: in the first training, on its last step, and in the second.
    config.training.refit = true;
    for steps in [7, 30, 36, 68] {
        assert_eq!(
            refitted,
            kept_weights(&config, &data, Some(steps)),
            "{steps}"
        );
    }
}

#[test]
fn a_network_that_is_worse_once_it_was_trained_again_is_kept_as_it_was() {
    let (mut config, data) = settled(&of_texts(), regularised);
    let alone = kept_weights(&config, &data, None);
    config.training.refit = true;
    let device = Device::flex();
    let network = || config.model.init(config.training.seed, &device).unwrap();
    let mut kept = Kept::default();
    let mut session = Session::new(network(), &data, &config, &device).unwrap();
    let stopped = session.run(&mut kept, &mut stop_after(36));
    assert!(stopped.unwrap().is_break());
    let mut checkpoint = Checkpoint::from_bytes(kept.checkpoints.last().unwrap()).unwrap();
    for metrics in &mut checkpoint.header.progress.epochs {
        // So well no other network answers.
        metrics.validation_loss = 0.0;
    }
    let mut session = Session::new(network(), &data, &config, &device).unwrap();
    session.restore(checkpoint).unwrap();
    let mut said = Vec::new();
    let mut listen = |event: Event| {
        if let Event::Message(text) = event {
            said.push(text);
        }
        ControlFlow::Continue(())
    };
    assert!(session.run(&mut kept, &mut listen).unwrap().is_continue());
    assert!(
        said.iter()
            .any(|text| text.contains("the one from before is kept")),
        "{said:?}"
    );
    assert!(session.is_done() && session.progress().refit.unwrap().failed);
    assert_eq!(&alone, &**session.best_weights().unwrap());
    assert_eq!(kept.weights, Some(alone));
}

#[test]
fn a_network_that_was_trained_again_is_not_lengthened() {
    for (keep, patience) in [(Keep::Last, None), (Keep::Loss, Some(5))] {
        is_not_lengthened(keep, patience);
    }
}

fn is_not_lengthened(keep: Keep, patience: Option<usize>) {
    let (mut config, data) = settled(&of_texts(), regularised);
    config.training.refit = true;
    (config.training.keep, config.training.patience) = (keep, patience);
    let device = Device::flex();
    let network = config.model.init(1, &device).unwrap();
    let mut kept = Kept::default();
    let mut session = Session::new(network.clone(), &data, &config, &device).unwrap();
    assert!(session.run(&mut kept, &mut go_on).unwrap().is_continue());
    let checkpoint = Checkpoint::from_bytes(kept.checkpoints.last().unwrap()).unwrap();
    let mut longer = config.clone();
    longer.training.epochs += 1;
    let mut session = Session::new(network, &data, &longer, &device).unwrap();
    let error = session.restore(checkpoint).unwrap_err().to_string();
    assert!(error.contains("can't be lengthened to 4"), "{error}");
    assert_eq!(session.progress().epochs.len(), 0);
}

#[test]
fn what_answers_is_the_average_of_the_weights() {
    let device = Device::flex();
    let (config, data) = settled(&of_texts(), regularised);
    let network = config.model.init(1, &device).unwrap();
    let (network, history) = fit(network, &data, &config, &device, &mut go_on).unwrap();
    let (objective, batching) = (config.objective(), config.batching());
    let done = &mut |_, _| {};
    let found = evaluate(
        &network,
        objective,
        &data.validation,
        &batching,
        &device,
        done,
    );
    let last = history.last().unwrap();
    assert_eq!(found.unwrap().1.loss, last.validation_loss);
    let mut config = config;
    config.training.ema_decay = None;
    let averaged = network.weights().unwrap();
    let network = config.model.init(1, &device).unwrap();
    let (network, _) = fit(network, &data, &config, &device, &mut go_on).unwrap();
    assert_ne!(averaged, network.weights().unwrap());
}

#[test]
fn parts_of_a_network_stay_while_they_are_frozen_and_learn_at_their_own_rates() {
    let device = Device::flex();
    let trained = |change: fn(&mut RunConfig)| {
        let (config, data) = settled(&of_texts(), |config| {
            config.model.vocabulary_size = 40;
            config.training.epochs = 2;
            change(config);
        });
        let network = config.model.init(1, &device).unwrap();
        let first = network.weights().unwrap();
        let (network, _) = fit(network, &data, &config, &device, &mut go_on).unwrap();
        let last = network.weights().unwrap();
        let changed = |part: &str| {
            let of = |weights: &Weights| -> Vec<Vec<u8>> {
                let views = weights.views();
                let views = views.filter(|(name, _)| name.starts_with(part));
                views.map(|(_, view)| view.data().to_vec()).collect()
            };
            of(&first) != of(&last)
        };
        (["embedding", "recurrent", "output"].map(changed), last)
    };
    let (changed, plain) = trained(|_| ());
    assert_eq!(changed, [true; 3]);
    let (changed, frozen) = trained(|config| config.training.groups.embedding.frozen_epochs = 2);
    assert_eq!(changed, [false, true, true]);
    assert_ne!(frozen, plain);
    let (changed, _) = trained(|config| config.training.groups.recurrent.rate = 0.0);
    assert_eq!(changed, [true, false, true]);
    let (_, slower) = trained(|config| config.training.groups.head.rate = 0.5);
    assert_ne!(slower, plain);
    let (_, thawed) = trained(|config| config.training.groups.embedding.frozen_epochs = 1);
    assert!(thawed != plain && thawed != frozen);
}

#[test]
fn a_configuration_that_is_not_settled_for_the_data_is_refused() {
    let device = Device::flex();
    let (_, data) = settled(&sums(), |_| ());
    let config = RunConfig::default();
    let numbers = MemoryTask::Adding.dataset(4, 1).unwrap();
    let (_, numbers) = settled(&numbers, |_| ());
    // Binary is what a configuration says that says nothing.
    Session::new(Mine::new(&device), &data, &config, &device).unwrap();
    let refused = Session::new(Mine::new(&device), &numbers, &config, &device);
    let error = refused.err().unwrap();
    assert!(matches!(error, TrainingError::Config(_)), "{error}");
    assert!(error.to_string().contains("settle"), "{error}");
}

#[test]
fn answers_that_are_not_those_of_the_targets_are_refused() {
    let device = Device::flex();
    let mut dataset = sums();
    for record in dataset.train.iter_mut().chain(&mut dataset.test) {
        record.target = Target::Classes(vec![1; STEPS]);
    }
    let (config, data) = settled(&dataset, |_| ());
    let done = &mut |_, _| {};
    let network = Mine::new(&device);
    let objective = config.objective();
    let tested = evaluate(
        &network,
        objective,
        &data.test,
        &config.batching(),
        &device,
        done,
    );
    let error = tested.unwrap_err();
    assert!(matches!(error, TrainingError::Answers { .. }), "{error}");
    let error = fit(network, &data, &config, &device, &mut go_on).unwrap_err();
    assert!(
        error.to_string().contains("there are 64 targets"),
        "{error}"
    );
}

#[test]
fn gradients_are_exchanged_at_every_step() {
    struct Counting<'a>(&'a StdCell<usize>);
    impl Exchange for Counting<'_> {
        fn mean(&mut self, gradients: GradientsParams) -> Result<GradientsParams, OtherError> {
            self.0.set(self.0.get() + 1);
            match self.0.get() {
                5 => Err("the others are gone".into()),
                _ => Ok(gradients),
            }
        }
    }
    let device = Device::flex();
    let (config, data) = settled(&sums(), |_| ());
    let count = StdCell::new(0);
    let session = Session::new(Mine::new(&device), &data, &config, &device).unwrap();
    let mut session = session.with_exchange(Counting(&count));
    let error = session.run(&mut (), &mut go_on).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), count.get()),
        ("the others are gone", 5)
    );
}

/// A predictor of an untrained network of this dataset.
fn predictor(dataset: &Dataset, change: impl Fn(&mut RunConfig)) -> (Predictor, EncodedDataset) {
    let (config, data) = settled(dataset, change);
    let device = Device::flex();
    let network = config.model.init(3, &device).unwrap();
    let bundle = Bundle {
        config,
        encoder: data.encoder.clone(),
        labels: data.labels.clone(),
        weights: network.weights().unwrap(),
        ngrams: None,
    };
    (Predictor::new(bundle, &device).unwrap(), data)
}

#[test]
fn a_stream_answers_what_the_whole_sequence_is_answered() {
    let reviews = Dataset {
        labels: Some(Labels::negative_positive()),
        train: (0..20)
            .map(|i| Record::text(format!("a b{i} c"), i % 2))
            .collect(),
        test: vec![Record::text("a b2 b3 c a unknown", 1)],
        ..Dataset::default()
    };
    let numbers = MemoryTask::Recall.dataset(9, 1).unwrap();
    for (dataset, cell) in [
        (&reviews, Cell::Lstm),
        (&numbers, Cell::Gru),
        (&numbers, Cell::Rnn),
    ] {
        let (predictor, data) = predictor(dataset, |config| {
            config.model.cell = cell;
            config.model.layers = 2;
        });
        let whole = data.test[0].input.clone();
        let Answer::Class(expected) = &predictor.answer(vec![whole.clone()]).unwrap()[0] else {
            panic!("classes are answered");
        };
        let mut stream = predictor.stream().unwrap();
        for t in 1..=whole.len() {
            let mut step = whole.prefix(t);
            step.keep_last(1);
            let Answer::Class(found) = stream.push(step).unwrap() else {
                panic!("classes are answered");
            };
            if t == whole.len() {
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
                }
            }
        }
    }
    for change in [
        (|config| config.input.mask = false) as fn(&mut RunConfig),
        |config| config.model.bidirectional = true,
        |config| config.model.reading = Reading::Mean,
    ] {
        let (predictor, data) = predictor(&numbers, change);
        let step = data.test[0].input.prefix(1);
        let answered = predictor.stream().and_then(|mut stream| stream.push(step));
        let error = answered.unwrap_err();
        assert!(error.to_string().contains("a step at a time"), "{error}");
    }
}

#[test]
fn what_a_predictor_cannot_read_is_an_error() {
    let numbers = MemoryTask::Adding.dataset(4, 1).unwrap();
    let (of_numbers, _) = predictor(&numbers, |_| ());
    let reviews = Dataset {
        labels: Some(Labels::negative_positive()),
        train: (0..20).map(|i| Record::text("a b c", i % 2)).collect(),
        test: vec![Record::text("a", 1)],
        ..Dataset::default()
    };
    let (of_texts, _) = predictor(&reviews, |config| config.model.vocabulary_size = 10);
    let values = |width, values: &[f32]| Sequence::Values {
        width,
        values: values.to_vec(),
    };
    for (predictor, sequence) in [
        (&of_texts, Sequence::Tokens(vec![1, 10])),
        (&of_texts, Sequence::Tokens(vec![])),
        (&of_texts, values(2, &[0.0; 2])),
        (&of_numbers, Sequence::Tokens(vec![1])),
        (&of_numbers, values(2, &[])),
        (&of_numbers, values(2, &[0.0; 3])),
        (&of_numbers, values(3, &[0.0; 3])),
    ] {
        predictor.answer(vec![sequence.clone()]).unwrap_err();
        predictor.stream().unwrap().push(sequence).unwrap_err();
    }
}

/// As Keras answers it: from the state before a first timestep or, without a mask, from padding alone.
#[test]
fn a_text_of_unknown_words_that_are_left_out_is_learnt_from_and_answered() {
    let texts = ["a b c", "zorg", "c", "", "a zorg", "b b"]
        .into_iter()
        .cycle();
    let reviews = Dataset {
        labels: Some(Labels::negative_positive()),
        train: texts
            .zip(0..20)
            .map(|(text, i)| Record::text(text, i % 2))
            .collect(),
        test: vec![Record::text("zorg", 1), Record::text("b", 0)],
        ..Dataset::default()
    };
    let words =
        r#"{"size":4,"distinct":3,"first":1,"start":null,"unknown":null,"words":["a","b","c"]}"#;
    let words = Vocabulary::from_json(words, "vocabulary.json".as_ref()).unwrap();
    for (mask, padding) in [
        (true, PaddingSide::Post),
        (false, PaddingSide::Post),
        (false, PaddingSide::Pre),
    ] {
        let (config, _) = settled(&reviews, |config| {
            config.model.vocabulary_size = 4;
            config.training.batch_size = 1;
            (config.input.mask, config.input.padding) = (mask, padding);
        });
        let encoder = Encoder::Text(words.clone());
        let data =
            EncodedDataset::with_encoder(&reviews, &config.encoding(), encoder.clone()).unwrap();
        let device = Device::flex();
        let network = config.model.init(3, &device.clone().autodiff()).unwrap();
        let (network, _) = fit(
            network,
            &data,
            &config,
            &device.clone().autodiff(),
            &mut go_on,
        )
        .unwrap();
        let bundle = Bundle {
            config,
            encoder,
            labels: data.labels.clone(),
            weights: network.weights().unwrap(),
            ngrams: None,
        };
        let mut predictor = Predictor::new(bundle.clone(), &device).unwrap();
        let alone = predictor.answer_texts(["zorg"]).unwrap();
        let mut larger = bundle;
        larger.config.training.batch_size = 8;
        predictor = Predictor::new(larger, &device).unwrap();
        let together = predictor.answer_texts(["a b c", "", "zorg", "b"]).unwrap();
        for answer in &together[1..3] {
            let [one, other] = [answer, &alone[0]].map(|answer| answer.probabilities()[1]);
            assert!((one - other).abs() < 1e-6, "{one} {other}");
        }
        assert_eq!(
            predictor
                .test(&data.test, &mut |_, _| {})
                .unwrap()
                .evaluation
                .examples,
            2
        );
        if mask {
            let nothing = Sequence::Tokens(Vec::new());
            predictor.stream().unwrap().push(nothing).unwrap_err();
        }
    }
}

#[test]
fn a_bundle_whose_files_do_not_belong_together_is_refused() {
    let numbers = MemoryTask::Recall.dataset(4, 1).unwrap();
    let (config, data) = settled(&numbers, |_| ());
    let network = config.model.init(1, &Device::flex()).unwrap();
    let of = fingerprint(&data.encoder, data.labels.as_ref());
    let weights = network.to_safetensors(Some(&of)).unwrap();
    let (scaler, labels) = (
        data.encoder.scaler().unwrap(),
        data.labels.as_ref().unwrap(),
    );
    let read = |scaler: Option<&Scaler>, labels: &Labels| {
        Bundle::read(&|name, most| {
            let file = match name {
                CONFIG => Some(config.to_toml()?.into_bytes()),
                SCALER => scaler.map(|scaler| scaler.to_json().into_bytes()),
                LABELS => Some(labels.to_json().into_bytes()),
                WEIGHTS => Some(weights.clone()),
                _ => None,
            };
            assert!(file.as_ref().is_none_or(|file| file.len() as u64 <= most));
            Ok(file)
        })
    };
    let bundle = read(Some(scaler), labels).unwrap();
    Predictor::new(bundle.clone(), &Device::flex()).unwrap();
    let turned: Vec<String> = labels.names().iter().rev().cloned().collect();
    let turned = Labels::new(turned).unwrap();
    let zeros = Sequence::Values {
        width: 8,
        values: vec![0.0; 8],
    };
    let other = Scaler::fit([&zeros].into_iter(), 8).unwrap();
    for (scaler, labels, message) in [
        (None, labels, "there is no scaler.json"),
        (Some(&other), labels, "mean something else"),
        (Some(scaler), &turned, "mean something else"),
        (
            Some(scaler),
            &Labels::negative_positive(),
            "names 2 classes",
        ),
    ] {
        let error = read(scaler, labels).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let mut wrong = bundle;
    wrong.encoder = Encoder::Values {
        width: 9,
        scaler: None,
        targets: None,
    };
    let error = Predictor::new(wrong, &Device::flex())
        .unwrap_err()
        .to_string();
    assert!(error.contains("9 numbers a timestep"), "{error}");
}
