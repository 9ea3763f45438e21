//! ONNX: a network in standard operators of opset 17.
//!
//! The numbers of the fields are those of `onnx.proto`, the operators those of ONNX's `Operators.md`.

use super::error::InteropError;
use super::export::{Activation, Export, Named};
use super::protobuf::Message;
use super::slots::{Linear, Slot};
use super::table::{Framework, Matrix};
use crate::reading::Reading;
use gatefold_kernels::Cell;

const IR_VERSION: u64 = 8;
const OPSET: u64 = 17;

const FLOAT: u64 = 1;
const INT32: u64 = 6;
const INT64: u64 = 7;

/// No hidden state reaches it.
const LOWEST: f32 = -1e30;

/// A size of a value: settled, or whatever is given.
#[derive(Clone, Copy)]
enum Size {
    Of(usize),
    Any(&'static str),
}

use Size::{Any, Of};

/// A graph as it grows: each value has a name.
#[derive(Default)]
struct Graph {
    message: Message,
    values: usize,
}

/// An attribute of a node.
enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Text(&'a str),
}

impl Graph {
    /// Adds a node; gives the name of its one value.
    fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = self.name(operator);
        self.named_node(operator, inputs, &[&name], attributes);
        name
    }

    fn named_node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        let mut node = Message::default();
        for input in inputs {
            node = node.bytes(1, input);
        }
        for output in outputs {
            node = node.bytes(2, output);
        }
        node = node.bytes(4, operator);
        for (name, value) in attributes {
            let attribute = Message::default().bytes(1, name);
            let attribute = match value {
                Attribute::Int(value) => attribute.varint(3, *value as u64).varint(20, 2),
                Attribute::Text(value) => attribute.bytes(4, value).varint(20, 3),
                Attribute::Ints(values) => {
                    let with = |message: Message, value: &i64| message.varint(8, *value as u64);
                    values.iter().fold(attribute, with).varint(20, 7)
                }
            };
            node = node.bytes(5, attribute);
        }
        self.push(1, node);
    }

    /// A name that no value has yet.
    fn name(&mut self, of: &str) -> String {
        self.values += 1;
        format!("{}_{}", of.to_lowercase(), self.values)
    }

    fn push(&mut self, field: u32, message: Message) {
        self.message = std::mem::take(&mut self.message).bytes(field, message);
    }

    /// A tensor that is there from the start.
    fn tensor(&mut self, name: &str, shape: &[usize], kind: u64, bytes: &[u8]) -> String {
        let with = |message: Message, size: &usize| message.varint(1, *size as u64);
        let tensor = shape.iter().fold(Message::default(), with);
        self.push(5, tensor.varint(2, kind).bytes(8, name).bytes(9, bytes));
        name.into()
    }

    fn weights(&mut self, name: &str, shape: &[usize], matrix: &Matrix) -> String {
        self.tensor(name, shape, FLOAT, &matrix.to_bytes())
    }

    fn float(&mut self, value: f32) -> String {
        let name = self.name("constant");
        self.tensor(&name, &[], FLOAT, &value.to_le_bytes())
    }

    fn ints(&mut self, values: &[i64]) -> String {
        let name = self.name("constant");
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.tensor(&name, &[values.len()], INT64, &bytes)
    }

    /// Says what goes in, field 11, or comes out, field 12.
    fn declare(&mut self, field: u32, name: &str, kind: u64, shape: &[Size]) {
        let with = |message: Message, size: &Size| {
            let size = match *size {
                Of(size) => Message::default().varint(1, size as u64),
                Any(name) => Message::default().bytes(2, name),
            };
            message.bytes(1, size)
        };
        let shape = shape.iter().fold(Message::default(), with);
        let tensor = Message::default().varint(1, kind).bytes(2, shape);
        let kind = Message::default().bytes(1, tensor);
        self.push(field, Message::default().bytes(1, name).bytes(2, kind));
    }

    fn transpose(&mut self, value: &str, axes: &[i64]) -> String {
        self.node("Transpose", &[value], &[("perm", Attribute::Ints(axes))])
    }

    /// A shape in which 0 leaves a size as it is, and -1 is what is left.
    fn reshape(&mut self, value: &str, shape: &[i64]) -> String {
        let shape = self.ints(shape);
        self.node("Reshape", &[value, &shape], &[])
    }

    fn unsqueeze(&mut self, value: &str, axis: i64) -> String {
        let axis = self.ints(&[axis]);
        self.node("Unsqueeze", &[value, &axis], &[])
    }
}

