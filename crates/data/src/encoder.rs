//! How content becomes a sequence.

use crate::dataset::Content;
use crate::error::{DataError, Result};
use crate::scaler::Scaler;
use crate::sequence::Sequence;
use crate::vocabulary::Vocabulary;

/// How content becomes a sequence: learnt on the training split, saved with a run, and used again for whatever
/// its network reads later.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoder {
    /// A text becomes the ids of its tokens.
    Text(Vocabulary),
    /// Numbers stay numbers.
    Values {
        /// Numbers a timestep.
        width: usize,
        /// What makes them alike in size, if anything does.
        scaler: Option<Scaler>,
        /// What does so with the numbers of targets; answers are brought back by it.
        targets: Option<Scaler>,
    },
}

impl Encoder {
    /// The last `max_length` timesteps of what `content` becomes.
    ///
    /// # Errors
    /// [`DataError::Content`] if it is of another kind or width than what is read, has no timestep, or a number
    /// in it is not finite.
    pub fn encode(&self, content: &Content, max_length: usize) -> Result<Sequence> {
        self.sequence(content, max_length)
            .map_err(|reason| DataError::Content { reason })
    }

    /// The same, or what is wrong with the content.
    pub(crate) fn sequence(
        &self,
        content: &Content,
        max_length: usize,
    ) -> std::result::Result<Sequence, String> {
        match (self, content) {
            (Self::Text(vocabulary), Content::Text(text)) => {
                Ok(Sequence::Tokens(vocabulary.encode(text, max_length)))
            }
            (Self::Text(_), Content::Sequence(_)) => {
                Err("it is a sequence, where texts are read".to_owned())
            }
            (Self::Values { .. }, Content::Text(_)) => {
                Err("it is a text, where numbers are read".to_owned())
            }
            (Self::Values { width, scaler, .. }, Content::Sequence(sequence)) => {
                let missing = scaler.as_ref().is_some_and(Scaler::reads_missing);
                let values = sequence.check_values(*width, missing)?;
                let most = max_length.saturating_mul(*width);
                let mut kept = Sequence::Values {
                    width: *width,
                    values: values[values.len().saturating_sub(most)..].to_vec(),
                };
                if let Some(scaler) = scaler {
                    scaler.apply(&mut kept);
                }
                Ok(kept)
            }
        }
    }

    /// What was learnt, as readable JSON: the vocabulary, or the scaler if there is one.
    pub fn to_json(&self) -> Option<String> {
        match self {
            Self::Text(vocabulary) => Some(vocabulary.to_json()),
            Self::Values { scaler, .. } => scaler.as_ref().map(Scaler::to_json),
        }
    }

    /// Numbers a timestep; none of texts.
    pub fn width(&self) -> Option<usize> {
        match self {
            Self::Text(_) => None,
            Self::Values { width, .. } => Some(*width),
        }
    }

    /// The vocabulary of texts.
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        match self {
            Self::Text(vocabulary) => Some(vocabulary),
            Self::Values { .. } => None,
        }
    }

    /// The scaler of targets, where they are numbers that are scaled.
    pub fn target_scaler(&self) -> Option<&Scaler> {
        match self {
            Self::Text(_) => None,
            Self::Values { targets, .. } => targets.as_ref(),
        }
    }

    /// The scaler of numbers.
    pub fn scaler(&self) -> Option<&Scaler> {
        match self {
            Self::Text(_) => None,
            Self::Values { scaler, .. } => scaler.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Tokenizer;

    fn values(width: usize, values: &[f32]) -> Content {
        let values = values.to_vec();
        Content::Sequence(Sequence::Values { width, values })
    }

    fn text() -> Encoder {
        let texts = ["a film", "a mess"].into_iter();
        Encoder::Text(Vocabulary::build(texts, 100, Tokenizer::Keras))
    }

    #[test]
    fn a_text_becomes_ids_and_the_last_stay() {
        let encoder = text();
        let content = Content::Text("A film!".into());
        assert_eq!(
            encoder.encode(&content, 9).unwrap(),
            Sequence::Tokens(vec![1, 3, 4])
        );
        assert_eq!(
            encoder.encode(&content, 2).unwrap(),
            Sequence::Tokens(vec![3, 4])
        );
        assert!(encoder.vocabulary().is_some() && encoder.scaler().is_none());
    }

    #[test]
    fn numbers_are_scaled_and_the_last_timesteps_stay() {
        let content = values(1, &[1.0, 5.0]);
        let Content::Sequence(sequence) = &content else {
            unreachable!("values are a sequence")
        };
        let scaler = Some(Scaler::fit([sequence].into_iter(), 1).unwrap());
        let encode = |scaler: &Option<Scaler>, most| {
            let scaler = scaler.clone();
            Content::Sequence(
                Encoder::Values {
                    width: 1,
                    scaler,
                    targets: None,
                }
                .encode(&content, most)
                .unwrap(),
            )
        };
        assert_eq!(encode(&scaler, 2), values(1, &[-1.0, 1.0]));
        assert_eq!(encode(&scaler, 1), values(1, &[1.0]));
        assert_eq!(encode(&None, 1), values(1, &[5.0]));
        let encoder = Encoder::Values {
            width: 1,
            scaler,
            targets: None,
        };
        assert!(encoder.vocabulary().is_none() && encoder.scaler().is_some());
    }

    #[test]
    fn what_is_not_read_is_refused() {
        let numbers = Encoder::Values {
            width: 2,
            scaler: None,
            targets: None,
        };
        let tokens = Content::Sequence(Sequence::Tokens(vec![1]));
        for (encoder, content, reason) in [
            (
                &text(),
                &values(1, &[1.0]),
                "it is a sequence, where texts are read",
            ),
            (&text(), &tokens, "it is a sequence, where texts are read"),
            (
                &numbers,
                &Content::Text("a".into()),
                "it is a text, where numbers are read",
            ),
            (&numbers, &tokens, "it holds token ids: give the text"),
            (
                &numbers,
                &values(1, &[1.0]),
                "its timesteps hold 1 numbers, where 2 are read",
            ),
            (&numbers, &values(2, &[]), "its 0 numbers are no timesteps"),
            (
                &numbers,
                &values(2, &[1.0, f32::NAN]),
                "number 2 of its timestep 1 is NaN",
            ),
        ] {
            let message = encoder.encode(content, 9).unwrap_err().to_string();
            assert!(message.starts_with(reason), "{message}");
        }
    }
}
