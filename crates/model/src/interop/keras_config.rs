//! What a Keras network is, by its configuration.

use gatefold_kernels::Cell;
use serde::Deserialize;
use serde_json::Value;

use super::error::InteropError;
use super::export::Activation;
use crate::config::NetworkConfig;
use crate::error::MOST_LAYERS;
use crate::weights::shown;

/// Layers that are looked at: recurrent ones with a dropout above each, and what stands around them.
const MOST_LISTED: usize = 2 * MOST_LAYERS + 16;

/// A network that could be one of ours.
#[derive(Debug, PartialEq)]
pub(super) struct Described {
    pub layers: Vec<Layer>,
    /// Whether it leaves padding out.
    pub mask: bool,
    /// Timesteps of what it reads, where that is settled.
    pub length: Option<usize>,
    /// What its last layer makes of its numbers.
    pub activation: Activation,
}

/// A layer with weights.
#[derive(Debug, PartialEq)]
pub(super) struct Layer {
    /// What it is called in the network.
    pub name: String,
    pub kind: LayerKind,
    /// Its sizes, as they are written.
    sizes: Vec<(&'static str, Value)>,
}

impl Described {
    pub fn kinds(&self) -> Vec<LayerKind> {
        self.layers.iter().map(|layer| layer.kind).collect()
    }

