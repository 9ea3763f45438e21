//! Scores of answers that name classes.

use std::collections::HashMap;

use gatefold_data::Labels;
use serde::Serialize;

use super::calibration::{Calibration, CalibrationTally};
use super::roc::{Ranking, Roc};
use super::share;
use crate::objective::Objective;

/// Classes that a whole confusion matrix has at most.
const MOST_IN_MATRIX: usize = 100;
/// Confusions listed.
const CONFUSIONS: usize = 20;
/// Mistakes listed.
const MISTAKES: usize = 10;

/// How well classes are told apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassScores {
    /// The share of the most frequent class: the accuracy of whoever always answers it. None where an example may
    /// have any number of classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_class_share: Option<f64>,
    /// The means over classes, each counted alike; a class that is neither there nor answered has no part.
    #[serde(rename = "macro")]
    pub macro_mean: ClassMeans,
    /// The means over classes, each counted by its support.
    #[serde(rename = "weighted")]
    pub weighted_mean: ClassMeans,
    /// Every class, in the order of the labels.
    pub classes: Vec<ClassScore>,
    /// Which classes are taken for which; of any number of classes at once, nothing.
    pub confusion: Confusion,
    /// How well the second of two classes is ranked before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roc: Option<Roc>,
    /// Whether probabilities are what they say; of any number of classes at once, those of each class and example.
    pub calibration: Calibration,
    /// The wrong answers that were given with the highest probability, that one first; of any number of classes at
    /// once, none.
    pub worst_mistakes: Vec<Mistake>,
}

impl ClassScores {
    /// The most frequent class, the first of equals, and its share, where an example has one class.
    pub fn largest_class(&self) -> Option<(&ClassScore, f64)> {
        let classes = self.classes.iter().rev();
        let largest = classes.max_by_key(|class| class.support)?;
        Some((largest, self.largest_class_share?))
    }
}

/// Means over classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ClassMeans {
    /// Of precision.
    pub precision: f64,
    /// Of recall.
    pub recall: f64,
    /// Of F1.
    pub f1: f64,
}

/// How well one class is recognised.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassScore {
    /// Its name.
    pub label: String,
    /// The share of right ones among the answers that name it.
    pub precision: f64,
    /// The share of its examples that are recognised.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// Its examples.
    pub support: usize,
    /// The answers that name it.
    pub answered: usize,
}

/// Which classes are taken for which.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// How many examples of each class, a row, were answered with each class, a column; of at most 100 classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Vec<Vec<usize>>>,
    /// The most frequent confusions, at most 20.
    pub most_frequent: Vec<Confused>,
}

/// A class that was answered with another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confused {
    /// The class.
    pub label: String,
    /// What was answered.
    pub answer: String,
    /// How often.
    pub count: usize,
}

/// A wrong answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mistake {
    /// Its place among the examples, from 0.
    pub example: usize,
    /// The timestep, from 0, where each is answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    /// The example's class.
    pub label: String,
    /// What was answered.
    pub answer: String,
    /// The probability of that.
    pub probability: f64,
    /// The beginning of its text, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Answers of one class.
#[derive(Clone, Default)]
struct Counts {
    right: usize,
    answered: usize,
    support: usize,
}

struct Wrong {
    place: (usize, Option<usize>),
    class: usize,
    answer: usize,
    probability: f64,
}

/// Scores, as answers are read.
pub(super) struct ClassTally {
    objective: Objective,
    examples: usize,
    counts: Vec<Counts>,
    /// How often a class, first, was answered with another.
    confused: HashMap<(usize, usize), usize>,
    ranking: Option<Ranking>,
    calibration: CalibrationTally,
    /// The worst, the worst of them first.
    wrong: Vec<Wrong>,
}

impl ClassTally {
    pub fn new(objective: Objective, classes: usize) -> Self {
        let names_one = objective != Objective::MultiLabel;
        Self {
            objective,
            examples: 0,
            counts: vec![Counts::default(); classes],
            confused: HashMap::new(),
            ranking: (classes == 2 && names_one).then(Ranking::default),
            calibration: CalibrationTally::default(),
            wrong: Vec::new(),
        }
    }

    /// A row's answer `[C]` to an example of `class` at a place: the example, and its timestep if each is answered.
    pub fn add(&mut self, row: &[f32], class: usize, place: (usize, Option<usize>)) {
        let (answer, probability) = self.objective.answered(row);
        self.examples += 1;
        self.counts[class].support += 1;
        self.counts[answer].answered += 1;
        if answer == class {
            self.counts[class].right += 1;
        } else {
            *self.confused.entry((class, answer)).or_default() += 1;
            self.keep_if_among_the_worst(Wrong {
                place,
                class,
                answer,
                probability,
            });
        }
        self.calibration.add(probability, answer == class);
        if let Some(ranking) = &mut self.ranking {
            ranking.add(self.objective.log_odds(row), class == 1);
        }
    }

