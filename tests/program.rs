//! The program from end to end: each subcommand, and what it says when something is wrong.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use assert_cmd::Command;
use gatefold::device::{DeviceChoice, find};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The program in an empty folder of its own, with an empty data directory.
struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn gatefold(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GATEFOLD_DATA", self.path("data"))
            .env_remove("RUST_LOG");
        command
    }

    /// What a successful call writes to standard output.
    fn output(&self, arguments: &[&str]) -> String {
        let output = self
            .gatefold(arguments)
            .assert()
            .success()
            .get_output()
            .clone();
        String::from_utf8(output.stdout).unwrap()
    }

    fn json_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.output(arguments);
        output
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// A table on which the word `good` or `bad` decides.
    fn table(&self, name: &str, rows: usize) {
        self.table_of(name, rows, [("good", "pos"), ("bad", "neg")]);
    }

    /// A table on which a word decides the label beside it.
    fn table_of(&self, name: &str, rows: usize, classes: [(&str, &str); 2]) {
        let mut text = String::from("text,label\n");
        for i in 0..rows {
            let (word, label) = classes[i % 2];
            let mark = marks(i / 7);
            writeln!(text, "\"a {word} film, number {}{mark}\",{label}", i % 7).unwrap();
        }
        fs::write(self.path(name), text).unwrap();
    }

    /// Trains on `films.csv`.
    fn train_on_films(&self, more: &[&str]) -> Command {
        let train = ["train", "--dataset", "films.csv", "--device", "cpu"];
        self.gatefold(&[&train, more].concat())
    }

    /// Trains a tiny network until it tells good from bad.
    fn train(&self, run: &str, more: &[&str]) -> Command {
        self.table("films.csv", 80);
        self.train_tiny(run, more)
    }

    /// Trains a tiny network on `films.csv` for as long as it takes to tell two words apart.
    fn train_tiny(&self, run: &str, more: &[&str]) -> Command {
        let sizes = "--epochs 6 --hidden-size 8 --batch-size 16 --learning-rate 0.02";
        let mut arguments: Vec<&str> = sizes.split(' ').chain(["--run", run]).collect();
        arguments.extend(more);
        self.train_on_films(&arguments)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// The metrics of a run without its times.
    fn metrics(&self, run: &str) -> Vec<Value> {
        let lines = self.read(&format!("{run}/metrics.jsonl"));
        lines
            .lines()
            .map(|line| {
                let mut epoch: Value = serde_json::from_str(line).unwrap();
                epoch.as_object_mut().unwrap().remove("seconds").unwrap();
                epoch
            })
            .collect()
    }
}

#[test]
fn a_run_can_be_evaluated_and_asked() {
    let sandbox = Sandbox::new();
    sandbox
        .train("run", &[])
        .assert()
        .success()
        .stdout("")
        .stderr(contains("test: loss"));
    for file in [
        "config.toml",
        "vocabulary.json",
        "model.safetensors",
        "metrics.jsonl",
    ] {
        assert!(sandbox.path("run").join(file).is_file(), "{file}");
    }
    let summary: Value = serde_json::from_str(&sandbox.read("run/summary.json")).unwrap();
    assert_eq!(summary["test_accuracy"], 1.0, "{summary}");
    assert_eq!(sandbox.metrics("run").len(), 6);

    let evaluated = sandbox.json_lines(&["evaluate", "run", "--device", "cpu", "--format", "json"]);
    assert_eq!(evaluated.len(), 1);
    assert_eq!(evaluated[0]["loss"], summary["test_loss"]);
    assert_eq!(evaluated[0]["accuracy"], 1.0);
    assert_eq!(evaluated[0]["examples"], 16);

    let predict = ["predict", "run", "--device", "cpu", "--format", "json"];
    let mut asked = predict.to_vec();
    asked.extend(["A good film", "a bad film"]);
    let answers = sandbox.json_lines(&asked);
    assert_eq!(answers[0]["label"], "positive");
    assert_eq!(answers[1]["label"], "negative");
    assert!(answers[0]["probability"].as_f64().unwrap() > 0.5);

    let piped = sandbox
        .gatefold(&["predict", "run", "--device", "cpu"])
        .write_stdin("a bad film\n\na good film")
        .assert()
        .success();
    let lines = String::from_utf8(piped.get_output().stdout.clone()).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "a line for every line: {lines:?}");
    assert!(
        lines[0].ends_with(" negative") && lines[2].ends_with(" positive"),
        "{lines:?}"
    );
}

#[test]
fn a_run_can_be_evaluated_from_another_folder() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]).assert().success();
    sandbox
        .gatefold(&["evaluate", "../run", "--device", "cpu"])
        .current_dir(sandbox.path("data"))
        .assert()
        .success()
        .stdout(contains("over 16 test texts"));
}

#[test]
fn a_review_is_explained_word_by_word() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]).assert().success();
    let review = "A good film, zorg";
    let explain = ["explain", "run", review, "--device", "cpu"];
    let words = sandbox.json_lines(&[&explain[..], &["--format", "json"]].concat());
    let named: Vec<_> = words.iter().map(|word| &word["word"]).collect();
    assert_eq!(named, ["(start)", "a", "good", "film", "zorg"]);
    assert_eq!(words[4]["known"], false);
    let keys: Vec<_> = words[0]["gates"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["forget", "input", "output"]);
    let change = |word: &Value| word["change"].as_f64().unwrap_or(0.0);
    let strongest = words
        .iter()
        .max_by(|a, b| change(a).total_cmp(&change(b)))
        .unwrap();
    assert_eq!(strongest["word"], "good", "{words:?}");

    let predict = [
        "predict", "run", review, "--device", "cpu", "--format", "json",
    ];
    let [explained, predicted] =
        [&words[4], &sandbox.json_lines(&predict)[0]].map(|it| it["probability"].as_f64().unwrap());
    assert!(
        (explained - predicted).abs() < 1e-6,
        "{explained} {predicted}"
    );

    sandbox
        .gatefold(&[&explain[..], &["--html", "page.html"]].concat())
        .assert()
        .success()
        .stdout(contains("words toward positive: good +").and(contains("zorg (unknown)")))
        .stderr(contains("page.html"));
    let page = sandbox.read("page.html");
    assert_eq!(page.matches("role=\"img\"").count(), 2, "{page}");

    for review in ["", "..."] {
        sandbox
            .gatefold(&["explain", "run", review, "--device", "cpu"])
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("no words"));
    }
    sandbox
        .gatefold(&[&explain[..], &["--html", "nowhere/page.html"]].concat())
        .assert()
        .code(2)
        .stderr(contains("there is no folder"));
}

/// A table of texts whose one telling word has one of `classes` labels.
/// Punctuation that makes a text another one, of the same words: identical texts stay in one part.
fn marks(number: usize) -> String {
    format!("{number:b}").replace('0', ".").replace('1', "!")
}

fn table_of_classes(sandbox: &Sandbox, name: &str, classes: usize) {
    let mut text = String::from("text,label\n");
    for row in 0..classes * 40 {
        let class = row % classes;
        let mark = marks(row / 7);
        writeln!(
            text,
            "the word{class} of row {}{mark},topic {class}",
            row % 7
        )
        .unwrap();
    }
    fs::write(sandbox.path(name), text).unwrap();
}

