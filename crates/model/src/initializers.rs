//! First weights, drawn on the host so that a seed gives the same network on every device and processor.

pub(crate) mod draw;
mod orthogonal;

use std::ops::Range;

use burn::module::{Param, ParamId};
use burn::nn::Linear;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::orthogonal::orthonormal_columns;

/// The first bias of a gate that is to let little through: a unit keeps half of its state for a hundred timesteps. As the
/// LSTM's forget gate, but for longer, since there is no other way to remember.
const SHUT: f32 = -5.0;

/// Whose conventions first weights follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Initializers {
    /// Embedding uniform in ±0.05; kernels Glorot uniform on the whole `[in, G·H]`; recurrent kernels
    /// orthogonal; biases zero, the LSTM's forget gate 1, the minGRU's update gate -5.
    #[default]
    Keras,
    /// Embedding standard normal; recurrent layers uniform in ±1/√H, biases too (the sum of PyTorch's
    /// two); dense layers, and the minGRU's, uniform in ±1/√in.
    PyTorch,
}

/// The random generator that a layer's `init(device)` draws from: seeded by one draw of the device's
/// own generator, so that `device.seed(..)` makes it reproducible.
pub(crate) fn device_rng(device: &Device) -> ChaCha8Rng {
    let draw = Tensor::<1>::random([2], Distribution::Uniform(0.0, 1.0), device).into_data();
    let seed = draw
        .iter::<f32>()
        .fold(0u64, |seed, value| seed << 32 | u64::from(value.to_bits()));
    draw::generator(seed)
}

impl Initializers {
    /// A linear layer of `[in, out]` on `device`, its weights drawn from `rng`.
    pub fn linear(self, shape: [usize; 2], rng: &mut impl Rng, device: &Device) -> Linear {
        FirstWeights::Drawn(self, rng).linear(shape, device)
    }
}

/// Where first weights come from.
pub(crate) enum FirstWeights<'a> {
    /// Drawn by these conventions from this generator.
    Drawn(Initializers, &'a mut dyn Rng),
    /// Zeros, which take no memory before somebody reads them: others are loaded in their place.
    Blank,
}

impl FirstWeights<'_> {
    /// An embedding's, `[words, E]`.
    pub fn embedding(&mut self, shape: [usize; 2], device: &Device) -> Param<Tensor<2>> {
        self.param(shape, device, |initializers, rng| match initializers {
            Initializers::Keras => uniform(shape, 0.05, rng),
            Initializers::PyTorch => {
                let values = draw::normals(shape[0] * shape[1], rng);
                values.map(|value| value as f32).collect()
            }
        })
    }

    /// A linear layer of `[in, out]`.
    pub fn linear(&mut self, shape: [usize; 2], device: &Device) -> Linear {
        let [input, output] = shape;
        let limit = of_units(input);
        Linear {
            weight: self.param(shape, device, |initializers, rng| match initializers {
                Initializers::Keras => glorot_uniform(shape, rng),
                Initializers::PyTorch => uniform(shape, limit, rng),
            }),
            bias: Some(
                self.param([output], device, |initializers, rng| match initializers {
                    Initializers::Keras => vec![0.0; output],
                    Initializers::PyTorch => uniform([output], limit, rng),
                }),
            ),
        }
    }

    /// A recurrent layer's W `[in, width]`, for `hidden` units.
    pub fn input_weight(
        &mut self,
        shape: [usize; 2],
        hidden: usize,
        device: &Device,
    ) -> Param<Tensor<2>> {
        self.param(shape, device, |initializers, rng| match initializers {
            Initializers::Keras => glorot_uniform(shape, rng),
            Initializers::PyTorch => uniform(shape, of_units(hidden), rng),
        })
    }

    /// A recurrent layer's U `[H, width]`.
    pub fn recurrent_weight(&mut self, shape: [usize; 2], device: &Device) -> Param<Tensor<2>> {
        self.param(shape, device, |initializers, rng| match initializers {
            Initializers::Keras => orthogonal(shape, rng),
            Initializers::PyTorch => uniform(shape, of_units(shape[0]), rng),
        })
    }

    /// The bias `[words]` of a language model's logits: the logarithm of how often each token is to be expected by Zipf's law,
    /// up to a constant, so that training need not find it step by step. Ids from 2 are ranks by frequency; what stands for
    /// padding and for a text's start is as rare as the last one.
    pub fn log_frequencies(&mut self, words: usize, device: &Device) -> Param<Tensor<1>> {
        self.param([words], device, |_, _| {
            let rank = |id: usize| if id < 2 { words } else { id - 1 };
            let log = |id| -libm::log(rank(id) as f64) as f32;
            (0..words).map(log).collect()
        })
    }

    /// One of the biases `[width]` of a recurrent layer with `hidden` units.
    pub fn bias(&mut self, width: usize, hidden: usize, device: &Device) -> Param<Tensor<1>> {
        self.param([width], device, |initializers, rng| match initializers {
            Initializers::Keras => vec![0.0; width],
            Initializers::PyTorch => uniform([width], of_units(hidden), rng),
        })
    }

    /// The bias `[width]` that stands for both of PyTorch's where only their sum matters. Those of the units `open`
    /// are 1 in Keras.
    pub fn joint_bias(
        &mut self,
        width: usize,
        hidden: usize,
        open: Range<usize>,
        device: &Device,
    ) -> Param<Tensor<1>> {
        self.param([width], device, |initializers, rng| match initializers {
            Initializers::Keras => {
                let mut bias = vec![0.0; width];
                bias[open].fill(1.0);
                bias
            }
            Initializers::PyTorch => {
                let [first, second] = [(); 2].map(|()| uniform([width], of_units(hidden), rng));
                first.iter().zip(second).map(|(a, b)| a + b).collect()
            }
        })
    }

    /// The bias `[width]` of a layer with `input` inputs; the gates `shut` let little through at first.
    pub fn shut_bias(
        &mut self,
        width: usize,
        input: usize,
        shut: Range<usize>,
        device: &Device,
    ) -> Param<Tensor<1>> {
        self.param([width], device, |initializers, rng| match initializers {
            Initializers::Keras => {
                let mut bias = vec![0.0; width];
                bias[shut].fill(SHUT);
                bias
            }
            Initializers::PyTorch => uniform([width], of_units(input), rng),
        })
    }

    fn param<const D: usize>(
        &mut self,
        shape: [usize; D],
        device: &Device,
        draw: impl FnOnce(Initializers, &mut dyn Rng) -> Vec<f32>,
    ) -> Param<Tensor<D>> {
        match self {
            Self::Drawn(initializers, rng) => {
                Param::from_data(TensorData::new(draw(*initializers, *rng), shape), device)
            }
            Self::Blank => Param::uninitialized(
                ParamId::new(),
                move |device, require_grad| {
                    Tensor::zeros(shape, device).set_require_grad(require_grad)
                },
                device.clone(),
                true,
                shape.into(),
            ),
        }
    }
}

