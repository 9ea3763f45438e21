//! Runs that go on: lengthened, begun from another one's weights, begun from word vectors; and what is said of texts
//! that a network can't read.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with `films.csv`: texts of two classes, of which one word tells which.
struct Folder(TempDir);

const SMALL: &str = "--device cpu --plain --hidden-size 8 --embedding-size 4 --dense-size 4 --batch-size 16 \
     --learning-rate 0.02 --vocabulary-size 100";

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.table("films.csv", &[("good", "pos"), ("bad", "neg")]);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn table(&self, name: &str, classes: &[(&str, &str)]) {
        let mut text = String::from("text,label\n");
        for i in 0..80 {
            let (word, label) = classes[i % classes.len()];
            writeln!(text, "a {word} film number {},{label}", i % 7).unwrap();
        }
        fs::write(self.path(name), text).unwrap();
    }

    fn gatefold(&self, arguments: &str) -> Command {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .env("GATEFOLD_DATA", self.0.path())
            .env_remove("RUST_LOG");
        command
    }

    /// What a successful call says on standard error.
    #[track_caller]
    fn said(&self, arguments: &str) -> String {
        let output = self.gatefold(arguments).assert().success();
        String::from_utf8_lossy(&output.get_output().stderr).into_owned()
    }

    #[track_caller]
    fn train(&self, run: &str, more: &str) -> String {
        self.said(&format!(
            "train --dataset films.csv {SMALL} --run {run} {more}"
        ))
    }

    /// What a failing call says, and its exit code.
    #[track_caller]
    fn refused(&self, code: i32, arguments: &str) -> String {
        let output = self.gatefold(arguments).assert().code(code);
        String::from_utf8_lossy(&output.get_output().stderr).into_owned()
    }

    fn weights(&self, run: &str) -> Vec<u8> {
        fs::read(self.path(run).join("model.safetensors")).unwrap()
    }

    /// A tensor of a run's weights, as bytes.
    fn tensor(&self, run: &str, name: &str) -> Vec<u8> {
        let bytes = self.weights(run);
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        file.tensor(name).unwrap().data().to_vec()
    }

    fn epochs(&self, run: &str) -> usize {
        let metrics = fs::read_to_string(self.path(run).join("metrics.jsonl"));
        metrics.unwrap().lines().count()
    }
}

#[test]
fn a_lengthened_run_is_the_one_that_was_that_long_from_the_beginning() {
    let folder = Folder::new();
    folder.train("whole", "--epochs 5 --dropout 0.2 --warm-up 4");
    folder.train("run", "--epochs 3 --dropout 0.2 --warm-up 4");
    let resume = "train --resume run --device cpu --plain";
    let said = folder.refused(1, resume);
    assert!(said.contains("--resume run --epochs 6"), "{said}");
    for (epochs, why) in [(2, "3 epochs behind it"), (3, "has its 3 epochs")] {
        let said = folder.refused(2, &format!("{resume} --epochs {epochs}"));
        assert!(said.contains(why), "{said}");
    }
    let said = folder.refused(2, &format!("{resume} --epochs 5 --layers 2"));
    assert!(
        said.contains("--layers") && !said.contains("--tokenizer"),
        "{said}"
    );
    let said = folder.said(&format!("{resume} --epochs 5"));
    assert!(said.contains("5 epochs in all"), "{said}");
    assert_eq!(folder.epochs("run"), 5);
    assert_eq!(folder.weights("run"), folder.weights("whole"));
    let config = fs::read_to_string(folder.path("run/config.toml")).unwrap();
    assert!(config.contains("epochs = 5"), "{config}");
    folder.refused(1, resume);

    fs::remove_dir_all(folder.path("run/checkpoints")).unwrap();
    let said = folder.refused(1, &format!("{resume} --epochs 9"));
    assert!(
        said.contains("no checkpoint") && said.contains("--from"),
        "{said}"
    );
    assert!(folder.path("run/summary.json").is_file(), "all is kept");
}

#[test]
fn a_schedule_and_patience_say_what_lengthening_means() {
    let folder = Folder::new();
    folder.train("cosine", "--epochs 2 --schedule cosine");
    let said = folder.said("train --resume cosine --epochs 3 --device cpu --plain");
    assert!(said.contains("the schedule of 3 epochs"), "{said}");
    // At such a rate no epoch is better than the ones before for long.
    folder.said(
        "train --dataset films.csv --device cpu --plain --hidden-size 8 --epochs 50 --patience 1 --learning-rate 1 \
         --run patient",
    );
    assert!(folder.epochs("patient") < 50);
    let said = folder.refused(1, "train --resume patient --epochs 90 --device cpu --plain");
    assert!(
        said.contains("patience") && said.contains("--from patient"),
        "{said}"
    );
}

