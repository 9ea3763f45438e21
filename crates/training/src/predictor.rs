//! A trained network that answers: texts and sequences at once, or a sequence a few timesteps at a time.

use burn::tensor::Device;
use futures_lite::future::block_on;
use gatefold_data::{Batching, Content, Encoder, Example, Labels, Padding, Sequence};
use gatefold_model::{Network, NetworkError, States};

use crate::batch::unsorted_input;
use crate::bundle::{Bundle, unfit};
use crate::config::{ConfigError, RunConfig};
use crate::error::{Result, TrainingError};
use crate::evaluation::{ensure_finite, evaluate_async, read, test_async};
use crate::forecast;
use crate::metrics::Evaluation;
use crate::ngrams::Blended;
use crate::objective::{Objective, likeliest};
use crate::scores::TestResult;

/// A trained network, with all that it needs to answer.
#[derive(Debug)]
pub struct Predictor {
    config: RunConfig,
    encoder: Encoder,
    labels: Option<Labels>,
    answering: Blended,
    device: Device,
}

/// What a network answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// The probability of every class, in the order of the labels.
    Class(Vec<f64>),
    /// The probability of every class, each by itself: any number of them may be there at once.
    ClassSet(Vec<f64>),
    /// Numbers, in the unit of the targets that the network was trained with.
    Values(Vec<f64>),
    /// An answer a timestep.
    Steps(Vec<Answer>),
}

impl Answer {
    /// The probability of every class, in the order of the labels; of other answers none.
    pub fn probabilities(&self) -> &[f64] {
        match self {
            Self::Class(probabilities) | Self::ClassSet(probabilities) => probabilities,
            _ => &[],
        }
    }

    /// The likeliest class and its probability, if this is an answer of classes.
    pub fn class(&self) -> Option<(usize, f64)> {
        match self {
            Self::Class(probabilities) => {
                let class = likeliest(probabilities);
                Some((class, probabilities[class]))
            }
            _ => None,
        }
    }
}

impl Predictor {
    /// The network of `bundle`, on `device`.
    ///
    /// # Errors
    /// If the bundle's parts are not of the network that its settings describe, or that is a language model.
    pub fn new(bundle: Bundle, device: &Device) -> Result<Self> {
        if bundle.config.pretraining.is_some() {
            return Err(TrainingError::Bundle(
                "it is a language model, which answers nothing: it writes texts, or a classifier begins with its weights"
                    .into(),
            ));
        }
        bundle.check()?;
        let device = device.clone().inner();
        let blank = bundle.config.model.blank(&device);
        let blank = blank.map_err(ConfigError::from)?;
        let network = blank.with_weights(&bundle.weights).map_err(unfit)?;
        Ok(Self {
            config: bundle.config,
            encoder: bundle.encoder,
            labels: bundle.labels,
            answering: Blended::new(network, bundle.ngrams),
            device,
        })
    }

    /// The run's settings.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// How texts or numbers become what the network reads.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The names of the classes, where answers are classes.
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    /// The network, without the n-grams that may answer beside it.
    pub fn network(&self) -> &Network {
        &self.answering.network
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What the network reads of a text or of numbers: their last timesteps.
    ///
    /// # Errors
    /// If the network reads numbers and this is text, or the other way round; or if numbers are not finite, or
    /// another number of them stands at a timestep.
    pub fn encode(&self, content: &Content) -> Result<Sequence> {
        Ok(self.encoder.encode(content, self.config.input.max_length)?)
    }

    /// The answers to sequences, in their order.
    ///
    /// # Errors
    /// If the network can't read them, the device fails or drops work, or an answer is no finite number.
    pub async fn answer_async(&self, sequences: Vec<Sequence>) -> Result<Vec<Answer>> {
        let examples: Vec<Example> = sequences.into_iter().map(Example::from).collect();
        Ok(self.answer_examples_async(&examples).await?.0)
    }

    /// [`answer_async`](Self::answer_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub fn answer(&self, sequences: Vec<Sequence>) -> Result<Vec<Answer>> {
        block_on(self.answer_async(sequences))
    }

