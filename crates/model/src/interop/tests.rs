//! What is written is read again as it was, and is the same bytes every time.

use burn::tensor::Device;
use gatefold_kernels::Cell;

use super::*;
use crate::config::NetworkConfig;
use crate::reading::Reading;
use crate::weights::Weights;

fn network(cell: Cell, layers: usize, bidirectional: bool, output_size: usize) -> NetworkConfig {
    NetworkConfig {
        cell,
        layers,
        bidirectional,
        output_size,
        vocabulary_size: 7,
        embedding_size: 3,
        hidden_size: 4,
        dense_size: if layers == 1 { 5 } else { 0 },
        ..Default::default()
    }
}

/// Weights of which no two are alike, the biases too.
fn weights(config: &NetworkConfig) -> Weights {
    let network = config.init(1, &Device::flex()).unwrap();
    let mut weights = Weights::default();
    let mut count = 0;
    for (name, shape, bytes) in network.weights().unwrap().iter() {
        let values = (0..bytes.len() / 4).map(|_| {
            count += 1;
            count as f32 / 64.0
        });
        let bytes = values.flat_map(f32::to_le_bytes).collect();
        weights.insert(name.into(), shape.to_vec(), bytes);
    }
    weights
}

fn export<'a>(config: &'a NetworkConfig, weights: &'a Weights) -> Export<'a> {
    Export {
        config,
        weights,
        activation: match config.output_size {
            1 => Activation::Sigmoid,
            _ => Activation::Softmax,
        },
        fixed_length: None,
        metadata: vec![("gatefold.labels".into(), "[]".into())],
    }
}

fn import(bytes: &[u8], options: &ImportOptions) -> Result<Import, InteropError> {
    Import::from_bytes(bytes.to_vec(), options)
}

fn networks() -> impl Iterator<Item = NetworkConfig> {
    let cells = [Cell::Rnn, Cell::Lstm, Cell::Gru].into_iter();
    let layers = cells.flat_map(|cell| [1, 2].map(|layers| (cell, layers)));
    let directions =
        layers.flat_map(|(cell, layers)| [false, true].map(|both| (cell, layers, both)));
    directions
        .flat_map(|(cell, layers, both)| [1, 2, 5].map(|size| network(cell, layers, both, size)))
}

#[test]
fn what_is_written_is_read_again_as_it_was() {
    for config in networks() {
        let weights = weights(&config);
        let export = export(&config, &weights);
        for format in [
            ExportFormat::PyTorch,
            ExportFormat::SafeTensors,
            ExportFormat::Keras,
        ] {
            let bytes = export.write(format).unwrap();
            assert_eq!(bytes, export.write(format).unwrap(), "{format} {config:?}");
            let options = ImportOptions {
                cell: Some(config.cell),
                ..Default::default()
            };
            let import = import(&bytes, &options).unwrap();
            assert_eq!(import.config().unwrap(), config, "{format}");
            assert_eq!(import.weights().unwrap(), weights, "{format} {config:?}");
            let described = (format == ExportFormat::Keras).then_some((true, export.activation));
            assert_eq!(import.mask().zip(import.activation()), described);
            assert!(import.table().iter().all(|row| row.fate == Fate::Taken));
        }
    }
}

#[test]
fn a_networks_files_are_the_same_in_every_version() {
    let config = network(Cell::Gru, 2, true, 5);
    let weights = weights(&config);
    // FNV-1a.
    let hash = |bytes: Vec<u8>| {
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, mix)
    };
    let hashes =
        ExportFormat::ALL.map(|format| hash(export(&config, &weights).write(format).unwrap()));
    assert_eq!(
        hashes,
        [
            17134941895002993320,
            3228891951360946784,
            3439304820443390380,
            10300869572772156952
        ]
    );
}

