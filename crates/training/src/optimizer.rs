//! Adam over a network's parameters, with its state in plain sight: it can be saved and put back.

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use gatefold_model::{AdamParameter, AdamStep, Moments, adam};
use itertools::Itertools;

use crate::error::{Result, TrainingError};

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

    /// Puts the state after `steps` steps of `network` back: by path, every parameter's first and second
    /// moments, row-major.
    ///
    /// # Errors
    /// Names the parameter without moments, the moments without a parameter, or those of another size or with
    /// numbers that no step makes. The state stays as it was.
    pub fn restore<N: Module>(
        &mut self,
        network: &N,
        moments: BTreeMap<String, [Vec<f32>; 2]>,
        steps: u64,
    ) -> Result<()> {
        let mut restore = Restore {
            given: moments,
            restored: BTreeMap::new(),
            fault: None,
            path: Vec::new(),
        };
        if steps > 0 {
            network.visit(&mut restore);
        }
        if let Some(fault) = restore.fault {
            return Err(fault);
        }
        if let Some((path, _)) = restore.given.pop_first() {
            return Err(checkpoint(format!(
                "there are moments of {path:.80}, which is no parameter with moments"
            )));
        }
        (self.moments, self.steps) = (restore.restored, steps);
        Ok(())
    }

    /// The network after a step. It should be held by nobody else: then it is changed in place.
    /// Every gradient is multiplied with `scale` `[1]` first, if there is one. The learning rate is a parameter's, by
    /// its path.
    pub fn step<N: Module>(
        &mut self,
        network: N,
        gradients: GradientsParams,
        scale: Option<Tensor<1>>,
        learning_rate: &dyn Fn(&str) -> f64,
    ) -> N {
        self.steps += 1;
        let step = |learning_rate| AdamStep {
            learning_rate,
            beta_1: BETA_1,
            beta_2: BETA_2,
            epsilon: EPSILON,
            weight_decay: self.weight_decay,
            number: self.steps,
        };
        let mut take = Take {
            moments: &mut self.moments,
            gradients,
            scale,
            taken: Vec::new(),
            paths: Vec::new(),
            path: Vec::new(),
        };
        let network = network.map(&mut take);
        let Take { taken, paths, .. } = take;
        let rates = paths.iter().map(|(_, path)| learning_rate(path));
        let groups = rates.zip(taken).chunk_by(|(rate, _)| *rate);
        let stepped = (&groups).into_iter().flat_map(|(rate, group)| {
            adam(group.map(|(_, parameter)| parameter).collect(), step(rate))
        });
        let (values, moments): (Vec<_>, Vec<_>) = stepped.unzip();
        let ids = paths.iter().map(|(id, _)| *id);
        let values = ids.zip(values).collect();
        self.moments
            .extend(paths.into_iter().map(|(_, path)| path).zip(moments));
        network.map(&mut Put { values })
    }
}

fn checkpoint(fault: String) -> TrainingError {
    TrainingError::Checkpoint(fault)
}

/// Takes each parameter's moments out of those given.
struct Restore {
    given: BTreeMap<String, [Vec<f32>; 2]>,
    restored: BTreeMap<String, Moments>,
    /// The first one.
    fault: Option<TrainingError>,
    path: Vec<String>,
}

impl Restore {
    fn take(&mut self, path: &str, count: usize, device: &Device) -> Result<Moments> {
        let given = self.given.remove(path);
        let missing = || format!("there are no moments of the parameter {path}");
        let [first, second] = given.ok_or_else(|| checkpoint(missing()))?;
        let moments = [&first, &second].into_iter();
        if let Some(other) = moments.map(Vec::len).find(|&found| found != count) {
            return Err(checkpoint(format!(
                "there are {other} moments of the {count} numbers of the parameter {path}"
            )));
        }
        if !first.iter().all(|moment| moment.is_finite()) {
            return Err(checkpoint(format!(
                "a first moment of the parameter {path} is not finite"
            )));
        }
        let made = |moment: &f32| moment.is_finite() && *moment >= 0.0;
        if !second.iter().all(made) {
            return Err(checkpoint(format!(
                "a second moment of the parameter {path} is negative or not finite"
            )));
        }
        let [first, second] = [first, second].map(|moments| {
            let moments = TensorData::new(moments, [count]);
            Tensor::from_data(moments, device)
        });
        Ok(Moments { first, second })
    }
}

impl ModuleVisitor for Restore {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.fault.is_some() {
            return;
        }
        let path = self.path.join(".");
        // What is not trained has none.
        if !param.is_require_grad() && !self.given.contains_key(&path) {
            return;
        }
        let device = param.lazy_device().inner();
        match self.take(&path, param.lazy_shape().num_elements(), &device) {
            Ok(moments) => drop(self.restored.insert(path, moments)),
            Err(fault) => self.fault = Some(fault),
        }
    }
}

/// Takes the parameters that have a gradient out of a network: held by nobody else, they are changed in place.
struct Take<'a> {
    moments: &'a mut BTreeMap<String, Moments>,
    gradients: GradientsParams,
    scale: Option<Tensor<1>>,
    taken: Vec<AdamParameter>,
    /// Theirs.
    paths: Vec<(ParamId, String)>,
    path: Vec<String>,
}

