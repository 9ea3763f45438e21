//! Labels and parts of one's own table, from the file to the answers.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// So small that a training takes no time.
const SMALL: &str = "--device=cpu --plain --hidden-size=8 --embedding-size=8 --dense-size=8 --epochs=8 --batch-size=8 \
                     --learning-rate=0.03 --max-length=8 --vocabulary-size=200 --run=run";

struct Folder(TempDir);

impl Folder {
    /// With a table of these columns and rows.
    fn with(columns: &str, rows: impl Iterator<Item = String>) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let rows: String = rows.map(|row| row + "\n").collect();
        fs::write(folder.path("table.csv"), format!("{columns}\n{rows}")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn gatefold(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command.args(arguments).current_dir(self.0.path());
        command.env("GATEFOLD_DATA", self.path("none"));
        command
    }

    fn train(&self, flags: &[&str]) -> assert_cmd::assert::Assert {
        let small: Vec<&str> = SMALL.split_whitespace().collect();
        self.gatefold(&[&["train", "--dataset", "table.csv"], &small[..], flags].concat())
            .assert()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let all = [arguments, &["--device=cpu", "--format=json"]].concat();
        let output = self.gatefold(&all).assert().success().get_output().clone();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn labels_are_named_and_ordered_for_the_run_and_for_tables_to_come() {
    // Columns with well-known names, and labels of which one is not wanted.
    let words = ["awful", "lovely", "plain"];
    let row = |row: usize| {
        let rating = ["0.0", "4.0", "2.0"][row % 3];
        format!("{row},{} soup {row},{rating}", words[row % 3])
    };
    let folder = Folder::with("id,review,rating", (0..120).map(row));
    folder
        .train(&["--labels", "0=bad,4=good"])
        .success()
        .stderr(contains(
            "the texts are those of column `review`, the labels those of `rating`",
        ))
        .stderr(contains(
            "40 of 120 rows are left out for their labels: `2.0`",
        ))
        .stderr(contains("of the two labels `good` is the positive one"));
    let labels = fs::read_to_string(folder.path("run/labels.json")).unwrap();
    assert_eq!(labels, r#"["bad","good"]"#);
    // Another table is read with the run's columns and names.
    let other: String = (200..230)
        .map(|i| format!("{} soup,{},{}\n", words[i % 3], i, [0, 4, 2][i % 3]))
        .collect();
    fs::write(
        folder.path("other.csv"),
        format!("review,id,rating\n{other}"),
    )
    .unwrap();
    let result = folder.json(&["evaluate", "run", "--dataset", "other.csv"]);
    assert_eq!(result["examples"], 20);
    assert!(result["accuracy"].as_f64().unwrap() > 0.9, "{result}");
    // The run's own table has its own test part: of 80 rows a fifth.
    assert_eq!(folder.json(&["evaluate", "run"])["examples"], 16);
}

#[test]
fn a_row_may_have_several_labels_and_each_is_answered() {
    let row = |row: usize| {
        let (hot, sweet) = (row.is_multiple_of(2), row.is_multiple_of(3));
        let text = [
            hot.then_some("chilli"),
            sweet.then_some("sugar"),
            Some("rice"),
        ];
        let labels = [hot.then_some("hot"), sweet.then_some("sweet")];
        let text: Vec<&str> = text.into_iter().flatten().collect();
        let labels: Vec<&str> = labels.into_iter().flatten().collect();
        format!("{} {row},{}", text.join(" "), labels.join("; "))
    };
    let folder = Folder::with("text,label", (0..180).map(row));
    folder.train(&["--label-separator", ";"]).success();
    let config = fs::read_to_string(folder.path("run/config.toml")).unwrap();
    assert!(config.contains("objective = \"multi-label\""), "{config}");
    let answer = folder.json(&["predict", "run", "chilli sugar rice"]);
    assert_eq!(
        answer["labels"],
        serde_json::json!(["hot", "sweet"]),
        "{answer}"
    );
    assert_eq!(
        folder.json(&["predict", "run", "rice"])["labels"],
        serde_json::json!([])
    );
    let result = folder.json(&["evaluate", "run"]);
    assert!(result["accuracy"].as_f64().unwrap() > 0.9, "{result}");
    let train = |run, flag: [&str; 2]| {
        let table = ["train", "--dataset", "table.csv", "--device=cpu", "--plain"];
        let flags = ["--label-separator", ";", "--epochs", "2", "--run", run];
        folder
            .gatefold(&[&table[..], &flags, &flag].concat())
            .assert()
    };
    train("balanced", ["--class-weights", "balanced"])
        .code(1)
        .stderr(contains("where an example may have several labels"));
    train("f1", ["--keep", "f1"]).success();
    let metrics = fs::read_to_string(folder.path("f1/metrics.jsonl")).unwrap();
    assert!(metrics.contains("validation_f1"), "{metrics}");
}

#[test]
fn parts_are_stratified_and_what_cannot_be_is_said_with_a_way_on() {
    let label = |row: usize| if row < 90 { "usual" } else { "rare" };
    let folder = Folder::with(
        "text,label",
        (0..100).map(|i| format!("{} words {i},{}", label(i), label(i))),
    );
    folder
        .train(&[
            "--class-weights",
            "balanced",
            "--validation-fraction",
            "0.25",
        ])
        .success()
        .stderr(contains("60 to train on, 20 to validate, 20 to test"));
    let config = fs::read_to_string(folder.path("run/config.toml")).unwrap();
    assert!(config.contains("class_weights = \"balanced\""), "{config}");
    let confusion = folder.json(&["evaluate", "run"]);
    assert!(confusion["accuracy"].as_f64().unwrap() > 0.9, "{confusion}");

    let folder = Folder::with(
        "text,label",
        (0..42).map(|i| format!("words {i},{}", ["a", "b", "c"][i / 20])),
    );
    folder
        .train(&[])
        .code(1)
        .stderr(contains("`c` has 2 rows, too few for 3 parts").and(contains("`c=`")));
    folder
        .train(&["--labels", "c="])
        .success()
        .stderr(contains("2 of 42 rows are left out for their labels: `c`"));
    folder
        .train(&["--labels", "a=b=c"])
        .failure()
        .stderr(contains("has more than one equals sign"));
}

#[test]
fn a_run_of_an_earlier_version_is_not_tested_on_rows_that_it_was_trained_on() {
    let folder = Folder::with(
        "text,label",
        (0..60).map(|i| format!("{} {i},{}", ["good", "bad"][i % 2], i % 2)),
    );
    folder.train(&[]).success();
    let path = folder.path("run/config.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("split = \"stratified\"\n", "")).unwrap();
    folder
        .gatefold(&["evaluate", "run", "--device=cpu"])
        .assert()
        .code(1)
        .stderr(contains("an earlier version trained this run").and(contains("--test-data")));
}
