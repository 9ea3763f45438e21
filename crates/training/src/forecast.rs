//! How far forecasts are from what came, in the unit of the data, and how far simple ones would have been.

use burn::tensor::Device;
use gatefold_data::{Encoder, Example, Scaler, Sequence, SeriesTask, Target};
use serde::{Deserialize, Serialize};

use crate::batch::Answers;
use crate::config::RunConfig;
use crate::error::Result;
use crate::evaluation::{ensure_finite, evaluate};
use crate::scores::{Scores, TestResult};

/// Windows of a [`Stretch`] at most.
const STRETCH: usize = 200;

/// How good forecasts are, beside two that need no network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastScores {
    /// Windows after which was forecast.
    pub windows: usize,
    /// Timesteps that are forecast after each.
    pub horizon: usize,
    /// Of each column that is forecast.
    pub columns: Vec<ColumnScores>,
}

/// How good the forecasts of one column are, over all timesteps that are forecast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnScores {
    /// The column.
    pub column: String,
    /// Of the network.
    pub network: Errors,
    /// If the last value of a window always stayed.
    pub last_value: Errors,
    /// If the mean of a window always came.
    pub window_mean: Errors,
}

/// How far forecasts are off, in the unit of their column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// The mean absolute error, MAE.
    pub mae: f64,
    /// The root of the mean squared error, RMSE.
    pub rmse: f64,
}

/// What came, what was forecast and what was before, window after window: the next timestep of the first column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stretch {
    /// The column.
    pub column: String,
    /// What came.
    pub truth: Vec<f64>,
    /// What the network forecast.
    pub forecast: Vec<f64>,
}

impl ColumnScores {
    /// The better one of the two that need no network, by name.
    pub fn baseline(&self) -> (&'static str, Errors) {
        match self.last_value.rmse <= self.window_mean.rmse {
            true => ("the last value", self.last_value),
            false => ("the window's mean", self.window_mean),
        }
    }

    /// Whether both errors of the network are smaller than those of [`baseline`](Self::baseline).
    pub fn beats_baselines(&self) -> bool {
        let (_, baseline) = self.baseline();
        self.network.rmse < baseline.rmse && self.network.mae < baseline.mae
    }
}

/// Sums of errors.
#[derive(Clone, Copy, Default)]
struct Sums {
    absolute: f64,
    squared: f64,
}

impl Sums {
    fn add(&mut self, forecast: f64, truth: f64) {
        self.absolute += (forecast - truth).abs();
        self.squared += (forecast - truth).powi(2);
    }

    fn errors(self, count: f64) -> Errors {
        Errors {
            mae: self.absolute / count,
            rmse: (self.squared / count).sqrt(),
        }
    }
}

/// Tests a network that forecasts, which `config` describes, on examples whose targets are known; with what it
/// forecast of the first of them. `done` hears the number of batches behind and in all.
///
/// # Errors
/// If the device fails, or drops work, or the network can't read the examples, or an answer is no finite number.
pub fn test(
    network: &impl Answers,
    config: &RunConfig,
    encoder: &Encoder,
    examples: &[Example],
    device: &Device,
    done: &mut dyn FnMut(usize, usize),
) -> Result<(TestResult, Option<Stretch>)> {
    let (objective, batching) = (config.objective(), config.batching());
    let (outputs, evaluation) = evaluate(network, objective, examples, &batching, device, done)?;
    ensure_finite(&outputs)?;
    let scores = scores(config, encoder, examples, &outputs).map(Scores::Forecast);
    let tested = TestResult { evaluation, scores };
    Ok((tested, stretch(config, encoder, examples, &outputs)))
}

