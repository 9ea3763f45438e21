//! An exponential moving average of a network's weights, which answers steadier than the last step's.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::error::{Result, TrainingError};

/// The average and how fast it forgets (Polyak and Juditsky 1992): after step n, average ← d · average + (1 - d) ·
/// weights with d = min(decay, (1 + n) / (10 + n)), so that the first steps don't hold it back.
#[derive(Clone, Debug)]
pub(crate) struct Average {
    decay: f64,
    /// By the parameter's path in the network, row-major.
    values: BTreeMap<String, Tensor<1>>,
}

impl Average {
    /// That of a network before its first step: its weights.
    pub fn of<N: Module>(network: &N, decay: f64) -> Self {
        let mut parameters = Parameters::default();
        network.visit(&mut parameters);
        let values = parameters.values;
        Self { decay, values }
    }

    /// Takes the weights after step `step`, counted from 1.
    pub fn update<N: Module>(&mut self, network: &N, step: u64) {
        let mut parameters = Parameters::default();
        network.visit(&mut parameters);
        let step = step as f64;
        let decay = self.decay.min((1.0 + step) / (10.0 + step));
        for (path, weights) in parameters.values {
            let average = self.values.remove(&path);
            let average = average.expect("a network keeps its parameters");
            // The difference alone is scaled: where nothing moves, nothing is rounded.
            let moved = average.clone() + (weights - average) * (1.0 - decay);
            self.values.insert(path, moved);
        }
    }

    /// The network with the average as its weights.
    pub fn network<N: Module>(&self, network: N) -> N {
        let values = self.values.clone();
        let path = Vec::new();
        network.map(&mut Put { values, path })
    }

    /// By the parameter's path in the network, row-major.
    pub fn values(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.values
    }

    /// Puts back what [`values`](Self::values) held.
    ///
    /// # Errors
    /// Names a parameter without values, with another number of them, or values without a parameter.
    pub fn restore(&mut self, mut given: BTreeMap<String, Vec<f32>>) -> Result<()> {
        let fault = |fault: String| Err(TrainingError::Checkpoint(fault));
        let mut restored = BTreeMap::new();
        for (path, of) in &self.values {
            let count = of.dims()[0];
            match given.remove(path) {
                Some(values) if values.len() == count => {
                    let values = TensorData::new(values, [count]);
                    restored.insert(path.clone(), Tensor::from_data(values, &of.device()));
                }
                found => {
                    return fault(format!(
                        "there are {} averages of the {count} numbers of the parameter {path}",
                        found.map_or(0, |values| values.len())
                    ));
                }
            }
        }
        if let Some((path, _)) = given.pop_first() {
            return fault(format!(
                "there are averages of {path:.80}, which is no parameter"
            ));
        }
        self.values = restored;
        Ok(())
    }
}

/// The parameters' values, outside any graph.
#[derive(Default)]
struct Parameters {
    values: BTreeMap<String, Tensor<1>>,
    path: Vec<String>,
}

impl ModuleVisitor for Parameters {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let value = match value.device().is_autodiff() {
            true => value.inner(),
            false => value,
        };
        let count = value.shape().num_elements();
        self.values
            .insert(self.path.join("."), value.reshape([count]));
    }
}

struct Put {
    values: BTreeMap<String, Tensor<1>>,
    path: Vec<String>,
}

impl ModuleMapper for Put {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let value = self.values.remove(&self.path.join("."));
        let value = value.expect("it is the average of this network's parameters");
        Param::from_mapped_value(id, value.reshape(tensor.shape()), mapper)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use gatefold_model::{Network, NetworkConfig};

    use super::*;

    fn network(seed: u64) -> Network {
        let config = NetworkConfig {
            vocabulary_size: 10,
            hidden_size: 4,
            ..Default::default()
        };
        config.init(seed, &Device::flex()).unwrap()
    }

    fn host(average: &Average) -> BTreeMap<String, Vec<f32>> {
        let values = average.values().iter();
        values
            .map(|(path, of)| (path.clone(), of.to_data().iter().collect()))
            .collect()
    }

    #[test]
    fn it_follows_the_weights_faster_in_the_first_steps() {
        let (first, second) = (network(1), network(2));
        let before = host(&Average::of(&first, 0.9));
        let target = host(&Average::of(&second, 0.9));
        for (step, decay) in [(1, 2.0 / 11.0), (1000, 0.9)] {
            let mut average = Average::of(&first, 0.9);
            average.update(&second, step);
            for (path, found) in host(&average) {
                for (i, found) in found.iter().enumerate() {
                    let expected = before[&path][i] * decay + target[&path][i] * (1.0 - decay);
                    assert!((found - expected).abs() < 1e-6, "{path}");
                }
            }
        }
    }

    #[test]
    fn the_networks_own_average_is_the_network() {
        let network = network(1);
        let mut average = Average::of(&network, 0.99);
        (1..5).for_each(|step| average.update(&network, step));
        let averaged = average.network(network.clone());
        assert_eq!(averaged.weights().unwrap(), network.weights().unwrap());
    }

    #[test]
    fn averages_of_another_network_are_refused() {
        let average = Average::of(&network(1), 0.99);
        let refused = |change: fn(&mut BTreeMap<String, Vec<f32>>)| {
            let mut values = host(&average);
            change(&mut values);
            average.clone().restore(values).unwrap_err().to_string()
        };
        let bias = "head.dense.bias";
        assert!(average.clone().restore(host(&average)).is_ok());
        let missing = refused(|values| drop(values.remove("head.dense.bias")));
        assert!(missing.contains(&format!(
            "0 averages of the 64 numbers of the parameter {bias}"
        )));
        let more = refused(|values| values.get_mut("head.dense.bias").unwrap().push(1.0));
        assert!(more.contains("65 averages"), "{more}");
        let other = refused(|values| drop(values.insert("other".into(), Vec::new())));
        assert!(other.contains("other, which is no parameter"), "{other}");
    }
}
