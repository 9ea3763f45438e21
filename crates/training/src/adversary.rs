//! Adversarial training: a step also learns from its batch where the tokens' vectors are moved the way that raises the
//! loss most, so that answers hang on no single word.
//!
//! After Miyato, Dai and Goodfellow (2017), who move the vectors of each text for itself; here a batch's texts share the
//! move, that of the embedding's weights: r = ε · g / ‖g‖, with g the gradient of the mean loss by all of them. The
//! gradient that is followed is the mean of both. A step takes twice as long.
//!
//! Where the vectors are small, or a batch reads few of them, such a move would leave too little of what they say: it is
//! no longer than 0.12 of the norm of those that the batch reads. It grows to its length over the warm-up, since a
//! network that knows nothing yet may learn nothing against it.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::clipping;
use crate::groups::is_of_embedding;

/// The longest move, as a share of the norm of the vectors that a batch reads.
const LONGEST: f64 = 0.12;

/// `network` with the vectors of its tokens moved along their part of `gradients`: by `strength` of `length` or, if that
/// is less, of [`LONGEST`].
pub(crate) fn moved<N: Module>(
    network: N,
    gradients: &GradientsParams,
    (length, strength): (f64, f64),
) -> N {
    network.map(&mut Move {
        gradients,
        length,
        strength,
        path: Vec::new(),
    })
}

/// The mean of two gradients of the same parameters of `network`.
pub(crate) fn mean<N: Module>(
    network: &N,
    one: &GradientsParams,
    other: &GradientsParams,
) -> GradientsParams {
    let mut mean = Mean {
        one,
        other,
        mean: GradientsParams::new(),
    };
    network.visit(&mut mean);
    mean.mean
}

struct Move<'a> {
    gradients: &'a GradientsParams,
    length: f64,
    strength: f64,
    path: Vec<String>,
}

impl ModuleMapper for Move<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, place, mapper) = param.consume();
        let gradient = self.gradients.get::<D>(id);
        let gradient = gradient.filter(|_| is_of_embedding(&self.path.join(".")));
        let tensor = match gradient {
            None => place,
            Some(gradient) => {
                // Where nothing is learnt, nothing is moved.
                let norm = clipping::norm_of(gradient.clone()).clamp_min(f32::MIN_POSITIVE);
                let place = place.inner();
                let is_read = gradient.clone().abs().sum_dim(D - 1).greater_elem(0.0);
                let read = clipping::norm_of(place.clone() * is_read.float());
                let length = (read * LONGEST).clamp_max(self.length) * self.strength;
                let step = gradient / norm.reshape([1; D]) * length.reshape([1; D]);
                Tensor::from_inner(place + step).require_grad()
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

struct Mean<'a> {
    one: &'a GradientsParams,
    other: &'a GradientsParams,
    mean: GradientsParams,
}

impl ModuleVisitor for Mean<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let [one, other] = [self.one, self.other].map(|of| of.get::<D>(param.id));
        if let (Some(one), Some(other)) = (one, other) {
            self.mean.register(param.id, (one + other) * 0.5);
        }
    }
}
