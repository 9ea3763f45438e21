//! What a result is worth: what was tested, beside what, and what of it is chance.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// The program in an empty folder of its own.
struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
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
            .env("GATEFOLD_DATA", self.path("data"))
            .env_remove("RUST_LOG");
        command
    }

    /// Trains a tiny network.
    fn train(&self, arguments: &str) -> Command {
        let tiny = "--device cpu --plain --hidden-size 4 --embedding-size 4 --dense-size 0 --batch-size 16";
        self.gatefold(&format!("train {tiny} {arguments}"))
    }

    /// The JSON lines of a successful call.
    fn json_lines(&self, arguments: &str) -> Vec<Value> {
        let mut command = self.gatefold(&format!("{arguments} --format json --device cpu"));
        let output = command.unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// A table of 200 texts, all different, of which `label` says the label by number.
    fn table(&self, name: &str, first: usize, label: impl Fn(usize) -> &'static str) {
        let mut text = String::from("text,label\n");
        for i in first..first + 200 {
            let word = ["bad", "good"][i % 2];
            writeln!(
                text,
                "\"a {word} film of w{} and w{}\",{}",
                i % 89,
                i % 97,
                label(i)
            )
            .unwrap();
        }
        fs::write(self.path(name), text).unwrap();
    }

    /// A table on which the word `good` or `bad` decides.
    fn films(&self, name: &str, first: usize) {
        self.table(name, first, |i| ["neg", "pos"][i % 2]);
    }

    fn summary(&self, run: &str) -> Value {
        let text = fs::read(self.path(run).join("summary.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }
}

#[test]
fn the_runs_own_table_is_known_again_and_its_test_part_is_tested() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    sandbox
        .train("--dataset films.csv --epochs 1 --run run")
        .assert()
        .success();
    let own = sandbox.json_lines("evaluate run");
    assert_eq!(own[0]["examples"], 40);
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    fs::copy(
        sandbox.path("films.csv"),
        sandbox.path("elsewhere/renamed.csv"),
    )
    .unwrap();
    for name in ["films.csv", "elsewhere/renamed.csv"] {
        let again = format!("evaluate run --dataset {name}");
        assert_eq!(sandbox.json_lines(&again), own, "{name}");
        sandbox
            .gatefold(&again)
            .assert()
            .success()
            .stderr(contains("is the table that the run was trained on"));
    }
}

#[test]
fn what_another_table_shares_with_the_training_part_is_said() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    sandbox.films("shared.csv", 100);
    sandbox
        .train("--dataset films.csv --epochs 1 --vocabulary-size 300 --run run")
        .assert()
        .success();
    // 100 rows are new, and about a fifth of the others were the run's test part.
    let tested = &sandbox.json_lines("evaluate run --dataset shared.csv")[0];
    let trained_on = tested["trained_on"].as_u64().unwrap();
    assert!((60..=95).contains(&trained_on), "{tested}");
    assert_eq!(tested["examples"], 200);
    assert_eq!(tested["others"]["examples"], 200 - trained_on);
    sandbox
        .gatefold("evaluate run --dataset shared.csv --device cpu")
        .assert()
        .success()
        .stderr(contains(
            "of the 200 tested texts were trained on; the others alone:",
        ));
    sandbox.films("new.csv", 5000);
    let tested = &sandbox.json_lines("evaluate run --dataset new.csv")[0];
    assert_eq!(tested["trained_on"], 0);
}

#[test]
fn a_table_that_was_changed_in_place_is_tested_as_another_one_alone() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    sandbox
        .train("--dataset films.csv --epochs 1 --run run")
        .assert()
        .success();
    let mut text = fs::read_to_string(sandbox.path("films.csv")).unwrap();
    text += "\"one more good film\",pos\n";
    fs::write(sandbox.path("films.csv"), text).unwrap();
    sandbox
        .gatefold("evaluate run --device cpu")
        .assert()
        .code(1)
        .stderr(
            contains("films.csv has changed since the run was trained")
                .and(contains("evaluate run --dataset ")),
        );
    sandbox
        .gatefold("evaluate run --device cpu --dataset films.csv")
        .assert()
        .success()
        .stdout(contains("over 201 test texts"))
        .stderr(
            contains("it is tested as another table")
                .and(contains("of the 201 tested texts were trained on")),
        );
    // What is tested is another file.
    sandbox.films("new.csv", 5000);
    sandbox
        .gatefold("evaluate run --device cpu --test-data new.csv")
        .assert()
        .success();
}

