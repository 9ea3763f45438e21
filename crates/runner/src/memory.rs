//! How much memory a step takes, told before it is taken: a process that takes more than there is, is killed
//! without a word.

use anyhow::{Result, ensure};
use gatefold_data::{EncodedDataset, Padding, Sequence};
use gatefold_model::{Cell, NetworkConfig, Reading};
use gatefold_training::{RunConfig, ngrams};

use crate::device::{AdapterKind, ComputeDevice};

/// Where nothing tells how much memory there is: more than most machines have.
const ASSUMED: u64 = 64 << 30;

/// Whether training and testing `config` on `data` fits into the memory of the machine, if that is where
/// `device` computes; other devices tell it themselves.
///
/// # Errors
/// Says how much it would take and what to lower.
pub fn ensure_training_fits(
    config: &RunConfig,
    data: &EncodedDataset,
    device: &ComputeDevice,
) -> Result<()> {
    let [train, validation, test] = [&data.train, &data.validation, &data.test]
        .map(|examples| examples.iter().map(|example| &example.input));
    let refit = validation.clone().filter(|_| config.training.refit);
    let learnt = train.chain(refit);
    let [rows, time] = largest_batch(config, learnt.clone());
    let training = &config.training;
    // An average; and the moved weights and a second gradient that an adversary makes.
    let average = u8::from(training.ema_decay.is_some());
    let adversary = 2 * u8::from(training.adversarial > 0.0);
    let bytes = training_step(&config.model, rows, time)
        + NUMBER * f64::from(average + adversary) * config.model.parameters();
    let noun = config.dataset.noun();
    let what = format!("a training step of {rows} {noun} of {time} timesteps");
    ensure_fits(&what, bytes, device)?;
    if config.ngrams.is_some() {
        let (texts, tokens) = learnt.fold((0, 0), |(texts, tokens), sequence| {
            (texts + 1, tokens + sequence.len())
        });
        let asked = data.validation.len() + data.test.len();
        let bytes = ngrams::most_bytes_to_learn([texts, tokens], config.model.output_size, asked);
        let what = format!("learning n-grams from {tokens} tokens");
        ensure_fits(&what, bytes, &ComputeDevice::Cpu)?;
    }
    ensure_answers_fit(config, validation.chain(test), device)
}

/// Whether asking the network of `config` about `sequences` fits, as [`ensure_training_fits`] does.
///
/// # Errors
/// Says how much it would take and what to lower.
pub fn ensure_answers_fit<'a>(
    config: &RunConfig,
    sequences: impl IntoIterator<Item = &'a Sequence>,
    device: &ComputeDevice,
) -> Result<()> {
    let [rows, time] = largest_batch(config, sequences);
    let bytes = forward(&config.model, rows, time);
    let noun = config.dataset.noun();
    let what = format!("a batch of {rows} {noun} of {time} timesteps");
    ensure_fits(&what, bytes, device)
}

/// Whether the answers of the network of `config` to all `sequences` fit, which are kept where the program runs.
///
/// # Errors
/// Says how much they would take.
pub fn ensure_outputs_fit<'a>(
    config: &RunConfig,
    sequences: impl IntoIterator<Item = &'a Sequence>,
) -> Result<()> {
    let rows = sequences
        .into_iter()
        .map(|sequence| match config.model.reading {
            Reading::EveryStep => sequence.len() as f64,
            _ => 1.0,
        });
    // A mean, and what is taken into it.
    let bytes = 2.0 * NUMBER * rows.sum::<f64>() * config.model.output_size as f64;
    let what = format!("all answers to these {}", config.dataset.noun());
    let there = installed() as f64;
    let gib = |bytes: f64| bytes / f64::from(1 << 30);
    ensure!(
        bytes <= there,
        "{what} would take about {:.1} GiB of memory, and there are {:.1} GiB: test fewer at once, with --dataset",
        gib(bytes),
        gib(there)
    );
    Ok(())
}

