//! `gatefold predict`

use std::io::{BufRead, BufReader, IsTerminal, Read, stdin};

use anyhow::{Context, Result, ensure};
use gatefold::device::{self, ComputeDevice};
use gatefold::memory::ensure_answers_fit;
use gatefold::run_folder::RunFolder;
use gatefold::say;
use gatefold::terminal::within_line;
use gatefold_data::{Content, Labels};
use gatefold_training::{Answer, Predictor};
use serde_json::{Map, Value, json};

use super::predict_series;
use crate::cli::PredictArgs;
use crate::output::{self, Format};

/// Bytes of a line of standard input.
const LONGEST: usize = 1 << 20;

/// Bytes of texts that are answered at once: those of the largest pipe, and many batches of texts.
const AT_ONCE: usize = 1 << 20;

pub fn run(args: PredictArgs) -> Result<()> {
    let folder = RunFolder::open(&args.run)?;
    let bundle = folder.bundle()?;
    if bundle.encoder.vocabulary().is_none() {
        let file = args
            .dataset
            .filter(|_| bundle.config.dataset.task.is_some());
        let file = file.with_context(|| {
            format!(
                "{} reads numbers, and predict gives it texts: name a file of series with --dataset, ask it through the \
                 library (gatefold_training::Predictor), or test it with evaluate",
                args.run.display()
            )
        })?;
        ensure!(
            args.texts.is_empty(),
            "{} reads numbers: leave the texts out",
            args.run.display()
        );
        let batch = bundle.config.training.batch_size;
        let (selected, device) =
            device::open_for_answers(args.device.device, &bundle.config, batch)?;
        let predictor = Predictor::new(bundle, &device)?;
        return predict_series::answer(&predictor, &selected, &file, args.format.format);
    }
    ensure!(
        args.dataset.is_none(),
        "{} reads texts: --dataset names files of series of numbers",
        args.run.display()
    );
    // Nobody knows how much standard input will bring: a batch of it is the least that is worth a GPU.
    let texts = if args.texts.is_empty() {
        bundle.config.training.batch_size
    } else {
        args.texts.len()
    };
    let (selected, device) = device::open_for_answers(args.device.device, &bundle.config, texts)?;
    let answering = Answering {
        predictor: Predictor::new(bundle, &device)?,
        selected,
        format: args.format.format,
    };
    if !args.texts.is_empty() {
        return answering.answer(args.texts);
    }
    let input = stdin().lock();
    if input.is_terminal() {
        say!("a text a line; Ctrl-D ends");
    }
    answering.answer_lines(&mut BufReader::with_capacity(AT_ONCE, input))
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
        "it has more than {LONGEST} bytes; give a text a line"
    );
    Ok(is_line)
}

/// Texts as they come, answered a line each.
struct Answering {
    predictor: Predictor,
    selected: ComputeDevice,
    format: Format,
}

impl Answering {
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
            let is_batch =
                texts.len() == self.predictor.config().training.batch_size || bytes >= AT_ONCE;
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
        let texts = texts.into_iter().map(Content::Text);
        let sequences = texts.map(|text| self.predictor.encode(&text));
        let sequences: Vec<_> = sequences.collect::<gatefold_training::Result<_>>()?;
        ensure_answers_fit(self.predictor.config(), &sequences, &self.selected)?;
        for answer in self.predictor.answer(sequences)? {
            match self.format {
                Format::Json => output::json(&self.as_json(&answer))?,
                Format::Text => output::line(&self.as_text(&answer))?,
            }
        }
        Ok(())
    }

    /// The likeliest class's name; and the probability of the second class of two, or else of the likeliest.
    fn class(&self, answer: &Answer) -> Option<(&str, f64)> {
        let Answer::Class(probabilities) = answer else {
            return None;
        };
        let (class, probability) = answer.class()?;
        let label = self.predictor.labels()?.name(class)?;
        match probabilities[..] {
            [_, second] => Some((label, second)),
            _ => Some((label, probability)),
        }
    }

    /// Of an answer with any number of classes at once, those that are there, with their probabilities.
    fn classes_there(&self, answer: &Answer) -> Vec<(&str, f64)> {
        let names = self.predictor.labels().map_or(&[][..], Labels::names);
        let names = names.iter().map(String::as_str);
        let there = names.zip(answer.probabilities().iter().copied());
        there
            .filter(|(_, probability)| *probability > 0.5)
            .collect()
    }

    fn as_text(&self, answer: &Answer) -> String {
        match (self.class(answer), answer) {
            (Some((label, probability)), _) => {
                format!("{probability:.4} {}", within_line(label))
            }
            (None, Answer::ClassSet(_)) => match &self.classes_there(answer)[..] {
                [] => "none".to_owned(),
                there => {
                    let there = there.iter().map(|(label, probability)| {
                        format!("{probability:.4} {}", within_line(label))
                    });
                    there.collect::<Vec<_>>().join(", ")
                }
            },
            (None, Answer::Values(values)) => join(values.iter().map(|value| value.to_string())),
            (None, Answer::Steps(steps)) => join(steps.iter().map(|step| self.as_text(step))),
            (None, _) => String::new(),
        }
    }

    fn as_json(&self, answer: &Answer) -> Value {
        let labels = self.predictor.labels();
        let named = |probabilities: &[f64]| -> Value {
            let names = labels.map_or(&[][..], |labels| labels.names());
            let all = names.iter().cloned().zip(probabilities.iter().copied());
            let all: Map<_, _> = all.map(|(name, share)| (name, share.into())).collect();
            all.into()
        };
        match (self.class(answer), answer) {
            (Some((label, probability)), Answer::Class(probabilities)) => {
                let mut object = json!({"probability": probability, "label": label});
                object["probabilities"] = named(probabilities);
                object
            }
            (_, Answer::ClassSet(probabilities)) => {
                let there = self.classes_there(answer).into_iter();
                let there: Vec<&str> = there.map(|(label, _)| label).collect();
                json!({"labels": there, "probabilities": named(probabilities)})
            }
            (_, Answer::Values(values)) => json!({"values": values}),
            (_, Answer::Steps(steps)) => {
                let steps = steps.iter().map(|step| self.as_json(step));
                json!({"steps": steps.collect::<Vec<_>>()})
            }
            _ => Value::Null,
        }
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ")
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