#[test]
fn a_run_begins_with_another_ones_weights_words_and_labels() {
    let folder = Folder::new();
    folder.train("first", "--epochs 4");
    // The same names, in another order of appearance and with other words.
    folder.table("more.csv", &[("awful", "neg"), ("good", "pos")]);
    let small = "--device cpu --plain --batch-size 16 --epochs 1 --learning-rate 1e-9";
    let said = folder.said(&format!(
        "train --from first --dataset more.csv {small} --run second"
    ));
    assert!(said.contains("begins with the weights of"), "{said}");
    assert!(!said.contains("begins anew"), "{said}");
    let read = |file: &str| fs::read(folder.path(file)).unwrap();
    assert_eq!(
        read("second/vocabulary.json"),
        read("first/vocabulary.json")
    );
    let numbers = |bytes: Vec<u8>| {
        let (numbers, _) = bytes.as_chunks::<4>();
        numbers
            .iter()
            .map(|n| f32::from_le_bytes(*n))
            .collect::<Vec<_>>()
    };
    let same = |name: &str, run: &str| {
        let [a, b] = ["first", run].map(|run| numbers(folder.tensor(run, name)));
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
    };
    for name in ["embedding.weight", "output.weight"] {
        assert!(same(name, "second"), "{name}");
    }

    // Without a dataset it is the run's own; then its answers are better at once than a new network's.
    let said = folder.said(&format!("train --from first {small} --run again"));
    assert!(said.contains("films.csv, which the run names"), "{said}");

    folder.table("topics.csv", &[("good", "a"), ("bad", "b"), ("new", "c")]);
    let said = folder.said(&format!(
        "train --from first --dataset topics.csv {small} --run topics"
    ));
    assert!(said.contains("the output layer begins anew"), "{said}");
    assert!(same("embedding.weight", "topics"));

    for (flags, named) in [
        ("--hidden-size 64", "hidden_size"),
        ("--cell gru", "cell"),
        ("--tokenizer characters", "tokenizer"),
    ] {
        let said = folder.refused(1, &format!("train --from first {small} --run no {flags}"));
        assert!(said.contains(&format!("another {named}")), "{said}");
        assert!(!folder.path("no").exists());
    }

    // It goes on without the run that it began from.
    fs::remove_dir_all(folder.path("first")).unwrap();
    folder.said("train --resume second --epochs 2 --device cpu --plain");
    assert_eq!(folder.epochs("second"), 2);
    assert!(!read("second/vocabulary.json").is_empty());
}

#[test]
fn a_scale_is_taken_over_for_the_same_columns_alone() {
    let folder = Folder::new();
    let rows = (0..200).map(|row| format!("{},{}\n", row % 5, 1000 + row % 7));
    let rows: String = rows.collect();
    fs::write(folder.path("series.csv"), format!("a,b\n{rows}")).unwrap();
    let small = "--device cpu --plain --batch-size 32 --epochs 1 --dataset series.csv --task forecast --window 4";
    let train = format!("train {small} --hidden-size 4");
    folder.said(&format!(
        "{train} --value-columns a,b --target-column a --run first"
    ));
    // The columns that are read are recognised.
    folder.said(&format!("{train} --target-column a,b --run both"));
    let from = |run: &str, flags: &str| format!("train --from {run} {small} {flags}");
    for (run, flags, said) in [
        (
            "first",
            "--value-columns b,a --target-column b",
            "reads `a`, `b`, and this training `b`, `a`",
        ),
        (
            "first",
            "--value-columns a,b --target-column b",
            "has the target `a`, and this training `b`",
        ),
        (
            "both",
            "--value-columns b,a --target-column a,b",
            "reads `a`, `b`, and this training `b`, `a`",
        ),
    ] {
        let refused = folder.refused(1, &format!("{} --run no", from(run, flags)));
        assert!(refused.contains(said), "{refused}");
        assert!(!folder.path("no").exists());
    }
    let said = folder.said(&format!(
        "{} --run second",
        from("first", "--value-columns a,b --target-column a")
    ));
    assert!(!said.contains("begins anew"), "{said}");
    // A run that was begun from another one says which columns it read, too.
    folder.said(&format!(
        "{} --run third",
        from("both", "--target-column a,b")
    ));
    let config = fs::read_to_string(folder.path("third/config.toml")).unwrap();
    assert!(
        config.contains("value_columns = [\n    \"a\",\n    \"b\",\n]"),
        "{config}"
    );
}