#[test]
fn a_table_of_any_number_of_labels_trains_and_is_answered_by_name() {
    for classes in [5, 30] {
        let sandbox = Sandbox::new();
        table_of_classes(&sandbox, "films.csv", classes);
        let sizes = "--epochs 8 --hidden-size 16 --batch-size 16 --learning-rate 0.02 --run run";
        let sizes: Vec<&str> = sizes.split(' ').collect();
        sandbox
            .train_on_films(&sizes)
            .assert()
            .success()
            .stderr(contains(format!("{classes} labels: `topic 0`, ")));
        let labels: Vec<String> = serde_json::from_str(&sandbox.read("run/labels.json")).unwrap();
        assert_eq!(labels.len(), classes);
        let evaluate = ["evaluate", "run", "--device", "cpu", "--format", "json"];
        let evaluated = sandbox.json_lines(&evaluate);
        assert!(
            evaluated[0]["accuracy"].as_f64().unwrap() > 0.9,
            "{evaluated:?}"
        );

        let texts = ["the word3 of row 1", "the word1 of row 2"];
        let predict = [&["predict", "run", "--format", "json"][..], &texts].concat();
        let answers = sandbox.json_lines(&predict);
        for (answer, label) in answers.iter().zip(["topic 3", "topic 1"]) {
            assert_eq!(answer["label"], label);
            let all = answer["probabilities"].as_object().unwrap();
            assert_eq!(all.len(), classes);
            assert_eq!(all[label], answer["probability"]);
            let sum: f64 = all.values().map(|share| share.as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        }
        let explained = sandbox.output(&["explain", "run", texts[0], "--device", "cpu"]);
        assert!(
            explained.contains("words toward topic 3: word3"),
            "{explained}"
        );
        assert!(explained.contains("words away from topic 3"), "{explained}");

        let other = "text,label\nthe word1,topic 1\nthe word2,topic none\n";
        fs::write(sandbox.path("other.csv"), other).unwrap();
        sandbox
            .gatefold(&[
                "evaluate",
                "run",
                "--dataset",
                "other.csv",
                "--device",
                "cpu",
            ])
            .assert()
            .code(1)
            .stderr(contains("other.csv, line 3").and(contains("topic none")));
    }
}

#[test]
fn labels_keep_their_names_and_their_places() {
    let sandbox = Sandbox::new();
    let train = |first: &str, second: &str| {
        sandbox.table_of("films.csv", 80, [("bad", first), ("good", second)]);
        let _ = fs::remove_dir_all(sandbox.path("run"));
        sandbox.train_tiny("run", &[])
    };
    for (first, second, names) in [
        ("0", "1", ["0", "1"]),
        ("neg", "pos", ["negative", "positive"]),
        ("ham", "\"spam\nor so\"", ["ham", "spam\nor so"]),
    ] {
        train(first, second).assert().success();
        let predict = ["predict", "run", "a bad film", "a good film"];
        let answers = sandbox.json_lines(&[&predict[..], &["--format", "json"]].concat());
        for (answer, label) in answers.iter().zip(names) {
            assert_eq!(answer["label"], label);
            assert_eq!(answer["probabilities"][names[1]], answer["probability"]);
            assert!(answer["probabilities"][label].as_f64().unwrap() > 0.5);
        }
        // A line a text, whatever the labels hold.
        assert_eq!(sandbox.output(&predict).lines().count(), 2);
    }
    // Another table's classes are others, though there are two as well.
    sandbox
        .gatefold(&["evaluate", "run", "--dataset", "reviews", "--device", "cpu"])
        .assert()
        .code(1)
        .stderr(contains("other labels than the run"));
    for one in ["1", "pos", "some"] {
        train(one, one)
            .assert()
            .code(1)
            .stderr(contains("a classifier needs two"));
    }
    sandbox
        .train_on_films(&["--label-column", "text", "--run", "none"])
        .assert()
        .code(1)
        .stderr(contains("can't be both the texts and the labels"));
}

#[test]
fn a_runs_settings_serve_other_data() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]).assert().success();
    table_of_classes(&sandbox, "other.csv", 3);
    let train = [
        "train",
        "--config",
        "run/config.toml",
        "--dataset",
        "other.csv",
    ];
    let train = [
        &train[..],
        &["--device", "cpu", "--epochs", "1", "--run", "other"],
    ]
    .concat();
    sandbox.gatefold(&train).assert().success();
    assert!(
        sandbox
            .read("other/config.toml")
            .contains("output_size = 3")
    );
}

#[test]
fn what_numbers_have_no_use_for_is_refused() {
    let sandbox = Sandbox::new();
    let adding = [
        "train",
        "--dataset",
        "adding",
        "--device",
        "cpu",
        "--length",
        "8",
        "--run",
        "run",
    ];
    for (more, message) in [
        (["--tokenizer", "characters"], "numbers have no tokenizer"),
        (["--class-weights", "1,2"], "have no class_weights"),
        (["--embedding-size", "3"], "no embedding_size"),
    ] {
        let refused = sandbox.gatefold(&[&adding[..], &more].concat()).assert();
        refused.failure().stderr(contains(message));
    }
    let texts = sandbox.train("run", &["--no-scale"]).assert();
    texts.failure().stderr(contains("--no-scale"));
}

#[test]
fn classes_weigh_what_they_are_given_and_as_many_as_there_are() {
    let sandbox = Sandbox::new();
    table_of_classes(&sandbox, "films.csv", 3);
    let small = ["--epochs", "1", "--hidden-size", "4", "--run", "run"];
    let weighted = |weights| [&small[..], &["--class-weights", weights]].concat();
    sandbox
        .train_on_films(&weighted("1,2"))
        .assert()
        .failure()
        .stderr(contains(
            "class_weights must be one a class, 3 for this data, not 2",
        ));
    assert!(!sandbox.path("run").exists());
    sandbox
        .train_on_films(&weighted("1,2,3"))
        .assert()
        .success();
}

#[test]
fn every_way_to_read_states_and_texts_trains() {
    let sandbox = Sandbox::new();
    for (i, more) in [
        "--pooling max",
        "--pooling mean --bidirectional",
        "--pooling concat --layers 2 --dense-size 0",
        "--tokenizer characters --max-length 40",
    ]
    .iter()
    .enumerate()
    {
        let run = format!("run-{i}");
        let more: Vec<&str> = more.split(' ').collect();
        sandbox.train(&run, &more).assert().success();
        let texts = [
            "predict",
            &run,
            "a good film",
            "a bad film",
            "--device",
            "cpu",
        ];
        assert_eq!(sandbox.output(&texts).lines().count(), 2);
    }
    let vocabulary = sandbox.read("run-3/vocabulary.json");
    assert!(
        vocabulary.contains("\"tokenizer\": \"characters\""),
        "{vocabulary}"
    );
}

#[test]
fn memory_tasks_are_datasets_of_numbers() {
    let sandbox = Sandbox::new();
    let train = |task: &str, more: &[&str]| {
        let base = ["train", "--device", "cpu", "--dataset", task, "--run", task];
        let base = [
            &base[..],
            &["--length", "8", "--epochs", "1", "--batch-size", "512"],
        ]
        .concat();
        sandbox.gatefold(&[&base[..], more].concat())
    };
    train("adding", &[]).assert().success().stderr(contains(
        "sequences: 12800 to train on, 256 to validate, 1024 to test",
    ));
    train("recall", &["--no-scale"]).assert().success();
    assert!(sandbox.path("adding/scaler.json").is_file());
    assert!(!sandbox.path("recall/scaler.json").exists());
    let config = sandbox.read("adding/config.toml");
    for line in [
        "objective = \"values\"",
        "input_size = 2",
        "output_size = 1",
    ] {
        assert!(config.contains(line), "{config}");
    }
    for (task, has_accuracy) in [("adding", false), ("recall", true)] {
        let evaluate = ["evaluate", task, "--device", "cpu", "--format", "json"];
        let evaluated = &sandbox.json_lines(&evaluate)[0];
        assert_eq!(evaluated["examples"], 1024);
        assert_eq!(
            evaluated.get("accuracy").is_some(),
            has_accuracy,
            "{evaluated}"
        );
        for command in ["predict", "explain"] {
            sandbox
                .gatefold(&[command, task, "a text", "--device", "cpu"])
                .assert()
                .code(1)
                .stderr(contains("reads"));
        }
        let info = sandbox.json_lines(&["dataset", "info", task, "--format", "json"]);
        assert_eq!(info[0]["test"]["examples"], 1024);
    }
    let runs = sandbox.json_lines(&["runs", ".", "--format", "json"]);
    assert_eq!(runs.len(), 2);
    for (arguments, message) in [
        (["--dataset", "adding", "--length", "1"], "at least 2"),
        (
            ["--dataset", "adding", "--length", "300"],
            "length must be at most max_length, 256, not 300",
        ),
        (
            ["--dataset", "adding", "--text-column", "x"],
            "adding is built in",
        ),
        (
            ["--dataset", "reviews", "--length", "9"],
            "sequences of their own length",
        ),
    ] {
        let train = ["train", "--device", "cpu", "--run", "none"];
        sandbox
            .gatefold(&[&train[..], &arguments].concat())
            .assert()
            .failure()
            .stderr(contains(message));
    }
}

/// A run as version 0.1.0 left it, of the built-in reviews.
#[test]
fn a_run_of_version_0_1_is_read_and_its_checkpoint_refused() {
    let sandbox = Sandbox::new();
    let old = Path::new("../../tests/runs/0.1.0");
    fs::create_dir_all(sandbox.path("old/checkpoints")).unwrap();
    for folder in ["", "checkpoints"] {
        for entry in fs::read_dir(old.join(folder)).unwrap().map(Result::unwrap) {
            if entry.path().is_file() {
                let copy = sandbox.path("old").join(folder).join(entry.file_name());
                fs::copy(entry.path(), copy).unwrap();
            }
        }
    }
    let mut films = String::from("text,label\n");
    for (number, (word, label)) in [("dull", "neg"), ("fine", "pos")]
        .into_iter()
        .cycle()
        .take(20)
        .enumerate()
    {
        writeln!(films, "\"a {word} film, number {number}\",{label}").unwrap();
    }
    fs::write(sandbox.path("films.csv"), films).unwrap();
    let evaluate = "evaluate old --device cpu --format json";
    let evaluate: Vec<&str> = evaluate.split(' ').collect();
    let evaluated = sandbox.json_lines(&[&evaluate[..], &["--dataset", "films.csv"]].concat());
    // What 0.1.0 said.
    let loss = evaluated[0]["loss"].as_f64().unwrap();
    assert!((loss - 0.717_887).abs() < 1e-4, "{loss}");
    sandbox
        .gatefold(&evaluate)
        .assert()
        .success()
        .stderr(contains("an earlier version trained the run"));
    let texts = ["predict", "old", "A fine film.", "--format", "json"];
    let found = sandbox.json_lines(&texts)[0]["probability"]
        .as_f64()
        .unwrap();
    assert!((found - 0.636_770).abs() < 1e-4, "{found}");
    sandbox
        .gatefold(&["train", "--resume", "old", "--device", "cpu"])
        .assert()
        .code(1)
        .stderr(contains("it is of Gatefold 0.1.0").and(contains("to go on from it").not()));
}

