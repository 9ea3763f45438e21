//! How two answers become one: a sum in logit space.

use serde::{Deserialize, Serialize};

use crate::objective::Objective;

/// Steps at most; a few dozen are usual.
const STEPS: usize = 500;
/// A change of all numbers below which nothing is gained.
const SMALL: f64 = 1e-9;
/// Halvings of a step at most.
const HALVINGS: usize = 40;
/// The share of the expected decrease that a step has to make.
const SUFFICIENT: f64 = 1e-4;

/// The logits of a network and of n-grams as one: `network` · the network's + `ngrams` · theirs + `bias`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blend {
    /// What the network's logits count, at least 0.
    pub network: f64,
    /// What the n-grams' logits count, at least 0.
    pub ngrams: f64,
    /// What is added to each logit.
    pub bias: Vec<f64>,
}

/// Answers of both to the same rows, `outputs` numbers each, and what should be answered.
pub(super) struct Answered<'a> {
    pub network: &'a [Vec<f32>],
    pub ngrams: &'a [Vec<f32>],
    pub classes: &'a [u32],
    /// What the loss of each class counts, if not all count alike.
    pub weights: Option<&'a [f64]>,
}

impl Blend {
    /// The blended logits of a row.
    pub fn logits(&self, network: &[f32], ngrams: &[f32]) -> Vec<f32> {
        let beside = self.beside(ngrams);
        let network = network.iter().map(|logit| logit * self.network as f32);
        network.zip(beside).map(|(a, b)| a + b).collect()
    }

    /// What is added to the network's logits, once these are multiplied.
    pub(super) fn beside(&self, ngrams: &[f32]) -> impl Iterator<Item = f32> {
        let pairs = ngrams.iter().zip(&self.bias);
        pairs.map(|(&logit, bias)| (f64::from(logit) * self.ngrams + bias) as f32)
    }

    /// The blend of the lowest loss, as `objective` has it, on examples that neither has learnt from. Few examples leave
    /// both parts alike: a normal prior of deviation 1 around a half each, without bias.
    ///
    /// By projected gradients whose length the last two tell (Birgin, Martínez and Raydan 2000). Its loss is never above
    /// that of one part alone.
    pub(super) fn fit(objective: Objective, answered: &Answered) -> Self {
        let outputs = answered.network.first().map_or(1, Vec::len);
        // Both parts' logits are brought to one size, so that one length of step fits both.
        let scales = [answered.network, answered.ngrams].map(|answers| {
            let squares = answers
                .iter()
                .flatten()
                .map(|&logit| f64::from(logit).powi(2));
            let count = (answers.len() * outputs).max(1) as f64;
            (squares.sum::<f64>() / count).sqrt().max(1e-3)
        });
        let of = |at: &[f64]| Self {
            network: at[0] / scales[0],
            ngrams: at[1] / scales[1],
            bias: at[2..].to_vec(),
        };
        let measure = |at: &[f64]| {
            let (loss, mut slopes) = of(at).penalised(objective, answered);
            slopes[0] /= scales[0];
            slopes[1] /= scales[1];
            (loss, slopes)
        };
        let mut at = vec![0.0; 2 + outputs];
        (at[0], at[1]) = (0.5 * scales[0], 0.5 * scales[1]);
        let (mut loss, mut slopes) = measure(&at);
        let mut length = 1.0;
        for _ in 0..STEPS {
            let stepped = |(place, (at, slope)): (usize, (&f64, &f64))| {
                let to = at - length * slope;
                (if place < 2 { to.max(0.0) } else { to }) - at
            };
            let way: Vec<f64> = at.iter().zip(&slopes).enumerate().map(stepped).collect();
            let expected = dot(&way, &slopes);
            if way.iter().all(|by| by.abs() < SMALL) {
                break;
            }
            let found = (0..HALVINGS).find_map(|halvings| {
                let share = 0.5_f64.powi(halvings as i32);
                let next: Vec<f64> = at
                    .iter()
                    .zip(&way)
                    .map(|(at, by)| at + share * by)
                    .collect();
                let (lower, next_slopes) = measure(&next);
                (lower <= loss + SUFFICIENT * share * expected).then_some((
                    next,
                    lower,
                    next_slopes,
                ))
            });
            let Some((next, lower, next_slopes)) = found else {
                break;
            };
            let moved: Vec<f64> = next.iter().zip(&at).map(|(next, at)| next - at).collect();
            let turned: Vec<f64> = next_slopes
                .iter()
                .zip(&slopes)
                .map(|(a, b)| a - b)
                .collect();
            let curved = dot(&moved, &turned);
            length = match curved > 0.0 {
                true => (dot(&moved, &moved) / curved).clamp(1e-6, 1e6),
                false => 1e6,
            };
            (at, loss, slopes) = (next, lower, next_slopes);
        }
        let alone = |network, ngrams| Self {
            network,
            ngrams,
            bias: vec![0.0; outputs],
        };
        let candidates = [of(&at), alone(1.0, 0.0), alone(0.0, 1.0)];
        let loss = |blend: &Self| blend.loss(objective, answered).0;
        let best = candidates
            .into_iter()
            .min_by(|a, b| loss(a).total_cmp(&loss(b)));
        best.expect("there are three")
    }

    /// The mean loss with the prior's part, and its derivatives by a, b and c.
    fn penalised(&self, objective: Objective, answered: &Answered) -> (f64, Vec<f64>) {
        let (mut loss, mut slopes) = self.loss(objective, answered);
        let count = answered.classes.len().max(1) as f64;
        let parts = [self.network - 0.5, self.ngrams - 0.5].into_iter();
        for (slope, from) in slopes
            .iter_mut()
            .zip(parts.chain(self.bias.iter().copied()))
        {
            loss += 0.5 * from * from / count;
            *slope += from / count;
        }
        (loss, slopes)
    }

