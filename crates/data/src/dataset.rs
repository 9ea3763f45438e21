//! Reviews before they are numbers.

/// A review and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// The words, as written.
    pub text: String,
    /// Whether the reviewer liked the film.
    pub positive: bool,
}

/// The reviews of a source in its two splits.
///
/// The order is part of the data set: the validation split is cut off the end of `train`, and words
/// of equal frequency rank by their first appearance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// For training and validation.
    pub train: Vec<Review>,
    /// For the final test alone.
    pub test: Vec<Review>,
    /// How many reviews held invalid UTF-8, which U+FFFD replaces.
    pub replaced_utf8: usize,
}