#[test]
fn what_the_first_run_was_trained_on_is_told_where_it_is_tested() {
    let folder = Folder::new();
    let table = |name: &str, rows: std::ops::Range<usize>| {
        let mut text = String::from("text,label\n");
        for i in rows {
            let (word, label) = [("good", "pos"), ("bad", "neg")][i % 2];
            writeln!(text, "{} {word},{label}", "film ".repeat(i + 1)).unwrap();
        }
        fs::write(folder.path(name), text).unwrap();
    };
    table("all.csv", 0..60);
    table("new.csv", 100..160);
    table("newer.csv", 200..260);
    let small = "--device cpu --plain --batch-size 16 --epochs 1";
    let first = "--hidden-size 4 --embedding-size 4 --max-length 300";
    folder.said(&format!(
        "train --dataset all.csv {small} {first} --run first"
    ));
    let said =
        |from: &str, flags: &str| folder.said(&format!("train --from {from} {small} {flags}"));
    // Its own test part is none of what it was trained on.
    let own = said("first", "--run own");
    assert!(!own.contains("were trained on by"), "{own}");
    let second = said("first", "--dataset new.csv --run second");
    assert!(!second.contains("were trained on by"), "{second}");
    // Both runs' examples are told of those to test, also by a run that was lengthened.
    folder.said("train --resume second --epochs 2 --device cpu --plain");
    let third = said(
        "second",
        "--dataset newer.csv --test-data all.csv --run third",
    );
    let told = "48 of the 60 texts to test were trained on by";
    assert!(third.contains(told), "{third}");
    let mut evaluate = folder.gatefold("evaluate third --dataset all.csv --device cpu");
    evaluate
        .assert()
        .success()
        .stderr(contains("48 of the 60 tested texts were trained on"));

    fs::remove_file(folder.path("first/seen.bin")).unwrap();
    let said = said("first", "--dataset new.csv --run fourth");
    assert!(said.contains("nobody knows"), "{said}");
    assert!(!folder.path("fourth/seen.bin").exists());
}

#[test]
fn the_positive_label_is_the_one_of_the_run_that_is_begun_from() {
    let folder = Folder::new();
    folder.table("films.csv", &[("good", "up"), ("bad", "down")]);
    let said = folder.train("first", "--epochs 1 --labels up,down");
    assert!(said.contains("`down` is the positive one"), "{said}");
    let from = "train --from first --dataset films.csv --device cpu --plain --epochs 1";
    for (run, flags) in [
        ("second", ""),
        ("third", "--labels up,down --class-weights 1,2"),
    ] {
        let said = folder.said(&format!("{from} {flags} --run {run}"));
        let right = "`down` is the positive one, `up` the negative one, as in the run that this one begins from";
        assert!(said.contains(right), "{said}");
        assert_eq!(said.matches("is the positive one").count(), 1, "{said}");
        assert!(!said.contains("other order"), "{said}");
    }
    let said = folder.refused(1, &format!("{from} --labels down,up --run no"));
    assert!(
        said.contains("the order `down`, `up`") && said.contains("first has `up`, `down`"),
        "{said}"
    );
    assert!(!folder.path("no").exists());
}

