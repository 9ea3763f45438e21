//! Which records are trained on, validated on and tested on.
//!
//! Every part keeps each class's share, and records that belong together stay in one part. The split is drawn with
//! a constant seed: the same records in the same order give the same parts, whatever a run's seed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::path::Path;

use crate::dataset::{Note, Record};
use crate::error::{DataError, SHOWN_NAME, shown, shown_names};
use crate::example::Target;
use crate::labels::Labels;
use crate::random::{generator, shuffle};

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Train,
    Validation,
    Test,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "the training part",
            Self::Validation => "the validation part",
            Self::Test => "the test part",
        })
    }
}

/// What is held out of a table; nothing for a part that has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fractions {
    /// The share of all records.
    pub(crate) test: Option<f64>,
    /// The share of what the test part leaves.
    pub(crate) validation: Option<f64>,
}

/// A part that would have nothing of a class, or nothing at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lacking {
    pub(crate) part: Part,
    /// None where targets aren't classes.
    pub(crate) class: Option<u32>,
    /// How many records have that class, and in how many groups they are.
    pub(crate) records: usize,
    pub(crate) groups: usize,
    /// Of how many parts each needs one.
    pub(crate) parts: usize,
}

impl Lacking {
    /// The error of a table at `path` that can't be shared out.
    pub(crate) fn error(&self, path: &Path, labels: Option<&Labels>) -> DataError {
        let name = self.class.and_then(|class| labels?.name(class as usize));
        let what = match name {
            Some(name) => format!("`{}` has {}", shown(name, SHOWN_NAME), rows(self.records)),
            None => format!("there {} {}", is_or_are(self.records), rows(self.records)),
        };
        let groups = match self.groups < self.records {
            true => format!(" in {} that stay together", count(self.groups, "group")),
            false => String::new(),
        };
        let without = match name {
            Some(name) => format!(
                ", or leave it out (`{}=` among the labels)",
                shown(name, SHOWN_NAME)
            ),
            None => String::new(),
        };
        DataError::Split {
            path: path.into(),
            reason: format!(
                "{what}{groups}, too few for {} parts: {} would have none of it; add rows{without}, or give files of their \
                 own for testing and validation",
                self.parts, self.part
            ),
        }
    }
}

fn is_or_are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn rows(rows: usize) -> String {
    count(rows, "row")
}

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The records of the training, the validation and the test part, each in their order.
pub(crate) fn shared_out(records: Vec<Record>, parts: &[Part]) -> [Vec<Record>; 3] {
    let mut shares = [Vec::new(), Vec::new(), Vec::new()];
    for (record, part) in records.into_iter().zip(parts) {
        shares[*part as usize].push(record);
    }
    shares
}

/// The classes that none of the targets has.
pub(crate) fn missing_classes<'a>(
    targets: impl Iterator<Item = &'a Target>,
    labels: &Labels,
) -> Vec<u32> {
    let mut there: HashSet<u32> = HashSet::new();
    for target in targets {
        there.extend(match target {
            Target::ClassSet(classes) | Target::Classes(classes) => classes.as_slice(),
            Target::Class(class) => std::slice::from_ref(class),
            Target::Values(_) => &[],
        });
    }
    let classes = (0..).take(labels.len());
    classes.filter(|class| !there.contains(class)).collect()
}

/// Notes the classes that the targets of a part, or of its file, lack.
pub(crate) fn note_missing_classes<'a>(
    part: impl fmt::Display,
    targets: impl Iterator<Item = &'a Target>,
    labels: &Labels,
    notes: &mut Vec<Note>,
) {
    let missing = missing_classes(targets, labels);
    if !missing.is_empty() {
        let names = missing
            .iter()
            .filter_map(|&class| labels.name(class as usize));
        notes.push(Note::doubtful(format!(
            "{part} has no row of {}, so that its figures say nothing about {}",
            shown_names(names),
            if missing.len() == 1 { "it" } else { "them" }
        )));
    }
}

/// Which records have to stay in one part.
pub(crate) struct Groups {
    /// A record of the same group, in the end the first one of it.
    parents: Vec<usize>,
}

impl Groups {
    /// Every record a group of its own.
    pub(crate) fn new(records: usize) -> Self {
        Self {
            parents: (0..records).collect(),
        }
    }

