//! Networks of PyTorch and Keras become runs, and runs files for them and for ONNX.
//!
//! The files in `interop/fixtures` are those programs' own, made by `interop/fixtures.py`, with what they answered beside them.
//! `just test-interop` takes many more networks through the programs themselves.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use flate2::read::GzDecoder;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// Each with what its file doesn't say.
const NETWORKS: [(&str, &[&str]); 9] = [
    ("keras-functional-masked.keras", &[]),
    ("keras-functional.keras", &["--padding=pre"]),
    ("keras-gru.weights.h5", &[]),
    ("keras-lstm.keras", &[]),
    ("keras-rnn.h5", &[]),
    ("pytorch-gru.pth", &[]),
    ("pytorch-gru.pth", &["--key=model_state_dict"]),
    ("pytorch-lstm.pt", &[]),
    ("pytorch-rnn.safetensors", &["--cell=rnn"]),
];

struct Folder(TempDir);

impl Folder {
    /// With the files of other programs in it, unpacked.
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for entry in fs::read_dir("../../tests/interop/fixtures").unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let mut bytes = fs::read(&path).unwrap();
            let unpacked = name.strip_suffix(".gz");
            if unpacked.is_some() {
                let packed = std::mem::take(&mut bytes);
                GzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
            }
            fs::write(folder.path(unpacked.unwrap_or(name)), bytes).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn gatefold(&self, arguments: &[&str]) -> Assert {
        let mut command = Command::cargo_bin("gatefold").unwrap();
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_remove("RUST_LOG");
        command.assert()
    }

    fn import(&self, file: &str, out: &str, more: &[&str]) -> Assert {
        let to = format!("--out={out}");
        let mut arguments = vec![
            "import",
            file,
            &to,
            "--vocabulary=words.txt",
            "--max-length=6",
        ];
        let is_given = |flag: &str| more.iter().any(|given| given.starts_with(flag));
        // What weights alone don't say; a probe tells.
        let is_network = file.ends_with(".keras") || file == "keras-rnn.h5";
        if !is_network && !is_given("--verify") && !is_given("--no-mask") {
            arguments.push("--mask");
        }
        let is_single = |name: &&str| file.starts_with(name) || out.starts_with(name);
        let singles = [
            "keras-functional-masked",
            "keras-lstm",
            "keras-rnn",
            "pytorch-gru",
        ];
        if singles.iter().any(is_single) && !is_given("--labels") {
            arguments.push("--labels=0,1");
        }
        arguments.extend(more);
        self.gatefold(&arguments)
    }

    /// What a run answers to a few texts.
    fn answers(&self, run: &str) -> Vec<Value> {
        let words = fs::read_to_string(self.path("words.txt")).unwrap();
        let words: Vec<&str> = words.lines().skip(2).collect();
        let texts = [
            words.join(" "),
            words[0].into(),
            format!("{} unheard-of {}", words[3], words[1]),
        ];
        let mut arguments = vec!["predict", "--format=json", "--device=cpu", run];
        arguments.extend(texts.iter().map(String::as_str));
        lines(&self.gatefold(&arguments).success())
    }
}

