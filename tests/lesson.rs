//! The lesson on the built-in reviews: the network learns what word counts alone can't tell, and answers what
//! people type to it first.

use std::collections::HashSet;
use std::ops::ControlFlow;

use gatefold::dataset;
use gatefold::device::{DeviceChoice, open};
use gatefold::run::{Outcome, train};
use gatefold::run_folder::RunFolder;
use gatefold_training::{Event, Predictor, RunConfig};
use itertools::Itertools;

/// Sentences that were written by hand, by someone who tries a classifier of film reviews: negative, positive.
/// Few of them are among the reviews that the network learns from.
const TYPED: [[&str; 30]; 2] = [
    [
        "A mess.",
        "I hated it.",
        "Terrible.",
        "What a waste of time.",
        "The worst movie I have ever seen.",
        "This film is bad.",
        "I did not like it.",
        "Not good.",
        "I fell asleep.",
        "Boring from start to finish.",
        "Don't waste your money.",
        "I would not recommend this film.",
        "The acting was terrible.",
        "Not funny at all.",
        "I wanted my money back.",
        "It was awful, I left after an hour.",
        "The plot makes no sense.",
        "I was bored to death.",
        "Stupid and predictable.",
        "Everyone loved it, but I thought it was dull.",
        "A complete disaster.",
        "The story is weak and the characters are flat.",
        "Never again.",
        "Far too long and far too slow.",
        "It isn't worth the ticket.",
        "Not a good film.",
        "I didn't enjoy a single minute of it.",
        "Nothing about this movie is interesting.",
        "I was disappointed.",
        "One of the worst films of the year.",
    ],
    [
        "I loved it.",
        "Great film.",
        "What a wonderful movie!",
        "Best movie I have seen this year.",
        "I really enjoyed this one.",
        "Not bad at all.",
        "Absolutely brilliant.",
        "One of the best films ever made.",
        "This movie was amazing.",
        "I would watch it again.",
        "Highly recommended!",
        "The acting was superb.",
        "It made me laugh and cry.",
        "A beautiful story, beautifully told.",
        "Excellent.",
        "Not boring for a single minute.",
        "I expected nothing and I loved it.",
        "Never a dull moment.",
        "Good fun from start to finish.",
        "The best film of the year.",
        "It wasn't bad, I liked it a lot.",
        "You should see this film.",
        "My whole family loved it.",
        "A masterpiece.",
        "Funny, clever and moving.",
        "I was never bored.",
        "The critics hated it, but I thought it was great.",
        "Fantastic acting and a great story.",
        "Don't miss it.",
        "There is nothing wrong with this film.",
    ],
];

/// In lower case, without punctuation.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words.filter(|word| !word.is_empty()).join(" ")
}

#[test]
fn few_of_the_typed_sentences_are_among_the_reviews() {
    let reviews = gatefold_data::reviews(42);
    let train: HashSet<String> = reviews
        .train
        .iter()
        .filter_map(|record| Some(plain(record.content.text()?)))
        .collect();
    let typed = TYPED.iter().flatten();
    let repeated = typed.filter(|text| train.contains(&plain(text))).count();
    assert!(repeated <= 12, "{repeated} of 60");
}

/// Trains the lesson's network; its test accuracy, the one of a bag of words, and the typed sentences that it answers
/// wrongly.
fn lesson(seed: u64) -> ([f64; 2], Vec<&'static str>) {
    let mut config = RunConfig::default();
    config.dataset.name = Some("reviews".into());
    config.training.seed = seed;
    let data = dataset::prepare(&mut config).unwrap();
    let (selected, device) = open(DeviceChoice::Cpu).unwrap();
    let parent = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(&parent.path().join("run")).unwrap();
    let on = (&selected, &device);
    let outcome = train(&config, &data, on, &folder, &mut |event| {
        if let Event::Epoch { metrics, .. } = event {
            eprintln!("{metrics:?}");
        }
        ControlFlow::Continue(())
    });
    let Outcome::Finished(run) = outcome.unwrap() else {
        panic!("nobody asked it to stop");
    };
    let predictor = Predictor::new(folder.bundle().unwrap(), &device).unwrap();
    let mut wrong = Vec::new();
    for (class, texts) in TYPED.iter().enumerate() {
        let answers = predictor.answer_texts(texts.iter().copied()).unwrap();
        let answered = texts.iter().zip(answers);
        let mistaken = answered.filter(|(_, answer)| answer.class().unwrap().0 != class);
        wrong.extend(mistaken.map(|(text, _)| *text));
    }
    let accuracies = [run.summary.test_accuracy, run.summary.baseline_accuracy];
    (accuracies.map(Option::unwrap), wrong)
}

#[test]
fn the_lessons_network_learns_the_built_in_reviews_and_reads_what_people_type() {
    // Seeds and processors differ by a few answers: the middle one of three counts.
    let networks = [42, 43, 44].map(lesson);
    // A bag of words and pairs of words has 89 %, and whoever reads rightly 97 %.
    let gains = networks.iter().map(|([network, words], _)| network - words);
    let gains: Vec<f64> = gains.sorted_by(f64::total_cmp).collect();
    assert!(gains[1] >= 0.02, "{gains:?}");
    let mistaken = networks.iter().map(|(_, wrong)| wrong.len()).sorted();
    let mistaken: Vec<usize> = mistaken.collect();
    assert!(
        mistaken[1] <= 5,
        "{mistaken:?} of 60 are wrong: {networks:?}"
    );
}
