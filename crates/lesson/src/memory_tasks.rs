//! The classic memory tasks: what must be remembered is known, and so is for how long.
//!
//! [`MemoryTask`] has their sequences. A simple RNN solves both while the sequences are short; an LSTM or a GRU
//! where they are long too.

use std::ops::ControlFlow;

use burn::tensor::Device;
use gatefold_data::{EncodedDataset, MemoryTask};
use gatefold_model::Cell;
use gatefold_training::config::Schedule;
use gatefold_training::{EpochMetrics, Evaluation, Event, RunConfig, TrainingError, fit, score};
use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::error::Result;

/// Sequence lengths at which cells are compared.
pub const LENGTHS: [usize; 4] = [10, 30, 100, 200];

/// How a network learns a task. The default serves all tasks, cells and [`LENGTHS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskConfig {
    /// Units of the recurrent layer.
    pub hidden_size: usize,
    /// Sequences a step.
    pub batch_size: usize,
    /// Passes over the training sequences at most; training ends when the task is solved.
    pub epochs: usize,
    /// Adam's learning rate at first; it falls along a cosine.
    pub learning_rate: f64,
    /// Settles first weights, sequences and batches.
    pub seed: u64,
}

impl Default for TaskConfig {
    fn default() -> Self {
        Self {
            hidden_size: 32,
            batch_size: 32,
            epochs: 8,
            learning_rate: 5e-3,
            seed: 42,
        }
    }
}

/// How well a cell did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskResult {
    /// The task.
    pub task: MemoryTask,
    /// The cell.
    pub cell: Cell,
    /// Timesteps a sequence.
    pub length: usize,
    /// On test sequences, at the end: the mean squared error of the adding problem, the accuracy of first-token
    /// recall. NaN, `null` in JSON, if the training diverged: its loss was no finite number.
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
            MemoryTask::Adding => "mean squared error",
            MemoryTask::Recall => ACCURACY,
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

/// A smaller mean squared error solves a task whose answers are numbers.
pub(crate) const SOLVED_ERROR: f64 = 0.01;
/// A higher accuracy solves one whose answers are classes.
pub(crate) const SOLVED_ACCURACY: f64 = 0.99;
/// What the score of one whose answers are classes is called.
pub(crate) const ACCURACY: &str = "accuracy";

/// Whether a score counts as a solution.
fn solves(task: MemoryTask, score: f64) -> bool {
    match task {
        MemoryTask::Adding => score < SOLVED_ERROR,
        MemoryTask::Recall => score > SOLVED_ACCURACY,
    }
}

/// Whether a validation is so good that a test of other sequences will find the task solved too.
fn is_certain(task: MemoryTask, epoch: &EpochMetrics) -> bool {
    match task {
        MemoryTask::Adding => epoch.validation_loss < 0.005,
        MemoryTask::Recall => epoch.validation_accuracy == Some(1.0),
    }
}

fn score_of(task: MemoryTask, test: &Evaluation) -> f64 {
    match task {
        MemoryTask::Adding => test.loss,
        MemoryTask::Recall => test.accuracy.unwrap_or_default(),
    }
}

