//! Texts from a language model: each token is drawn from what the model expects after those before it.

use burn::tensor::Device;
use futures_lite::future::block_on;
use gatefold_data::random::{ChaCha8Rng, generator};
use gatefold_data::{Batch, BatchInput, Vocabulary};
use gatefold_model::{LanguageModel, States};

use crate::batch::unsorted;
use crate::bundle::Bundle;
use crate::error::{Result, TrainingError};
use crate::evaluation::read;

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by: below 1 the likely becomes likelier; at 0 the likeliest alone is taken.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are drawn; all, if nothing is said.
    pub top_k: Option<usize>,
    /// The same seed draws the same text, on the same device.
    pub seed: u64,
}

/// A text under way. Of a model that walks backwards too, the forward one writes.
pub struct Generator {
    model: LanguageModel,
    vocabulary: Vocabulary,
    /// Whether it learnt from streams, in which a text's start is rare.
    streams: bool,
    device: Device,
    sampling: Sampling,
    draws: ChaCha8Rng,
    /// What was read and written so far, and the logits of what comes next; nothing before the first.
    behind: Option<(States, Vec<f32>)>,
    /// The last token, as it is called.
    last: Option<String>,
}

impl Generator {
    /// Writes with the language model of `bundle`, on `device`.
    ///
    /// # Errors
    /// If the bundle's parts don't fit together, or it is of no language model.
    pub fn new(bundle: Bundle, sampling: Sampling, device: &Device) -> Result<Self> {
        bundle.check()?;
        let Some(pretraining) = &bundle.config.pretraining else {
            return Err(TrainingError::Bundle(
                "it is no language model, and writes nothing".into(),
            ));
        };
        let streams = pretraining.streams;
        let Some(vocabulary) = bundle.encoder.vocabulary().cloned() else {
            return Err(TrainingError::Bundle("it reads numbers".into()));
        };
        let device = device.clone().inner();
        let model = bundle.language_model(&device)?.forward_alone();
        Ok(Self {
            model,
            vocabulary,
            streams,
            device,
            sampling,
            draws: generator(*b"generate", sampling.seed, 0),
            behind: None,
            last: None,
        })
    }

    /// What the model reads.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Begins a text with this one, which a model that learnt from streams goes on with as from a text's middle.
    ///
    /// # Errors
    /// If the device fails.
    pub async fn begin_async(&mut self, text: &str) -> Result<()> {
        let ids = self.vocabulary.encode(text, usize::MAX);
        self.last = match &ids[..] {
            [_, .., last] => Some(self.vocabulary.word(*last).to_owned()),
            _ => None,
        };
        self.behind = None;
        match &ids[..] {
            // What is asked stands anywhere in a stream, as its held-out parts do.
            [_, words @ ..] if self.streams && !words.is_empty() => self.go_on(words).await,
            _ => self.go_on(&ids).await,
        }
    }

    /// [`begin_async`](Self::begin_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`begin_async`](Self::begin_async).
    pub fn begin(&mut self, text: &str) -> Result<()> {
        block_on(self.begin_async(text))
    }

    /// The next token as it is written, with the space before it if there is one; nothing where the model ends the text.
    ///
    /// # Errors
    /// If the device fails, or the model's weights are damaged.
    pub async fn next_async(&mut self) -> Result<Option<Vec<u8>>> {
        if self.behind.is_none() {
            self.begin_async("").await?;
        }
        let (_, logits) = self.behind.as_ref().expect("it has begun");
        if !logits.iter().all(|logit| logit.is_finite()) {
            return Err(TrainingError::NotFinite);
        }
        let ids = self.vocabulary.ids();
        let words = self.vocabulary.word_ids();
        let is_drawn = |id: &u32| words.contains(id) || ids.start == Some(*id);
        let id = draw(logits, is_drawn, &self.sampling, &mut self.draws);
        if ids.start == Some(id) {
            return Ok(None);
        }
        self.go_on(&[id]).await?;
        let word = self.vocabulary.word(id).to_owned();
        let tokenizer = self.vocabulary.tokenizer();
        let written = tokenizer.written(&word, self.last.as_deref());
        self.last = Some(word);
        Ok(Some(written))
    }

