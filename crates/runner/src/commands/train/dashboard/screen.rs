//! Taking the terminal over, and giving it back whatever happens.

use std::io::{Result, stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// Whether the terminal is ours. There is one terminal, and a panic comes from anywhere.
static ON: AtomicBool = AtomicBool::new(false);

/// The terminal's other screen, with keys that come one by one, until this is dropped.
pub struct Screen(());

impl Screen {
    /// # Errors
    /// If there is no terminal.
    pub fn enter() -> Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                leave();
                next(panic);
            }));
        });
        enable_raw_mode()?;
        ON.store(true, Ordering::SeqCst);
        let screen = Self(());
        execute!(stderr(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Whether the terminal is ours: a panic may have given it back.
    pub fn is_on() -> bool {
        ON.load(Ordering::SeqCst)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn leave() {
    if ON.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs nothing.
        let _ = disable_raw_mode();
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    }
}

/// Gives the terminal back at the end of the process, and keeps those who draw from it until then.
pub fn leave_for_good() {
    if Screen::is_on() {
        // First, because the line may be held by whoever draws on a terminal that does not take it.
        let _ = disable_raw_mode();
        std::mem::forget(stderr().lock());
        leave();
    }
}
