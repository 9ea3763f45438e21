//! What people type and read: devices by name, commands to paste, slips, and tables that fit a terminal.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// The program in an empty folder of its own, with an empty data directory.
struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GATEFOLD_DATA", self.path("data"))
            .env_remove("RUST_LOG");
        command
    }

    fn gatefold(&self, arguments: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_gatefold"), arguments)
    }

    /// A table on which a word decides.
    fn table(&self, name: &str, rows: usize) {
        let mut text = String::from("text,label\n");
        for i in 0..rows {
            let (word, label) = [("good", "pos"), ("bad", "neg")][i % 2];
            writeln!(text, "\"a {word} film, number {}\",{label}", i % 7).unwrap();
        }
        fs::write(self.path(name), text).unwrap();
    }

    /// Trains a small network on `films.csv`.
    fn train(&self, run: &str) {
        self.table("films.csv", 80);
        let train = "train --dataset films.csv --epochs 2 --hidden-size 8 --device cpu --run";
        let train: Vec<&str> = train.split(' ').chain([run]).collect();
        self.gatefold(&train).assert().success();
    }
}

fn text(output: &[u8]) -> String {
    String::from_utf8(output.to_vec()).unwrap()
}

fn said(output: &Output) -> String {
    text(&output.stderr)
}