/// Trains a network of one recurrent layer and a linear one on its final hidden state until it solves `task`
/// at `length` timesteps, until the epochs are used up, or until the loss is no longer finite. `on_step` hears the
/// steps behind, the steps at most, and the mean loss of the epoch so far; [`ControlFlow::Break`] ends it without
/// a result.
///
/// # Errors
/// If the configuration or the length is too small, or if the device fails.
pub fn run(
    task: MemoryTask,
    cell: Cell,
    length: usize,
    config: &TaskConfig,
    device: &Device,
    on_step: &mut dyn FnMut(usize, usize, f64) -> ControlFlow<()>,
) -> Result<Option<TaskResult>> {
    let start = Instant::now();
    let mut run = RunConfig::default();
    run.input.max_length = length;
    run.input.scale = Some(false);
    run.model.cell = cell;
    run.model.hidden_size = config.hidden_size;
    run.model.dense_size = 0;
    run.training.batch_size = config.batch_size;
    run.training.epochs = config.epochs;
    run.training.learning_rate = config.learning_rate;
    // A simple RNN comes close only with small steps at the end.
    run.training.schedule = Schedule::Cosine;
    run.training.seed = config.seed;
    run.validate()?;
    let dataset = task.dataset(length, config.seed)?;
    let data = EncodedDataset::new(&dataset, &run.encoding())?;
    run.settle(&data)?;
    let network = run.model.init(config.seed, device);
    let network = network.map_err(gatefold_training::ConfigError::from)?;

    let (mut taken, mut stopped) = (0, false);
    let trained = fit(network, &data, &run, device, &mut |event| match event {
        Event::Step { steps, so_far, .. } => {
            taken += 1;
            let flow = on_step(taken, steps * config.epochs, so_far.loss);
            stopped |= flow.is_break();
            flow
        }
        Event::Epoch { metrics, .. } if is_certain(task, &metrics) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    let reached = match trained {
        _ if stopped => return Ok(None),
        Err(TrainingError::Diverged { .. }) => f64::NAN,
        Err(error) => return Err(error.into()),
        Ok((network, _)) => {
            let (objective, batching) = (run.objective(), run.batching());
            let done = &mut |_, _| {};
            let test = score(&network, objective, &data.test, &batching, device, done)?;
            score_of(task, &test)
        }
    };
    Ok(Some(TaskResult {
        task,
        cell,
        length,
        score: reached,
        chance: task.chance(),
        solved: solves(task, reached),
        steps: taken,
        seconds: start.elapsed().as_secs_f64(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of a recall, and what was heard of it.
    fn recall(
        cell: Cell,
        length: usize,
        config: &TaskConfig,
    ) -> (TaskResult, Vec<(usize, usize, f64)>) {
        let mut heard = Vec::new();
        let mut note = |step, steps, loss| {
            heard.push((step, steps, loss));
            ControlFlow::Continue(())
        };
        let device = Device::flex();
        let result = run(MemoryTask::Recall, cell, length, config, &device, &mut note);
        (result.unwrap().expect("nobody stopped it"), heard)
    }

    #[test]
    fn a_gru_recalls_and_adds() {
        let config = TaskConfig::default();
        let (result, heard) = recall(Cell::Gru, 10, &config);
        assert!(result.solved && result.score > 0.99, "{result:?}");
        assert_eq!(result.steps, heard.len());
        let most = config.epochs * 400;
        for (i, (step, steps, _)) in heard.iter().enumerate() {
            assert_eq!((*step, *steps), (i + 1, most));
        }
        assert!(result.steps < most, "{result:?}");

        let device = Device::flex();
        let mut go_on = |_, _, _| ControlFlow::Continue(());
        let result = run(
            MemoryTask::Adding,
            Cell::Gru,
            10,
            &config,
            &device,
            &mut go_on,
        );
        let result = result.unwrap().expect("nobody stopped it");
        assert!(result.solved && result.score < 0.01, "{result:?}");
    }

    #[test]
    fn a_network_that_hardly_learns_guesses() {
        let config = TaskConfig {
            learning_rate: 1e-9,
            epochs: 1,
            ..TaskConfig::default()
        };
        let (result, _) = recall(Cell::Gru, 10, &config);
        assert!(!result.solved && result.score < 0.6, "{result:?}");
        assert_eq!(result.verdict(), "failed");
    }

    #[test]
    fn a_seed_settles_the_result() {
        let config = TaskConfig {
            batch_size: 1024,
            epochs: 1,
            ..TaskConfig::default()
        };
        let (first, _) = recall(Cell::Lstm, 12, &config);
        let (second, _) = recall(Cell::Lstm, 12, &config);
        assert_eq!(first.score, second.score);
        let (other, _) = recall(Cell::Lstm, 12, &TaskConfig { seed: 43, ..config });
        assert_ne!(first.score, other.score);
    }

    #[test]
    fn a_training_that_diverges_is_a_result() {
        let config = TaskConfig {
            learning_rate: 1e30,
            ..TaskConfig::default()
        };
        let (task, cell, device) = (MemoryTask::Adding, Cell::Rnn, Device::flex());
        let mut go_on = |_, _, _| ControlFlow::Continue(());
        let result = run(task, cell, 10, &config, &device, &mut go_on);
        let result = result.unwrap().expect("nobody stopped it");
        assert_eq!((result.verdict(), result.solved), ("diverged", false));
        assert!(serde_json::to_value(&result).unwrap()["score"].is_null());
    }

    #[test]
    fn a_training_can_be_stopped_after_any_step() {
        let mut left = 3;
        let mut stop = |_, _, _| {
            left -= 1;
            match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        let (config, device) = (TaskConfig::default(), Device::flex());
        let result = run(
            MemoryTask::Recall,
            Cell::Rnn,
            10,
            &config,
            &device,
            &mut stop,
        );
        assert_eq!((result.unwrap(), left), (None, 0));
    }

    #[test]
    fn a_configuration_without_work_is_refused() {
        let refused = |length, config| {
            let mut go_on = |_, _, _| ControlFlow::Continue(());
            let (task, device) = (MemoryTask::Adding, Device::flex());
            let result = run(task, Cell::Rnn, length, &config, &device, &mut go_on);
            result.unwrap_err().to_string()
        };
        let config = TaskConfig::default();
        assert!(refused(1, config.clone()).contains("at least 2"));
        assert_eq!(
            refused(
                9,
                TaskConfig {
                    epochs: 0,
                    ..config
                }
            ),
            "epochs must be at least 1"
        );
    }
}