/// The rows and timesteps of the largest batch there may be.
fn largest_batch<'a>(
    config: &RunConfig,
    sequences: impl IntoIterator<Item = &'a Sequence>,
) -> [usize; 2] {
    let (count, longest) = sequences
        .into_iter()
        .fold((0, 0), |(count, longest), sequence| {
            (count + 1, sequence.len().max(longest))
        });
    let time = match config.input.padding() {
        Padding::Longest => longest,
        Padding::Fixed(time) | Padding::FixedBefore(time) => time,
    };
    [config.training.batch_size.min(count), time]
}

/// Whether `bytes` for `what` fit.
///
/// # Errors
/// Says how much it would take and what to lower.
pub fn ensure_fits(what: &str, bytes: f64, device: &ComputeDevice) -> Result<()> {
    if let ComputeDevice::Adapter(adapter) = device
        && adapter.kind != AdapterKind::Software
    {
        return Ok(());
    }
    let gib = |bytes: f64| bytes / f64::from(1 << 30);
    let there = installed() as f64;
    ensure!(
        bytes <= there,
        "{what} would take about {:.1} GiB of memory, and there are {:.1} GiB: lower batch_size, max_length or hidden_size",
        gib(bytes),
        gib(there)
    );
    Ok(())
}

/// What a cell keeps and makes for a unit and timestep, in numbers.
struct PerUnit {
    /// Gates: the width of a projection and of its gradient.
    gates: f64,
    /// What the walk forward keeps for the walk back, beside the hidden state.
    saved: f64,
    /// What the walk back makes, beside the projections' gradient.
    back: f64,
}

impl PerUnit {
    fn of(cell: Cell) -> Self {
        Self {
            gates: cell.gates() as f64,
            saved: cell.saved() as f64,
            back: if cell.has_recurrent_bias() { 2.0 } else { 1.0 },
        }
    }
}

/// The bytes of a 32-bit number.
const NUMBER: f64 = 4.0;

/// Bytes that a training step of `rows` sequences of `time` timesteps takes, about: weights, gradients and moments;
/// what every layer keeps for its walk back; and what one walk back makes beside that. Float, because no size
/// overflows it.
pub fn training_step(model: &NetworkConfig, rows: usize, time: usize) -> f64 {
    let PerUnit { gates, saved, back } = PerUnit::of(model.cell);
    let tokens = rows as f64 * time as f64;
    let width = width(model);
    let layers = model.layers as f64;
    let kept = (1.0 + joined(model) + saved) * width * layers;
    let below = (layers - 1.0).min(1.0);
    let walk = (gates + back) * model.hidden_size as f64 + (gates + 1.0) * width * below;
    let numbers = 4.0 * model.parameters()
        + (kept + walk + read(model)) * tokens
        + 3.0 * answers(model, rows as f64, tokens)
        + input(model, tokens, gates);
    NUMBER * numbers
}

/// Bytes that answering `rows` sequences of `time` timesteps takes, about: weights, and two layers' states with the
/// projections between them.
pub fn forward(model: &NetworkConfig, rows: usize, time: usize) -> f64 {
    let PerUnit { gates, .. } = PerUnit::of(model.cell);
    let tokens = rows as f64 * time as f64;
    let deeper = if model.layers > 1 { 1.0 + gates } else { 0.0 };
    let states = (1.0 + joined(model) + deeper) * width(model);
    let answers = answers(model, rows as f64, tokens);
    NUMBER * (model.parameters() + states * tokens + input(model, tokens, gates) + answers)
}

/// The width of a layer's hidden states.
fn width(model: &NetworkConfig) -> f64 {
    model.width() as f64
}

/// What the head makes of a row's states or, where it answers every timestep, of every timestep's.
fn answers(model: &NetworkConfig, rows: f64, tokens: f64) -> f64 {
    let width = model.dense_size as f64 + model.output_size as f64;
    match model.reading {
        Reading::EveryStep => tokens * width,
        _ => rows * width,
    }
}

/// What a timestep's answer or what is pooled of it takes beside the states: the gradient that each of them has then, and
/// a mask of the padding.
fn read(model: &NetworkConfig) -> f64 {
    match model.reading {
        Reading::Last | Reading::EveryStep => 0.0,
        _ => 2.0 * width(model),
    }
}

/// How many copies of the states joining both directions makes.
fn joined(model: &NetworkConfig) -> f64 {
    f64::from(u8::from(model.bidirectional))
}

