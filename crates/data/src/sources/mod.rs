//! Where data come from.

#[cfg(feature = "files")]
pub(crate) mod acl_imdb;
#[cfg(feature = "files")]
pub(crate) mod folder;
#[cfg(feature = "files")]
pub(crate) mod keras_npz;
#[cfg(feature = "files")]
pub(crate) mod npy;
#[cfg(feature = "files")]
mod number_arrays;
#[cfg(feature = "files")]
pub(crate) mod pickle;
pub(crate) mod progress;
#[cfg(feature = "files")]
pub(crate) mod series;
#[cfg(feature = "files")]
mod source;
pub(crate) mod table;
pub(crate) mod texts;

#[cfg(feature = "files")]
pub use folder::FolderOptions;
#[cfg(feature = "files")]
pub use number_arrays::{NumberArray, NumberArrays};
pub use progress::{LoadProgress, Unit};
#[cfg(feature = "files")]
pub use series::{SeriesHint, SeriesItem, SeriesOptions};
#[cfg(feature = "files")]
pub use source::Source;
pub use table::encoding_name;
pub use texts::TableOptions;
pub use texts::rows::{RowCell, RowLabel, TextColumns, TextRow, TextRows};