    /// Joins records with the same key.
    pub(crate) fn keep_together<K: Eq + Hash>(&mut self, keys: impl Iterator<Item = K>) {
        let mut firsts = HashMap::new();
        for (record, key) in keys.enumerate() {
            let first = *firsts.entry(key).or_insert(record);
            let (one, other) = (self.first(first), self.first(record));
            self.parents[one.max(other)] = one.min(other);
        }
    }

    /// The first record of a record's group.
    fn first(&mut self, mut record: usize) -> usize {
        while self.parents[record] != record {
            // Halving the way keeps it short.
            self.parents[record] = self.parents[self.parents[record]];
            record = self.parents[record];
        }
        record
    }

    /// The records, those of a group side by side; groups in the order of their first records.
    fn in_order(mut self) -> (Vec<usize>, Vec<usize>) {
        let firsts: Vec<usize> = (0..self.parents.len())
            .map(|record| self.first(record))
            .collect();
        let mut order: Vec<usize> = (0..firsts.len()).collect();
        order.sort_by_key(|&record| firsts[record]);
        (order, firsts)
    }
}

/// What targets that are no classes have for one.
const NO_CLASS: u32 = u32::MAX;

/// Orders that are tried where groups make it hard to give every part something of each class.
const ATTEMPTS: u64 = 20;

/// The part of each record: of every class its share, at least one in every part, and of a group all.
///
/// A record with several classes counts for each of them, and one of them may be missing where nothing is trained.
///
/// # Errors
/// [`Lacking`] if a class has too few records, or groups, to be in every part.
pub(crate) fn parts(
    targets: &[&Target],
    groups: Groups,
    fractions: Fractions,
) -> Result<Vec<Part>, Lacking> {
    let (order, firsts) = groups.in_order();
    let units: Vec<&[usize]> = order
        .chunk_by(|one, other| firsts[*one] == firsts[*other])
        .collect();
    let held = [
        (Part::Test, fractions.test),
        (Part::Validation, fractions.validation),
    ];
    let held: Vec<(Part, f64)> = held
        .into_iter()
        .filter_map(|(part, fraction)| Some((part, fraction?)))
        .collect();
    let attempts = match units.len() == targets.len() {
        true => 1,
        false => ATTEMPTS,
    };
    let mut refused = None;
    for attempt in 0..attempts {
        let mut parts = vec![Part::Train; targets.len()];
        let mut left = units.clone();
        for (index, (part, fraction)) in held.iter().enumerate() {
            let mut order = left;
            let stream = attempt * held.len() as u64 + index as u64;
            shuffle(&mut order, &mut generator(*b"parts\0\0\0", 0, stream));
            left = Vec::new();
            let chosen = chosen(&order, targets, *fraction, held.len() - index);
            for (unit, chosen) in order.into_iter().zip(chosen) {
                match chosen {
                    true => unit.iter().for_each(|&record| parts[record] = *part),
                    false => left.push(unit),
                }
            }
        }
        match lacking(&parts, targets, &units, &held) {
            None => return Ok(parts),
            Some(lacking) => {
                // No order gives a class to more parts than it has groups.
                let is_hopeless = lacking.groups < lacking.parts;
                refused = refused.or(Some(lacking));
                if is_hopeless {
                    break;
                }
            }
        }
    }
    Err(refused.expect("every attempt was refused"))
}

/// The classes that a target's record counts for.
fn classes(target: &Target) -> &[u32] {
    match target {
        Target::Class(class) => std::slice::from_ref(class),
        Target::ClassSet(classes) if !classes.is_empty() => classes,
        _ => &[NO_CLASS],
    }
}

/// How often each class is there in a unit.
fn counts(unit: &[usize], targets: &[&Target]) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for class in unit.iter().flat_map(|&record| classes(targets[record])) {
        *counts.entry(*class).or_insert(0) += 1;
    }
    counts
}

