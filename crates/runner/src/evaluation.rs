//! Loss and accuracy, computed on the host from logits: the same arithmetic for every device.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Int, Tensor, TensorData};
use gatefold_data::{Batch, Batching, Example};
use gatefold_model::{Heartbeat, SequenceClassifier};
use serde::{Deserialize, Serialize};

/// How well a network answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Mean binary cross-entropy.
    pub loss: f64,
    /// Share answered rightly.
    pub accuracy: f64,
    /// How many reviews.
    pub examples: usize,
}

/// What an [`Evaluation`] is the mean of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Totals {
    loss: f64,
    correct: usize,
    examples: usize,
}

impl Totals {
    pub fn evaluation(&self) -> Evaluation {
        let count = self.examples.max(1) as f64;
        Evaluation {
            loss: self.loss / count,
            accuracy: self.correct as f64 / count,
            examples: self.examples,
        }
    }
}

/// Logits as they come off the device, in few reads: each read waits for all work before it.
pub(crate) struct Logits {
    pending: Vec<(Batch, Tensor<1>)>,
    last_read: Option<Instant>,
    /// By position in the examples.
    values: Vec<Option<f32>>,
    /// Over what has been read so far.
    pub totals: Totals,
    batches: usize,
    /// The first batch, counted from 0, with a loss that is no finite number.
    pub not_finite: Option<usize>,
}

impl Logits {
    /// How long results may stay on the device before they're read.
    const READ_EVERY: Duration = Duration::from_millis(500);

    pub fn of(examples: usize) -> Self {
        Self {
            pending: Vec::new(),
            last_read: None,
            values: vec![None; examples],
            totals: Totals::default(),
            batches: 0,
            not_finite: None,
        }
    }

    /// Whether it is time to read.
    pub fn is_due(&self) -> bool {
        self.last_read
            .is_none_or(|last| last.elapsed() >= Self::READ_EVERY)
    }

    pub fn push(&mut self, batch: Batch, logits: Tensor<1>) {
        self.pending.push((batch, logits));
    }

    /// Reads what is pending, and the heartbeat that has beaten after it.
    ///
    /// # Errors
    /// If the device fails, or has dropped work.
    pub fn read(&mut self, heartbeat: &mut Heartbeat) -> Result<()> {
        let (batches, mut logits): (Vec<_>, Vec<_>) = self.pending.drain(..).unzip();
        self.last_read = Some(Instant::now());
        if logits.is_empty() {
            return Ok(());
        }
        logits.push(heartbeat.number());
        let data = Tensor::cat(logits, 0)
            .try_into_data()
            .context("the device failed while it computed")?;
        self.count(batches, data.iter().collect(), heartbeat)
    }

    /// - `values`: the batches' logits, then the heartbeat's number.
    fn count(
        &mut self,
        batches: Vec<Batch>,
        mut values: Vec<f32>,
        heartbeat: &mut Heartbeat,
    ) -> Result<()> {
        let number = values.pop().context("the device returned no heartbeat")?;
        heartbeat.check(number).context(LOST_WORK)?;
        let mut logits = values.into_iter();
        for batch in batches {
            for (index, label) in batch.indices.into_iter().zip(batch.labels) {
                let logit = logits
                    .next()
                    .context("the device returned too few logits")?;
                let loss = cross_entropy(logit, label);
                if !loss.is_finite() {
                    self.not_finite.get_or_insert(self.batches);
                }
                self.totals.loss += loss;
                self.totals.correct += usize::from((logit > 0.0) == (label > 0.5));
                self.totals.examples += 1;
                self.values[index] = Some(logit);
            }
            self.batches += 1;
        }
        Ok(())
    }
}

/// What to do about it, and what is left.
const LOST_WORK: &str = "these results are wrong: try a smaller batch_size or max_length, or --device cpu. A run keeps its last checkpoint, from which --resume goes on";

/// Binary cross-entropy of a logit, in the form that doesn't overflow:
/// `max(x, 0) - x y + ln(1 + e^-|x|)`.
fn cross_entropy(logit: f32, label: f32) -> f64 {
    let (logit, label) = (f64::from(logit), f64::from(label));
    logit.max(0.0) - logit * label + (-logit.abs()).exp().ln_1p()
}

