//! What a fuzzer gives the parsers of this crate, and what has to hold whatever it gives.
//!
//! Each function takes the bytes of one input. It returns if the parser refuses them, or if what the
//! parser accepts keeps its promises, and panics otherwise. `fuzz/corpus` holds a folder of inputs for
//! each; a test of this module replays them.

use std::path::Path;

use burn::tensor::Device;
use gatefold_data::{Encoder, Labels, Tokenizer, Vocabulary};
use gatefold_lesson::explanation::{START, explain};
use gatefold_model::interop::{Import, ImportOptions, InteropError};
use gatefold_model::{Cell, NetworkConfig, Tokens};
use gatefold_training::{Bundle, Checkpoint, Predictor, RunConfig};
use safetensors::{Dtype, SafeTensors};

use crate::download;
use crate::terminal;

/// Bytes of a message.
const LONGEST_MESSAGE: usize = 4096;

/// Of a tiny network.
fn of(cell: Cell) -> NetworkConfig {
    NetworkConfig {
        cell,
        vocabulary_size: 6,
        embedding_size: 2,
        hidden_size: 2,
        dense_size: 2,
        ..Default::default()
    }
}

fn assert_printable(text: &str) {
    assert_eq!(terminal::printable(text), text);
}

/// A `config.toml`: it is read or refused as TOML's own reader does, and a complaint is short.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let plainly = toml::from_str::<RunConfig>(text);
    match RunConfig::from_toml(text, "config.toml") {
        Ok(config) => {
            // Settings of before are read where they stood then.
            toml::de::DeTable::parse(text).expect("what is read is TOML");
            // It may be of no use, but says so without harm.
            let _ = config.validate();
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.len() < LONGEST_MESSAGE, "{} bytes", message.len());
            assert_printable(&terminal::message(&message));
            // Serde takes a list for the fields of a table, in their order.
            assert!(plainly.is_err() || message.ends_with("must be one table, not a list"));
        }
    }
}

/// A checkpoint: what is accepted can be written, and is then read as the same.
pub fn checkpoint(data: &[u8]) {
    let Ok(checkpoint) = Checkpoint::from_bytes(data) else {
        return;
    };
    let _ = checkpoint.check(&RunConfig::default(), "hash");
    let file = SafeTensors::deserialize(data).expect("it was read");
    for (name, view) in file.iter() {
        let moment = name.starts_with("adam.first.") || name.starts_with("adam.second.");
        assert!(!moment || view.dtype() == Dtype::F32, "{name}");
    }
    for of in [Some(&checkpoint.network), checkpoint.best.as_ref()]
        .into_iter()
        .flatten()
    {
        weights(&of.to_safetensors(None).expect("they were read"));
    }
    let bytes = checkpoint.to_bytes().expect("it was read");
    let again = Checkpoint::from_bytes(&bytes).expect("it was written");
    // As bytes, because NaN is unlike itself.
    assert_eq!(again.to_bytes().expect("it was read"), bytes);
}

/// A file of PyTorch's or Keras's: what is taken from it are the weights of a network that can be, and a complaint is short.
pub fn import(data: &[u8]) {
    let options = ImportOptions {
        cell: data.len().is_multiple_of(2).then_some(Cell::Rnn),
        ..Default::default()
    };
    let read = || {
        let import = Import::from_bytes(data.to_vec(), &options)?;
        let config = import.config()?;
        Ok((config, import.weights()?))
    };
    match read() {
        Ok((config, weights)) => {
            let blank = config.blank(&Device::flex()).expect("it was found valid");
            blank.with_weights(&weights).expect("they are its");
            let bytes: usize = weights.iter().map(|(_, _, bytes)| bytes.len()).sum();
            assert!(
                bytes <= 16 * data.len() + 4096,
                "{bytes} bytes of {}",
                data.len()
            );
        }
        Err::<_, InteropError>(error) => {
            let message = error.to_string();
            assert!(message.len() < LONGEST_MESSAGE, "{} bytes", message.len());
            assert_printable(&terminal::message(&message));
            assert!(message != "the file is damaged", "a library panicked");
        }
    }
}

