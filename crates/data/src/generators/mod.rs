//! Data that a seed makes: they need no network and no file.

mod memory_task;
mod reviews;
mod series;

pub use memory_task::MemoryTask;
pub use reviews::reviews;
