//! A backend's float tensor with operators, so that an equation here looks like one.

use std::ops::{Add, Mul, Range, Sub};

use burn::backend::tensor::{BoolTensor, FloatTensor};
use burn::backend::{Backend, TensorMetadata, get_device_settings};
use burn::tensor::{DType, Shape, Slice};

use crate::tensors::Optional;

pub(super) struct Array<B: Backend>(pub FloatTensor<B>);

impl<B: Backend> Clone for Array<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Backend> Array<B> {
    /// The gradient of `output` `[B, T, H]`, which may be zero.
    pub fn gradient(gradient: Optional<B>, output: &Self) -> Self {
        match gradient {
            Optional::Given(gradient) => Self(gradient),
            Optional::Absent => output.zeros(output.dims::<3>()),
        }
    }

    /// The parts of a `[B, G·H]`, each `[B, H]`.
    pub fn gates<const G: usize>(self) -> [Self; G] {
        let [_, width] = self.dims();
        let size = width / G;
        std::array::from_fn(|gate| self.columns(gate * size..(gate + 1) * size))
    }

    /// Zeros on the device of `self` and of its type.
    pub fn zeros<const D: usize>(&self, shape: [usize; D]) -> Self {
        Self(B::float_zeros(
            Shape::from(shape),
            &self.0.device(),
            self.0.dtype().into(),
        ))
    }

    pub fn dims<const D: usize>(&self) -> [usize; D] {
        self.0.shape().dims()
    }

    pub fn reshape<const D: usize>(self, shape: [usize; D]) -> Self {
        Self(B::float_reshape(self.0, Shape::from(shape)))
    }

    /// A range of the last dimension.
    pub fn columns(&self, range: Range<usize>) -> Self {
        let last = self.0.shape().num_dims() - 1;
        self.narrow(last, range)
    }

    /// A range of one dimension.
    pub fn narrow(&self, dim: usize, range: Range<usize>) -> Self {
        let slices = slices(self.0.shape(), dim, range);
        Self(B::float_slice(self.0.clone(), &slices))
    }

    pub fn concat(parts: Vec<Self>, dim: usize) -> Self {
        Self(B::float_cat(
            parts.into_iter().map(|part| part.0).collect(),
            dim,
        ))
    }

    pub fn matmul(self, rhs: Self) -> Self {
        Self(B::float_matmul(self.0, rhs.0))
    }

    /// The last two dimensions exchanged.
    pub fn transpose(self) -> Self {
        Self(B::float_transpose(self.0))
    }

    /// The sum along a dimension, which keeps a length of 1.
    pub fn sum(self, dim: usize) -> Self {
        Self(B::float_sum_dim(self.0, dim))
    }

    pub fn times(self, factor: f64) -> Self {
        Self(B::float_mul_scalar(self.0, factor.into()))
    }

    pub fn sigmoid(self) -> Self {
        Self(B::sigmoid(self.0))
    }

    pub fn tanh(self) -> Self {
        Self(B::float_tanh(self.0))
    }

    pub fn one_minus(self) -> Self {
        Self(B::float_add_scalar(B::float_neg(self.0), 1.0.into()))
    }

    /// Zero where `mask` is true, whatever stood there: a product with zero would keep what is not finite.
    pub fn zero_where(self, mask: &Mask<B>) -> Self {
        Self(B::float_mask_fill(self.0, mask.0.clone(), 0.0.into()))
    }

    /// `other`, which is broadcast, where `mask` is true.
    pub fn replaced_where(self, mask: &Mask<B>, other: Self) -> Self {
        let mask = B::bool_expand(mask.0.clone(), self.0.shape());
        Self(B::float_mask_where(self.0, mask, other.0))
    }

    /// Divided by numbers that are not negative; zeros count as the smallest number.
    pub fn divided_by(self, other: Self) -> Self {
        let least = match other.0.dtype() {
            DType::F16 => 6e-8,
            _ => f32::MIN_POSITIVE,
        };
        Self(B::float_div(
            self.0,
            B::float_clamp_min(other.0, least.into()),
        ))
    }

    /// The nearest numbers from -1 to 1.
    pub fn within_one(self) -> Self {
        Self(B::float_clamp(self.0, (-1.0).into(), 1.0.into()))
    }

    /// Zero where it lies nearer to 0 than `least`.
    pub fn flushed_below(self, least: f32) -> Self {
        let bools = get_device_settings::<B>(&self.0.device()).bool_dtype;
        let size = B::float_abs(self.0.clone());
        self.zero_where(&Mask(B::float_lower_elem(size, least.into(), bools)))
    }

    /// The derivative of the sigmoid whose value `self` is.
    pub fn sigmoid_slope(self) -> Self {
        self.clone() * self.one_minus()
    }

    /// The derivative of the tanh whose value `self` is.
    pub fn tanh_slope(self) -> Self {
        (self.clone() * self).one_minus()
    }
}

/// A range of one dimension, and all of the others.
fn slices(shape: Shape, dim: usize, range: Range<usize>) -> Vec<Slice> {
    (0..shape.num_dims())
        .map(|d| Slice::from(if d == dim { range.clone() } else { 0..shape[d] }))
        .collect()
}

/// Where something holds, of a shape that broadcasts to an [`Array`]'s.
pub(super) struct Mask<B: Backend>(pub BoolTensor<B>);

impl<B: Backend> Mask<B> {
    /// Timestep `t` of `[B, T, 1]`, `[B, 1]`.
    pub fn at(&self, t: usize) -> Self {
        let shape = self.0.shape();
        let batch = shape[0];
        let step = B::bool_slice(self.0.clone(), &slices(shape, 1, t..t + 1));
        Self(B::bool_reshape(step, Shape::from([batch, 1])))
    }
}

impl<B: Backend> Add for Array<B> {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self(B::float_add(self.0, rhs.0))
    }
}

impl<B: Backend> Sub for Array<B> {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Self(B::float_sub(self.0, rhs.0))
    }
}

impl<B: Backend> Mul for Array<B> {
    type Output = Self;
    fn mul(self, rhs: Self) -> Self {
        Self(B::float_mul(self.0, rhs.0))
    }
}