#[test]
fn a_test_file_of_its_own_is_the_test_part() {
    let sandbox = Sandbox::new();
    sandbox.table("test.csv", 10);
    sandbox
        .train("run", &["--test-data", "test.csv"])
        .assert()
        .success();
    let evaluated = sandbox.json_lines(&["evaluate", "run", "--device", "cpu", "--format", "json"]);
    assert_eq!(evaluated[0]["examples"], 10);
}

#[test]
fn another_dataset_is_evaluated_without_the_runs_own_paths() {
    let sandbox = Sandbox::new();
    sandbox.table("test.csv", 10);
    sandbox.table("other.csv", 30);
    sandbox
        .train("run", &["--test-data", "test.csv"])
        .assert()
        .success();
    let evaluate = [
        "evaluate",
        "run",
        "--device",
        "cpu",
        "--format",
        "json",
        "--dataset",
    ];
    let evaluated = |dataset| sandbox.json_lines(&[&evaluate[..], &[dataset]].concat());
    assert_eq!(evaluated("other.csv")[0]["examples"], 30);
    assert_eq!(evaluated("reviews")[0]["examples"], 5000);
}

#[test]
fn another_table_is_read_by_the_runs_columns_and_the_runs_own_is_said() {
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 80);
    let renamed = sandbox
        .read("films.csv")
        .replace("text,label", "review,stars");
    fs::write(sandbox.path("films.csv"), &renamed).unwrap();
    fs::write(sandbox.path("other.csv"), renamed.replace("film", "book")).unwrap();
    let train = "--text-column review --label-column stars --epochs 1 --hidden-size 4 \
                 --batch-size 16 --run run";
    let train: Vec<&str> = train.split_whitespace().collect();
    sandbox.train_on_films(&train).assert().success();
    let evaluate = ["evaluate", "run", "--device", "cpu", "--format", "json"];
    let evaluated = sandbox.json_lines(&[&evaluate[..], &["--dataset", "other.csv"]].concat());
    assert_eq!(evaluated[0]["examples"], 80);
    sandbox
        .gatefold(&evaluate)
        .assert()
        .success()
        .stderr(contains("films.csv, which the run names"));
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_utf8_leaves_nothing_behind() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 80);
    let folder = sandbox
        .path("")
        .join(std::ffi::OsStr::from_bytes(b"bad\xff"));
    for part in ["train/pos", "train/neg", "test/pos", "test/neg"] {
        fs::create_dir_all(folder.join(part)).unwrap();
        for index in 0..8 {
            fs::write(folder.join(part).join(format!("{index}_7.txt")), "a film").unwrap();
        }
    }
    fs::copy(sandbox.path("films.csv"), folder.join("films.csv")).unwrap();
    let sizes = "--device cpu --epochs 1 --hidden-size 4 --batch-size 16".split(' ');
    let train: Vec<&str> = ["train"].into_iter().chain(sizes).collect();
    let refused = |command: &mut Command, run: &Path| {
        command
            .arg("--run")
            .arg(run)
            .assert()
            .code(1)
            .stderr(contains("is not UTF-8"));
        assert!(!run.exists());
    };
    let run = sandbox.path("run");
    refused(
        sandbox
            .gatefold(&[&train[..], &["--dataset", "imdb", "--data"]].concat())
            .arg(&folder),
        &run,
    );
    refused(
        sandbox
            .gatefold(&[&train[..], &["--dataset", "films.csv"]].concat())
            .current_dir(&folder),
        &run,
    );
    // A run may lie in such a folder: nothing names it.
    sandbox
        .gatefold(&[&train[..], &["--dataset", "films.csv"]].concat())
        .arg("--run")
        .arg(folder.join("run"))
        .assert()
        .success();
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_keeps_no_such_weights() {
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 80);
    sandbox
        .train_on_films(
            &"--run run --epochs 1 --hidden-size 4 --batch-size 16 --learning-rate 1e30"
                .split(' ')
                .collect::<Vec<_>>(),
        )
        .assert()
        .code(1)
        .stderr(contains("no longer finite at step").and(contains("of epoch 1")));
    assert!(!sandbox.path("run/model.safetensors").exists());
}

#[test]
fn the_same_command_twice_gives_the_same_run() {
    let sandbox = Sandbox::new();
    let more = ["--cell", "gru", "--dropout", "0.3"];
    for run in ["first", "second"] {
        sandbox.train(run, &more).assert().success();
    }
    sandbox
        .train(
            "third",
            &["--cell", "gru", "--dropout", "0.3", "--seed", "7"],
        )
        .assert()
        .success();
    let weights = |run: &str| fs::read(sandbox.path(run).join("model.safetensors")).unwrap();
    assert_eq!(sandbox.metrics("first"), sandbox.metrics("second"));
    assert!(weights("first") == weights("second"), "the weights differ");
    assert_ne!(sandbox.metrics("first"), sandbox.metrics("third"));
}

#[test]
fn a_configuration_file_is_followed_and_flags_decide_over_it() {
    let sandbox = Sandbox::new();
    fs::write(
        sandbox.path("run.toml"),
        "[model]\ncell = \"rnn\"\nembedding_size = 5\n[training]\nepochs = 9\n",
    )
    .unwrap();
    sandbox
        .train("run", &["--config", "run.toml"])
        .assert()
        .success();
    let config = sandbox.read("run/config.toml");
    for line in ["cell = \"rnn\"", "embedding_size = 5", "epochs = 6"] {
        assert!(config.contains(line), "{line} is not in\n{config}");
    }

    fs::write(sandbox.path("run.toml"), "[training]\nepoch = 9\n").unwrap();
    sandbox
        .train("other", &["--config", "run.toml"])
        .assert()
        .code(1)
        .stderr("error: run.toml, line 2: [training] has no key `epoch`; did you mean `epochs`?\n");
}

#[test]
fn runs_are_numbered_and_never_overwritten() {
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 40);
    let flags = ["--epochs", "1", "--hidden-size", "4"];
    for _ in 0..2 {
        sandbox.train_on_films(&flags).assert().success();
    }
    assert!(sandbox.path("runs/films-lstm-2/summary.json").is_file());
    sandbox
        .train_on_films(&[&flags[..], &["--run", "runs/films-lstm-1"]].concat())
        .assert()
        .code(1)
        .stderr(contains("runs/films-lstm-1 is not empty"));
}

/// A run's files, as training writes them, without the network.
fn run_files(sandbox: &Sandbox, run: &str, epochs: &[(f64, f64)]) {
    let config = "[dataset]\nname = \"imdb\"\n[model]\ncell = \"gru\"\nhidden_size = 32\n";
    fs::create_dir_all(sandbox.path(run)).unwrap();
    fs::write(sandbox.path(run).join("config.toml"), config).unwrap();
    let mut lines = String::new();
    for (i, epoch) in (1..).zip(epochs) {
        writeln!(lines, "{}", epoch_json(i, *epoch)).unwrap();
    }
    fs::write(sandbox.path(run).join("metrics.jsonl"), lines).unwrap();
}

fn epoch_json(epoch: usize, (validation_loss, validation_accuracy): (f64, f64)) -> Value {
    json!({
        "epoch": epoch, "train_loss": 0.7, "train_accuracy": 0.5, "seconds": 2.5,
        "validation_loss": validation_loss, "validation_accuracy": validation_accuracy,
    })
}

/// Makes a run one that is done.
fn run_summary(sandbox: &Sandbox, run: &str) {
    for file in ["vocabulary.json", "model.safetensors"] {
        fs::write(sandbox.path(run).join(file), "").unwrap();
    }
    let summary = json!({
        "version": "0.1.0", "device": "Arc A750", "parameters": 170_000, "best_epoch": 2,
        "best": epoch_json(2, (0.31, 0.86)), "test_loss": 0.4, "test_accuracy": 0.8425,
        "test_examples": 25_000, "training_seconds": 12.75, "milliseconds_per_step": 40.5,
    });
    fs::write(sandbox.path(run).join("summary.json"), summary.to_string()).unwrap();
}