/// PyTorch's limit for a recurrent layer of `hidden` units.
fn of_units(hidden: usize) -> f64 {
    1.0 / (hidden as f64).sqrt()
}

/// Uniform in ±`limit`.
fn uniform<const D: usize>(shape: [usize; D], limit: f64, rng: &mut dyn Rng) -> Vec<f32> {
    let limit = limit as f32;
    (0..shape.iter().product())
        .map(|_| limit * draw::uniform(rng))
        .collect()
}

/// Uniform in ±√(6 / (rows + columns)): Glorot and Bengio 2010.
fn glorot_uniform(shape: [usize; 2], rng: &mut dyn Rng) -> Vec<f32> {
    uniform(shape, (6.0 / (shape[0] + shape[1]) as f64).sqrt(), rng)
}

/// A matrix with orthonormal rows, or columns where those are fewer: Saxe et al. 2014.
fn orthogonal([rows, columns]: [usize; 2], rng: &mut dyn Rng) -> Vec<f32> {
    let (length, count) = (rows.max(columns), rows.min(columns));
    let values = orthonormal_columns(length, count, rng);
    if rows > columns {
        return values;
    }
    (0..rows * columns)
        .map(|i| values[i % columns * count + i / columns])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        // Square matrices are ill-conditioned: these have condition numbers of hundreds to hundred thousands.
        for [rows, columns] in [
            [1, 1],
            [1, 5],
            [8, 32],
            [32, 8],
            [9, 17],
            [16, 16],
            [512, 512],
            [300, 1200],
            [600, 150],
        ] {
            let values = orthogonal([rows, columns], &mut draw::generator(7));
            let at = |row: usize, column: usize| f64::from(values[row * columns + column]);
            let count = rows.min(columns);
            for i in 0..count {
                for j in 0..=i {
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
    fn orthogonal_matrices_favour_no_direction() {
        // An entry of an orthogonal 3 x 3 matrix that favours none is uniform in ±1.
        let rng = &mut draw::generator(7);
        let mut counts = [[0; 4]; 9];
        for _ in 0..4000 {
            for (counts, value) in counts.iter_mut().zip(orthogonal([3, 3], rng)) {
                counts[((value + 1.0) * 2.0).clamp(0.0, 3.0) as usize] += 1;
            }
        }
        let even = |counts: &[i32; 4]| counts.iter().all(|count| (900..1100).contains(count));
        assert!(counts.iter().all(even), "{counts:?}");
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let draw = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| orthogonal([70, 300], &mut draw::generator(7)))
        };
        assert_eq!(draw(1), draw(5));
    }

    #[test]
    fn glorot_uniform_fills_its_range() {
        let values = glorot_uniform([40, 60], &mut draw::generator(7));
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
}