#[test]
fn a_device_is_what_devices_lists() {
    let sandbox = Sandbox::new();
    sandbox.train("run");
    let devices = sandbox
        .gatefold(&["devices", "--format", "json"])
        .assert()
        .success();
    let devices: Vec<Value> = text(&devices.get_output().stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (number, device) in devices.iter().enumerate() {
        assert_eq!(device["number"], number);
    }
    let cpu = devices.last().unwrap();
    let mut names = vec!["CPU".to_string(), cpu["number"].to_string()];
    // The first adapter, by number, by name and by a part of it in another case.
    if let Some(first) = devices.iter().find(|device| device["kind"] != "cpu") {
        let name = first["name"].as_str().unwrap();
        let part: String = name.chars().take(6).collect();
        names.extend([
            first["number"].to_string(),
            name.into(),
            part.to_uppercase(),
        ]);
        names.push(format!("{}:0", first["api"].as_str().unwrap()));
    }
    for name in names {
        let predict = ["predict", "run", "a good film", "--device", &name];
        sandbox.gatefold(&predict).assert().success();
    }
    sandbox
        .gatefold(&["predict", "run", "a good film", "--device", "no such GPU"])
        .assert()
        .code(1)
        .stderr(contains("no adapter for --device no such GPU").and(contains(": the CPU")));
    sandbox
        .gatefold(&["predict", "run", "a good film", "--device", "vulkan:x"])
        .assert()
        .code(2);
}

#[test]
fn slips_are_told_with_what_was_probably_meant() {
    let sandbox = Sandbox::new();
    sandbox.train("runs/films-lstm-1");
    for (arguments, code, expected) in [
        (
            &["train", "--dataset", "imbd"][..],
            1,
            "did you mean `imdb`?",
        ),
        (&["train", "--cell", "gruu"], 2, "'gru'"),
        (&["train", "--data", "films.csv"], 1, "--dataset films.csv"),
        (
            &["evaluate", "runs"],
            1,
            "it holds the runs runs/films-lstm-1",
        ),
        (
            &["evaluate", "runs/film-lstm-1"],
            1,
            "did you mean runs/films-lstm-1?",
        ),
        (
            &["predict", "films-lstm-1", "good"],
            1,
            "did you mean runs/films-lstm-1?",
        ),
        (
            &["train", "--resume", "runs/films-lstm"],
            1,
            "did you mean runs/films-lstm-1?",
        ),
        (
            &["runs", "rusn"],
            1,
            "there is no folder rusn; did you mean `runs`?",
        ),
        (
            &["explain", "runs/films-lstm-1", "not once", "dull"],
            2,
            "put quotes around all of it",
        ),
    ] {
        sandbox
            .gatefold(arguments)
            .assert()
            .code(code)
            .stderr(contains(expected).and(contains("os error").not()));
    }
    let help = sandbox.gatefold(&["evaluate", "--help"]).assert().success();
    let help = text(&help.get_output().stdout);
    // However wide it is.
    let help: String = help
        .split_whitespace()
        .map(|word| format!("{word} "))
        .collect();
    assert!(help.contains("[default: the run's own]"), "{help}");
}

#[test]
fn a_folder_in_use_is_refused_before_any_data_is_read() {
    let sandbox = Sandbox::new();
    sandbox.train("run");
    for command in ["train", "compare"] {
        sandbox
            .gatefold(&[
                command,
                "--dataset",
                "reviews",
                "--run",
                "run",
                "--device",
                "cpu",
            ])
            .assert()
            .code(1)
            .stderr(
                contains("run is not empty")
                    .and(contains("device:").not())
                    .and(contains("reviews: ").not()),
            );
    }
}

#[test]
fn a_text_is_explained_however_it_is_given() {
    let sandbox = Sandbox::new();
    sandbox.train("run");
    let explain = |words: &[&str], input: &str| {
        let start = ["explain", "run", "--format", "json", "--device", "cpu"];
        let mut command = sandbox.gatefold(&[&start, words].concat());
        let output = command.write_stdin(input).assert().success();
        text(&output.get_output().stdout)
    };
    let expected = explain(&["a good film"], "");
    assert!(expected.contains(r#""word":"film""#), "{expected}");
    assert_eq!(explain(&["a", "good", "film"], ""), expected);
    assert_eq!(explain(&[], "a good\nfilm\n"), expected);
}

#[test]
fn compare_trains_a_cell_once_and_runs_finds_it() {
    let sandbox = Sandbox::new();
    sandbox.table("films.csv", 80);
    let compare = "compare --cells rnn,rnn --dataset films.csv --device cpu --epochs 1 --hidden-size 4 \
                   --no-memory-tasks";
    let compare: Vec<&str> = compare.split_whitespace().collect();
    sandbox
        .gatefold(&compare)
        .assert()
        .success()
        .stderr(contains("rnn is named more than once; it is trained once"))
        .stderr(contains("rnn (1 of 1):"));
    let runs = sandbox.gatefold(&["runs"]).assert().success().stderr("");
    let runs = text(&runs.get_output().stdout);
    assert!(runs.contains("runs/compare-films-1/rnn"), "{runs}");
}

#[test]
fn every_shell_gets_its_completions() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.gatefold(&["completions", shell]).assert().success();
        let script = text(&script.get_output().stdout);
        assert!(script.contains("hidden-size"), "{shell}");
        if ["bash", "zsh", "fish"].contains(&shell) {
            assert!(script.contains("mingru"), "{shell}");
        }
    }
    sandbox.gatefold(&["completions", "tcsh"]).assert().code(2);
}

#[cfg(target_os = "linux")]
mod pasted {
    use std::os::unix::fs::symlink;
    use std::process::{Child, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use super::*;

    /// The program under a name that needs quotes.
    const PROGRAM: &str = "my tools/gate fold's";

    fn sandbox() -> Sandbox {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("my tools")).unwrap();
        symlink(env!("CARGO_BIN_EXE_gatefold"), sandbox.path(PROGRAM)).unwrap();
        sandbox
    }

    fn start(sandbox: &Sandbox, arguments: &[&str]) -> Child {
        let mut command = std::process::Command::new(sandbox.path(PROGRAM));
        command
            .args(arguments)
            .current_dir(sandbox.folder.path())
            .env("GATEFOLD_DATA", sandbox.path("data"))
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The command that `said` prints behind `before`.
    fn printed<'a>(said: &'a str, before: &str) -> &'a str {
        let line = said.lines().find_map(|line| line.split_once(before));
        line.unwrap_or_else(|| panic!("no `{before}` in {said}")).1
    }

    fn paste(sandbox: &Sandbox, line: &str) -> Output {
        let run = sandbox.command("sh", &["-c", line]).unwrap();
        assert!(run.status.success(), "{line}: {}", said(&run));
        run
    }

    #[test]
    fn what_train_prints_runs_whatever_the_folder_is_called() {
        let sandbox = sandbox();
        sandbox.table("films.csv", 80);
        for run in [
            "my run",
            "it's",
            "-dash",
            "$(touch broken)",
            "a\nb",
            "~",
            "\u{1b}[31m",
        ] {
            let run = format!("--run={run}");
            let train = "train --dataset films.csv --epochs 1 --hidden-size 4 --device cpu";
            let train: Vec<&str> = train.split(' ').chain([&run[..]]).collect();
            let output = start(&sandbox, &train).wait_with_output().unwrap();
            let said = said(&output);
            let answer = paste(&sandbox, printed(&said, "try it: "));
            let answer = text(&answer.stdout);
            assert!(
                answer.contains("pos") || answer.contains("neg"),
                "{run}: {answer}"
            );
        }
        assert!(!sandbox.path("broken").exists());
    }

    fn stop(child: Child, when: impl Fn() -> bool) -> Output {
        let begun = Instant::now();
        while !when() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
            sleep(Duration::from_millis(10));
        }
        let id = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-s", "TERM", &id])
            .status();
        assert!(sent.unwrap().success());
        child.wait_with_output().unwrap()
    }

    #[test]
    fn a_run_that_was_stopped_goes_on_and_is_tested_by_what_is_printed() {
        let sandbox = sandbox();
        sandbox.table("films.csv", 4000);
        let train = "train --dataset films.csv --epochs 3 --hidden-size 16 --batch-size 4 --device cpu --run";
        let train: Vec<&str> = train.split(' ').chain(["it's my run"]).collect();
        let output = stop(start(&sandbox, &train), || {
            sandbox.path("it's my run/model.safetensors").is_file()
        });
        assert_eq!(output.status.code(), Some(143));
        let said = said(&output);
        let tested = paste(&sandbox, printed(&said, "to test its best epoch so far: "));
        assert!(text(&tested.stdout).contains("accuracy"));
        paste(&sandbox, printed(&said, "to go on: "));
        assert!(sandbox.path("it's my run/summary.json").is_file());
    }

    #[test]
    fn a_comparison_that_was_stopped_goes_on_with_what_is_printed() {
        let sandbox = sandbox();
        sandbox.table("films.csv", 4000);
        let compare = "compare --cells rnn,gru --dataset films.csv --epochs 1 --hidden-size 8 --batch-size 4 \
                       --no-memory-tasks --device cpu";
        let folder = "--run=-my cells";
        let compare: Vec<&str> = compare.split_whitespace().chain([folder]).collect();
        let output = stop(start(&sandbox, &compare), || {
            sandbox.path("-my cells/rnn/config.toml").is_file()
        });
        assert_eq!(output.status.code(), Some(143));
        let said = said(&output);
        for (before, cell) in [("to go on with rnn: ", "rnn"), ("to train gru: ", "gru")] {
            paste(&sandbox, printed(&said, before));
            let summary = sandbox.path(&format!("-my cells/{cell}/summary.json"));
            assert!(summary.is_file(), "{cell}");
        }
        let listed = paste(&sandbox, printed(&said, "to list what there is: "));
        assert_eq!(text(&listed.stdout).matches("done").count(), 2);
    }
}