#[test]
fn onnx_is_written_for_every_network_it_has_operators_for() {
    let readings = [
        Reading::Last,
        Reading::Max,
        Reading::Mean,
        Reading::MaxMean,
        Reading::Concat,
        Reading::EveryStep,
    ];
    for (reading, fixed_length) in readings
        .into_iter()
        .flat_map(|reading| [(reading, None), (reading, Some(9))])
    {
        let config = NetworkConfig {
            reading,
            input_size: Some(2),
            ..network(Cell::Lstm, 2, true, 5)
        };
        let weights = weights(&config);
        let export = Export {
            fixed_length,
            ..export(&config, &weights)
        };
        assert!(export.write(ExportFormat::Onnx).unwrap().len() > 1000);
    }
}

#[test]
fn what_a_format_cannot_say_is_refused_with_the_reason() {
    let config = network(Cell::MinGru, 1, false, 1);
    let weights = weights(&config);
    for format in ExportFormat::ALL {
        let error = export(&config, &weights)
            .write(format)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("{format} has no")), "{error}");
    }
    for (reading, reason) in [
        (Reading::Max, "reads padding"),
        (Reading::MaxMean, "side by side"),
        (Reading::Concat, "side by side"),
    ] {
        let config = NetworkConfig {
            reading,
            ..network(Cell::Lstm, 1, false, 1)
        };
        let weights = self::weights(&config);
        let error = export(&config, &weights)
            .write(ExportFormat::Keras)
            .unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// A SafeTensors file of tensors of ones.
fn safetensors(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let mut weights = Weights::default();
    for (name, shape) in tensors {
        let count: usize = shape.iter().product();
        weights.insert(
            (*name).into(),
            shape.to_vec(),
            1_f32.to_le_bytes().repeat(count),
        );
    }
    safetensors::write(&weights).unwrap()
}

const LSTM: [(&str, &[usize]); 2] = [
    ("rnn.weight_ih_l0", &[16, 3]),
    ("rnn.weight_hh_l0", &[16, 4]),
];

fn with<'a>(tensors: &[(&'a str, &'a [usize])]) -> Vec<(&'a str, &'a [usize])> {
    LSTM.iter().chain(tensors).copied().collect()
}

#[test]
fn modules_are_told_by_their_shapes_whatever_they_are_called() {
    let file = with(&[
        ("words.weight", &[9, 3]),
        ("b.weight", &[6, 4]),
        ("b.bias", &[6]),
        ("a.weight", &[2, 6]),
        ("a.bias", &[2]),
    ]);
    let import = import(&safetensors(&file), &ImportOptions::default()).unwrap();
    let config = import.config().unwrap();
    assert_eq!(
        (
            config.vocabulary_size,
            config.dense_size,
            config.output_size
        ),
        (9, 6, 2)
    );
    // Without biases they are zeros.
    let weights = import.weights().unwrap();
    assert_eq!(weights.get("recurrent.0.forward.bias").unwrap().1, [0; 64]);
}

