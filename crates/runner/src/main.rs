//! The `gatefold` program: a thin layer over its library.

mod cli;
mod commands;
mod output;

use std::process::ExitCode;

use clap::Parser;
use gatefold_model::simd;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};

/// A step allocates and frees tens of megabytes again and again; the system's allocator gives them back to
/// the system each time, and pays for every page anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_logging(cli.verbose);
    let done = simd().map_err(Into::into).and_then(|_| match cli.command {
        Command::Train(args) => commands::train::run(*args),
        Command::Compare(args) => commands::compare::run(*args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Predict(args) => commands::predict::run(args),
        Command::Runs(args) => commands::runs::run(args),
        Command::Explain(args) => commands::explain::run(args),
        Command::Dataset(args) => commands::dataset::run(args),
        Command::Devices(args) => commands::devices::run(args),
        Command::Summary(args) => commands::summary::run(args),
        Command::Bench(args) => commands::bench::run(args),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

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
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(verbose > 0)
        .init();
}
