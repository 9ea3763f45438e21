//! A curve of any length in bounded memory.

/// Points kept at most; an even number, so that all find a neighbour.
const LIMIT: usize = 4096;

/// Values over the course of a run. When there are too many, neighbours become their mean, so that every
/// point stands for equally many steps.
pub struct History {
    points: Vec<Point>,
    /// Values in a full point.
    stride: usize,
}

/// The mean of `count` neighbours.
#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
    count: usize,
}

impl Point {
    fn merged(self, other: Self) -> Self {
        let count = self.count + other.count;
        let share = other.count as f64 / count as f64;
        Self {
            x: self.x + (other.x - self.x) * share,
            y: self.y + (other.y - self.y) * share,
            count,
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self {
            points: Vec::new(),
            stride: 1,
        }
    }
}

impl History {
    /// Adds a value at `x`, which never falls. One that is not finite can't be drawn, and is left out.
    pub fn push(&mut self, x: f64, y: f64) {
        if !y.is_finite() {
            return;
        }
        let point = Point { x, y, count: 1 };
        match self.points.last_mut() {
            Some(last) if last.count < self.stride => *last = last.merged(point),
            _ => {
                if self.points.len() == LIMIT {
                    self.halve();
                }
                self.points.push(point);
            }
        }
    }

    fn halve(&mut self) {
        self.stride *= 2;
        self.points = self
            .points
            .chunks(2)
            .filter_map(|pair| pair.iter().copied().reduce(Point::merged))
            .collect();
    }

    /// The curve over `0..=end`, at most a mean for each of `columns`.
    pub fn curve(&self, end: f64, columns: u16) -> Vec<(f64, f64)> {
        let column = |point: &Point| (point.x / end * f64::from(columns)) as i64;
        self.points
            .chunk_by(|one, next| column(one) == column(next))
            .filter_map(|points| points.iter().copied().reduce(Point::merged))
            .map(|mean| (mean.x, mean.y))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_stays_bounded_and_true() {
        let mut history = History::default();
        let values = 100_000;
        for i in 0..values {
            history.push(i as f64, 2.0 * i as f64 + 1.0);
        }
        assert!(history.points.len() <= LIMIT, "{}", history.points.len());
        assert!(history.points.len() > LIMIT / 2 - 1);
        let total: usize = history.points.iter().map(|point| point.count).sum();
        assert_eq!(total, values);
        let (last, full) = history.points.split_last().unwrap();
        assert!(full.iter().all(|point| point.count == history.stride));
        assert!(last.count <= history.stride);
        for point in &history.points {
            assert!((point.y - (2.0 * point.x + 1.0)).abs() < 1e-6 * point.y);
        }
    }

    #[test]
    fn a_curve_has_a_mean_for_each_column() {
        let mut history = History::default();
        for i in 0..1000 {
            history.push(f64::from(i) / 1000.0, f64::from(i % 2));
        }
        let curve = history.curve(2.0, 20);
        assert_eq!(curve.len(), 10);
        for (i, (x, y)) in curve.iter().enumerate() {
            assert!((x - (0.0495 + 0.1 * i as f64)).abs() < 2e-3, "{x}");
            assert!((y - 0.5).abs() < 0.01, "{y}");
        }
    }

    #[test]
    fn what_is_not_finite_leaves_a_gap() {
        let mut history = History::default();
        for (x, y) in [
            (0.0, 1.0),
            (1.0, f64::NAN),
            (2.0, f64::INFINITY),
            (3.0, 2.0),
        ] {
            history.push(x, y);
        }
        assert_eq!(history.curve(3.0, 30), [(0.0, 1.0), (3.0, 2.0)]);
    }
}