fn lines(done: &Assert) -> Vec<Value> {
    let output = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    output
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn stem(file: &str) -> &str {
    file.split('.').next().unwrap()
}

#[test]
fn networks_answer_as_they_did_where_they_were_trained() {
    let folder = Folder::new();
    for (number, (file, more)) in NETWORKS.iter().enumerate() {
        let probe = format!("--verify={}.npz", stem(file));
        let more = [*more, &[&probe, "--format=json"]].concat();
        let done = folder
            .import(file, &format!("run-{number}"), &more)
            .success();
        let [imported] = &lines(&done)[..] else {
            panic!("{file}: one object is printed")
        };
        let difference = imported["verified"]["largest_difference"].as_f64().unwrap();
        assert!(difference <= 1e-5, "{file}: {difference}");
    }
}

#[test]
fn a_run_goes_out_and_comes_back_as_it_was() {
    let folder = Folder::new();
    for (file, more) in NETWORKS {
        let run = format!("{}-{}", stem(file), more.len());
        folder.import(file, &run, more).success();
        let answers = folder.answers(&run);
        let mask = !more.contains(&"--padding=pre");
        for (format, out, said) in [
            ("pytorch", "out.pt", "out.pt\", weights_only=True)"),
            ("safetensors", "out.safetensors", "out.safetensors\")"),
            ("keras", "out.keras", "out.keras\")"),
            ("onnx", "out.onnx", "out.onnx\")"),
        ] {
            let export = [&["export", &run, "--format", format, "--out", out][..]].concat();
            folder.gatefold(&export).success().stdout(contains(said));
            let bytes = fs::read(folder.path(out)).unwrap();
            folder.gatefold(&export).success();
            assert_eq!(
                fs::read(folder.path(out)).unwrap(),
                bytes,
                "{file} {format}: the same bytes"
            );
            if format == "onnx" {
                continue;
            }
            let back = format!("{run}-{format}");
            let no_mask: &[&str] = match (format, mask) {
                (_, true) => &[],
                // It says so itself.
                ("keras", false) => &["--padding=pre"],
                _ => &["--no-mask", "--padding=pre"],
            };
            let cell: &[&str] = if file.contains("rnn") {
                &["--cell=rnn"]
            } else {
                &[]
            };
            folder
                .import(out, &back, &[no_mask, cell].concat())
                .success();
            assert_eq!(folder.answers(&back), answers, "{file} {format}");
        }
    }
}

#[test]
fn a_table_says_what_becomes_of_each_tensor() {
    let folder = Folder::new();
    let done = folder
        .gatefold(&["import", "pytorch-lstm.pt", "--dry-run", "--format=json"])
        .success();
    let rows = lines(&done);
    let row = |ours: &str| rows.iter().find(|row| row["ours"] == ours).unwrap();
    assert_eq!(row("embedding.weight")["shape"], serde_json::json!([12, 3]));
    assert_eq!(row("recurrent.0.forward.recurrent_weight")["fate"], "taken");
    folder
        .gatefold(&["import", "keras-lstm.keras", "--dry-run"])
        .success()
        .stdout(contains("lstm/cell/vars/1").and(contains("recurrent.0.forward.recurrent_weight")));
}

#[test]
fn what_a_file_does_not_say_has_to_be_said() {
    let folder = Folder::new();
    let words = "--vocabulary=words.txt";
    for (arguments, code, said) in [
        (
            &["import", "keras-lstm.keras", "--out=run", "--max-length=6"][..],
            1,
            "--vocabulary names a file",
        ),
        (
            &["import", "keras-lstm.keras", "--out=run", words],
            1,
            "say it with --max-length",
        ),
        (
            &[
                "import",
                "keras-functional.keras",
                "--out=run",
                "--max-length=6",
                words,
            ],
            1,
            "say --padding pre",
        ),
        (
            &[
                "import",
                "pytorch-lstm.pt",
                "--out=run",
                "--max-length=6",
                words,
            ],
            1,
            "say --mask if it leaves it out",
        ),
        (
            &[
                "import",
                "pytorch-gru.pth",
                "--out=run",
                "--max-length=6",
                words,
                "--mask",
            ],
            1,
            "name the classes with --labels",
        ),
        (
            &[
                "import",
                "keras-functional.keras",
                "--out=run",
                "--max-length=6",
                words,
                "--mask",
            ],
            2,
            "--mask must be left out",
        ),
        (
            &[
                "import",
                "pytorch-rnn.safetensors",
                "--out=run",
                "--max-length=6",
                words,
            ],
            1,
            "tanh or with ReLU",
        ),
        (
            &[
                "import",
                "keras-lstm.keras",
                "--out=run",
                "--max-length=6",
                words,
                "--no-mask",
            ],
            2,
            "mask_zero=True",
        ),
        (
            &[
                "import",
                "keras-lstm.keras",
                "--out=run",
                "--max-length=6",
                words,
                "--padding=pre",
            ],
            2,
            "--padding must be left out",
        ),
        (
            &[
                "import",
                "pytorch-lstm.pt",
                "--out=run",
                "--max-length=6",
                words,
                "--mask",
                "--labels=a,b,c",
            ],
            2,
            "the network's 2 classes, not 3",
        ),
        (
            &[
                "import",
                "pytorch-lstm.pt",
                "--out=run",
                "--max-length=6",
                words,
                "--cell=gru",
            ],
            1,
            "are LSTM, not GRU",
        ),
        (
            &["import", "keras-lstm.keras", "--key=model", "--dry-run"],
            1,
            "a key is for PyTorch's files",
        ),
        (
            &["import", "pytorch-gru.pth", "--key=ema", "--dry-run"],
            1,
            "nothing under the key ema",
        ),
        (&["import", "keras-lstm.keras"], 2, "--out"),
        (
            &["import", "words.txt", "--dry-run"],
            1,
            "no weights of PyTorch",
        ),
        (
            &["import", "pytorch-lstm.npz", "--dry-run"],
            1,
            "it is a NumPy archive",
        ),
        (&["import", ".", "--dry-run"], 1, "it is a folder"),
        (
            &["import", "nothing.pt", "--dry-run"],
            1,
            "cannot import nothing.pt",
        ),
    ] {
        let done = folder
            .gatefold(arguments)
            .code(code)
            .stdout("")
            .stderr(contains(said));
        let complaint = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert_eq!(complaint.matches("error:").count(), 1, "{complaint}");
        assert!(!folder.path("run").exists(), "{arguments:?}");
    }
}

#[test]
fn a_probe_tells_a_network_that_is_used_otherwise() {
    let folder = Folder::new();
    folder
        .import(
            "keras-functional.keras",
            "run",
            &["--padding=post", "--verify=keras-functional.npz"],
        )
        .failure()
        .stderr(contains(
            "the network answers otherwise than the probe says",
        ));
    assert!(!folder.path("run").exists());
    folder
        .import("pytorch-lstm.pt", "run", &["--verify=keras-gru.npz"])
        .failure()
        .stderr(contains("logits a row"));
    folder
        .import("pytorch-lstm.pt", "run", &["--verify=words.txt"])
        .failure()
        .stderr(contains("cannot read the probe words.txt"));
}

#[test]
fn ids_mean_what_the_vocabulary_says() {
    let folder = Folder::new();
    // Padding has another id than 0 there: two rows change places, and answers stay.
    let words = fs::read_to_string(folder.path("words.txt")).unwrap();
    let mut moved: Vec<&str> = words.lines().collect();
    moved.swap(0, 1);
    fs::write(folder.path("moved.txt"), moved.join("\n")).unwrap();
    let import = |vocabulary: &str, out: &str| {
        let vocabulary = format!("--vocabulary={vocabulary}");
        let out = format!("--out={out}");
        folder.gatefold(&[
            "import",
            "pytorch-lstm.pt",
            &out,
            &vocabulary,
            "--max-length=6",
            "--verify=pytorch-lstm.npz",
        ])
    };
    import("moved.txt", "moved").success();
    import("tokenizer.json", "tokenizer").success();
    let vocabulary = fs::read_to_string(folder.path("tokenizer/vocabulary.json")).unwrap();
    let vocabulary: Value = serde_json::from_str(&vocabulary).unwrap();
    assert_eq!(vocabulary["start"], Value::Null);
    import("tokenizer/vocabulary.json", "again").success();
    assert_eq!(folder.answers("tokenizer"), folder.answers("again"));
    fs::write(folder.path("short.txt"), "<pad>\n<unk>\nfilm\n").unwrap();
    import("short.txt", "short")
        .failure()
        .stderr(contains("it is another network's"));
}

#[test]
fn an_imported_run_is_a_run() {
    let folder = Folder::new();
    folder
        .import("keras-lstm.keras", "runs/lesson", &["--labels=no,yes"])
        .success();
    folder
        .gatefold(&["runs"])
        .success()
        .stdout(contains("imported"));
    folder
        .gatefold(&["evaluate", "runs/lesson"])
        .failure()
        .stderr(contains("name one with --dataset"));
    let words = fs::read_to_string(folder.path("words.txt")).unwrap();
    let words: Vec<&str> = words.lines().skip(2).collect();
    let row = |i: usize| {
        format!(
            "{} {} {i:b},{}\n",
            words[i % 10],
            words[i / 10 % 10],
            ["no", "yes"][i % 2]
        )
    };
    let table = "text,label\n".to_owned() + &(0..80).map(row).collect::<String>();
    fs::write(folder.path("table.csv"), table).unwrap();
    folder
        .gatefold(&[
            "evaluate",
            "runs/lesson",
            "--dataset=table.csv",
            "--device=cpu",
        ])
        .success()
        .stdout(contains("over 80 test texts"))
        .stderr(contains("another program trained the run"));
    folder
        .gatefold(&["explain", "runs/lesson", words[0], "--device=cpu"])
        .success();
    folder
        .gatefold(&[
            "train",
            "--from=runs/lesson",
            "--dataset=table.csv",
            "--epochs=2",
            "--device=cpu",
            "--plain",
            "--run=on",
        ])
        .success();
    folder
        .gatefold(&["predict", "on", words[0], "--device=cpu"])
        .success();
    folder
        .gatefold(&["train", "--resume=runs/lesson"])
        .failure()
        .stderr(contains("train --from runs/lesson"));
    // What is there is not written over.
    folder
        .import("keras-lstm.keras", "runs/lesson", &[])
        .failure()
        .stderr(contains("is not empty"));
}

/// Names and bytes of what anybody could have put into a file.
fn hostile(folder: &Folder) -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let pickle = |pickle: &[u8]| zip(&[("x/data.pkl", pickle)]);
    let keras = fs::read(folder.path("keras-lstm.keras")).unwrap();
    let truncated = keras[..keras.len() / 2].to_vec();
    let mut nan = fs::read(folder.path("pytorch-rnn.safetensors")).unwrap();
    let last = nan.len() - 4;
    nan[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    let many: Vec<String> = (0..10_001).map(|i| i.to_string()).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (&name[..], &b""[..])).collect();
    let nested = "[".repeat(5000);
    let deep = zip(&[
        ("config.json", nested.as_bytes()),
        ("model.weights.h5", b""),
        ("metadata.json", b"{}"),
    ]);
    vec![
        (
            "command.pt",
            pickle(b"\x80\x02cposix\nsystem\nX\x0a\x00\x00\x00touch ours\x85R."),
            "asks for posix.system",
        ),
        ("empty.pt", pickle(b""), "pickle is damaged"),
        (
            "operations.pt",
            pickle(&vec![b'N'; 600_000]),
            "more than 250000 operations",
        ),
        ("entries.pt", zip(&many), "more than 10000 entries"),
        (
            "old.pt",
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(),
            "PyTorch before 1.6",
        ),
        ("cut.keras", truncated, "can't be read"),
        ("nan.safetensors", nan, "not finite: NaN"),
        ("deep.keras", deep, "can't be read"),
        (
            "network.onnx",
            b"\x08\x08\x12\x07pytorch".to_vec(),
            "writes but doesn't read",
        ),
        (
            "header.safetensors",
            [&(50_u64 << 20).to_le_bytes()[..], b"{}"].concat(),
            "header is longer",
        ),
        ("nothing.pt", Vec::new(), "it is empty"),
    ]
}

