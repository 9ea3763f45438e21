//! What a network is trained to answer: the loss that is minimised, and how an answer is scored.

use std::fmt;

use burn::tensor::activation::{log_sigmoid, log_softmax, sigmoid, softmax};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use gatefold_data::BatchTargets;
use serde::{Deserialize, Serialize};

/// What a network is trained to answer. Answers are `[rows, C]`; a row without a target counts nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Objective {
    /// One of two classes, C = 1: the logit of the second. Binary cross-entropy.
    #[default]
    Binary,
    /// One of C classes: a logit each. Cross-entropy of their softmax.
    Classes,
    /// Any number of C classes at once: a logit each. The mean of their binary cross-entropies.
    #[serde(rename = "multi-label")]
    MultiLabel,
    /// C numbers. Their mean squared error.
    Values,
    /// The next token: answers are their own losses already, one a direction. Their mean.
    Language,
}

impl fmt::Display for Objective {
    /// As configurations have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Binary => "binary",
            Self::Classes => "classes",
            Self::MultiLabel => "multi-label",
            Self::Values => "values",
            Self::Language => "language",
        })
    }
}

/// What a loss counts, and how sure it wants answers to be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossOptions<'a> {
    /// What the loss of an example of each class counts, in the classes' order; 1 each without any.
    pub class_weights: Option<&'a [f64]>,
    /// Of a target's probability 1, the share ε that is spread over all C classes, in [0, 1): 1 - ε + ε/C for the right
    /// one, ε/C for each other one (Szegedy et al. 2016); of a class that is there or not, C = 2. Of numbers nothing.
    pub label_smoothing: f64,
}

/// How good one row's answer is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowScore {
    /// Its loss.
    pub loss: f64,
    /// Whether it names the right class, where it names one.
    pub correct: bool,
}

