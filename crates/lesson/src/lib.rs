//! What teaches about recurrent networks.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`gradient_reach`] | how far back in time the gradient reaches |
//! | [`memory_tasks`] | the adding problem and first-token recall, where a simple RNN forgets |
//! | [`explanation`] | what a network did with a text, word by word |
//! | [`comparison`] | which differences between networks are larger than chance |
//! | [`report`] | runs and comparisons as pages of HTML |

pub mod comparison;
mod error;
pub mod explanation;
pub mod gradient_reach;
pub mod memory_tasks;
pub mod report;

pub use error::{LessonError, Result};
