//! N-grams beside a network: trained, tested, asked, interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// A run on the built-in reviews, which others copy, and what was said of it.
static TRAINED: LazyLock<(TempDir, String)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let train = "train --dataset reviews --ngrams 2 --hidden-size 4 --embedding-size 4 --dense-size 0 --epochs 1 \
         --max-length 24 --batch-size 64 --device cpu --plain --run run";
    let output = gatefold(folder.path(), train).assert().success();
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    (folder, said)
});

fn gatefold(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::cargo_bin("gatefold").unwrap();
    command
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env("GATEFOLD_DATA", folder)
        .env_remove("RUST_LOG");
    command
}

/// A folder with a copy of the run.
struct Copied(TempDir);

impl Copied {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (TRAINED.0.path().join("run"), folder.path().join("run"));
        for sub in ["", "checkpoints"] {
            fs::create_dir(to.join(sub)).unwrap();
            for entry in fs::read_dir(from.join(sub)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() {
                    fs::copy(entry.path(), to.join(sub).join(entry.file_name())).unwrap();
                }
            }
        }
        Self(folder)
    }

    fn gatefold(&self, arguments: &str) -> Command {
        gatefold(self.0.path(), arguments)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn remove(&self, files: &[&str]) {
        let remove = |file| fs::remove_file(self.path("run").join(file)).unwrap();
        files.iter().for_each(remove);
    }

    fn ngrams(&self) -> Vec<u8> {
        fs::read(self.path("run/ngrams.safetensors")).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &str) -> Vec<Value> {
        let output = self.gatefold(arguments).assert().success();
        let lines = String::from_utf8(output.get_output().stdout.clone()).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[test]
fn what_is_tested_evaluated_and_predicted_is_the_blend() {
    let copy = Copied::new();
    let summary: Value =
        serde_json::from_slice(&fs::read(copy.path("run/summary.json")).unwrap()).unwrap();
    let (test, said) = (&summary["ngrams"]["test"], &TRAINED.1);
    assert_eq!(summary["test_accuracy"], test["both"]["accuracy"]);
    for part in ["network", "ngrams"] {
        let alone = test[part]["accuracy"].as_f64().unwrap();
        assert!(said.contains(&format!("alone: {alone:.4}")), "{said}");
        let validation = &summary["ngrams"]["validation"];
        let loss = |part: &str| validation[part]["loss"].as_f64().unwrap();
        assert!(loss("both") <= loss(part));
    }
    let page = fs::read_to_string(copy.path("run/report.html")).unwrap();
    assert!(page.contains("of the n-grams alone"));

    let evaluated = &copy.json("evaluate run --device cpu --format json")[0];
    assert_eq!(
        evaluated["accuracy"].as_f64(),
        test["both"]["accuracy"].as_f64()
    );
    let difference = evaluated["loss"].as_f64().unwrap() - summary["test_loss"].as_f64().unwrap();
    assert!(difference.abs() < 1e-6, "{difference}");

    let table = "text,label\ngood film,positive\nbad film,negative\nnot once dull,positive\n\
         what a waste,negative\nthe plot is dull and the acting is worse,negative\n";
    fs::write(copy.path("table.csv"), table).unwrap();
    let answers = copy.json("predict run --dataset table.csv --device cpu --format json");
    let labels = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').nth(1).unwrap());
    let right = answers
        .iter()
        .zip(labels)
        .filter(|(answer, label)| answer["label"] == *label);
    let evaluated = &copy.json("evaluate run --dataset table.csv --device cpu --format json")[0];
    let share = evaluated["accuracy"].as_f64().unwrap();
    assert_eq!(right.count() as f64, (5.0 * share).round());

    copy.gatefold("explain run dull --device cpu")
        .assert()
        .success()
        .stderr(contains("the network alone"));
    copy.gatefold("export run --format onnx --out network.onnx")
        .assert()
        .success()
        .stderr(contains("the network alone is exported"));
}

#[test]
fn a_run_that_ended_before_its_n_grams_is_finished_by_going_on() {
    let copy = Copied::new();
    let whole = copy.ngrams();
    let made_last = [
        "ngrams.safetensors",
        "evaluation.json",
        "summary.json",
        "report.html",
    ];
    // Killed before they were written, or before what follows; or they were lost.
    for (files, is_answered) in [
        (&made_last[..], false),
        (&made_last[1..], true),
        (&made_last[..1], false),
    ] {
        copy.remove(files);
        if !is_answered {
            for ask in ["evaluate run --device cpu", "predict run dull --device cpu"] {
                copy.gatefold(ask)
                    .assert()
                    .code(1)
                    .stderr(contains("there is no ngrams.safetensors"));
            }
        }
        copy.gatefold("train --resume run --device cpu --plain")
            .assert()
            .success();
        assert_eq!(copy.ngrams(), whole);
        assert!(copy.path("run/report.html").is_file());
    }
    copy.gatefold("train --resume run --device cpu")
        .assert()
        .code(1)
        .stderr(contains("is finished"));
    // A longer training has a blend of its own.
    copy.gatefold("train --resume run --epochs 2 --device cpu --plain")
        .assert()
        .success();
    assert_ne!(copy.ngrams(), whole);
}

#[test]
fn a_damaged_file_and_what_has_no_n_grams_are_refused() {
    let copy = Copied::new();
    let mut bytes = copy.ngrams();
    bytes.truncate(bytes.len() / 2);
    fs::write(copy.path("run/ngrams.safetensors"), bytes).unwrap();
    copy.gatefold("predict run dull --device cpu")
        .assert()
        .code(1)
        .stderr(contains("ngrams.safetensors is damaged"));
    copy.gatefold("train --ngrams 4 --device cpu")
        .assert()
        .code(2)
        .stderr(contains("ngrams are of 1 to 3 tokens"));
    copy.gatefold("train --dataset adding --ngrams 2 --device cpu")
        .assert()
        .code(1)
        .stderr(contains("ngrams are for texts"));
}
