//! Which differences between trained networks are larger than chance would make them.

use std::collections::BTreeSet;

use gatefold_training::chance::difference_chance;
use gatefold_training::{RunConfig, Spread};
use itertools::Itertools;
use serde::Serialize;

use crate::report::RunSection;

/// The runs of one network, which differ in their seed alone.
#[derive(Clone, Debug)]
pub struct SeedGroup<'a> {
    /// What the network is called: its cell, or the run if there is but one.
    pub name: String,
    /// Its runs.
    pub sections: Vec<&'a RunSection>,
    /// Of their test accuracies; none where answers are numbers.
    pub accuracy: Option<Spread>,
    /// Of their test losses.
    pub loss: Spread,
}

/// Two networks beside each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Their names, the better one's first.
    pub networks: [String; 2],
    /// `accuracy`, or `loss` where answers are numbers.
    pub measure: &'static str,
    /// Their means.
    pub means: [f64; 2],
    /// How far they may lie apart by chance; none where a network has one seed.
    pub chance: Option<f64>,
    /// Whether they lie further apart.
    pub larger_than_chance: bool,
}

/// The rule by which a difference counts, of `noun`.
pub fn rule(noun: &str) -> String {
    format!(
        "A difference counts where it is larger than the seeds would make it (Welch's t interval, 95 %) and, in \
         accuracy, than two standard errors over the test {noun}."
    )
}

/// Puts together the runs of networks that differ in nothing but the seed.
pub fn by_network(sections: &[RunSection]) -> Vec<SeedGroup<'_>> {
    let mut groups: Vec<(RunConfig, Vec<&RunSection>)> = Vec::new();
    for section in sections {
        let mut config = section.config.clone();
        config.training.seed = 0;
        match groups.iter_mut().find(|(of, _)| *of == config) {
            Some((_, group)) => group.push(section),
            None => groups.push((config, vec![section])),
        }
    }
    let groups = groups.into_iter().filter_map(|(config, sections)| {
        let losses: Vec<f64> = sections.iter().map(|of| of.summary.test_loss).collect();
        let accuracies: Option<Vec<f64>> =
            sections.iter().map(|of| of.summary.test_accuracy).collect();
        Some(SeedGroup {
            name: match &sections[..] {
                [one] => one.name.clone(),
                _ => config.model.cell.to_string(),
            },
            accuracy: accuracies.and_then(|accuracies| Spread::of(&accuracies)),
            loss: Spread::of(&losses)?,
            sections,
        })
    });
    groups.collect()
}

/// Every two networks beside each other.
pub fn differences(groups: &[SeedGroup]) -> Vec<Difference> {
    let pairs = groups.iter().array_combinations();
    pairs.map(|[one, other]| difference(one, other)).collect()
}

fn difference(one: &SeedGroup, other: &SeedGroup) -> Difference {
    let tested = one.tested().min(other.tested());
    let (measure, [first, second], test_chance) = match (one.accuracy, other.accuracy) {
        (Some(first), Some(second)) => {
            let chance = difference_chance(first.mean, second.mean, tested);
            ("accuracy", [first, second], chance)
        }
        _ => ("loss", [one.loss, other.loss], 0.0),
    };
    let chance = first.chance(&second).max(test_chance);
    let apart = first.mean - second.mean;
    let mut networks = [(&one.name, first.mean), (&other.name, second.mean)];
    if (apart < 0.0) == (measure == "accuracy") {
        networks.reverse();
    }
    Difference {
        networks: networks.map(|(name, _)| name.clone()),
        measure,
        means: networks.map(|(_, mean)| mean),
        chance: chance.is_finite().then_some(chance),
        larger_than_chance: apart.abs() > chance,
    }
}

/// What may be said of networks beside each other, in sentences; `noun` is what they were tested on.
pub fn verdicts(groups: &[SeedGroup], noun: &str) -> Vec<String> {
    if groups.len() < 2 {
        return Vec::new();
    }
    let differences = differences(groups);
    if differences.iter().any(|of| of.chance.is_none()) {
        return one_seed(groups, noun).into_iter().collect();
    }
    let sentence = |of: &Difference| {
        let ([better, other], [first, second]) = (&of.networks, of.means);
        let apart = (first - second).abs();
        let chance = of.chance.unwrap_or_default();
        match of.larger_than_chance {
            true => format!(
                "{better} is better than {other}: {} {first:.4} against {second:.4}, {apart:.4} apart, where chance \
                 makes {chance:.4}.",
                of.measure
            ),
            false => format!(
                "{better} and {other} are alike: {} {first:.4} and {second:.4}, {apart:.4} apart, where chance makes \
                 {chance:.4}.",
                of.measure
            ),
        }
    };
    let sentences = differences.iter().map(sentence);
    sentences.chain([rule(noun)]).collect()
}

/// Of one seed each, which differences say nothing.
fn one_seed(groups: &[SeedGroup], noun: &str) -> Option<String> {
    let accuracies: Option<Vec<f64>> = groups
        .iter()
        .map(|group| Some(group.accuracy?.mean))
        .collect();
    let Some(accuracies) = accuracies else {
        return Some(
            "With one seed each nobody knows which difference is chance: train with several seeds."
                .into(),
        );
    };
    let tested = groups.iter().map(SeedGroup::tested).min()?;
    let (least, most) = accuracies.into_iter().minmax().into_option()?;
    let chance = difference_chance(least, most, tested);
    Some(format!(
        "With one seed each, accuracies up to about {chance:.4} apart are alike over {tested} test {noun}{}, and \
         another seed may move them further: train with several seeds.",
        match most - least > chance {
            true => "",
            false => ", as all of these are",
        }
    ))
}

impl SeedGroup<'_> {
    /// The run that stands for all in plots, by the network's name.
    pub(crate) fn drawn(&self) -> RunSection {
        RunSection {
            name: self.name.clone(),
            ..self.sections[0].clone()
        }
    }

    /// The seeds, from the least.
    pub fn seeds(&self) -> BTreeSet<u64> {
        let seeds = self.sections.iter().map(|of| of.config.training.seed);
        seeds.collect()
    }

    /// How many answers were tested.
    fn tested(&self) -> usize {
        let tested = self.sections.iter().map(|of| of.summary.test_examples);
        tested.min().unwrap_or_default()
    }
}
