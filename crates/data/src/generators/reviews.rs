//! The built-in dataset `reviews`: seeded, balanced, short film reviews in English.
//!
//! It needs no network and no file, and it is made so that word counts do not suffice. A third of
//! them is [short](short): one to twelve words, such as people type first. A longer one is
//!
//! ```text
//! review     = { digression } judgment { digression }                  12 to 120 words
//! judgment   = [ hearsay ] ( statement | comparison ) statement statement [ statement ] [ remark ]
//!              as sentences in any order; in a rambling review only the first two of these
//! comparison = hearsay(other) ", but " pronoun " was " praise
//!            | hearsay(same) ", and " pronoun " was " praise
//!            | statement ", although " hearsay(other) | statement ", just as " hearsay(same)
//! statement  = subject ( " is " | " was " ) praise
//! praise     = evaluation | evaluation " and " evaluation
//! evaluation = [ intensifier ] word(same) | emphasis word(same) | negator word(other)
//! hearsay    = "critics called it " word | "I had heard it was " word | ...
//! remark     = "I would gladly see it again" | ...
//! digression = plot, cast, cinema, company, the way home: nothing that judges
//! ```
//!
//! where `same` is the reviewer's verdict and `other` its opposite.
//!
//! - **Negation.** Nearly half of the evaluations are negated ("far from boring"), in both classes alike
//!   and with words of the opposite polarity, so a single word says little. An emphasis ("never
//!   less than gripping") looks like a negation and is none.
//! - **Contrast.** What others said or what the reviewer expected is independent of the verdict: as
//!   often opposed to it ("but", "although") as in agreement. Only the reviewer's own word decides.
//! - **Distance.** The judgment stands first, last or anywhere between the digressions. A fifth of
//!   the reviews ramble: they judge once and digress for long, so that sixty to over eighty words
//!   may follow the verdict.
//! - **Remarks.** A remark is plain in meaning and in its words. Found in some of the reviews, it
//!   gives word counts, and a network in its first steps, something to hold on to.
//! - **Noise.** Exactly 3 % of the labels are wrong: a perfect reader scores 97 %.
//!
//! Training and test reviews come from independent streams of one seed. How a draw picks a
//! phrase is spelt out in this crate, so that a seed gives the same reviews on every platform and
//! with every version of the random number libraries.

#[rustfmt::skip]
mod grammar;
mod short;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use self::grammar::*;
use crate::dataset::{Dataset, Record};
use crate::example::Target;
use crate::labels::Labels;
use crate::random::{generator, shuffle};

/// Reviews in the training split.
const TRAIN_REVIEWS: usize = 20_000;
/// Reviews in the test split.
const TEST_REVIEWS: usize = 5_000;

/// The share of wrong labels in each split.
const NOISE_PERCENT: usize = 3;

/// A review takes digressions until it has as many words as a draw from this range; no sentence is
/// long enough to take the last one beyond 120.
const TARGET_WORDS: std::ops::RangeInclusive<u32> = 12..=94;
/// The same for a review that rambles.
const RAMBLING_WORDS: std::ops::RangeInclusive<u32> = 70..=94;

// Chances, in percent.
const SHORT: u32 = 33;
const RAMBLING: u32 = 20;
const NEGATED: u32 = 45;
const EMPHASIS: u32 = 5;
const INTENSIFIED: u32 = 75;
const NOUN: u32 = 20;
const DOUBLED: u32 = 30;
const ASPECT: u32 = 30;
const COMPARED: u32 = 35;
const AGREES: u32 = 50;
const HEARSAY_LAST: u32 = 30;
const HEARSAY_ALONE: u32 = 12;
const FOURTH_OPINION: u32 = 60;
const REMARK: u32 = 10;
const JUDGMENT_FIRST: u32 = 25;
const JUDGMENT_LAST: u32 = 40;

/// Short film reviews in English, 20 000 to train and 5000 to test on, in random order, half of each split
/// positive but for 3 % whose labels are wrong. The same seed generates the same reviews.
pub fn reviews(seed: u64) -> Dataset {
    let split = |stream, count| {
        let mut writer = Writer::new(seed, stream);
        let mut reviews = writer.honest_reviews(count);
        writer.flip_labels(&mut reviews);
        reviews
    };
    Dataset {
        labels: Some(Labels::negative_positive()),
        train: split(0, TRAIN_REVIEWS),
        test: split(1, TEST_REVIEWS),
        ..Dataset::default()
    }
}