impl ModuleMapper for Take<'_> {
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
        let value = tensor.inner();
        let count = shape.num_elements();
        let path = self.path.join(".");
        let device = value.device();
        let moments = self.moments.remove(&path).unwrap_or_else(|| {
            let zeros = || Tensor::zeros([count], &device);
            Moments {
                first: zeros(),
                second: zeros(),
            }
        });
        let mut gradient = gradient.reshape([count]);
        if let Some(scale) = &self.scale {
            gradient = gradient * scale.clone();
        }
        let value = value.reshape([count]);
        self.taken.push(AdamParameter {
            value,
            moments,
            gradient,
        });
        self.paths.push((id, path));
        let place = Tensor::<1>::empty([1], &device).expand(shape);
        Param::from_mapped_value(id, Tensor::from_inner(place), mapper)
    }
}

/// Puts them back.
struct Put {
    values: HashMap<ParamId, Tensor<1>>,
}

impl ModuleMapper for Put {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, place, mapper) = param.consume();
        let tensor = match self.values.remove(&id) {
            None => place,
            Some(values) => Tensor::from_inner(values.reshape(place.shape())).require_grad(),
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}

#[cfg(test)]
mod tests {
    use gatefold_model::{Network, NetworkConfig, Tokens};

    use super::*;

    fn network() -> Network {
        let config = NetworkConfig {
            vocabulary_size: 10,
            hidden_size: 4,
            bidirectional: true,
            ..Default::default()
        };
        config.init(1, &Device::flex().autodiff()).unwrap()
    }

    /// An optimizer after a step of the network, and its moments on the host.
    fn stepped() -> (Adam, BTreeMap<String, [Vec<f32>; 2]>) {
        let network = network();
        let device = Device::flex().autodiff();
        let tokens = Tokens::sorted(&[1, 4, 5], &[3], 10, &device).unwrap();
        let loss = network.forward(tokens).unwrap();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let mut adam = Adam::new(0.0);
        adam.step(network, gradients, None, &|_| 1e-3);
        let host = |tensor: &Tensor<1>| tensor.clone().into_data().iter().collect();
        let moments = adam.moments().iter();
        let moments = moments.map(|(path, of)| (path.clone(), [host(&of.first), host(&of.second)]));
        let moments = moments.collect();
        (adam, moments)
    }

    /// What is said of the moments after `change`.
    fn refused(change: impl FnOnce(&mut BTreeMap<String, [Vec<f32>; 2]>)) -> String {
        let (mut adam, mut moments) = stepped();
        change(&mut moments);
        let error = adam.restore(&network(), moments, 7).unwrap_err();
        assert_eq!(adam.steps(), 1, "the state has changed");
        error.to_string()
    }

    #[test]
    fn moments_are_restored_as_they_were() {
        let (adam, moments) = stepped();
        let mut restored = Adam::new(0.0);
        restored.restore(&network(), moments, 1).unwrap();
        assert_eq!(restored.steps(), 1);
        assert_eq!(restored.moments().len(), adam.moments().len());
        for (path, of) in adam.moments() {
            let found = &restored.moments()[path];
            assert_eq!(found.first.to_data(), of.first.to_data(), "{path}");
            assert_eq!(found.second.to_data(), of.second.to_data(), "{path}");
        }
    }

    #[test]
    fn before_the_first_step_there_are_none() {
        let (mut adam, moments) = stepped();
        adam.restore(&network(), BTreeMap::new(), 0).unwrap();
        assert!(adam.steps() == 0 && adam.moments().is_empty());
        assert!(adam.restore(&network(), moments, 0).is_err());
    }

    #[test]
    fn moments_of_another_network_are_refused_with_the_parameters_name() {
        let missing = refused(|moments| drop(moments.remove("head.dense.bias")));
        assert_eq!(
            missing,
            "there are no moments of the parameter head.dense.bias"
        );
        let surplus = refused(|moments| {
            moments.insert("dense.scale".into(), [vec![0.0; 64], vec![0.0; 64]]);
        });
        assert!(surplus.contains("dense.scale"), "{surplus}");
        for which in [0, 1] {
            for size in [0, 63, 65] {
                let other = refused(|moments| {
                    moments.get_mut("head.dense.bias").unwrap()[which].resize(size, 0.0);
                });
                let expected = format!(
                    "there are {size} moments of the 64 numbers of the parameter head.dense.bias"
                );
                assert_eq!(other, expected);
            }
        }
    }

    #[test]
    fn moments_that_no_step_makes_are_refused() {
        for (which, value) in [
            (0, f32::NAN),
            (0, f32::INFINITY),
            (1, f32::NAN),
            (1, f32::INFINITY),
            (1, -1e-30),
        ] {
            let error = refused(|moments| {
                moments.get_mut("head.dense.bias").unwrap()[which][63] = value;
            });
            assert!(
                error.contains("moment of the parameter head.dense.bias"),
                "{error}"
            );
        }
    }
}