/// The probability of the positive class.
pub fn probability(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// Whether all logits are numbers that answer something.
///
/// # Errors
/// If one is infinite or no number, with what to do.
pub fn ensure_finite(logits: &[f32]) -> Result<()> {
    ensure!(
        logits.iter().all(|logit| logit.is_finite()),
        "the network's answer is no finite number: its weights are too large, or damaged; train it again with a \
         lower learning rate, or with --clip-norm 1"
    );
    Ok(())
}

/// A batch's ids `[B, T]` and lengths `[B]` on a device.
pub(crate) fn to_device(batch: &Batch, device: &Device) -> (Tensor<2, Int>, Tensor<1, Int>) {
    let ids = TensorData::new(batch.ids.clone(), [batch.size, batch.time]);
    (
        Tensor::from_data(ids, device),
        Tensor::from_data(&batch.lengths[..], device),
    )
}

/// The logits of all examples, in their order, and how good they are. `done` hears the number of
/// batches behind and in all.
///
/// ```
/// use burn::tensor::Device;
/// use gatefold::config::RunConfig;
/// use gatefold::{dataset, evaluation};
///
/// # fn main() -> anyhow::Result<()> {
/// let mut config = RunConfig::default();
/// config.dataset.name = Some("reviews".into());
/// config.model.hidden_size = 8;
/// config.training.max_length = 16;
/// let data = dataset::prepare(&config)?;
/// let device = Device::flex();
/// let network = config.model.init(config.training.seed, &device)?;
/// let batching = config.training.batching();
/// let (logits, test) =
///     evaluation::evaluate(&network, &data.test, &batching, &device, &mut |_, _| {})?;
/// assert_eq!(logits.len(), test.examples);
/// assert!((test.loss - 2f64.ln()).abs() < 0.05, "it has learned nothing yet");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the device fails, or drops work.
pub fn evaluate(
    network: &SequenceClassifier,
    examples: &[Example],
    batching: &Batching,
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<(Vec<f32>, Evaluation)> {
    let plan = batching.evaluation_plan(examples);
    let mut logits = Logits::of(examples.len());
    let mut heartbeat = Heartbeat::new(device);
    for (i, indices) in plan.iter().enumerate() {
        let batch = batching.batch(examples, indices);
        let (ids, lengths) = to_device(&batch, device);
        let answers = network.forward(ids, lengths);
        heartbeat.beat(answers.clone());
        logits.push(batch, answers);
        if logits.is_due() {
            logits.read(&mut heartbeat)?;
        }
        done(i + 1, plan.len());
    }
    logits.read(&mut heartbeat)?;
    let evaluation = logits.totals.evaluation();
    let values = logits.values.into_iter().collect::<Option<_>>();
    Ok((values.context("a batch left an example out")?, evaluation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_finite_number_is_no_answer() {
        ensure_finite(&[0.0, -3.5, f32::MAX]).unwrap();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = ensure_finite(&[1.0, bad]).unwrap_err().to_string();
            assert!(error.contains("train it again"), "{error}");
        }
    }

    #[test]
    fn logits_are_not_believed_where_the_device_dropped_work() {
        let device = Device::flex();
        let batch = Batch {
            ids: vec![1],
            lengths: vec![1],
            labels: vec![1.0],
            size: 1,
            time: 1,
            indices: vec![0],
        };
        let mut heartbeat = Heartbeat::new(&device);
        let before: f32 = heartbeat.number().into_scalar();
        heartbeat.beat(Tensor::zeros([1], &device));
        let mut logits = Logits::of(1);
        let behind = logits.count(vec![batch.clone()], vec![3.0, before], &mut heartbeat);
        let error = format!("{:#}", behind.unwrap_err());
        assert_eq!(logits.values, [None]);
        assert_eq!(logits.totals.examples, 0);
        for part in ["dropped work", "batch_size", "--device cpu", "checkpoint"] {
            assert!(error.contains(part), "{error}");
        }
        logits.push(batch, Tensor::full([1], 3.0, &device));
        logits.read(&mut heartbeat).unwrap();
        assert_eq!(logits.values, [Some(3.0)]);
    }

    #[test]
    fn cross_entropy_is_minus_the_log_of_the_probability() {
        for (logit, label) in [(0.3, 1.0), (0.3, 0.0), (-2.0, 1.0)] {
            let positive = probability(logit);
            let expected = if label > 0.5 {
                -positive.ln()
            } else {
                -(1.0 - positive).ln()
            };
            assert!((cross_entropy(logit, label) - expected).abs() < 1e-12);
        }
        assert_eq!(cross_entropy(1000.0, 1.0), 0.0);
        assert_eq!(cross_entropy(1000.0, 0.0), 1000.0);
    }
}
