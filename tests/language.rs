//! Language models: the gradient of their loss on all backends, the program that trains them and writes with them.

#[path = "devices/gpu.rs"]
mod gpu;
#[path = "devices/ndarray.rs"]
mod ndarray;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use gatefold::dataset;
use gatefold::start::{self, Start};
use gatefold_data::random::generator;
use gatefold_data::{Batch, BatchInput, BatchTargets};
use gatefold_model::NetworkConfig;
use gatefold_training::config::PretrainingConfig;
use gatefold_training::sampled_softmax::{Candidates, Output, losses_and_gradients};
use gatefold_training::{Objective, Pretraining, RunConfig, Trainer};
use gpu::gpu;
use ndarray::ndarray;
use serde_json::Value;
use tempfile::TempDir;

const WORDS: usize = 60;
const ROWS: usize = 37;
const WIDTH: usize = 5;

/// Numbers in ±1 that follow no pattern.
fn numbers(rows: usize, columns: usize, times: usize, device: &Device) -> Tensor<2> {
    let number = |i: usize| ((i * times + 11) % 997) as f32 / 498.0 - 1.0;
    let values: Vec<f32> = (0..rows * columns).map(number).collect();
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// The right token of every row; of some there is none.
fn targets() -> Vec<i32> {
    (0..ROWS as i32)
        .map(|row| {
            if row % 9 == 4 {
                -1
            } else {
                row * row % WORDS as i32
            }
        })
        .collect()
}

fn candidates(count: usize) -> Candidates {
    Candidates::draw(WORDS, count, &mut generator(*b"testing\0", 3, 0))
}

/// The losses, and the gradients of their sum by predictions, vectors and biases: as automatic differentiation finds them.
fn plain(candidates: &Candidates, device: &Device) -> [Vec<f32>; 4] {
    let device = &device.clone().autodiff();
    let predictions = numbers(ROWS, WIDTH, 71, device).require_grad();
    let vectors = numbers(WORDS, WIDTH, 37, device).require_grad();
    let biases = numbers(WORDS, 1, 53, device).require_grad();
    let targets = targets();
    let among: Vec<i32> = match candidates.drawn() {
        Some(drawn) => drawn.to_vec(),
        None => (0..WORDS as i32).collect(),
    };
    let ids = |ids: &[i32]| Tensor::<1, Int>::from_data(ids, device);
    let counts = among.iter().map(|&id| candidates.log_count(id as usize));
    let counts = TensorData::new(counts.collect::<Vec<_>>(), [1, among.len()]);
    let corrections = Tensor::<2>::from_data(counts, device);
    let right: Vec<i32> = targets.iter().map(|&target| target.max(0)).collect();
    let hits: Vec<bool> = right
        .iter()
        .flat_map(|of| among.iter().map(move |id| id == of))
        .collect();
    let hits = TensorData::new(hits, [ROWS, among.len()]);
    let hits = Tensor::<2, Bool>::from_data(hits, device);
    let chosen = vectors.clone().select(0, ids(&among));
    let logits = predictions.clone().matmul(chosen.transpose())
        + biases.clone().select(0, ids(&among)).transpose()
        - corrections;
    let logits = logits.mask_fill(hits, -1e30);
    let of_right = (predictions.clone() * vectors.clone().select(0, ids(&right))).sum_dim(1)
        + biases.clone().select(0, ids(&right));
    let all = log_softmax(Tensor::cat(vec![logits, of_right], 1), 1);
    let there: Vec<f32> = targets
        .iter()
        .map(|&target| if target < 0 { 0.0 } else { 1.0 })
        .collect();
    let there = Tensor::<2>::from_data(TensorData::new(there, [ROWS, 1]), device);
    let losses = all.narrow(1, among.len(), 1).neg() * there;
    let gradients = losses.clone().sum().backward();
    let of = |tensor: &Tensor<2>| values(tensor.grad(&gradients).unwrap());
    [
        values(losses.inner()),
        of(&predictions),
        of(&vectors),
        of(&biases),
    ]
}

/// The same, as training finds them.
fn ours(candidates: &Candidates, device: &Device) -> [Vec<f32>; 4] {
    let vectors = numbers(WORDS, WIDTH, 37, device);
    let biases = numbers(WORDS, 1, 53, device);
    let targets = targets();
    let right: Vec<i32> = targets.iter().map(|&target| target.max(0)).collect();
    let among: Vec<i32> = match candidates.drawn() {
        Some(drawn) => drawn.to_vec(),
        None => (0..WORDS as i32).collect(),
    };
    let rows = |table: &Tensor<2>, ids: &[i32]| {
        table
            .clone()
            .select(0, Tensor::<1, Int>::from_data(ids, device))
    };
    let output = Output {
        candidates: rows(&vectors, &among),
        candidate_biases: rows(&biases, &among),
        right: rows(&vectors, &right),
        right_biases: rows(&biases, &right),
    };
    let predictions = numbers(ROWS, WIDTH, 71, device);
    let (losses, by) = losses_and_gradients(&predictions, &targets, candidates, &output, 1.0);
    let sums = |width: usize, of_right: Tensor<2>, of_among: Tensor<2>| {
        let mut sums = vec![0.0; WORDS * width];
        for (ids, rows) in [(&right, values(of_right)), (&among, values(of_among))] {
            for (&id, row) in ids.iter().zip(rows.chunks(width)) {
                let sum = &mut sums[id as usize * width..][..width];
                sum.iter_mut()
                    .zip(row)
                    .for_each(|(sum, value)| *sum += value);
            }
        }
        sums
    };
    [
        values(losses),
        values(by.predictions),
        sums(WIDTH, by.output.right, by.output.candidates),
        sums(1, by.output.right_biases, by.output.candidate_biases),
    ]
}

fn assert_close(expected: &[f32], found: &[f32], what: &str) {
    assert_eq!(expected.len(), found.len(), "{what}");
    let largest = expected
        .iter()
        .fold(0f32, |most, value| most.max(value.abs()));
    assert!(
        largest > 0.0,
        "{what}: all zero, which would hide a difference"
    );
    for (i, (expected, found)) in expected.iter().zip(found).enumerate() {
        let off = (expected - found).abs() / largest;
        assert!(off < 1e-4, "{what}[{i}]: {found}, expected {expected}");
    }
}

#[test]
fn the_loss_and_its_gradient_are_those_of_automatic_differentiation_everywhere() {
    for count in [20, WORDS] {
        let candidates = candidates(count);
        let expected = plain(&candidates, &ndarray());
        for (device, name) in [
            (ndarray(), "ndarray"),
            (Device::flex(), "flex"),
            (gpu(), "wgpu"),
        ] {
            let found = ours(&candidates, &device);
            for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
                assert_close(expected, found, &format!("{name}, {count} candidates, {i}"));
            }
        }
    }
}

