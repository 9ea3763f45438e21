//! `gatefold export`

use anyhow::{Context, Result, anyhow, bail, ensure};
use gatefold::run_folder::RunFolder;
use gatefold::{files, pretraining, say};
use gatefold_data::Encoder;
use gatefold_model::Reading;
use gatefold_model::interop::{Activation, Export, ExportFormat};
use gatefold_training::bundle::{self, Bundle};
use gatefold_training::{Objective, RunConfig};

use crate::cli::ExportArgs;
use crate::output::{self, End};

/// Bytes that a protocol buffer may not reach.
const MOST_ONNX: usize = 1 << 31;

pub fn run(args: ExportArgs) -> Result<()> {
    let format = args.format;
    let ending = args.out.extension().unwrap_or_default();
    // Keras tells a network by its file's name.
    if format == ExportFormat::Keras && ending != format.extension() {
        let error =
            anyhow!("--out must end in .keras: Keras reads no other file as a whole network");
        return Err(End::Misused(error).into());
    }
    let folder = RunFolder::open(&args.run)?;
    let place = args
        .out
        .parent()
        .and_then(|parent| parent.canonicalize().ok());
    if place.is_some_and(|place| {
        folder
            .path()
            .canonicalize()
            .is_ok_and(|run| place.starts_with(run))
    }) {
        return Err(End::Misused(anyhow!(
            "--out must lie outside the run: its own files are there"
        ))
        .into());
    }
    let bundle = folder.bundle()?;
    pretraining::ensure_answers(&bundle.config, &args.run)?;
    let config = &bundle.config;
    let export = Export {
        config: &config.model,
        weights: &bundle.weights,
        activation: activation(config.objective()),
        fixed_length: (!config.input.mask).then_some(config.input.max_length),
        metadata: metadata(&bundle)?,
    };
    if let Encoder::Text(vocabulary) = &bundle.encoder
        && format == ExportFormat::Keras
        && config.input.mask
        && !vocabulary.has_padding()
    {
        bail!(
            "the run can't be exported for Keras, which takes id 0 for padding: in its vocabulary that is something else"
        );
    }
    let bytes = export.write(format);
    let bytes =
        bytes.with_context(|| format!("the run {} can't be exported", args.run.display()))?;
    ensure!(
        format != ExportFormat::Onnx || bytes.len() < MOST_ONNX,
        "the network is too large for ONNX, whose files have less than 2 GiB: {} bytes",
        bytes.len()
    );
    files::write_output(&args.out, &bytes)?;
    if config.ngrams.is_some() {
        say!(
            "warning: the network alone is exported, without the n-grams beside it: it answers otherwise than predict"
        );
    }
    output::line(&format!(
        "{}: {} bytes. To load it in Python:\n",
        args.out.display(),
        bytes.len()
    ))?;
    output::line(&load(format, &args.out.display().to_string(), config).join("\n"))?;
    output::line(&format!("\n{}", notes(format, &bundle, &folder).join("\n")))
}

fn activation(objective: Objective) -> Activation {
    match objective {
        Objective::Binary | Objective::MultiLabel => Activation::Sigmoid,
        Objective::Classes => Activation::Softmax,
        _ => Activation::None,
    }
}

/// What answers need beside the network.
fn metadata(bundle: &Bundle) -> Result<Vec<(String, String)>> {
    let config = &bundle.config;
    let mut metadata = vec![
        (
            "gatefold.version".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        ),
        ("gatefold.objective".into(), config.objective().to_string()),
        (
            "gatefold.max_length".into(),
            config.input.max_length.to_string(),
        ),
    ];
    if !config.input.mask {
        metadata.push(("gatefold.padding".into(), config.input.padding.to_string()));
    }
    if let Some(labels) = &bundle.labels {
        metadata.push(("gatefold.labels".into(), labels.to_json()));
    }
    for (name, content) in bundle::encoder_files(&bundle.encoder, None) {
        let key = name.strip_suffix(".json").unwrap_or(name);
        metadata.push((format!("gatefold.{key}"), content));
    }
    Ok(metadata)
}

