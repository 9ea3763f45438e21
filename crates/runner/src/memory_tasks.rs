//! The classic memory tasks: what must be remembered is known, and so is for how long.
//!
//! - *Adding problem* (Hochreiter and Schmidhuber 1997, experiment 4, with a marker in each half as in
//!   Arjovsky et al. 2016): a sequence of numbers from [0, 1), two of them marked; the answer is the sum of
//!   those two.
//! - *First-token recall* (after Hochreiter and Schmidhuber 1997, experiment 2): a symbol, then distractors;
//!   the answer is the symbol.
//!
//! A simple RNN solves both while the sequences are short; an LSTM or a GRU where they are long too.

use std::fmt;
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::nn::Linear;
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_data::random::generator;
use gatefold_model::{Cell, Initializers, RecurrentCell};
use serde::{Deserialize, Serialize};

use crate::optimizer::Adam;

mod sequences;

use sequences::Sequences;

/// Sequence lengths at which cells are compared.
pub const LENGTHS: [usize; 4] = [10, 30, 100, 200];

/// Sequences that are held out to score with.
const HELD_OUT: usize = 256;

/// Timesteps of the shortest sequences: two numbers to add, or a symbol and a distractor.
const SHORTEST: usize = 2;

/// Steps from one scoring to the next.
const STEPS_PER_SCORE: usize = 50;

/// What is to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Two numbers, to be added. Scored by the mean squared error.
    Adding,
    /// The first token, to be named. Scored by the accuracy.
    Recall,
}

impl Task {
    /// Whether a score counts as a solution: an error below 0.01, an accuracy above 0.99.
    fn is_solved_by(self, score: f64) -> bool {
        match self {
            Self::Adding => score < 0.01,
            Self::Recall => score > 0.99,
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adding => "adding problem",
            Self::Recall => "first-token recall",
        })
    }
}

/// How a network learns a task. The default serves all tasks, cells and [`LENGTHS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    /// Units of the recurrent layer.
    pub hidden_size: usize,
    /// Sequences a step, all of them new.
    pub batch_size: usize,
    /// Steps at most; training ends when the task is solved.
    pub steps: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Settles first weights and sequences.
    pub seed: u64,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self {
            hidden_size: 32,
            batch_size: 32,
            steps: 2000,
            learning_rate: 5e-3,
            seed: 42,
        }
    }
}

/// How well a cell did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskResult {
    /// The task.
    pub task: Task,
    /// The cell.
    pub cell: Cell,
    /// Timesteps a sequence.
    pub length: usize,
    /// On held-out sequences, at the end: the mean squared error of the adding problem, the accuracy of
    /// first-token recall. NaN, `null` in JSON, if the training diverged: its loss was no finite number.
    pub score: f64,
    /// The score of the best answer that reads nothing.
    pub chance: f64,
    /// Whether the error is below 0.01, or the accuracy above 0.99.
    pub solved: bool,
    /// Training steps taken.
    pub steps: usize,
    /// Time taken.
    pub seconds: f64,
}

impl TaskResult {
    /// What the score is.
    pub fn measure(&self) -> &'static str {
        match self.task {
            Task::Adding => "mean squared error",
            Task::Recall => "accuracy",
        }
    }

    /// How it ended: `solved`, `failed` or `diverged`.
    pub fn verdict(&self) -> &'static str {
        match self.solved {
            true => "solved",
            false if self.score.is_nan() => "diverged",
            false => "failed",
        }
    }
}

