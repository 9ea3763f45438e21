//! Film reviews in, batches of padded token ids out.
//!
//! The reviews come from a [`Source`]: the published IMDB archive or folder, Keras's `imdb.npz`, a
//! table of one's own, or the built-in generator. A [`Vocabulary`] is counted on the training split
//! and turns every review into an [`Example`]; [`Batching`] cuts the examples of an epoch into
//! [`Batch`]es. Words and ids follow Keras, so that results compare. The crate knows no tensors and
//! prints nothing.
//!
//! ```
//! use gatefold_data::{Batching, Padding, Review, Vocabulary, encode_all};
//!
//! let reviews = [
//!     Review { text: "A fine, fine film.".into(), positive: true },
//!     Review { text: "Not a film".into(), positive: false },
//! ];
//! let vocabulary = Vocabulary::build(reviews.iter().map(|review| review.text.as_str()), 10_000);
//! assert_eq!(vocabulary.words(), ["a", "fine", "film", "not"]);
//!
//! let examples = encode_all(&reviews, &vocabulary, 256);
//! let batching = Batching { batch_size: 2, padding: Padding::Longest };
//! let batch = batching.batch(&examples, &[0, 1]);
//! assert_eq!(batch.ids, [1, 3, 4, 4, 5, 1, 6, 3, 5, 0]);
//! assert_eq!(batch.lengths, [5, 4]);
//! ```

mod batches;
mod dataset;
mod error;
pub mod files;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
pub mod random;
mod sources;
mod statistics;
pub mod tokenizer;
mod vocabulary;

pub use batches::{Batch, Batching, Example, Padding, encode_all};
pub use dataset::{Dataset, Review};
pub use error::{DataError, Result, steers};
pub use sources::{Progress, Source, TableFormat, TableOptions, Unit};
pub use statistics::{DatasetInfo, SplitInfo, WordsPerReview};
pub use vocabulary::Vocabulary;