/// What the first layer reads, in numbers: a projection a word, or a vector and a projection a token.
fn input(model: &NetworkConfig, tokens: f64, gates: f64) -> f64 {
    if let Some(numbers) = model.input_size {
        return tokens * (numbers as f64 + gates * width(model));
    }
    let words = model.vocabulary_size as f64;
    match words < tokens {
        true => words * gates * width(model),
        false => tokens * (model.embedding_size as f64 + gates * width(model)),
    }
}

/// The memory that this process may have, in bytes: the machine's, or less where a container or a limit says so.
#[cfg(target_os = "linux")]
fn installed() -> u64 {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let number = |text: &str| text.split_whitespace().next()?.parse::<u64>().ok();
    let after = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        number(line)
    };
    let machine = after(&read("/proc/meminfo"), "MemTotal:");
    let container = number(&read("/sys/fs/cgroup/memory.max"));
    let process = after(&read("/proc/self/limits"), "Max address space");
    [
        machine.map(|kib| kib.saturating_mul(1024)),
        container,
        process,
    ]
    .into_iter()
    .flatten()
    .min()
    .unwrap_or(ASSUMED)
}

#[cfg(not(target_os = "linux"))]
fn installed() -> u64 {
    ASSUMED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lessons_step_takes_megabytes_and_a_giant_one_is_refused() {
        let model = NetworkConfig::default();
        let mib = |rows, time| training_step(&model, rows, time) / f64::from(1 << 20);
        let lesson = mib(128, 256);
        assert!((50.0..200.0).contains(&lesson), "{lesson}");
        assert!(forward(&model, 128, 256) < training_step(&model, 128, 256) / 4.0);
        ensure_fits("it", lesson, &ComputeDevice::Cpu).unwrap();

        let giant = training_step(&model, usize::MAX, 256);
        let error = ensure_fits("a step", giant, &ComputeDevice::Cpu).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("a step would take about"), "{error}");
        assert!(error.contains("lower batch_size, max_length"), "{error}");
    }

    #[test]
    fn what_is_pooled_and_what_is_averaged_counts() {
        let lesson = NetworkConfig::default();
        let pooled = NetworkConfig {
            reading: Reading::Concat,
            ..lesson.clone()
        };
        let [lesson, pooled] = [lesson, pooled].map(|model| training_step(&model, 128, 256));
        assert!((1.1..2.0).contains(&(pooled / lesson)), "{pooled} {lesson}");
        assert!(ngrams::most_bytes_to_learn([usize::MAX; 2], 50, 1000) < 5e9);
    }

    #[test]
    fn every_size_counts() {
        let lesson = NetworkConfig::default();
        let larger = |change: fn(&mut NetworkConfig)| {
            let mut model = lesson.clone();
            change(&mut model);
            [training_step, forward].map(|bytes| bytes(&model, 128, 256))
        };
        let plain = larger(|_| ());
        for (change, least) in [
            (larger(|model| model.hidden_size *= 2), 1.9),
            (larger(|model| model.layers = 2), 1.5),
            (larger(|model| model.bidirectional = true), 1.5),
        ] {
            for (bytes, plain) in change.into_iter().zip(plain) {
                assert!(bytes >= least * plain, "{bytes} {plain}");
            }
        }
        let [rnn, _] = larger(|model| model.cell = Cell::Rnn);
        assert!(rnn < plain[0] / 2.0);
    }

    #[test]
    fn more_answers_than_there_is_memory_are_refused() {
        let sequences = [3, 7].map(|length| Sequence::Tokens(vec![1; length]));
        let mut config = RunConfig::default();
        ensure_outputs_fit(&config, &sequences).unwrap();
        config.model.output_size = 1 << 60;
        let error = ensure_outputs_fit(&config, &sequences).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("all answers to these reviews"), "{error}");
    }

    #[test]
    fn a_batch_has_no_more_rows_than_there_are_and_their_longest_text() {
        let sequences = [3, 7, 5].map(|length| Sequence::Tokens(vec![1; length]));
        let mut config = RunConfig::default();
        assert_eq!(largest_batch(&config, &sequences), [3, 7]);
        config.training.batch_size = 2;
        config.input.mask = false;
        assert_eq!(largest_batch(&config, &sequences), [2, 256]);
    }
}
