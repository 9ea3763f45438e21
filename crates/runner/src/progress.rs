//! How long work shows itself: a bar with rate and time left on a terminal, a line now and then
//! elsewhere.

use std::time::{Duration, Instant};

use gatefold_data::{LoadProgress, Unit};
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::say;
use crate::terminal::within_line;

/// How often work speaks where there is no terminal.
const SPEAK_EVERY: Duration = Duration::from_secs(10);

/// The progress of some work, on standard error.
pub struct Bar {
    bar: ProgressBar,
    what: String,
    start: Instant,
    spoken: Instant,
}

impl Bar {
    /// `what` is being done, counted in `unit`: `bytes`, `steps`, …
    pub fn new(what: &str, unit: &str) -> Self {
        let (count, rate) = match unit {
            "bytes" => (
                "{binary_bytes}/{binary_total_bytes}".into(),
                "{binary_bytes_per_sec}",
            ),
            _ => (format!("{{human_pos}}/{{human_len}} {unit}"), "{rate}"),
        };
        let template =
            format!("{{prefix}} [{{bar:12}}] {count}, {rate}, {{eta}} left {{wide_msg}}");
        // Indicatif's own rate has four digits behind the point: too many for 80 columns.
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.1}/s", state.per_sec());
        };
        let style = ProgressStyle::with_template(&template)
            .expect("the template is fixed")
            .with_key("rate", rate);
        let mut bar = Self {
            bar: ProgressBar::new(0).with_style(style.progress_chars("=> ")),
            what: String::new(),
            start: Instant::now(),
            spoken: Instant::now(),
        };
        bar.restart(what);
        bar
    }

    /// Something else begins.
    pub fn restart(&mut self, what: &str) {
        self.what = within_line(what).into_owned();
        self.start = Instant::now();
        self.spoken = Instant::now();
        self.bar.reset();
        self.bar.set_message("");
        self.bar.set_prefix(self.what.clone());
    }

    /// `done` of `total` is behind.
    pub fn update(&mut self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        if self.bar.is_hidden() && self.spoken.elapsed() >= SPEAK_EVERY && done > 0 {
            self.spoken = Instant::now();
            let left = total.saturating_sub(done) as f64 / done as f64;
            say!(
                "{}: {} %, {:#} left",
                self.what,
                100 * done / total.max(1),
                HumanDuration(self.start.elapsed().mul_f64(left))
            );
        }
    }

    /// What to show behind the bar.
    pub fn message(&self, message: String) {
        self.bar.set_message(within_line(&message).into_owned());
    }

    /// A line for people, above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| say!("{line}"));
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Shows the reading of `what` until it is done.
pub fn reading(what: &str) -> impl FnMut(LoadProgress) {
    let mut bar: Option<Bar> = None;
    let what = format!("reading {what}");
    move |progress| {
        let unit = match progress.unit {
            Unit::Bytes => "bytes",
            Unit::Files => "files",
            Unit::Examples => "examples",
        };
        let bar = bar.get_or_insert_with(|| Bar::new(&what, unit));
        bar.update(progress.done, progress.total);
        if progress.done >= progress.total {
            bar.finish();
        }
    }
}
