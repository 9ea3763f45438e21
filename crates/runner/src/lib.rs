//! Gatefold's program as a library: devices, data, training, evaluation, prediction, measuring.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`checkpoint`] | what an interrupted training needs to go on |
//! | [`config`] | everything that shapes a run, as TOML |
//! | [`device`] | which adapters there are, and which one a name stands for |
//! | [`dataset`] | which dataset a name and a path stand for, and the data directory |
//! | [`download`] | fetching a published file, resumed and checked |
//! | [`training`] | the training loop |
//! | [`evaluation`] | loss and accuracy, and the probabilities behind them |
//! | [`gradient_reach`] | how far back in time the gradient reaches |
//! | [`memory_tasks`] | the adding problem and first-token recall, where a simple RNN forgets |
//! | [`explanation`] | what a network did with a text, word by word |
//! | [`run_folder`] | what a run leaves behind, and reading it again |
//! | [`report`] | runs and comparisons as pages of HTML |
//! | [`mod@bench`] | how fast a network runs, with our layers and with Burn's |
//! | [`tensorboard`] | the files that TensorBoard draws a run's curves from |
//! | [`interrupt`] | signals that let work come to a good end |
//! | [`files`] | files that are there as a whole or not at all |
//! | [`memory`] | how much memory a step takes, told before it is taken |
//! | [`progress`] | how long work shows itself |
//! | [`terminal`] | text that can't steer the terminal that shows it |

#![warn(clippy::print_stderr, clippy::print_stdout)] // They panic where nobody reads: `say!`.

pub mod bench;
pub mod checkpoint;
pub mod config;
pub mod dataset;
pub mod device;
pub mod download;
pub mod evaluation;
pub mod explanation;
pub mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod gradient_reach;
pub mod interrupt;
pub mod memory;
pub mod memory_tasks;
pub mod optimizer;
pub mod progress;
pub mod report;
pub mod run_folder;
pub mod tensorboard;
pub mod terminal;
pub mod training;