#[test]
fn runs_lists_the_key_figures_of_each_run() {
    let sandbox = Sandbox::new();
    let epochs = [(0.5, 0.75), (0.31, 0.86), (0.4, 0.88)];
    run_files(&sandbox, "runs/imdb-gru-10", &epochs);
    run_summary(&sandbox, "runs/imdb-gru-10");
    run_files(&sandbox, "runs/imdb-gru-2", &epochs[..1]);
    let checkpoints = sandbox.path("runs/imdb-gru-2/checkpoints");
    fs::create_dir(&checkpoints).unwrap();
    fs::write(
        checkpoints.join("000001-00112233445566778899aabbccddeeff.safetensors"),
        "",
    )
    .unwrap();
    run_files(&sandbox, "runs/imdb-gru-9", &[]);
    fs::create_dir(sandbox.path("runs/empty")).unwrap();

    let runs = sandbox.json_lines(&["runs", "--format", "json"]);
    let names: Vec<_> = runs.iter().map(|run| &run["run"]).collect();
    assert_eq!(
        names,
        ["runs/imdb-gru-2", "runs/imdb-gru-9", "runs/imdb-gru-10"]
    );
    let done = json!({
        "run": "runs/imdb-gru-10", "state": "done", "dataset": "imdb", "cell": "gru",
        "hidden_size": 32, "parameters": 166_977, "epochs_done": 3, "epochs": 5,
        "validation_loss": 0.31, "validation_accuracy": 0.86, "test_accuracy": 0.8425,
        "training_seconds": 12.75, "device": "Arc A750", "problem": null,
    });
    assert_eq!(runs[2], done);
    assert_eq!(runs[0]["state"], "resumable");
    assert_eq!(runs[0]["validation_loss"], 0.5);
    assert_eq!(runs[0]["training_seconds"], 2.5);
    assert!(runs[0]["test_accuracy"].is_null());
    assert_eq!(runs[1]["state"], "unfinished");
    assert_eq!(runs[1]["epochs_done"], 0);
    assert_eq!(runs[1]["training_seconds"].to_string(), "0.0");

    let text = sandbox.output(&["runs"]);
    for shown in ["imdb-gru-10", "0.8425", "166977", "3/5", "12.8", "Arc A750"] {
        assert!(text.contains(shown), "{shown} is not in\n{text}");
    }
    let one = sandbox.json_lines(&["runs", "runs/imdb-gru-10", "--format", "json"]);
    assert_eq!(one, [done]);
}

#[test]
fn a_damaged_run_does_not_end_the_listing() {
    let sandbox = Sandbox::new();
    for run in ["a", "b", "c", "d"] {
        run_files(&sandbox, &format!("all/{run}"), &[(0.5, 0.75)]);
        run_summary(&sandbox, &format!("all/{run}"));
    }
    fs::write(sandbox.path("all/a/config.toml"), "[model]\nhidden = 3\n").unwrap();
    fs::write(sandbox.path("all/b/metrics.jsonl"), "{\"epoch\": 1,\n").unwrap();
    fs::remove_file(sandbox.path("all/c/model.safetensors")).unwrap();

    let runs = sandbox.json_lines(&["runs", "all", "--format", "json"]);
    let states: Vec<_> = runs.iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["damaged", "damaged", "damaged", "done"]);
    let problems = [
        "config.toml, line 2: [model] has no key `hidden`; did you mean `hidden_size`?",
        "metrics.jsonl, line 1: ",
        "it has no model.safetensors",
    ];
    let text = sandbox.output(&["runs", "all"]);
    for (run, problem) in runs.iter().zip(problems) {
        assert!(run["problem"].as_str().unwrap().contains(problem), "{run}");
        assert!(text.contains(problem), "{text}");
    }
    assert_eq!(runs[0]["test_accuracy"], 0.8425);
}

#[test]
fn where_there_are_no_runs_it_is_said_how_to_make_one() {
    let sandbox = Sandbox::new();
    for arguments in [
        &["runs"][..],
        &["runs", "data"],
        &["runs", "--format", "json"],
    ] {
        sandbox
            .gatefold(arguments)
            .assert()
            .success()
            .stdout("")
            .stderr(contains("there are no runs yet").and(contains("gatefold train")));
    }
    sandbox
        .gatefold(&["runs", "nowhere"])
        .assert()
        .code(1)
        .stderr(contains("there is no folder nowhere"));
}

#[test]
fn without_a_mask_padding_is_read() {
    let sandbox = Sandbox::new();
    sandbox
        .train("masked", &["--max-length", "20"])
        .assert()
        .success();
    sandbox
        .train("unmasked", &["--max-length", "20", "--no-mask"])
        .assert()
        .success();
    assert!(
        sandbox
            .read("unmasked/config.toml")
            .contains("mask = false")
    );
    assert_ne!(sandbox.metrics("masked"), sandbox.metrics("unmasked"));
}

#[test]
fn wrong_datasets_are_named() {
    let sandbox = Sandbox::new();
    let fails = |arguments: &[&str], message: &str| {
        let mut train = vec!["train", "--device", "cpu", "--run", "run"];
        train.extend(arguments);
        sandbox
            .gatefold(&train)
            .assert()
            .code(1)
            .stderr(contains(message))
            .stdout("");
        assert!(
            !sandbox.path("run").exists(),
            "{arguments:?} left a run behind"
        );
    };
    fails(
        &["--dataset", "films"],
        "films: there is no such file or folder, nor a dataset of that name",
    );
    fails(&["--dataset", "missing.csv"], "missing.csv");
    fails(&["--dataset", "imdb"], "gatefold dataset fetch imdb");
    fails(&["--dataset", "imdb", "--data", "nowhere"], "nowhere");
    for (flag, value) in [
        ("--data", "data"),
        ("--test-data", "films.csv"),
        ("--text-column", "review"),
        ("--test-fraction", "0.5"),
    ] {
        fails(
            &["--dataset", "reviews", flag, value],
            &format!("{flag} does nothing there"),
        );
    }
    fails(
        &["--dataset", "films.csv", "--data", "data"],
        "--data does nothing there",
    );

    sandbox.table("films.csv", 40);
    fails(
        &["--dataset", "films.csv", "--text-column", "review"],
        "review",
    );
    fs::write(
        sandbox.path("odd.csv"),
        "text,label\nfine,perhaps\nso so,perhaps\n",
    )
    .unwrap();
    fails(
        &["--dataset", "odd.csv"],
        "every row has the label `perhaps`",
    );
    sandbox.table("short.csv", 2);
    fails(&["--dataset", "short.csv"], "`negative` has 1 row, too few");
    sandbox.table("short.csv", 5);
    fails(
        &["--dataset", "short.csv"],
        "`negative` has 2 rows, too few",
    );
    fs::write(sandbox.path("broken.tar.gz"), b"no archive").unwrap();
    fails(
        &["--dataset", "imdb", "--data", "broken.tar.gz"],
        "broken.tar.gz",
    );
}

#[test]
fn wrong_values_are_refused_before_anything_is_written() {
    let sandbox = Sandbox::new();
    for (arguments, message) in [
        (["--epochs", "0"], "epochs must be at least 1"),
        (["--hidden-size", "4294967296"], "parameters, more than"),
        (["--max-length", "18446744073709551615"], "tokens a step"),
        (["--dropout", "1"], "dropout must be at least 0 and below 1"),
        (
            ["--vocabulary-size", "2"],
            "vocabulary_size must be at least 4",
        ),
        (["--learning-rate", "-1"], "unexpected argument"),
        (["--learning-rate", "nan"], "learning_rate must be above 0"),
        (
            ["--checkpoint-minutes", "nan"],
            "checkpoint_minutes must be above 0",
        ),
        (
            ["--patience", "18446744073709551615"],
            "patience may be at most",
        ),
        (
            ["--warm-up", "18446744073709551615"],
            "warm_up may be at most",
        ),
        (
            ["--epochs", "18446744073709551615"],
            "epochs may be at most",
        ),
        (["--seed", "18446744073709551615"], "seed may be at most"),
        (["--cell", "tanh"], "[possible values: rnn, lstm, gru"),
        (["--epoch", "3"], "--epochs"),
    ] {
        let mut train = vec!["train", "--dataset", "reviews", "--run", "run"];
        train.extend(arguments);
        sandbox
            .gatefold(&train)
            .assert()
            .code(2)
            .stderr(contains(message));
        assert!(!sandbox.path("run").exists(), "{arguments:?}");
    }
    // Only looking for it tells that there is no such device.
    sandbox
        .gatefold(&[
            "train",
            "--dataset",
            "reviews",
            "--run",
            "run",
            "--device",
            "cuda",
        ])
        .assert()
        .code(1)
        .stderr(contains("no adapter for --device cuda"));
    assert!(!sandbox.path("run").exists());
}

