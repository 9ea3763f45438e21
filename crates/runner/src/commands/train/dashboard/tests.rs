use std::cell::Cell;
use std::io::{Error, Result};
use std::rc::Rc;

use ratatui::backend::{ClearType, TestBackend, WindowSize};
use ratatui::buffer::Cell as BufferCell;
use ratatui::layout::{Position, Size};

use super::*;

fn run() -> Run {
    Run {
        name: "imdb-lstm-1".into(),
        device: "CPU (2 threads)".into(),
        network: "lstm 64, 184 961 parameters".into(),
        epochs: 5,
        noun: "reviews",
        has_accuracy: true,
        keep: Keep::Loss,
        resume: String::new(),
    }
}

fn dashboard(width: u16, height: u16, run: Run) -> Dashboard<TestBackend> {
    let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    Dashboard::new(terminal, None, run, Theme::new(true))
}

fn step(epoch: usize, step: usize, loss: f64) -> Step {
    Step {
        epoch,
        step,
        steps: 10,
        learning_rate: 1e-3,
        loss: Some(loss),
        accuracy: Some(0.875),
        examples: 128,
    }
}

fn epoch(epoch: usize, loss: f64) -> EpochMetrics {
    EpochMetrics {
        epoch,
        train_loss: loss,
        train_accuracy: Some(0.9),
        validation_loss: loss,
        validation_accuracy: Some(0.8125),
        validation_f1: None,
        seconds: 4.2,
    }
}

/// One whole epoch, and half of another.
fn under_way(width: u16, height: u16) -> Dashboard<TestBackend> {
    let mut dashboard = dashboard(width, height, run());
    let start = Instant::now();
    let at = |step: usize| start + Duration::from_millis(20 * step as u64);
    let state = &mut dashboard.state;
    for i in 1..=10 {
        state.step(step(1, i, 0.7 - 0.02 * i as f64), at(i));
    }
    state.evaluating(1, 2, at(11));
    state.epoch(&epoch(1, 0.4375), true);
    state.message("checkpoint saved".into());
    for i in 1..=5 {
        state.step(step(2, i, 0.4321), at(20 + i));
    }
    dashboard
}

/// What is on the screen, a line for each row.
fn screen(dashboard: &mut Dashboard<TestBackend>) -> String {
    dashboard.draw();
    let buffer = dashboard.terminal.as_ref().unwrap().backend().buffer();
    let width = usize::from(buffer.area.width.max(1));
    let rows = buffer.content().chunks(width);
    rows.map(|row| row.iter().map(BufferCell::symbol).collect::<String>() + "\n")
        .collect()
}

fn assert_shows(screen: &str, all: &[&str]) {
    for what in all {
        assert!(screen.contains(what), "no {what:?} in\n{screen}");
    }
}

#[test]
fn a_terminal_of_any_usual_size_shows_all() {
    for (width, height) in [(80, 24), (200, 50), (132, 30)] {
        let screen = screen(&mut under_way(width, height));
        assert_shows(
            &screen,
            &[
                "imdb-lstm-1",
                "lstm 64, 184 961 parameters · CPU (2 threads)",
                " loss ",
                " accuracy ",
                "━ training  • validation",
                "epoch 2/5",
                "50 %  step 5/10",
                "30 %",
                "00:00:00 elapsed, 00:00:00 left",
                "50.0 steps/s, 6400 reviews/s",
                "loss 0.4321   accuracy 0.8750",
                "best, epoch 1  loss 0.4375   accuracy 0.8125",
                "learning rate 1.00e-3",
                "epoch 1: validation loss 0.4375, accuracy 0.8125, best so far (4.2 s)",
                "checkpoint saved",
                " q  stop after this step and keep what there is",
                "Ctrl-C  twice: at once",
                "5 epochs",
            ],
        );
        let braille = screen.chars().filter(|c| ('⠁'..='⣿').contains(c)).count();
        assert!(braille > 4, "no curves in\n{screen}");
        // In each legend and each chart.
        assert_eq!(screen.matches('•').count(), 4, "{screen}");
    }
}

#[test]
fn a_small_terminal_has_charts_without_legend_and_messages() {
    let screen = screen(&mut under_way(40, 12));
    assert_shows(
        &screen,
        &[
            "imdb-lstm-1",
            "CPU (2 threads)",
            "╭ loss ─",
            "╭ accuracy ─",
            "loss 0.4321   accuracy 0.8750",
            "best: 1  loss 0.4375   accuracy 0.8125",
            "epoch 2/5",
            "30 %",
            "left",
            " q  stop",
        ],
    );
}

