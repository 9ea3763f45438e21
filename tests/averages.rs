//! The mean of several runs' answers, tested and asked.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// So small that a training takes no time.
const SMALL: &str = "--device=cpu --plain --embedding-size=8 --dense-size=8 --epochs=2 --batch-size=16 \
                     --learning-rate=0.02 --vocabulary-size=60";

/// A folder with tables of texts, of which one word tells the class.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.table("films.csv", &["bad", "good"], 0);
        folder
    }

    /// A table whose labels are these words.
    fn table(&self, name: &str, words: &[&str], first: usize) {
        let rows = (first..first + 120).map(|row| {
            let word = words[row % words.len()];
            format!("a{} {word} film of b{},{word}\n", row % 7, row / 3)
        });
        let rows: String = rows.collect();
        fs::write(self.path(name), "text,label\n".to_owned() + &rows).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn gatefold(&self, line: &str) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(line.split_whitespace())
            .current_dir(self.0.path())
            .env("GATEFOLD_DATA", self.path("none"))
            .env_remove("RUST_LOG");
        command
    }

    fn train(&self, run: &str, more: &str) {
        let train = format!("train {SMALL} --run {run} {more}");
        self.gatefold(&train).assert().success();
    }

    fn output(&self, line: &str) -> String {
        let answered = self.gatefold(&format!("{line} --device=cpu")).assert();
        let answered = answered.success().get_output().clone();
        String::from_utf8(answered.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Vec<Value> {
        let output = self.output(&format!("{line} --format=json"));
        let lines = output.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The log-odds of a label of two in each answer to the table.
    fn log_odds(&self, predict: &str, [label, other]: [&str; 2]) -> Vec<f64> {
        let answers = self.json(&format!("{predict} --dataset films.csv"));
        let of = |answer: &Value| {
            let share = |label: &str| answer["probabilities"][label].as_f64().unwrap();
            (share(label) / share(other)).ln()
        };
        answers.iter().map(of).collect()
    }
}

const TRAIN: &str = "--dataset films.csv --hidden-size 8 --max-length 8";

fn assert_means(found: &[f64], runs: &[Vec<f64>]) {
    assert!(!found.is_empty());
    for (place, found) in found.iter().enumerate() {
        let sum: f64 = runs.iter().map(|run| run[place]).sum();
        let expected = sum / runs.len() as f64;
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
    assert_ne!(runs[0], runs[1]);
}

#[test]
fn a_run_with_itself_answers_as_alone() {
    let folder = Folder::new();
    folder.train("run", TRAIN);
    let mut together = folder.json("evaluate run run").remove(0);
    let alone = folder.json("evaluate run").remove(0);
    let runs = together.as_object_mut().unwrap().remove("runs").unwrap();
    assert_eq!(together, alone);
    for run in runs.as_array().unwrap() {
        assert_eq!(run["run"], "run");
        assert_eq!(
            (&run["loss"], &run["accuracy"]),
            (&alone["loss"], &alone["accuracy"])
        );
    }
    for format in ["json", "csv", "text"] {
        let ask = format!("--dataset films.csv --format {format}");
        assert_eq!(
            folder.output(&format!("predict run --with run {ask}")),
            folder.output(&format!("predict run {ask}"))
        );
    }
}

#[test]
fn runs_of_several_seeds_answer_with_their_mean_log_odds() {
    let folder = Folder::new();
    folder.train("seeds", &format!("{TRAIN} --seeds 5,6"));
    let [one, two] = ["seeds/seed-5", "seeds/seed-6"];
    let names = ["good", "bad"];
    let odds = |predict: &str| folder.log_odds(predict, names);
    let alone = [one, two].map(|run| odds(&format!("predict {run}")));
    assert_means(&odds("predict seeds"), &alone);
    assert_means(&odds(&format!("predict {two} --with {one}")), &alone);

    let tested = folder.json("evaluate seeds").remove(0);
    let runs = tested["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for (run, name) in runs.iter().zip([one, two]) {
        let alone = folder.json(&format!("evaluate {name}")).remove(0);
        assert_eq!(run["run"], name);
        assert_eq!(run["accuracy"], alone["accuracy"]);
    }
    let text = folder.output("evaluate seeds");
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("the mean of 2 runs"), "{text}");
    assert!(lines[1].starts_with("seeds/seed-5: loss "), "{text}");
    assert!(lines[2].starts_with("seeds/seed-6: loss "), "{text}");
}

#[test]
fn runs_may_read_otherwise_and_name_their_labels_in_another_order() {
    let folder = Folder::new();
    folder.train("run", TRAIN);
    folder.train(
        "other",
        "--dataset films.csv --hidden-size 5 --cell gru --layers 2 --max-length 3 --tokenizer unicode --labels \
         good,bad --seed 3",
    );
    let of = |run: &str| fs::read_to_string(folder.path(run).join("labels.json")).unwrap();
    assert_eq!(
        [of("run"), of("other")],
        [r#"["bad","good"]"#, r#"["good","bad"]"#]
    );
    let names = ["good", "bad"];
    let odds = |predict: &str| folder.log_odds(predict, names);
    let alone = [odds("predict run"), odds("predict other")];
    assert_means(&odds("predict run --with other"), &alone);
    assert_means(&odds("predict other --with run"), &alone);
    let loss = |runs: &str| {
        let tested = folder.json(&format!(
            "evaluate {runs} --dataset films.csv --test-data films.csv"
        ));
        tested[0]["loss"].as_f64().unwrap()
    };
    assert!((loss("run other") - loss("other run")).abs() < 1e-5);
}

#[test]
fn what_any_of_the_runs_was_trained_on_is_counted() {
    let folder = Folder::new();
    folder.table("more.csv", &["bad", "good"], 500);
    folder.train("run", TRAIN);
    folder.train("other", &TRAIN.replace("films", "more"));
    let evaluate = |runs: &str| {
        folder
            .json(&format!("evaluate {runs} --dataset new.csv"))
            .remove(0)
    };
    let rows = |name: &str| fs::read_to_string(folder.path(name)).unwrap();
    let films = rows("films.csv");
    let all = rows("more.csv").replace("text,label\n", &films);
    fs::write(folder.path("new.csv"), all).unwrap();
    let count = |tested: &Value| tested["trained_on"].as_u64().unwrap();
    let (run, other, both) = (evaluate("run"), evaluate("other"), evaluate("run other"));
    assert!(count(&both) > count(&run).max(count(&other)), "{both}");
    let others = both["others"]["examples"].as_u64().unwrap();
    assert_eq!(others + count(&both), 240);
    fs::remove_file(folder.path("other/seen.bin")).unwrap();
    let untold = folder.gatefold("evaluate run other --dataset new.csv --device=cpu");
    { untold }.assert().success().stderr(
        contains("an earlier version trained the run other").and(contains("were trained on")),
    );
    assert_eq!(evaluate("run other").get("trained_on"), None);
}

#[test]
fn runs_that_answer_different_questions_are_refused() {
    let folder = Folder::new();
    folder.table("soups.csv", &["hot", "cold"], 0);
    folder.train("films", TRAIN);
    folder.train("soups", &TRAIN.replace("films", "soups"));
    let sums = "train --dataset adding --length 10 --hidden-size 4 --epochs 1 --device cpu --plain --run sums";
    folder.gatefold(sums).assert().success();
    for (other, reason) in [
        ("soups", "the second has no label `bad`"),
        (
            "sums",
            "the first reads texts, the second 2 numbers a timestep",
        ),
        ("nowhere", "nowhere is no finished run"),
    ] {
        for line in [
            format!("evaluate films {other}"),
            format!("predict films --with {other} good"),
        ] {
            let refused = folder.gatefold(&line).assert().code(1).stdout("");
            let refused = refused.stderr(contains(reason));
            if other != "nowhere" {
                refused.stderr(contains(format!(
                    "the answers of films and {other} have no mean"
                )));
            }
        }
    }
    folder.gatefold("evaluate").assert().code(2);
}