/// What stays the same throughout a review.
struct Scene {
    title: String,
    lead: String,
    genre: &'static str,
    companion: &'static str,
}

struct Writer {
    rng: ChaCha8Rng,
}

impl Writer {
    fn new(seed: u64, stream: u64) -> Self {
        Self {
            rng: generator(*b"grammar\0", seed, stream),
        }
    }

    /// Reviews with the labels that their texts deserve, exactly half of them positive.
    fn honest_reviews(&mut self, count: usize) -> Vec<Record> {
        let mut reviews: Vec<Record> = (0..count)
            .map(|index| {
                let positive = index % 2 == 0;
                Record::text(self.review(positive), positive.into())
            })
            .collect();
        shuffle(&mut reviews, &mut self.rng);
        reviews
    }

    fn flip_labels(&mut self, reviews: &mut [Record]) {
        let mut order: Vec<usize> = (0..reviews.len()).collect();
        shuffle(&mut order, &mut self.rng);
        for &index in &order[..reviews.len() * NOISE_PERCENT / 100] {
            if let Target::Class(class) = &mut reviews[index].target {
                *class = 1 - *class;
            }
        }
    }

    fn review(&mut self, positive: bool) -> String {
        if self.chance(SHORT) {
            self.short_review(positive)
        } else {
            self.long_review(positive)
        }
    }

    fn long_review(&mut self, positive: bool) -> String {
        let scene = self.scene();
        let rambling = self.chance(RAMBLING);
        let further = if rambling {
            0
        } else {
            2 + u32::from(self.chance(FOURTH_OPINION))
        };
        let judgment = self.judgment(&scene, positive, further);

        // The smaller of three draws: most reviews are short, and a few are long.
        let range = if rambling {
            RAMBLING_WORDS
        } else {
            TARGET_WORDS
        };
        let span = range.end() - range.start() + 1;
        let mut draw = || self.below(span);
        let target = if rambling {
            draw()
        } else {
            draw().min(draw()).min(draw())
        };
        let target = (range.start() + target) as usize;
        let mut templates = DIGRESSIONS.to_vec();
        shuffle(&mut templates, &mut self.rng);
        let mut words = count_words(&judgment);
        let mut digressions = Vec::new();
        for template in templates {
            if words >= target {
                break;
            }
            let sentence = capitalised(&self.fill(template, &scene));
            words += count_words(&sentence);
            digressions.push(sentence);
        }

        let place = self.below(100);
        let position = if place < JUDGMENT_FIRST {
            0
        } else if place < JUDGMENT_FIRST + JUDGMENT_LAST {
            digressions.len()
        } else {
            self.below(digressions.len() as u32 + 1) as usize
        };
        digressions.insert(position, judgment);
        digressions.join(" ")
    }

    fn scene(&mut self) -> Scene {
        Scene {
            title: format!("The {} {}", self.pick(TITLE_FIRST), self.pick(TITLE_SECOND)),
            lead: self.name(),
            genre: self.pick(GENRES),
            companion: self.pick(COMPANIONS),
        }
    }

    /// The sentences that decide, one and `further` ones, and the hearsay among them.
    fn judgment(&mut self, scene: &Scene, positive: bool, further: u32) -> String {
        let mut sentences = Vec::new();
        if self.chance(HEARSAY_ALONE) {
            let polarity = self.chance(50);
            sentences.push(self.hearsay(scene, polarity));
        }
        sentences.push(if self.chance(COMPARED) {
            self.comparison(scene, positive)
        } else {
            self.statement(scene, positive)
        });
        for _ in 0..further {
            sentences.push(self.statement(scene, positive));
        }
        if further > 0 && self.chance(REMARK) {
            sentences.push(self.pick(REMARKS[usize::from(positive)]).to_owned());
        }
        shuffle(&mut sentences, &mut self.rng);
        let sentences: Vec<String> = sentences
            .iter()
            .map(|sentence| capitalised(sentence) + ".")
            .collect();
        sentences.join(" ")
    }

    /// What was said or expected, and what the reviewer makes of it.
    fn comparison(&mut self, scene: &Scene, positive: bool) -> String {
        let agrees = self.chance(AGREES);
        let hearsay = self.hearsay(scene, positive == agrees);
        if self.chance(HEARSAY_LAST) {
            let joint = self.pick(LATE_JOINTS[usize::from(agrees)]);
            format!("{}, {joint} {hearsay}", self.statement(scene, positive))
        } else {
            let joint = self.pick(JOINTS[usize::from(agrees)]);
            let subject = self.pick(PRONOUNS);
            format!("{hearsay}, {joint} {subject} was {}", self.praise(positive))
        }
    }

