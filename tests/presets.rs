//! Settings that go together, what regularises, and training again on everything, as the program has them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with a table of texts of two classes, of which a word tells.
struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut table = String::from("text,label\n");
        for i in 0..120 {
            let (word, label) = [("good", "pos"), ("bad", "neg")][i % 2];
            writeln!(table, "a {word} film number {},{label}", i / 2).unwrap();
        }
        fs::write(folder.path().join("films.csv"), table).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn gatefold(&self, arguments: &str) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("GATEFOLD_DATA", self.folder.path())
            .env_remove("RUST_LOG");
        command
    }

    fn train(&self, more: &str) -> Command {
        self.gatefold(&format!(
            "train --dataset films.csv --device cpu --hidden-size 8 --batch-size 16 --learning-rate 0.02 --plain {more}"
        ))
    }

    fn summary(&self, run: &str) -> Value {
        let text = fs::read_to_string(self.path(run).join("summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn presets_are_listed_with_what_they_gave_and_printed_to_be_changed() {
    let sandbox = Sandbox::new();
    let listed = sandbox.gatefold("presets --format json").output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names: Vec<String> = listed
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["accuracy"].as_f64().unwrap() > 0.5, "{line}");
            line["name"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(names[0], "lesson");
    for name in &names {
        let printed = sandbox.gatefold(&format!("presets {name}")).output();
        let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
        assert!(printed.contains("[training]"), "{printed}");
    }
    let table = sandbox.gatefold("presets").assert().success();
    table.stdout(contains("test accuracy"));
    let unknown = sandbox.gatefold("presets best").assert().code(2);
    unknown.stderr(contains("lesson"));
}

#[test]
fn a_file_decides_over_a_preset_and_a_flag_over_both() {
    let sandbox = Sandbox::new();
    let file = "[model]\nembedding_size = 5\ndense_size = 7\n[training]\nepochs = 1\n";
    fs::write(sandbox.path("my.toml"), file).unwrap();
    let train = "--preset lesson --config my.toml --epochs 2 --run run";
    sandbox.train(train).assert().success();
    let config = fs::read_to_string(sandbox.path("run/config.toml")).unwrap();
    for line in [
        "preset = \"lesson\"",
        "embedding_size = 5",
        "dense_size = 7",
        "epochs = 2",
        "vocabulary_size = 10000",
    ] {
        assert!(
            config.lines().any(|found| found == line),
            "{line}: {config}"
        );
    }
    let resumed = sandbox.gatefold("train --resume run --preset lesson");
    { resumed }.assert().code(2).stderr(contains("--preset"));
}

#[test]
fn a_run_that_is_trained_again_says_so_and_can_not_be_lengthened() {
    let sandbox = Sandbox::new();
    let train = "--epochs 3 --keep last --refit --ema-decay 0.9 --run run";
    let said = sandbox.train(train).assert().success();
    said.stderr(contains(
        "training again on all 96 examples, from the first weights on: 3 epochs",
    ))
    .stderr(contains("epoch 3 on all: loss"));
    assert_eq!(sandbox.summary("run")["refit_examples"], 96);
    let lengthened = sandbox.gatefold("train --resume run --epochs 5 --device cpu --plain");
    { lengthened }
        .assert()
        .failure()
        .stderr(contains("can't be lengthened; to begin"));
    let evaluated = sandbox.gatefold("evaluate run --device cpu").assert();
    evaluated.success().stdout(contains("accuracy"));
}

#[test]
fn what_no_training_can_follow_is_refused_before_any_data_is_read() {
    let sandbox = Sandbox::new();
    for (flags, why) in [
        (
            "--word-dropout 1",
            "word_dropout must be at least 0 and below 1",
        ),
        ("--embedding-dropout 1.5", "embedding_dropout must be"),
        (
            "--weight-dropout 0.1 --cell mingru",
            "weight_dropout must be 0 for the minGRU",
        ),
        ("--label-smoothing 1", "label_smoothing must be"),
        ("--adversarial=-1", "adversarial must be at least 0"),
        ("--ema-decay 1", "ema_decay must lie between 0 and 1"),
        (
            "--keep last --patience 2",
            "patience waits for a better epoch",
        ),
        (
            "--rates body=1",
            "the parts are embedding, recurrent and head",
        ),
        ("--rates head=x", "a number is wanted"),
        (
            "--epochs 1 --frozen-epochs embedding=1,recurrent=1,head=1",
            "no group of parameters is ever trained",
        ),
    ] {
        let refused = sandbox.train(&format!("--run run {flags}")).assert();
        refused.code(2).stderr(contains(why));
        assert!(!sandbox.path("run").exists(), "{flags}");
    }
}