#[test]
fn a_value_of_a_file_is_the_files_fault_unless_a_flag_replaces_it() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("run.toml"), "[training]\nepochs = 0\n").unwrap();
    sandbox.table("films.csv", 80);
    let small = ["--config", "run.toml", "--hidden-size", "4", "--run", "run"];
    sandbox
        .train_on_films(&small)
        .assert()
        .code(1)
        .stderr("error: in the configuration run.toml: epochs must be at least 1\n");
    sandbox
        .train_on_films(&[&small[..], &["--epochs", "1"]].concat())
        .assert()
        .success();
    let wrong_share = ["evaluate", "run", "--device", "cpu", "--test-fraction", "7"];
    for arguments in [
        &wrong_share[..],
        &["train", "--resume", "run", "--checkpoint-minutes", "0"],
        &["compare", "--layers", "2"],
        &["summary", "--dropout", "1"],
    ] {
        // A finished run is not resumed at all.
        let _ = fs::remove_file(sandbox.path("run/summary.json"));
        let command = sandbox.gatefold(arguments).assert().code(2);
        command.stderr(contains("must").or(contains("leave layers")));
    }
}

#[test]
fn a_device_that_is_not_there_is_an_error_that_lists_what_is() {
    let absent = if cfg!(target_os = "macos") {
        "dx12"
    } else {
        "metal"
    };
    Sandbox::new()
        .gatefold(&["train", "--dataset", "reviews", "--device", absent])
        .assert()
        .code(1)
        .stderr(contains(format!("no adapter for --device {absent}")).and(contains("the CPU")));
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let sandbox = Sandbox::new();
    for command in ["evaluate", "predict"] {
        sandbox
            .gatefold(&[command, "data", "--device", "cpu"])
            .assert()
            .code(1)
            .stderr(contains("data is no finished run").and(contains("gatefold train")));
    }
}

#[test]
fn a_damaged_run_is_named() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]).assert().success();
    let evaluate = ["evaluate", "run", "--device", "cpu"];
    let damage = |file: &str, contents: &[u8], message: &str| {
        let path = sandbox.path("run").join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, contents).unwrap();
        sandbox
            .gatefold(&evaluate)
            .assert()
            .code(1)
            .stderr(contains(file).and(contains(message)));
        fs::write(&path, whole).unwrap();
    };
    let weights = fs::read(sandbox.path("run/model.safetensors")).unwrap();
    damage(
        "model.safetensors",
        &weights[..weights.len() / 2],
        "do not fit",
    );
    damage("vocabulary.json", b"{", "vocabulary.json");
    let config = sandbox
        .read("run/config.toml")
        .replace("hidden_size = 8", "hidden_size = 9");
    damage("config.toml", config.as_bytes(), "do not fit");
    let config = sandbox
        .read("run/config.toml")
        .replace("batch_size = 16", "batch_size = 0");
    damage(
        "config.toml",
        config.as_bytes(),
        "batch_size must be at least 1",
    );
    let vocabulary = sandbox
        .read("run/vocabulary.json")
        .replace("10000", "20000");
    damage("vocabulary.json", vocabulary.as_bytes(), "20000");
    sandbox.gatefold(&evaluate).assert().success();
}

#[test]
fn dataset_info_counts() {
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 40);
    let info = sandbox.json_lines(&["dataset", "info", "films.csv", "--format", "json"]);
    assert_eq!(info[0]["train"]["examples"], 26);
    assert_eq!(info[0]["validation"]["examples"], 6);
    assert_eq!(info[0]["test"]["examples"], 8);
    assert_eq!(info[0]["first_words"][0], "a");
    let reviews = sandbox.json_lines(&["dataset", "info", "reviews", "--format", "json"]);
    assert!(reviews[0]["train"]["examples"].as_u64().unwrap() >= 20_000);
    assert!(
        sandbox
            .output(&["dataset", "info", "films.csv"])
            .contains("distinct words")
    );
}

#[test]
fn imdb_in_the_data_directory_is_what_train_takes() {
    let sandbox = Sandbox::new();
    imdb_archive(&sandbox.path("data/aclImdb_v1.tar.gz"));
    let train = [
        "train",
        "--device",
        "cpu",
        "--epochs",
        "1",
        "--hidden-size",
        "4",
        "--run",
        "run",
    ];
    sandbox
        .gatefold(&train)
        .assert()
        .success()
        .stderr(contains("dataset: imdb"));
    assert!(sandbox.read("run/config.toml").contains("name = \"imdb\""));

    let info = sandbox.json_lines(&["dataset", "info", "imdb", "--format", "json"]);
    for (split, class, label) in [("train", 1, "positive"), ("test", 0, "negative")] {
        let expected = serde_json::json!({"label": label, "examples": 10});
        assert_eq!(info[0][split]["labels"][class], expected);
    }

    let held_out = [&train[..7], &["--validation-fraction", "0.4"]].concat();
    let by = |column| [&held_out[..], &["--run", column, "--group-column", column]].concat();
    let usual = [&held_out[..], &["--run", "usual"]].concat();
    for train in [usual, by("film")] {
        sandbox.gatefold(&train).assert().success();
    }
    let validated = |run| {
        sandbox.gatefold(&["evaluate", run]).assert().success();
        sandbox.read(&format!("{run}/config.toml"))
    };
    assert!(validated("film").contains("group_column = \"film\""));
    assert!(!validated("usual").contains("group_column"));
    sandbox
        .gatefold(&by("author"))
        .assert()
        .code(1)
        .stderr(contains("--group-column film"));
}

/// An archive in the published layout, with 10 reviews a class and split, of five films a class.
fn imdb_archive(path: &Path) {
    let gz = flate2::write::GzEncoder::new(fs::File::create(path).unwrap(), Default::default());
    let mut archive = tar::Builder::new(gz);
    let mut append = |name: String, text: String| {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let name = format!("aclImdb/{name}");
        archive
            .append_data(&mut header, name, text.as_bytes())
            .unwrap();
    };
    for split in ["train", "test"] {
        for (class, word) in [("pos", "good"), ("neg", "bad")] {
            for i in 0..10 {
                let text = format!("A {word} film, the {i}th.");
                append(format!("{split}/{class}/{i}_7.txt"), text);
            }
            let film = |i| format!("http://www.imdb.com/title/{word}{}/usercomments\n", i % 5);
            append(
                format!("{split}/urls_{class}.txt"),
                (0..10).map(film).collect(),
            );
        }
    }
    archive.into_inner().unwrap().finish().unwrap();
}

#[test]
fn fetching_what_is_not_the_published_file_leaves_nothing() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/aclImdb_v1.tar.gz", server.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut connection, _) = server.accept().unwrap();
        let mut request = [0; 2048];
        let _ = connection.read(&mut request).unwrap();
        connection
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            .unwrap();
    });
    let sandbox = Sandbox::new();
    sandbox
        .gatefold(&["dataset", "fetch", "imdb", "--url", &url])
        .assert()
        .code(1)
        .stderr(contains("sends 5 bytes where 84125825 are published"));
    serving.join().unwrap();
    assert!(!sandbox.path("data/aclImdb_v1.tar.gz").exists());
}

#[test]
fn devices_always_have_the_cpu_and_one_that_auto_takes() {
    let sandbox = Sandbox::new();
    let devices = sandbox.json_lines(&["devices", "--format", "json"]);
    assert!(devices.iter().any(|device| device["kind"] == "cpu"));
    let auto: Vec<_> = devices
        .iter()
        .filter(|device| device["auto"] == true)
        .collect();
    assert_eq!(auto.len(), 1, "{devices:?}");
    assert_ne!(auto[0]["kind"], "software");
    assert!(sandbox.output(&["devices"]).contains("CPU"));
}

#[test]
fn a_simd_level_that_the_processor_lacks_is_an_error_before_anything_is_done() {
    let sandbox = Sandbox::new();
    for command in ["devices", "runs"] {
        let mut command = sandbox.gatefold(&[command]);
        command
            .env("GATEFOLD_SIMD", "fast")
            .assert()
            .code(1)
            .stderr(predicates::str::starts_with(
                "error: GATEFOLD_SIMD is \"fast\", expected a level that this processor has: plain",
            ));
    }
    let devices = sandbox.json_lines(&["devices", "--format", "json"]);
    let cpu = devices.iter().find(|line| line["kind"] == "cpu").unwrap();
    for level in cpu["simd_available"].as_array().unwrap() {
        let level = level.as_str().unwrap();
        let mut command = sandbox.gatefold(&["devices"]);
        let shown = contains(format!("SIMD: {level} of plain"));
        let assert = command.env("GATEFOLD_SIMD", level).assert();
        assert.success().stdout(shown);
    }
}

