//! Answers from the device and how good they are, computed on the host: the same arithmetic for every device.

use std::time::Duration;

use burn::tensor::{Device, Tensor};
use futures_lite::future::block_on;
use gatefold_data::{Batch, BatchTargets, Batching, Example, Labels, Padding};
use gatefold_model::{Heartbeat, Reading};
use web_time::Instant;

use crate::batch::Answers;
use crate::config::RunConfig;
use crate::error::{Result, TrainingError};
use crate::metrics::{Evaluation, Totals};
use crate::objective::{Objective, RowScore};
use crate::scores::{ScoreTally, TestResult};

/// Answers as they come off the device, in few reads: each read waits for all work before it.
pub(crate) struct Reads {
    pending: Vec<(PendingBatch, Tensor<2>)>,
    last: Option<Instant>,
}

/// What is left of a batch that a device works on.
pub(crate) struct PendingBatch {
    pub targets: Option<BatchTargets>,
    pub indices: Vec<usize>,
    pub time: usize,
}

impl From<Batch> for PendingBatch {
    fn from(batch: Batch) -> Self {
        Self {
            targets: batch.targets,
            indices: batch.indices,
            time: batch.time,
        }
    }
}

/// A batch's answers, row after row.
pub(crate) struct BatchAnswers {
    pub asked: PendingBatch,
    pub answers: Vec<f32>,
    /// Numbers a row.
    pub width: usize,
}

impl Reads {
    /// How long answers may stay on the device before they're read.
    const EVERY: Duration = Duration::from_millis(500);

    pub fn new() -> Self {
        Self {
            pending: Vec::new(),
            last: None,
        }
    }

    /// Whether it is time to read.
    pub fn are_due(&self) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= Self::EVERY)
    }

    pub fn push(&mut self, batch: Batch, answers: Tensor<2>) {
        self.pending.push((batch.into(), answers));
    }

    /// Reads what is pending, and the heartbeat that has beaten after it.
    ///
    /// # Errors
    /// If the device fails, or has dropped work.
    pub async fn read(&mut self, heartbeat: &mut Heartbeat) -> Result<Vec<BatchAnswers>> {
        self.last = Some(Instant::now());
        if self.pending.is_empty() {
            return Ok(Vec::new());
        }
        let (asked, answers): (Vec<_>, Vec<_>) = self.pending.drain(..).unzip();
        let shapes: Vec<_> = answers.iter().map(Tensor::dims).collect();
        let flat = answers
            .into_iter()
            .zip(&shapes)
            .map(|(answers, [rows, width])| answers.reshape([rows * width]));
        let all = flat.chain([heartbeat.number()]).collect();
        let mut numbers = read_with_heartbeat(all, heartbeat).await?.into_iter();
        let batches = asked.into_iter().zip(shapes);
        let answered = batches.map(|(asked, [rows, width])| BatchAnswers {
            asked,
            answers: numbers.by_ref().take(rows * width).collect(),
            width,
        });
        Ok(answered.collect())
    }
}

/// The numbers of tensors, of which the last is the heartbeat's.
async fn read_with_heartbeat(
    tensors: Vec<Tensor<1>>,
    heartbeat: &mut Heartbeat,
) -> Result<Vec<f32>> {
    let mut numbers = read(Tensor::cat(tensors, 0)).await?;
    let number = numbers.pop().unwrap_or(f32::NAN);
    heartbeat.check(number).map_err(TrainingError::LostWork)?;
    Ok(numbers)
}

/// The numbers of a tensor.
///
/// # Errors
/// If the device fails.
pub(crate) async fn read(tensor: Tensor<1>) -> Result<Vec<f32>> {
    match tensor.into_data_async().await {
        Ok(data) => Ok(data.iter().collect()),
        Err(error) => Err(TrainingError::Device(error.to_string())),
    }
}

/// How good answers are, as they are read.
pub(crate) struct Tally {
    objective: Objective,
    pub totals: Totals,
    batches: usize,
    /// The first batch, counted from 0, with a loss that is no finite number.
    pub not_finite: Option<usize>,
}