impl Objective {
    /// What its loss is called.
    pub fn loss_name(self) -> &'static str {
        match self {
            Self::Binary | Self::MultiLabel => "binary cross-entropy",
            Self::Classes | Self::Language => "cross-entropy",
            Self::Values => "squared error",
        }
    }

    /// Whether answers name classes, so that there is a share of right ones.
    pub fn has_accuracy(self) -> bool {
        !matches!(self, Self::Values | Self::Language)
    }

    /// The loss that is minimised, `[1]`: the mean over the rows that have a target, each counted as much as the
    /// weight of its class, if there are any; of several classes at once, each one's loss counts its weight. Labels are
    /// smoothed as `options` says.
    ///
    /// Summed along a dimension, because Burn's sum over everything adds in no fixed order on a GPU.
    ///
    /// # Panics
    /// If the targets are of another kind, or not as many as the answers.
    pub fn loss(
        self,
        answers: Tensor<2>,
        targets: &BatchTargets,
        options: LossOptions,
    ) -> Tensor<1> {
        let device = answers.device();
        let answers = with_targets_alone(answers, targets);
        let mut losses = match targets {
            BatchTargets::ClassSets(sets) if self == Self::MultiLabel => {
                set_losses(answers, sets, options)
            }
            _ => self.losses(answers, targets, options.label_smoothing),
        };
        if let Some(weights) = row_weights(targets, options.class_weights) {
            losses = losses * Tensor::from_data(&weights[..], &device);
        }
        let count = losses.dims()[0];
        losses.reshape([1, count]).mean_dim(1).reshape([1])
    }

    /// The gradient of the [loss](Self::loss) of answers `[rows, C]`, of the same shape: what
    /// [`backward`](Tensor::backward) would find, in fewer operations.
    ///
    /// # Panics
    /// As [`loss`](Self::loss).
    pub fn gradient(
        self,
        answers: Tensor<2>,
        targets: &BatchTargets,
        options: LossOptions,
    ) -> Tensor<2> {
        let [rows, width] = answers.dims();
        let LossOptions {
            class_weights,
            label_smoothing,
        } = options;
        let device = answers.device();
        let answers = with_targets_alone(answers, targets);
        let share = 1.0 / rows as f64;
        let errors = match (self, targets) {
            (Self::Binary, BatchTargets::Classes(classes)) => {
                let labels = binary_labels(classes, label_smoothing);
                let labels = TensorData::new(labels, [rows, 1]);
                (sigmoid(answers) - Tensor::from_data(labels, &device)) * share
            }
            (Self::Classes, BatchTargets::Classes(classes)) => {
                let classes: Vec<i32> = classes.iter().map(|&class| class.max(0)).collect();
                let classes = TensorData::new(classes, [rows, 1]);
                let chosen = Tensor::<2, Int>::from_data(classes, &device).expand([rows, width]);
                let every = Tensor::<1, Int>::arange(0..width as i64, &device);
                let every = every.unsqueeze::<2>().expand([rows, width]);
                let labels = smoothed(every.equal(chosen).float(), label_smoothing, width);
                (softmax(answers, 1) - labels) * share
            }
            (Self::MultiLabel, BatchTargets::ClassSets(sets)) => {
                let labels = labels_of(sets, [rows, width], &device);
                let labels = smoothed(labels, label_smoothing, 2);
                let errors = (sigmoid(answers) - labels) * (share / width as f64);
                weighted(errors, class_weights)
            }
            (Self::Values, BatchTargets::Values { values, .. }) => {
                let targets = TensorData::new(values.clone(), [rows, width]);
                let errors = answers - Tensor::from_data(targets, &device);
                errors * (2.0 * share / width as f64)
            }
            (Self::Language, BatchTargets::Classes(_)) => {
                Tensor::full([rows, width], share / width as f64, &device)
            }
            _ => mismatch(targets),
        };
        match row_weights(targets, class_weights) {
            None => errors,
            Some(weights) => {
                let weights = Tensor::<1>::from_data(&weights[..], &device);
                errors * weights.unsqueeze_dim::<2>(1)
            }
        }
    }

    /// Each row's loss, `[rows]`; without meaning where a row has no target.
    fn losses(self, answers: Tensor<2>, targets: &BatchTargets, smoothing: f64) -> Tensor<1> {
        let [rows, width] = answers.dims();
        let device = answers.device();
        match (self, targets) {
            (Self::Binary, BatchTargets::Classes(classes)) => {
                let labels = binary_labels(classes, smoothing);
                let labels = Tensor::<1>::from_data(&labels[..], &device);
                let logits: Tensor<1> = answers.reshape([rows]);
                (labels.neg() + 1.0) * logits.clone() - log_sigmoid(logits)
            }
            (Self::Classes, BatchTargets::Classes(classes)) => {
                let classes: Vec<i32> = classes.iter().map(|&class| class.max(0)).collect();
                let classes = TensorData::new(classes, [rows, 1]);
                let classes = Tensor::<2, Int>::from_data(classes, &device);
                let logs = log_softmax(answers, 1);
                let chosen = logs.clone().gather(1, classes);
                let likely = match smoothing > 0.0 {
                    true => chosen * (1.0 - smoothing) + logs.mean_dim(1) * smoothing,
                    false => chosen,
                };
                likely.neg().reshape([rows])
            }
            (Self::Values, BatchTargets::Values { values, .. }) => {
                let targets = TensorData::new(values.clone(), [rows, width]);
                let errors = (answers - Tensor::from_data(targets, &device)).square();
                errors.mean_dim(1).reshape([rows])
            }
            (Self::Language, BatchTargets::Classes(_)) => answers.mean_dim(1).reshape([rows]),
            _ => mismatch(targets),
        }
    }

    /// How good a row's answer `[C]` is, on the host: the same arithmetic for every device.
    pub fn measure_class(self, answer: &[f32], class: usize) -> RowScore {
        match self {
            Self::Binary => RowScore {
                loss: binary_cross_entropy(answer[0], class),
                correct: (answer[0] > 0.0) == (class == 1),
            },
            Self::Language => RowScore {
                loss: answer.iter().map(|&loss| f64::from(loss)).sum::<f64>() / answer.len() as f64,
                correct: false,
            },
            _ => RowScore {
                loss: cross_entropy(answer, class),
                correct: likeliest(answer) == class,
            },
        }
    }

    /// How good a row's answer `[C]` is, of any number of classes at once: right if it has exactly `set`.
    pub fn measure_set(self, answer: &[f32], set: &[u32]) -> RowScore {
        let labels = (0..).zip(answer).map(|(class, &logit)| {
            let is_there = set.contains(&class);
            let loss = binary_cross_entropy(logit, usize::from(is_there));
            (loss, (logit > 0.0) == is_there)
        });
        let (losses, right): (Vec<f64>, Vec<bool>) = labels.unzip();
        RowScore {
            loss: losses.iter().sum::<f64>() / answer.len() as f64,
            correct: right.into_iter().all(|right| right),
        }
    }

    /// How good a row's answer `[C]` is, of numbers.
    pub fn measure_values(self, answer: &[f32], target: &[f32]) -> RowScore {
        let squares = answer
            .iter()
            .zip(target)
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        RowScore {
            loss: squares.sum::<f64>() / answer.len() as f64,
            correct: false,
        }
    }

    /// The class that a row's answer `[C]` names, and its probability.
    ///
    /// # Panics
    /// If answers name no class.
    pub fn answered(self, answer: &[f32]) -> (usize, f64) {
        match self {
            Self::Binary => {
                let probability = probability(answer[0].abs());
                (usize::from(answer[0] > 0.0), probability)
            }
            Self::Classes => {
                let class = likeliest(answer);
                (class, (f64::from(answer[class]) - log_sum(answer)).exp())
            }
            Self::MultiLabel => {
                let class = likeliest(answer);
                (class, probability(answer[class]))
            }
            Self::Values | Self::Language => panic!("these answers name no class"),
        }
    }

    /// The log-odds of the second of two classes, from a row's answer `[C]`.
    pub(crate) fn log_odds(self, answer: &[f32]) -> f64 {
        match self {
            Self::Binary => answer[0].into(),
            _ => f64::from(answer[1]) - f64::from(answer[0]),
        }
    }

    /// The probability of every class, from a row's answer `[C]`; they sum up to 1 unless several classes may be
    /// there at once.
    ///
    /// # Panics
    /// If answers name no class.
    pub fn probabilities(self, answer: &[f32]) -> Vec<f64> {
        match self {
            Self::Binary => {
                let probability = probability(answer[0]);
                vec![1.0 - probability, probability]
            }
            Self::Classes => {
                let logs = log_sum(answer);
                let exp = |logit: &f32| (f64::from(*logit) - logs).exp();
                answer.iter().map(exp).collect()
            }
            Self::MultiLabel => answer.iter().map(|&logit| probability(logit)).collect(),
            Self::Values | Self::Language => panic!("these answers name no class"),
        }
    }
}

