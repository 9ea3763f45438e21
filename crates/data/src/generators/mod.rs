//! Data that a seed makes: they need no network and no file.

mod memory_task;
mod reviews;
mod series;

pub use memory_task::MemoryTask;
pub use reviews::reviews;

/// The seed of the built-in datasets, which are the same ones everywhere.
pub const BUILT_IN_SEED: u64 = 42;
