//! Tables and folders of one's own, as people have them, with the program.

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// The program in a folder of its own.
struct Sandbox(TempDir);

impl Sandbox {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn gatefold(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("GATEFOLD_DATA", self.path("data"))
            .env_remove("RUST_LOG");
        command
    }

    fn info(&self, arguments: &[&str]) -> Value {
        let arguments = [&["dataset", "info", "--format", "json"], arguments].concat();
        let output = self
            .gatefold(&arguments)
            .assert()
            .success()
            .get_output()
            .clone();
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A table of 40 rows, of which `row` writes each from its text and its label.
fn table(header: &str, row: impl Fn(String, &str) -> String) -> String {
    let rows = (0..40).map(|index| match index % 2 {
        0 => row(format!("lovely soup number {index}"), "good"),
        _ => row(format!("awful broth number {index}"), "bad"),
    });
    header.to_owned() + &rows.collect::<String>()
}

fn examples(info: &Value) -> u64 {
    ["train", "validation", "test"]
        .into_iter()
        .filter_map(|part| info[part]["examples"].as_u64())
        .sum()
}

#[test]
fn every_form_of_a_table_is_understood_and_told() {
    let semicolons = table("text;label\n", |text, label| {
        format!("{text}, really;{label}\n")
    });
    let utf16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(
            table("text\tlabel\r\n", |text, label| {
                format!("{text}\t{label}\r\n")
            })
            .encode_utf16(),
        )
        .flat_map(u16::to_le_bytes)
        .collect();
    let objects: Vec<String> = (0..40)
        .map(|row| format!("{{\"text\": \"number {row}\", \"label\": {}}}", row % 3 + 1))
        .collect();
    let array = format!("[{}]", objects.join(",\n"));
    let sandbox = Sandbox::with(&[
        ("europe.csv", semicolons.as_bytes()),
        ("wide.txt", &utf16),
        ("array.json", array.as_bytes()),
    ]);
    for (name, form) in [
        (
            "europe.csv",
            "europe.csv: values separated by semicolons, in UTF-8",
        ),
        (
            "wide.txt",
            "wide.txt: values separated by tabs, in UTF-16LE",
        ),
        (
            "array.json",
            "array.json: a JSON array of objects, in UTF-8",
        ),
    ] {
        let info = sandbox.info(&[name]);
        assert_eq!(examples(&info), 40, "{name}");
        let notes = info["notes"].as_array().unwrap();
        assert!(notes.iter().any(|note| note["text"] == form), "{notes:?}");
        assert_eq!(info["rows"].as_array().unwrap().len(), 10);
        sandbox
            .gatefold(&["dataset", "info", name])
            .assert()
            .success()
            .stderr(contains(form));
    }
}

#[test]
fn flags_say_how_a_table_is_written() {
    let rows = table("", |text, label| format!("{label}~{text} caf\u{e9}\n"));
    let latin: Vec<u8> = rows.chars().map(|character| character as u8).collect();
    let sandbox = Sandbox::with(&[("posts.txt", &latin)]);
    let columns = ["posts.txt", "--text-column", "2", "--label-column", "1"];
    let flags = ["--separator", "~", "--no-header", "--encoding", "latin-1"];
    let info = sandbox.info(&[&columns[..], &flags].concat());
    assert_eq!(examples(&info), 40);
    assert_eq!(info["train"]["labels"][0]["label"], "bad");
    let first = info["rows"][0]["text"].as_str().unwrap();
    assert!(first.ends_with(" caf\u{e9}"), "{first}");
    let without = [&["dataset", "info"], &columns[..], &flags[..3]].concat();
    sandbox
        .gatefold(&without)
        .assert()
        .failure()
        .code(1)
        .stderr(contains("line 1, column").and(contains("`--encoding windows-1252`")));
    for (flag, value) in [
        ("--separator", "ab"),
        ("--encoding", "klingon"),
        ("--quoting", "some"),
    ] {
        let arguments = ["dataset", "info", "posts.txt", flag, value];
        sandbox.gatefold(&arguments).assert().code(2);
    }
    sandbox
        .gatefold(&["dataset", "info", "reviews", "--no-header"])
        .assert()
        .failure()
        .stderr(contains(
            "reviews is built in: --no-header does nothing there",
        ));
}

#[test]
fn a_name_that_is_none_is_answered_with_the_one_that_was_meant() {
    let sandbox = Sandbox::with(&[]);
    for (name, expected) in [
        (
            "imbd",
            "there is no dataset or file `imbd`; did you mean `imdb`?",
        ),
        (
            "films.csv",
            "films.csv: there is no such file or folder, nor a dataset of that name",
        ),
    ] {
        sandbox
            .gatefold(&["dataset", "info", name])
            .assert()
            .failure()
            .stderr(contains(expected));
    }
}

#[test]
fn a_folder_of_folders_is_trained_on_and_tested() {
    let files: Vec<(String, String)> = (0..40)
        .map(|text| match text % 2 {
            0 => (
                format!("mail/train/ham/{text}.txt"),
                format!("lovely note {text}"),
            ),
            _ => (
                format!("mail/train/spam/{text}.txt"),
                format!("awful offer {text}"),
            ),
        })
        .collect();
    let mut files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    files.extend([
        ("mail/test/ham/1.txt", &b"lovely"[..]),
        ("mail/test/spam/1.txt", b"awful"),
        ("mail/train/unsup/1.txt", b"who knows"),
    ]);
    let sandbox = Sandbox::with(&files);
    let info = sandbox.info(&["mail"]);
    assert_eq!(examples(&info), 42);
    assert_eq!(info["test"]["labels"][1]["label"], "spam");
    let small = [
        "--hidden-size",
        "8",
        "--epochs",
        "1",
        "--device",
        "cpu",
        "--plain",
    ];
    let train = ["train", "--dataset", "mail", "--run", "run"];
    sandbox
        .gatefold(&[&train[..], &small].concat())
        .assert()
        .success()
        .stderr(contains("`unsup`, texts without a label, is left out"));
    sandbox
        .gatefold(&["evaluate", "run", "--device", "cpu"])
        .assert()
        .success();
}

#[test]
fn imdb_is_found_one_folder_deeper() {
    let files: Vec<String> = [
        "train/pos",
        "train/neg",
        "test/pos",
        "test/neg",
        "train/unsup",
    ]
    .into_iter()
    .flat_map(|folder| (0..4).map(move |text| format!("aclImdb_v1/aclImdb/{folder}/{text}_7.txt")))
    .collect();
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|name| (name.as_str(), &b"a film"[..]))
        .collect();
    let sandbox = Sandbox::with(&files);
    let by_name = sandbox.info(&["imdb", "--data", "aclImdb_v1"]);
    assert_eq!(examples(&by_name), 16);
    assert_eq!(sandbox.info(&["aclImdb_v1"]), by_name);
}
