//! What the subcommands do.

pub mod averaged_runs;
pub mod bench;
pub mod compare;
pub mod completions;
pub mod dataset;
pub mod devices;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod generate;
pub mod import;
pub mod predict;
pub mod predict_series;
pub mod presets;
pub mod pretrain;
pub mod runs;
pub mod summary;
pub mod train;
