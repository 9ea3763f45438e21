//! The learning rate, as a function of the step alone: a resumed run needs no memory of it.

use std::f64::consts::PI;

use crate::config::{Schedule, TrainingConfig};

/// The learning rate of the step that has `step` steps before it, of `steps` in the whole run.
///
/// It grows linearly over the warm-up; after it, a cosine falls to 0 at the end:
/// η/2 (1 + cos(π (step - warm_up) / (steps - warm_up))), or a line: η (1 - (step - warm_up) / (steps - warm_up)).
pub fn learning_rate(config: &TrainingConfig, step: usize, steps: usize) -> f64 {
    let full = warmed_up(config.learning_rate, step, config.warm_up);
    let behind = step.saturating_sub(config.warm_up);
    let share = behind as f64 / steps.saturating_sub(config.warm_up).max(1) as f64;
    let share = share.min(1.0);
    match config.schedule {
        Schedule::Constant => full,
        Schedule::Cosine => full / 2.0 * (1.0 + (PI * share).cos()),
        Schedule::Linear => full * (1.0 - share),
    }
}

/// What grows linearly to `full` over a warm-up, at the step that has `step` steps before it.
pub(crate) fn warmed_up(full: f64, step: usize, warm_up: usize) -> f64 {
    // As floats: a warm-up may be any number of steps.
    match step < warm_up {
        true => full * (step as f64 + 1.0) / (warm_up as f64 + 1.0),
        false => full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(schedule: Schedule, warm_up: usize) -> TrainingConfig {
        TrainingConfig {
            learning_rate: 0.1,
            schedule,
            warm_up,
            ..TrainingConfig::default()
        }
    }

    #[test]
    fn a_constant_rate_stays() {
        let config = config(Schedule::Constant, 0);
        assert!((0..10).all(|step| learning_rate(&config, step, 10) == 0.1));
    }

    #[test]
    fn a_cosine_and_a_line_warm_up_and_fall_to_nothing() {
        for schedule in [Schedule::Cosine, Schedule::Linear] {
            falls(&config(schedule, 4));
        }
    }

    fn falls(config: &TrainingConfig) {
        let rates: Vec<f64> = (0..=24)
            .map(|step| learning_rate(config, step, 24))
            .collect();
        assert!(rates[..=4].is_sorted() && rates[0] > 0.0);
        assert_eq!(rates[4], 0.1);
        assert!((rates[14] - 0.05).abs() < 1e-12, "half way: {}", rates[14]);
        assert!(rates[4..].is_sorted_by(|a, b| a >= b));
        assert!(rates[24] < 1e-12);
    }

    #[test]
    fn no_count_of_steps_takes_the_rate_out_of_its_range() {
        for schedule in [Schedule::Constant, Schedule::Cosine, Schedule::Linear] {
            for warm_up in [0, 1, usize::MAX - 1, usize::MAX] {
                for step in [0, 1, usize::MAX - 1, usize::MAX] {
                    for steps in [0, 1, usize::MAX] {
                        let rate = learning_rate(&config(schedule, warm_up), step, steps);
                        assert!(
                            (0.0..=0.1).contains(&rate),
                            "{schedule:?} {warm_up} {step} {steps}: {rate}"
                        );
                    }
                }
            }
        }
    }
}