/// The losses of a batch, and the gradient of every weight.
fn step(config: &NetworkConfig, device: &Device) -> Vec<Vec<f32>> {
    struct Found<'a>(&'a GradientsParams, Vec<Vec<f32>>);
    impl ModuleVisitor for Found<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id).expect("it has a gradient");
            self.1.push(gradient.into_data().iter().collect());
        }
    }
    let words = config.vocabulary_size as i32;
    let ids: Vec<i32> = (0..3 * 7).map(|i| i * 37 % words).collect();
    let lengths = [7usize, 4, 1];
    let mut behind = vec![-1; ids.len()];
    for (row, length) in lengths.into_iter().enumerate() {
        for t in 0..length {
            behind[row * 7 + t] = if t + 1 < length {
                ids[row * 7 + t + 1]
            } else {
                1
            };
        }
    }
    let batch = Batch {
        input: BatchInput::Tokens(ids),
        lengths: lengths.map(|length| length as i32).to_vec(),
        targets: Some(BatchTargets::Classes(behind)),
        size: 3,
        time: 7,
        indices: vec![0, 1, 2],
    };
    let settings = PretrainingConfig {
        negatives: 500,
        ..PretrainingConfig::default()
    };
    let model = config.language_model(3, device).unwrap();
    let network = Pretraining::new(model, &settings);
    let training = RunConfig::default().training;
    let trainer = Trainer::new(network.clone(), Objective::Language, &training, device);
    let (losses, gradients) = trainer.gradients(&batch).unwrap();
    let mut found = Found(&gradients, vec![values(losses)]);
    network.visit(&mut found);
    found.1
}