/// Which of the units are held out: one after the other, the largest first and then those of the rarest classes,
/// each if that brings its rarest class and all together nearer to their shares (after Sechidis et al. 2011).
/// `leave` parts more need something of each class.
fn chosen(units: &[&[usize]], targets: &[&Target], fraction: f64, leave: usize) -> Vec<bool> {
    let counted: Vec<_> = units.iter().map(|unit| counts(unit, targets)).collect();
    let mut totals = BTreeMap::new();
    for (class, count) in counted.iter().flatten() {
        *totals.entry(*class).or_insert(0) += count;
    }
    let mut needs = quotas(&totals, fraction, leave);
    let rarest = |unit: usize| counted[unit].keys().min_by_key(|class| totals[class]);
    let rarity = |unit: usize| rarest(unit).map(|class| totals[class]);
    let mut order: Vec<usize> = (0..units.len()).collect();
    order.sort_by_key(|&unit| (std::cmp::Reverse(units[unit].len()), rarity(unit)));
    let mut chosen = vec![false; units.len()];
    for unit in order {
        // What holding it out adds to the squared distance from the share.
        let change = |class: &u32| {
            let count = counted[unit][class] as f64;
            count * (count - 2.0 * needs[class]) / totals[class] as f64
        };
        let of_all: f64 = counted[unit].keys().map(change).sum();
        if of_all < 0.0 && rarest(unit).is_none_or(|class| change(class) < 0.0) {
            chosen[unit] = true;
            for (class, count) in &counted[unit] {
                *needs.entry(*class).or_default() -= *count as f64;
            }
        }
    }
    chosen
}

/// How many of each class are held out: its share by largest remainders, but at least one, as far as one is left
/// for each of `leave` other parts.
fn quotas(totals: &BTreeMap<u32, usize>, fraction: f64, leave: usize) -> BTreeMap<u32, f64> {
    let all: usize = totals.values().sum();
    let exact = |class: &u32| totals[class] as f64 * fraction;
    let mut quotas: BTreeMap<u32, usize> = totals
        .keys()
        .map(|class| (*class, exact(class) as usize))
        .collect();
    let given: usize = quotas.values().sum();
    let missing = ((all as f64 * fraction).round() as usize).saturating_sub(given);
    let mut by_remainder: Vec<u32> = totals.keys().copied().collect();
    by_remainder.sort_by(|one, other| exact(other).fract().total_cmp(&exact(one).fract()));
    for class in by_remainder.iter().take(missing) {
        *quotas.entry(*class).or_default() += 1;
    }
    let bounded = |(class, quota): (u32, usize)| {
        let most = totals[&class].saturating_sub(leave);
        (class, quota.max(1).min(most) as f64)
    };
    quotas.into_iter().map(bounded).collect()
}

