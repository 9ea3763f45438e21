//! Logistic regression with a quadratic penalty, by coordinate descent on the dual problem (Yu, Huang and Lin 2011, "Dual
//! coordinate descent methods for logistic regression and maximum entropy models", section 4).
//!
//! Minimises ½ |w|² + Σ cᵢ ln(1 + e^(-yᵢ w·xᵢ)); the dual problem has a number a row, 0 < αᵢ < cᵢ, with w = Σ αᵢ yᵢ xᵢ.
//! A row's x is the ratio of each run that it has, [scaled](scale) by their number, and a 1 for the bias.

use gatefold_data::random::{ChaCha8Rng, shuffle};

use super::features::Rows;

/// Newton's steps for one of the dual's numbers at most: more than five are rare.
const STEPS: usize = 50;
/// The derivative by a number is brought so much nearer to 0 than asked for, since the numbers after it move it again.
const NEARER: f64 = 0.1;
/// By what a step goes on towards a bound that it would cross.
const SHORTER: f64 = 0.1;

/// One class against the rest, while it is learnt.
pub(super) struct Learner {
    /// The class that is told from the rest.
    class: u32,
    /// For the [`scale`] of rows.
    base: u32,
    /// Of each run its weight times its ratio, and the square of that ratio.
    runs: Vec<[f32; 2]>,
    bias: f64,
    /// The dual's numbers.
    alphas: Vec<f64>,
    /// |x|² of each row.
    norms: Vec<f32>,
    order: Vec<u32>,
    rng: ChaCha8Rng,
}

impl Learner {
    /// Of `class` against the rest, with a `base` for the [`scale`] of rows, where runs have these `ratios` and an error
    /// of a class costs `costs` at least; rows come in an order that `rng` draws.
    pub fn new(
        (class, base): (u32, u32),
        ratios: &[f32],
        rows: &Rows,
        costs: impl Fn(u32) -> f64,
        rng: ChaCha8Rng,
    ) -> Self {
        let norm = |(runs, _): (&[u32], u32)| {
            let squares = runs.iter().map(|&run| ratios[run as usize].powi(2));
            1.0 + squares.sum::<f32>() * scale(runs, base).powi(2) as f32
        };
        let mut learner = Self {
            class,
            base,
            runs: ratios.iter().map(|ratio| [0.0, ratio * ratio]).collect(),
            bias: 0.0,
            alphas: vec![0.0; rows.len()],
            norms: rows.iter().map(norm).collect(),
            order: (0..rows.len() as u32).collect(),
            rng,
        };
        for row in 0..rows.len() {
            // Within the bounds, where all weights are near 0.
            learner.change(rows, row, (1e-3 * costs(rows.classes[row])).min(1e-8));
        }
        learner
    }

    /// The weight of a run, to be added where it is there, before the sum is [scaled](scale).
    pub fn weights(&self) -> impl Iterator<Item = f32> {
        self.runs.iter().map(|[weight, _]| *weight)
    }

    pub fn bias(&self) -> f32 {
        self.bias as f32
    }

    /// The answer to a row: the log-odds of the class.
    pub fn answer(&self, runs: &[u32]) -> f64 {
        let weights = runs
            .iter()
            .map(|&run| f64::from(self.runs[run as usize][0]));
        weights.sum::<f64>() * scale(runs, self.base) + self.bias
    }

    /// The log loss of rows, each counted as much as `weight` of its class.
    pub fn loss(&self, rows: &Rows, weight: impl Fn(u32) -> f64) -> f64 {
        let losses = rows.iter().map(|(runs, class)| {
            let margin = self.sign(class) * self.answer(runs);
            weight(class) * super::softplus(-margin)
        });
        losses.sum()
    }

    /// 1 if a row is of the class, else -1.
    fn sign(&self, class: u32) -> f64 {
        if class == self.class { 1.0 } else { -1.0 }
    }

    /// Adds `by` to the dual's number of a row.
    fn change(&mut self, rows: &Rows, row: usize, by: f64) {
        self.alphas[row] += by;
        let runs = rows.row(row);
        let by = by * self.sign(rows.classes[row]);
        self.bias += by;
        let by = (by * scale(runs, self.base)) as f32;
        for &run in runs {
            let [weight, square] = &mut self.runs[run as usize];
            *weight += by * *square;
        }
    }