#[test]
fn modules_that_shapes_do_not_tell_apart_are_asked_for() {
    let file = with(&[
        ("x.weight", &[3, 3]),
        ("y.weight", &[4, 4]),
        ("z.weight", &[4, 4]),
        ("x1.weight", &[5, 3]),
    ]);
    let ambiguous = safetensors(&with(&[
        ("words.weight", &[9, 3]),
        ("y.weight", &[4, 4]),
        ("z.weight", &[4, 4]),
    ]));
    let error = import(&ambiguous, &ImportOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("words → rnn → y → z fits, and so does words → rnn → z → y"),
        "{error}"
    );
    let mapped = ImportOptions {
        maps: vec![("output".into(), "y".into())],
        ..Default::default()
    };
    let taken = import(&ambiguous, &mapped).unwrap().table();
    let output = taken
        .iter()
        .find(|row| row.ours.as_deref() == Some("output.weight"))
        .unwrap();
    assert_eq!(output.theirs.as_ref().unwrap().0, "y.weight");
    // Two tables of words fit.
    assert!(import(&safetensors(&file), &ImportOptions::default()).is_err());
    for (ours, theirs, reason) in [
        ("head", "y", "none of embedding"),
        ("output", "q", "no linear module of it: those are"),
    ] {
        let options = ImportOptions {
            maps: vec![(ours.into(), theirs.into())],
            ..Default::default()
        };
        let error = import(&ambiguous, &options).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn what_is_left_over_or_missing_is_named() {
    let norm: (&str, &[usize]) = ("norm.weight", &[4]);
    let file = safetensors(&with(&[
        ("words.weight", &[9, 3]),
        ("out.weight", &[1, 4]),
        norm,
    ]));
    let error = import(&file, &ImportOptions::default())
        .unwrap()
        .config()
        .unwrap_err();
    assert!(
        error.to_string().contains("no place for norm.weight"),
        "{error}"
    );
    let ignored = ImportOptions {
        ignored: vec!["norm.*".into()],
        ..Default::default()
    };
    let import_ignoring = import(&file, &ignored).unwrap();
    import_ignoring.config().unwrap();
    assert_eq!(import_ignoring.table().last().unwrap().fate, Fate::Ignored);
    let file = safetensors(&with(&[("words.weight", &[9, 3])]));
    let error = import(&file, &ImportOptions::default())
        .unwrap()
        .config()
        .unwrap_err();
    assert_eq!(error.to_string(), "output.weight of the network is missing");
    let other = safetensors(&[("a.weight", &[2, 2])]);
    let error = import(&other, &ImportOptions::default()).unwrap().config();
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("no recurrent layer")
    );
}

#[test]
fn a_checkpoints_network_is_found_under_its_key() {
    let file = |keys: &[&str]| {
        let names = [
            "rnn.weight_ih_l0",
            "rnn.weight_hh_l0",
            "words.weight",
            "out.weight",
        ];
        let shapes: [&[usize]; 4] = [&[16, 3], &[16, 4], &[9, 3], &[1, 4]];
        let mut tensors = vec![("optimizer.state.0.exp_avg".to_owned(), &[9, 3][..])];
        for key in keys {
            tensors.extend(
                names
                    .iter()
                    .zip(shapes)
                    .map(|(name, shape)| (format!("{key}.{name}"), shape)),
            );
        }
        let tensors: Vec<(&str, &[usize])> = tensors
            .iter()
            .map(|(name, shape)| (&name[..], *shape))
            .collect();
        safetensors(&tensors)
    };
    import(&file(&["model"]), &ImportOptions::default())
        .unwrap()
        .config()
        .unwrap();
    let error = import(&file(&["model", "ema"]), &ImportOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("several networks: name one of ema, model"),
        "{error}"
    );
    let keyed = |key: &str| ImportOptions {
        key: Some(key.into()),
        ..Default::default()
    };
    import(&file(&["model", "ema"]), &keyed("ema"))
        .unwrap()
        .config()
        .unwrap();
    let error = import(&file(&["model"]), &keyed("net"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("nothing under the key net: the networks in it are model"),
        "{error}"
    );
}

#[test]
fn a_simple_rnn_of_pytorch_is_asked_whether_it_is_one_with_tanh() {
    let file = safetensors(&[
        ("rnn.weight_ih_l0", &[4, 3]),
        ("rnn.weight_hh_l0", &[4, 4]),
        ("e.weight", &[9, 3]),
        ("o.weight", &[1, 4]),
    ]);
    let error = import(&file, &ImportOptions::default()).unwrap().config();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("tanh or with ReLU"), "{error}");
    let of = |cell| ImportOptions {
        cell: Some(cell),
        ..Default::default()
    };
    import(&file, &of(Cell::Rnn)).unwrap().config().unwrap();
    let error = import(&file, &of(Cell::Lstm)).unwrap().config();
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("are simple RNN, not LSTM")
    );
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_no_panic() {
    let config = network(Cell::Gru, 1, true, 2);
    let weights = weights(&config);
    for format in [
        ExportFormat::PyTorch,
        ExportFormat::SafeTensors,
        ExportFormat::Keras,
    ] {
        let bytes = export(&config, &weights).write(format).unwrap();
        for length in (0..bytes.len()).step_by(61) {
            let cut = import(&bytes[..length], &ImportOptions::default());
            let read = cut.and_then(|import| import.weights());
            assert!(read.is_err(), "{format} at {length} of {}", bytes.len());
        }
    }
}
