//! A network's layers, their output shapes and parameter counts.

use burn::module::Module;
use serde::Serialize;

use crate::network::Network;
use crate::reading::Reading;

/// One layer of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its name.
    pub layer: String,
    /// Its output's shape in letters and sizes: B the batch size, T the time.
    pub output_shape: String,
    /// Trained numbers.
    pub parameters: usize,
}

impl Network {
    /// The layers from input to output. Reads no weights: those of a blank network stay unmade.
    pub fn summary(&self) -> Vec<LayerSummary> {
        let layer = |layer: String, output_shape: String, parameters: usize| LayerSummary {
            layer,
            output_shape,
            parameters,
        };
        let width = self.input.width();
        let shape = format!("[B, T, {width}]");
        let mut layers = vec![match &self.input.embedding {
            Some(embedding) => layer("embedding".into(), shape, embedding.num_params()),
            None => layer("numbers".into(), shape, 0),
        }];
        let name = self.stack.cell().title();
        let reading = self.head.reading();
        // Of an answer from the last states, no others leave the last layer.
        let steps = match reading {
            Reading::Last => self.stack.layers.len() - 1,
            _ => self.stack.layers.len(),
        };
        for (i, of) in self.stack.layers.iter().enumerate() {
            let hidden = of.forward.hidden_size();
            let (name, width) = match &of.reverse {
                None => (name.to_owned(), hidden),
                Some(_) => (format!("{name}, both directions"), 2 * hidden),
            };
            let shape = match i < steps {
                true => format!("[B, T, {width}]"),
                false => format!("[B, {width}]"),
            };
            layers.push(layer(name, shape, of.num_params()));
        }
        let pooled = match reading {
            Reading::Max => Some("largest"),
            Reading::Mean => Some("mean"),
            Reading::MaxMean => Some("largest, mean"),
            Reading::Concat => Some("last, largest, mean"),
            Reading::Last | Reading::EveryStep => None,
        };
        if let Some(pooled) = pooled {
            let reader = self.head.dense.as_ref().unwrap_or(&self.head.output);
            let shape = format!("[B, {}]", reader.weight.lazy_shape()[0]);
            layers.push(layer(pooled.into(), shape, 0));
        }
        let rows = match reading {
            Reading::EveryStep => "B·T",
            _ => "B",
        };
        let dense = self.head.dense.as_ref().map(|dense| (dense, "dense, ReLU"));
        for (linear, name) in dense.into_iter().chain([(&self.head.output, "dense")]) {
            let shape = format!("[{rows}, {}]", linear.weight.lazy_shape()[1]);
            layers.push(layer(name.into(), shape, linear.num_params()));
        }
        layers
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use crate::NetworkConfig;

    #[test]
    fn the_layers_parameters_add_up() {
        let config = NetworkConfig {
            layers: 2,
            bidirectional: true,
            ..Default::default()
        };
        let network = config.init(1, &Device::flex()).unwrap();
        let summary = network.summary();
        let shapes: Vec<_> = summary
            .iter()
            .map(|layer| layer.output_shape.as_str())
            .collect();
        assert_eq!(
            shapes,
            ["[B, T, 16]", "[B, T, 128]", "[B, 128]", "[B, 64]", "[B, 1]"]
        );
        let total: usize = summary.iter().map(|layer| layer.parameters).sum();
        assert_eq!(total, burn::module::Module::num_params(&network));
    }
}