#[test]
fn a_test_part_that_is_cut_otherwise_is_known_by_what_was_trained_on() {
    let sandbox = Sandbox::new();
    let rows = |i: usize| {
        let (word, label) = [("bad", "neg"), ("good", "pos")][i % 2];
        format!("a {word} film by author {i},{label},{}\n", i / 5)
    };
    let table = (0..200).map(rows).collect::<String>();
    fs::write(
        sandbox.path("films.csv"),
        format!("text,label,author\n{table}"),
    )
    .unwrap();
    // By letters, no text is read as another.
    let train = "--tokenizer characters --epochs 1";
    sandbox
        .train(&format!("{train} --dataset films.csv --run run"))
        .assert()
        .success();
    assert_eq!(sandbox.json_lines("evaluate run")[0]["trained_on"], 0);
    for dataset in ["", "--dataset films.csv"] {
        sandbox
            .gatefold(&format!(
                "evaluate run --device cpu {dataset} --group-column author"
            ))
            .assert()
            .success()
            .stderr(contains("tested texts were trained on; the others alone"));
    }

    for i in 0..120 {
        let (word, label) = [("bad", "neg"), ("good", "pos")][i % 2];
        let folder = sandbox.path("texts").join(label);
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join(format!("{i}.txt")),
            format!("a {word} film, number {i}"),
        )
        .unwrap();
    }
    sandbox
        .train(&format!("{train} --dataset texts --run folder"))
        .assert()
        .success();
    assert_eq!(sandbox.json_lines("evaluate folder")[0]["trained_on"], 0);
    for i in 0..20 {
        let path = sandbox.path("texts").join(format!("neg/0{i}.txt"));
        fs::write(path, format!("a bad film, the new one {i}")).unwrap();
    }
    let tested = &sandbox.json_lines("evaluate folder")[0];
    assert!(tested["trained_on"].as_u64().unwrap() > 0, "{tested}");
}

#[test]
fn a_share_to_test_on_is_refused_where_a_run_is_tested() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    sandbox
        .train("--dataset films.csv --epochs 1 --run run")
        .assert()
        .success();
    for other in ["", "--dataset films.csv"] {
        sandbox
            .gatefold(&format!("evaluate run --test-fraction 0.5 {other}"))
            .assert()
            .code(2)
            .stderr(contains("--test-fraction must be left out"));
    }
}

#[test]
fn a_table_that_moved_is_named_with_data() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    sandbox.films("other.csv", 7);
    sandbox
        .train("--dataset films.csv --epochs 2 --run run")
        .assert()
        .success();
    let own = sandbox.json_lines("evaluate run");
    fs::rename(sandbox.path("films.csv"), sandbox.path("moved.csv")).unwrap();
    sandbox
        .gatefold("evaluate run --device cpu")
        .assert()
        .code(1)
        .stderr(contains("films.csv is not there").and(contains("evaluate run --data PATH")));
    assert_eq!(sandbox.json_lines("evaluate run --data moved.csv"), own);
    sandbox
        .gatefold("evaluate run --data other.csv --device cpu")
        .assert()
        .code(1)
        .stderr(
            contains("--dataset PATH")
                .and(contains("is not the table that the run was trained on")),
        );

    // As if it had been stopped at the very end.
    let weights = fs::read(sandbox.path("run/model.safetensors")).unwrap();
    for file in ["summary.json", "report.html", "model.safetensors"] {
        fs::remove_file(sandbox.path("run").join(file)).unwrap();
    }
    let resume = "train --plain --device cpu --resume run";
    sandbox
        .gatefold(resume)
        .assert()
        .code(1)
        .stderr(contains("train --resume run --data PATH"));
    sandbox
        .gatefold(&format!("{resume} --data other.csv"))
        .assert()
        .code(1)
        .stderr(contains("is not the table"));
    sandbox
        .gatefold(&format!("{resume} --data moved.csv"))
        .assert()
        .success();
    assert_eq!(
        fs::read(sandbox.path("run/model.safetensors")).unwrap(),
        weights
    );
    // The run names it from now on.
    assert_eq!(sandbox.json_lines("evaluate run"), own);
}

