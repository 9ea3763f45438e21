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
            // Punctuation makes each text another one, of the same words: identical texts stay in one part.
            let mark = format!("{i:b}").replace('0', ".").replace('1', "!");
            format!(
                "the {} was {word}{mark},{class}\n",
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
    // The run keeps the same but for what of it was trained on, and its page shows it.
    let mut kept = folder.read_json("run/evaluation.json");
    kept["trained_on"] = found["trained_on"].clone();
    assert_eq!(kept, found);
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

/// New rows: an identifier, a text of two lines, a label that is there and one that isn't.
const NEW: &str =
    "id,text,label\n007,\"the pie\nwas bad\",0\n8,the tea was good,1\n9,the soup was fine,\n";

#[test]
fn a_table_is_answered_row_by_row_with_all_that_it_holds() {
    let folder = Folder::trained(&[]);
    folder.write("new.csv", NEW);
    let predict = ["predict", "run", "--device=cpu", "--dataset=new.csv"];
    let answered = folder
        .gatefold(&[&predict[..], &["--format=csv"]].concat())
        .output()
        .unwrap();
    let table = String::from_utf8(answered.stdout).unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0],
        "id,text,label,predicted label,probability,p(0),p(1)"
    );
    assert!(
        lines[1] == "007,\"the pie" && lines[2].starts_with("was bad\",0,0,0."),
        "{table}"
    );
    assert!(lines[4].starts_with("9,the soup was fine,,1,0."), "{table}");
    assert_eq!(lines.len(), 5);
    // Of the labels there are two, and the answers to them are scored.
    let said = String::from_utf8(answered.stderr).unwrap();
    assert!(said.contains("accuracy 1.0000 over 2 rows"), "{said}");

    let rows = folder.output(&[&predict[..], &["--format=json"]].concat());
    let rows: Vec<Value> = rows
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(rows.len(), 3);
    assert_eq!(
        rows[0]["row"],
        serde_json::json!({"id": "007", "text": "the pie\nwas bad", "label": "0"})
    );
    assert_eq!(
        (&rows[1]["line"], &rows[1]["label"]),
        (&4.into(), &"1".into())
    );
    assert_eq!(folder.output(&predict).lines().count(), 3);
}

#[test]
fn a_table_may_come_through_standard_input_and_have_columns_of_its_own() {
    let folder = Folder::trained(&[]);
    folder.write("notes.csv", NEW.replace("text", "note"));
    let predict = ["predict", "run", "--device=cpu", "--dataset=notes.csv"];
    let refused = folder.gatefold(&predict).assert().failure().code(1);
    refused.stderr(contains("note"));
    let named = [&predict[..], &["--text-column=note"]].concat();
    assert_eq!(folder.output(&named).lines().count(), 3);
    let mut through = folder.gatefold(&["predict", "run", "--device=cpu", "--dataset=-"]);
    let answered = through.write_stdin(NEW).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answered.stdout).lines().count(), 3);

    folder.write("other.csv", NEW.replace(",1\n", ",maybe\n"));
    let other = folder.gatefold(&["predict", "run", "--device=cpu", "--dataset=other.csv"]);
    let other = { other }.assert().success();
    other
        .stderr(contains("1 label of `label` not known"))
        .stderr(contains("line 4"));
}