    /// A row's answer `[C]` to an example of any number of classes at once.
    pub fn add_set(&mut self, row: &[f32], set: &[u32]) {
        let classes = self.objective.probabilities(row).into_iter().enumerate();
        for (class, probability) in classes {
            let is_there = set.contains(&(class as u32));
            let is_answered = probability > 0.5;
            let counts = &mut self.counts[class];
            counts.support += usize::from(is_there);
            counts.answered += usize::from(is_answered);
            counts.right += usize::from(is_there && is_answered);
            self.calibration
                .add(probability.max(1.0 - probability), is_there == is_answered);
        }
        self.examples += 1;
    }

    fn keep_if_among_the_worst(&mut self, wrong: Wrong) {
        let before = |other: &Wrong| {
            let order = other.probability.total_cmp(&wrong.probability).reverse();
            order.then(other.place.cmp(&wrong.place)).is_lt()
        };
        let rank = self.wrong.partition_point(before);
        if rank < MISTAKES {
            self.wrong.insert(rank, wrong);
            self.wrong.truncate(MISTAKES);
        }
    }

    /// The scores, if there was an answer.
    pub fn scores(self, labels: &Labels) -> Option<ClassScores> {
        let name = |class: usize| labels.name(class).unwrap_or_default().to_owned();
        let names_one = self.objective != Objective::MultiLabel;
        let largest = self.counts.iter().map(|counts| counts.support).max()?;
        if self.examples == 0 {
            return None;
        }
        let of_class = |(class, counts): (usize, &Counts)| ClassScore {
            label: name(class),
            precision: share(counts.right, counts.answered),
            recall: share(counts.right, counts.support),
            f1: share(2 * counts.right, counts.answered + counts.support),
            support: counts.support,
            answered: counts.answered,
        };
        let classes: Vec<_> = self.counts.iter().enumerate().map(of_class).collect();
        let matrix = (names_one && classes.len() <= MOST_IN_MATRIX).then(|| self.matrix());
        let mut confused: Vec<_> = self.confused.into_iter().collect();
        confused.sort_by_key(|&(pair, count)| (std::cmp::Reverse(count), pair));
        let confused = confused.into_iter().take(CONFUSIONS);
        let most_frequent = confused.map(|((class, answer), count)| Confused {
            label: name(class),
            answer: name(answer),
            count,
        });
        let mistakes = self.wrong.into_iter().map(|wrong| Mistake {
            example: wrong.place.0,
            step: wrong.place.1,
            label: name(wrong.class),
            answer: name(wrong.answer),
            probability: wrong.probability,
            text: None,
        });
        Some(ClassScores {
            largest_class_share: names_one.then(|| share(largest, self.examples)),
            macro_mean: mean(&classes, |class| {
                usize::from(class.support + class.answered > 0)
            }),
            weighted_mean: mean(&classes, |class| class.support),
            confusion: Confusion {
                matrix,
                most_frequent: most_frequent.collect(),
            },
            roc: self.ranking.and_then(Ranking::roc),
            calibration: self.calibration.calibration(),
            worst_mistakes: mistakes.collect(),
            classes,
        })
    }

    fn matrix(&self) -> Vec<Vec<usize>> {
        let classes = self.counts.len();
        let mut matrix = vec![vec![0; classes]; classes];
        for (class, counts) in self.counts.iter().enumerate() {
            matrix[class][class] = counts.right;
        }
        for (&(class, answer), &count) in &self.confused {
            matrix[class][answer] = count;
        }
        matrix
    }
}

