//! What the program says of a test, and what it answers: in the terminal, as JSON, as CSV.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with `train.csv`: texts of two classes, of which one word tells which.
struct Folder(TempDir);

/// So small that a training takes no time.
const SMALL: [&str; 11] = [
    "--device=cpu",
    "--plain",
    "--hidden-size=8",
    "--embedding-size=8",
    "--dense-size=8",
    "--epochs=3",
    "--batch-size=16",
    "--learning-rate=0.02",
    "--max-length=8",
    "--vocabulary-size=100",
    "--run=run",
];

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let words = [["bad", "awful", "dull"], ["good", "lovely", "fine"]];
        let rows = (0..120).map(|i| {
            let class = i % 3 % 2;
            let word = words[class][i / 3 % 3];
            format!(
                "the {} was {word},{class}\n",
                ["soup", "tea", "pie"][i % 7 % 3]
            )
        });
        folder.write(
            "train.csv",
            &("text,label\n".to_owned() + &rows.collect::<String>()),
        );
        folder
    }

    /// With a trained run in it.
    fn trained(flags: &[&str]) -> Self {
        let folder = Self::new();
        let train = ["train", "--dataset=train.csv"]
            .iter()
            .chain(&SMALL)
            .chain(flags);
        folder
            .gatefold(&train.copied().collect::<Vec<_>>())
            .assert()
            .success();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    fn gatefold(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("RUST_LOG");
        command
    }

    /// What a successful call writes to standard output.
    fn output(&self, arguments: &[&str]) -> String {
        let output = self.gatefold(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.output(arguments)).unwrap()
    }

    fn read_json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }
}

#[test]
fn a_test_is_scored_class_by_class() {
    let folder = Folder::trained(&[]);
    let found = folder.json(&["evaluate", "run", "--device=cpu", "--format=json"]);
    assert_eq!(found["examples"], 24);
    let largest = found["largest_class_share"].as_f64().unwrap();
    assert!(largest > 0.5 && largest < 1.0, "{largest}");
    let classes = found["classes"].as_array().unwrap();
    let labels: Vec<_> = classes.iter().map(|class| &class["label"]).collect();
    assert_eq!(labels, ["0", "1"]);
    let support: u64 = classes
        .iter()
        .filter_map(|class| class["support"].as_u64())
        .sum();
    assert_eq!(support, 24);
    let matrix = found["confusion"]["matrix"].as_array().unwrap();
    let cells = matrix.iter().flat_map(|row| row.as_array().unwrap());
    assert_eq!(cells.filter_map(Value::as_u64).sum::<u64>(), 24);
    assert!(found["roc"]["area"].as_f64().unwrap() > 0.5, "{found}");
    // The run keeps the same, and its page shows it.
    assert_eq!(folder.read_json("run/evaluation.json"), found);
    let page = fs::read_to_string(folder.path("run/report.html")).unwrap();
    for shown in ["Class by class", "Receiver operating", "Calibration"] {
        assert!(page.contains(shown), "{shown}");
    }
    let text = folder.output(&["evaluate", "run", "--device=cpu"]);
    for shown in ["macro F1", "weighted mean", "class \\ answer", "ROC"] {
        assert!(text.contains(shown), "{text}");
    }
}

#[test]
fn the_worst_mistakes_are_told_with_their_texts() {
    let folder = Folder::trained(&[]);
    // Labels that are wrong: what is answered rightly is a mistake.
    let rows = [
        "the tea was \u{1b}[31mgood,0",
        "\"the pie\nwas good\",0",
        "the soup was bad,0",
    ];
    folder.write("other.csv", format!("text,label\n{}\n", rows.join("\n")));
    let evaluate = ["evaluate", "run", "--dataset=other.csv", "--device=cpu"];
    let found = folder.json(&[&evaluate[..], &["--format=json"]].concat());
    let mistakes = found["worst_mistakes"].as_array().unwrap();
    let texts: Vec<_> = mistakes
        .iter()
        .filter_map(|mistake| mistake["text"].as_str())
        .collect();
    assert!(texts.contains(&"the pie was good"), "{found}");
    let text = folder.output(&evaluate);
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("\"the pie was good\""), "{text}");
}

#[test]
fn an_epoch_is_kept_by_the_measure_that_was_asked_for() {
    let folder = Folder::trained(&["--keep=f1", "--patience=2"]);
    let metrics = fs::read_to_string(folder.path("run/metrics.jsonl")).unwrap();
    let epochs = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let epochs: Vec<Value> = epochs.collect();
    let f1 = |epoch: &Value| epoch["validation_f1"].as_f64().unwrap();
    let best = epochs.iter().map(f1).fold(0.0, f64::max);
    let summary = folder.read_json("run/summary.json");
    assert_eq!(f1(&summary["best"]), best);
    let page = fs::read_to_string(folder.path("run/report.html")).unwrap();
    assert!(page.contains("highest macro F1"), "{page}");

    let refused = [
        "train",
        "--dataset=adding",
        "--keep=accuracy",
        "--device=cpu",
    ];
    folder
        .gatefold(&refused)
        .assert()
        .failure()
        .stderr(contains("keep must be"));
}
