//! The styles of the dashboard's parts.

use ratatui::style::{Color, Style};

/// The styles of all parts.
pub struct Theme {
    pub training: Style,
    pub validation: Style,
    pub strong: Style,
    pub quiet: Style,
}

impl Theme {
    /// Without colours where `NO_COLOR` asks for that.
    pub fn of_environment() -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::new(!plain)
    }

    pub fn new(colours: bool) -> Self {
        let colour = |colour| match colours {
            true => Style::new().fg(colour),
            false => Style::new(),
        };
        Self {
            training: colour(Color::Cyan).not_dim(),
            validation: colour(Color::Yellow).not_dim(),
            // Titles lie on frames, which are dim.
            strong: Style::new().bold().not_dim(),
            quiet: Style::new().dim(),
        }
    }
}
