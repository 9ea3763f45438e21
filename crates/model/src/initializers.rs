//! First weights, drawn on the host so that a seed gives the same network on every device.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// Whose conventions first weights follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Initializers {
    /// Embedding uniform in ±0.05; kernels Glorot uniform on the whole `[in, G·H]`; recurrent kernels
    /// orthogonal; biases zero, the LSTM's forget gate 1.
    #[default]
    Keras,
    /// Embedding standard normal; recurrent layers uniform in ±1/√H, biases too (the sum of PyTorch's
    /// two); dense layers uniform in ±1/√in.
    PyTorch,
}

/// The random generator that a layer's `init(device)` draws from: seeded by one draw of the device's
/// own generator, so that `device.seed(..)` makes it reproducible.
pub(crate) fn device_rng(device: &Device) -> ChaCha8Rng {
    let draw = Tensor::<1>::random([2], Distribution::Uniform(0.0, 1.0), device).into_data();
    let seed = draw
        .iter::<f32>()
        .fold(0u64, |seed, value| seed << 32 | u64::from(value.to_bits()));
    ChaCha8Rng::seed_from_u64(seed)
}

/// Uniform in ±`limit`.
pub(crate) fn uniform<const D: usize>(
    shape: [usize; D],
    limit: f64,
    rng: &mut impl Rng,
) -> TensorData {
    let limit = limit as f32;
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.random_range(-limit..limit))
        .collect();
    TensorData::new(values, shape)
}

/// Standard normal.
pub(crate) fn normal<const D: usize>(shape: [usize; D], rng: &mut impl Rng) -> TensorData {
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|_| rng.sample(StandardNormal))
        .collect();
    TensorData::new(values, shape)
}

/// Uniform in ±√(6 / (rows + columns)): Glorot and Bengio 2010.
pub(crate) fn glorot_uniform(shape: [usize; 2], rng: &mut impl Rng) -> TensorData {
    uniform(shape, (6.0 / (shape[0] + shape[1]) as f64).sqrt(), rng)
}

/// A matrix with orthonormal rows, or columns where those are fewer: Saxe et al. 2014. The rows of a
/// normal matrix, orthogonalised by Gram and Schmidt (twice, which is enough for full precision).
pub(crate) fn orthogonal([rows, columns]: [usize; 2], rng: &mut impl Rng) -> TensorData {
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(count);
    while basis.len() < count {
        let mut vector: Vec<f64> = (0..length).map(|_| rng.sample(StandardNormal)).collect();
        for _ in 0..2 {
            for other in &basis {
                let projection = dot(&vector, other);
                for (value, along) in vector.iter_mut().zip(other) {
                    *value -= projection * along;
                }
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|value| *value /= norm);
        basis.push(vector);
    }
    let value = |row: usize, column: usize| {
        if rows <= columns {
            basis[row][column] as f32
        } else {
            basis[column][row] as f32
        }
    };
    let values: Vec<f32> = (0..rows * columns)
        .map(|i| value(i / columns, i % columns))
        .collect();
    TensorData::new(values, [rows, columns])
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

impl Initializers {
    pub(crate) fn embedding(self, shape: [usize; 2], rng: &mut impl Rng) -> TensorData {
        match self {
            Self::Keras => uniform(shape, 0.05, rng),
            Self::PyTorch => normal(shape, rng),
        }
    }

    /// A linear layer of `[in, out]` on `device`, its weights drawn from `rng`.
    pub fn linear(self, shape: [usize; 2], rng: &mut impl Rng, device: &Device) -> Linear {
        let (weight, bias) = self.dense(shape, rng);
        Linear {
            weight: Param::from_data(weight, device),
            bias: Some(Param::from_data(bias, device)),
        }
    }

    /// Weight `[in, out]` and bias `[out]` of a dense layer.
    fn dense(self, shape: [usize; 2], rng: &mut impl Rng) -> (TensorData, TensorData) {
        match self {
            Self::Keras => (
                glorot_uniform(shape, rng),
                TensorData::zeros::<f32, _>([shape[1]]),
            ),
            Self::PyTorch => {
                let limit = 1.0 / (shape[0] as f64).sqrt();
                (uniform(shape, limit, rng), uniform([shape[1]], limit, rng))
            }
        }
    }

    /// A recurrent layer's W `[in, width]` and U `[H, width]`.
    pub(crate) fn recurrent(
        self,
        [input, hidden, width]: [usize; 3],
        rng: &mut impl Rng,
    ) -> (TensorData, TensorData) {
        match self {
            Self::Keras => (
                glorot_uniform([input, width], rng),
                orthogonal([hidden, width], rng),
            ),
            Self::PyTorch => {
                let limit = 1.0 / (hidden as f64).sqrt();
                (
                    uniform([input, width], limit, rng),
                    uniform([hidden, width], limit, rng),
                )
            }
        }
    }

    /// One of the biases `[width]` of a recurrent layer with `hidden` units.
    pub(crate) fn recurrent_bias(
        self,
        hidden: usize,
        width: usize,
        rng: &mut impl Rng,
    ) -> TensorData {
        match self {
            Self::Keras => TensorData::zeros::<f32, _>([width]),
            Self::PyTorch => uniform([width], 1.0 / (hidden as f64).sqrt(), rng),
        }
    }

    /// The bias `[width]` that stands for both of PyTorch's where only their sum matters.
    pub(crate) fn joint_bias(self, hidden: usize, width: usize, rng: &mut impl Rng) -> Vec<f32> {
        let mut draw = || self.recurrent_bias(hidden, width, rng);
        let (first, second) = (draw(), draw());
        first
            .iter::<f32>()
            .zip(second.iter::<f32>())
            .map(|(a, b)| a + b)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        for [rows, columns] in [[8, 32], [32, 8], [16, 16], [1, 5]] {
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let values = orthogonal([rows, columns], &mut rng)
                .try_to_vec::<f32>()
                .unwrap();
            let at = |row: usize, column: usize| f64::from(values[row * columns + column]);
            let count = rows.min(columns);
            for i in 0..count {
                for j in 0..count {
                    let product: f64 = if rows <= columns {
                        (0..columns).map(|k| at(i, k) * at(j, k)).sum()
                    } else {
                        (0..rows).map(|k| at(k, i) * at(k, j)).sum()
                    };
                    let expected = f64::from(u8::from(i == j));
                    assert!((product - expected).abs() < 1e-6, "{i} · {j} = {product}");
                }
            }
        }
    }

    #[test]
    fn glorot_uniform_fills_its_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let values = glorot_uniform([40, 60], &mut rng)
            .try_to_vec::<f32>()
            .unwrap();
        let limit = (6.0f32 / 100.0).sqrt();
        let largest = values
            .iter()
            .fold(0.0f32, |most, value| most.max(value.abs()));
        assert!(
            largest <= limit && largest > 0.99 * limit,
            "{largest} of {limit}"
        );
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!(mean.abs() < 0.01, "{mean}");
    }

    #[test]
    fn a_device_seed_settles_what_layers_draw() {
        let device = Device::flex();
        let draw = |seed| {
            device.seed(seed);
            uniform([4], 1.0, &mut device_rng(&device))
                .try_to_vec::<f32>()
                .unwrap()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
