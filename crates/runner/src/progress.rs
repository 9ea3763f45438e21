//! How long work shows itself: a bar with rate and time left on a terminal, nothing elsewhere.

use gatefold_data::{Progress, Unit};
use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, hidden where that is no terminal.
pub fn bar(total: u64, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("templates here are fixed");
    ProgressBar::new(total).with_style(style.progress_chars("=> "))
}

/// Shows the reading of `what` until it is done.
pub fn reading(what: &str) -> impl FnMut(Progress) {
    let mut bar: Option<ProgressBar> = None;
    let what = what.to_string();
    move |progress| {
        let bar = bar.get_or_insert_with(|| {
            let (count, rate) = match progress.unit {
                Unit::Bytes => (
                    "{binary_bytes}/{binary_total_bytes}",
                    "{binary_bytes_per_sec}",
                ),
                Unit::Files | Unit::Reviews => ("{human_pos}/{human_len}", "{per_sec}"),
            };
            let template = format!("{{prefix}} [{{bar:30}}] {count}, {rate}, {{eta}} left");
            self::bar(progress.total, &template).with_prefix(what.clone())
        });
        bar.set_length(progress.total);
        bar.set_position(progress.done);
        if progress.done >= progress.total {
            bar.finish_and_clear();
        }
    }
}

/// A line for people, above a bar that may be there.
pub fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| eprintln!("{line}"));
}