/// The weights of a network: those that are accepted are finite floats, and give one answer.
pub fn weights(data: &[u8]) {
    let device = Device::flex();
    for cell in Cell::ALL {
        let network = of(cell).blank(&device).expect("it is a network");
        let network = match network.with_safetensors(data) {
            Ok(network) => network,
            Err(error) => {
                let message = error.to_string();
                assert!(message.len() < LONGEST_MESSAGE, "{} bytes", message.len());
                assert_printable(&message);
                continue;
            }
        };
        let file = SafeTensors::deserialize(data).expect("it was read");
        for (name, view) in file.iter() {
            assert_eq!(view.dtype(), Dtype::F32, "{name}");
            let (values, rest) = view.data().as_chunks::<4>();
            assert!(rest.is_empty());
            let mut values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
            assert!(values.all(f32::is_finite), "{name}");
        }
        let tokens = Tokens::sorted(&[1, 4, 5], &[3], 6, &device).expect("they are words");
        let answers = network.forward(tokens).expect("it reads tokens");
        assert_eq!(answers.into_data().iter::<f32>().count(), 1);
    }
}

/// A server's `Content-Range`: the numbers that are understood stand there.
pub fn content_range(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, size) = download::content_range(&text);
    for number in [first, size].into_iter().flatten() {
        assert!(text.contains(&number.to_string()), "{number} in {text}");
    }
    let written = match (first, size) {
        (Some(first), Some(size)) => format!("bytes {first}-{size}/{size}"),
        (Some(first), None) => format!("bytes {first}-{first}/*"),
        (None, Some(size)) => format!("bytes */{size}"),
        (None, None) => return,
    };
    assert_eq!(download::content_range(&written), (first, size), "{text}");
}

/// A text that is explained: the page shows its words, and they make no element and no attribute.
pub fn explanation(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let words = ["good film"].into_iter();
    let mut config = RunConfig {
        model: of(Cell::Gru),
        ..Default::default()
    };
    config.input.max_length = 8;
    let device = Device::flex();
    let network = config.model.init(1, &device).expect("it is a network");
    let bundle = Bundle {
        config,
        encoder: Encoder::Text(Vocabulary::build(words, 6, Tokenizer::Keras)),
        labels: Some(Labels::negative_positive()),
        weights: network.weights().expect("it has weights"),
        ngrams: None,
    };
    let predictor = Predictor::new(bundle, &device).expect("they are its own");
    let Ok(mut explanation) = explain(&predictor, &text) else {
        // Another error would be the device's.
        return assert!(!text.contains(char::is_alphanumeric), "{text}");
    };
    let page = explanation.page().expect("the templates are right");
    assert_printable(&page);
    for word in &mut explanation.words {
        if word.word != START {
            word.word = "word".into();
            word.written = "word".into();
        }
    }
    let plain = explanation.page().expect("the templates are right");
    let markup = |c: &char| matches!(c, '<' | '>' | '"' | '\'');
    let [of_text, of_page] = [&page, &plain].map(|page| page.chars().filter(markup));
    assert!(of_text.eq(of_page), "{page}");
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Target = fn(&[u8]);

    #[allow(clippy::print_stdout)] // A test's output is held back.
    #[test]
    fn the_corpus_of_every_target_is_kept_to() {
        let targets: [(&str, Target); 8] = [
            ("checkpoint", checkpoint),
            ("config", config),
            ("content_range", content_range),
            ("explanation", explanation),
            ("import_keras", import),
            ("import_pytorch", import),
            ("import_safetensors", import),
            ("weights", weights),
        ];
        for (target, run) in targets {
            // Tests run in their package's folder; where that was built, another checkout may have been.
            let folder = Path::new("../../fuzz/corpus").join(target);
            let inputs: Vec<_> = fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
                .map(|entry| entry.unwrap().path())
                .collect();
            assert!(!inputs.is_empty(), "{} is empty", folder.display());
            for input in inputs {
                let bytes = fs::read(&input).unwrap();
                // The test's output is shown where it fails: it names the input.
                println!("{}", input.display());
                run(&bytes);
            }
        }
    }
}