#[cfg(target_os = "linux")]
mod on_a_terminal {
    use super::*;

    /// What a command shows on a terminal of 80 columns.
    fn shown(sandbox: &Sandbox, command: &str) -> String {
        let gatefold = env!("CARGO_BIN_EXE_gatefold");
        let inside = format!("stty cols 80 rows 24; exec {gatefold} {command}");
        sandbox
            .command("script", &["-q", "-e", "-c", &inside, "seen"])
            .env("TERM", "xterm-256color")
            .assert()
            .success();
        let seen = String::from_utf8_lossy(&fs::read(sandbox.path("seen")).unwrap()).into_owned();
        // Without what `script` itself writes.
        let lines = seen.lines().filter(|line| !line.starts_with("Script "));
        lines
            .map(|line| line.trim_end_matches('\r').to_owned() + "\n")
            .collect()
    }

    #[test]
    fn tables_fit_and_without_a_terminal_they_are_whole() {
        let sandbox = Sandbox::new();
        let run = "runs/a-name-of-which-nobody-can-say-how-long-it-is-1";
        sandbox.train(run);
        sandbox.train("runs/short");
        let explain = format!(
            "explain {run} 'a good film, of which one says honorificabilitudinitatibus' --device cpu"
        );
        for (command, columns) in [
            ("runs", &["test", "accuracy", "cell"][..]),
            ("dataset info films.csv", &["median", "longest"]),
            (&explain, &["probability", "change"]),
            ("devices", &["number", "name", "CPU"]),
            ("summary --layers 2 --bidirectional", &["parameters"]),
            (
                "compare --dataset films.csv --epochs 1 --hidden-size 4 --cells rnn --no-memory-tasks --device cpu",
                &["test accuracy", "cell"],
            ),
        ] {
            let shown = shown(&sandbox, command);
            for line in shown.lines().filter(|line| line.contains(['│', '─', '═'])) {
                assert!(line.chars().count() <= 80, "{command}: {line}");
            }
            assert!(shown.contains('│'), "{command}: {shown}");
            for column in columns {
                assert!(shown.contains(column), "{command}: no {column} in {shown}");
            }
        }
        let whole = sandbox.gatefold(&["runs"]).assert().success();
        let whole = text(&whole.get_output().stdout);
        assert!(
            whole.contains(run) && whole.contains("parameters"),
            "{whole}"
        );
    }
}