/// Trains a network of one recurrent layer and a linear one on its final hidden state until it solves `task`
/// at `length` timesteps, until the steps are used up, or until the loss is no longer finite. `on_step` hears the
/// steps behind, the steps at most, and the step's loss; [`ControlFlow::Break`] ends it without a result.
///
/// # Errors
/// If the configuration or the length is too small, or if the device fails.
pub fn run(
    task: Task,
    cell: Cell,
    length: usize,
    config: &TaskConfig,
    device: &Device,
    on_step: &mut dyn FnMut(usize, usize, f64) -> ControlFlow<()>,
) -> Result<Option<TaskResult>> {
    ensure!(
        length >= SHORTEST,
        "the {task} needs a length of at least {SHORTEST}, not {length}"
    );
    for (size, name) in [
        (config.hidden_size, "hidden_size"),
        (config.batch_size, "batch_size"),
        (config.steps, "steps"),
    ] {
        ensure!(size > 0, "{name} must be at least 1");
    }
    let start = Instant::now();
    let device = device.clone().autodiff();
    let draws = |stream| generator(*b"memory\0\0", config.seed, stream);
    let held_out = task.draw(HELD_OUT, length..=length, &mut draws(0));
    let training = &mut draws(1);
    let mut network = Network::new(task, cell, config.hidden_size, config.seed, &device);
    let mut optimizer = Adam::default();
    let (mut score, mut steps) = (f64::NAN, 0);
    while steps < config.steps && !task.is_solved_by(score) {
        let batch = task.draw(config.batch_size, SHORTEST..=length, training);
        let loss = network.loss(task, &batch, &device);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(network, gradients, None, config.learning_rate);
        steps += 1;
        let loss: f64 = loss
            .try_into_scalar()
            .context("the device failed while it computed")?;
        if on_step(steps, config.steps, loss).is_break() {
            return Ok(None);
        }
        if !loss.is_finite() {
            score = f64::NAN;
            break;
        }
        if steps % STEPS_PER_SCORE == 0 || steps == config.steps {
            score = network
                .valid()
                .score(task, &held_out, &device.clone().inner())?;
        }
    }
    Ok(Some(TaskResult {
        task,
        cell,
        length,
        score,
        chance: task.chance(),
        solved: task.is_solved_by(score),
        steps,
        seconds: start.elapsed().as_secs_f64(),
    }))
}

#[derive(Module, Debug)]
struct Network {
    recurrent: RecurrentCell,
    output: Linear,
}

impl Network {
    fn new(task: Task, cell: Cell, hidden: usize, seed: u64, device: &Device) -> Self {
        let weights = &mut generator(*b"weights\0", seed, 0);
        let initializers = Initializers::Keras;
        let sizes = [task.inputs(), hidden];
        Self {
            recurrent: RecurrentCell::init_with(cell, sizes, false, initializers, weights, device),
            output: initializers.linear([hidden, task.outputs()], weights, device),
        }
    }

    /// Answers `[count, outputs]`.
    fn forward(&self, task: Task, sequences: &Sequences, device: &Device) -> Tensor<2> {
        let shape = [sequences.lengths.len(), sequences.time, task.inputs()];
        let inputs = TensorData::new(sequences.inputs.clone(), shape);
        let lengths = Tensor::from_data(&sequences.lengths[..], device);
        let projections = self.recurrent.project(Tensor::from_data(inputs, device));
        let (_, last) = self.recurrent.forward(projections, lengths);
        self.output.forward(last)
    }

    /// Mean squared error, or mean cross-entropy, `[1]`.
    fn loss(&self, task: Task, sequences: &Sequences, device: &Device) -> Tensor<1> {
        let answers = self.forward(task, sequences, device);
        let targets = TensorData::new(sequences.targets.clone(), answers.dims());
        let targets = Tensor::from_data(targets, device);
        let losses = match task {
            Task::Adding => (answers - targets).square(),
            Task::Recall => (log_softmax(answers, 1) * targets).sum_dim(1).neg(),
        };
        losses.mean_dim(0).reshape([1])
    }

    fn score(&self, task: Task, sequences: &Sequences, device: &Device) -> Result<f64> {
        let answers = self.forward(task, sequences, device);
        let answers = answers.try_into_data()?.try_to_vec::<f32>()?;
        let rows = answers
            .chunks(task.outputs())
            .zip(sequences.targets.chunks(task.outputs()));
        let sum: f64 = match task {
            Task::Adding => rows
                .map(|(answer, target)| f64::from(answer[0] - target[0]).powi(2))
                .sum(),
            Task::Recall => rows
                .map(|(answer, target)| f64::from(u8::from(largest(answer) == largest(target))))
                .sum(),
        };
        Ok(sum / sequences.lengths.len() as f64)
    }
}

