//! `gatefold predict`

use std::io::{BufRead, BufReader, IsTerminal, Read, stdin};

use anyhow::{Context, Result, ensure};
use burn::tensor::Device;
use gatefold::config::RunConfig;
use gatefold::device::{self, Selected};
use gatefold::memory::ensure_answers_fit;
use gatefold::run_folder::RunFolder;
use gatefold::{evaluation, say};
use gatefold_data::{Review, Vocabulary, encode_all};
use gatefold_model::SequenceClassifier;
use serde::Serialize;

use crate::cli::PredictArgs;
use crate::output::{self, Format};

/// Bytes of a line of standard input.
const LONGEST: usize = 1 << 20;

/// Bytes of texts that are answered at once: those of the largest pipe, and many batches of reviews.
const AT_ONCE: usize = 1 << 20;

pub fn run(args: PredictArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let config = folder.config()?;
    // Nobody knows how much standard input will bring: a batch of it is the least that is worth a GPU.
    let reviews = if args.texts.is_empty() {
        config.training.batch_size
    } else {
        args.texts.len()
    };
    let (selected, device) = device::open_for_answers(args.device.device, &config, reviews)?;
    let vocabulary = folder.vocabulary(&config)?;
    let predictor = Predictor {
        network: folder.network(&config, &vocabulary, &device)?,
        vocabulary,
        config,
        selected,
        device,
        format: args.format.format,
    };
    if !args.texts.is_empty() {
        return predictor.answer(args.texts);
    }
    let input = stdin().lock();
    if input.is_terminal() {
        say!("a review a line; Ctrl-D ends");
    }
    predictor.answer_lines(&mut BufReader::with_capacity(AT_ONCE, input))
}

/// Reads a line of at most [`LONGEST`] bytes into `line`, without its end. Whether there was one.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool> {
    line.clear();
    // One byte more tells a line that is too long, one its end.
    let mut input = input.take(LONGEST as u64 + 2);
    let read = input.read_until(b'\n', line);
    read.context("cannot read standard input")?;
    let is_line = !line.is_empty();
    if line.ends_with(b"\n") {
        line.pop();
    }
    ensure!(
        line.len() <= LONGEST,
        "it has more than {LONGEST} bytes; give a review a line"
    );
    Ok(is_line)
}

struct Predictor {
    vocabulary: Vocabulary,
    network: SequenceClassifier,
    config: RunConfig,
    selected: Selected,
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
    /// A line for each line: in batches while there is input, and at once where whoever asks waits for the answer.
    fn answer_lines<R: Read>(&self, input: &mut BufReader<R>) -> Result<()> {
        let mut texts = Vec::new();
        let mut bytes = 0;
        let mut line = Vec::new();
        for number in 1_u64.. {
            let is_line = read_line(input, &mut line)
                .with_context(|| format!("line {number} of standard input"))?;
            if is_line {
                bytes += line.len();
                let text = String::from_utf8_lossy(&line);
                texts.push(text.trim_end_matches('\r').to_string());
            }
            let has_more = input.buffer().contains(&b'\n');
            let is_batch = texts.len() == self.config.training.batch_size || bytes >= AT_ONCE;
            if !texts.is_empty() && (is_batch || !has_more) {
                self.answer(std::mem::take(&mut texts))?;
                bytes = 0;
            }
            if !is_line {
                break;
            }
        }
        Ok(())
    }

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
        ensure_answers_fit(&self.config, &examples, &self.selected)?;
        let (logits, _) = evaluation::evaluate(
            &self.network,
            &examples,
            &training.batching(),
            &self.device,
            &mut |_, _| {},
        )?;
        evaluation::ensure_finite(&logits)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_its_end_or_the_inputs() {
        let mut input: &[u8] = b"one\n\ntwo\r\nthree";
        let mut line = Vec::new();
        for expected in [&b"one"[..], b"", b"two\r", b"three"] {
            assert!(read_line(&mut input, &mut line).unwrap());
            assert_eq!(line, expected);
        }
        assert!(!read_line(&mut input, &mut line).unwrap());
    }

    #[test]
    fn a_line_without_an_end_is_not_read_for_ever() {
        let mut line = Vec::new();
        let mut exact = std::io::repeat(b'a').take(LONGEST as u64).chain(&b"\n"[..]);
        assert!(read_line(&mut BufReader::new(&mut exact), &mut line).unwrap());
        assert_eq!(line.len(), LONGEST);
        let endless = std::io::repeat(b'a');
        assert!(read_line(&mut BufReader::new(endless), &mut line).is_err());
        assert!(line.len() <= LONGEST + 2);
    }
}
