//! How a training shows itself: the dashboard on a terminal, else a line an epoch.

use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::process::exit;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use gatefold::interrupt::Interrupt;
use gatefold::progress::Bar;
use gatefold::say;
use gatefold_training::EpochMetrics;
use gatefold_training::Event;

use super::dashboard::screen::{Screen, leave_for_good};
use super::dashboard::{Console, Dashboard, Run, Step, Wish};
use crate::output::accuracy;

/// As shells do for what Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The command that goes on with the run that is displayed, for an end at once.
static RESUME: Mutex<Option<String>> = Mutex::new(None);

fn set_resume(command: Option<String>) {
    *RESUME.lock().unwrap_or_else(PoisonError::into_inner) = command;
}

fn say_how_to_resume() {
    let command = RESUME.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(command) = command {
        say!(
            "stopped at once; to go on from the last checkpoint, or begin again without one: {command}"
        );
    }
}

/// Listens for signals that stop what is displayed.
///
/// # Errors
/// If the operating system lets nobody listen.
pub fn listen() -> Result<Interrupt> {
    let on_first = || {
        // The dashboard shows it.
        if !Screen::is_on() {
            say!("stopping after this step; once more stops at once");
        }
    };
    let before_exit = || {
        leave_for_good();
        say_how_to_resume();
    };
    Interrupt::listen(on_first, before_exit)
}

/// What people see of a run, and how they stop it.
pub struct Display<'a> {
    view: View,
    interrupt: &'a Interrupt,
    /// The exit code of what asked for the end.
    stopped: Option<u8>,
}

enum View {
    Dashboard {
        /// Dropped, it gives the terminal back.
        dashboard: Option<Box<Dashboard<Console>>>,
        /// For the terminal that it gives back.
        afterwards: Vec<String>,
    },
    Plain(Bar),
}

impl<'a> Display<'a> {
    /// The dashboard, if standard error is a terminal that can show it and nobody asked for `plain` lines.
    /// A signal that `interrupt` hears stops the run.
    ///
    /// # Errors
    /// If the terminal can't be taken over.
    pub fn start(run: Run, plain: bool, interrupt: &'a Interrupt) -> Result<Self> {
        let terminal = stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        set_resume(Some(run.resume.clone()));
        let view = if plain || !terminal {
            View::Plain(Bar::new("", "steps"))
        } else {
            View::Dashboard {
                dashboard: Some(Box::new(Dashboard::start(run)?)),
                afterwards: Vec::new(),
            }
        };
        Ok(Self {
            view,
            interrupt,
            stopped: None,
        })
    }

    /// Shows an event of a run of `epochs`, and says whether to go on after it.
    pub fn show(&mut self, event: Event, epochs: usize) -> ControlFlow<()> {
        let mut wish = Wish::Continue;
        match &mut self.view {
            View::Plain(bar) => show_plain(bar, event, epochs),
            View::Dashboard {
                dashboard: Some(dashboard),
                afterwards,
            } => {
                afterwards.extend(line(&event, epochs));
                show_on(dashboard, event);
                wish = dashboard.wish();
            }
            View::Dashboard { .. } => {}
        }
        let by_key = (wish == Wish::Interrupt).then_some(INTERRUPTED);
        self.stopped = self.stopped.or(self.interrupt.exit_code()).or(by_key);
        match wish {
            Wish::StopNow => {
                self.leave();
                say_how_to_resume();
                exit(INTERRUPTED.into());
            }
            Wish::Continue if self.stopped.is_none() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    /// Gives the terminal back. The exit code, if Ctrl-C or a signal asked for the end.
    pub fn finish(&mut self) -> Option<u8> {
        self.leave();
        set_resume(None);
        self.stopped
    }

    fn leave(&mut self) {
        match &mut self.view {
            View::Plain(bar) => bar.finish(),
            View::Dashboard {
                dashboard,
                afterwards,
            } => {
                drop(dashboard.take());
                afterwards.drain(..).for_each(|line| say!("{line}"));
            }
        }
    }
}

fn show_on(dashboard: &mut Dashboard<Console>, event: Event) {
    match event {
        Event::Step {
            epoch,
            step,
            steps,
            examples,
            learning_rate,
            so_far,
        } => {
            let known = so_far.examples > 0;
            dashboard.step(Step {
                epoch,
                step,
                steps,
                learning_rate,
                loss: known.then_some(so_far.loss),
                accuracy: so_far.accuracy.filter(|_| known),
                examples,
            });
        }
        Event::Evaluated { batch, batches } => dashboard.evaluating(batch, batches),
        Event::Epoch { metrics, best } => dashboard.epoch(&metrics, best),
        Event::Resumed {
            epochs, seconds, ..
        } => dashboard.resume_from(&epochs, seconds),
        other => {
            if let Event::Refitting { epochs, .. } = other {
                dashboard.begin_again(epochs);
            }
            if let Some(line) = line(&other, 0) {
                dashboard.message(&line);
            }
        }
    }
}

fn show_plain(bar: &mut Bar, event: Event, epochs: usize) {
    if let Some(line) = line(&event, epochs) {
        bar.say(&line);
    }
    match event {
        Event::Step {
            epoch,
            step,
            steps,
            so_far,
            ..
        } => {
            if step == 1 {
                bar.restart(&format!("epoch {epoch}/{epochs}"));
            }
            bar.update(step as u64, steps as u64);
            if so_far.examples > 0 {
                bar.message(format!(
                    "loss {:.3}{}",
                    so_far.loss,
                    accuracy(so_far.accuracy)
                ));
            }
        }
        Event::Evaluated { batch, batches } => {
            if batch == 1 {
                bar.restart("evaluating");
            }
            bar.update(batch as u64, batches as u64);
        }
        _ => {}
    }
}

/// What stays to be read of an event.
fn line(event: &Event, epochs: usize) -> Option<String> {
    match event {
        Event::Epoch { metrics, best } => Some(epoch_line(metrics, *best, epochs)),
        Event::Resumed { epoch, step, .. } => {
            Some(format!("going on in epoch {epoch} after {step} steps"))
        }
        Event::Message(text) => Some(text.clone()),
        Event::Refitting {
            examples,
            epochs,
            done,
        } => Some(format!(
            "training again on all {examples} examples, from the first weights on: {} epochs{}",
            epochs,
            match done {
                0 => String::new(),
                done => format!(", of which {done} are done"),
            }
        )),
        Event::Refitted {
            epoch,
            train_loss,
            train_accuracy,
        } => Some(format!(
            "epoch {epoch} on all: loss {train_loss:.4}{}",
            accuracy(*train_accuracy)
        )),
        _ => None,
    }
}

fn epoch_line(metrics: &EpochMetrics, best: bool, epochs: usize) -> String {
    format!(
        "epoch {}/{epochs}: {:.1} s, loss {:.4}{}, validation loss {:.4}{}{}",
        metrics.epoch,
        metrics.seconds,
        metrics.train_loss,
        accuracy(metrics.train_accuracy),
        metrics.validation_loss,
        accuracy(metrics.validation_accuracy),
        if best { " (best)" } else { "" },
    )
}