    /// Passes over the rows, whose errors count `costs` each, until no derivative of the dual is further from 0 than
    /// `tolerance`, or after `passes`; how many there were. Costs may not be less than they were before.
    pub fn learn(
        &mut self,
        rows: &Rows,
        costs: impl Fn(u32) -> f64,
        (tolerance, passes): (f64, usize),
    ) -> usize {
        for pass in 1..=passes {
            let mut order = std::mem::take(&mut self.order);
            shuffle(&mut order, &mut self.rng);
            let mut largest = 0.0_f64;
            for &row in &order {
                let row = row as usize;
                let class = rows.classes[row];
                let margin = self.sign(class) * self.answer(rows.row(row));
                let (alpha, cost) = (self.alphas[row], costs(class));
                let derivative = margin + (alpha / (cost - alpha)).ln();
                largest = largest.max(derivative.abs());
                let by = step(
                    (alpha, cost),
                    margin,
                    self.norms[row].into(),
                    NEARER * tolerance,
                );
                if by != 0.0 {
                    self.change(rows, row, by);
                }
            }
            self.order = order;
            if largest < tolerance {
                return pass;
            }
        }
        passes
    }

    /// By how much of itself what is minimised may lie above its minimum: the primal's value above the dual's.
    #[cfg(test)]
    fn gap(&self, rows: &Rows, ratios: &[f32], cost: f64) -> f64 {
        let squares = self.runs.iter().zip(ratios).map(|([weight, _], ratio)| {
            let weight = if *ratio == 0.0 { 0.0 } else { weight / ratio };
            f64::from(weight).powi(2)
        });
        let penalty = 0.5 * (squares.sum::<f64>() + self.bias.powi(2));
        let primal = penalty + self.loss(rows, |_| cost);
        let entropies = self.alphas.iter().map(|&alpha| {
            let rest = cost - alpha;
            alpha * alpha.ln() + rest * rest.ln() - cost * cost.ln()
        });
        let dual = -penalty - entropies.sum::<f64>();
        (primal - dual) / primal
    }
}

/// What the weights of these runs are multiplied with, 1 / √(n + base): long texts count the same, and those that are
/// short against `base` less, since a few words are little evidence.
pub(super) fn scale(runs: &[u32], base: u32) -> f64 {
    1.0 / (runs.len() as f64 + f64::from(base)).max(1.0).sqrt()
}

/// By how much the dual's number `alpha` of a row changes to where the derivative is 0: of it or of its difference to
/// `cost`, whichever is nearer 0 there, since that one is known better. The derivative is brought to within `near`.
fn step((alpha, cost): (f64, f64), margin: f64, norm: f64, near: f64) -> f64 {
    let rest = cost - alpha;
    let is_first = 0.5 * (rest - alpha) >= -margin / norm;
    let (start, sign) = if is_first { (alpha, 1.0) } else { (rest, -1.0) };
    let mut at = start;
    // A start beyond the middle would go the wrong way (the paper's equation 24).
    if start > 0.5 * cost {
        at = SHORTER * start;
    }
    for _ in 0..STEPS {
        let derivative = (at / (cost - at)).ln() + norm * (at - start) + sign * margin;
        if derivative.abs() < near {
            break;
        }
        let next = at - derivative / (norm + cost / (at * (cost - at)));
        at = if next <= 0.0 { SHORTER * at } else { next };
    }
    // Neither bound is ever reached, where the derivative has no value.
    let at = at.clamp(cost * 1e-12, cost * (1.0 - 1e-12));
    sign * (at - start)
}

#[cfg(test)]
mod tests {
    use gatefold_data::random::{below, generator};

    use super::super::ratios::Counts;
    use super::*;

    const BASE: u32 = 2;

    /// 60 texts of three classes and ten words, some of which a class has more often.
    fn rows(known: &[u64]) -> Rows {
        let rng = &mut generator(*b"tests\0\0\0", 5, 0);
        let text = |row: usize, rng: &mut _| {
            let words = 1 + below(8, rng);
            let word = |rng: &mut _| match below(3, rng) {
                0 => 3 + (row % 3) as u32,
                _ => 3 + below(10, rng) as u32,
            };
            (0..words).map(|_| word(rng)).collect::<Vec<u32>>()
        };
        let mut texts: Vec<_> = (0..60).map(|row| text(row, rng)).collect();
        texts[7] = vec![99];
        let texts: Vec<_> = texts
            .iter()
            .zip(0..)
            .map(|(ids, row)| (&ids[..], row % 3))
            .collect();
        Rows::of(known, &texts, 1)
    }

