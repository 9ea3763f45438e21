//! What the loss of an example of each class counts.

use std::str::FromStr;

use gatefold_data::{EncodedDataset, Example, Labels, Target};
use serde::{Deserialize, Serialize};

/// What the loss of an example of each class counts: `"balanced"`, or a list in the classes' order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassWeights {
    /// A rule that the training part settles.
    Rule(WeightRule),
    /// Each class's.
    Each(Vec<f64>),
}

/// How the training part settles weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WeightRule {
    /// All classes count alike: of n examples in C classes, one of a class with m examples counts n / (C m).
    Balanced,
}

impl ClassWeights {
    /// Each class's, if no rule is left to be settled.
    pub fn each(&self) -> Option<&[f64]> {
        match self {
            Self::Rule(_) => None,
            Self::Each(weights) => Some(weights),
        }
    }

    /// Each class's for the training part of `data`. A class without examples counts 1.
    pub fn of(&self, data: &EncodedDataset) -> Vec<f64> {
        self.of_examples(
            data.train.iter(),
            data.labels.as_ref().map_or(0, Labels::len),
        )
    }

    /// Each class's for training examples of so many classes.
    pub(crate) fn of_examples<'a>(
        &self,
        examples: impl Iterator<Item = &'a Example>,
        classes: usize,
    ) -> Vec<f64> {
        if let Self::Each(weights) = self {
            return weights.clone();
        }
        let mut counts = vec![0_usize; classes];
        for example in examples {
            let classes = match &example.target {
                Some(Target::Class(class)) => std::slice::from_ref(class),
                Some(Target::Classes(classes)) => classes,
                _ => &[],
            };
            for &class in classes {
                counts[class as usize] += 1;
            }
        }
        let all: usize = counts.iter().sum();
        let weight = |&count: &usize| match count {
            0 => 1.0,
            _ => all as f64 / (counts.len() * count) as f64,
        };
        counts.iter().map(weight).collect()
    }
}

impl FromStr for ClassWeights {
    type Err = String;

    /// `balanced`, or numbers that commas separate.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "balanced" {
            return Ok(Self::Rule(WeightRule::Balanced));
        }
        let weight = |weight: &str| weight.trim().parse::<f64>();
        let weights: Result<_, _> = text.split(',').map(weight).collect();
        weights.map(Self::Each).map_err(|_| {
            "write balanced, or a number for each class with commas between them, in the order of the labels".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use gatefold_data::{Dataset, Record};

    use super::*;
    use crate::config::RunConfig;

    #[test]
    fn balanced_classes_count_alike() {
        let labels = Labels::new(["a", "b", "c"].map(String::from).to_vec()).unwrap();
        let records = |counts: [usize; 3]| -> Vec<Record> {
            let of = |(class, &count): (u32, &usize)| vec![Record::text("word", class); count];
            (0..).zip(&counts).flat_map(of).collect()
        };
        let dataset = Dataset {
            labels: Some(labels),
            train: records([6, 3, 1]),
            validation: records([1, 1, 1]),
            test: records([1, 1, 1]),
            ..Dataset::default()
        };
        let data = EncodedDataset::new(&dataset, &RunConfig::default().encoding()).unwrap();
        let balanced = ClassWeights::Rule(WeightRule::Balanced);
        let weights = balanced.of(&data);
        // As scikit-learn's compute_class_weight("balanced", …).
        for (found, expected) in weights.iter().zip([10.0 / 18.0, 10.0 / 9.0, 10.0 / 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(ClassWeights::Each(weights.clone()).of(&data), weights);
    }

    #[test]
    fn a_rule_or_a_list_is_read_and_written() {
        for (text, weights) in [
            (
                "class_weights = \"balanced\"\n",
                "balanced".parse().unwrap(),
            ),
            (
                "class_weights = [1.0, 2.5]\n",
                ClassWeights::Each(vec![1.0, 2.5]),
            ),
        ] {
            let config =
                RunConfig::from_toml(&format!("[training]\n{text}"), "config.toml").unwrap();
            assert_eq!(config.training.class_weights, Some(weights));
            let again = RunConfig::from_toml(&config.to_toml().unwrap(), "config.toml").unwrap();
            assert_eq!(again, config);
        }
        assert_eq!("1, 2.5".parse(), Ok(ClassWeights::Each(vec![1.0, 2.5])));
        assert!("even".parse::<ClassWeights>().is_err());
    }
}
