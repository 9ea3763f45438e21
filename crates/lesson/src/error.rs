//! What can go wrong where something is shown.

use gatefold_data::DataError;
use gatefold_model::NetworkError;
use gatefold_training::{ConfigError, TrainingError};
use thiserror::Error;

/// A result of this crate.
pub type Result<T, E = LessonError> = std::result::Result<T, E>;

/// Why something can't be shown.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LessonError {
    /// A network could not be trained, tested or asked.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// There is nothing to show of this network or text, and why.
    #[error("{0}")]
    Unfit(String),
    /// The device failed.
    #[error("the device failed while it computed: {0}")]
    Device(String),
    /// A page can't be made: its template is wrong.
    #[error("the page can't be made: {0}")]
    Page(String),
}

pub(crate) fn unfit(why: impl Into<String>) -> LessonError {
    LessonError::Unfit(why.into())
}

macro_rules! from_training {
    ($($error:ty),*) => {
        $(impl From<$error> for LessonError {
            fn from(error: $error) -> Self {
                Self::Training(error.into())
            }
        })*
    };
}

from_training!(ConfigError, DataError, NetworkError);

impl From<minijinja::Error> for LessonError {
    fn from(error: minijinja::Error) -> Self {
        Self::Page(format!("{error:#}"))
    }
}