    fn hearsay(&mut self, scene: &Scene, positive: bool) -> String {
        let opener = self.pick(HEARSAY);
        let opener = self.fill(opener, scene);
        if self.chance(NOUN) {
            format!("{opener} a {}", self.pick(NOUNS[usize::from(positive)]))
        } else {
            format!("{opener} {}", self.pick(ADJECTIVES[usize::from(positive)]))
        }
    }

    fn statement(&mut self, scene: &Scene, positive: bool) -> String {
        let verb = self.pick(&["is", "was"]);
        if self.chance(ASPECT) {
            let negated = self.chance(NEGATED);
            format!(
                "{} {verb} {}",
                self.pick(ASPECTS),
                self.adjective(positive, negated)
            )
        } else {
            let subject = self.pick(SUBJECTS);
            format!(
                "{} {verb} {}",
                self.fill(subject, scene),
                self.praise(positive)
            )
        }
    }

    fn praise(&mut self, positive: bool) -> String {
        if self.chance(NOUN) {
            return self.noun(positive);
        }
        let negated = self.chance(NEGATED);
        let first = self.adjective(positive, negated);
        if !self.chance(DOUBLED) {
            return first;
        }
        // "Never dull and clever" could be read as "neither dull nor clever".
        let negated_again = self.chance(NEGATED);
        let joint = if negated && !negated_again {
            "but"
        } else {
            "and"
        };
        format!(
            "{first} {joint} {}",
            self.adjective(positive, negated_again)
        )
    }

    fn adjective(&mut self, positive: bool, negated: bool) -> String {
        let word = self.pick(ADJECTIVES[usize::from(positive != negated)]);
        if negated {
            format!("{} {word}", self.pick(NEGATORS))
        } else if self.chance(EMPHASIS) {
            format!("{} {word}", self.pick(EMPHASES))
        } else if self.chance(INTENSIFIED) {
            format!("{} {word}", self.pick(INTENSIFIERS))
        } else {
            word.to_owned()
        }
    }

    fn noun(&mut self, positive: bool) -> String {
        let negated = self.chance(NEGATED);
        let word = self.pick(NOUNS[usize::from(positive != negated)]);
        if negated {
            format!("{} a {word}", self.pick(NOUN_NEGATORS))
        } else if self.chance(EMPHASIS) {
            format!("{} a {word}", self.pick(NOUN_EMPHASES))
        } else {
            format!("a {word}")
        }
    }

    fn name(&mut self) -> String {
        format!("{} {}", self.pick(FIRST_NAMES), self.pick(LAST_NAMES))
    }

    /// `template` with every `{slot}` filled, from the scene or from the slot's table.
    fn fill(&mut self, template: &str, scene: &Scene) -> String {
        self.replaced(template, &mut |writer, slot, filled| match slot {
            "title" => filled.push_str(&scene.title),
            "lead" => filled.push_str(&scene.lead),
            "genre" => filled.push_str(scene.genre),
            "companion" => filled.push_str(scene.companion),
            "actor" => filled.push_str(&writer.name()),
            _ => filled.push_str(writer.pick(slot_table(slot))),
        })
    }

    /// `template` with what `fill` adds instead of every `{slot}`.
    fn replaced(
        &mut self,
        template: &str,
        fill: &mut dyn FnMut(&mut Self, &str, &mut String),
    ) -> String {
        let mut filled = String::with_capacity(2 * template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (slot, after) = after.split_once('}').expect("a slot ends with a brace");
            filled.push_str(before);
            fill(self, slot, &mut filled);
            rest = after;
        }
        filled + rest
    }

    /// A number in `0..bound`.
    fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.rng.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    fn pick<'a>(&mut self, table: &[&'a str]) -> &'a str {
        table[self.below(table.len() as u32) as usize]
    }
}

fn slot_table(slot: &str) -> &'static [&'static str] {
    match slot {
        "role" => ROLES,
        "place" => PLACES,
        "object" => OBJECTS,
        "trade" => TRADES,
        "skill" => SKILLS,
        "seat" => SEATS,
        "snack" => SNACKS,
        "count" => COUNTS,
        "weekday" => WEEKDAYS,
        "season" => SEASONS,
        _ => unreachable!("no table for the slot {slot}"),
    }
}