    /// The answers to texts, in their order.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`answer`](Self::answer).
    pub fn answer_texts<T: Into<String>>(
        &self,
        texts: impl IntoIterator<Item = T>,
    ) -> Result<Vec<Answer>> {
        let texts = texts.into_iter();
        let sequences = texts.map(|text| self.encode(&Content::Text(text.into())));
        self.answer(sequences.collect::<Result<_>>()?)
    }

    /// What the network puts out for examples, in their order, as numbers before they are probabilities; and how
    /// good that is where they have targets. `done` hears the number of batches behind and in all.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub async fn evaluate_async(
        &self,
        examples: &[Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<(Vec<Vec<f32>>, Evaluation)> {
        self.check_all(examples)?;
        let (objective, batching) = (self.config.objective(), self.config.batching());
        let (network, device) = (&self.answering, &self.device);
        let evaluated = evaluate_async(network, objective, examples, &batching, device, done);
        let (outputs, evaluation) = evaluated.await?;
        ensure_finite(&outputs)?;
        Ok((outputs, evaluation))
    }

    /// The answers to examples, in their order; and how good they are where they have targets.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub async fn answer_examples_async(
        &self,
        examples: &[Example],
    ) -> Result<(Vec<Answer>, Evaluation)> {
        let (outputs, evaluation) = self.evaluate_async(examples, &mut |_, _| {}).await?;
        let answers = outputs.iter().map(|output| self.meaning(output));
        Ok((answers.collect(), evaluation))
    }