    /// Whether the sizes are those that the weights have.
    ///
    /// # Errors
    /// Names the layer, and what is said of it.
    pub fn ensure_sizes(&self, config: &NetworkConfig) -> Result<(), InteropError> {
        let mut widths = [config.dense_size, config.output_size].into_iter();
        if config.dense_size == 0 {
            widths.next();
        }
        for Layer { name, kind, sizes } in &self.layers {
            let found = match kind {
                LayerKind::Embedding => vec![config.vocabulary_size, config.embedding_size],
                LayerKind::Recurrent { .. } => vec![config.hidden_size],
                LayerKind::Dense => widths.next().into_iter().collect(),
            };
            for ((key, said), found) in sizes.iter().zip(found) {
                if said.as_u64() != Some(found as u64) {
                    return Err(InteropError::File(format!(
                        "its layer {} has {key}={} in the configuration, and weights of {found}",
                        shown(name),
                        shown(&said.to_string())
                    )));
                }
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LayerKind {
    Embedding,
    Recurrent { cell: Cell, bidirectional: bool },
    Dense,
}

impl LayerKind {
    /// What Keras calls the first layer of its class in paths.
    pub fn class(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Recurrent {
                bidirectional: true,
                ..
            } => "bidirectional",
            Self::Recurrent { cell, .. } => class_of(cell),
            Self::Dense => "dense",
        }
    }
}

/// The class of a cell's layers.
pub(super) fn class_name(cell: Cell) -> &'static str {
    match cell {
        Cell::Rnn => "SimpleRNN",
        Cell::Gru => "GRU",
        _ => "LSTM",
    }
}

/// What Keras calls the first layer of a cell.
pub(super) fn class_of(cell: Cell) -> &'static str {
    match cell {
        Cell::Rnn => "simple_rnn",
        Cell::Gru => "gru",
        _ => "lstm",
    }
}

/// An object of Keras's JSON.
#[derive(Deserialize)]
struct Object {
    class_name: String,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    inbound_nodes: Value,
}

/// Understands a network's JSON.
///
/// # Errors
/// If it is no such JSON, or describes a network that Gatefold has not: which layer, and what of it.
pub(super) fn describe(json: &str) -> Result<Described, InteropError> {
    let network: Object = object(serde_json::from_str(json).map_err(not_json)?)?;
    let Object {
        class_name,
        mut config,
        ..
    } = network;
    if !matches!(&class_name[..], "Sequential" | "Functional" | "Model") {
        return Err(InteropError::Network(format!(
            "its network is of the class {}: only Sequential and Functional ones say what they compute",
            shown(&class_name)
        )));
    }
    // Before Keras 2.2.3 a Sequential was its layers.
    let layers = match &mut config {
        Value::Array(layers) => std::mem::take(layers),
        config => match config.get_mut("layers") {
            Some(Value::Array(layers)) => std::mem::take(layers),
            _ => return Err(not_json("it has no layers")),
        },
    };
    if layers.len() > MOST_LISTED {
        return Err(InteropError::Network(format!(
            "it has {} layers, more than any of Gatefold's networks",
            layers.len()
        )));
    }
    let layers = layers
        .into_iter()
        .map(object)
        .collect::<Result<Vec<_>, _>>()?;
    if class_name == "Sequential" {
        return Builder::default().describe(&layers);
    }
    let input = layers.first().map(|layer| name_of(layer).to_owned());
    let input = input.unwrap_or_default();
    let (masks, layers): (Vec<Object>, Vec<Object>) =
        layers.into_iter().partition(|layer| is_mask(layer, &input));
    let masks: Vec<&str> = masks.iter().map(name_of).collect();
    ensure_chain(&layers, &masks)?;
    let described = Builder::default().describe(&layers)?;
    match described.mask || masks.is_empty() {
        true => Ok(described),
        false => Err(InteropError::Network(
            "it masks otherwise than by its Embedding's mask_zero, which Gatefold doesn't".into(),
        )),
    }
}

fn not_json(error: impl std::fmt::Display) -> InteropError {
    let error = shown(&error.to_string());
    InteropError::File(format!(
        "the network's configuration can't be read: {error}"
    ))
}

fn object(value: Value) -> Result<Object, InteropError> {
    serde_json::from_value(value).map_err(not_json)
}

/// Whether each layer reads the one before it, and a mask at most that of the ids that are 0.
fn ensure_chain(layers: &[Object], masks: &[&str]) -> Result<(), InteropError> {
    for pair in layers.windows(2) {
        let mut inputs = Inputs::default();
        inputs.collect(&pair[1].inbound_nodes);
        inputs.read.retain(|(name, ..)| !masks.contains(name));
        let config = &pair[0].config;
        // Of a layer that gives its last state, the state that it returns beside it is the same.
        let is_walk = matches!(&pair[0].class_name[..], "SimpleRNN" | "LSTM" | "GRU");
        let gives_last = is_walk && config["return_sequences"].as_bool() != Some(true);
        let reads_output = match inputs.read[..] {
            [(name, 0, output)] if name == name_of(&pair[0]) => {
                output == 0 || output == 1 && gives_last
            }
            _ => false,
        };
        if !reads_output {
            return Err(InteropError::Network(format!(
                "its layer {} reads something else than the output of the layer before it alone: Gatefold's networks are one \
                 chain",
                shown(name_of(&pair[1]))
            )));
        }
        if inputs.always_trains {
            return Err(InteropError::Network(format!(
                "its layer {} is called with training=True, so that it drops values in answers too",
                shown(name_of(&pair[1]))
            )));
        }
    }
    Ok(())
}

/// Whether a layer says which of the ids are not 0: what a Functional network has in the place of `mask_zero`'s mask.
fn is_mask(layer: &Object, input: &str) -> bool {
    let mut inputs = Inputs::default();
    inputs.collect(&layer.inbound_nodes);
    let arguments = &layer.inbound_nodes[0]["args"];
    layer.class_name == "NotEqual"
        && inputs.read == [(input, 0, 0)]
        && arguments[1].as_f64() == Some(0.0)
}

/// What a layer is called with.
#[derive(Default)]
struct Inputs<'a> {
    /// Layers, each with its call's number and its output's: `keras_history` in Keras 3, `[[["name", 0, 0, {}]]]` before.
    read: Vec<(&'a str, u64, u64)>,
    /// Whether dropout drops whatever it is called for.
    always_trains: bool,
}

impl<'a> Inputs<'a> {
    fn collect(&mut self, nodes: &'a Value) {
        let number = |value: &Value| value.as_u64().unwrap_or(u64::MAX);
        match nodes {
            Value::Object(fields) => {
                self.always_trains |= fields.get("training").is_some_and(|given| *given == true);
                match fields.get("keras_history") {
                    Some(history) => {
                        let name = history[0].as_str().unwrap_or_default();
                        self.read
                            .push((name, number(&history[1]), number(&history[2])));
                    }
                    None => fields.values().for_each(|node| self.collect(node)),
                }
            }
            Value::Array(items) => match &items[..] {
                [
                    Value::String(name),
                    call @ Value::Number(_),
                    output @ Value::Number(_),
                    rest @ ..,
                ] => {
                    self.read.push((name, number(call), number(output)));
                    rest.iter().for_each(|argument| self.collect(argument));
                }
                items => items.iter().for_each(|node| self.collect(node)),
            },
            _ => {}
        }
    }
}

fn name_of(layer: &Object) -> &str {
    layer.config["name"].as_str().unwrap_or_default()
}

#[derive(Default)]
struct Builder {
    layers: Vec<Layer>,
    mask: bool,
    length: Option<usize>,
    /// What the last Dense layer does with its numbers.
    last_dense: Option<Dense>,
    /// Whether the last recurrent layer gives a state a timestep.
    sequences: bool,
    /// Whether there is a dense layer before the one of the answers.
    has_dense: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dense {
    Relu,
    Answers(Activation),
}

impl Builder {
    fn describe(mut self, layers: &[Object]) -> Result<Described, InteropError> {
        for layer in layers {
            self.add(layer)?;
        }
        let Some(Dense::Answers(activation)) = self.last_dense else {
            return Err(InteropError::Network(
                "it ends without a Dense layer for its answers".into(),
            ));
        };
        Ok(Described {
            layers: self.layers,
            mask: self.mask,
            length: self.length,
            activation,
        })
    }

