//! A backend's float tensor with operators, so that an equation here looks like one.

use std::ops::{Add, Mul, Range, Sub};

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{Shape, Slice};

use crate::backend::OutputGradient;

pub(super) struct Array<B: Backend>(pub FloatTensor<B>);

impl<B: Backend> Clone for Array<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: Backend> Array<B> {
    /// The gradient of `output` `[B, T, H]`, which may be zero.
    pub fn gradient(gradient: OutputGradient<B>, output: &Self) -> Self {
        match gradient {
            OutputGradient::Given(gradient) => Self(gradient),
            OutputGradient::Zero => output.zeros(output.dims::<3>()),
        }
    }

    /// Zeros on the device of `self` and of its type.
    pub fn zeros<const D: usize>(&self, shape: [usize; D]) -> Self {
        Self(B::float_zeros(
            Shape::from(shape),
            &self.0.device(),
            self.0.dtype().into(),
        ))
    }

    /// `[B]` integers as `[B, 1, 1]` floats of the type of `self`.
    pub fn lengths_of(&self, lengths: IntTensor<B>) -> Self {
        let batch = lengths.shape()[0];
        Self(B::int_into_float(lengths, self.0.dtype().into())).reshape([batch, 1, 1])
    }

    /// 0, 1, … `time - 1` as `[1, T, 1]` floats of the type of `self`.
    pub fn timesteps(&self, time: usize, lengths: &IntTensor<B>) -> Self {
        let steps = B::int_arange(0..time as i64, &self.0.device(), lengths.dtype().into());
        Self(B::int_into_float(steps, self.0.dtype().into())).reshape([1, time, 1])
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
        let shape = self.0.shape();
        let slices: Vec<Slice> = (0..shape.num_dims())
            .map(|d| Slice::from(if d == dim { range.clone() } else { 0..shape[d] }))
            .collect();
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

    pub fn clamp_to_unit(self) -> Self {
        Self(B::float_clamp(self.0, 0.0.into(), 1.0.into()))
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
