//! The gradient's norm, and what scales it down.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// The norm of the gradient of all parameters together, `[1]`.
pub fn norm<N: Module>(network: &N, gradients: &GradientsParams) -> Tensor<1> {
    let mut sums = Sums {
        gradients,
        squares: Vec::new(),
    };
    network.visit(&mut sums);
    let count = sums.squares.len();
    let squares = Tensor::cat(sums.squares, 0);
    squares.reshape([1, count]).sum_dim(1).reshape([1]).sqrt()
}

/// The norm of one parameter or its gradient, `[1]`.
pub fn norm_of<const D: usize>(of: Tensor<D>) -> Tensor<1> {
    squares(of).sqrt()
}

/// The sum of all squares, `[1]`.
fn squares<const D: usize>(gradient: Tensor<D>) -> Tensor<1> {
    let count = gradient.shape().num_elements();
    // Along a dimension, because Burn's sum over everything adds in no fixed order on a GPU.
    let squares = gradient.reshape([1, count]).square();
    squares.sum_dim(1).reshape([1])
}

/// What to multiply a gradient of this norm with, `[1]`, so that its norm is at most `most`
/// (Pascanu et al. 2013).
pub fn scale(norm: Tensor<1>, most: f64) -> Tensor<1> {
    (norm.recip() * most).clamp_max(1.0)
}

struct Sums<'a> {
    gradients: &'a GradientsParams,
    /// A parameter's sum of squares, `[1]` each.
    squares: Vec<Tensor<1>>,
}

impl ModuleVisitor for Sums<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.squares.push(squares(gradient));
        }
    }
}
