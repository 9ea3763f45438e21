//! `gatefold predict`

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, Result};
use burn::tensor::Device;
use gatefold::config::RunConfig;
use gatefold::run_folder::RunFolder;
use gatefold::{device, evaluation};
use gatefold_data::{Review, Vocabulary, encode_all};
use gatefold_model::SequenceClassifier;
use serde::Serialize;

use crate::cli::PredictArgs;
use crate::output::{self, Format};

pub fn run(args: PredictArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let config = folder.config()?;
    // Nobody knows how much standard input will bring: a batch of it is the least that is worth a GPU.
    let reviews = if args.texts.is_empty() {
        config.training.batch_size
    } else {
        args.texts.len()
    };
    let (_, device) = device::open_for_answers(args.device.device, &config, reviews)?;
    let predictor = Predictor {
        vocabulary: folder.vocabulary(&config)?,
        network: folder.network(&config, &device)?,
        config,
        device,
        format: args.format.format,
    };
    if !args.texts.is_empty() {
        return predictor.answer(args.texts);
    }
    let mut input = std::io::stdin().lock();
    let interactive = input.is_terminal();
    if interactive {
        eprintln!("a review a line; Ctrl-D ends");
    }
    let at_once = if interactive {
        1
    } else {
        predictor.config.training.batch_size
    };
    let mut texts = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .read_until(b'\n', &mut line)
            .context("cannot read standard input")?;
        if read > 0 {
            texts.push(
                String::from_utf8_lossy(&line)
                    .trim_end_matches(['\r', '\n'])
                    .to_string(),
            );
        }
        if texts.len() == at_once || (read == 0 && !texts.is_empty()) {
            predictor.answer(std::mem::take(&mut texts))?;
        }
        if read == 0 {
            return Ok(());
        }
    }
}

struct Predictor {
    vocabulary: Vocabulary,
    network: SequenceClassifier,
    config: RunConfig,
    device: Device,
    format: Format,
}

/// One line of the answer.
#[derive(Serialize)]
struct Prediction {
    probability: f64,
    label: &'static str,
}

impl Predictor {
    /// One line for each text, in their order.
    fn answer(&self, texts: Vec<String>) -> Result<()> {
        let reviews: Vec<Review> = texts
            .into_iter()
            .map(|text| Review {
                text,
                // Nobody knows it; the loss that it goes into is not shown.
                positive: false,
            })
            .collect();
        let training = &self.config.training;
        let examples = encode_all(&reviews, &self.vocabulary, training.max_length);
        let (logits, _) = evaluation::evaluate(
            &self.network,
            &examples,
            &training.batching(),
            &self.device,
            &mut |_, _| {},
        )?;
        for logit in logits {
            let probability = evaluation::probability(logit);
            let label = if logit > 0.0 { "positive" } else { "negative" };
            match self.format {
                Format::Json => output::json(&Prediction { probability, label })?,
                Format::Text => output::line(&format!("{probability:.4} {label}"))?,
            }
        }
        Ok(())
    }
}