    fn add(&mut self, layer: &Object) -> Result<(), InteropError> {
        let (config, name) = (&layer.config, name_of(layer));
        let refuse = |what: &str| {
            InteropError::Network(format!(
                "its layer {} ({}) {what}",
                shown(name),
                shown(&layer.class_name)
            ))
        };
        let place = |is_there: bool| match is_there {
            true => Ok(()),
            false => Err(refuse(
                "stands elsewhere than in Gatefold's networks: an Embedding, recurrent layers, and one or two Dense ones",
            )),
        };
        for key in ["batch_shape", "batch_input_shape"] {
            let shape = config[key].as_array();
            if let Some(length) = shape.and_then(|shape| shape.get(1)?.as_u64()) {
                self.length = usize::try_from(length).ok();
            }
        }
        let last = self.layers.last().map(|layer| layer.kind);
        let kind = match &layer.class_name[..] {
            "InputLayer" => return place(self.layers.is_empty()),
            "Dropout" | "SpatialDropout1D" => return Ok(()),
            "Embedding" => {
                place(last.is_none())?;
                self.mask = config["mask_zero"].as_bool().unwrap_or(false);
                let length = config["input_length"].as_u64();
                self.length = length
                    .and_then(|length| length.try_into().ok())
                    .or(self.length);
                LayerKind::Embedding
            }
            "Dense" => {
                let after = matches!(last, Some(LayerKind::Recurrent { .. } | LayerKind::Dense));
                place(after && !self.sequences)?;
                self.add_dense(config).map_err(|what| refuse(&what))?;
                LayerKind::Dense
            }
            _ => {
                let (cell, bidirectional) = recurrent(layer).map_err(|what| refuse(&what))?;
                let below = last == Some(LayerKind::Embedding) || self.sequences;
                place(below)?;
                if let Some(LayerKind::Recurrent {
                    cell: other,
                    bidirectional: both,
                }) = last
                    && (other, both) != (cell, bidirectional)
                {
                    return Err(refuse(
                        "is of another kind than the recurrent layer below it: Gatefold's networks have one kind",
                    ));
                }
                let own = if bidirectional {
                    &config["layer"]["config"]
                } else {
                    config
                };
                self.sequences = own["return_sequences"].as_bool().unwrap_or(false);
                LayerKind::Recurrent {
                    cell,
                    bidirectional,
                }
            }
        };
        let (config, keys): (_, &[&'static str]) = match kind {
            LayerKind::Embedding => (config, &["input_dim", "output_dim"]),
            LayerKind::Recurrent {
                bidirectional: true,
                ..
            } => (&config["layer"]["config"], &["units"]),
            _ => (config, &["units"]),
        };
        for key in ["lora_rank", "quantization_config", "quantization_mode"] {
            if !config[key].is_null() {
                return Err(refuse(&format!("has weights in parts ({key})")));
            }
        }
        let sizes = keys.iter().map(|&key| (key, config[key].clone())).collect();
        let name = name.to_owned();
        self.layers.push(Layer { name, kind, sizes });
        Ok(())
    }

    fn add_dense(&mut self, config: &Value) -> Result<(), String> {
        match self.last_dense {
            None => {}
            Some(Dense::Relu) if !self.has_dense => self.has_dense = true,
            Some(_) => {
                return Err(
                    "stands behind a Dense layer other than the one with activation \"relu\" that Gatefold has"
                        .into(),
                );
            }
        }
        let units = config["units"].as_u64();
        self.last_dense = Some(match &function(config, "activation", "linear")[..] {
            "relu" if !self.has_dense => Dense::Relu,
            "linear" => Dense::Answers(Activation::None),
            "sigmoid" => Dense::Answers(Activation::Sigmoid),
            "softmax" if units != Some(1) => Dense::Answers(Activation::Softmax),
            other => {
                return Err(format!(
                    "has the activation {:?}: an answer is linear, sigmoid, or softmax of two or more, and a layer before it \
                     relu",
                    shown(other)
                ));
            }
        });
        Ok(())
    }
}

/// The name of a layer's function; that of its class where it is an object, or of a function of somebody's own.
fn function(config: &Value, key: &str, default: &str) -> String {
    match &config[key] {
        Value::Null => default.to_owned(),
        Value::String(name) => name.clone(),
        other => other["class_name"].as_str().unwrap_or("?").to_owned(),
    }
}

/// The cell of a recurrent layer, and whether it walks backwards too.
fn recurrent(layer: &Object) -> Result<(Cell, bool), String> {
    if layer.class_name == "Bidirectional" {
        if layer.config["merge_mode"].as_str() != Some("concat") {
            return Err("must have merge_mode=\"concat\"".into());
        }
        let inner =
            |key: &str| object(layer.config[key].clone()).map_err(|error| error.to_string());
        let forward = inner("layer")?;
        let cell = walk(&forward, false)?;
        if !layer.config["backward_layer"].is_null() {
            let reverse = inner("backward_layer")?;
            let units = |layer: &Object| layer.config["units"].clone();
            if walk(&reverse, true)? != cell || units(&forward) != units(&reverse) {
                return Err("walks backwards with another layer than forwards".into());
            }
        }
        return Ok((cell, true));
    }
    Ok((walk(layer, false)?, false))
}

/// The cell of a layer that walks one way, as Gatefold's cells compute.
fn walk(layer: &Object, reverse: bool) -> Result<Cell, String> {
    let cell = match &layer.class_name[..] {
        "SimpleRNN" => Cell::Rnn,
        "LSTM" => Cell::Lstm,
        "GRU" => Cell::Gru,
        "TextVectorization" => {
            return Err(
                "splits texts otherwise than Gatefold does: import the layers behind it".into(),
            );
        }
        "GlobalMaxPooling1D" | "GlobalAveragePooling1D" => {
            return Err("pools states, which an import doesn't do".into());
        }
        _ => return Err("is none that Gatefold has".into()),
    };
    let config = &layer.config;
    let is = |key: &str, default: bool| config[key].as_bool().unwrap_or(default);
    let activation = function(config, "activation", "tanh");
    if activation != "tanh" {
        return Err(format!(
            "has the activation {:?} where Gatefold's is tanh",
            shown(&activation)
        ));
    }
    let gates = function(config, "recurrent_activation", "sigmoid");
    if cell != Cell::Rnn && gates != "sigmoid" {
        return Err(format!(
            "has the recurrent_activation {:?} where Gatefold's is sigmoid",
            shown(&gates)
        ));
    }
    // It wasn't there before there was a choice.
    if cell == Cell::Gru && !is("reset_after", false) {
        return Err("is a GRU with reset_after=False, which Gatefold doesn't have".into());
    }
    if is("go_backwards", false) != reverse {
        return Err("walks backwards alone (go_backwards)".into());
    }
    match ["stateful", "time_major"]
        .into_iter()
        .find(|key| is(key, false))
    {
        Some(key) => Err(format!("has {key}=True, which Gatefold doesn't have")),
        None => Ok(cell),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layer(class: &str, config: Value) -> Value {
        json!({"class_name": class, "config": config})
    }

    fn cell(class: &str, changed: &[(&str, Value)]) -> Value {
        let mut config = json!({
            "name": "walk", "units": 4, "activation": "tanh", "recurrent_activation": "sigmoid", "return_sequences": false,
            "go_backwards": false, "stateful": false, "reset_after": true,
        });
        for (key, value) in changed {
            config[*key] = value.clone();
        }
        layer(class, config)
    }

    fn network(walk: Value, head: &[Value]) -> String {
        let embedding = layer(
            "Embedding",
            json!({"input_dim": 9, "output_dim": 3, "mask_zero": true}),
        );
        let layers: Vec<Value> = [embedding, walk]
            .into_iter()
            .chain(head.iter().cloned())
            .collect();
        json!({"class_name": "Sequential", "config": {"layers": layers}}).to_string()
    }

    fn dense(units: u32, activation: Value) -> Value {
        layer(
            "Dense",
            json!({"name": "dense", "units": units, "activation": activation}),
        )
    }

    #[test]
    fn a_network_of_ours_is_understood() {
        let answers = dense(2, json!("softmax"));
        for walk in [
            cell("SimpleRNN", &[]),
            cell("LSTM", &[("dropout", json!(0.5)), ("unroll", json!(true))]),
            layer(
                "Bidirectional",
                json!({"merge_mode": "concat", "layer": cell("GRU", &[])}),
            ),
        ] {
            let described = describe(&network(walk, std::slice::from_ref(&answers))).unwrap();
            assert_eq!(
                (described.mask, described.activation),
                (true, Activation::Softmax)
            );
            assert_eq!(described.layers.len(), 3);
        }
    }

    #[test]
    fn what_computes_otherwise_is_refused_by_name() {
        let yes = || vec![dense(1, json!("sigmoid"))];
        let both = |mode: &str| {
            layer(
                "Bidirectional",
                json!({"merge_mode": mode, "layer": cell("LSTM", &[])}),
            )
        };
        for (walk, head, reason) in [
            (
                cell("GRU", &[("reset_after", json!(false))]),
                yes(),
                "reset_after=False",
            ),
            (
                cell("LSTM", &[("recurrent_activation", json!("hard_sigmoid"))]),
                yes(),
                "recurrent_activation \"hard_sigmoid\"",
            ),
            (
                cell("LSTM", &[("activation", json!("relu"))]),
                yes(),
                "activation \"relu\"",
            ),
            (
                cell("LSTM", &[("go_backwards", json!(true))]),
                yes(),
                "go_backwards",
            ),
            (
                cell("LSTM", &[("stateful", json!(true))]),
                yes(),
                "stateful=True",
            ),
            (
                cell("LSTM", &[("time_major", json!(true))]),
                yes(),
                "time_major=True",
            ),
            (
                cell("LSTM", &[("return_sequences", json!(true))]),
                yes(),
                "stands elsewhere",
            ),
            (both("sum"), yes(), "merge_mode=\"concat\""),
            (
                layer("GlobalMaxPooling1D", json!({})),
                yes(),
                "pools states",
            ),
            (layer("Lambda", json!({})), yes(), "none that Gatefold has"),
            (cell("LSTM", &[]), vec![], "without a Dense layer"),
            (
                cell("LSTM", &[]),
                vec![dense(1, json!("softmax"))],
                "activation \"softmax\"",
            ),
            (
                cell("LSTM", &[]),
                vec![dense(1, json!({"class_name": "LeakyReLU", "config": {}}))],
                "LeakyReLU",
            ),
            (
                cell("LSTM", &[]),
                vec![dense(
                    1,
                    json!({"class_name": "function", "config": "mine"}),
                )],
                "\"function\"",
            ),
            (
                cell("LSTM", &[]),
                vec![dense(4, json!("tanh")), dense(1, json!("sigmoid"))],
                "activation \"tanh\"",
            ),
        ] {
            let error = describe(&network(walk, &head)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    /// A Functional network whose last layer reads what is given.
    fn functional(history: Value, arguments: Value) -> String {
        let name = |name: &str, mut layer: Value, from: Option<Value>| {
            layer["config"]["name"] = json!(name);
            let tensor = from.map(|history| json!({"args": [{"config": {"keras_history": history}}], "kwargs": arguments}));
            layer["inbound_nodes"] = tensor.map_or(json!([]), |tensor| json!([tensor]));
            layer
        };
        let layers = [
            name(
                "ids",
                layer("InputLayer", json!({"batch_shape": [null, 7]})),
                None,
            ),
            name(
                "words",
                layer("Embedding", json!({"input_dim": 9, "output_dim": 3})),
                Some(json!(["ids", 0, 0])),
            ),
            name("walk", cell("LSTM", &[]), Some(json!(["words", 0, 0]))),
            name("answer", dense(1, json!("sigmoid")), Some(history)),
        ];
        json!({"class_name": "Functional", "config": {"layers": layers}}).to_string()
    }

    #[test]
    fn a_functional_network_is_one_chain_of_outputs() {
        let usual = || json!({"training": false, "mask": null});
        let described = describe(&functional(json!(["walk", 0, 0]), usual())).unwrap();
        assert_eq!((described.mask, described.length), (false, Some(7)));
        // Its hidden state is its output, its cell state is not.
        describe(&functional(json!(["walk", 0, 1]), usual())).unwrap();
        for history in [
            json!(["walk", 0, 2]),
            json!(["walk", 1, 0]),
            json!(["words", 0, 0]),
        ] {
            let error = describe(&functional(history, usual()))
                .unwrap_err()
                .to_string();
            assert!(error.contains("answer reads something else"), "{error}");
        }
        let error = describe(&functional(
            json!(["walk", 0, 0]),
            json!({"training": true}),
        ))
        .unwrap_err();
        assert!(error.to_string().contains("training=True"), "{error}");
    }
}
