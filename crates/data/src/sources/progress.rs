//! How far the reading of a source has come.

/// How far a [`Source::load`](super::Source::load) has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// What is done of `total`.
    pub done: u64,
    /// What there is to do.
    pub total: u64,
    /// What is counted.
    pub unit: Unit,
}

/// What a [`LoadProgress`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of the file, compressed ones if it is compressed.
    Bytes,
    /// Files of a folder.
    Files,
    /// Generated examples.
    Examples,
}