/// The network's inputs: `ids` `[batch, time]` or `values` `[batch, time, width]`, and `lengths` `[batch]` where padding
/// is left out. Its outputs: `logits` or `values`, and `probabilities` where answers are classes.
pub(super) fn write(export: &Export) -> Result<Vec<u8>, InteropError> {
    let config = export.config;
    let mut graph = Graph::default();
    let time = export.fixed_length.map_or(Any("time"), Of);
    let input = match config.input_size {
        Some(width) => {
            graph.declare(11, "values", FLOAT, &[Any("batch"), time, Of(width)]);
            "values".into()
        }
        None => {
            graph.declare(11, "ids", INT32, &[Any("batch"), time]);
            let embedding = export.matrix(Slot::Embedding)?;
            let shape = [embedding.rows, embedding.columns];
            let embedding = graph.weights("embedding.weight", &shape, &embedding);
            graph.node("Gather", &[&embedding, "ids"], &[])
        }
    };
    let lengths = export.fixed_length.is_none().then_some("lengths");
    if let Some(lengths) = lengths {
        graph.declare(11, lengths, INT32, &[Any("batch")]);
    }
    let walked = stack(&mut graph, export, &input, lengths)?;
    let read = read(&mut graph, config.reading, &walked, lengths);
    answers(&mut graph, export, &read)?;
    Ok(model(export, graph.message).0)
}

fn model(export: &Export, graph: Message) -> Message {
    let operators = Message::default().bytes(1, "").varint(2, OPSET);
    let model = Message::default()
        .varint(1, IR_VERSION)
        .bytes(2, "gatefold")
        .bytes(7, graph.bytes(2, "gatefold"))
        .bytes(8, operators);
    export.metadata.iter().fold(model, |model, (key, value)| {
        model.bytes(14, Message::default().bytes(1, key).bytes(2, value))
    })
}

/// What the last layer gives.
struct Walked {
    /// `[time, directions, batch, H]`.
    all: String,
    /// `[directions, batch, H]`.
    last: String,
}

fn stack(
    graph: &mut Graph,
    export: &Export,
    input: &str,
    lengths: Option<&str>,
) -> Result<Walked, InteropError> {
    let (config, directions) = (export.config, export.directions());
    let mut value = graph.transpose(input, &[1, 0, 2]);
    let mut walked = None;
    for layer in 0..config.layers {
        if let Some(Walked { all, .. }) = &walked {
            let turned = graph.transpose(all, &[0, 2, 1, 3]);
            value = graph.reshape(&turned, &[0, 0, -1]);
        }
        let walks = directions.iter();
        let walks = walks.map(|&reverse| export.recurrent(Framework::Onnx, layer, reverse));
        let walks = walks.collect::<Result<Vec<_>, _>>()?;
        let mut inputs = vec![value.clone()];
        for part in 0..walks[0].len() {
            let Named { name, shape, .. } = &walks[0][part];
            let values = walks
                .iter()
                .flat_map(|walk| walk[part].matrix.values.iter().copied());
            // Both biases are one vector.
            let shape = match *name {
                "B" => vec![walks.len(), 2 * shape[1]],
                _ => vec![walks.len(), shape[0], shape[1]],
            };
            let matrix = Matrix {
                rows: 1,
                columns: 0,
                values: values.collect(),
            };
            inputs.push(graph.weights(&format!("recurrent.{layer}.{name}"), &shape, &matrix));
        }
        inputs.extend(lengths.map(str::to_owned));
        let operator = match config.cell {
            Cell::Rnn => "RNN",
            Cell::Gru => "GRU",
            _ => "LSTM",
        };
        let direction = if directions.len() == 2 {
            "bidirectional"
        } else {
            "forward"
        };
        let mut attributes = vec![
            ("hidden_size", Attribute::Int(config.hidden_size as i64)),
            ("direction", Attribute::Text(direction)),
        ];
        if config.cell == Cell::Gru {
            attributes.push(("linear_before_reset", Attribute::Int(1)));
        }
        let (all, last) = (graph.name(operator), graph.name(operator));
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        graph.named_node(operator, &inputs, &[&all, &last], &attributes);
        walked = Some(Walked { all, last });
    }
    Ok(walked.expect("a network has a layer"))
}

