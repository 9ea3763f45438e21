//! The embedding: a row of a weight for every token.
//!
//! Its gradient sums, for every word, over the places where the word stands. Sorted by word on the
//! host, where the tokens come from, these places become a list a word, and the sum needs no atomics.

use burn::backend::Dispatch;
use burn::tensor::{Device, Int, Tensor, TensorData};
use thiserror::Error;

use crate::backend::RecurrentBackend;
use crate::tensors::{Places, TokenInputs};

/// Tokens that name no word, or don't fill their shape.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// A token outside the vocabulary.
    #[error("embedding: token {position} is {id}, expected 0 to {} ({words} words)", words.saturating_sub(1))]
    UnknownWord {
        /// Where it stands.
        position: usize,
        /// The token.
        id: i32,
        /// The size of the vocabulary.
        words: usize,
    },
    /// Tokens of another vocabulary than the weight's.
    #[error("embedding: the tokens are of {of_tokens} words, the weight has {words}")]
    Words {
        /// The size of the tokens' vocabulary.
        of_tokens: usize,
        /// The rows of the weight.
        words: usize,
    },
    /// More tokens than 32 bits number.
    #[error("embedding: {found} tokens at once, at most {}", i32::MAX)]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// Lengths of another number of rows.
    #[error("embedding: {found} lengths for {rows} rows of tokens")]
    Lengths {
        /// How many there are.
        found: usize,
        /// Rows of the tokens.
        rows: usize,
    },
    /// Something on another device.
    #[error("embedding: {input} is on {found}, expected {expected} as the tokens")]
    Device {
        /// What it is.
        input: &'static str,
        /// Its device.
        found: String,
        /// The tokens' device.
        expected: String,
    },
    /// Tokens that don't fill their shape.
    #[error("embedding: {found} tokens are not {rows} rows of one length")]
    Count {
        /// How many there are.
        found: usize,
        /// How many lengths.
        rows: usize,
    },
}

/// A batch of tokens on a device, `[B, T]`, and for every word of the vocabulary its places in it.
#[derive(Clone, Debug)]
pub struct Tokens {
    ids: Tensor<2, Int>,
    lengths: Tensor<1, Int>,
    words: usize,
    /// Positions and starts, see [`Places`].
    places: Option<(Tensor<1, Int>, Tensor<1, Int>)>,
}

impl Tokens {
    /// Sorts the tokens of a padded batch.
    ///
    /// - `ids`: row after row, each below `words`, B·T of them;
    /// - `lengths`: how many tokens of each row count, B of them. What follows is padding: it is looked
    ///   up, and has no part in the weight's gradient.
    ///
    /// # Errors
    /// [`TokenError`] if an id is not below `words`, or B doesn't divide their number, or there are 2³¹ or more.
    pub fn sorted(
        ids: &[i32],
        lengths: &[i32],
        words: usize,
        device: &Device,
    ) -> Result<Self, TokenError> {
        let (found, rows) = (ids.len(), lengths.len());
        if rows == 0 || found == 0 || found % rows != 0 {
            return Err(TokenError::Count { found, rows });
        }
        if i32::try_from(found).is_err() {
            return Err(TokenError::TooMany { found });
        }
        let (positions, starts) = sort(ids, lengths, words)?;
        let ids = TensorData::new(ids.to_vec(), [rows, found / rows]);
        Ok(Self {
            ids: Tensor::from_data(ids, device),
            lengths: Tensor::from_data(lengths, device),
            words,
            places: Some((
                Tensor::from_data(&positions[..], device),
                Tensor::from_data(&starts[..], device),
            )),
        })
    }

    /// Tokens that are on the device already: `ids` `[B, T]`, each from 0 and below `words`, and `lengths` `[B]`. To
    /// look them up is as fast as if they were sorted; a gradient is slow on a GPU.
    ///
    /// The ids are not looked at, because that would wait for the device: [`read`](Self::read) does, and sorts them.
    /// To look up an id of no word panics on the CPU; on WGPU there is no error, and its values are zeros at best.
    ///
    /// # Errors
    /// [`TokenError`] if the lengths are of another number of rows, or on another device.
    pub fn unsorted(
        ids: Tensor<2, Int>,
        lengths: Tensor<1, Int>,
        words: usize,
    ) -> Result<Self, TokenError> {
        let ([rows, _], [found]) = (ids.dims(), lengths.dims());
        if rows != found {
            return Err(TokenError::Lengths { found, rows });
        }
        same_device("the lengths", &lengths.device(), &ids.device())?;
        Ok(Self {
            ids,
            lengths,
            words,
            places: None,
        })
    }

    /// [`unsorted`](Self::unsorted) tokens, read from their device, checked and sorted.
    ///
    /// # Errors
    /// As [`unsorted`](Self::unsorted) and [`sorted`](Self::sorted).
    pub fn read(
        ids: Tensor<2, Int>,
        lengths: Tensor<1, Int>,
        words: usize,
    ) -> Result<Self, TokenError> {
        let Self { ids, lengths, .. } = Self::unsorted(ids, lengths, words)?;
        let device = ids.device();
        let ids: Vec<i32> = ids.into_data().iter().collect();
        let lengths: Vec<i32> = lengths.into_data().iter().collect();
        Self::sorted(&ids, &lengths, words, &device)
    }