/// Scores the network's outputs for examples whose targets are known; none if nothing is forecast.
pub fn scores(
    config: &RunConfig,
    encoder: &Encoder,
    examples: &[Example],
    outputs: &[Vec<f32>],
) -> Option<ForecastScores> {
    let forecast = Forecast::of(config, encoder)?;
    let count = forecast.columns.len();
    let mut sums = vec![[Sums::default(); 3]; count];
    let mut windows = 0;
    for (example, output) in examples.iter().zip(outputs) {
        let Some(Target::Values(target)) = &example.target else {
            continue;
        };
        windows += 1;
        let before: Vec<_> = (0..count)
            .map(|column| forecast.before(example, column))
            .collect();
        for (place, (&output, &truth)) in output.iter().zip(target).enumerate() {
            let (last, mean) = before[place % count];
            let truth = forecast.number(truth, place);
            let all = [forecast.number(output, place), last, mean];
            for (sums, forecast) in sums[place % count].iter_mut().zip(all) {
                sums.add(forecast, truth);
            }
        }
    }
    let horizon = config.dataset.horizon.unwrap_or(1);
    let all = (windows * horizon).max(1) as f64;
    let columns = forecast.columns.iter().zip(sums);
    let columns = columns.map(|((name, _), [network, last, mean])| ColumnScores {
        column: (*name).clone(),
        network: network.errors(all),
        last_value: last.errors(all),
        window_mean: mean.errors(all),
    });
    Some(ForecastScores {
        windows,
        horizon,
        columns: columns.collect(),
    })
}

/// The first windows of examples, to be drawn; none if nothing is forecast.
pub fn stretch(
    config: &RunConfig,
    encoder: &Encoder,
    examples: &[Example],
    outputs: &[Vec<f32>],
) -> Option<Stretch> {
    let forecast = Forecast::of(config, encoder)?;
    let mut stretch = Stretch {
        column: forecast.columns.first()?.0.clone(),
        ..Stretch::default()
    };
    for (example, output) in examples.iter().zip(outputs).take(STRETCH) {
        if let (Some(Target::Values(target)), [output, ..]) = (&example.target, &output[..]) {
            stretch.truth.push(forecast.number(*target.first()?, 0));
            stretch.forecast.push(forecast.number(*output, 0));
        }
    }
    Some(stretch)
}

/// What is forecast of which columns.
struct Forecast<'a> {
    /// Their names, and their places among the numbers that are read.
    columns: Vec<(&'a String, usize)>,
    scaler: Option<&'a Scaler>,
    targets: Option<&'a Scaler>,
}

impl<'a> Forecast<'a> {
    fn of(config: &'a RunConfig, encoder: &'a Encoder) -> Option<Self> {
        let dataset = &config.dataset;
        if dataset.task != Some(SeriesTask::Forecast) {
            return None;
        }
        let place = |target| {
            dataset
                .value_columns
                .iter()
                .position(|value| value == target)
        };
        let columns = dataset
            .target_columns
            .iter()
            .map(|name| Some((name, place(name)?)));
        let columns: Option<Vec<_>> = columns.collect();
        let columns = columns.filter(|columns| !columns.is_empty())?;
        Some(Self {
            columns,
            scaler: encoder.scaler(),
            targets: encoder.target_scaler(),
        })
    }

    /// What a number of an output or of a target stands for.
    fn number(&self, number: f32, place: usize) -> f64 {
        match self.targets {
            Some(scaler) => scaler.number(number, place),
            None => number.into(),
        }
    }