/// The labels of classes 0 and 1, smoothed.
fn binary_labels(classes: &[i32], smoothing: f64) -> Vec<f32> {
    let label = |&class: &i32| (f64::from(class) * (1.0 - smoothing) + smoothing / 2.0) as f32;
    classes.iter().map(label).collect()
}

/// Labels of 0 and 1 of which a share is spread over `classes`.
fn smoothed(labels: Tensor<2>, smoothing: f64, classes: usize) -> Tensor<2> {
    match smoothing > 0.0 {
        true => labels * (1.0 - smoothing) + smoothing / classes as f64,
        false => labels,
    }
}

/// Each row's mean binary cross-entropy over its classes, `[rows]`, each class counted as much as its weight.
fn set_losses(answers: Tensor<2>, sets: &[Option<Vec<u32>>], options: LossOptions) -> Tensor<1> {
    let [rows, width] = answers.dims();
    let labels = labels_of(sets, [rows, width], &answers.device());
    let labels = smoothed(labels, options.label_smoothing, 2);
    let losses = (labels.neg() + 1.0) * answers.clone() - log_sigmoid(answers);
    let losses = weighted(losses, options.class_weights);
    losses.mean_dim(1).reshape([rows])
}

/// 1 where a row's set has the class, else 0, `[rows, C]`.
fn labels_of(sets: &[Option<Vec<u32>>], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let [rows, width] = shape;
    let mut labels = vec![0.0_f32; rows * width];
    for (row, set) in sets.iter().enumerate() {
        for &class in set.iter().flatten() {
            labels[row * width + class as usize] = 1.0;
        }
    }
    Tensor::from_data(TensorData::new(labels, shape), device)
}

/// `[rows, C]`, each class counted as much as its weight.
fn weighted(of_classes: Tensor<2>, class_weights: Option<&[f64]>) -> Tensor<2> {
    let Some(weights) = class_weights else {
        return of_classes;
    };
    let weights: Vec<f32> = weights.iter().map(|&weight| weight as f32).collect();
    let weights = TensorData::new(weights, [1, of_classes.dims()[1]]);
    let weights = Tensor::<2>::from_data(weights, &of_classes.device());
    let shape = of_classes.dims();
    of_classes * weights.expand(shape)
}

