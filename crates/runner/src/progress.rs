//! How long work shows itself: a bar with rate and time left on a terminal, a line now and then
//! elsewhere.

use std::time::{Duration, Instant};

use gatefold_data::{LoadProgress, Unit};
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::say;
use crate::terminal::{shortened, within_line};

/// How often work speaks where there is no terminal.
const SPEAK_EVERY: Duration = Duration::from_secs(10);

/// Columns of a name before the bar.
const LONGEST_NAME: usize = 34;

/// Columns of a terminal in which there is room for units and a rate.
const WIDE: u16 = 100;

/// Columns of the terminal that shows bars.
fn width() -> u16 {
    ratatui::crossterm::terminal::size().map_or(WIDE, |(width, _)| width)
}

/// How a bar that counts in `unit` looks on a terminal of `width` columns.
fn style(unit: &str, width: u16) -> ProgressStyle {
    let (count, rate) = match unit {
        "bytes" => (
            "{binary_bytes}/{binary_total_bytes}",
            "{binary_bytes_per_sec}",
        ),
        _ => ("{human_pos}/{human_len}", "{rate}"),
    };
    let (bar, more) = match width {
        0..WIDE => ("{bar:6}", String::new()),
        _ if unit == "bytes" => ("{bar:12}", format!(", {rate}")),
        _ => ("{bar:12}", format!(" {unit}, {rate}")),
    };
    let template = format!("{{prefix}} [{bar}] {count}{more}, {{eta}} left {{wide_msg}}");
    let style = ProgressStyle::with_template(&template).expect("the template is fixed");
    // Indicatif's own rate has four digits behind the point: more than anybody reads.
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    style.with_key("rate", rate).progress_chars("=> ")
}

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
        let mut bar = Self {
            bar: ProgressBar::new(0).with_style(style(unit, width())),
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
        // Its end, as a file's name behind its folders, is what tells it from others.
        self.bar
            .set_prefix(shortened(&self.what, LONGEST_NAME).into_owned());
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

#[cfg(test)]
mod tests {
    use std::io::Result;
    use std::sync::{Arc, Mutex};

    use indicatif::{ProgressDrawTarget, TermLike};

    use super::*;
    use crate::terminal::columns;

    /// A terminal of 80 columns that keeps what is written on it.
    #[derive(Clone, Debug, Default)]
    struct Written(Arc<Mutex<String>>);

    impl TermLike for Written {
        fn width(&self) -> u16 {
            80
        }
        fn write_str(&self, text: &str) -> Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn write_line(&self, line: &str) -> Result<()> {
            self.write_str(line)
        }
        fn clear_line(&self) -> Result<()> {
            self.0.lock().unwrap().clear();
            Ok(())
        }
        fn move_cursor_up(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> Result<()> {
            Ok(())
        }
        fn flush(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_narrow_terminal_shows_all_of_a_bar() {
        for (what, unit, message) in [
            ("epoch 100/100", "steps", "loss 0.693, accuracy 0.5000"),
            (
                "12/24 first-token recall 400, mingru",
                "steps",
                "loss 0.693",
            ),
            (
                &format!("reading /home/{}films.csv", "x/".repeat(60)),
                "bytes",
                "",
            ),
        ] {
            let terminal = Written::default();
            let mut bar = Bar::new(what, unit);
            bar.bar.set_style(style(unit, 80));
            bar.bar
                .set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
            bar.update(15_000, 20_000);
            bar.message(message.into());
            bar.bar.tick();
            let shown = terminal.0.lock().unwrap().trim_end().to_owned();
            assert!(
                shown.contains(" left") && shown.ends_with(message),
                "{shown:?}"
            );
            assert!(columns(&shown) <= 80, "{shown:?}");
        }
    }
}
