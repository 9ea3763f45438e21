//! What a data set holds, in numbers.

use rayon::prelude::*;
use serde::Serialize;

use crate::dataset::{Dataset, Review};
use crate::tokenizer::for_each_word;
use crate::vocabulary::Vocabulary;

/// How many words of the vocabulary are shown.
const FIRST_WORDS: usize = 10;

/// The length that the lesson's network reads.
const LESSON_LENGTH: usize = 256;

/// What a data set holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatasetInfo {
    /// The training split.
    pub train: SplitInfo,
    /// The test split.
    pub test: SplitInfo,
    /// Different words in the training split.
    pub distinct_words: usize,
    /// The ten most frequent words of the training split, the most frequent first.
    pub first_words: Vec<String>,
    /// Reviews in which invalid UTF-8 was replaced.
    pub replaced_utf8: usize,
}

/// What a split holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitInfo {
    /// All reviews.
    pub reviews: usize,
    /// Those that praise their film.
    pub positive: usize,
    /// Those that do not.
    pub negative: usize,
    /// How long they are.
    pub words_per_review: WordsPerReview,
}

/// How long the reviews of a split are, in words. A quantile is the length of the review nearest to
/// that rank.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WordsPerReview {
    /// The shortest.
    pub min: usize,
    /// Longer than 5 % of the reviews.
    pub p5: usize,
    /// Longer than 25 % of the reviews.
    pub p25: usize,
    /// Longer than half of the reviews.
    pub median: usize,
    /// Longer than 75 % of the reviews.
    pub p75: usize,
    /// Longer than 95 % of the reviews.
    pub p95: usize,
    /// The longest.
    pub max: usize,
    /// The mean.
    pub mean: f64,
    /// The share of reviews with more than 256 words, from 0 to 1: the lesson's network does not
    /// see all of them.
    pub share_over_256: f64,
}

impl DatasetInfo {
    /// Counts a data set.
    pub fn of(dataset: &Dataset) -> Self {
        let texts = dataset.train.iter().map(|review| review.text.as_str());
        let vocabulary = Vocabulary::build(texts, Vocabulary::FIRST_WORD as usize + FIRST_WORDS);
        Self {
            train: SplitInfo::of(&dataset.train),
            test: SplitInfo::of(&dataset.test),
            distinct_words: vocabulary.distinct(),
            first_words: vocabulary.words().to_vec(),
            replaced_utf8: dataset.replaced_utf8,
        }
    }
}

impl SplitInfo {
    fn of(reviews: &[Review]) -> Self {
        let positive = reviews.iter().filter(|review| review.positive).count();
        let words_per_review = WordsPerReview::of(reviews.par_iter().map(words).collect());
        Self {
            reviews: reviews.len(),
            positive,
            negative: reviews.len() - positive,
            words_per_review,
        }
    }
}

impl WordsPerReview {
    fn of(mut lengths: Vec<usize>) -> Self {
        lengths.sort_unstable();
        let last = lengths.len().saturating_sub(1);
        let quantile = |percent: usize| {
            lengths
                .get((last * percent + 50) / 100)
                .copied()
                .unwrap_or(0)
        };
        let share = |part: usize| part as f64 / lengths.len().max(1) as f64;
        Self {
            min: quantile(0),
            p5: quantile(5),
            p25: quantile(25),
            median: quantile(50),
            p75: quantile(75),
            p95: quantile(95),
            max: quantile(100),
            mean: share(lengths.iter().sum()),
            share_over_256: share(
                lengths
                    .iter()
                    .filter(|&&length| length > LESSON_LENGTH)
                    .count(),
            ),
        }
    }
}

fn words(review: &Review) -> usize {
    let mut words = 0;
    for_each_word(&review.text, |_| words += 1);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(words: usize, positive: bool) -> Review {
        Review {
            text: "word ".repeat(words),
            positive,
        }
    }

    #[test]
    fn counts_splits_classes_and_words() {
        let train = vec![
            Review {
                text: "A film, a film!".into(),
                positive: true,
            },
            Review {
                text: "a mess".into(),
                positive: false,
            },
            Review {
                text: "One two three four five six seven eight nine ten".into(),
                positive: false,
            },
        ];
        let dataset = Dataset {
            train,
            test: vec![review(3, true)],
            replaced_utf8: 2,
        };
        let info = DatasetInfo::of(&dataset);
        assert_eq!(
            (info.train.reviews, info.train.positive, info.train.negative),
            (3, 1, 2)
        );
        assert_eq!(
            (info.test.reviews, info.test.positive, info.test.negative),
            (1, 1, 0)
        );
        assert_eq!(info.distinct_words, 13);
        let first = [
            "a", "film", "mess", "one", "two", "three", "four", "five", "six", "seven",
        ];
        assert_eq!(info.first_words, first);
        assert_eq!(info.replaced_utf8, 2);
    }

    #[test]
    fn lengths_are_those_of_the_nearest_ranks() {
        let reviews: Vec<Review> = (0..=300).rev().map(|words| review(words, true)).collect();
        let lengths = SplitInfo::of(&reviews).words_per_review;
        assert_eq!(
            (lengths.min, lengths.p5, lengths.p25, lengths.median),
            (0, 15, 75, 150)
        );
        assert_eq!(
            (lengths.p75, lengths.p95, lengths.max, lengths.mean),
            (225, 285, 300, 150.0)
        );
        assert!((lengths.share_over_256 - 44.0 / 301.0).abs() < 1e-12);
    }

    #[test]
    fn an_empty_split_has_no_lengths() {
        let lengths = SplitInfo::of(&[]).words_per_review;
        assert_eq!(
            (lengths.max, lengths.mean, lengths.share_over_256),
            (0, 0.0, 0.0)
        );
    }

    #[test]
    fn becomes_one_json_object() {
        let dataset = Dataset {
            train: vec![review(2, true)],
            test: vec![review(1, false)],
            replaced_utf8: 0,
        };
        let json = serde_json::to_value(DatasetInfo::of(&dataset)).unwrap();
        assert_eq!(json["train"]["words_per_review"]["median"], 2);
        assert_eq!(json["first_words"][0], "word");
    }
}
