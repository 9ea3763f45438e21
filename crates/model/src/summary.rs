//! A network's layers, their output shapes and parameter counts.

use burn::module::Module;
use serde::Serialize;

use crate::classifier::{RecurrentCell, SequenceClassifier};

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

impl SequenceClassifier {
    /// The layers from input to output. Reads no weights: those of a blank network stay unmade.
    pub fn summary(&self) -> Vec<LayerSummary> {
        let embedding_size = self.embedding.weight.lazy_shape()[1];
        let mut layers = vec![LayerSummary {
            layer: "embedding".into(),
            output_shape: format!("[B, T, {embedding_size}]"),
            parameters: self.embedding.num_params(),
        }];
        for (i, layer) in self.recurrent.iter().enumerate() {
            let (name, hidden) = describe(&layer.forward);
            let (name, width) = match &layer.reverse {
                None => (name.to_string(), hidden),
                Some(_) => (format!("{name}, both directions"), 2 * hidden),
            };
            let last = i + 1 == self.recurrent.len();
            layers.push(LayerSummary {
                layer: name,
                output_shape: if last {
                    format!("[B, {width}]")
                } else {
                    format!("[B, T, {width}]")
                },
                parameters: layer.num_params(),
            });
        }
        for (layer, name) in [(&self.dense, "dense, ReLU"), (&self.output, "dense, logit")] {
            layers.push(LayerSummary {
                layer: name.into(),
                output_shape: format!("[B, {}]", layer.weight.lazy_shape()[1]),
                parameters: layer.num_params(),
            });
        }
        layers
    }
}

/// A recurrent layer's name and hidden size.
fn describe(cell: &RecurrentCell) -> (&'static str, usize) {
    let (name, recurrent_weight) = match cell {
        RecurrentCell::SimpleRnn(layer) => ("simple RNN", &layer.recurrent_weight),
        RecurrentCell::Lstm(layer) => ("LSTM", &layer.recurrent_weight),
        RecurrentCell::Gru(layer) => ("GRU", &layer.recurrent_weight),
    };
    (name, recurrent_weight.lazy_shape()[0])
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use crate::SequenceClassifierConfig;

    #[test]
    fn the_layers_parameters_add_up() {
        let config = SequenceClassifierConfig {
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