    /// The last value of a column in a window and its mean, of those that are there; of none, the mean of all
    /// windows that were trained on.
    fn before(&self, example: &Example, column: usize) -> (f64, f64) {
        let place = self.columns[column].1;
        let number = |score: f32| match self.scaler {
            Some(scaler) => scaler.number(score, place),
            None => score.into(),
        };
        let Sequence::Values { width, values } = &example.input else {
            return (f64::NAN, f64::NAN);
        };
        let masked = self.scaler.is_some_and(Scaler::reads_missing);
        let is_there = |timestep: &&[f32]| !masked || timestep[width / 2 + place] == 0.0;
        let there = values.chunks(*width).filter(is_there);
        let there: Vec<f64> = there.map(|timestep| number(timestep[place])).collect();
        match there.last() {
            Some(last) => (*last, there.iter().sum::<f64>() / there.len() as f64),
            None => (number(0.0), number(0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatefold_data::{Content, Dataset, EncodedDataset, Record, encode_all};

    use super::*;

    /// Windows of a series, with a second column that is not forecast, and what comes in the two steps after them.
    fn record(window: &[f32], next: [f32; 2]) -> Record {
        let values = window
            .iter()
            .flat_map(|&value| [7.0 * value, value])
            .collect();
        Record {
            content: Content::Sequence(Sequence::Values { width: 2, values }),
            target: Target::Values(next.to_vec()),
        }
    }

    fn config() -> RunConfig {
        let mut config = RunConfig::default();
        config.dataset.task = Some(SeriesTask::Forecast);
        config.dataset.value_columns = ["other", "load"].map(String::from).to_vec();
        config.dataset.target_columns = vec!["load".into()];
        config.dataset.horizon = Some(2);
        config
    }

    #[test]
    fn errors_are_in_the_unit_of_the_data() {
        let dataset = Dataset {
            train: vec![
                record(&[100.0, 200.0], [300.0, 400.0]),
                record(&[200.0, 300.0], [400.0, 500.0]),
            ],
            validation: vec![record(&[0.0, 100.0], [200.0, 300.0])],
            test: vec![
                record(&[300.0, 400.0], [500.0, 600.0]),
                record(&[0.0, 50.0], [40.0, 60.0]),
            ],
            scale_targets: true,
            ..Dataset::default()
        };
        let config = config();
        let data = EncodedDataset::new(&dataset, &config.encoding()).unwrap();
        assert_eq!(data.train[0].target, Some(Target::Values(vec![-1.0, -1.0])));
        // The network always answers 0: the mean of what it was trained on, 350 and 450.
        let outputs = vec![vec![0.0, 0.0]; 2];
        let scores = scores(&config, &data.encoder, &data.test, &outputs).unwrap();
        assert_eq!(
            (scores.windows, scores.horizon, scores.columns.len()),
            (2, 2, 1)
        );
        let column = &scores.columns[0];
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-3, "{found} {expected}")
        };
        close(column.network.mae, (150.0 + 150.0 + 310.0 + 390.0) / 4.0);
        close(column.last_value.mae, (100.0 + 200.0 + 10.0 + 10.0) / 4.0);
        close(column.window_mean.mae, (150.0 + 250.0 + 15.0 + 35.0) / 4.0);
        close(column.last_value.rmse, (50_200.0_f64 / 4.0).sqrt());
        assert_eq!(column.baseline().0, "the last value");
        assert!(!column.beats_baselines());
        let stretch = stretch(&config, &data.encoder, &data.test, &outputs).unwrap();
        close(stretch.truth[1], 40.0);
        close(stretch.forecast[1], 350.0);
    }

    #[test]
    fn what_is_missing_is_no_last_value() {
        let window = |there: &[Option<f32>]| {
            let timestep = |value: &Option<f32>| match value {
                Some(value) => [7.0, *value, 0.0, 0.0],
                None => [7.0, f32::NAN, 0.0, 1.0],
            };
            Record {
                content: Content::Sequence(Sequence::Values {
                    width: 4,
                    values: there.iter().flat_map(timestep).collect(),
                }),
                target: Target::Values(vec![2.0, 2.0]),
            }
        };
        let dataset = Dataset {
            train: vec![
                window(&[Some(1.0), Some(3.0), None]),
                window(&[None, Some(2.0)]),
            ],
            validation: vec![window(&[Some(1.0)])],
            test: vec![window(&[Some(4.0), Some(6.0), None])],
            missing: true,
            scale_targets: true,
            ..Dataset::default()
        };
        let config = config();
        let data = EncodedDataset::new(&dataset, &config.encoding()).unwrap();
        let Sequence::Values { values, .. } = &data.train[0].input else {
            panic!()
        };
        // The missing number is the mean of those that are there, and marked.
        assert_eq!(values[8..12], [0.0, 0.0, 0.0, 1.0]);
        let found = scores(&config, &data.encoder, &data.test, &[vec![0.0, 0.0]]).unwrap();
        let column = &found.columns[0];
        assert!((column.last_value.mae - 4.0).abs() < 1e-5, "{column:?}");
        assert!((column.window_mean.mae - 3.0).abs() < 1e-5, "{column:?}");
        let again = encode_all(&dataset.test, &data.encoder, None, 256).unwrap();
        assert_eq!(again, data.test);
        let mut no_forecast = config;
        no_forecast.dataset.task = None;
        assert_eq!(
            scores(&no_forecast, &data.encoder, &data.test, &[vec![0.0, 0.0]]),
            None
        );
    }
}