#[test]
fn seeds_give_mean_and_deviation() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    let train = sandbox
        .train("--dataset films.csv --epochs 1 --seed 7 --seeds 3 --run seeds --format json")
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let lines = String::from_utf8(train).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 4);
    let mut accuracies = Vec::new();
    for (line, seed) in lines.iter().zip([7, 8, 9]) {
        assert_eq!(line["seed"], seed);
        let summary = sandbox.summary(&format!("seeds/seed-{seed}"));
        assert_eq!(summary["test_accuracy"], line["test_accuracy"]);
        accuracies.push(line["test_accuracy"].as_f64().unwrap());
    }
    let mean = lines[3]["mean_test_accuracy"].as_f64().unwrap();
    assert!((mean - accuracies.iter().sum::<f64>() / 3.0).abs() < 1e-9);
    let report = fs::read_to_string(sandbox.path("seeds/report.html")).unwrap();
    assert!(report.contains("only the seed differs"), "{report}");
    sandbox
        .train("--dataset films.csv --seeds 1")
        .assert()
        .code(2)
        .stderr(contains("a single one is --seed"));
}

#[test]
fn no_difference_within_chance_is_called_one() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    let compare = "compare --dataset films.csv --cells gru,rnn --epochs 1 --hidden-size 4 --embedding-size 4 \
                   --dense-size 0 --batch-size 16 --no-memory-tasks";
    sandbox
        .gatefold(&format!("{compare} --run one"))
        .assert()
        .success()
        .stdout(contains("With one seed each, accuracies up to about"));
    let lines = sandbox.json_lines(&format!("{compare} --seeds 3,5 --run several"));
    assert_eq!(lines.len(), 4 + 2 + 1);
    let difference = &lines[6];
    let [first, second] = [0, 1].map(|i| difference["means"][i].as_f64().unwrap());
    let chance = difference["chance"].as_f64().unwrap();
    assert_eq!(
        difference["larger_than_chance"],
        (first - second).abs() > chance
    );
    assert!(sandbox.path("several/gru-seed-5/summary.json").is_file());
    let report = fs::read_to_string(sandbox.path("several/report.html")).unwrap();
    assert!(report.contains("A difference counts where"), "{report}");
}

#[test]
fn a_linear_model_is_trained_beside() {
    let sandbox = Sandbox::new();
    sandbox.films("films.csv", 0);
    sandbox
        .train("--dataset films.csv --epochs 4 --learning-rate 0.05 --run run")
        .assert()
        .success()
        .stderr(contains("a bag of words with logistic regression: 1.0000"));
    assert_eq!(sandbox.summary("run")["baseline_accuracy"], 1.0);
    let report = fs::read_to_string(sandbox.path("run/report.html")).unwrap();
    assert!(report.contains("linear baseline"), "{report}");
}

#[test]
fn a_run_that_ends_at_chance_says_so_and_what_to_try() {
    let sandbox = Sandbox::new();
    // Labels that follow from nothing.
    sandbox.table("noise.csv", 0, |i| ["neg", "pos"][i * i % 7 % 2]);
    sandbox
        .train("--dataset noise.csv --epochs 1 --learning-rate 0.00001 --run noise")
        .assert()
        .success()
        .stderr(
            contains("warning: the network is not better than chance")
                .and(contains("more --epochs")),
        );
    let warnings = &sandbox.summary("noise")["warnings"];
    assert!(
        warnings[1].as_str().unwrap().starts_with("to try:"),
        "{warnings}"
    );
    let report = fs::read_to_string(sandbox.path("noise/report.html")).unwrap();
    assert!(report.contains("not better than chance"), "{report}");

    sandbox.films("films.csv", 0);
    sandbox
        .train("--dataset films.csv --epochs 1 --no-mask --learning-rate 0.00001 --run padded")
        .assert()
        .success()
        .stderr(contains("leave --no-mask out").and(contains("there is something to learn")));
}