/// An archive as PyTorch and Keras write them.
fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let sizes = [content.len() as u32; 2].map(u32::to_le_bytes).concat();
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let about = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &sizes,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let place = (file.len() as u32).to_le_bytes();
        file.extend([b"PK\x03\x04", &about[..], name.as_bytes(), content].concat());
        directory.extend(
            [
                b"PK\x01\x02\x14\x00",
                &about[..],
                &[0; 10],
                &place,
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let counts = [entries.len() as u16; 2].map(u16::to_le_bytes).concat();
    let sizes = [directory.len() as u32, file.len() as u32]
        .map(u32::to_le_bytes)
        .concat();
    [
        &file[..],
        &directory,
        b"PK\x05\x06\0\0\0\0",
        &counts,
        &sizes,
        &[0, 0],
    ]
    .concat()
}

#[test]
fn hostile_files_are_one_clear_error_and_run_nothing() {
    let folder = Folder::new();
    for (name, bytes, said) in hostile(&folder) {
        fs::write(folder.path(name), bytes).unwrap();
        let done = folder
            .import(name, "run", &["--cell=rnn"])
            .code(1)
            .stdout("")
            .stderr(contains(said));
        let complaint = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(
            complaint.lines().count() <= 2 && complaint.matches("error:").count() == 1,
            "{complaint}"
        );
        assert!(
            !folder.path("run").exists() && !folder.path("ours").exists(),
            "{name}"
        );
    }
}

#[test]
fn a_format_that_cannot_hold_a_network_says_why() {
    let folder = Folder::new();
    folder
        .gatefold(&[
            "train",
            "--dataset=reviews",
            "--cell=mingru",
            "--hidden-size=4",
            "--epochs=1",
            "--device=cpu",
            "--plain",
            "--run=run",
        ])
        .success();
    for format in ["pytorch", "safetensors", "keras", "onnx"] {
        let out = format!("--out=out.{format}");
        folder
            .gatefold(&["export", "run", "--format", format, &out])
            .code(1)
            .stderr(contains(format!("{format} has no minGRU layer")));
        assert!(!folder.path(&format!("out.{format}")).exists());
    }
    folder
        .gatefold(&["export", "run", "--format=keras", "--out=out.h5"])
        .code(2)
        .stderr(contains("--out must end in .keras"));
}

#[test]
fn numbers_and_every_reading_go_out() {
    let folder = Folder::new();
    folder
        .gatefold(&["dataset", "generate", "forecast", "series.csv"])
        .success();
    folder
        .gatefold(&[
            "train",
            "--dataset=series.csv",
            "--task=forecast",
            "--target-column=load",
            "--window=8",
            "--hidden-size=4",
            "--epochs=1",
            "--device=cpu",
            "--plain",
            "--run=run",
        ])
        .success();
    folder
        .gatefold(&["export", "run", "--format=onnx", "--out=out.onnx"])
        .success()
        .stdout(
            contains("{\"values\": values, \"lengths\": lengths}")
                .and(contains("answer * deviation + mean")),
        );
    folder
        .gatefold(&["export", "run", "--format=keras", "--out=out.keras"])
        .success()
        .stdout(contains("sequences of one length"));
    assert!(Path::new(&folder.path("out.onnx")).is_file());
}