fn mean(classes: &[ClassScore], weight: impl Fn(&ClassScore) -> usize) -> ClassMeans {
    let all: usize = classes.iter().map(&weight).sum();
    let of = |value: fn(&ClassScore) -> f64| {
        let values = classes
            .iter()
            .map(|class| weight(class) as f64 * value(class));
        values.sum::<f64>() / all.max(1) as f64
    };
    ClassMeans {
        precision: of(|class| class.precision),
        recall: of(|class| class.recall),
        f1: of(|class| class.f1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: usize) -> Labels {
        Labels::new((0..count).map(|class| format!("c{class}")).collect()).unwrap()
    }

    /// Answers that name a class with a logit of 3, to examples of a class.
    fn tally(classes: usize, answers: &[(usize, usize)]) -> ClassTally {
        let mut tally = ClassTally::new(Objective::Classes, classes);
        for (example, &(class, answer)) in answers.iter().enumerate() {
            let mut row = vec![0.0; classes];
            row[answer] = 3.0;
            tally.add(&row, class, (example, None));
        }
        tally
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        // classification_report([0, 0, 0, 0, 1, 1, 2, 2, 2, 0], [0, 0, 1, 2, 1, 1, 2, 0, 0, 0])
        let targets = [0, 0, 0, 0, 1, 1, 2, 2, 2, 0];
        let answers = [0, 0, 1, 2, 1, 1, 2, 0, 0, 0];
        let pairs: Vec<_> = targets.into_iter().zip(answers).collect();
        let scores = tally(4, &pairs).scores(&labels(4)).unwrap();
        close(scores.largest_class_share.unwrap(), 0.5);
        let expected = [
            (3.0 / 5.0, 3.0 / 5.0, 0.6, 5),
            (2.0 / 3.0, 1.0, 0.8, 2),
            (0.5, 1.0 / 3.0, 0.4, 3),
            (0.0, 0.0, 0.0, 0),
        ];
        for (class, (precision, recall, f1, support)) in scores.classes.iter().zip(expected) {
            close(class.precision, precision);
            close(class.recall, recall);
            close(class.f1, f1);
            assert_eq!(class.support, support);
        }
        // The fourth class is neither there nor answered.
        close(scores.macro_mean.f1, 0.6);
        close(scores.macro_mean.precision, (0.6 + 2.0 / 3.0 + 0.5) / 3.0);
        close(scores.weighted_mean.recall, 0.6);
        close(
            scores.weighted_mean.f1,
            (5.0 * 0.6 + 2.0 * 0.8 + 3.0 * 0.4) / 10.0,
        );
        assert_eq!(
            scores.confusion.matrix.unwrap(),
            [[3, 1, 1, 0], [0, 2, 0, 0], [2, 0, 1, 0], [0; 4]]
        );
        let confused = &scores.confusion.most_frequent;
        assert_eq!(
            (&confused[0].label[..], &confused[0].answer[..]),
            ("c2", "c0")
        );
        assert_eq!(confused.len(), 3);
        assert!(scores.roc.is_none(), "there are more than two classes");
    }

    #[test]
    fn a_class_that_is_never_answered_has_a_precision_of_0_and_counts() {
        let scores = tally(2, &[(0, 0), (0, 0), (1, 0)])
            .scores(&labels(2))
            .unwrap();
        let class = &scores.classes[1];
        assert_eq!((class.precision, class.recall, class.f1), (0.0, 0.0, 0.0));
        close(scores.macro_mean.f1, 0.4);
    }

    #[test]
    fn the_worst_mistakes_are_the_surest_ones() {
        let mut tally = ClassTally::new(Objective::Binary, 2);
        for example in 0..40 {
            let logit = (example * 7 % 40) as f32 / 10.0;
            tally.add(&[logit], usize::from(example % 2 == 0), (example, None));
        }
        let scores = tally.scores(&Labels::negative_positive()).unwrap();
        let worst = &scores.worst_mistakes;
        assert_eq!(worst.len(), 10);
        assert!(worst.iter().all(|mistake| mistake.example % 2 == 1));
        assert!(worst.iter().all(|mistake| mistake.label == "negative"));
        // 17 · 7 is 39 of 40.
        assert_eq!(worst[0].example, 17);
        close(worst[0].probability, 1.0 / (1.0 + (-3.9f32 as f64).exp()));
        let falls = worst
            .windows(2)
            .all(|two| two[0].probability >= two[1].probability);
        assert!(falls, "{worst:?}");
    }

    #[test]
    fn many_classes_have_no_matrix_and_their_confusions() {
        let classes = 5000;
        let answers: Vec<_> = (0..classes).map(|class| (class, class / 2)).collect();
        let scores = tally(classes, &answers).scores(&labels(classes)).unwrap();
        assert_eq!(scores.confusion.matrix, None);
        assert_eq!(scores.confusion.most_frequent.len(), 20);
        assert_eq!(scores.classes.len(), classes);
    }

    #[test]
    fn of_any_number_of_classes_each_is_counted() {
        let mut tally = ClassTally::new(Objective::MultiLabel, 3);
        tally.add_set(&[2.0, -1.0, 3.0], &[0]);
        tally.add_set(&[-2.0, -1.0, 3.0], &[0, 2]);
        let scores = tally.scores(&labels(3)).unwrap();
        let found: Vec<_> = scores
            .classes
            .iter()
            .map(|class| (class.precision, class.recall, class.support))
            .collect();
        assert_eq!(found, [(1.0, 0.5, 2), (0.0, 0.0, 0), (0.5, 1.0, 1)]);
        // The second class is neither there nor answered.
        close(scores.macro_mean.f1, 2.0 / 3.0);
        assert_eq!(scores.largest_class_share, None);
        assert_eq!(scores.confusion.matrix, None);
    }

    #[test]
    fn of_no_answers_there_are_no_scores() {
        assert_eq!(tally(2, &[]).scores(&labels(2)), None);
    }
}