fn mismatch(targets: &BatchTargets) -> ! {
    panic!(
        "{}",
        match targets {
            BatchTargets::Classes(_) => "one class is not what is answered",
            BatchTargets::ClassSets(_) => "sets of classes are for multi-label alone",
            BatchTargets::Values { .. } => "numbers are no classes",
        }
    )
}

/// Which rows have a target; none where all have.
fn with_target(targets: &BatchTargets) -> Option<Vec<bool>> {
    let there: Vec<bool> = match targets {
        BatchTargets::Classes(classes) => classes.iter().map(|&class| class >= 0).collect(),
        BatchTargets::ClassSets(sets) => sets.iter().map(Option::is_some).collect(),
        BatchTargets::Values { .. } => return None,
    };
    there.contains(&false).then_some(there)
}

/// The answers, with zeros in rows without a target: whatever stands there, even what is no number, has no part.
fn with_targets_alone(answers: Tensor<2>, targets: &BatchTargets) -> Tensor<2> {
    let Some(there) = with_target(targets) else {
        return answers;
    };
    let missing: Vec<bool> = there.iter().map(|there| !there).collect();
    let missing = Tensor::<1, Bool>::from_data(&missing[..], &answers.device());
    let shape = answers.dims();
    answers.mask_fill(missing.unsqueeze_dim::<2>(1).expand(shape), 0.0)
}

/// What every row's loss counts, so that the mean over all rows is the one over those with a target; none where
/// all count alike.
fn row_weights(targets: &BatchTargets, class_weights: Option<&[f64]>) -> Option<Vec<f32>> {
    let there = with_target(targets);
    let share = there.as_ref().map_or(1.0, |there| {
        let count = there.iter().filter(|&&there| there).count();
        there.len() as f64 / count.max(1) as f64
    });
    match (targets, class_weights) {
        (BatchTargets::Classes(classes), Some(weights)) => {
            let weight = |&class: &i32| {
                usize::try_from(class).map_or(0.0, |class| (share * weights[class]) as f32)
            };
            Some(classes.iter().map(weight).collect())
        }
        _ => there.map(|there| {
            let weight = |there| if there { share as f32 } else { 0.0 };
            there.into_iter().map(weight).collect()
        }),
    }
}

/// Binary cross-entropy of a logit, in the form that doesn't overflow:
/// `max(x, 0) - x y + ln(1 + e^-|x|)`.
fn binary_cross_entropy(logit: f32, class: usize) -> f64 {
    let (logit, label) = (f64::from(logit), class as f64);
    logit.max(0.0) - logit * label + (-logit.abs()).exp().ln_1p()
}

/// Cross-entropy of logits: `ln Σ e^x - x_class`.
fn cross_entropy(logits: &[f32], class: usize) -> f64 {
    log_sum(logits) - f64::from(logits[class])
}

/// `ln Σ e^x`, in the form that doesn't overflow.
fn log_sum(logits: &[f32]) -> f64 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let most = f64::from(most);
    let sum: f64 = logits.iter().map(|&x| (f64::from(x) - most).exp()).sum();
    most + sum.ln()
}