    /// The mean loss, and its derivatives by a, b and c.
    fn loss(&self, objective: Objective, answered: &Answered) -> (f64, Vec<f64>) {
        let mut slopes = vec![0.0; 2 + self.bias.len()];
        let (mut sum, mut all) = (0.0, 0.0);
        let rows = answered
            .network
            .iter()
            .zip(answered.ngrams)
            .zip(answered.classes);
        for ((network, ngrams), &class) in rows {
            let weight = answered
                .weights
                .map_or(1.0, |weights| weights[class as usize]);
            let logits = network.iter().zip(ngrams).zip(&self.bias);
            let logits: Vec<f64> = logits
                .map(|((&a, &b), c)| self.network * f64::from(a) + self.ngrams * f64::from(b) + c)
                .collect();
            let (loss, errors) = errors(objective, logits, class);
            all += weight;
            sum += weight * loss;
            for (output, error) in errors.iter().enumerate() {
                slopes[0] += weight * error * f64::from(network[output]);
                slopes[1] += weight * error * f64::from(ngrams[output]);
                slopes[2 + output] += weight * error;
            }
        }
        let all = f64::max(all, f64::MIN_POSITIVE);
        slopes.iter_mut().for_each(|slope| *slope /= all);
        (sum / all, slopes)
    }
}

/// The loss of a row's logits, and its derivative by each.
fn errors(objective: Objective, mut logits: Vec<f64>, class: u32) -> (f64, Vec<f64>) {
    match objective {
        Objective::Binary => {
            let label = f64::from(class);
            let logit = logits[0];
            let loss = super::softplus(logit) - label * logit;
            logits[0] = 1.0 / (1.0 + (-logit).exp()) - label;
            (loss, logits)
        }
        _ => {
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
            let all = most + sum.ln();
            let loss = all - logits[class as usize];
            logits
                .iter_mut()
                .for_each(|logit| *logit = (*logit - all).exp());
            logits[class as usize] -= 1.0;
            (loss, logits)
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use gatefold_data::random::{generator, unit};

    use super::*;

    /// Rows of `classes` classes; each part sees the right one through noise of its own.
    fn rows(classes: usize, noise: [f32; 2], count: usize) -> [Vec<Vec<f32>>; 2] {
        let rng = &mut generator(*b"tests\0\0\0", 3, 0);
        noise.map(|noise| {
            let row = |row: usize, rng: &mut _| {
                let class = row % classes;
                let mut bump = |output: usize| {
                    let there = if output == class { 1.0 } else { -1.0 };
                    there + noise * (unit(rng) + unit(rng) + unit(rng) - 1.5)
                };
                match classes {
                    2 => vec![bump(1)],
                    _ => (0..classes).map(bump).collect(),
                }
            };
            (0..count).map(|i| row(i, rng)).collect()
        })
    }

    fn objective(classes: usize) -> Objective {
        match classes {
            2 => Objective::Binary,
            _ => Objective::Classes,
        }
    }

    #[test]
    fn a_blend_is_where_its_slopes_are_0_and_no_worse_than_a_part() {
        for (classes, noise, weights) in [
            (2, [3.0, 3.0], None),
            (2, [1.0, 60.0], Some(&[1.0, 3.0][..])),
            (3, [4.0, 2.0], None),
            (3, [50.0, 3.0], Some(&[2.0, 1.0, 0.5])),
        ] {
            let [network, ngrams] = rows(classes, noise, 300);
            let right: Vec<u32> = (0..300).map(|row| row % classes as u32).collect();
            let answered = Answered {
                network: &network,
                ngrams: &ngrams,
                classes: &right,
                weights,
            };
            let objective = objective(classes);
            let blend = Blend::fit(objective, &answered);
            let loss = |network, ngrams| {
                let bias = vec![0.0; blend.bias.len()];
                let part = Blend {
                    network,
                    ngrams,
                    bias,
                };
                part.loss(objective, &answered).0
            };
            let found = blend.loss(objective, &answered).0;
            assert!(
                found < loss(1.0, 0.0) && found < loss(0.0, 1.0),
                "{blend:?}"
            );
            let (_, slopes) = blend.penalised(objective, &answered);
            for (place, slope) in slopes.into_iter().enumerate() {
                // At a bound it may rise.
                let at_bound = [blend.network, blend.ngrams].get(place) == Some(&0.0);
                assert!(
                    slope.abs() < 1e-5 || (at_bound && slope > 0.0),
                    "{place} {slope} {blend:?}"
                );
            }
            assert!(blend.network >= 0.0 && blend.ngrams >= 0.0);
            let row = blend.logits(&network[0], &ngrams[0]);
            let expected = f64::from(network[0][0]) * blend.network
                + f64::from(ngrams[0][0]) * blend.ngrams
                + blend.bias[0];
            assert!((f64::from(row[0]) - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn what_is_told_apart_perfectly_has_finite_weights() {
        let network = [vec![5.0], vec![-5.0]];
        let answered = Answered {
            network: &network,
            ngrams: &network,
            classes: &[1, 0],
            weights: None,
        };
        let blend = Blend::fit(Objective::Binary, &answered);
        assert!(blend.network < 3.0 && blend.ngrams < 3.0, "{blend:?}");
        // A part that is wrong is left out, not turned round.
        let wrong = [vec![-5.0], vec![5.0]];
        let answered = Answered {
            ngrams: &wrong,
            ..answered
        };
        assert_eq!(Blend::fit(Objective::Binary, &answered).ngrams, 0.0);
    }
}
