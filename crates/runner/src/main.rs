//! The `gatefold` program: a thin layer over its library.

#![warn(clippy::print_stderr, clippy::print_stdout)] // They panic where nobody reads: `say!`, `output::line`.

mod cli;
mod commands;
mod output;
mod score_text;

use std::io::{Result, Write};
use std::process::ExitCode;

use clap::Parser;
use gatefold::say;
use gatefold_model::simd;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::output::End;

/// A step allocates and frees tens of megabytes again and again; the system's allocator gives them back to
/// the system each time, and pays for every page anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse_from(cli::arguments(std::env::args_os()));
    if cli.command.looks_for_adapters() {
        with_runtime_directory();
    }
    start_logging(cli.verbose);
    let done = simd().map_err(Into::into).and_then(|_| match cli.command {
        Command::Train(args) => commands::train::run(*args),
        Command::Pretrain(args) => commands::pretrain::run(*args),
        Command::Generate(args) => commands::generate::run(args),
        Command::Compare(args) => commands::compare::run(*args),
        Command::Evaluate(args) => commands::evaluate::run(*args),
        Command::Predict(args) => commands::predict::run(args),
        Command::Runs(args) => commands::runs::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Import(args) => commands::import::run(*args),
        Command::Export(args) => commands::export::run(args),
        Command::Dataset(args) => commands::dataset::run(args),
        Command::Devices(args) => commands::devices::run(args),
        Command::Presets(args) => commands::presets::run(args),
        Command::Summary(args) => commands::summary::run(args),
        Command::Bench(args) => commands::bench::run(args),
        Command::Completions(args) => commands::completions::run(args),
    });
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    if output::is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    let code = match error.downcast_ref() {
        Some(End::Stopped(code)) => return ExitCode::from(*code),
        Some(End::Misused(_)) => 2,
        None => 1,
    };
    say!("error: {error:#}");
    ExitCode::from(code)
}

/// Mesa's Vulkan layer looks for a screen, and the Wayland library that it asks complains on standard error
/// where this variable is not set, as on machines without a desktop. Only a process that begins can be
/// given one safely: this one begins again, as itself.
#[cfg(target_os = "linux")]
fn with_runtime_directory() {
    use std::os::unix::process::CommandExt;

    const VARIABLE: &str = "XDG_RUNTIME_DIR";
    let mut arguments = std::env::args_os();
    let (Ok(program), Some(name), None) = (
        std::env::current_exe(),
        arguments.next(),
        std::env::var_os(VARIABLE).filter(|folder| std::path::Path::new(folder).is_absolute()),
    ) else {
        return;
    };
    // It returns only where it failed; then there is a complaint to read, and no harm done.
    let _ = std::process::Command::new(program)
        .arg0(name)
        .args(arguments)
        .env(VARIABLE, "/nonexistent")
        .exec();
}

#[cfg(not(target_os = "linux"))]
fn with_runtime_directory() {}

/// Logs go to standard error; `RUST_LOG` decides over `-v`.
fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "error,gatefold=warn,gatefold_data=warn",
        1 => "warn,gatefold=debug,gatefold_data=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Log)
        .with_ansi(false)
        .log_internal_errors(false)
        .without_time()
        .with_target(verbose > 0)
        .init();
}

/// Says what is logged.
struct Log;

impl Write for Log {
    /// Takes an event as a whole.
    fn write(&mut self, event: &[u8]) -> Result<usize> {
        say!("{}", String::from_utf8_lossy(event).trim_end());
        Ok(event.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