/// The probability of the second of two classes.
fn probability(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// The place of the largest number, the first of equals: the class that is answered.
pub fn likeliest<T: PartialOrd>(numbers: &[T]) -> usize {
    let mut most = 0;
    for (place, number) in numbers.iter().enumerate() {
        if *number > numbers[most] {
            most = place;
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// The loss of answers of `width` numbers each, and its gradient.
    fn loss(
        objective: Objective,
        answers: &[f32],
        width: usize,
        targets: &BatchTargets,
        weights: Option<&[f64]>,
    ) -> (f64, Vec<f32>) {
        let device = Device::flex().autodiff();
        let rows = answers.len() / width;
        let answers = TensorData::new(answers.to_vec(), [rows, width]);
        let answers = Tensor::<2>::from_data(answers, &device);
        let [_, found] = [0.1, 0.0].map(|label_smoothing| {
            let options = LossOptions {
                class_weights: weights,
                label_smoothing,
            };
            let answers = answers.clone().require_grad();
            let loss = objective.loss(answers.clone(), targets, options);
            let gradient = answers.grad(&loss.backward()).unwrap();
            let gradient: Vec<f32> = gradient.into_data().iter().collect();
            let known = objective.gradient(answers.inner(), targets, options);
            for (known, found) in known.into_data().iter::<f32>().zip(&gradient) {
                assert!((known - found).abs() < 1e-6, "{known} is not {found}");
            }
            (loss.into_scalar(), gradient)
        });
        found
    }

    #[test]
    fn a_smoothed_label_wants_no_answer_to_be_certain() {
        let device = Device::flex();
        let options = LossOptions {
            label_smoothing: 0.2,
            ..LossOptions::default()
        };
        let gradient = |objective: Objective, answers: Tensor<2>, targets| -> Vec<f32> {
            let gradient = objective.gradient(answers, &targets, options);
            gradient.into_data().iter().collect()
        };
        // Nothing is left to gain where the answer has the label's probability.
        let of = |probability: f32| (probability / (1.0 - probability)).ln();
        let logits = Tensor::from_data([[of(0.9)], [of(0.1)]], &device);
        let classes = BatchTargets::Classes(vec![1, 0]);
        let binary = gradient(Objective::Binary, logits, classes);
        let likely = 0.8 + 0.2 / 4.0_f32;
        let logits = [[likely.ln(), 0.05_f32.ln(), 0.05_f32.ln(), 0.05_f32.ln()]];
        let classes = BatchTargets::Classes(vec![0]);
        let several = gradient(
            Objective::Classes,
            Tensor::from_data(logits, &device),
            classes,
        );
        let sets = BatchTargets::ClassSets(vec![Some(vec![1])]);
        let logits = Tensor::from_data([[of(0.1), of(0.9)]], &device);
        let set = gradient(Objective::MultiLabel, logits, sets);
        let all = [binary, several, set].concat();
        assert!(all.iter().all(|error| error.abs() < 1e-6), "{all:?}");
    }

    #[test]
    fn the_binary_loss_is_cross_entropy_and_its_gradient_the_error() {
        let targets = BatchTargets::Classes(vec![1, 0, 1, 0]);
        let logits = [0.0, 2.0, -40.0, 90.0];
        let (found, gradient) = loss(Objective::Binary, &logits, 1, &targets, None);
        let expected = (2f64.ln() + 2.126_928_0 + 40.0 + 90.0) / 4.0;
        assert!((found - expected).abs() < 1e-4);
        for (found, error) in gradient.iter().zip([-0.5, 0.880_797_1, -1.0, 1.0]) {
            assert!((found - error / 4.0).abs() < 1e-6, "{found} {error}");
        }
    }

    #[test]
    fn the_loss_on_the_device_is_the_mean_of_those_on_the_host() {
        let answers = [
            0.5, -1.0, 2.0, 0.0, 0.0, 0.0, 30.0, -30.0, 1.0, 0.25, 4.0, -2.0,
        ];
        let classes = vec![0, 2, 1, 1];
        let (found, gradient) = loss(
            Objective::Classes,
            &answers,
            3,
            &BatchTargets::Classes(classes.clone()),
            None,
        );
        let measured = answers.chunks(3).zip(&classes);
        let measured: f64 = measured
            .map(|(row, &class)| Objective::Classes.measure_class(row, class as usize).loss)
            .sum();
        assert!((found - measured / 4.0).abs() < 1e-5, "{found} {measured}");
        for (row, (&class, gradient)) in classes.iter().zip(gradient.chunks(3)).enumerate() {
            let probabilities = Objective::Classes.probabilities(&answers[3 * row..3 * row + 3]);
            for (i, probability) in probabilities.iter().enumerate() {
                let error = probability - f64::from(u8::from(i == class as usize));
                assert!((f64::from(gradient[i]) - error / 4.0).abs() < 1e-6);
            }
        }

        let values = vec![1.0, 0.0, 2.0, -1.0];
        let targets = BatchTargets::Values { width: 2, values };
        let (found, _) = loss(Objective::Values, &[0.5, 0.0, 0.0, -1.0], 2, &targets, None);
        assert!((found - (0.125 + 2.0) / 2.0).abs() < 1e-6, "{found}");
        let measured = Objective::Values.measure_values(&[0.5, 0.0], &[1.0, 0.0]);
        assert_eq!(measured.loss, 0.125);
    }

    #[test]
    fn rows_without_a_target_count_nowhere() {
        for (objective, width) in [(Objective::Binary, 1), (Objective::Classes, 2)] {
            let answers = [0.5, -1.0, f32::NAN, 0.25, f32::INFINITY, f32::NAN];
            let answers = match width {
                1 => answers,
                _ => [0.5, -1.0, 2.0, 0.25, f32::INFINITY, f32::NAN],
            };
            let some = BatchTargets::Classes(vec![1, 0, -1]);
            let all = BatchTargets::Classes(vec![1, 0]);
            let (with, gradient) = loss(objective, &answers[..3 * width], width, &some, None);
            let (without, alone) = loss(objective, &answers[..2 * width], width, &all, None);
            assert!((with - without).abs() < 1e-6, "{with} {without}");
            let (there, gone) = gradient.split_at(2 * width);
            assert!(gone.iter().all(|&gradient| gradient == 0.0));
            for (found, expected) in there.iter().zip(alone) {
                assert!((found - expected).abs() < 1e-6, "{found} {expected}");
            }
        }
        let none = BatchTargets::Classes(vec![-1]);
        assert_eq!(loss(Objective::Binary, &[3.0], 1, &none, None).0, 0.0);
    }

    #[test]
    fn sets_of_classes_have_a_binary_loss_a_class() {
        let answers = [
            0.5,
            -1.0,
            2.0,
            0.0,
            3.0,
            -30.0,
            f32::NAN,
            1.0,
            f32::INFINITY,
        ];
        let sets = vec![Some(vec![0, 2]), Some(Vec::new()), None];
        let targets = BatchTargets::ClassSets(sets.clone());
        let objective = Objective::MultiLabel;
        let (found, gradient) = loss(objective, &answers, 3, &targets, None);
        let measured = [0, 1].map(|row| {
            let answer = &answers[3 * row..3 * row + 3];
            objective.measure_set(answer, sets[row].as_ref().unwrap())
        });
        let expected = (measured[0].loss + measured[1].loss) / 2.0;
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        assert_eq!(measured.map(|score| score.correct), [true, false]);
        for (index, gradient) in gradient.iter().enumerate() {
            let (row, class) = (index / 3, index % 3);
            let error = match &sets[row] {
                None => 0.0,
                Some(set) => {
                    let there = f64::from(u8::from(set.contains(&(class as u32))));
                    (objective.probabilities(&answers[index..=index])[0] - there) / 6.0
                }
            };
            assert!((f64::from(*gradient) - error).abs() < 1e-6, "{row} {class}");
        }
        // A weight counts its class's losses alone.
        let weights = [1.0, 4.0, 1.0];
        let (weighted, _) = loss(
            objective,
            &answers[..3],
            3,
            &targets_of(&sets[..1]),
            Some(&weights),
        );
        let parts = [(0.5, 1), (-1.0, 0), (2.0, 1)].map(|(x, y)| binary_cross_entropy(x, y));
        let expected = (parts[0] + 4.0 * parts[1] + parts[2]) / 3.0;
        assert!((weighted - expected).abs() < 1e-6, "{weighted} {expected}");
    }

    fn targets_of(sets: &[Option<Vec<u32>>]) -> BatchTargets {
        BatchTargets::ClassSets(sets.to_vec())
    }

    #[test]
    fn a_class_weight_counts_the_rows_of_its_class_alone() {
        let weights = [2.0, 5.0];
        for (class, times) in [(0, 2.0), (1, 5.0)] {
            let targets = BatchTargets::Classes(vec![class; 2]);
            let logits = [0.25, -3.0];
            let (plain, _) = loss(Objective::Binary, &logits, 1, &targets, None);
            let (weighted, _) = loss(Objective::Binary, &logits, 1, &targets, Some(&weights));
            assert!(
                (weighted - times * plain).abs() < 1e-5,
                "{weighted} {plain}"
            );
        }
    }

    #[test]
    fn cross_entropy_is_minus_the_log_of_the_probability() {
        for (logit, class) in [(0.3, 1), (0.3, 0), (-2.0, 1)] {
            let probability = Objective::Binary.probabilities(&[logit])[class];
            let found = Objective::Binary.measure_class(&[logit], class).loss;
            assert!((found + probability.ln()).abs() < 1e-12);
            let two = Objective::Classes.measure_class(&[0.0, logit], class).loss;
            assert!((found - two).abs() < 1e-12);
        }
        assert_eq!(binary_cross_entropy(1000.0, 1), 0.0);
        assert_eq!(binary_cross_entropy(1000.0, 0), 1000.0);
        assert_eq!(cross_entropy(&[1000.0, 0.0], 1), 1000.0);
    }
}