/// A text as Python's source has it.
fn python(text: &str) -> String {
    // JSON's strings are Python's.
    serde_json::to_string(text).expect("a text is JSON")
}

/// The lines of Python that load the file.
fn load(format: ExportFormat, file: &str, config: &RunConfig) -> Vec<String> {
    let file = python(file);
    match format {
        ExportFormat::Keras => vec![
            "import keras".to_owned(),
            format!("model = keras.saving.load_model({file})"),
            "answers = model.predict(inputs)".into(),
        ],
        ExportFormat::Onnx => {
            let input = match config.model.input_size {
                Some(_) => "values",
                None => "ids",
            };
            let lengths = if config.input.mask {
                ", \"lengths\": lengths"
            } else {
                ""
            };
            vec![
                "import onnxruntime".into(),
                format!("session = onnxruntime.InferenceSession({file})"),
                format!("answers = session.run(None, {{\"{input}\": {input}{lengths}}})"),
            ]
        }
        _ => {
            let read = match format {
                ExportFormat::PyTorch => format!("torch.load({file}, weights_only=True)"),
                _ => format!("safetensors.torch.load_file({file})"),
            };
            let import = match format {
                ExportFormat::PyTorch => "import torch",
                _ => "import safetensors.torch",
            };
            vec![
                import.into(),
                format!("model = {}", torch_network(config)),
                format!("model.load_state_dict({read})"),
            ]
        }
    }
}

/// How docs/interop.md's module is made for the network.
fn torch_network(config: &RunConfig) -> String {
    let model = &config.model;
    let input = match model.input_size {
        Some(width) => format!("input_size={width}"),
        None => format!(
            "vocabulary_size={}, embedding_size={}",
            model.vocabulary_size, model.embedding_size
        ),
    };
    let reading = match model.reading {
        Reading::Last => String::new(),
        other => {
            let name = serde_json::to_value(other).expect("a name is JSON");
            format!(", pooling={name}")
        }
    };
    let bidirectional = if model.bidirectional { "True" } else { "False" };
    format!(
        "Network(cell=\"{}\", {input}, hidden_size={}, layers={}, bidirectional={bidirectional}, dense_size={}, \
         output_size={}{reading})",
        model.cell.to_string().to_uppercase(),
        model.hidden_size,
        model.layers,
        model.dense_size,
        model.output_size,
    )
}

/// What the file doesn't say and who uses it must know.
fn notes(format: ExportFormat, bundle: &Bundle, folder: &RunFolder) -> Vec<String> {
    let input = &bundle.config.input;
    let mut notes = Vec::new();
    if matches!(format, ExportFormat::PyTorch | ExportFormat::SafeTensors) {
        notes.push("Network is the module in docs/interop.md.".to_owned());
    }
    let is_text = matches!(bundle.encoder, Encoder::Text(_));
    if format != ExportFormat::Onnx {
        for (name, _) in bundle::encoder_files(&bundle.encoder, bundle.labels.as_ref()) {
            notes.push(format!(
                "What its numbers stand for: {}",
                folder.path().join(name).display()
            ));
        }
    }
    notes.push(match (input.mask, is_text) {
        (true, true) => format!("It reads the last {} ids of a text, and leaves padding out.", input.max_length),
        (true, false) if format == ExportFormat::Keras => {
            "Keras reads every timestep that it is given: give it sequences of one length at a time.".into()
        }
        (true, false) => format!("It reads the last {} timesteps.", input.max_length),
        (false, _) => format!(
            "It reads {} timesteps, padded with zeros {}.",
            input.max_length,
            match input.padding.to_string().as_str() {
                "pre" => "in front",
                _ => "at the end",
            }
        ),
    });
    if bundle.encoder.scaler().is_some() {
        notes.push("It reads numbers that are scaled: (number - mean) / deviation.".into());
    }
    if bundle.encoder.target_scaler().is_some() {
        notes.push("Its answers are scaled: answer * deviation + mean.".into());
    }
    notes
}