#[test]
fn a_step_gives_every_weight_the_same_gradient_everywhere() {
    // Few words, of which all are candidates, and so many that some are drawn.
    for (vocabulary_size, bidirectional) in [(50, true), (5000, true), (5000, false)] {
        let config = NetworkConfig {
            vocabulary_size,
            embedding_size: 6,
            hidden_size: 13,
            bidirectional,
            ..Default::default()
        };
        let expected = step(&config, &ndarray());
        for (device, name) in [(Device::flex(), "flex"), (gpu(), "wgpu")] {
            let found = step(&config, &device);
            assert_eq!(expected.len(), found.len());
            for (i, (expected, found)) in expected.iter().zip(&found).enumerate() {
                assert_close(
                    expected,
                    found,
                    &format!("{name}, {vocabulary_size} words, {i}"),
                );
            }
            assert!(
                found == step(&config, &device),
                "{name}: twice the same, other results"
            );
        }
    }
}

/// A folder with a text, a table without labels, and one with.
struct Folder(TempDir);

const SMALL: &str = "--device cpu --plain --hidden-size 24 --embedding-size 12 --batch-size 8 --warm-up 5 --learning-rate 0.02";

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let verse = "the rose is red and the violet blue\n";
        fs::write(folder.path("verse.txt"), verse.repeat(120)).unwrap();
        let (mut texts, mut films) = (String::from("text\n"), String::from("text,label\n"));
        for i in 0..240 {
            let (word, label) = [("good", "pos"), ("bad", "neg")][i % 2];
            let filler = "and a scene ".repeat(i % 5);
            texts += &format!("a {word} film {filler}of number {}\n", i % 31);
            films += &format!("a {word} film number {},{label}\n", i % 7);
        }
        fs::write(folder.path("texts.csv"), texts).unwrap();
        fs::write(folder.path("films.csv"), films).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn gatefold(&self, arguments: &str, last: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatefold"));
        command
            .args(arguments.split_whitespace())
            .args(last)
            .current_dir(self.0.path())
            .env("GATEFOLD_DATA", self.0.path())
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// What a successful call answers, and what it says.
    #[track_caller]
    fn done(&self, arguments: &str, last: &[&str]) -> (String, String) {
        let process::Output {
            status,
            stdout,
            stderr,
        } = self.gatefold(arguments, last).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (answered, said) = (text(stdout), text(stderr));
        assert!(status.success(), "{said}");
        (answered, said)
    }

    /// What a failing call says.
    #[track_caller]
    fn refused(&self, code: i32, arguments: &str) -> String {
        let output = self.gatefold(arguments, &[]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    }

    fn summary(&self, run: &str) -> Value {
        let text = fs::read(self.path(run).join("summary.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

/// Long enough for a model to know where it is.
const PROMPT: &str = "the rose is red and the violet blue\nthe rose is";

#[test]
fn a_model_of_characters_learns_a_text_and_writes_it() {
    let folder = Folder::new();
    let characters = format!(
        "pretrain --dataset verse.txt --tokenizer characters {SMALL} --bptt 32 --epochs 20"
    );
    let (_, said) = folder.done(&format!("{characters} --run verse"), &[]);
    for part in ["read as 8 streams", "perplexity", "gatefold generate verse"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let scores = &folder.summary("verse")["language"];
    let number = |name: &str| scores[name].as_f64().unwrap();
    assert!(
        number("perplexity") < 2.0 && number("unigram_perplexity") > 8.0,
        "{scores}"
    );
    assert!((number("bits") - number("perplexity").log2()).abs() < 1e-9);

    let (answered, _) = folder.done("evaluate verse --device cpu --format json", &[]);
    let tested: Value = serde_json::from_str(&answered).unwrap();
    let off = (tested["perplexity"].as_f64().unwrap() - number("perplexity")).abs();
    assert!(off < 1e-4, "{answered}");
    let (runs, _) = folder.done("runs verse", &[]);
    assert!(runs.contains("perplexity"), "{runs}");

    let write = |more: &str| {
        let command = format!("generate verse --device cpu --length 60 {more} --prompt");
        folder.done(&command, &[PROMPT]).0
    };
    let text = write("--temperature 0");
    let goes_on = " red and the violet blue\n";
    assert!(text.starts_with(&format!("{PROMPT}{goes_on}")), "{text}");
    assert_eq!(text.chars().count(), PROMPT.len() + 60 + 1);
    assert_eq!(write("--temperature 0 --seed 7"), text);
    let bold = |seed| write(&format!("--temperature 3 --seed {seed}"));
    assert_eq!(bold(1), bold(1));
    assert_ne!(bold(1), bold(2));
    assert_eq!(write("--temperature 3 --top-k 1"), text);

    // Whoever reads no further ends it quietly.
    let mut cut = folder
        .gatefold("generate verse --device cpu --length 1000000", &[])
        .spawn()
        .unwrap();
    drop(cut.stdout.take());
    assert!(cut.wait().unwrap().success());

    for command in [
        "predict verse text",
        "explain verse text",
        "export verse --format onnx --out v.onnx",
    ] {
        let said = folder.refused(1, command);
        assert!(said.contains("generate verse"), "{said}");
    }
    assert!(
        folder
            .refused(1, "generate films")
            .contains("is no finished run")
    );
    let said = folder.refused(2, &format!("{characters} --labels a,b"));
    assert!(said.contains("--labels does nothing"), "{said}");
    let said = folder.refused(1, "train --config verse/config.toml");
    assert!(said.contains("gatefold pretrain"), "{said}");
}

#[test]
fn texts_of_the_test_part_are_left_out_and_counted() {
    let folder = Folder::new();
    fs::write(
        folder.path("test.csv"),
        "text\n\"A good film, of number 0!\"\na bad film of number 99\n",
    )
    .unwrap();
    let words = format!("pretrain --dataset texts.csv {SMALL} --epochs 1 --run");
    let (_, said) = folder.done(&format!("{words} all"), &[]);
    assert!(
        !said.contains("left out") && said.contains("240 texts"),
        "{said}"
    );
    let (_, said) = folder.done(&format!("{words} some --test-data test.csv"), &[]);
    let before = said.split(" of 240 texts are left out").next().unwrap();
    let left_out: usize = before
        .rsplit(char::is_whitespace)
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(left_out, 1, "{said}");
    assert!(
        said.contains(&format!("{} texts:", 240 - left_out)),
        "{said}"
    );
}

#[test]
fn a_classifier_begins_with_a_language_models_weights() {
    let folder = Folder::new();
    let pretrain = format!(
        "pretrain --dataset texts.csv {SMALL} --bidirectional --vocabulary-size 50 --epochs 1 --run model"
    );
    folder.done(&pretrain, &[]);
    let mut config = RunConfig::default();
    config.dataset.name = Some(folder.path("films.csv").to_str().unwrap().into());
    let from = Start::open(&folder.path("model")).unwrap();
    from.take_over(&mut config, &Default::default(), |_| {})
        .unwrap();
    assert!(config.model.bidirectional && config.pretraining.is_none());
    let films = dataset::load(&config, None, &mut |_| {}).unwrap();
    let data = start::encode(&films, &mut config, from.encoder()).unwrap();
    let network = from
        .network(&config, data.labels.as_ref(), &Device::flex())
        .unwrap();
    let bytes = fs::read(folder.path("model/model.safetensors")).unwrap();
    let model = gatefold_model::Weights::from_safetensors(&bytes).unwrap();
    let weights = network.weights().unwrap();
    let mut shared = 0;
    for (name, shape, bytes) in weights.iter() {
        if name.starts_with("dense") || name.starts_with("output") {
            continue;
        }
        let theirs = model.iter().find(|(other, ..)| *other == name).unwrap();
        assert_eq!((shape, bytes), (theirs.1, theirs.2), "{name}");
        shared += 1;
    }
    // The embedding, and three tensors a direction.
    assert_eq!(shared, 7);

    let train = "train --dataset films.csv --device cpu --plain --epochs 1 --batch-size 16 --from model --run films";
    let (_, said) = folder.done(train, &[]);
    assert!(said.contains("it is a language model"), "{said}");
    let (answered, _) = folder.done("predict films --device cpu", &["a good film"]);
    assert!(answered.contains("pos"), "{answered}");
    // Its test part is cut off the table again.
    let (tested, _) = folder.done("evaluate films --device cpu --format json", &[]);
    let tested: Value = serde_json::from_str(&tested).unwrap();
    assert_eq!(tested["loss"], folder.summary("films")["test_loss"]);

    let (_, said) = folder.done(&format!("{train}-of-seeds --seeds 3,4"), &[]);
    assert_eq!(said.matches("it is a language model").count(), 2, "{said}");
    for seed in ["seed-3", "seed-4"] {
        assert!(
            folder
                .path("films-of-seeds")
                .join(seed)
                .join("seen.bin")
                .is_file()
        );
    }
}

#[test]
fn a_preset_that_begins_with_a_language_model_is_followed_in_two_commands() {
    let folder = Folder::new();
    let train = "train --preset strong --dataset films.csv --device cpu --plain --epochs 2 --batch-size 16 --run films";
    let said = folder.refused(2, train);
    assert!(
        said.contains("pretrain --preset strong --dataset films.csv --run runs/strong-model, then")
            && said.contains("train --preset strong --dataset films.csv --from runs/strong-model"),
        "{said}"
    );
    let said = folder.refused(2, "compare --preset strong --dataset films.csv");
    assert!(said.contains("take another preset"), "{said}");
    let said = folder.refused(2, "pretrain --preset tuned --dataset texts.csv");
    assert!(
        said.contains("[possible values: strong, pretrained]"),
        "{said}"
    );
    folder.refused(2, "presets tuned --language-model");
    let (printed, _) = folder.done("presets strong --language-model", &[]);
    assert!(printed.contains("bidirectional = true"), "{printed}");

    let pretrain =
        format!("pretrain --preset strong --dataset texts.csv {SMALL} --epochs 1 --run model");
    let (_, said) = folder.done(&pretrain, &[]);
    assert!(
        said.contains("preset strong:") && said.contains("train --preset strong --from model"),
        "{said}"
    );
    let config = fs::read_to_string(folder.path("model/config.toml")).unwrap();
    assert!(
        config.contains("preset = \"strong\"") && config.contains("bidirectional = true"),
        "{config}"
    );
    // A file decides over the preset, and over the model, also for what nobody else would have to say.
    let file = "preset = \"tuned\"\n[input]\nmax_length = 256\n[model]\nembedding_dropout = 0.0\n";
    fs::write(folder.path("my.toml"), file).unwrap();
    let (_, said) = folder.done(&format!("{train} --config my.toml --from model"), &[]);
    assert!(
        said.contains("to follow a preset: --preset tuned"),
        "{said}"
    );
    assert!(folder.summary("films")["ngrams"].is_object());
    let config = fs::read_to_string(folder.path("films/config.toml")).unwrap();
    let config = RunConfig::from_toml(&config, "config.toml").unwrap();
    assert_eq!(config.preset.as_deref(), Some("strong"));
    assert_eq!(
        (config.input.max_length, config.model.embedding_dropout),
        (256, 0.0)
    );
    assert_eq!(config.model.head_dropout, Some(0.4));
}

fn wait_until(is_due: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(60);
    while !is_due() {
        assert!(Instant::now() < patience, "it did not happen in a minute");
        sleep(Duration::from_millis(2));
    }
}

fn checkpoints(run: &Path) -> usize {
    fs::read_dir(run.join("checkpoints")).map_or(0, |entries| entries.count())
}

#[test]
fn a_language_model_killed_in_an_epoch_ends_as_one_never_killed() {
    let folder = Folder::new();
    for (name, data) in [
        (
            "streams",
            "--dataset verse.txt --tokenizer characters --bptt 16",
        ),
        (
            "documents",
            "--dataset texts.csv --bidirectional --max-length 20",
        ),
    ] {
        let settings = format!(
            "pretrain {data} {SMALL} --epochs 3 --dropout 0.2 --checkpoint-minutes 0.0005 --run"
        );
        folder.done(&format!("{settings} {name}-whole"), &[]);
        let killed = folder.path(&format!("{name}-killed"));
        let mut resumed = 0;
        for kill in 0..4 {
            let arguments = match killed.join("config.toml").is_file() && checkpoints(&killed) > 0 {
                true => {
                    resumed += 1;
                    format!(
                        "pretrain --resume {name}-killed --device cpu --plain --checkpoint-minutes 0.0005"
                    )
                }
                false => {
                    let _ = fs::remove_dir_all(&killed);
                    format!("{settings} {name}-killed")
                }
            };
            let mut child = folder.gatefold(&arguments, &[]).spawn().unwrap();
            wait_until(|| checkpoints(&killed) > 0 || child_is_done(&killed));
            sleep(Duration::from_millis(20 + 30 * kill));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(resumed > 0, "{name}");
        if !killed.join("summary.json").is_file() {
            folder.done(
                &format!("pretrain --resume {name}-killed --device cpu --plain"),
                &[],
            );
        }
        let weights = |run: &str| fs::read(folder.path(run).join("model.safetensors")).unwrap();
        assert!(
            weights(&format!("{name}-whole")) == weights(&format!("{name}-killed")),
            "{name}: other weights"
        );
    }
}

fn child_is_done(run: &Path) -> bool {
    run.join("summary.json").is_file()
}
