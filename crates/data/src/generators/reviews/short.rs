//! Short reviews: what people type first, in one to twelve words.
//!
//! ```text
//! review   = clause { clause }
//! clause   = plain(same) | negated(other) | remark(same) | contrast
//! contrast = hearsay(any) ", but " own(same) | own(same) ", although " hearsay(any)
//! own      = plain(same) | negated(other), as a whole sentence
//! ```

use super::grammar::{ADJECTIVES, ASPECTS, INTENSIFIERS, JOINTS, LATE_JOINTS, NOUNS};
use super::{AGREES, HEARSAY_LAST, NEGATED, Writer, capitalised, count_words};
use phrases::*;

/// Words of the longest short review.
pub(super) const MOST_WORDS: usize = 12;

// Chances, in percent.
const REMARK: u32 = 18;
const CONTRAST: u32 = 13;
const JOINED: u32 = 30;
const EXCLAIMED: u32 = 20;

#[rustfmt::skip]
mod phrases;

impl Writer {
    /// Takes clauses until it has as many words as a draw, never more than [`MOST_WORDS`].
    pub(super) fn short_review(&mut self, positive: bool) -> String {
        let target = 1 + self.below(MOST_WORDS as u32) as usize;
        let mut review = String::new();
        let mut words = 0;
        while words < target {
            let clause = self.clause(positive);
            words += count_words(&clause);
            if words > MOST_WORDS {
                if review.is_empty() {
                    words = 0;
                    continue;
                }
                break;
            }
            if review.is_empty() {
                review = capitalised(&clause);
            } else if self.chance(JOINED) {
                review += ", ";
                review += &clause;
            } else {
                review += ". ";
                review += &capitalised(&clause);
            }
        }
        review + if self.chance(EXCLAIMED) { "!" } else { "." }
    }

    fn clause(&mut self, positive: bool) -> String {
        let kind = self.below(100);
        if kind < REMARK {
            let template = self.pick(REMARKS[usize::from(positive)]);
            self.phrase(template, positive)
        } else if kind < REMARK + CONTRAST {
            self.contrast(positive)
        } else {
            self.verdict(positive, [PLAIN, NEGATED_PHRASES])
        }
    }

    /// What others said, which decides nothing, and what the reviewer says.
    fn contrast(&mut self, positive: bool) -> String {
        let agrees = self.chance(AGREES);
        let template = self.pick(HEARSAY);
        let hearsay = self.phrase(template, positive == agrees);
        let own = self.verdict(positive, [OWN, NEGATED_OWN]);
        if self.chance(HEARSAY_LAST) {
            let joint = self.pick(LATE_JOINTS[usize::from(agrees)]);
            format!("{own}, {joint} {hearsay}")
        } else {
            let joint = self.pick(JOINTS[usize::from(agrees)]);
            format!("{hearsay}, {joint} {own}")
        }
    }

    /// A verdict by templates `[plain, negated]`; a negated one has words of the opposite polarity.
    fn verdict(&mut self, positive: bool, templates: [&[&'static str]; 2]) -> String {
        let negated = self.chance(NEGATED);
        let template = self.pick(templates[usize::from(negated)]);
        self.phrase(template, positive != negated)
    }

    /// `template` with its slots filled with words of a polarity.
    fn phrase(&mut self, template: &str, positive: bool) -> String {
        self.replaced(template, &mut |writer, slot, filled| {
            let of = |tables: [&'static [&'static str]; 2]| tables[usize::from(positive)];
            let table = match slot {
                "good" | "a_good" => of(ADJECTIVES),
                "gem" => of(NOUNS),
                "loved" => of(LOVED),
                "love" => of(LOVE),
                "moved" => of(MOVED),
                "best" => of(BEST),
                "very" => INTENSIFIERS,
                "it" => IT,
                "film" => FILM,
                "part" => ASPECTS,
                "parts" => PARTS,
                "ever" => EVER,
                "scene" => SCENE,
                "we" => WE,
                "they" => THEY,
                _ => unreachable!("no table for the slot {slot}"),
            };
            let word = writer.pick(table);
            if slot == "a_good" {
                filled.push_str(if word.starts_with(['a', 'e', 'i', 'o', 'u']) {
                    "an "
                } else {
                    "a "
                });
            }
            filled.push_str(word);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_reviews_have_1_to_12_words_and_no_slot_left() {
        let mut writer = Writer::new(42, 0);
        let mut lengths = [0; MOST_WORDS + 1];
        for index in 0..10_000 {
            let review = writer.short_review(index % 2 == 0);
            assert!(!review.contains(['{', '}', '_']), "{review}");
            lengths[count_words(&review)] += 1;
        }
        assert_eq!(lengths[0], 0);
        assert!(lengths[1..].iter().all(|count| *count > 10), "{lengths:?}");
    }

    #[test]
    fn every_template_can_be_filled() {
        let mut writer = Writer::new(42, 0);
        let tables = [
            PLAIN,
            NEGATED_PHRASES,
            OWN,
            NEGATED_OWN,
            HEARSAY,
            REMARKS[0],
            REMARKS[1],
        ];
        for template in tables.concat() {
            for positive in [false, true] {
                let phrase = writer.phrase(template, positive);
                assert!(!phrase.contains(['{', '}']), "{phrase}");
            }
        }
    }
}