/// The first class that a part has nothing of.
fn lacking(
    parts: &[Part],
    targets: &[&Target],
    units: &[&[usize]],
    held: &[(Part, f64)],
) -> Option<Lacking> {
    let all: Vec<usize> = (0..parts.len()).collect();
    let totals = counts(&all, targets);
    let named = [Part::Train]
        .into_iter()
        .chain(held.iter().map(|(part, _)| *part));
    for part in named {
        let members: Vec<usize> = all
            .iter()
            .copied()
            .filter(|&record| parts[record] == part)
            .collect();
        let there = counts(&members, targets);
        let may_lack = part != Part::Train
            && matches!(targets.first(), Some(Target::ClassSet(_)))
            && !members.is_empty();
        let missing = totals.iter().find(|(class, _)| !there.contains_key(class));
        if let Some((class, records)) = missing.filter(|_| !may_lack) {
            let of_class = |unit: &&&[usize]| counts(unit, targets).contains_key(class);
            return Some(Lacking {
                part,
                class: (*class != NO_CLASS).then_some(*class),
                records: *records,
                groups: units.iter().filter(of_class).count(),
                parts: held.len() + 1,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIFTHS: Fractions = Fractions {
        test: Some(0.2),
        validation: Some(0.2),
    };

    fn split(
        targets: &[Target],
        groups: Groups,
        fractions: Fractions,
    ) -> Result<Vec<Part>, Lacking> {
        parts(&targets.iter().collect::<Vec<_>>(), groups, fractions)
    }

    /// So many records of each class.
    fn of_classes(counts: &[usize]) -> Vec<Target> {
        (0..)
            .zip(counts)
            .flat_map(|(class, &count)| vec![Target::Class(class); count])
            .collect()
    }

    fn count(parts: &[Part], targets: &[Target], part: Part, class: u32) -> usize {
        let mut both = parts.iter().zip(targets);
        let is = |(of, target): &(&Part, &Target)| **of == part && classes(target).contains(&class);
        both.by_ref().filter(is).count()
    }

    #[test]
    fn every_part_keeps_each_classs_share() {
        let targets = of_classes(&[500, 100, 10, 3]);
        let found = split(&targets, Groups::new(613), FIFTHS).unwrap();
        for (class, [train, validation, test]) in
            (0..).zip([[320, 80, 100], [64, 16, 20], [6, 2, 2], [1, 1, 1]])
        {
            assert_eq!(
                count(&found, &targets, Part::Train, class),
                train,
                "{class}"
            );
            assert_eq!(count(&found, &targets, Part::Validation, class), validation);
            assert_eq!(count(&found, &targets, Part::Test, class), test);
        }
        assert_eq!(split(&targets, Groups::new(613), FIFTHS).unwrap(), found);
        // Not the first or the last ones of a class.
        let tested = (0..500).filter(|&record| found[record] == Part::Test);
        assert!((150..350).contains(&(tested.sum::<usize>() / 100)));
    }

    #[test]
    fn shares_of_small_classes_sum_up_to_that_of_all() {
        let targets = of_classes(&[7; 100]);
        let found = split(&targets, Groups::new(700), FIFTHS).unwrap();
        let held = |part| found.iter().filter(|&&of| of == part).count();
        assert_eq!((held(Part::Test), held(Part::Validation)), (140, 112));
    }

    #[test]
    fn a_class_that_is_too_rare_is_told() {
        let targets = of_classes(&[20, 2]);
        let lacking = split(&targets, Groups::new(22), FIFTHS).unwrap_err();
        assert_eq!(
            (lacking.class, lacking.records, lacking.parts),
            (Some(1), 2, 3)
        );
        let with_its_own_test = Fractions {
            test: None,
            ..FIFTHS
        };
        assert!(split(&targets, Groups::new(22), with_its_own_test).is_ok());
        let numbers = vec![Target::Values(vec![1.0]); 2];
        let lacking = split(&numbers, Groups::new(2), FIFTHS).unwrap_err();
        assert_eq!((lacking.class, lacking.records), (None, 2));
        assert!(
            split(&numbers[..0], Groups::new(0), FIFTHS)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn groups_stay_together() {
        let targets: Vec<Target> = (0..300).map(|row| Target::Class(row / 3 % 2)).collect();
        let mut groups = Groups::new(300);
        groups.keep_together((0..300).map(|row| row / 6));
        groups.keep_together((0..300).map(|row| if row % 50 == 0 { 1000 } else { row }));
        let found = split(&targets, groups, FIFTHS).unwrap();
        for rows in found.chunks(6) {
            assert!(rows.iter().all(|part| *part == rows[0]), "{rows:?}");
        }
        assert!(found.iter().step_by(50).all(|part| *part == found[0]));
        let tested = found.iter().filter(|&&part| part == Part::Test).count();
        assert!((50..=70).contains(&tested), "{tested}");
        // Two groups are not enough for three parts.
        let mut two = Groups::new(300);
        two.keep_together((0..300).map(|row| row % 2));
        let lacking = split(&targets, two, FIFTHS).unwrap_err();
        assert_eq!((lacking.records, lacking.groups), (150, 2));
    }

    #[test]
    fn sets_of_classes_are_shared_out_as_well_as_they_can_be() {
        let set = |row: u32| {
            let mut classes = vec![row % 3];
            classes.extend((row.is_multiple_of(10)).then_some(3));
            classes.extend((row == 17).then_some(4));
            match row % 7 {
                0 => Target::ClassSet(Vec::new()),
                _ => Target::ClassSet(classes),
            }
        };
        let targets: Vec<Target> = (0..1000).map(set).collect();
        let found = split(&targets, Groups::new(1000), FIFTHS).unwrap();
        for class in 0..4 {
            let all = targets
                .iter()
                .filter(|target| classes(target).contains(&class))
                .count();
            let tested = count(&found, &targets, Part::Test, class);
            let share = tested as f64 / all as f64;
            assert!((0.15..0.25).contains(&share), "{class}: {tested} of {all}");
        }
        // What occurs once is trained on.
        assert_eq!(count(&found, &targets, Part::Train, 4), 1);
    }
}
