//! What a test's result is worth: beside the most frequent class, beside a linear model, and beside chance.

use gatefold_data::EncodedDataset;
use gatefold_training::chance::{difference_chance, share_chance};
use gatefold_training::config::PaddingSide;
use gatefold_training::{EpochMetrics, RunConfig, RunSummary, TestResult, baseline};

/// Where a result stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The share of the class that is most frequent in the test part.
    pub largest_class: Option<f64>,
    /// The test accuracy of a linear model.
    pub baseline: Option<f64>,
    /// What to know before the result is believed, and what to try.
    pub warnings: Vec<String>,
}

/// Steps below which a network has hardly begun.
const FEW_STEPS: usize = 500;

impl Standing {
    /// Where the result `tested` of a run stands; `epochs` are those of its training.
    pub fn of(
        config: &RunConfig,
        data: &EncodedDataset,
        epochs: &[EpochMetrics],
        tested: &TestResult,
    ) -> Self {
        let test = &tested.evaluation;
        let largest = tested
            .classes()
            .and_then(|scores| scores.largest_class_share);
        let (Some(accuracy), Some(largest)) = (test.accuracy, largest) else {
            return Self {
                warnings: without_a_label(config, data, epochs, tested),
                ..Self::default()
            };
        };
        // The memory tasks have a chance of their own, and a first symbol is no memory to a linear model.
        let is_task = config.dataset.memory_task().is_some();
        let baseline = (!is_task).then(|| baseline(data)).flatten();
        let noun = config.dataset.noun();
        let count = test.examples;
        let what = match &config.ngrams {
            Some(_) => "the network with n-grams beside it",
            None => "the network",
        };
        let chance = share_chance(largest, count);
        let mut warnings = Vec::new();
        if accuracy <= largest + chance {
            warnings.push(format!(
                "{what} is not better than chance: it answers {accuracy:.4} of {count} test {noun} rightly, and \
                 whoever always answers the most frequent label {largest:.4}; up to {:.4} is chance",
                (largest + chance).min(1.0)
            ));
            let mut hints = to_try(config, data, epochs, largest);
            hints.extend(baseline.map(|baseline| to_learn(config, data, largest, baseline)));
            warnings.push(format!("to try: {}", hints.join("; ")));
        } else if let Some(baseline) = baseline {
            let chance = difference_chance(accuracy, baseline, count);
            if accuracy < baseline - chance {
                warnings.push(format!(
                    "{} answers more rightly than {what}, {baseline:.4} against {accuracy:.4}: where nothing helps \
                     the network, the simpler model is the better tool here",
                    described(config)
                ));
                let hints = to_try(config, data, epochs, largest);
                warnings.push(format!("to try: more {noun}; {}", hints.join("; ")));
            }
        }
        Self {
            largest_class: Some(largest),
            baseline,
            warnings,
        }
    }
}

/// What the linear model is, for people.
pub fn described(config: &RunConfig) -> &'static str {
    match config.model.input_size {
        None => "a bag of words with logistic regression",
        Some(_) => "logistic regression on mean, deviation, extremes and ends",
    }
}

/// The linear model's accuracy beside a result, for people; none where there is none.
pub fn beside(config: &RunConfig, summary: &RunSummary) -> Option<String> {
    let (accuracy, baseline) = (summary.test_accuracy?, summary.baseline_accuracy?);
    let chance = difference_chance(accuracy, baseline, summary.test_examples);
    let alike = accuracy != baseline && (accuracy - baseline).abs() <= chance;
    Some(format!(
        "{}: {baseline:.4}{}",
        described(config),
        match alike {
            true => format!("; a difference up to {chance:.4} is chance"),
            false => String::new(),
        }
    ))
}

/// What to know of a network that gives each example any number of labels, and none of the right ones.
fn without_a_label(
    config: &RunConfig,
    data: &EncodedDataset,
    epochs: &[EpochMetrics],
    tested: &TestResult,
) -> Vec<String> {
    let right = tested.classes().map(|scores| scores.macro_mean.f1);
    if right.is_none_or(|f1| f1 > 0.0) {
        return Vec::new();
    }
    let hints = to_try(config, data, epochs, 1.0);
    vec![
        "the network names none of the right labels".into(),
        format!("to try: {}", hints.join("; ")),
    ]
}

/// What may help a network that learnt little.
fn to_try(
    config: &RunConfig,
    data: &EncodedDataset,
    epochs: &[EpochMetrics],
    largest: f64,
) -> Vec<String> {
    let mut hints = Vec::new();
    let train = &data.train;
    let read: usize = train.iter().map(|example| example.input.len()).sum();
    let padded = train.len() * config.input.max_length;
    if !config.input.mask && 2 * read < padded {
        let share = 100.0 * (1.0 - read as f64 / padded as f64);
        hints.push(format!(
            "{share:.0} % of what it reads is padding: leave --no-mask{} out",
            match config.input.padding {
                PaddingSide::Post => "",
                PaddingSide::Pre => " and --padding",
            }
        ));
    }
    let words = data.encoder.vocabulary();
    let unknown = words.map_or(0.0, |words| words.unknown_share(train));
    if unknown > 0.3 {
        hints.push(format!(
            "{:.0} % of the words are unknown to it: another --tokenizer, or a larger --vocabulary-size",
            100.0 * unknown
        ));
    }
    let training = epochs.last().and_then(|epoch| epoch.train_accuracy);
    let by_heart = training.is_some_and(|share| share > 0.5 + largest / 2.0);
    let steps = epochs.len() * train.len().div_ceil(config.training.batch_size);
    if by_heart {
        hints.push(
            "it learnt its training part by heart: more rows, a smaller --hidden-size, or --dropout 0.5".into(),
        );
    } else if steps < FEW_STEPS {
        hints.push(format!(
            "it made {steps} steps: more --epochs, or a smaller --batch-size{}",
            match config.training.batch_size {
                0..=16 => "",
                _ => ", such as 16",
            }
        ));
    } else {
        let rate = config.training.learning_rate;
        hints.push(format!(
            "another --learning-rate than {rate}, such as {} or {}, or another --seed",
            rate * 4.0,
            rate / 4.0
        ));
    }
    hints
}

/// Whether there is something to learn, as far as a linear model tells.
fn to_learn(config: &RunConfig, data: &EncodedDataset, largest: f64, baseline: f64) -> String {
    let enough = baseline > largest + share_chance(baseline, data.test.len());
    match enough {
        true => format!(
            "there is something to learn: {} answers {baseline:.4} rightly",
            described(config)
        ),
        false => format!(
            "{} learns nothing either ({baseline:.4}): the labels may not follow from the rest, or there are too few rows",
            described(config)
        ),
    }
}
