//! Gatefold's program as a library: devices, data, runs in folders, measuring.
//!
//! What trains, tests and answers is [`gatefold_training`], the networks are [`gatefold_model`]'s, the data
//! [`gatefold_data`]'s, what teaches [`gatefold_lesson`].
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`device`] | which adapters there are, and which one a name stands for |
//! | [`dataset`] | which dataset a name and a path stand for, and the data directory |
//! | [`corpus`] | the texts that a language model reads |
//! | [`download`] | fetching a published file, resumed and checked |
//! | [`mod@run`] | a training in a folder, resumed where it stopped, and its test |
//! | [`pretraining`] | the same of a language model |
//! | [`run_folder`] | what a run leaves behind, and reading it again |
//! | [`checkpoints`] | the checkpoints in a run's folder |
//! | [`mod@bench`] | how fast a network runs, with our layers and with Burn's |
//! | [`series`] | what a configuration says of series of numbers |
//! | [`tensorboard`] | the files that TensorBoard draws a run's curves from |
//! | [`imported`] | runs that are made of other frameworks' files |
//! | [`interrupt`] | signals that let work come to a good end |
//! | [`files`] | files that are there as a whole or not at all |
//! | [`kernels`] | how walks are laid out on a GPU: measured once, kept, recorded |
//! | [`memory`] | how much memory a step takes, told before it is taken |
//! | [`progress`] | how long work shows itself |
//! | [`file_hash`](mod@file_hash) | what tells one file from another |
//! | [`standing`] | what a test's result is worth |
//! | [`suggestions`] | what was probably meant by a name that there isn't |
//! | [`terminal`] | text that can't steer the terminal that shows it |

#![warn(clippy::print_stderr, clippy::print_stdout)] // They panic where nobody reads: `say!`.

pub mod bench;
pub mod checkpoints;
pub mod corpus;
pub mod dataset;
pub mod device;
pub mod download;
#[cfg(test)]
mod durability;
pub mod file_hash;
pub mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod imported;
pub mod interrupt;
pub mod kernels;
pub mod memory;
pub mod presets;
pub mod pretraining;
pub mod progress;
pub mod run;
pub mod run_folder;
pub mod series;
pub mod standing;
pub mod start;
pub mod suggestions;
pub mod tensorboard;
pub mod terminal;

pub use gatefold_training::{RunConfig, RunSummary};