impl Tally {
    pub fn new(objective: Objective, totals: Totals) -> Self {
        Self {
            objective,
            totals,
            batches: 0,
            not_finite: None,
        }
    }

    pub fn evaluation(&self) -> Evaluation {
        self.totals.evaluation(self.objective.has_accuracy())
    }

    pub fn count(&mut self, batches: &[BatchAnswers]) {
        for batch in batches {
            let rows = batch.answers.chunks(batch.width);
            match &batch.asked.targets {
                Some(BatchTargets::Classes(classes)) => {
                    for (row, &class) in rows.zip(classes) {
                        if let Ok(class) = usize::try_from(class) {
                            self.add(self.objective.measure_class(row, class));
                        }
                    }
                }
                Some(BatchTargets::ClassSets(sets)) => {
                    for (row, set) in rows.zip(sets) {
                        if let Some(set) = set {
                            self.add(self.objective.measure_set(row, set));
                        }
                    }
                }
                Some(BatchTargets::Values { width, values }) => {
                    for (row, values) in rows.zip(values.chunks(*width)) {
                        self.add(self.objective.measure_values(row, values));
                    }
                }
                None => {}
            }
            self.batches += 1;
        }
    }

    fn add(&mut self, measured: RowScore) {
        if !measured.loss.is_finite() {
            self.not_finite.get_or_insert(self.batches);
        }
        self.totals.loss += measured.loss;
        self.totals.correct += usize::from(measured.correct);
        self.totals.examples += 1;
    }
}

/// Whether all numbers of answers are numbers that answer something.
///
/// # Errors
/// [`TrainingError::NotFinite`] if one is infinite or no number.
pub fn ensure_finite(answers: &[Vec<f32>]) -> Result<()> {
    let finite = answers.iter().flatten().all(|number| number.is_finite());
    finite.then_some(()).ok_or(TrainingError::NotFinite)
}