    /// [`answer_examples_async`](Self::answer_examples_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub fn answer_examples(&self, examples: &[Example]) -> Result<(Vec<Answer>, Evaluation)> {
        block_on(self.answer_examples_async(examples))
    }

    /// [`evaluate_async`](Self::evaluate_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub fn evaluate(
        &self,
        examples: &[Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<(Vec<Vec<f32>>, Evaluation)> {
        block_on(self.evaluate_async(examples, done))
    }

    /// Reads one sequence a few timesteps at a time, and answers after each of them.
    ///
    /// # Errors
    /// [`NetworkError::NoStream`] if the network walks backwards too, answers from all states at once, was trained to
    /// read padding, or has n-grams beside it.
    pub fn stream(&self) -> Result<Stream<'_>> {
        match self.config.input.padding() {
            Padding::Longest => Ok(()),
            Padding::Fixed(_) => Err("it was trained to read the padding behind a sequence"),
            Padding::FixedBefore(_) => Err("it was trained to read the padding before a sequence"),
        }
        .and_then(|()| match self.answering.has_ngrams() {
            true => Err("the n-grams beside it read a text as a whole"),
            false => Ok(()),
        })
        .map_err(NetworkError::NoStream)?;
        Ok(Stream {
            predictor: self,
            states: None,
        })
    }

    /// How good the answers to examples are in all that [`scores`](crate::scores) has, without keeping them.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub async fn test_async(
        &self,
        examples: &[Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<TestResult> {
        self.check_all(examples)?;
        let (network, labels) = (&self.answering, self.labels.as_ref());
        test_async(network, &self.config, labels, examples, &self.device, done).await
    }

    /// [`test_async`](Self::test_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub fn test(
        &self,
        examples: &[Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<TestResult> {
        block_on(self.test_async(examples, done))
    }

    /// How good forecasts are, beside simple ones, in the unit of the data.
    ///
    /// # Errors
    /// As [`answer_async`](Self::answer_async).
    pub fn test_forecasts(
        &self,
        examples: &[Example],
        done: &mut dyn FnMut(usize, usize),
    ) -> Result<TestResult> {
        self.check_all(examples)?;
        let (network, device) = (&self.answering, &self.device);
        let tested = forecast::test(network, &self.config, &self.encoder, examples, device, done);
        tested.map(|(tested, _)| tested)
    }

    fn check_all(&self, examples: &[Example]) -> Result<()> {
        // Where nothing starts a text, one of unknown words may have nothing that is read.
        let vocabulary = self.encoder.vocabulary();
        let may_be_empty = vocabulary.is_some_and(|words| words.ids().start.is_none());
        let mut inputs = examples.iter().map(|example| &example.input);
        inputs.try_for_each(|input| match may_be_empty && input.is_empty() {
            true => Ok(()),
            false => self.check(input),
        })
    }

    /// Whether the network can read a sequence.
    fn check(&self, sequence: &Sequence) -> Result<()> {
        match (sequence, self.encoder.width()) {
            (Sequence::Tokens(ids), None) if !ids.is_empty() => Ok(()),
            (Sequence::Values { width, values }, Some(expected)) => {
                let is_whole = !values.is_empty() && values.len() % width.max(&1) == 0;
                match is_whole && *width == expected {
                    true => Ok(()),
                    false => Err(NetworkError::Width {
                        reads: expected,
                        given: if is_whole { *width } else { 0 },
                    }
                    .into()),
                }
            }
            (_, expected) => {
                let reads = match expected {
                    None => "tokens",
                    Some(_) => "numbers",
                };
                let given = match sequence {
                    _ if sequence.is_empty() => "nothing",
                    Sequence::Tokens(_) => "tokens",
                    Sequence::Values { .. } => "numbers",
                };
                Err(NetworkError::Kind { reads, given }.into())
            }
        }
    }

    /// What the numbers of an output mean.
    pub(crate) fn meaning(&self, output: &[f32]) -> Answer {
        let width = self.config.model.output_size;
        let of_row = |row: &[f32]| match self.config.objective() {
            Objective::MultiLabel => Answer::ClassSet(Objective::MultiLabel.probabilities(row)),
            Objective::Values => Answer::Values(match self.encoder.target_scaler() {
                Some(scaler) => (0..).zip(row).map(|(i, &x)| scaler.number(x, i)).collect(),
                None => row.iter().map(|&x| x.into()).collect(),
            }),
            objective => Answer::Class(objective.probabilities(row)),
        };
        match self.config.model.reading {
            gatefold_model::Reading::EveryStep => {
                Answer::Steps(output.chunks(width).map(of_row).collect())
            }
            _ => of_row(output),
        }
    }
}

/// A sequence that is read as it comes: the network's states are kept between its parts.
#[derive(Debug)]
pub struct Stream<'a> {
    predictor: &'a Predictor,
    states: Option<States>,
}

impl Stream<'_> {
    /// Reads the next timesteps and answers what the network answers to all of them so far; of a network that
    /// answers every timestep, the new ones'. A text's first timestep is the [start](gatefold_data::Ids::start), where
    /// there is one.
    ///
    /// # Errors
    /// If there is no timestep, the network can't read them, the device fails, or an answer is no finite number.
    pub async fn push_async(&mut self, steps: Sequence) -> Result<Answer> {
        self.predictor.check(&steps)?;
        let Predictor {
            answering, device, ..
        } = self.predictor;
        let network = &answering.network;
        let batching = Batching {
            batch_size: 1,
            padding: Padding::Longest,
        };
        let batch = batching.batch(&[steps.into()], &[0]);
        let input = unsorted_input(network, &batch, device)?;
        let (output, states) = network.forward_from(self.states.clone(), input)?;
        let [rows, width] = output.dims();
        let output = read(output.reshape([rows * width])).await?;
        ensure_finite(std::slice::from_ref(&output))?;
        self.states = Some(states);
        Ok(self.predictor.meaning(&output))
    }

    /// [`push_async`](Self::push_async), waiting for the device: not in a browser.
    ///
    /// # Errors
    /// As [`push_async`](Self::push_async).
    pub fn push(&mut self, steps: Sequence) -> Result<Answer> {
        block_on(self.push_async(steps))
    }
}