    /// [`next_async`](Self::next_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`next_async`](Self::next_async).
    #[allow(clippy::should_implement_trait)] // It may fail, and may go on after an end.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        block_on(self.next_async())
    }

    async fn go_on(&mut self, ids: &[u32]) -> Result<()> {
        let time = ids.len();
        let batch = Batch {
            input: BatchInput::Tokens(ids.iter().map(|&id| id as i32).collect()),
            lengths: vec![time as i32],
            targets: None,
            size: 1,
            time,
            indices: vec![0],
        };
        let words = self.vocabulary.size();
        let states = self.behind.take().map(|(states, _)| states);
        let read_in = unsorted(&batch, words, &self.device)?;
        let predicted = self.model.forward(states, read_in)?;
        let last = predicted.forward.narrow(1, time - 1, 1).squeeze_dim(1);
        let logits = self.model.logits(last).flatten(0, 1);
        self.behind = Some((predicted.states, read(logits).await?));
        Ok(())
    }
}

/// A token's id, drawn from the softmax of the logits of those that `is_drawn`.
fn draw(
    logits: &[f32],
    is_drawn: impl Fn(&u32) -> bool,
    sampling: &Sampling,
    draws: &mut ChaCha8Rng,
) -> u32 {
    let mut ranked: Vec<(u32, f64)> = (0..)
        .zip(logits.iter().map(|&logit| f64::from(logit)))
        .filter(|(id, _)| is_drawn(id))
        .collect();
    // The first of equals first.
    ranked.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let most = match sampling.temperature > 0.0 {
        true => sampling.top_k.unwrap_or(usize::MAX).max(1),
        false => 1,
    };
    ranked.truncate(most);
    let likeliest = ranked[0].1;
    let weight = |(_, logit): &(u32, f64)| ((logit - likeliest) / sampling.temperature).exp();
    let weights: Vec<f64> = match ranked.len() {
        1 => vec![1.0],
        _ => ranked.iter().map(weight).collect(),
    };
    let unit = gatefold_data::random::unit(draws);
    let mut left = f64::from(unit) * weights.iter().sum::<f64>();
    let place = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    ranked[place.unwrap_or(0)].0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_k: Option<usize>) -> Sampling {
        Sampling {
            temperature,
            top_k,
            seed: 1,
        }
    }

    /// How often each of four tokens is drawn of a thousand.
    fn times(sampling: Sampling, is_drawn: impl Fn(&u32) -> bool) -> [usize; 4] {
        let logits = [1.0f32, 2.0, 3.0, 0.0];
        let mut draws = generator(*b"generate", sampling.seed, 0);
        let mut times = [0; 4];
        for _ in 0..1000 {
            times[draw(&logits, &is_drawn, &sampling, &mut draws) as usize] += 1;
        }
        times
    }

    #[test]
    fn tokens_are_drawn_as_likely_as_they_are() {
        let found = times(sampling(1.0, None), |_| true);
        let sum: f64 = [1.0f64, 2.0, 3.0, 0.0].iter().map(|x| x.exp()).sum();
        for (found, logit) in found.into_iter().zip([1.0f64, 2.0, 3.0, 0.0]) {
            let expected = 1000.0 * logit.exp() / sum;
            assert!((found as f64 - expected).abs() < 60.0, "{found} {expected}");
        }
        let without = times(sampling(1.0, None), |id| *id != 2);
        assert_eq!(without[2], 0);
    }

    #[test]
    fn a_low_temperature_and_few_likely_ones_narrow_what_is_drawn() {
        assert_eq!(times(sampling(0.0, None), |_| true), [0, 0, 1000, 0]);
        assert_eq!(times(sampling(5.0, Some(1)), |_| true), [0, 0, 1000, 0]);
        let [first, _, _, last] = times(sampling(1.0, Some(2)), |_| true);
        assert_eq!([first, last], [0, 0]);
        let (cold, warm) = (sampling(0.5, None), sampling(2.0, None));
        assert!(times(cold, |_| true)[2] > times(warm, |_| true)[2] + 200);
    }
}