/// The answers to all examples, in their order, and how good they are where there are targets. An answer is its
/// row's C numbers or, where the network answers every timestep, those of each of the example's timesteps. `done`
/// hears the number of batches behind and in all.
///
/// # Errors
/// If the device fails, or drops work, or the network can't read the examples.
pub async fn evaluate_async(
    network: &impl Answers,
    objective: Objective,
    examples: &[Example],
    batching: &Batching,
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<(Vec<Vec<f32>>, Evaluation)> {
    let mut answers = vec![Vec::new(); examples.len()];
    let mut keep = |batch: BatchAnswers| {
        let PendingBatch { indices, time, .. } = batch.asked;
        let rows = batch.answers.len() / batch.width;
        for (row, index) in indices.iter().copied().enumerate() {
            let (first, count) = if rows == indices.len() {
                (row, 1)
            } else {
                let count = examples[index].input.len().min(time);
                (first_step(batching.padding, row, time, count), count)
            };
            let numbers = batch.width * first..batch.width * (first + count);
            answers[index] = batch.answers[numbers].to_vec();
        }
    };
    let scored = answer_all(
        network, objective, examples, batching, device, done, &mut keep,
    );
    let evaluation = scored.await?;
    Ok((answers, evaluation))
}

/// The first of a batch's answers that is to one of the last `count` timesteps of a row, where each is answered.
fn first_step(padding: Padding, row: usize, time: usize, count: usize) -> usize {
    match padding {
        Padding::FixedBefore(_) => (row + 1) * time - count,
        _ => row * time,
    }
}

/// How good answers to all examples are that are kept as [`evaluate_async`] returns them, those of a network that
/// `config` describes; each batch's are given to `look`, in the order in which the network itself would be tested.
pub(crate) fn score_outputs(
    config: &RunConfig,
    examples: &[Example],
    outputs: &[Vec<f32>],
    look: &mut dyn FnMut(&BatchAnswers),
) -> Evaluation {
    let (batching, width) = (config.batching(), config.model.output_size);
    let every_step = config.model.reading == Reading::EveryStep;
    let mut tally = Tally::new(config.objective(), Totals::default());
    for indices in batching.evaluation_plan(examples) {
        let asked = PendingBatch::from(batching.batch(examples, &indices));
        let rows = if every_step { asked.time } else { 1 } * indices.len();
        let mut answers = vec![0.0; rows * width];
        for (row, &index) in indices.iter().enumerate() {
            let output = &outputs[index];
            let first = match every_step {
                true => first_step(batching.padding, row, asked.time, output.len() / width),
                false => row,
            };
            answers[first * width..][..output.len()].copy_from_slice(output);
        }
        let batch = BatchAnswers {
            asked,
            answers,
            width,
        };
        tally.count(std::slice::from_ref(&batch));
        look(&batch);
    }
    tally.evaluation()
}

/// How good the answers to all examples are; each batch's are given to `keep`.
async fn answer_all(
    network: &impl Answers,
    objective: Objective,
    examples: &[Example],
    batching: &Batching,
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
    keep: &mut dyn FnMut(BatchAnswers),
) -> Result<Evaluation> {
    let device = &device.clone().inner();
    let plan = batching.evaluation_plan(examples);
    let mut tally = Tally::new(objective, Totals::default());
    let mut reads = Reads::new();
    let mut heartbeat = Heartbeat::new(device);
    for (i, indices) in plan.iter().enumerate() {
        let batch = batching.batch(examples, indices);
        let answered = network.answers(&batch, device)?;
        let [rows, width] = answered.dims();
        check_answers([rows, width], &batch, objective)?;
        heartbeat.beat(answered.clone().reshape([rows * width]));
        reads.push(batch, answered);
        if reads.are_due() || i + 1 == plan.len() {
            let read = reads.read(&mut heartbeat).await?;
            tally.count(&read);
            read.into_iter().for_each(&mut *keep);
        }
        done(i + 1, plan.len());
    }
    Ok(tally.evaluation())
}

/// How good the answers to all examples are, without keeping them: as [`evaluate_async`] says.
///
/// # Errors
/// As [`evaluate_async`]; and [`TrainingError::NotFinite`] if an answer is no finite number.
pub async fn score_async(
    network: &impl Answers,
    objective: Objective,
    examples: &[Example],
    batching: &Batching,
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    let mut finite = Ok(());
    let mut look = |batch: BatchAnswers| {
        if finite.is_ok() {
            finite = ensure_finite(&[batch.answers]);
        }
    };
    let tested = answer_all(
        network, objective, examples, batching, device, done, &mut look,
    );
    let evaluation = tested.await?;
    finite.map(|()| evaluation)
}

/// [`score_async`], waiting for the device: not in a browser.
///
/// # Errors
/// As [`score_async`].
pub fn score(
    network: &impl Answers,
    objective: Objective,
    examples: &[Example],
    batching: &Batching,
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    block_on(score_async(
        network, objective, examples, batching, device, done,
    ))
}

/// How good the answers to all examples are in all that [`scores`](crate::scores) has, without keeping them: those of
/// a network that `config` describes and whose classes have `labels`. `done` hears the number of batches behind and in
/// all.
///
/// # Errors
/// As [`score_async`].
///
/// # Panics
/// If the network answers more classes than there are labels.
pub async fn test_async(
    network: &impl Answers,
    config: &RunConfig,
    labels: Option<&Labels>,
    examples: &[Example],
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<TestResult> {
    let (objective, batching) = (config.objective(), &config.batching());
    let mut tally = ScoreTally::new(objective, labels);
    let mut finite = Ok(());
    let mut look = |batch: BatchAnswers| {
        if finite.is_ok() {
            tally.count(&batch);
            finite = ensure_finite(&[batch.answers]);
        }
    };
    let tested = answer_all(
        network, objective, examples, batching, device, done, &mut look,
    );
    let evaluation = tested.await?;
    finite?;
    Ok(TestResult {
        evaluation,
        scores: tally.scores(labels),
    })
}

/// [`test_async`], waiting for the device: not in a browser.
///
/// # Errors
/// As [`score_async`].
///
/// # Panics
/// As [`test_async`].
pub fn test(
    network: &impl Answers,
    config: &RunConfig,
    labels: Option<&Labels>,
    examples: &[Example],
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<TestResult> {
    block_on(test_async(network, config, labels, examples, device, done))
}

/// Whether answers of this shape are answers to a batch.
///
/// # Errors
/// [`TrainingError::Answers`] says what the batch asks for.
pub(crate) fn check_answers(
    [rows, width]: [usize; 2],
    batch: &Batch,
    objective: Objective,
) -> Result<()> {
    let (size, time) = (batch.size, batch.time);
    let expected = match (&batch.targets, objective) {
        _ if width == 0 || ![size, size * time].contains(&rows) => Some(format!(
            "a batch of {size} sequences of {time} timesteps has {size} or {} rows",
            size * time
        )),
        (Some(BatchTargets::Classes(_)), Objective::Values | Objective::MultiLabel) => {
            Some("targets are one class".into())
        }
        (Some(BatchTargets::ClassSets(sets)), _) => {
            let most = sets.iter().flatten().flatten().max().copied();
            let fits = objective == Objective::MultiLabel
                && sets.len() == rows
                && most.is_none_or(|class| (class as usize) < width);
            (!fits).then(|| format!("there are {} targets, each a set of classes", sets.len()))
        }
        (Some(BatchTargets::Classes(classes)), _) => {
            let (count, classes) = (classes.len(), classes.iter().max().copied());
            let most = classes.and_then(|class| usize::try_from(class).ok());
            let fits = match objective {
                Objective::Language => true,
                Objective::Binary => width == 1 && most.is_none_or(|class| class < 2),
                _ => most.is_none_or(|class| class < width),
            };
            (rows != count || !fits).then(|| {
                format!(
                    "there are {count} targets, of classes up to {}",
                    most.unwrap_or(0)
                )
            })
        }
        (
            Some(BatchTargets::Values {
                width: of_target,
                values,
            }),
            _,
        ) => {
            let fits = objective == Objective::Values
                && *of_target == width
                && values.len() == rows * width;
            (!fits).then(|| {
                let count = values.len() / of_target.max(&1);
                format!("there are {count} targets of {of_target} numbers")
            })
        }
        (None, _) => None,
    };
    match expected {
        Some(expected) => Err(TrainingError::Answers {
            rows,
            width,
            expected,
        }),
        None => Ok(()),
    }
}

/// [`evaluate_async`], waiting for the device: not in a browser.
///
/// ```
/// use gatefold_data::{EncodedDataset, reviews};
/// use gatefold_training::burn::tensor::Device;
/// use gatefold_training::{RunConfig, evaluate};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut config = RunConfig::default();
/// config.model.hidden_size = 8;
/// config.input.max_length = 16;
/// let data = EncodedDataset::new(&reviews(42), &config.encoding())?;
/// config.settle(&data)?;
/// let device = Device::flex();
/// let network = config.model.init(config.training.seed, &device)?;
/// let (objective, batching) = (config.objective(), config.batching());
/// let (answers, test) =
///     evaluate(&network, objective, &data.test, &batching, &device, &mut |_, _| {})?;
/// assert_eq!(answers.len(), test.examples);
/// assert!((test.loss - 2f64.ln()).abs() < 0.05, "it has learned nothing yet");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`evaluate_async`].
pub fn evaluate(
    network: &impl Answers,
    objective: Objective,
    examples: &[Example],
    batching: &Batching,
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<(Vec<Vec<f32>>, Evaluation)> {
    block_on(evaluate_async(
        network, objective, examples, batching, device, done,
    ))
}

#[cfg(test)]
mod tests {
    use gatefold_data::{BatchInput, Sequence, Target};

    use super::*;

    #[test]
    fn what_is_no_finite_number_is_no_answer() {
        ensure_finite(&[vec![0.0], vec![-3.5, f32::MAX]]).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = ensure_finite(&[vec![1.0], vec![0.0, bad]]).unwrap_err();
            assert!(error.to_string().contains("train it again"), "{error}");
        }
    }

    fn batch() -> Batch {
        Batch {
            input: BatchInput::Tokens(vec![1]),
            lengths: vec![1],
            targets: Some(BatchTargets::Classes(vec![1])),
            size: 1,
            time: 1,
            indices: vec![0],
        }
    }

    #[test]
    fn answers_are_not_believed_where_the_device_dropped_work() {
        let device = Device::flex();
        let answer = || Tensor::full([1, 1], 3.0, &device);
        let mut heartbeat = Heartbeat::new(&device);
        let mut reads = Reads::new();
        reads.push(batch(), answer());
        let answered = block_on(reads.read(&mut heartbeat)).unwrap();
        assert_eq!(
            (&answered[0].answers[..], answered[0].width),
            (&[3.0][..], 1)
        );

        // Of another device's heartbeat, the number is not the one that is waited for.
        let numbers = [answer().reshape([1]), Heartbeat::new(&device).number()];
        let read = block_on(read_with_heartbeat(numbers.to_vec(), &mut heartbeat));
        let error = read.unwrap_err();
        assert!(matches!(error, TrainingError::LostWork(_)), "{error}");
        let error = error.to_string();
        for part in ["batch_size", "the CPU", "checkpoint"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[derive(burn::module::Module, Debug)]
    struct Echo {
        steps: bool,
    }

    impl Answers for Echo {
        fn answers(
            &self,
            batch: &Batch,
            device: &Device,
        ) -> Result<Tensor<2>, gatefold_model::NetworkError> {
            let BatchInput::Values { values, .. } = &batch.input else {
                panic!("numbers are read");
            };
            let steps = Tensor::<1>::from_data(&values[..], device);
            let steps = steps.reshape([batch.size * batch.time, 1]);
            Ok(match self.steps {
                true => steps,
                false => steps.reshape([batch.size, batch.time]).narrow(1, 0, 1),
            })
        }
    }

    #[test]
    fn answers_come_in_the_order_of_their_examples_without_the_padding() {
        let values = [vec![1.0, 2.0, 3.0], vec![-4.0], vec![5.0, -6.0]];
        let examples: Vec<Example> = values
            .iter()
            .map(|values| Example {
                input: Sequence::Values {
                    width: 1,
                    values: values.clone(),
                },
                target: Some(Target::Classes(vec![1; values.len()])),
            })
            .collect();
        let padded = |padding, steps, examples: &[Example]| {
            let batching = Batching {
                batch_size: 2,
                padding,
            };
            let device = Device::flex();
            let done = &mut |_, _| {};
            let echo = Echo { steps };
            evaluate(&echo, Objective::Binary, examples, &batching, &device, done).unwrap()
        };
        for padding in [Padding::Longest, Padding::Fixed(3), Padding::FixedBefore(4)] {
            let (answers, evaluation) = padded(padding, true, &examples);
            assert_eq!(answers, values);
            assert_eq!(
                (evaluation.examples, evaluation.accuracy),
                (6, Some(4.0 / 6.0))
            );
        }
        let evaluate = |steps, examples: &[Example]| padded(Padding::Longest, steps, examples);
        let first = examples.iter().map(|example| Example {
            input: example.input.clone(),
            target: Some(Target::Class(0)),
        });
        let (answers, evaluation) = evaluate(false, &first.collect::<Vec<_>>());
        assert_eq!(answers, [[1.0], [-4.0], [5.0]]);
        assert_eq!(
            (evaluation.examples, evaluation.accuracy),
            (3, Some(1.0 / 3.0))
        );
        let without = examples.iter().map(|example| example.input.clone().into());
        let (answers, evaluation) = evaluate(true, &without.collect::<Vec<_>>());
        assert_eq!((answers.len(), evaluation.examples), (3, 0));
    }
}
