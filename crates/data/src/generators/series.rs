//! Tables of series to try things with: one to forecast, one to classify, one to tag.

use std::f32::consts::TAU;
use std::fmt::Write;

use crate::random::{ChaCha8Rng, below, generator, unit};
use crate::series::SeriesTask;

/// Hours of the series to forecast.
const HOURS: usize = 2400;
/// Recordings to classify, and to tag.
const RECORDINGS: usize = 300;

impl SeriesTask {
    /// A table for this task, as CSV, from a seed:
    ///
    /// - to forecast: `time,load,temperature`, an hour a row. The load follows the day, the week and the temperature.
    /// - to classify: `recording,gesture,x,y`, where a device was moved in a circle, shaken, or swiped.
    /// - to tag: `recording,state,acceleration`, of somebody who rests, walks and runs.
    pub fn table(self, seed: u64) -> String {
        let rng = &mut generator(*b"series\0\0", seed, self as u64);
        match self {
            Self::Forecast => loads(rng),
            Self::Classify => gestures(rng),
            Self::Tag => states(rng),
        }
    }
}

/// Noise around 0, of up to `size`.
fn noise(size: f32, rng: &mut ChaCha8Rng) -> f32 {
    size * (unit(rng) + unit(rng) - 1.0)
}

fn row(table: &mut String, row: std::fmt::Arguments) {
    // Writing to a text does not fail.
    let _ = writeln!(table, "{row}");
}

fn loads(rng: &mut ChaCha8Rng) -> String {
    let mut table = String::from("time,load,temperature\n");
    let mut weather = 0.0;
    for hour in 0..HOURS {
        let day = TAU * (hour % 24) as f32 / 24.0;
        let is_weekend = hour / 24 % 7 >= 5;
        weather = 0.98 * weather + noise(1.2, rng);
        let temperature = 12.0 + weather - 5.0 * (day + 0.8).cos();
        let people = 60.0 - 25.0 * day.cos() - 10.0 * (2.0 * day).cos();
        let people = if is_weekend { 0.7 * people } else { people };
        let load = 200.0 + people - 1.5 * temperature + noise(4.0, rng);
        row(
            &mut table,
            format_args!("{hour},{load:.2},{temperature:.2}"),
        );
    }
    table
}

fn gestures(rng: &mut ChaCha8Rng) -> String {
    let mut table = String::from("recording,gesture,x,y\n");
    for recording in 1..=RECORDINGS {
        let gesture = ["circle", "shake", "swipe"][below(3, rng)];
        let length = 25 + below(26, rng);
        let (size, phase) = (0.6 + 0.8 * unit(rng), TAU * unit(rng));
        let turns = 1.0 + unit(rng);
        for timestep in 0..length {
            let share = timestep as f32 / length as f32;
            let angle = phase + TAU * turns * share;
            let (x, y) = match gesture {
                "circle" => (size * angle.cos(), size * angle.sin()),
                "shake" => (size * (4.0 * angle).sin(), 0.2 * (4.0 * angle).sin()),
                _ => (size * (2.0 * share - 1.0), 0.2 * phase.sin()),
            };
            let (x, y) = (x + noise(0.3, rng), y + noise(0.3, rng));
            row(
                &mut table,
                format_args!("{recording},{gesture},{x:.3},{y:.3}"),
            );
        }
    }
    table
}

fn states(rng: &mut ChaCha8Rng) -> String {
    let mut table = String::from("recording,state,acceleration\n");
    for recording in 1..=RECORDINGS {
        let mut state = below(3, rng);
        let mut phase = 0.0;
        for _ in 0..60 {
            if below(15, rng) == 0 {
                state = (state + 1 + below(2, rng)) % 3;
            }
            let (name, speed, size) =
                [("rest", 0.0, 0.0), ("walk", 0.9, 1.0), ("run", 1.9, 1.8)][state];
            phase += speed;
            let acceleration = 1.0 + size * f32::sin(phase) + noise(0.3, rng);
            row(
                &mut table,
                format_args!("{recording},{name},{acceleration:.3}"),
            );
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_table_with_all_classes() {
        for (task, columns, classes) in [
            (SeriesTask::Forecast, 3, &[][..]),
            (SeriesTask::Classify, 4, &["circle", "shake", "swipe"]),
            (SeriesTask::Tag, 3, &["rest", "walk", "run"]),
        ] {
            let table = task.table(1);
            assert_eq!(table, task.table(1));
            assert_ne!(table, task.table(2));
            assert!(table.lines().all(|line| line.split(',').count() == columns));
            for class in classes {
                assert!(table.matches(class).count() > 500, "{class}");
            }
        }
    }
}