    /// B and T.
    pub fn dims(&self) -> [usize; 2] {
        self.ids.dims()
    }

    /// How many tokens of each row count, `[B]`.
    pub fn lengths(&self) -> Tensor<1, Int> {
        self.lengths.clone()
    }

    /// Whether the tokens can be looked up in `table`, a row a word.
    ///
    /// # Errors
    /// [`TokenError::Words`] if they are of another vocabulary, [`TokenError::Device`] if on another device.
    pub fn check_table(&self, table: &Tensor<2>) -> Result<(), TokenError> {
        let (of_tokens, words) = (self.words, table.dims()[0]);
        if of_tokens != words {
            return Err(TokenError::Words { of_tokens, words });
        }
        same_device("the weight", &table.device(), &self.ids.device())
    }

    pub(crate) fn into_inputs(self) -> TokenInputs<Dispatch> {
        TokenInputs {
            ids: self.ids.into_dispatch(),
            lengths: self.lengths.into_dispatch(),
            words: self.words,
            places: match self.places {
                Some((positions, starts)) => Places::Sorted {
                    positions: positions.into_dispatch(),
                    starts: starts.into_dispatch(),
                },
                None => Places::Unsorted,
            },
        }
    }
}

fn same_device(input: &'static str, found: &Device, expected: &Device) -> Result<(), TokenError> {
    if found == expected {
        return Ok(());
    }
    Err(TokenError::Device {
        input,
        found: format!("{found:?}"),
        expected: format!("{expected:?}"),
    })
}

/// A counting sort: the positions that count by id, each id's in ascending order, and where each id's
/// begin. The positions are as many as the ids, whatever the lengths.
pub(crate) fn sort(
    ids: &[i32],
    lengths: &[i32],
    words: usize,
) -> Result<(Vec<i32>, Vec<i32>), TokenError> {
    let time = ids.len() / lengths.len();
    let counts = |position: usize| ((position % time) as i32) < lengths[position / time];
    let mut starts = vec![0; words + 1];
    for (position, &id) in ids.iter().enumerate() {
        let word = usize::try_from(id).ok().filter(|&word| word < words);
        let word = word.ok_or(TokenError::UnknownWord {
            position,
            id,
            words,
        })?;
        starts[word + 1] += i32::from(counts(position));
    }
    for word in 0..words {
        starts[word + 1] += starts[word];
    }
    let mut next = starts.clone();
    let mut positions = vec![0; ids.len()];
    for (position, &id) in ids.iter().enumerate() {
        if counts(position) {
            let place = &mut next[id as usize];
            positions[*place as usize] = position as i32;
            *place += 1;
        }
    }
    Ok((positions, starts))
}

/// The rows of `weight` `[V, D]` that the tokens `[B, T]` name: `[B, T, D]`.
///
/// # Errors
/// [`TokenError`] if the tokens are not of V words, or on another device.
pub fn embedding(weight: Tensor<2>, tokens: Tokens) -> Result<Tensor<3>, TokenError> {
    tokens.check_table(&weight)?;
    let rows = Dispatch::token_embedding(weight.into_dispatch(), tokens.into_inputs());
    Ok(Tensor::from_dispatch(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_sorted_by_id_and_stay_in_order_and_padding_is_left_out() {
        let ids = [2, 0, 2, 4, 0, 2];
        let (positions, starts) = sort(&ids, &[3, 3], 5).unwrap();
        assert_eq!(positions, [1, 4, 0, 2, 5, 3]);
        assert_eq!(starts, [0, 2, 2, 5, 5, 6]);
        let (positions, starts) = sort(&ids, &[9, 1], 5).unwrap();
        assert_eq!(positions[..4], [1, 0, 2, 3]);
        assert_eq!(starts, [0, 1, 1, 3, 3, 4]);
    }

    #[test]
    fn tokens_that_do_not_fit_are_errors_that_say_why() {
        let device = Device::flex();
        let message = |ids: &[i32], lengths: &[i32]| {
            Tokens::sorted(ids, lengths, 3, &device)
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            message(&[0, 1, 3, 0], &[2, 2]),
            "embedding: token 2 is 3, expected 0 to 2 (3 words)"
        );
        assert!(message(&[-1, 0], &[2]).contains("token 0 is -1"));
        assert_eq!(
            message(&[1, 0, 2], &[1, 1]),
            "embedding: 3 tokens are not 2 rows of one length"
        );
        let tensors = |ids: [[i32; 2]; 1], lengths: &[i32]| {
            let ids = Tensor::from_data(ids, &device);
            (ids, Tensor::from_data(lengths, &device))
        };
        let (ids, lengths) = tensors([[0, 3]], &[2, 2]);
        let error = Tokens::unsorted(ids, lengths, 3).unwrap_err();
        assert_eq!(
            error.to_string(),
            "embedding: 2 lengths for 1 rows of tokens"
        );
        let (ids, lengths) = tensors([[0, 3]], &[2]);
        let error = Tokens::read(ids, lengths, 3).unwrap_err();
        assert!(error.to_string().contains("token 1 is 3"), "{error}");
        let tokens = Tokens::sorted(&[0, 1], &[2], 3, &device).unwrap();
        let error = embedding(Tensor::zeros([4, 2], &device), tokens).unwrap_err();
        assert_eq!(
            error.to_string(),
            "embedding: the tokens are of 3 words, the weight has 4"
        );
    }
}