/// The place of the largest number.
fn largest(numbers: &[f32]) -> Option<usize> {
    (0..numbers.len()).max_by(|&a, &b| numbers[a].total_cmp(&numbers[b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(cell: Cell, length: usize, config: &TaskConfig) -> (TaskResult, Vec<f64>) {
        let mut losses = Vec::new();
        let mut note = |step, steps, loss| {
            losses.push(loss);
            assert_eq!((step, steps), (losses.len(), config.steps));
            ControlFlow::Continue(())
        };
        let result = run(
            Task::Recall,
            cell,
            length,
            config,
            &Device::flex(),
            &mut note,
        );
        (result.unwrap().expect("nobody stopped it"), losses)
    }

    #[test]
    fn a_gru_recalls_what_a_network_without_training_guesses() {
        let config = TaskConfig::default();
        let (result, losses) = outcome(Cell::Gru, 10, &config);
        assert!(result.solved && result.score > 0.99, "{result:?}");
        assert_eq!(result.steps, losses.len());
        assert!(result.steps < config.steps, "{result:?}");

        let (result, _) = outcome(Cell::Gru, 10, &TaskConfig { steps: 1, ..config });
        assert!(!result.solved && result.score < 0.6, "{result:?}");
    }

    #[test]
    fn a_gru_adds() {
        let config = TaskConfig::default();
        let result = run(
            Task::Adding,
            Cell::Gru,
            10,
            &config,
            &Device::flex(),
            &mut |_, _, _| ControlFlow::Continue(()),
        );
        let result = result.unwrap().expect("nobody stopped it");
        assert!(result.solved && result.score < 0.01, "{result:?}");
    }

    #[test]
    fn a_seed_settles_the_result() {
        let config = TaskConfig {
            steps: 20,
            ..TaskConfig::default()
        };
        let (first, losses) = outcome(Cell::Lstm, 12, &config);
        let (second, again) = outcome(Cell::Lstm, 12, &config);
        assert_eq!((first.score, losses.clone()), (second.score, again));
        let (_, other) = outcome(Cell::Lstm, 12, &TaskConfig { seed: 43, ..config });
        assert_ne!(losses, other);
    }

    #[test]
    fn a_training_that_diverges_is_a_result() {
        let config = TaskConfig {
            learning_rate: 1e30,
            ..TaskConfig::default()
        };
        let mut last = 0.0;
        let mut note = |_, _, loss| {
            last = loss;
            ControlFlow::Continue(())
        };
        let (task, cell, device) = (Task::Adding, Cell::Rnn, Device::flex());
        let result = run(task, cell, 10, &config, &device, &mut note);
        let result = result.unwrap().expect("nobody stopped it");
        assert_eq!((result.verdict(), result.solved), ("diverged", false));
        assert!(result.steps < config.steps && !f64::is_finite(last));
        assert!(serde_json::to_value(&result).unwrap()["score"].is_null());
    }

    #[test]
    fn a_training_can_be_stopped_after_any_step() {
        let mut left = 3;
        let result = run(
            Task::Recall,
            Cell::Rnn,
            10,
            &TaskConfig::default(),
            &Device::flex(),
            &mut |_, _, _| {
                left -= 1;
                match left {
                    0 => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            },
        );
        assert_eq!((result.unwrap(), left), (None, 0));
    }

    #[test]
    fn a_configuration_without_work_is_refused() {
        let refused = |length, config| {
            run(
                Task::Adding,
                Cell::Rnn,
                length,
                &config,
                &Device::flex(),
                &mut |_, _, _| ControlFlow::Continue(()),
            )
            .unwrap_err()
            .to_string()
        };
        let config = TaskConfig::default();
        assert!(refused(1, config.clone()).contains("at least 2, not 1"));
        assert_eq!(
            refused(9, TaskConfig { steps: 0, ..config }),
            "steps must be at least 1"
        );
    }
}