#[test]
fn word_vectors_are_begun_with_and_may_be_frozen() {
    let folder = Folder::new();
    let vectors = "good 1 2 3\nbad -1 -2 -3\nfilm 0.5 0.5 0.5\nunheard 9 9 9\n";
    fs::write(folder.path("vectors.txt"), vectors).unwrap();
    let train = "train --dataset films.csv --device cpu --plain --hidden-size 8 --batch-size 16 --vocabulary-size 50 \
                 --embeddings vectors.txt --epochs 2";
    let said = folder.said(&format!("{train} --freeze-embeddings --run frozen"));
    assert!(
        said.contains("3 of ") && said.contains(" have vectors in "),
        "{said}"
    );
    folder.said(&format!("{train} --run free"));
    let vocabulary: Value =
        serde_json::from_slice(&fs::read(folder.path("frozen/vocabulary.json")).unwrap()).unwrap();
    let words = vocabulary["words"].as_array().unwrap();
    let row = |run: &str, word: &str| {
        let id = 3 + words.iter().position(|known| known == word).unwrap();
        let bytes = folder.tensor(run, "embedding.weight");
        let (numbers, _) = bytes.as_chunks::<4>();
        let numbers: Vec<f32> = numbers.iter().map(|n| f32::from_le_bytes(*n)).collect();
        numbers[3 * id..][..3].to_vec()
    };
    assert_eq!(row("frozen", "good"), [1.0, 2.0, 3.0]);
    assert_eq!(row("frozen", "bad"), [-1.0, -2.0, -3.0]);
    assert_ne!(row("free", "good"), [1.0, 2.0, 3.0]);

    // It goes on frozen, and without the file.
    fs::remove_file(folder.path("vectors.txt")).unwrap();
    folder.said("train --resume frozen --epochs 4 --device cpu --plain");
    assert_eq!(row("frozen", "good"), [1.0, 2.0, 3.0]);

    fs::write(folder.path("vectors.txt"), "good 1 2 3\nbad 1 2\n").unwrap();
    let said = folder.refused(1, &format!("{train} --run no"));
    assert!(said.contains("vectors.txt, line 2"), "{said}");
    let said = folder.refused(1, &format!("{train} --embedding-size 16 --run no"));
    assert!(said.contains("have 3 numbers"), "{said}");
    fs::write(folder.path("vectors.txt"), "le 1 2 3\n").unwrap();
    let said = folder.refused(1, &format!("{train} --run no"));
    assert!(said.contains("none of the vocabulary's"), "{said}");
}

#[test]
fn texts_that_can_not_be_read_are_noticed_and_the_tokenizer_named() {
    let folder = Folder::new();
    let mut table = String::from("text,label\n");
    for i in 0..40 {
        let (food, label) = [("这家店的汤很好喝", 1), ("这家店的汤太冷了", 0)][i % 2];
        writeln!(table, "{food}第{i}次,{label}").unwrap();
    }
    fs::write(folder.path("zh.csv"), table).unwrap();
    let train = format!("train --dataset zh.csv {SMALL} --epochs 2");
    let said = folder.said(&format!("{train} --run keras"));
    assert!(
        said.contains("warning: ") && said.contains("--tokenizer unicode"),
        "{said}"
    );
    let said = folder.said(&format!("{train} --run unicode --tokenizer unicode"));
    assert!(!said.contains("--tokenizer"), "{said}");
    let vocabulary = fs::read_to_string(folder.path("unicode/vocabulary.json")).unwrap();
    assert!(
        vocabulary.contains("\"tokenizer\": \"unicode\""),
        "{vocabulary}"
    );
    folder.said(&format!("{train} --run bytes --tokenizer bytes"));
    let mut explain = folder.gatefold("explain bytes --device cpu");
    explain
        .arg("冷 x")
        .assert()
        .success()
        .stdout(contains("0xe5").and(contains("0x20")));

    let median = |more: &str| {
        let mut info = folder.gatefold(&format!("dataset info zh.csv --format json {more}"));
        let output = info.assert().success().get_output().stdout.clone();
        let info: Value = serde_json::from_slice(&output).unwrap();
        info["train"]["lengths"]["median"].as_u64().unwrap()
    };
    assert!(median("") > 3);
    assert_eq!(median("--tokenizer keras"), 1);
}

#[test]
fn unknown_words_are_said_where_they_are_most_of_a_text() {
    let folder = Folder::new();
    folder.train("run", "--epochs 1");
    let answer = |text: &str| {
        let mut predict = folder.gatefold("predict run --device cpu --format json");
        let output = predict
            .arg(text)
            .assert()
            .success()
            .get_output()
            .stdout
            .clone();
        serde_json::from_slice::<Value>(&output).unwrap()
    };
    let known = answer("a good film");
    assert_eq!(known["unknown"], Value::Null);
    let half = answer("a zyzzyva film qat");
    let unknown = serde_json::json!({"share": 0.5, "words": ["zyzzyva", "qat"]});
    assert_eq!(half["unknown"], unknown);
    for (text, said) in [
        (
            "zyzzyva qat",
            "none of its 2 words is known: this is the answer to nothing",
        ),
        ("", "the text has no words: this is the answer to nothing"),
        ("good zyzzyva qat", "2 of its 3 words are unknown"),
    ] {
        let mut predict = folder.gatefold("predict run --device cpu");
        predict.arg(text).assert().success().stderr(contains(said));
    }
    let mut predict = folder.gatefold("predict run --device cpu");
    predict.arg("a good film").assert().success().stderr("");
    let mut explain = folder.gatefold("explain run --device cpu");
    let explain = explain.arg("zyzzyva qat").assert().success();
    explain
        .stderr(contains("none of its 2 words is known"))
        .stdout(contains("zyzzyva (unknown)"));
}
