//! The operations composed of a backend's own operations: the plain version that every
//! fast version is tested against, and what a backend without kernels of its own runs.

pub(crate) mod adam;
mod array;
pub(crate) mod embedding;
pub(crate) mod gru;
pub(crate) mod linear;
pub(crate) mod lstm;
pub(crate) mod simple_rnn;
mod timeline;