#[test]
fn a_tiny_terminal_has_a_short_text() {
    let screen = screen(&mut under_way(30, 8));
    assert_shows(
        &screen,
        &[
            "imdb-lstm-1",
            "CPU (2 threads)",
            "epoch 2/5, 30 %",
            "loss 0.4321",
            "accuracy 0.8750",
            "00:00:00 left",
            "q: stop, keep what there is",
        ],
    );
}

#[test]
fn every_size_and_any_values_can_be_drawn() {
    let values = [
        0.5,
        f64::NAN,
        f64::INFINITY,
        -f64::INFINITY,
        f64::MAX,
        f64::MIN,
        0.0,
        -0.0,
        1e-300,
    ];
    let long = Run {
        name: "x".repeat(300),
        device: "Gerät 設備 ".repeat(40),
        network: "\u{1b}[31m\n".repeat(40),
        epochs: 1,
        noun: "reviews",
        has_accuracy: true,
        keep: Keep::Loss,
        resume: String::new(),
    };
    for (width, height) in (0..60).map(|i| (i * 7 % 211, i * 5 % 61)) {
        for run in [run(), long.clone()] {
            let mut dashboard = dashboard(width, height, run);
            screen(&mut dashboard);
            for (i, value) in values.into_iter().enumerate() {
                dashboard.step(step(1, i, value));
                dashboard.evaluating(i, 3);
                dashboard.message(&"long ".repeat(100));
                screen(&mut dashboard);
                dashboard.epoch(&epoch(i, value), true);
                screen(&mut dashboard);
            }
        }
    }
}

#[test]
fn a_loss_that_is_no_number_is_shown_as_such() {
    let mut dashboard = under_way(80, 24);
    dashboard.step(step(2, 6, f64::NAN));
    assert_shows(&screen(&mut dashboard), &["loss NaN", "accuracy 0.8750"]);
}

#[test]
fn before_the_first_step_there_is_a_frame_to_fill() {
    let mut dashboard = dashboard(80, 24, run());
    assert_shows(
        &screen(&mut dashboard),
        &[
            "epoch 1/5",
            "before the first step",
            "time left unknown",
            "no epoch validated yet",
        ],
    );
}

#[test]
fn validation_and_test_are_told_apart() {
    let mut dashboard = under_way(80, 24);
    dashboard.evaluating(3, 4);
    assert_shows(&screen(&mut dashboard), &["validation ", "75 %  batch 3/4"]);
    dashboard.epoch(&epoch(2, 0.5), false);
    dashboard.evaluating(1, 4);
    assert_shows(&screen(&mut dashboard), &["testing", "best, epoch 1"]);
}

#[test]
fn a_second_training_is_counted_for_itself() {
    let mut dashboard = under_way(80, 24);
    dashboard.begin_again(2);
    assert_shows(&screen(&mut dashboard), &["again 1/2", "best, epoch 1"]);
    let start = Instant::now();
    for i in 1..=5 {
        let now = start + Duration::from_millis(20 * i as u64);
        dashboard.state.step(step(1, i, 0.3), now);
    }
    let left = dashboard.state.left().unwrap().as_millis();
    // Fifteen steps of 20 ms, and nothing is validated.
    assert!((250..=350).contains(&left), "{left}");
    assert_shows(&screen(&mut dashboard), &["again 1/2", "50 %  step 5/10"]);
    dashboard.evaluating(1, 4);
    assert_shows(&screen(&mut dashboard), &["testing"]);
}

#[test]
fn a_resumed_run_shows_its_past() {
    let mut dashboard = dashboard(80, 24, run());
    let epochs = [epoch(1, 0.5), epoch(2, 0.25), epoch(3, f64::NAN)];
    dashboard.resume_from(&epochs, 3661.0);
    let before = screen(&mut dashboard);
    assert_shows(
        &before,
        &[
            "epoch 4/5",
            "60 %",
            "best, epoch 2  loss 0.2500",
            "01:01:01 elapsed",
        ],
    );
    dashboard.step(step(4, 5, 0.2));
    assert_shows(&screen(&mut dashboard), &["epoch 4/5", "70 %"]);
}

#[test]
fn the_time_left_is_that_of_steps_and_evaluations() {
    let mut state = State::new(run());
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    // The first step compiles for 100 s, the others take 2 s each.
    for i in 1..=10 {
        state.step(step(1, i, 0.5), at(100 + 2 * i as u64));
    }
    assert_eq!(state.rates(), Some((0.5, 64.0)));
    assert_eq!(state.left(), Some(Duration::from_secs(4 * 10 * 2)));
    // A quarter of the validation takes 3 s.
    state.evaluating(1, 4, at(123));
    assert_eq!(state.left(), Some(Duration::from_secs(9 + 4 * (20 + 12))));
    state.epoch(&epoch(1, 0.5), true);
    assert_eq!(state.left(), Some(Duration::from_secs(4 * (20 + 12))));
}

