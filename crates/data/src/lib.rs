//! Texts and numbers in, batches of padded sequences with lengths and targets out.
//!
//! The data come from a [`Source`]: the published IMDB archive or folder, Keras's `imdb.npz`, a table of
//! one's own, or a generator. An [`EncodedDataset`] makes a [`Sequence`] of every [`Record`], of token ids
//! by a [`Vocabulary`] or of numbers by a [`Scaler`], both learnt on the training split; [`Batching`] cuts
//! its [`Example`]s into the [`Batch`]es of an epoch. Words and ids follow Keras, so that results compare.
//! The crate knows no tensors and prints nothing.
//!
//! ```
//! use gatefold_data::{BatchInput, Batching, Dataset, EncodedDataset, Encoding, Labels, Padding, Record, Tokenizer};
//!
//! # fn main() -> gatefold_data::Result<()> {
//! let dataset = Dataset {
//!     labels: Some(Labels::negative_positive()),
//!     train: vec![
//!         Record::text("A fine, fine film.", 1),
//!         Record::text("Not a film", 0),
//!         Record::text("Fine", 1),
//!     ],
//!     test: vec![Record::text("A fine mess", 0)],
//!     ..Dataset::default()
//! };
//! let encoded = EncodedDataset::new(&dataset, &Encoding {
//!     tokenizer: Tokenizer::Keras,
//!     vocabulary_size: 10_000,
//!     max_length: 256,
//!     scale: None,
//!     validation_fraction: 0.4,
//! })?;
//! let vocabulary = encoded.encoder.vocabulary().expect("these are texts");
//! assert_eq!(vocabulary.words(), ["fine", "a", "film", "not"]);
//!
//! let batching = Batching { batch_size: 2, padding: Padding::Longest };
//! let batch = batching.batch(&encoded.train, &[0, 1]);
//! assert_eq!(batch.input, BatchInput::Tokens(vec![1, 4, 3, 3, 5, 1, 6, 4, 5, 0]));
//! assert_eq!(batch.lengths, [5, 4]);
//! # Ok(())
//! # }
//! ```
//!
//! Without the feature `files`, which is on by default, the crate opens no files and builds for
//! `wasm32-unknown-unknown`. Generators remain, tables [from their bytes](TableOptions::read), and whatever a program
//! makes a [`Dataset`] of.

mod batches;
mod choice;
mod corpus;
mod dataset;
mod encoded;
mod encoder;
mod error;
mod example;
#[cfg(feature = "files")]
pub mod files;
mod form;
#[cfg(all(feature = "files", any(test, fuzzing)))]
#[doc(hidden)]
pub mod fuzzing;
mod generators;
mod labels;
mod legibility;
mod limits;
mod printable;
pub mod random;
mod scaler;
mod sequence;
mod series;
mod sources;
mod split;
mod statistics;
mod streams;
mod tokenizer;
mod vocabulary;
#[cfg(feature = "files")]
mod word_ids;
#[cfg(feature = "files")]
mod word_vectors;

pub use batches::{Batch, BatchInput, BatchTargets, Batching, Padding};
pub use choice::LabelChoice;
pub use corpus::{Corpus, CorpusEncoding, HELD_OUT_PARTS};
pub use dataset::{Content, Dataset, Note, NoteKind, Recognised, Record};
pub use encoded::{EncodedDataset, Encoding, beginnings, encode_all};
pub use encoder::Encoder;
pub use error::{DataError, Result};
pub use example::{Example, Target, TargetKind};
pub use form::{Quoting, TableForm, TableFormat};
pub use generators::{BUILT_IN_SEED, MemoryTask, reviews};
pub use labels::Labels;
pub use legibility::{Advice, UnknownWords};
pub use printable::{escaped, printable, steers, within_line};
pub use scaler::Scaler;
pub use sequence::Sequence;
pub use series::{Missing, RecognisedSeries, SeriesTask};
#[cfg(feature = "files")]
pub use sources::{
    FolderOptions, NumberArray, NumberArrays, SeriesHint, SeriesItem, SeriesOptions, Source,
};
pub use sources::{
    LoadProgress, RowCell, RowLabel, TableOptions, TextColumns, TextRow, TextRows, Unit,
    encoding_name,
};
pub use statistics::{ColumnInfo, DatasetInfo, ExampleInfo, LabelCount, Lengths, SplitInfo};
pub use streams::streams_plan;
pub use tokenizer::Tokenizer;
#[cfg(feature = "files")]
pub use vocabulary::ForeignVocabulary;
pub use vocabulary::{Ids, Vocabulary};
#[cfg(feature = "files")]
pub use word_vectors::WordVectors;
