//! A training under way.

use gatefold_training::{EpochMetrics, RunConfig};

use super::cell_color;
use super::page::figures;
use super::plots::{Line, Plot, Scale};
use crate::error::Result;

/// Where a training stood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Steps behind.
    pub step: f64,
    /// Mean loss of the training examples since the point before.
    pub loss: f64,
    /// Share of them answered rightly, if there is one.
    pub accuracy: Option<f64>,
}

/// A training under way, for a page of the reports' [style](super::STYLE): the loss, and the accuracy where there is
/// one, by training steps, of which an epoch has `steps`.
///
/// # Errors
/// If a template is wrong.
pub fn learning_part(
    config: &RunConfig,
    steps: usize,
    so_far: &[Point],
    epochs: &[EpochMetrics],
) -> Result<String> {
    let validated = |epoch: &EpochMetrics| Point {
        step: (epoch.epoch * steps) as f64,
        loss: epoch.validation_loss,
        accuracy: epoch.validation_accuracy,
    };
    let validated: Vec<Point> = epochs.iter().map(validated).collect();
    let plot = |title: &str, label, value: fn(&Point) -> Option<f64>| {
        let line = |name: &str, dashed, points: &[Point]| {
            let points = points
                .iter()
                .filter_map(|point| Some((point.step, value(point)?)));
            Line {
                name: name.into(),
                color: cell_color(config.model.cell),
                dashed,
                points: points.collect(),
            }
        };
        Plot {
            title: title.into(),
            note: String::new(),
            x: "steps",
            names: Vec::new(),
            y: (label, Scale::Linear),
            lines: vec![
                line("training", true, so_far),
                line("validation", false, &validated),
            ],
        }
    };
    let mut plots = vec![plot("Loss", "loss", |point| Some(point.loss))];
    if config.objective().has_accuracy() {
        plots.push(plot("Accuracy", "accuracy", |point| point.accuracy));
    }
    Ok(figures(plots)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_training_is_drawn_by_its_steps_with_the_epochs_that_are_done() {
        let point = |step, loss| Point {
            step,
            loss,
            accuracy: Some(0.5),
        };
        let epoch = EpochMetrics {
            epoch: 1,
            train_loss: 0.6,
            train_accuracy: Some(0.5),
            validation_loss: 0.7,
            validation_accuracy: Some(0.6),
            validation_f1: None,
            seconds: 1.0,
        };
        let config = RunConfig::default();
        let begun = learning_part(&config, 100, &[], &[]).unwrap();
        assert!(begun.contains("nothing to plot"), "{begun}");
        let part = learning_part(
            &config,
            100,
            &[point(40.0, 0.8), point(80.0, 0.7)],
            &[epoch],
        )
        .unwrap();
        assert_eq!(part.matches("role=\"img\"").count(), 2, "{part}");
        assert!(part.contains(">100</text>"), "{part}");
        assert!(part.contains("validation"), "{part}");
    }
}