#[test]
fn summary_counts_the_lessons_parameters() {
    let sandbox = Sandbox::new();
    for (cell, count) in [("lstm", "184961"), ("gru", "179969"), ("rnn", "169409")] {
        assert!(
            sandbox.output(&["summary", "--cell", cell]).contains(count),
            "{cell}"
        );
    }
    let layers = sandbox.json_lines(&["summary", "--format", "json"]);
    let total: u64 = layers
        .iter()
        .map(|layer| layer["parameters"].as_u64().unwrap())
        .sum();
    assert_eq!(total, 184_961);
}

/// Records of a tiny network on a device, every kind of record once.
fn bench_records(device: &str) -> Vec<Value> {
    let sizes = "--cells lstm,gru --batches 2 --times 5 --hiddens 4 --steps 2 --format json";
    let arguments: Vec<&str> = ["bench", "--device", device]
        .into_iter()
        .chain(sizes.split(' '))
        .collect();
    let records = Sandbox::new().json_lines(&arguments);
    let kind = |record: &Value| {
        ["cell", "pass", "implementation"].map(|key| record[key].as_str().unwrap().to_string())
    };
    let kinds: Vec<_> = records
        .iter()
        .map(|record| kind(record).join(" "))
        .collect();
    assert_eq!(
        kinds,
        [
            "lstm forward gatefold",
            "lstm forward burn",
            "lstm train gatefold",
            "lstm train burn",
            "gru forward gatefold",
            "gru forward burn",
            "gru train gatefold",
            "gru train burn",
        ]
    );
    for record in &records {
        assert_eq!(record.as_object().unwrap().len(), 16, "{record}");
        let size = |key: &str| record[key].as_u64().unwrap();
        assert_eq!(
            ["batch", "time", "input", "hidden"].map(size),
            [2, 5, 16, 4]
        );
        let number = |key: &str| record[key].as_f64().unwrap();
        assert!(number("min_ms") > 0.0, "{record}");
        assert!(number("min_ms") <= number("median_ms"), "{record}");
        assert!(number("median_ms") <= number("max_ms"), "{record}");
        let tokens_per_second = 10.0 / (number("median_ms") / 1e3);
        assert!((number("tokens_per_second") / tokens_per_second - 1.0).abs() < 1e-9);
    }
    records
}

#[test]
fn bench_measures_both_networks_on_the_cpu() {
    for record in bench_records("cpu") {
        assert_eq!(record["device"], "cpu");
        assert_eq!(record["adapter"], "CPU");
        assert!(record["api"].is_null() && record["dispatches"].is_null());
    }
}

/// A GPU, or else a software adapter.
fn adapter() -> &'static str {
    match find(DeviceChoice::GPU) {
        Ok(_) => "gpu",
        Err(_) => "software",
    }
}

#[test]
fn bench_counts_the_launches_of_an_adapter() {
    let device = adapter();
    for record in bench_records(device) {
        assert_eq!(record["device"], device);
        assert!(record["api"].is_string());
        assert!(record["dispatches"].as_u64().unwrap() > 0, "{record}");
    }
}

#[test]
fn bench_writes_tables_for_people() {
    let sandbox = Sandbox::new();
    let text = sandbox.output(&[
        "bench",
        "--device",
        "cpu",
        "--cells",
        "rnn",
        "--batches",
        "2,3",
        "--times",
        "5",
        "--hiddens",
        "4",
        "--steps",
        "1",
        "--markdown",
        "bench.md",
    ]);
    let page = sandbox.read("bench.md");
    for size in ["2 × 5 × 16 × 4", "3 × 5 × 16 × 4"] {
        assert!(text.contains(size) && page.contains(size), "{text}\n{page}");
    }
    assert!(page.starts_with(&format!("# Gatefold {}", env!("CARGO_PKG_VERSION"))));
    assert!(
        page.contains("`gatefold bench --device cpu --cells rnn"),
        "{page}"
    );
    assert!(page.contains("## CPU"), "{page}");
    // A header, a rule, and two sizes, passes and implementations.
    let lines = page.lines().filter(|line| line.starts_with('|')).count();
    assert_eq!(lines, 2 + 8, "{page}");
}

/// Which of six things a probe measures, by the first words of its name.
const PROBED: [&str; 6] = [
    "product",
    "read",
    "barrier",
    "empty dispatch",
    "copy",
    "a step's product",
];

fn assert_probed(records: &[Value]) {
    for record in records {
        assert_eq!(record["device"], adapter());
        let value = record["value"].as_f64().unwrap();
        assert!(value.is_finite() && value > 0.0, "{record}");
        if record["unit"] == "%" {
            assert_eq!(value, 100.0, "{record}");
        }
    }
    for name in PROBED {
        let is_of_it = |record: &&Value| record["probe"].as_str().unwrap().starts_with(name);
        assert!(records.iter().filter(is_of_it).count() >= 2, "{name}");
    }
}

#[test]
fn bench_probes_an_adapter() {
    let arguments = ["bench", "--probes", "--device", adapter()];
    let sandbox = Sandbox::new();
    assert_probed(&sandbox.json_lines(&[&arguments[..], &["--format", "json"]].concat()));
}

#[test]
fn bench_writes_the_probes_of_an_adapter_beside_its_networks() {
    let sizes =
        "--cells rnn --batches 2 --times 5 --hiddens 4 --steps 1 --implementations gatefold";
    let page = "--format json --markdown bench.md";
    let arguments = format!("bench --device {} {sizes} {page}", adapter());
    let sandbox = Sandbox::new();
    let records = sandbox.json_lines(&arguments.split(' ').collect::<Vec<_>>());
    let (probes, networks): (Vec<_>, Vec<_>) = records
        .into_iter()
        .partition(|record| record["probe"].is_string());
    assert_eq!(networks.len(), 2);
    assert_probed(&probes);
    let page = sandbox.read("bench.md");
    let (networks, table) = page.split_once("\n### Probes\n").unwrap();
    assert!(networks.contains("2 × 5 × 16 × 4"), "{page}");
    // A header and a rule before them.
    let lines = table.lines().filter(|line| line.starts_with('|')).count();
    assert_eq!(lines, 2 + probes.len(), "{page}");
}

#[test]
fn bench_refuses_what_it_cannot_measure() {
    for (arguments, said) in [
        ("--cells lstm,elman", "[possible values: rnn, lstm, gru"),
        ("--batches 1,,2", "--batches"),
        ("--times 0", "--times"),
        ("--hiddens four", "--hiddens"),
        ("--steps 0", "--steps"),
        ("--implementations keras", "gatefold, burn"),
        ("--batches 65536 --times 65536", "tokens a step"),
        ("--markdown nowhere/bench.md", "there is no folder"),
        ("--probes", "the CPU has no probes"),
        ("--markdown data", "a folder, not a file"),
    ] {
        let arguments = format!("bench --device cpu {arguments}");
        Sandbox::new()
            .gatefold(&arguments.split(' ').collect::<Vec<_>>())
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(said));
    }
}

/// Words, names and keys as nobody means them, and what is left of them on a terminal.
const STEERING: &str = "\u{1b}[31m\u{7}\u{9b}2J\u{202e}";

/// Whether nothing but text reaches a terminal.
fn assert_printable(output: &std::process::Output) {
    for stream in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(stream).unwrap();
        let steers =
            |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(steers), "{text:?}");
    }
}

#[test]
fn nothing_from_a_file_steers_the_terminal() {
    let sandbox = Sandbox::new();
    let name = if cfg!(windows) {
        "films.csv"
    } else {
        "films\u{1b}[31m.csv"
    };
    let mut table = String::from("text,label\n");
    for i in 0..80 {
        writeln!(
            table,
            "{STEERING} {} film,{}",
            ["bad", "good"][i % 2],
            i % 2
        )
        .unwrap();
    }
    fs::write(sandbox.path(name), table).unwrap();
    let key = "[training]\n\"\\u001b]0;owned\\u0007\" = 1\n";
    fs::write(sandbox.path("key.toml"), key).unwrap();
    fs::write(
        sandbox.path("raw.toml"),
        format!("[training]\n# {STEERING}\n"),
    )
    .unwrap();
    let run = if cfg!(windows) {
        "run"
    } else {
        "runs/\u{1b}[2J"
    };
    let train = [
        "train",
        "--dataset",
        name,
        "--device",
        "cpu",
        "--epochs",
        "1",
    ];
    let small = ["--hidden-size", "4", "--batch-size", "16", "--run", run];
    let answer = |arguments: &[&str], code: i32, shown: &str| {
        let output = sandbox.gatefold(arguments).assert().code(code);
        let output = output.get_output();
        assert_printable(output);
        let said = [&output.stdout[..], &output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains(shown), "{arguments:?}: {said}");
    };
    answer(&[&train[..], &small].concat(), 0, "test: loss");
    answer(&["dataset", "info", name], 0, "\\u{9b}2j\\u{202e}");
    answer(
        &["dataset", "info", name, "--format", "json"],
        0,
        "\\u009b2j",
    );
    answer(
        &["explain", run, STEERING, "--device", "cpu"],
        0,
        "\\u{9b}2j",
    );
    answer(&["evaluate", run, "--device", "cpu"], 0, "accuracy");
    answer(
        &["train", "--config", "key.toml"],
        1,
        "has no key `\\u{1b}]0;owned\\u{7}`",
    );
    answer(&["train", "--config", "raw.toml"], 1, "raw.toml");

    let summary = sandbox.path(run).join("summary.json");
    let mut values: Value = serde_json::from_str(&fs::read_to_string(&summary).unwrap()).unwrap();
    values["device"] = format!("{STEERING}\nGPU").into();
    fs::write(&summary, values.to_string()).unwrap();
    answer(&["runs", run], 0, "\\u{202e}\\u{a}GPU");
    answer(&["runs", run, "--format", "json"], 0, "\\u202e\\nGPU");
}