/// The grammar puts no punctuation but the apostrophe inside words, so these are Keras's words.
fn count_words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn capitalised(sentence: &str) -> String {
    let (first, rest) = sentence.split_at(1);
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::sync::LazyLock;

    use rayon::prelude::*;

    use super::*;
    use crate::random::golden;

    /// The reviews that every run reads, generated once for all tests.
    static REVIEWS: LazyLock<Dataset> = LazyLock::new(|| reviews(42));

    fn positive(review: &Record) -> bool {
        review.expect_review().1
    }

    fn words(review: &Record) -> impl Iterator<Item = String> {
        let is_separator = |c: char| !c.is_alphanumeric() && c != '\'';
        let (text, _) = review.expect_review();
        text.split(is_separator)
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
    }

    fn distinct(reviews: &[Record]) -> HashSet<&str> {
        reviews
            .iter()
            .map(|review| review.expect_review().0)
            .collect()
    }

    #[test]
    fn splits_have_their_sizes_and_are_balanced() {
        let Dataset {
            labels,
            train,
            validation,
            test,
            notes,
            ..
        } = &*REVIEWS;
        assert_eq!(
            (train.len(), test.len(), notes.len()),
            (TRAIN_REVIEWS, TEST_REVIEWS, 0)
        );
        assert_eq!(*labels, Some(Labels::negative_positive()));
        assert!(validation.is_empty());
        for reviews in [train, test] {
            let positive = reviews.iter().filter(|review| positive(review)).count();
            let share = positive as f64 / reviews.len() as f64;
            assert!(
                (0.49..=0.51).contains(&share),
                "{share} of the reviews are positive"
            );
        }
    }

    #[test]
    fn a_third_of_the_reviews_is_short_and_the_others_have_12_to_120_words() {
        let Dataset { train, test, .. } = &*REVIEWS;
        let lengths: Vec<usize> = train
            .iter()
            .chain(test)
            .map(|review| words(review).count())
            .collect();
        let (short, long): (Vec<usize>, Vec<usize>) = lengths
            .into_iter()
            .partition(|length| *length <= short::MOST_WORDS);
        let share = short.len() as f64 / (short.len() + long.len()) as f64;
        assert!((0.30..=0.37).contains(&share), "{share} are short");
        assert!(short.iter().all(|length| *length > 0));
        let longest = long.iter().max().unwrap();
        assert!(*longest <= 120, "a review of {longest} words");
        let mean = long.iter().sum::<usize>() as f64 / long.len() as f64;
        assert!((45.0..=55.0).contains(&mean), "{mean} words a long review");
    }

    #[test]
    fn a_seed_decides_the_reviews() {
        assert_eq!(reviews(42), *REVIEWS);
        let other = reviews(43);
        assert_ne!(other.train, REVIEWS.train);
        assert_ne!(other.test, REVIEWS.test);
    }

    /// Every text and label: a run's data are the same on every platform and in every version.
    #[test]
    fn the_reviews_of_a_seed_are_fixed_for_all_time() {
        let hash = |reviews: &[Record]| {
            let bytes = |review: &Record| {
                let (text, positive) = review.expect_review();
                let mut bytes = text.as_bytes().to_vec();
                bytes.extend([0, u8::from(positive)]);
                bytes
            };
            golden::hash(reviews.iter().flat_map(bytes))
        };
        assert_eq!(hash(&REVIEWS.train), 13_945_399_695_224_841_643);
        assert_eq!(hash(&REVIEWS.test), 7_092_233_864_430_336_522);
    }

    #[test]
    fn few_reviews_repeat_within_or_across_the_splits() {
        let Dataset { train, test, .. } = &*REVIEWS;
        let (train_texts, test_texts) = (distinct(train), distinct(test));
        assert!(
            train_texts.len() * 100 >= 98 * train.len(),
            "{} differ",
            train_texts.len()
        );
        assert!(
            test_texts.len() * 100 >= 98 * test.len(),
            "{} differ",
            test_texts.len()
        );
        let shared = test_texts.intersection(&train_texts).count();
        assert!(
            shared * 100 < 5 * test.len(),
            "{shared} test reviews are in the training split"
        );
    }

    #[test]
    fn the_verdict_may_lie_far_from_the_end() {
        let judging: HashSet<String> = [ADJECTIVES, NOUNS]
            .concat()
            .into_iter()
            .flatten()
            .map(|word| word.to_lowercase())
            .collect();
        let Dataset { train, .. } = &*REVIEWS;
        let far = |least: usize| {
            let neutral_words_after = |review: &&Record| {
                let words: Vec<String> = words(review).collect();
                words
                    .iter()
                    .rev()
                    .take_while(|word| !judging.contains(*word))
                    .count()
            };
            let reviews = train
                .iter()
                .filter(|review| neutral_words_after(review) >= least);
            reviews.count() * 1000 / train.len()
        };
        assert!(far(40) >= 60, "{} in a thousand", far(40));
        assert!(far(60) >= 30, "{} in a thousand", far(60));
        assert!(far(80) >= 1, "{} in a thousand", far(80));
    }

    #[test]
    fn exactly_3_percent_of_the_labels_are_wrong() {
        let Dataset { train, test, .. } = &*REVIEWS;
        for (stream, noisy) in [(0, train), (1, test)] {
            let honest = Writer::new(42, stream).honest_reviews(noisy.len());
            let pairs = honest.iter().zip(noisy);
            let wrong = pairs
                .filter(|(honest, noisy)| positive(honest) != positive(noisy))
                .count();
            assert_eq!(wrong * 100, noisy.len() * 3);
        }
    }

    #[test]
    fn nearly_half_of_the_evaluations_are_negated_in_both_classes() {
        let negated = |praise: &str| {
            let begins = |phrases: &[&str]| phrases.iter().any(|phrase| praise.starts_with(phrase));
            begins(NEGATORS) && !begins(EMPHASES)
        };
        let mut writer = Writer::new(42, 0);
        for positive in [false, true] {
            let count = (0..10_000)
                .filter(|_| negated(&writer.praise(positive)))
                .count();
            assert!(
                (4_300..=4_700).contains(&count),
                "{count} of 10 000 are negated"
            );
        }
    }

    #[test]
    fn every_slot_has_a_table() {
        let mut writer = Writer::new(42, 0);
        let scene = writer.scene();
        for template in [DIGRESSIONS, SUBJECTS, HEARSAY].concat() {
            let filled = writer.fill(template, &scene);
            assert!(!filled.contains(['{', '}']), "{filled}");
        }
    }

    /// The best accuracy on `test`, over some weight decays, of a logistic regression on which
    /// words a review contains, by stochastic gradient descent with averaged weights.
    fn bag_of_words_accuracy(train: &[Record], test: &[Record]) -> f32 {
        let mut ids = HashMap::new();
        let mut bags = |reviews: &[Record]| -> Vec<(Vec<usize>, f32)> {
            let mut bag = |review: &Record| {
                let mut bag: Vec<usize> = words(review)
                    .map(|word| {
                        let next = ids.len();
                        *ids.entry(word).or_insert(next)
                    })
                    .collect();
                bag.sort_unstable();
                bag.dedup();
                (bag, f32::from(u8::from(positive(review))))
            };
            reviews.iter().map(&mut bag).collect()
        };
        let (train, test) = (bags(train), bags(test));
        let logit = |weights: &[f32], bag: &[usize]| bag.iter().map(|&id| weights[id]).sum::<f32>();

        let accuracy = |weight_decay: f32| {
            let mut weights = vec![0.0_f32; ids.len()];
            let mut averaged = weights.clone();
            for epoch in 0..10 {
                for (bag, label) in &train {
                    let error = 1.0 / (1.0 + (-logit(&weights, bag)).exp()) - label;
                    for &id in bag {
                        weights[id] -= 0.02 * (error + weight_decay * weights[id]);
                        if epoch >= 5 {
                            averaged[id] += weights[id];
                        }
                    }
                }
            }
            let right = test
                .iter()
                .filter(|(bag, label)| (logit(&averaged, bag) > 0.0) == (*label > 0.5));
            right.count() as f32 / test.len() as f32
        };
        [0.0, 0.001, 0.01, 0.1]
            .into_par_iter()
            .map(accuracy)
            .reduce(|| 0.0, f32::max)
    }

    #[test]
    fn bag_of_words_stays_below_80_percent() {
        let accuracy = bag_of_words_accuracy(&REVIEWS.train, &REVIEWS.test);
        assert!(
            (0.52..0.80).contains(&accuracy),
            "bag of words reaches {accuracy}"
        );
    }
}