#[test]
fn standard_input_is_read_as_texts_and_nothing_else() {
    let folder = Folder::trained(&[]);
    let answer = |flags: &[&str], input: &[u8]| {
        let predict = ["predict", "run", "--device=cpu"];
        let mut predict = folder.gatefold(&[&predict[..], flags].concat());
        predict.write_stdin(input).output().unwrap()
    };
    let plain = answer(&[], b"the tea was good\n");
    assert_eq!(
        answer(&[], b"\xef\xbb\xbfthe tea was good\n").stdout,
        plain.stdout
    );
    // Two lines, or one text of two.
    let lines =
        |output: std::process::Output| String::from_utf8_lossy(&output.stdout).lines().count();
    assert_eq!(lines(answer(&[], b"the pie\nwas bad\0")), 2);
    assert_eq!(lines(answer(&["--null"], b"the pie\nwas bad\0")), 1);
    for (input, reason) in [
        (NEW.as_bytes(), "--dataset"),
        (b"\xff\xfet\0h\0e\0", "UTF-16"),
    ] {
        let refused = answer(&[], input);
        assert_eq!(refused.status.code(), Some(1));
        assert!(refused.stdout.is_empty());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_text_may_begin_with_a_dash_and_is_no_file() {
    let folder = Folder::trained(&[]);
    let predict = [
        "predict",
        "run",
        "- not good",
        "--device=cpu",
        "--",
        "-good",
    ];
    assert_eq!(folder.output(&predict).lines().count(), 2);
    let file = folder
        .gatefold(&["predict", "run", "train.csv"])
        .assert()
        .failure();
    file.stderr(contains("--dataset train.csv"));
    let unread = folder
        .gatefold(&["predict", "run", "-good"])
        .assert()
        .code(2);
    unread.stderr(contains("-- -g"));
}

#[test]
fn of_words_that_the_network_does_not_know_it_is_said() {
    let folder = Folder::trained(&[]);
    let texts = ["the zyzzyva was qat", "", "the tea was good"];
    let predict = [
        &["predict", "run", "--device=cpu", "--format=json"][..],
        &texts,
    ]
    .concat();
    let answered = folder.gatefold(&predict).output().unwrap();
    let answers = String::from_utf8(answered.stdout).unwrap();
    let answers: Vec<Value> = answers
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    assert_eq!(
        answers[0]["unknown"]["words"],
        serde_json::json!(["zyzzyva", "qat"])
    );
    assert_eq!(answers[0]["unknown"]["share"], 0.5);
    assert!(answers[2].get("unknown").is_none(), "{}", answers[2]);
    let said = String::from_utf8(answered.stderr).unwrap();
    assert!(said.contains("warning: text 2: "), "{said}");
    assert!(!said.contains("text 3"), "{said}");
}

#[test]
fn rows_that_a_run_was_trained_on_are_counted_where_answers_are_scored() {
    let folder = Folder::trained(&[]);
    let said = |table: &str| {
        let table = format!("--dataset={table}");
        let mut predict = folder.gatefold(&["predict", "run", "--device=cpu", &table]);
        String::from_utf8(predict.output().unwrap().stderr).unwrap()
    };
    // Of the table's texts the words are all that is read, and training has met all of them.
    let own = said("train.csv");
    assert!(own.contains("over 120 rows"), "{own}");
    assert!(
        own.contains("120 of the 120 tested texts were trained on: this tells nothing"),
        "{own}"
    );
    let unlike = "the good the bad the pie,1\n";
    folder.write("mixed.csv", NEW.to_owned() + "10," + unlike);
    let mixed = said("mixed.csv");
    assert!(
        mixed.contains("2 of the 3 tested texts were trained on; `evaluate`"),
        "{mixed}"
    );
    folder.write("unlike.csv", "text,label\n".to_owned() + unlike);
    let unlike = said("unlike.csv");
    assert!(
        unlike.contains("over 1 rows") && !unlike.contains("trained on"),
        "{unlike}"
    );
    fs::remove_file(folder.path("run/seen.bin")).unwrap();
    assert!(said("unlike.csv").contains("warning: an earlier version trained the run"));
}

#[test]
fn texts_before_one_that_is_no_utf_8_are_answered() {
    let folder = Folder::trained(&[]);
    let mut predict = folder.gatefold(&["predict", "run", "--device=cpu"]);
    let refused = predict.write_stdin(&b"the tea was good\nthe caf\xe9 was bad\n"[..]);
    let refused = refused.assert().code(1);
    let answers = String::from_utf8_lossy(&refused.get_output().stdout)
        .lines()
        .count();
    assert_eq!(answers, 1);
    refused
        .stderr(contains("line 2 of standard input"))
        .stderr(contains("iconv -f WINDOWS-1252 -t UTF-8"));
}

#[test]
fn of_labels_that_are_not_scored_it_is_said_what_scores_them() {
    let folder = Folder::new();
    let table = fs::read_to_string(folder.path("train.csv")).unwrap();
    folder.write("several.csv", table.replace(",1\n", ",1;2\n"));
    let train = ["train", "--dataset=several.csv", "--label-separator=;"];
    let train = [&train[..], &SMALL].concat();
    folder.gatefold(&train).assert().success();
    let predict = ["predict", "run", "--device=cpu", "--dataset=several.csv"];
    let answered = folder.gatefold(&predict).assert().success();
    answered.stderr(contains("evaluate run --dataset several.csv"));
    let text = ["predict", "run", "good", "--text-column=text"];
    folder.gatefold(&text).assert().code(2);
}

#[test]
fn series_are_answered_from_a_file_and_not_as_csv() {
    let folder = Folder::new();
    let generate = ["dataset", "generate", "classify", "moves.csv"];
    folder.gatefold(&generate).assert().success();
    // What is there isn't written over.
    let refused = folder.gatefold(&generate).assert().code(1);
    refused.stderr(contains("moves.csv is there already"));
    let train = [
        "train",
        "--device=cpu",
        "--plain",
        "--run=run",
        "--hidden-size=4",
        "--epochs=1",
        "--dataset=moves.csv",
        "--task=classify",
        "--target-column=gesture",
        "--group-column=recording",
    ];
    folder.gatefold(&train).assert().success();
    let predict = ["predict", "run", "--device=cpu", "--dataset"];
    let answered = folder.gatefold(&[&predict[..], &["moves.csv"]].concat());
    let answered = { answered }.assert().success();
    answered.stderr(contains("evaluate run --dataset moves.csv"));
    for (flags, reason) in [
        (&["-"][..], "from a file"),
        (&["nowhere.csv", "--format=csv"], "--format json"),
        (&["moves.csv", "--label-column=x"], "for texts"),
    ] {
        let refused = folder.gatefold(&[&predict[..], flags].concat());
        { refused }.assert().code(2).stderr(contains(reason));
    }
}