#[test]
fn a_file_that_is_no_configuration_is_refused_in_a_few_words() {
    let sandbox = Sandbox::new();
    let nines = "9".repeat(900_000);
    let deep = "a.".repeat(100_000) + "a = 1\n";
    for (name, text) in [
        ("long.toml", format!("[training]\nepochs = = {nines}\n")),
        ("type.toml", format!("[training]\nepochs = \"{nines}\"\n")),
        ("key.toml", format!("[training]\n{nines} = 1\n")),
        ("keys.toml", deep),
        ("lists.toml", "a = ".to_string() + &"[".repeat(100_000)),
        ("large.toml", nines.repeat(2)),
    ] {
        fs::write(sandbox.path(name), text).unwrap();
        let output = sandbox
            .gatefold(&["train", "--config", name])
            .assert()
            .code(1);
        let said = &output.get_output().stderr;
        assert!(said.len() < 4096, "{name}: {} bytes", said.len());
        assert!(String::from_utf8_lossy(said).contains(name), "{name}");
    }
    fs::create_dir(sandbox.path("folder.toml")).unwrap();
    sandbox
        .gatefold(&["train", "--config", "folder.toml"])
        .assert()
        .code(1)
        .stderr(contains(
            "folder.toml: it is a folder, and only regular files are read",
        ));
}

#[test]
fn a_step_that_takes_more_memory_than_there_is_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 80);
    // A quarter of the most parameters: 4 GB of weights, gradients and moments, and 2 TB of states.
    let step = [
        "bench",
        "--device",
        "cpu",
        "--cells",
        "lstm",
        "--hiddens",
        "7900",
    ];
    sandbox
        .gatefold(&[&step[..], &["--batches", "65536", "--times", "256"]].concat())
        .assert()
        .code(1)
        .stderr(contains("would take about").and(contains("lower batch_size")));
}

#[test]
fn a_weight_that_overflows_makes_no_answer() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]).assert().success();
    let path = sandbox.path("run/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for number in bytes[header..].chunks_exact_mut(4) {
        number.copy_from_slice(&3e38f32.to_le_bytes());
    }
    fs::write(path, bytes).unwrap();
    for arguments in [
        &["predict", "run", "a good film"][..],
        &["predict", "run", "a good film", "--format", "json"],
        &["explain", "run", "a good film"],
        &["evaluate", "run"],
    ] {
        sandbox
            .gatefold(&[arguments, &["--device", "cpu"]].concat())
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("no finite number").and(contains("lower learning_rate")));
    }
}

/// The program as a process beside the test.
fn start(sandbox: &Sandbox, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gatefold"));
    command
        .args(arguments)
        .current_dir(sandbox.folder.path())
        .env("GATEFOLD_DATA", sandbox.path("data"))
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn predict_answers_whoever_waits_for_the_answer() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]).assert().success();
    let mut predict = start(&sandbox, &["predict", "run", "--device", "cpu"]);
    let mut predict = predict.spawn().unwrap();
    let mut questions = predict.stdin.take().unwrap();
    let mut answers = BufReader::new(predict.stdout.take().unwrap()).lines();
    for (question, label) in [
        // What comes after the line may be the beginning of the next one.
        ("a good film\na b", "positive"),
        ("ad film\n", "negative"),
        ("a good film\r\n", "positive"),
    ] {
        questions.write_all(question.as_bytes()).unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.ends_with(label), "{question:?}: {answer}");
    }
    questions.write_all(b"a bad film\na good film").unwrap();
    drop(questions);
    let rest: Vec<_> = answers.map(Result::unwrap).collect();
    assert!(rest[0].ends_with("negative") && rest[1].ends_with("positive"));
    assert_eq!(rest.len(), 2);
    assert!(predict.wait().unwrap().success());
}

#[test]
fn predict_refuses_a_line_without_an_end() {
    let sandbox = Sandbox::new();
    sandbox.train("run", &[]).assert().success();
    let long = "film ".repeat(1 << 19);
    sandbox
        .gatefold(&["predict", "run", "--device", "cpu"])
        .write_stdin(format!("a good film\n{long}"))
        .assert()
        .code(1)
        .stdout(contains("positive"))
        .stderr(contains(
            "line 2 of standard input: it has more than 1048576 bytes",
        ));
    let many = "a good film\n".repeat(1000);
    let answers = sandbox
        .gatefold(&["predict", "run", "--device", "cpu"])
        .write_stdin(many)
        .assert()
        .success();
    let lines = answers
        .get_output()
        .stdout
        .split(|&byte| byte == b'\n')
        .count();
    assert_eq!(
        lines, 1001,
        "a line for every line, and the end of the last"
    );
}

#[test]
fn compare_trains_every_cell_and_reports_on_all() {
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 80);
    let compare = "compare --dataset films.csv --device cpu --epochs 2 --hidden-size 4 --batch-size 16 \
                   --no-memory-tasks --run cells";
    let compare: Vec<&str> = compare.split_whitespace().collect();
    let cells = ["--cells", "gru,rnn,gru", "--format", "json"];
    let lines = sandbox.json_lines(&[&compare[..], &cells].concat());
    let found: Vec<_> = lines.iter().map(|line| &line["cell"]).collect();
    assert_eq!(found, ["gru", "rnn"], "each once, as they were named");
    for line in &lines {
        let run = format!("cells/{}", line["cell"].as_str().unwrap());
        assert_eq!(sandbox.metrics(&run).len(), 2);
        let evaluate = ["evaluate", &run, "--device", "cpu", "--format", "json"];
        let evaluated = sandbox.json_lines(&evaluate);
        assert_eq!(evaluated[0]["loss"], line["test_loss"]);
        assert_eq!(evaluated[0]["accuracy"], line["test_accuracy"]);
    }
    let page = sandbox.read("cells/report.html");
    assert!(page.contains("gru") && page.contains("rnn") && !page.contains("lstm"));
    assert!(!page.contains("recall"), "no task was tried");
    sandbox
        .gatefold(&compare)
        .assert()
        .code(1)
        .stderr(contains("cells is not empty"));
}

#[cfg(unix)]
mod unix {
    use std::process::Child;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

    fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
        let patience = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < patience, "{what} never came");
            sleep(Duration::from_millis(5));
        }
    }

    fn signal(id: &str, name: &str) {
        let sent = std::process::Command::new("kill")
            .args(["-s", name, id])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Runs a line of shell, in which `$G` is the program.
    fn shell(sandbox: &Sandbox, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(sandbox.folder.path())
            .env("G", env!("CARGO_BIN_EXE_gatefold"))
            .env("GATEFOLD_DATA", sandbox.path("data"))
            .env_remove("RUST_LOG");
        command
    }

    const TRAIN: &str = "$G train --dataset films.csv --device cpu --plain --epochs 3 --hidden-size 4 --batch-size 16";

    #[test]
    fn training_needs_nobody_to_read_what_it_says() {
        let sandbox = Sandbox::new();
        sandbox.table("films.csv", 80);
        for (i, redirected) in [
            // `true` ends before it reads anything.
            "{ TRAIN 2>&1; echo $? >code; } | true",
            "{ TRAIN 2>&1; echo $? >code; } | head -n 1",
            "TRAIN 2>&-; echo $? >code",
            #[cfg(target_os = "linux")]
            "TRAIN 2>/dev/full; echo $? >code",
        ]
        .into_iter()
        .enumerate()
        {
            let train = format!("{TRAIN} --run run-{i}");
            let line = redirected.replace("TRAIN", &train);
            shell(&sandbox, &line).assert().success();
            wait_until("its end", || {
                sandbox.path("code").exists() && !sandbox.read("code").is_empty()
            });
            assert_eq!(sandbox.read("code").trim(), "0", "{line}");
            assert!(
                sandbox.path(&format!("run-{i}/report.html")).is_file(),
                "{line}"
            );
            fs::remove_file(sandbox.path("code")).unwrap();
        }
        shell(&sandbox, "$G predict nowhere x 2>&-")
            .assert()
            .code(1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_behind_standard_output_is_named() {
        let sandbox = Sandbox::new();
        shell(&sandbox, "$G summary >/dev/full")
            .assert()
            .code(1)
            .stderr(contains("cannot write to standard output: No space left"));
        shell(&sandbox, "$G summary >&-").assert().success();
        shell(&sandbox, "$G summary --format json | true")
            .assert()
            .success()
            .stderr("");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_machine_without_a_desktop_is_no_error() {
        Sandbox::new()
            .gatefold(&["devices"])
            .env_remove("XDG_RUNTIME_DIR")
            .assert()
            .success()
            .stderr(contains("XDG_RUNTIME_DIR").not());
    }

    #[test]
    fn runs_reads_no_pipes_devices_or_giants() {
        let sandbox = Sandbox::new();
        for run in ["fifo", "giant", "numbers", "sound"] {
            run_files(&sandbox, &format!("runs/{run}"), &[(0.5, 0.75)]);
            run_summary(&sandbox, &format!("runs/{run}"));
        }
        fs::remove_file(sandbox.path("runs/fifo/metrics.jsonl")).unwrap();
        shell(&sandbox, "mkfifo runs/fifo/metrics.jsonl")
            .assert()
            .success();
        let giant = fs::File::options()
            .write(true)
            .open(sandbox.path("runs/giant/metrics.jsonl"));
        giant.unwrap().set_len(8 << 30).unwrap();
        let numbers = sandbox
            .read("runs/numbers/metrics.jsonl")
            .replace("0.5", "1e308");
        fs::write(sandbox.path("runs/numbers/metrics.jsonl"), numbers).unwrap();
        fs::remove_file(sandbox.path("runs/numbers/summary.json")).unwrap();
        run_files(&sandbox, "runs/zero", &[(0.5, 0.75)]);
        std::os::unix::fs::symlink("/dev/zero", sandbox.path("runs/zero/summary.json")).unwrap();

        let runs = sandbox.json_lines(&["runs", "--format", "json"]);
        let states: Vec<_> = runs
            .iter()
            .map(|run| run["state"].as_str().unwrap())
            .collect();
        assert_eq!(
            states,
            ["damaged", "damaged", "unfinished", "done", "damaged"]
        );
        let text = sandbox.output(&["runs"]);
        for problem in [
            "it is a pipe, and only regular files are read",
            "it has more than 16 MiB",
            "1.0e308",
        ] {
            assert!(text.contains(problem), "{text}");
        }
        assert!(
            text.lines().all(|line| line.chars().count() < 250),
            "{text}"
        );
    }

    /// Compares on a table that takes a while.
    fn comparing(sandbox: &Sandbox, more: &str) -> Child {
        sandbox.table("films.csv", 12_000);
        let compare =
            "compare --dataset films.csv --device cpu --hidden-size 32 --batch-size 8 --run cells";
        let compare: Vec<&str> = compare.split(' ').chain(more.split(' ')).collect();
        start(sandbox, &compare).spawn().unwrap()
    }

    fn ended(child: Child) -> (Option<i32>, String, String) {
        let output = child.wait_with_output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), stdout, stderr)
    }

    #[test]
    fn compare_stops_in_any_of_its_networks_and_can_go_on_with_it() {
        for (cell, name, code) in [("rnn", "TERM", 143), ("lstm", "INT", 130)] {
            let sandbox = Sandbox::new();
            let more = "--cells rnn,lstm --epochs 1 --no-memory-tasks";
            let more = match cell {
                "rnn" => more.replace("--epochs 1", "--epochs 1000"),
                _ => more.into(),
            };
            let child = comparing(&sandbox, &more);
            let config = sandbox.path(&format!("cells/{cell}/config.toml"));
            wait_until("the network", || config.is_file());
            signal(&child.id().to_string(), name);
            let (found, answer, said) = ended(child);
            assert_eq!(found, Some(code), "{said}");
            let resume = format!("train --resume cells/{cell}");
            assert!(
                said.contains("stopped in epoch 1 after ") && said.contains(&resume),
                "{said}"
            );
            let checkpoints = sandbox.path(&format!("cells/{cell}/checkpoints"));
            assert_eq!(fs::read_dir(checkpoints).unwrap().count(), 1);
            let has_rnn = cell == "lstm";
            assert_eq!(answer.contains("rnn"), has_rnn, "{answer}");
            assert_eq!(sandbox.path("cells/report.html").is_file(), has_rnn);
        }
    }

    #[test]
    fn compare_keeps_its_report_when_a_network_fails() {
        let sandbox = Sandbox::new();
        let child = comparing(&sandbox, "--cells rnn,lstm --epochs 1 --no-memory-tasks");
        wait_until("the first network", || sandbox.path("cells/rnn").is_dir());
        // The second one finds something in its place.
        fs::write(sandbox.path("cells/lstm"), "").unwrap();
        let (code, answer, said) = ended(child);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("cells/lstm"), "{said}");
        assert!(answer.contains("rnn"), "{answer}");
        assert!(sandbox.read("cells/report.html").contains("rnn"));
    }

    #[test]
    fn compare_keeps_its_report_when_it_stops_in_the_memory_tasks() {
        let sandbox = Sandbox::new();
        let child = comparing(&sandbox, "--cells lstm --epochs 1 --max-length 4");
        wait_until("the report", || sandbox.path("cells/report.html").is_file());
        signal(&child.id().to_string(), "HUP");
        let (code, answer, said) = ended(child);
        assert_eq!(code, Some(129), "{said}");
        assert!(said.contains("stopped in the memory tasks"), "{said}");
        assert!(answer.contains("lstm"), "{answer}");
        assert!(sandbox.read("cells/report.html").contains("lstm"));
    }

    /// What `train` leaves on a terminal after `signals`: the exit code, and all that the terminal saw.
    #[cfg(target_os = "linux")]
    fn on_a_terminal(signals: &[&str]) -> (Option<i32>, String) {
        let sandbox = Sandbox::new();
        // A step takes seconds: only a thread beside it hears the second signal in time.
        let review = "word ".repeat(300);
        let rows = (0..1000).map(|i| format!("{review},{}\n", i % 2));
        fs::write(
            sandbox.path("films.csv"),
            "text,label\n".to_string() + &rows.collect::<String>(),
        )
        .unwrap();
        let train = TRAIN
            .replace("--plain", "")
            .replace("--hidden-size 4 --batch-size 16", "");
        let inside = format!(
            "sh -c 'echo $$ >id; exec {train} --hidden-size 256 --batch-size 512 --max-length 300 --run run'; \
             code=$?; stty -a; exit $code"
        );
        let mut script = std::process::Command::new("script");
        script
            .args(["-q", "-e", "-f", "-c", &inside, "seen"])
            .current_dir(sandbox.folder.path())
            .env("G", env!("CARGO_BIN_EXE_gatefold"))
            .env("TERM", "xterm-256color")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut script = script.spawn().unwrap();
        let seen = || {
            String::from_utf8_lossy(&fs::read(sandbox.path("seen")).unwrap_or_default())
                .into_owned()
        };
        wait_until("the dashboard", || seen().contains("\u{1b}[?1049h"));
        sleep(Duration::from_millis(300));
        let [first, others @ ..] = signals else {
            panic!("there is no signal");
        };
        signal(sandbox.read("id").trim(), first);
        for name in others {
            sleep(Duration::from_millis(200));
            // Where steps are short the first one has ended it by now.
            let id = sandbox.read("id");
            let kill = std::process::Command::new("kill")
                .args(["-s", name, id.trim()])
                .output();
            drop(kill.unwrap());
        }
        (script.wait().unwrap().code(), seen())
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_terminal_is_given_back_whatever_ends_the_program() {
        for (signals, code) in [(&["TERM", "TERM"][..], 143), (&["HUP"], 129)] {
            let (found, seen) = on_a_terminal(signals);
            assert_eq!(found, Some(code), "{signals:?}: {seen:?}");
            let (_, after) = seen
                .rsplit_once("\u{1b}[?1049l")
                .expect("the other screen is left");
            assert!(
                after.contains("\u{1b}[?25h"),
                "the cursor is shown: {after:?}"
            );
            assert!(!after.contains("\u{1b}[?1049h"));
            // Whether the first signal ended it in time or the second at once.
            assert!(after.contains(" train --resume run"), "{after:?}");
            let modes: Vec<_> = after.split_whitespace().collect();
            for mode in ["icanon", "echo", "isig"] {
                assert!(modes.contains(&mode), "{mode}: {after:?}");
            }
        }
    }
}