#[test]
fn q_stops_and_control_c_twice_stops_at_once() {
    let key = |c, modifiers| KeyEvent::new(KeyCode::Char(c), modifiers);
    let q = key('q', KeyModifiers::NONE);
    let control_c = key('c', KeyModifiers::CONTROL);
    let after = |keys: &[KeyEvent]| keys.iter().fold(Wish::Continue, Wish::after);
    assert_eq!(after(&[q]), Wish::Stop);
    assert_eq!(after(&[key('Q', KeyModifiers::SHIFT)]), Wish::Stop);
    assert_eq!(after(&[q, q]), Wish::Stop);
    assert_eq!(after(&[control_c]), Wish::Interrupt);
    assert_eq!(after(&[control_c, q]), Wish::Interrupt);
    assert_eq!(after(&[control_c, control_c]), Wish::StopNow);
    assert_eq!(after(&[q, control_c]), Wish::StopNow);
    assert_eq!(after(&[control_c, control_c, q]), Wish::StopNow);
    assert_eq!(after(&[key('c', KeyModifiers::NONE)]), Wish::Continue);
    let release = KeyEvent::new_with_kind(
        KeyCode::Char('q'),
        KeyModifiers::NONE,
        KeyEventKind::Release,
    );
    assert_eq!(after(&[release]), Wish::Continue);
}

#[test]
fn the_screen_says_what_was_asked_for() {
    let mut dashboard = under_way(80, 24);
    dashboard.state.wish = Wish::Stop;
    assert_shows(
        &screen(&mut dashboard),
        &["stopping after this step", "Ctrl-C  stop at once"],
    );
}

#[test]
fn without_colours_there_are_none() {
    let terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let mut dashboard = Dashboard::new(terminal, None, run(), Theme::new(false));
    dashboard.step(step(1, 1, 0.5));
    dashboard.epoch(&epoch(1, 0.5), true);
    dashboard.draw();
    let buffer = dashboard.terminal.as_ref().unwrap().backend().buffer();
    let plain = |cell: &BufferCell| cell.fg == ratatui::style::Color::Reset && cell.bg == cell.fg;
    assert!(buffer.content().iter().all(plain));
}

/// A terminal that is gone from the second frame on.
struct Gone {
    frames: Rc<Cell<usize>>,
}

impl Gone {
    fn answer(&self) -> Result<()> {
        match self.frames.get() {
            0..=1 => Ok(()),
            _ => Err(Error::other("gone")),
        }
    }
}

impl Backend for Gone {
    type Error = Error;

    fn draw<'a, I>(&mut self, _: I) -> Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a BufferCell)>,
    {
        self.frames.set(self.frames.get() + 1);
        self.answer()
    }

    fn hide_cursor(&mut self) -> Result<()> {
        self.answer()
    }

    fn show_cursor(&mut self) -> Result<()> {
        self.answer()
    }

    fn get_cursor_position(&mut self) -> Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _: P) -> Result<()> {
        self.answer()
    }

    fn clear(&mut self) -> Result<()> {
        self.answer()
    }

    fn clear_region(&mut self, _: ClearType) -> Result<()> {
        self.answer()
    }

    fn size(&self) -> Result<Size> {
        Ok(Size::new(80, 24))
    }

    fn window_size(&mut self) -> Result<WindowSize> {
        unreachable!("no picture is drawn")
    }

    fn flush(&mut self) -> Result<()> {
        self.answer()
    }
}

#[test]
fn training_goes_on_without_its_terminal() {
    let frames = Rc::new(Cell::new(0));
    let terminal = Terminal::new(Gone {
        frames: frames.clone(),
    })
    .unwrap();
    let mut dashboard = Dashboard::new(terminal, None, run(), Theme::new(true));
    for i in 1..=3 {
        dashboard.step(step(1, i, 0.5));
        dashboard.due = Instant::now();
        assert_eq!(dashboard.wish(), Wish::Continue);
    }
    assert_eq!(
        frames.get(),
        2,
        "one frame drawn, one failed, none after that"
    );
}

#[test]
fn frames_are_drawn_when_they_are_due() {
    let mut dashboard = dashboard(80, 24, run());
    let count = |dashboard: &mut Dashboard<TestBackend>| {
        dashboard.terminal.as_mut().unwrap().get_frame().count()
    };
    let before = count(&mut dashboard);
    dashboard.due = Instant::now() + Duration::from_secs(60);
    for i in 1..=1000 {
        dashboard.step(step(1, i, 0.5));
        dashboard.wish();
    }
    assert_eq!(count(&mut dashboard), before);
    dashboard.due = Instant::now();
    dashboard.wish();
    assert_eq!(count(&mut dashboard), before + 1);
}