    /// The optimum, by gradient descent: weights of x and the bias.
    fn descended(rows: &Rows, ratios: &[f32], class: u32, cost: f64) -> Vec<f64> {
        let mut weights = vec![0.0; ratios.len() + 1];
        let row = |runs: &[u32]| {
            let numbers = runs
                .iter()
                .map(|&run| f64::from(ratios[run as usize]) * scale(runs, BASE));
            let numbers = runs.iter().map(|&run| run as usize).zip(numbers);
            numbers.chain([(ratios.len(), 1.0)]).collect::<Vec<_>>()
        };
        for _ in 0..40_000 {
            let mut slopes = weights.clone();
            for (runs, found) in rows.iter() {
                let sign = if found == class { 1.0 } else { -1.0 };
                let row = row(runs);
                let margin: f64 = row.iter().map(|(at, x)| sign * weights[*at] * x).sum();
                let error = -cost * sign / (1.0 + margin.exp());
                row.iter().for_each(|(at, x)| slopes[*at] += error * x);
            }
            let rate = 0.05 / (1.0 + cost);
            weights
                .iter_mut()
                .zip(&slopes)
                .for_each(|(weight, slope)| *weight -= rate * slope);
        }
        weights
    }

    #[test]
    fn the_optimum_is_that_of_gradient_descent_and_the_duals_value_its_own() {
        let known: Vec<u64> = (4..14).collect();
        let rows = rows(&known);
        let counts = Counts::of(&rows, known.len(), 3);
        for class in 0..3 {
            let ratios = counts.ratios(class);
            let rng = generator(*b"tests\0\0\0", 1, 0);
            let mut learner = Learner::new((class, BASE), &ratios, &rows, |_| 0.3, rng);
            // The second begins where the first ended.
            for cost in [0.3, 3.0] {
                let passes = learner.learn(&rows, |_| cost, (1e-4, 1000));
                assert!(passes < 200, "{passes}");
                let gap = learner.gap(&rows, &ratios, cost);
                assert!((-1e-5..1e-5).contains(&gap), "{gap}");
                let expected = descended(&rows, &ratios, class, cost);
                for ((found, ratio), expected) in learner.weights().zip(&ratios).zip(&expected) {
                    let expected = expected * f64::from(*ratio);
                    assert!(
                        (f64::from(found) - expected).abs() < 2e-3,
                        "{found} {expected}"
                    );
                }
                let bias = expected[known.len()];
                assert!((f64::from(learner.bias()) - bias).abs() < 2e-3, "{bias}");
                // Each of the dual's numbers is what the optimum's errors are.
                for (row, (runs, found)) in rows.iter().enumerate() {
                    let margin = learner.sign(found) * learner.answer(runs);
                    let alpha = cost / (1.0 + margin.exp());
                    assert!((learner.alphas[row] - alpha).abs() < 1e-3 * cost, "{row}");
                }
            }
        }
    }

    #[test]
    fn few_runs_count_less_where_texts_are_long() {
        assert_eq!(scale(&[5; 4], 0), 0.5);
        assert_eq!(scale(&[5; 4], 96), 0.1);
        assert_eq!(scale(&[], 0), 1.0);
    }

    #[test]
    fn a_class_that_costs_more_is_answered_more_often() {
        let known: Vec<u64> = (4..14).collect();
        let rows = rows(&known);
        let ratios = Counts::of(&rows, known.len(), 3).ratios(1);
        let answered = |weight: f64| {
            let costs = |class| if class == 1 { weight } else { 1.0 };
            let rng = generator(*b"tests\0\0\0", 1, 0);
            let mut learner = Learner::new((1, BASE), &ratios, &rows, costs, rng);
            learner.learn(&rows, costs, (1e-3, 1000));
            rows.iter()
                .filter(|(runs, _)| learner.answer(runs) > 0.0)
                .count()
        };
        assert!(answered(0.1) < answered(1.0) && answered(1.0) < answered(10.0));
    }
}
