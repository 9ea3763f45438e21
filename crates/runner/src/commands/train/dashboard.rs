//! Training on a full screen: curves, progress and messages, drawn on standard error.
//!
//! Standard output stays free for answers. Training never fails because drawing does: once the terminal is
//! gone, nothing is drawn and no key is read.

mod chart;
mod draw;
mod history;
pub mod screen;
mod state;
#[cfg(test)]
mod tests;
mod theme;

use std::io::{BufWriter, Stderr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gatefold::device::ComputeDevice;
use gatefold::run_folder::RunFolder;
use gatefold::terminal::within_line;
use gatefold_training::EpochMetrics;
use gatefold_training::RunConfig;
use gatefold_training::config::Keep;
use ratatui::Terminal;
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::resume;
use screen::Screen;
use state::State;
use theme::Theme;

/// From one frame to the next, at least and at most.
const PAUSE: [Duration; 2] = [Duration::from_millis(125), Duration::from_secs(2)];
/// Time from one frame to the next in that of drawing: large terminals and slow lines cost training no more.
const SHARE: u32 = 100;

/// A person's terminal. Standard error alone would make a system call of every few bytes.
pub type Console = CrosstermBackend<BufWriter<Stderr>>;

/// What doesn't change during a run.
#[derive(Clone, Debug)]
pub struct Run {
    /// The run folder's name.
    pub name: String,
    /// Where it trains.
    pub device: String,
    /// What it trains: `lstm 64, 184 961 parameters`.
    pub network: String,
    /// How many there will be.
    pub epochs: usize,
    /// What the examples are called.
    pub noun: &'static str,
    /// Whether answers are right or wrong.
    pub has_accuracy: bool,
    /// What an epoch is kept for.
    pub keep: Keep,
    /// The command that goes on with it.
    pub resume: String,
}

impl Run {
    /// The run in `folder`.
    pub fn of(config: &RunConfig, selected: &ComputeDevice, folder: &RunFolder) -> Self {
        let model = &config.model;
        let parameters = config.parameters();
        Self {
            name: within_line(&folder.path().display().to_string()).into_owned(),
            device: within_line(&selected.to_string()).into_owned(),
            network: format!(
                "{} {}, {parameters} parameters",
                model.cell, model.hidden_size
            ),
            epochs: config.training.epochs,
            noun: config.dataset.noun(),
            has_accuracy: config.objective().has_accuracy(),
            keep: config.training.keep,
            resume: resume(folder),
        }
    }
}

/// Where a step stands.
#[derive(Clone, Debug)]
pub struct Step {
    /// From 1.
    pub epoch: usize,
    /// Steps behind, of this epoch.
    pub step: usize,
    /// Steps in this epoch.
    pub steps: usize,
    /// The optimizer's, in this step.
    pub learning_rate: f64,
    /// In training, as far as it is known.
    pub loss: Option<f64>,
    /// In training, as far as it is known: a share.
    pub accuracy: Option<f64>,
    /// Examples in this step's batch.
    pub examples: usize,
}

/// What the person at the keys wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// To go on.
    #[default]
    Continue,
    /// To stop after this step and keep what there is.
    Stop,
    /// The same, by Ctrl-C.
    Interrupt,
    /// To stop at once.
    StopNow,
}

impl Wish {
    /// The wish once `key` was pressed. Ctrl-C is a key here: in raw mode the terminal sends no signal.
    fn after(self, key: &KeyEvent) -> Self {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            _ if key.kind == KeyEventKind::Release => self,
            KeyCode::Char('c' | 'C') if control => match self {
                Self::Continue => Self::Interrupt,
                Self::Stop | Self::Interrupt | Self::StopNow => Self::StopNow,
            },
            KeyCode::Char('q' | 'Q') if !control && self == Self::Continue => Self::Stop,
            _ => self,
        }
    }
}

/// The full screen of a run in training. Dropped, it gives the terminal back as it was.
pub struct Dashboard<B: Backend> {
    /// None once drawing has failed.
    terminal: Option<Terminal<B>>,
    /// None in tests.
    screen: Option<Screen>,
    state: State,
    theme: Theme,
    /// When the next frame is.
    due: Instant,
}

impl Dashboard<Console> {
    /// Takes the terminal over, until this is dropped or a thread panics.
    ///
    /// # Errors
    /// If there is no terminal.
    pub fn start(run: Run) -> Result<Self> {
        let screen = Screen::enter().context("cannot draw on this terminal; use --plain")?;
        let console = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, std::io::stderr()));
        let terminal = Terminal::new(console)?;
        Ok(Self::new(
            terminal,
            Some(screen),
            run,
            Theme::of_environment(),
        ))
    }
}

impl<B: Backend> Dashboard<B> {
    fn new(terminal: Terminal<B>, screen: Option<Screen>, run: Run, theme: Theme) -> Self {
        let mut dashboard = Self {
            terminal: Some(terminal),
            screen,
            state: State::new(run),
            theme,
            due: Instant::now(),
        };
        dashboard.draw();
        dashboard
    }

    /// A resumed run's past, and the seconds that it took.
    pub fn resume_from(&mut self, epochs: &[EpochMetrics], seconds: f64) {
        self.state.resume_from(epochs, seconds);
    }

    /// A training step is behind.
    pub fn step(&mut self, step: Step) {
        self.state.step(step, Instant::now());
    }

    /// A batch of validation or test examples is behind.
    pub fn evaluating(&mut self, batch: usize, batches: usize) {
        self.state.evaluating(batch, batches, Instant::now());
    }

    /// An epoch is done.
    pub fn epoch(&mut self, metrics: &EpochMetrics, best: bool) {
        self.state.epoch(metrics, best);
    }

    /// What follows trains the network again, for so many epochs.
    pub fn begin_again(&mut self, epochs: usize) {
        self.state.begin_again(epochs);
    }

    /// A line for people.
    pub fn message(&mut self, line: &str) {
        self.state.message(within_line(line).into_owned());
    }

    /// What the person wants by now. Call it after every step and batch: it reads the keys and draws, both
    /// only when a frame is due.
    pub fn wish(&mut self) -> Wish {
        if Instant::now() >= self.due {
            self.draw();
            self.read_keys();
        }
        self.state.wish
    }

    fn draw(&mut self) {
        let start = Instant::now();
        // A panic in another thread has given the terminal back already.
        let ours = self.screen.is_none() || Screen::is_on();
        if let Some(terminal) = &mut self.terminal
            && !(ours
                && terminal
                    .draw(|frame| draw::draw(frame, &self.state, &self.theme))
                    .is_ok())
        {
            self.close();
        }
        let [least, most] = PAUSE;
        self.due = Instant::now() + (start.elapsed() * SHARE).clamp(least, most);
    }

    /// Ratatui would report a cursor that it can't show on standard error, and panic where that is gone too.
    fn close(&mut self) {
        if let Some(mut terminal) = self.terminal.take()
            && terminal.show_cursor().is_err()
        {
            std::mem::forget(terminal);
        }
    }

    /// Right after drawing, which tells whether the terminal is still there: Crossterm would read for ever
    /// from one that is gone.
    fn read_keys(&mut self) {
        if self.terminal.is_none() || self.screen.is_none() {
            return;
        }
        while let Ok(true) = event::poll(Duration::ZERO) {
            match event::read() {
                Ok(Event::Key(key)) => self.state.wish = self.state.wish.after(&key),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

impl<B: Backend> Drop for Dashboard<B> {
    fn drop(&mut self) {
        self.close();
    }
}
