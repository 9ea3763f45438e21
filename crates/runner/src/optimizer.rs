//! Adam over a network's parameters, with its state in plain sight: it can be saved and put back.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use gatefold_model::{AdamStep, Moments, adam};

/// Adam, with Keras's numbers; Burn's own default of ε is a hundred times larger.
const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-7;

/// The optimizer and its state.
#[derive(Clone, Debug, Default)]
pub struct Adam {
    /// By the parameter's path in the network.
    moments: BTreeMap<String, Moments>,
    steps: u64,
    weight_decay: f64,
}

impl Adam {
    /// An optimizer before its first step.
    pub fn new(weight_decay: f64) -> Self {
        Self {
            weight_decay,
            ..Self::default()
        }
    }

    /// How many steps are behind.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The moments by their parameters' paths in the network.
    pub fn moments(&self) -> &BTreeMap<String, Moments> {
        &self.moments
    }

    /// Puts the state after `steps` steps back.
    pub fn restore(&mut self, moments: BTreeMap<String, Moments>, steps: u64) {
        (self.moments, self.steps) = (moments, steps);
    }

    /// The network after a step. It should be held by nobody else: then it is changed in place.
    /// Every gradient is multiplied with `scale` `[1]` first, if there is one.
    pub fn step<N: Module>(
        &mut self,
        network: N,
        gradients: GradientsParams,
        scale: Option<Tensor<1>>,
        learning_rate: f64,
    ) -> N {
        self.steps += 1;
        let step = AdamStep {
            learning_rate,
            beta_1: BETA_1,
            beta_2: BETA_2,
            epsilon: EPSILON,
            weight_decay: self.weight_decay,
            number: self.steps,
        };
        network.map(&mut Mapper {
            moments: &mut self.moments,
            gradients,
            scale,
            step,
            path: Vec::new(),
        })
    }
}

struct Mapper<'a> {
    moments: &'a mut BTreeMap<String, Moments>,
    gradients: GradientsParams,
    scale: Option<Tensor<1>>,
    step: AdamStep,
    path: Vec<String>,
}

impl ModuleMapper for Mapper<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = self.gradients.remove::<D>(id) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let shape = tensor.shape();
        let values = tensor.inner();
        let count = shape.num_elements();
        let path = self.path.join(".");
        let moments = self.moments.remove(&path).unwrap_or_else(|| {
            let zeros = || Tensor::zeros([count], &values.device());
            Moments {
                first: zeros(),
                second: zeros(),
            }
        });
        let mut gradient = gradient.reshape([count]);
        if let Some(scale) = &self.scale {
            gradient = gradient * scale.clone();
        }
        let (values, moments) = adam(values.reshape([count]), moments, gradient, self.step);
        self.moments.insert(path, moments);
        let tensor = Tensor::from_inner(values.reshape(shape)).require_grad();
        Param::from_mapped_value(id, tensor, mapper)
    }
}