/// What is answered from: `[batch, N]`, or `[batch, time, N]` of every step.
fn read(graph: &mut Graph, reading: Reading, walked: &Walked, lengths: Option<&str>) -> String {
    let last = |graph: &mut Graph| {
        let last = graph.transpose(&walked.last, &[1, 0, 2]);
        graph.reshape(&last, &[0, -1])
    };
    if reading == Reading::Last {
        return last(graph);
    }
    let all = graph.transpose(&walked.all, &[2, 0, 1, 3]);
    let all = graph.reshape(&all, &[0, 0, -1]);
    if reading == Reading::EveryStep {
        return all;
    }
    // Whether a timestep is one of its row's, [batch, time, 1].
    let valid = lengths.map(|lengths| {
        let lengths = graph.node("Cast", &[lengths], &[("to", Attribute::Int(INT64 as i64))]);
        let shape = graph.node("Shape", &[&all], &[]);
        let (one, axis) = (graph.ints(&[1]), graph.ints(&[1]));
        let time = graph.node("Gather", &[&shape, &axis], &[]);
        let ones = graph.node("Expand", &[&one, &time], &[]);
        let zero = graph.ints(&[0]);
        let steps = graph.node("CumSum", &[&ones, &zero], &[]);
        let lengths = graph.unsqueeze(&lengths, 1);
        // Steps count from 1.
        let valid = graph.node("LessOrEqual", &[&steps, &lengths], &[]);
        (graph.unsqueeze(&valid, 2), lengths)
    });
    let others_as = |graph: &mut Graph, value: f32| match &valid {
        Some((valid, _)) => {
            let value = graph.float(value);
            graph.node("Where", &[valid, &all, &value], &[])
        }
        None => all.clone(),
    };
    let over_time = [
        ("axes", Attribute::Ints(&[1])),
        ("keepdims", Attribute::Int(0)),
    ];
    let largest = |graph: &mut Graph| {
        let states = others_as(graph, LOWEST);
        graph.node("ReduceMax", &[&states], &over_time)
    };
    let mean = |graph: &mut Graph| {
        let Some((_, lengths)) = &valid else {
            return graph.node("ReduceMean", &[&all], &over_time);
        };
        let states = others_as(graph, 0.0);
        let axis = graph.ints(&[1]);
        let sum = graph.node(
            "ReduceSum",
            &[&states, &axis],
            &[("keepdims", Attribute::Int(0))],
        );
        let count = graph.node("Cast", &[lengths], &[("to", Attribute::Int(FLOAT as i64))]);
        let one = graph.float(1.0);
        let count = graph.node("Max", &[&count, &one], &[]);
        graph.node("Div", &[&sum, &count], &[])
    };
    match reading {
        Reading::Max => largest(graph),
        Reading::Mean => mean(graph),
        _ => {
            let last = (reading == Reading::Concat).then(|| last(graph));
            let pooled = [largest(graph), mean(graph)];
            let all: Vec<&str> = last.iter().chain(&pooled).map(String::as_str).collect();
            graph.node("Concat", &all, &[("axis", Attribute::Int(1))])
        }
    }
}

fn answers(graph: &mut Graph, export: &Export, read: &str) -> Result<(), InteropError> {
    let config = export.config;
    let mut value = read.to_owned();
    let output = match export.activation {
        Activation::None => "answers",
        _ => "logits",
    };
    for (name, slot) in export.linear() {
        let (weight, bias) = (
            export.matrix(slot(Linear::Weight))?,
            export.matrix(slot(Linear::Bias))?,
        );
        let shape = [weight.rows, weight.columns];
        let weight = graph.weights(&format!("{name}.weight"), &shape, &weight);
        let bias = graph.weights(&format!("{name}.bias"), &[bias.columns], &bias);
        let product = graph.node("MatMul", &[&value, &weight], &[]);
        if name == "dense" {
            let sum = graph.node("Add", &[&product, &bias], &[]);
            value = graph.node("Relu", &[&sum], &[]);
        } else {
            graph.named_node("Add", &[&product, &bias], &[output], &[]);
        }
    }
    let shape = |size| match config.reading {
        Reading::EveryStep => vec![
            Any("batch"),
            export.fixed_length.map_or(Any("time"), Of),
            Of(size),
        ],
        _ => vec![Any("batch"), Of(size)],
    };
    let size = config.output_size;
    graph.declare(12, output, FLOAT, &shape(size));
    let (last_axis, probabilities) = ([("axis", Attribute::Int(-1))], "probabilities");
    let classes = match (export.activation, size) {
        (Activation::None, _) => return Ok(()),
        (Activation::Softmax, _) => {
            graph.named_node("Softmax", &[output], &[probabilities], &last_axis);
            size
        }
        // That of the first of two classes stands beside it.
        (Activation::Sigmoid, 1) => {
            let second = graph.node("Sigmoid", &[output], &[]);
            let one = graph.float(1.0);
            let first = graph.node("Sub", &[&one, &second], &[]);
            graph.named_node("Concat", &[&first, &second], &[probabilities], &last_axis);
            2
        }
        (Activation::Sigmoid, _) => {
            graph.named_node("Sigmoid", &[output], &[probabilities], &[]);
            size
        }
    };
    graph.declare(12, probabilities, FLOAT, &shape(classes));
    Ok(())
}
